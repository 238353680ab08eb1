"""Disks that are full, read-only, or broken: a clear reason, and nothing lost."""

from __future__ import annotations

import errno
import os
import types
from contextlib import contextmanager
from pathlib import Path

import pytest

from asmr_classify.errors import OutputError
from asmr_classify.library import moves, places
from asmr_classify.library.journal import Store
from asmr_classify.library.runs import carry_out, settle_broken
from tests.library.worlds import (
    contents,
    fill,
    heard,
    look,
    organise,
    plan,
    reasons,
    run_in_child,
    undo,
)

resource = pytest.importorskip("resource", reason="limits of POSIX")


@contextmanager
def file_size_limit(n_bytes):
    """Files may not grow beyond this, as if the disk were full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_copy_that_does_not_fit_leaves_nothing(place, store):
    fill(place, {"big.mp3": b"x" * 100_000, "small.mp3": b"y"})
    before = look(place)
    planned = plan([heard(place / "big.mp3"), heard(place / "small.mp3")], place, action="copy")
    with file_size_limit(50_000):
        report = carry_out(planned, store)
    assert reasons(report) == [
        f"{place}/big.mp3: the file got larger than is allowed here: raise the limit"
    ]
    assert sorted(os.listdir(place / "tap")) == ["small.mp3"]
    undo(store)
    assert look(place) == before


def test_a_full_disk_in_the_middle_of_a_move_to_it(place, three, other_disk, store, monkeypatch):
    before = look(place)
    n_copied = 0

    def copy_until_full(source, part, on_bytes):
        nonlocal n_copied
        n_copied += 1
        if n_copied == 2:
            Path(part).write_bytes(b"half")
            raise OSError(errno.ENOSPC, "No space left on device")
        return places.copy_verified(source, part, on_bytes)

    monkeypatch.setattr(moves, "copy_verified", copy_until_full)
    report = organise(three, other_disk, store)
    told = f"{place}/b.mp3: the disk is full: make room, and give the command again"
    assert reasons(report) == [told]
    assert sorted(os.listdir(other_disk / "tap")) == ["a.mp3", "c.mp3"]
    assert (place / "b.mp3").read_bytes() == b"bbbb"
    undo(store)
    assert look(place) == before
    assert os.listdir(other_disk) == []


def test_a_copy_that_reads_back_otherwise_is_refused(place, three, other_disk, store, monkeypatch):
    monkeypatch.setattr(places, "digest_of", lambda _: "other")
    report = organise(three[:1], other_disk, store)
    assert "does not read back as it was written: check the disk" in reasons(report)[0]
    assert look(other_disk / "tap") == {}
    assert (place / "a.mp3").read_bytes() == b"aaaa"


def test_a_source_that_cannot_be_deleted_stays_alone(place, three, other_disk, store, monkeypatch):
    unlink = os.unlink

    def refuse_sources(path):
        if str(path).startswith(str(place)):
            raise PermissionError(errno.EACCES, "Permission denied")
        unlink(path)

    with monkeypatch.context() as patched:
        patched.setattr(os, "unlink", refuse_sources)
        report = organise(three[:1], other_disk, store)
    assert reasons(report)[0].startswith(f"{place}/a.mp3: no permission: change that of the file")
    assert look(other_disk / "tap") == {}
    assert (place / "a.mp3").read_bytes() == b"aaaa"


def as_nobody(work):
    """Run a function as a user without rights over others' files."""

    def run():
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
        work()

    return run_in_child(run)


@pytest.mark.skipif(os.name != "posix" or os.getuid() != 0, reason="only root can become nobody")
def test_a_read_only_library_stays_as_it_is(place, three):
    before = look(place)
    state = place / "state"
    state.mkdir()
    os.chmod(state, 0o777)
    os.chmod(place, 0o555)

    def run():
        report = organise(three, place, Store(state))
        assert report.n_done == 0
        told = f"{place}: this folder may not be written: change its permissions"
        assert reasons(report) == 4 * [told]

    assert as_nobody(run)
    os.chmod(place, 0o755)
    assert {path: value for path, value in look(place).items() if "/state" not in path} == before


def test_a_folder_that_could_not_be_made_is_told_once_and_named(place, three, store, monkeypatch):
    mkdir = os.mkdir

    def refuse(path, *mode):
        if str(path).startswith(str(place)):
            raise OSError(errno.ENOSPC, "No space left on device")
        mkdir(path, *mode)

    with monkeypatch.context() as patched:
        patched.setattr(os, "mkdir", refuse)
        report = organise(three, place, store)
    made, *moved = reasons(report)
    assert made == f"{place}/tap: the disk is full: make room, and give the command again"
    assert moved == 3 * [
        f"{place}/tap: this folder is not there; make it, and give the command again"
    ]


def test_a_read_only_disk_is_told(place, three, store, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, _mode: path != str(place))
    told = types.SimpleNamespace(f_flag=os.ST_RDONLY)
    monkeypatch.setattr(os, "statvfs", lambda _path: told)
    report = organise(three, place, store)
    assert len(set(reasons(report))) == 1
    assert reasons(report)[0].startswith(f"{place}: this folder is on a disk that is read-only")


def test_without_a_journal_nothing_is_touched(place, three, tmp_path):
    before = look(place)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError, match="a part of its path is a file: write elsewhere"):
        carry_out(plan(three, place), Store(tmp_path / "file"))
    assert look(place) == before


def test_a_journal_that_fills_the_disk_stops_the_run_and_loses_nothing(place, three, store):
    before = look(place)
    planned = plan(three, place)
    with file_size_limit(700), pytest.raises(OutputError, match="got larger than is allowed"):
        carry_out(planned, store)
    assert contents(look(place)) == contents(before)
    assert settle_broken(store) == []
    undo(store)
    assert look(place) == before


def test_a_file_that_changes_while_the_disk_is_waited_for_stays(
    place, three, other_disk, store, monkeypatch
):
    monkeypatch.setattr(
        moves, "sync_folder", lambda _: (place / "a.mp3").write_bytes(b"aaaa and more")
    )
    report = organise(three[:1], other_disk, store)
    assert "has changed since it was planned: 4 bytes, now 13" in reasons(report)[0]
    assert (place / "a.mp3").read_bytes() == b"aaaa and more"
    assert look(other_disk / "tap") == {}
    assert settle_broken(store) == []


def test_a_file_that_goes_while_the_disk_is_waited_for_has_its_copy(
    place, three, other_disk, store, monkeypatch
):
    monkeypatch.setattr(moves, "sync_folder", lambda _: (place / "a.mp3").unlink())
    report = organise(three[:1], other_disk, store)
    assert report.n_done == len(report.outcomes)
    assert (other_disk / "tap/a.mp3").read_bytes() == b"aaaa"


def test_a_file_that_changes_while_it_is_copied_stays(place, three, other_disk, store, monkeypatch):
    def copy_while_it_is_written(source, part, on_bytes):
        digest = places.copy_verified(source, part, on_bytes)
        Path(source).write_bytes(b"aaaa and more")
        return digest

    monkeypatch.setattr(moves, "copy_verified", copy_while_it_is_written)
    report = organise(three[:1], other_disk, store)
    assert "has changed since it was planned: 4 bytes, now 13" in reasons(report)[0]
    assert (place / "a.mp3").read_bytes() == b"aaaa and more"
    assert look(other_disk / "tap") == {}
