"""What is new in a folder is given when it has stopped growing, each file once, none lost."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path
from threading import Event

import pytest

from asmr_classify.watch import Arrivals, Terms, arrivals, is_as_found, watch


class Clock:
    def __init__(self):
        self.time = 100.0

    def __call__(self):
        return self.time


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def notices():
    return []


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    return tmp_path / "in"


@pytest.fixture
def make(clock, notices):
    def made(*folders, known=(), settle=10.0, **globs):
        return Arrivals(
            Terms(folders or ("in",), settle=settle, **globs),
            lambda found: Path(found.path).name in known,
            notices.append,
            clock,
        )

    return made


def names(settled):
    return [Path(found.path).name for found in settled]


def look(watched):
    """Look, and take all that is given for labelled."""
    settled = watched.look()
    for found in settled:
        watched.done(found)
    return names(settled)


def grow(path, n_bytes=1):
    with path.open("ab") as file:
        file.write(b"x" * n_bytes)


def test_a_file_is_given_once_it_has_not_changed_for_so_long(folder, make, clock):
    watched = make()
    grow(folder / "a.wav")
    assert look(watched) == []
    assert watched.due_in() == 10
    clock.time += 9.9
    assert look(watched) == []
    clock.time += 0.1
    assert watched.due_in() == 0
    assert look(watched) == ["a.wav"]
    clock.time += 100
    assert look(watched) == []
    assert watched.due_in() is None


def test_a_file_that_grows_waits_until_it_does_not(folder, make, clock):
    watched = make()
    for _ in range(20):
        grow(folder / "a.wav")
        assert look(watched) == []
        clock.time += 6
    clock.time += 4
    assert look(watched) == ["a.wav"]


def test_a_change_that_leaves_the_size_is_one(folder, make, clock):
    """As of a download whose room was taken at its beginning."""
    watched = make()
    grow(folder / "a.wav", 100)
    look(watched)
    clock.time += 9
    os.utime(folder / "a.wav", ns=(1, 12345))
    assert look(watched) == []
    clock.time += 9
    assert look(watched) == []
    clock.time += 1
    assert look(watched) == ["a.wav"]


def test_an_old_time_of_change_does_not_make_a_file_whole(folder, make):
    """Downloaders give files the time that they have on the server."""
    grow(folder / "a.wav")
    os.utime(folder / "a.wav", (0, 10**9))
    assert look(make()) == []


def test_what_changes_after_it_was_labelled_is_given_again(folder, make, clock):
    watched = make(settle=0)
    grow(folder / "a.wav")
    assert look(watched) == ["a.wav"]
    assert look(watched) == []
    grow(folder / "a.wav")
    clock.time += 1
    assert look(watched) == ["a.wav"]


def test_what_is_known_is_not_given_and_asked_after_once(folder, make):
    watched = make(settle=0, known=("a.wav",))
    asked = []
    watched._is_known = lambda found: asked.append(found.path) or found.path.endswith("a.wav")
    for name in ("a.wav", "b.wav", "c.txt"):
        grow(folder / name)
    assert names(watched.look()) == ["b.wav"]
    assert (watched.n_there, watched.n_known) == (2, 1)
    assert names(watched.look()) == ["b.wav"]  # until it is done
    assert sorted(asked) == ["in/a.wav", "in/b.wav"]


def test_downloads_under_way_and_what_is_not_wanted_are_left_alone(folder, make):
    for name in ("a.mp4.part", "b.mp3.crdownload", "c.tmp", "d.f137.mp4.ytdl", ".hidden.wav"):
        grow(folder / name)
    for name in ("e.mp4", "e.mp4.aria2", "f.wav", "no.wav", "g.txt"):
        grow(folder / name)
    assert look(make(settle=0, exclude=("no*",))) == ["f.wav"]
    (folder / "e.mp4.aria2").unlink()
    assert look(make(settle=0, include=("e.*",))) == ["e.mp4"]


def test_however_many_come_at_once_each_is_given_once(folder, make, monkeypatch):
    monkeypatch.setattr(arrivals, "AT_ONCE", 30)
    watched = make(settle=0)
    expected = [f"{number:04d}.wav" for number in range(100)]
    for name in expected:
        grow(folder / name)
    given = [look(watched) for _ in range(5)]
    assert list(map(len, given)) == [30, 30, 30, 10, 0]
    assert [name for part in given for name in part] == expected


def test_what_was_given_and_is_not_done_waits_anew(folder, make, clock):
    """Else a file that cannot be labelled now would be looked at without a pause."""
    grow(folder / "a.wav")
    watched, stop, given, pauses = make(), Event(), [], []

    def pause(due_in, _looked_for):
        pauses.append(due_in)
        clock.time += due_in
        if len(pauses) == 3:
            stop.set()

    def label(settled):
        given.append(names(settled))
        if len(given) == 9:
            stop.set()

    watch(watched, label, pause, stop=stop)
    assert given == [["a.wav"], ["a.wav"]]
    assert pauses == [10.0, 10.0, 10.0]


def test_a_loop_of_links_gives_each_file_once(folder, make):
    grow(folder / "a.wav")
    (folder / "loop").symlink_to(folder, target_is_directory=True)
    assert look(make(settle=0)) == ["a.wav"]


def test_what_is_kept_of_files_follows_what_is_there(folder, make, clock):
    watched = make()
    for number in range(50):
        path = folder / f"{number}.wav"
        grow(path)
        look(watched)
        clock.time += 10
        assert look(watched) == [path.name]
        path.unlink()
    look(watched)
    assert len(watched._done) + len(watched._since) == 0


def test_a_folder_that_goes_and_comes_back_is_told_and_loses_nothing(folder, make, notices):
    watched = make(settle=0)
    grow(folder / "a.wav")
    watched.look()
    shutil.move(folder, folder.with_name("away"))
    assert look(watched) == look(watched) == []
    assert watched.folders_amiss == ["in"]
    (notice,) = notices
    assert notice == (
        "in: is not there: check its name and its disk; "
        "what it holds is labelled once it can be read"
    )
    shutil.move(folder.with_name("away"), folder)
    grow(folder / "b.wav")
    assert look(watched) == ["a.wav", "b.wav"]
    assert notices[1:] == ["in: can be read again"]
    assert watched.folders_amiss == []


def test_a_folder_that_comes_later_is_watched_then(folder, make, notices):
    watched = make("later", "in", settle=0)
    grow(folder / "a.wav")
    assert look(watched) == ["a.wav"]
    assert "later: is not there" in notices[0]
    (folder.parent / "later").mkdir()
    grow(folder.parent / "later" / "b.wav")
    assert look(watched) == ["b.wav"]


def test_a_folder_that_may_not_be_read_is_told_once_and_the_others_are_watched(
    folder, make, notices, monkeypatch
):
    for name in ("closed", "open"):
        (folder / name).mkdir()
        grow(folder / name / f"{name}.wav")
    closed, scandir = ["in/closed"], os.scandir

    def scan_what_is_open(path):
        if path in closed:
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", scan_what_is_open)
    watched = make(settle=0)
    assert look(watched) == ["open.wav"]
    look(watched)
    (notice,) = notices
    assert notice == (
        "in/closed: cannot be read (Permission denied): check its permissions and its disk; "
        "what it holds is labelled once it can be read"
    )
    assert watched.folders_amiss == []  # it is not one of those to be watched
    closed[:] = ["in"]
    assert look(watched) == []
    assert watched.folders_amiss == ["in"]
    closed.clear()
    assert look(watched) == ["closed.wav", "open.wav"]
    assert notices[-1] == "in: can be read again"


def test_a_file_of_1970_is_given_too(folder, make):
    grow(folder / "a.wav")
    os.utime(folder / "a.wav", (0, 0))
    assert look(make(settle=0)) == ["a.wav"]


def test_a_link_that_leads_nowhere_is_no_file(folder, make, notices):
    (folder / "a.wav").symlink_to("gone.wav")
    assert look(make(settle=0)) == []
    assert notices == []


def test_folders_within_each_other_give_each_file_once(folder, make):
    (folder / "b").mkdir()
    grow(folder / "b" / "a.wav")
    assert look(make("in", "in/b", settle=0)) == ["a.wav"]


def test_names_below_the_working_directory_are_those_of_label(folder, make):
    grow(folder / "a.wav")
    assert [found.path for found in make(".", settle=0).look()] == ["in/a.wav"]


def test_what_only_grows_is_told_from_what_will_settle(folder, make, clock):
    watched = make()
    grow(folder / "a.wav")
    watched.look()
    assert not watched.only_grows()
    clock.time += 5
    grow(folder / "a.wav")
    grow(folder / "late.wav")
    watched.look()
    assert watched.only_grows()


def test_a_file_is_as_found_until_it_changes_or_goes(folder, make):
    grow(folder / "a.wav")
    (found,) = make(settle=0).look()
    assert is_as_found(found)
    grow(folder / "a.wav")
    assert not is_as_found(found)
    (folder / "a.wav").unlink()
    assert not is_as_found(found)
