"""The steps that write tags: whole before or whole after, and taken back to the byte."""

from __future__ import annotations

import errno
import json
import os
import resource
import shutil
import sys
from pathlib import Path

import pytest

from asmr_classify.errors import GoneError, StepError, TagError
from asmr_classify.library import places
from asmr_classify.library.plan import FileState, Work, step_from_record
from asmr_classify.library.tags import steps as steps_module
from asmr_classify.library.tags.carriers import find_carrier
from asmr_classify.library.tags.fields import Wishes, tagged
from asmr_classify.library.tags.sidecar import (
    WriteSidecar,
    check_sidecar_name,
    read_sidecar,
    sidecar_path,
    sidecar_text,
)
from asmr_classify.library.tags.steps import RestoreFile, WriteTags
from asmr_classify.library.tags.streams import digest_streams
from tests.library.tags.conftest import CARRIED, heard, read

each_kind = pytest.mark.parametrize("ext", CARRIED)


class Journal:
    """Stands in for a run: gathers notes."""

    def __init__(self):
        self.notes = {}
        self.n_bytes = 0
        self.work = Work("7-0", self.note, self.on_bytes)

    def note(self, **facts):
        json.dumps(facts)
        self.notes.update(facts)

    def on_bytes(self, n_bytes):
        self.n_bytes += n_bytes


@pytest.fixture
def journal():
    return Journal()


def step_for(path, *, keep_mtime=False):
    old = read(path)
    wishes = Wishes(genre=True, comment=True, chapters=find_carrier(path).max_chapters > 0)
    new = tagged(old, heard(path), wishes)
    return WriteTags(path, FileState.of(path), old, new, keep_mtime)


def through_json(step):
    return step_from_record(json.loads(json.dumps(step.to_record())))


def only_files(path, *names):
    folder = Path(path).parent
    assert sorted(os.listdir(folder)) == sorted(names or [Path(path).name])


@each_kind
def test_a_step_and_its_inverse_give_the_very_file_back(recording, ext, journal):
    path = recording(ext)
    os.utime(path, ns=(10**18, 10**18 + 123))
    before = Path(path).read_bytes()
    step = through_json(step_for(path))
    step.check()
    facts = json.loads(json.dumps(step.do(journal.work)))
    assert read(path).says_the_same(step.new)
    assert Path(path).stat().st_mtime_ns != 10**18 + 123
    back = through_json(step.inverse(facts))
    back.check()
    again = back.do(journal.work)
    assert Path(path).read_bytes() == before
    assert Path(path).stat().st_mtime_ns == 10**18 + 123
    once_more = back.inverse(again)
    once_more.check()
    once_more.do(journal.work)
    assert read(path).says_the_same(step.new)
    only_files(path)
    assert journal.n_bytes >= 2 * len(before)


def test_what_a_step_tells(recording):
    path = recording("mp3")
    step = step_for(path)
    shown = step.describe()
    assert (shown.verb, shown.path, shown.target) == ("tag", path, None)
    assert shown.detail.startswith("no tags of ours → tap, white_noise; + genre 'ASMR'")
    back = RestoreFile(path, step.before, {}, 0, step.new, step.old).describe()
    assert back.verb == "restore tags"
    assert back.detail.startswith("tap, white_noise → no tags of ours; - genre 'ASMR'")


def test_the_time_can_be_kept(recording, journal):
    path = recording("flac")
    os.utime(path, ns=(10**18, 10**18 + 123))
    step = step_for(path, keep_mtime=True)
    facts = step.do(journal.work)
    assert Path(path).stat().st_mtime_ns == 10**18 + 123
    step.inverse(facts).do(journal.work)
    assert read(path) == step.old


def test_permissions_are_kept(recording, journal):
    path = recording("mp3")
    os.chmod(path, 0o604)
    step_for(path).do(journal.work)
    assert Path(path).stat().st_mode & 0o777 == 0o604


@pytest.mark.parametrize("mode", [0o600, 0o644])
def test_nobody_else_reads_what_is_not_finished(recording, mode):
    path = recording("mp3")
    os.chmod(path, mode)
    modes = []

    def look(_n_bytes):
        (part,) = Path(path).parent.glob(".*.part")
        modes.append(part.stat().st_mode & 0o777)

    step = step_for(path)
    facts = step.do(Work("7-0", Journal().note, look))
    step.inverse(facts).do(Work("8-0", Journal().note, look))
    assert {*modes} == {0o600}
    assert len(modes) > 1
    assert Path(path).stat().st_mode & 0o777 == mode


def test_a_file_that_changed_since_it_was_planned_is_left(recording, journal):
    path = recording("mp3")
    step = step_for(path)
    Path(path).write_bytes(Path(path).read_bytes() + b"more")
    with pytest.raises(StepError, match="has changed since it was planned"):
        step.check()
    with pytest.raises(StepError, match="has changed since it was planned"):
        step.do(journal.work)
    assert step.settle(journal.work, journal.notes) is None
    assert Path(path).read_bytes().endswith(b"more")
    only_files(path)


def test_a_file_that_changes_while_the_journal_is_written_is_left(recording, journal):
    path = recording("mp3")

    def note(**facts):
        journal.note(**facts)
        with Path(path).open("ab") as file:
            file.write(b"more")

    with pytest.raises(StepError, match="has changed since it was planned"):
        step_for(path).do(Work("7-0", note))
    assert step_for(path).settle(journal.work, journal.notes) is None
    assert Path(path).read_bytes().endswith(b"more")
    only_files(path)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")
def test_a_file_that_another_program_writes_to_is_left(recording, journal):
    path = recording("mp3")
    step = step_for(path)
    with (
        Path(path).open("ab"),
        pytest.raises(StepError, match="is open in a program that may write to it"),
    ):
        step.do(journal.work)
    assert step.settle(journal.work, journal.notes) is None
    with Path(path).open("rb"):  # as players have it
        step.do(journal.work)
    assert read(path) == step.new


def test_where_no_leases_are_granted_nothing_is_told(recording, journal, monkeypatch):
    monkeypatch.setattr(places, "_is_lease_refused", lambda _path: True)
    path = recording("mp3")
    step = step_for(path)
    step.do(journal.work)
    assert read(path) == step.new


def test_a_file_that_changed_since_it_was_tagged_is_left(recording, journal):
    path = recording("mp3")
    step = step_for(path)
    facts = step.do(journal.work)
    after = Path(path).read_bytes()
    back = step.inverse(facts)
    Path(path).write_bytes(after + b"!")
    with pytest.raises(StepError, match="has changed since it was tagged"):
        step.inverse(facts)
    with pytest.raises(StepError, match="has changed since it was tagged"):
        back.check()
    with pytest.raises(StepError, match="has changed since it was tagged"):
        back.do(Journal().work)
    back.settle(journal.work, {})
    assert Path(path).read_bytes() == after + b"!"
    only_files(path)


@pytest.mark.skipif(os.geteuid() == 0, reason="the administrator may write anything")
def test_a_read_only_file_is_left(recording):
    path = recording("mp3")
    step = step_for(path)
    os.chmod(path, 0o400)
    with pytest.raises(StepError, match="may not be written: change its permissions"):
        step.check()


@pytest.mark.parametrize("tells", ["a file without a name", "the new file"])
def test_a_file_of_another_user_is_left(recording, journal, of_another, monkeypatch, tells):
    path = recording("mp3")
    step = step_for(path)
    of_another(path)
    if tells == "the new file":
        monkeypatch.delattr(os, "O_TMPFILE", raising=False)
    before = os.stat(path)
    with pytest.raises(StepError, match="belongs to another user, and written anew it would be"):
        step.check() if tells == "a file without a name" else step.do(journal.work)
    assert step.settle(journal.work, journal.notes) is None
    after = os.stat(path)
    assert (after.st_ino, after.st_uid) == (before.st_ino, before.st_uid)
    only_files(path)


@pytest.mark.parametrize(
    ("refused", "reason"),
    [(0, "may not be written: change its permissions"), (1, "this folder may not be written")],
)
def test_what_may_not_be_written_is_left(recording, monkeypatch, refused, reason):
    path = recording("mp3")
    step = step_for(path)
    places = [path, os.path.dirname(path)]
    monkeypatch.setattr(os, "access", lambda place, _mode: str(place) != places[refused])
    with pytest.raises(StepError, match=reason):
        step.check()


@each_kind
def test_a_full_disk_leaves_the_file_as_it_was(recording, ext, journal):
    """The limit for the size of a file stands in for a full disk."""
    path = recording(ext)
    before = Path(path).read_bytes()
    step = step_for(path)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) // 2, hard))
    try:
        with pytest.raises(OSError, match="File too large") as caught:
            step.do(journal.work)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert caught.value.errno == errno.EFBIG
    assert step.settle(journal.work, journal.notes) is None
    assert Path(path).read_bytes() == before
    only_files(path)


@each_kind
def test_a_disk_that_is_full_when_tags_are_added(recording, ext, journal):
    path = recording(ext)
    before = Path(path).read_bytes()
    step = step_for(path)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before), hard))
    try:
        grew = False
        step.do(journal.work)
    except OSError as exc:
        grew = exc.errno == errno.EFBIG
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    settled = step.settle(journal.work, journal.notes)
    if grew:
        assert settled is None
        assert Path(path).read_bytes() == before
    else:
        assert read(path).says_the_same(step.new)
    only_files(path)


@pytest.mark.parametrize(
    "call", ["copy_verified", "find_carrier", "_compare", "make_patch", "_finish", "os.replace"]
)
@pytest.mark.parametrize("ext", ["mp3", "mkv"])
def test_whatever_fails_leaves_the_file_as_it_was(recording, ext, call, journal, monkeypatch):
    path = recording(ext)
    before = Path(path).read_bytes(), FileState.of(path)
    step = step_for(path)

    def fail(*_arguments, **_options):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(steps_module if "." not in call else os, call.rpartition(".")[2], fail)
    with pytest.raises(OSError, match="No space left"):
        step.do(journal.work)
    assert step.settle(journal.work, journal.notes) is None
    assert (Path(path).read_bytes(), FileState.of(path)) == before
    only_files(path)


def test_a_run_that_was_killed_after_the_rename_is_settled_as_done(recording, journal):
    path = recording("mp3")
    step = step_for(path)
    facts = step.do(journal.work)
    assert step.settle(journal.work, journal.notes) == facts


def test_a_file_that_vanished_since_is_told_as_gone(recording, journal):
    path = recording("mp3")
    step = step_for(path)
    facts = step.do(journal.work)
    back = step.inverse(facts)
    os.unlink(path)
    for broken_off in (step, back):
        with pytest.raises(GoneError, match="is not there any more"):
            broken_off.settle(journal.work, journal.notes)


def test_size_and_time_alone_do_not_tell_that_a_file_was_replaced(recording, journal, monkeypatch):
    path = recording("flac")
    step = step_for(path, keep_mtime=True)
    before = Path(path).read_bytes()

    def fail(*_arguments):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="Input/output error"):
        step.do(journal.work)
    after = FileState(**journal.notes["after"])
    assert after.same_content(step.before), "the padding took the tags, and the time was kept"
    assert step.settle(journal.work, journal.notes) is None
    assert Path(path).read_bytes() == before


@pytest.mark.parametrize("ext", ["mp3", "mp4", "mkv"])
def test_sound_that_would_change_is_found_out(recording, ext, journal, monkeypatch):
    path = recording(ext)
    before = Path(path).read_bytes()
    step = step_for(path)
    carrier = type(find_carrier(path))
    write = carrier.write

    def spoil(self, place, old, new):
        write(self, place, old, new)
        data = bytearray(Path(place).read_bytes())
        data[len(data) // 2] ^= 255
        Path(place).write_bytes(data)

    monkeypatch.setattr(carrier, "write", spoil)
    with pytest.raises(StepError, match="--sidecar leaves it alone"):
        step.do(journal.work)
    step.settle(journal.work, journal.notes)
    assert Path(path).read_bytes() == before
    only_files(path)


def test_tags_that_would_not_read_back_are_found_out(recording, journal, monkeypatch):
    path = recording("mp3")
    step = step_for(path)
    monkeypatch.setattr(type(find_carrier(path)), "write", lambda *_: None)
    with pytest.raises(StepError, match="would not read back as written"):
        step.do(journal.work)
    step.settle(journal.work, journal.notes)
    only_files(path)


def test_errors_of_the_format_name_the_file_not_the_copy(recording, journal, monkeypatch):
    path = recording("mp3")
    step = step_for(path)

    def refuse(_self, place, _old, _new):
        raise TagError(place, "its tags are odd")

    monkeypatch.setattr(type(find_carrier(path)), "write", refuse)
    with pytest.raises(StepError) as caught:
        step.do(journal.work)
    assert str(caught.value) == f"{path}: its tags are odd; --sidecar leaves it alone"


def test_streams_of_a_file_that_is_none(tmp_path):
    from asmr_classify.errors import OpenError

    (tmp_path / "a.mp3").write_bytes(b"nothing" * 100)
    with pytest.raises(OpenError, match="not an audio or video file"):
        digest_streams(str(tmp_path / "a.mp3"))


def test_a_sidecar_comes_changes_and_goes(recording, journal):
    path = recording("avi")
    first, second = sidecar_text(heard(path)), sidecar_text(heard(path, tags=("whisper",)))
    write = through_json(WriteSidecar(path, None, first, "no tags"))
    shown = write.describe()
    assert (shown.verb, shown.path, shown.target) == ("write sidecar", path, sidecar_path(path))
    assert shown.detail == "tap, white_noise (no tags)"
    write.check()
    facts = write.do(journal.work)
    assert read_sidecar(path) == first
    assert json.loads(first)["path"] == "a.avi"
    assert write.settle(journal.work, {}) == {}
    change = WriteSidecar(path, first, second)
    change.check()
    changed = change.do(journal.work)
    assert read_sidecar(path) == second
    with pytest.raises(StepError, match="has changed since it was written"):
        write.inverse(facts)
    with pytest.raises(StepError, match="has changed since it was planned"):
        change.check()
    change.inverse(changed).do(journal.work)
    assert read_sidecar(path) == first
    remove = write.inverse(facts)
    assert remove.describe().verb == "remove sidecar"
    remove.check()
    remove.do(journal.work)
    assert read_sidecar(path) is None
    assert remove.settle(journal.work, {}) == {}
    assert write.settle(journal.work, {}) is None
    only_files(path)


def test_a_sidecar_of_a_file_that_is_gone(recording):
    path = recording("avi")
    step = WriteSidecar(path, None, sidecar_text(heard(path)))
    os.unlink(path)
    with pytest.raises(StepError, match="is not there any more"):
        step.check()


def test_a_file_of_that_name_which_is_not_ours_is_left(recording):
    path = recording("avi")
    for content in (b"{}", b"[1]", b"\xff\xfe", b""):
        Path(sidecar_path(path)).write_bytes(content)
        with pytest.raises(StepError, match="is not ours: move it away"):
            read_sidecar(path)


def test_a_name_that_is_too_long_for_a_sidecar(recording):
    path = recording("avi", "n" * 250 + ".avi")
    assert read_sidecar(path) is None
    with pytest.raises(StepError, match="longer than 255 bytes: give it a name that is 9 bytes"):
        check_sidecar_name(path)
    shutil.rmtree(Path(path).parent)
