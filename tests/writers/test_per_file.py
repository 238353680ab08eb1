from __future__ import annotations

import errno
import ntpath
import os
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from asmr_classify.aggregate import FileResult, Problem, Status
from asmr_classify.errors import ChangedFileError, OutputError, UsageError
from asmr_classify.writers import FORMATS, Options, per_file
from asmr_classify.writers.output import Output
from asmr_classify.writers.per_file import WRITTEN, PerFileWriter, common_folder
from tests.catalogue.results import seen
from tests.writers.roundtrip import SKIP, timeline
from tests.writers.strategies import LABELS

pytestmark = pytest.mark.usefixtures("place")


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(*results, form="webvtt", base=".", folder="out", options=SKIP, **told):
    base = None if base is None else os.path.realpath(base)
    kind = FORMATS[form]
    writer = PerFileWriter(folder, kind, LABELS, options, base=base, **told)
    for result in results:
        writer.write(result)
    writer.close()


def tree(folder="out"):
    found = [str(x.relative_to(folder)) for x in Path(folder).rglob("*") if x.is_file()]
    return sorted(name for name in found if name != WRITTEN)


@pytest.mark.parametrize("form", FORMATS)
def test_files_mirror_the_tree_of_recordings(form):
    write(timeline("in/sleep/a.mp3"), timeline("in/b.wav"), form=form, base="in")
    suffix = FORMATS[form].suffixes[0]
    stems = FORMATS[form].takes_stem
    assert tree() == (
        [f"b{suffix}", f"sleep/a{suffix}"] if stems else [f"b.wav{suffix}", f"sleep/a.mp3{suffix}"]
    )
    with Path("out", tree()[0]).open("rb" if FORMATS[form].in_bytes else "r") as file:
        assert len(list(FORMATS[form].read(file))) == 1


@pytest.mark.parametrize("skip", ["speech", "lively"])
def test_a_video_without_sound_has_a_file_where_what_is_seen_is_asked_for(skip):
    mute = FileResult("a.mp4", Status.NO_AUDIO, "m@1", visual=seen())
    write(mute, form="edl", options=Options(skip=(skip,)))
    assert Path("out", "a.edl").exists() == (skip == "lively")


def test_a_folder_that_was_made_for_nothing_is_taken_back():
    write()
    assert not Path("out").exists()
    Path("mine").mkdir()
    write(folder="mine")
    assert Path("mine").is_dir()


def test_recordings_of_one_stem_keep_a_file_each():
    write(timeline("a.mp3"), timeline("a.wav"), form="edl")
    write(timeline("a.mp3"), timeline("a.wav"), form="webvtt")
    assert tree() == ["a.edl", "a.mp3.vtt", "a.wav.edl", "a.wav.vtt"]


def test_names_that_differ_in_case_only_keep_a_file_each():
    write(timeline("a.mp3"), timeline("A.mp3"), timeline("a.mp3"))
    first, second = sorted(tree(), key=len)
    assert first == "a.mp3.vtt"
    assert second.startswith("A.mp3~")
    assert len(second) == len("A.mp3~01234567.vtt")


@pytest.mark.parametrize("name", ["x" * 251 + ".mp3", "囁" * 83 + ".mp3", "é" * 125 + ".mp3"])
def test_names_of_255_bytes_are_shortened_and_stay_apart(name):
    other = name[:-4] + ".wav"
    write(timeline(name), timeline(other), timeline(name))
    assert len(tree()) == 2
    assert all(len(os.fsencode(x)) <= 255 and x.endswith(".vtt") for x in tree())
    before = tree()
    write(timeline(other), timeline(name))
    assert tree() == before


def test_names_that_are_not_utf8_keep_their_bytes():
    write(timeline("caf\udce9.mp3"))
    assert tree() == ["caf\udce9.mp3.vtt"]


def test_recordings_outside_of_the_base_get_their_whole_path():
    write(timeline("/elsewhere/a.mp3"), base="in")
    write(timeline("/elsewhere/b.mp3"), base=None)
    assert tree() == ["elsewhere/a.mp3.vtt", "elsewhere/b.mp3.vtt"]


def test_nothing_is_written_outside_of_the_folder(place):
    write(timeline("../a.mp3"), timeline("in/../../b.mp3"), timeline("..a.mp3"), base=".")
    assert all(Path("out", x).resolve().is_relative_to(place / "out") for x in tree())
    assert len(tree()) == 3
    assert [x.name for x in place.parent.glob("*.vtt")] == []


@pytest.mark.parametrize(
    ("named", "base"),
    [
        pytest.param(["in"], "in", id="folder"),
        pytest.param(["in/a.mp3"], "in", id="file"),
        pytest.param(["in/x", "in/y"], "in", id="two folders"),
        pytest.param(["in/x", "in/a.mp3"], "in", id="folder and file"),
        pytest.param(["in/x", "in/x/y"], "in/x", id="one in the other"),
    ],
)
def test_the_base_is_the_deepest_folder_that_holds_all(named, base, place):
    for folder in ("in/x/y", "in/y"):
        (place / folder).mkdir(parents=True)
    assert common_folder(named, "out") == str(place / base)


def test_the_base_is_the_folder_that_is_written_into_where_that_holds_all(place):
    for named in (["in/x/a.mp3"], ["in/x/a.mp3", "in/b.mp3"]):
        assert common_folder(named, ".") == str(place)
        assert common_folder(named, "in") == str(place / "in")
    assert common_folder(["in/x/a.mp3"], "in/x/y") == str(place / "in/x")
    assert common_folder(["into/a.mp3"], "in") == str(place / "into")


def test_the_base_is_found_where_another_drive_is_written_into(monkeypatch):
    monkeypatch.setattr(per_file, "os", SimpleNamespace(path=ntpath))
    named = ["D:\\Sleep\\x\\a.mp3", "D:\\Sleep\\b.mp3"]
    assert common_folder(named, "E:\\labels") == "D:\\Sleep"
    assert common_folder(named, "d:\\sleep") == "d:\\sleep"
    assert common_folder([*named, "C:\\c.mp3"], "D:\\") is None


def test_a_file_that_holds_the_same_is_not_touched():
    write(timeline("a.mp3"))
    os.utime("out/a.mp3.vtt", (1, 1))
    write(timeline("a.mp3"))
    assert Path("out/a.mp3.vtt").stat().st_mtime == 1
    write(timeline("a.mp3", labels=("tap", "speech")))
    assert Path("out/a.mp3.vtt").stat().st_mtime > 1


@pytest.mark.parametrize("form", FORMATS)
def test_a_file_that_is_something_else_is_left_alone(form):
    write(timeline("a.mp3"), form=form)
    path = Path("out", tree()[0])
    path.write_text("WEBVTT\n\n00:01.000 --> 00:02.000\nHello, my own subtitles\n")
    before = path.read_bytes()
    with pytest.raises(UsageError, match=r"exists and was not written by this program.*move it"):
        write(timeline("a.mp3"), form=form)
    assert path.read_bytes() == before


def test_a_failure_costs_no_file_that_is_there():
    write(timeline("a.mp3"))
    before = Path("out/a.mp3.vtt").read_bytes()
    lost = FileResult("a.mp3", Status.FAILED, "m@1", error=Problem("OpenError", "a.mp3: gone"))
    write(lost, replace(lost, path="b.mp3"))
    assert tree() == ["a.mp3.vtt"]
    assert Path("out/a.mp3.vtt").read_bytes() == before
    write(lost, form="jsonl")
    assert tree() == ["a.mp3.jsonl", "a.mp3.vtt"]


def test_what_a_format_cannot_hold_is_told():
    told = []
    write(timeline("a.mp3", labels=("tap",)), form="youtube", on_left_out=told.append)
    assert tree() == []
    assert len(told) == 1
    assert told[0].startswith("a.mp3: no chapters")


def test_a_full_disk_leaves_the_earlier_file_and_nothing_beside_it(monkeypatch):
    write(timeline("a.mp3"))
    before = Path("out/a.mp3.vtt").read_bytes()

    def fail(self, data):
        self._raw.write(data[:5])
        raise OSError(errno.ENOSPC, "no space")

    monkeypatch.setattr(Output, "_write_all", fail)
    with pytest.raises(OutputError, match=r"out/a\.mp3\.vtt: cannot be written; the disk is full"):
        write(timeline("a.mp3", labels=("tap",)))
    assert tree() == ["a.mp3.vtt"]
    assert Path("out/a.mp3.vtt").read_bytes() == before


def test_a_file_in_place_of_the_folder_is_told():
    Path("out").write_text("text")
    with pytest.raises(OutputError, match="out: is a file, and a folder is needed"):
        write(timeline("a.mp3"))


def test_the_folder_above_must_exist():
    with pytest.raises(OutputError, match="no/out: cannot be written; its folder does not exist"):
        write(timeline("a.mp3"), folder="no/out")


def test_mpv_lists_name_recordings_from_where_they_lie():
    write(timeline("in/sleep/a.mp3"), form="mpv-edl", base="in", options=Options(("speech",)))
    assert b"../../in/sleep/a.mp3,0.000,20.000" in Path("out/sleep/a.mp3.mpv.edl").read_bytes()


@pytest.mark.parametrize("form", ["audacity", "raven", "webvtt"])
def test_a_file_that_was_edited_is_left_alone_and_the_others_are_written(form):
    told = []
    write(timeline("a.mp3"), timeline("b.mp3"), form=form)
    edited, other = (Path("out", name) for name in tree())
    edited.write_text(mine := edited.read_text().replace("tap", "tap on wood"))
    before = other.read_bytes()
    changed = [timeline(name, labels=("tap", "speech")) for name in ("a.mp3", "b.mp3")]
    write(*changed, form=form, on_changed=told.append)
    assert edited.read_text() == mine
    assert other.read_bytes() != before
    assert len(told) == 1
    assert told[0].startswith(f"{edited}: was changed since this program wrote it")


def test_a_folder_that_was_moved_holds_nothing_of_recordings_that_are_gone():
    Path("in").mkdir()
    for name in ("in/a.b.mp3", "in/c.mp3"):
        Path(name).touch()
    for form in ("webvtt", "audacity"):
        write(timeline("in/a.b.mp3"), timeline("in/c.mp3"), base="in", form=form)
    Path("in/c.mp3").unlink()
    Path("other/place").mkdir(parents=True)
    moved = str(Path("out").rename("other/place/out"))
    told = []
    write(timeline("in/a.b.mp3"), folder=moved, base="in", on_stale=told.append)
    assert [line.partition(": ")[0] for line in told] == [
        f"{moved}/c.mp3.labels.txt",
        f"{moved}/c.mp3.vtt",
    ]


def test_in_a_folder_that_was_moved_lists_for_kodi_and_short_names_are_known_too():
    Path("in").mkdir()
    long = f"in/{'long' * 61}.mp3"
    every = [timeline(name) for name in ("in/a.mp3", "in/c.mp3", "in/d.mp3", long)]
    for result in every:
        Path(result.path).touch()
    for form in ("edl", "webvtt"):
        write(*every, base="in", form=form, options=Options(("speech",)))
    Path("in/c.mp3").unlink()
    Path("in/d.mp3").rename("in/d.flac")
    Path("other/place").mkdir(parents=True)
    moved = str(Path("out").rename("other/place/out"))
    told = []
    there = [timeline(name) for name in ("in/a.mp3", "in/d.flac", long)]
    write(*there, folder=moved, base="in", form="audacity", on_stale=told.append)
    assert [line.partition(": ")[0] for line in told] == [
        f"{moved}/c.edl",
        f"{moved}/c.mp3.vtt",
        f"{moved}/d.mp3.vtt",
    ]


def test_files_of_recordings_that_are_gone_are_told_and_stay():
    Path("in").mkdir()
    gone, named, kept = "in/caf\udce9\t.mp3", "in/b.wav", "in/c.mp3"
    for name in (gone, named, kept):
        Path(name).touch()
    write(timeline(gone), timeline(named), timeline(kept), base="in")
    write(timeline(gone), base="in", form="audacity")
    Path(gone).unlink()
    Path(named).rename("in/d.wav")
    told = []
    write(timeline("in/d.wav"), base="in", on_stale=told.append)  # c.mp3 is not asked for
    assert [line.partition(": ")[0] for line in told] == [
        f"out/{name}" for name in ("b.wav.vtt", "caf\udce9\t.mp3.labels.txt", "caf\udce9\t.mp3.vtt")
    ]
    assert "is of a recording that is gone or has another name now; remove it" in told[0]
    assert len(tree()) == 5
    Path("out/b.wav.vtt").unlink()
    told.clear()
    write(timeline(gone), base="in", on_stale=told.append)  # of a catalogue that knows it still
    assert len(told) == 1


def test_files_that_are_elsewhere_now_are_told_of_in_their_own_format():
    Path("in/sleep").mkdir(parents=True)
    Path("in/sleep/a.mp3").touch()
    told = []
    result = timeline("in/sleep/a.mp3")
    for form in ("webvtt", "mpv-edl"):
        write(result, base="in/sleep", form=form, on_stale=told.append)
    write(result, base="in", form="edl", on_stale=told.append)
    assert told == []
    for _ in range(2):
        write(result, base="in", on_stale=told.append)
    now = "its recording has out/sleep/a.mp3.vtt now; remove it if you do not need it"
    assert told == [f"out/a.mp3.vtt: {now}"] * 2
    Path("out/a.mp3.vtt").unlink()
    write(result, base="in", on_stale=told.append)
    assert len(told) == 2


def test_recordings_are_found_by_whatever_links_the_folder_is_named():
    for name in ("in", "far/out"):
        Path(name).mkdir(parents=True)
    Path("in/a.mp3").touch()
    Path("near").symlink_to("far/out")
    Path("here").symlink_to("in")
    told = []
    write(timeline("here/a.mp3"), base="here", folder="near")
    for folder in ("near", "far/out"):
        write(folder=folder, on_stale=told.append)
    assert (told, len(tree("near"))) == ([], 1)
    Path("in/a.mp3").unlink()
    write(folder="far/out", on_stale=told.append)
    assert len(told) == 1


def test_nothing_is_told_of_recordings_in_storage():
    url, told = "https://example.org/a.mp3", []
    write(timeline(url), base=None)
    write(on_stale=told.append)
    assert (told, len(tree())) == ([], 1)


def test_a_line_that_was_cut_off_tells_of_no_recording():
    Path("c.mp3").touch()
    write(timeline("c.mp3"))
    path, told = Path("out", WRITTEN), []
    path.write_bytes(path.read_bytes()[:-3])
    write(on_stale=told.append)
    assert told == []


def test_files_of_which_nothing_is_known_are_left_alone():
    write(timeline("a.mp3"))
    Path("out", WRITTEN).write_bytes(Path("out", WRITTEN).read_bytes()[:40])
    told = []
    before = Path("out/a.mp3.vtt").read_bytes()
    write(timeline("a.mp3", labels=("tap",)), on_changed=told.append)
    assert Path("out/a.mp3.vtt").read_bytes() == before
    assert len(told) == 1
    with pytest.raises(ChangedFileError, match="was changed since"):
        write(timeline("a.mp3", labels=("tap",)))
