"""The wait between two looks ends at events, in time, and when it is over."""

from __future__ import annotations

import builtins
import errno
import time

import pytest

from asmr_classify.errors import MissingExtraError
from asmr_classify.watch import Wakes, check_installed, wakes

LONG = 60.0
"""Seconds that no wait here should take."""


@pytest.fixture(autouse=True)
def hurry(monkeypatch):
    monkeypatch.setattr(wakes, "LEAST_PAUSE", 0.05)
    monkeypatch.setattr(wakes, "GLANCE", 0.05)
    monkeypatch.setattr(wakes, "RESCAN", LONG)
    monkeypatch.setattr(wakes, "is_remote", lambda _folder: False)


@pytest.fixture
def notices():
    return []


@pytest.fixture
def waited(notices):
    """Tells how long a wait took during which something was done."""

    def measure(folder, do=lambda: None, poll=None, due_in=None, is_over=lambda: False):
        with Wakes([str(folder)], poll, notices.append) as waiting:
            do()
            start = time.monotonic()
            waiting.wait(due_in, 0.0, is_over)
            return time.monotonic() - start

    return measure


@pytest.mark.parametrize("name", ["a.wav", "below/a.wav"])
def test_a_new_file_wakes(waited, tmp_path, notices, name):
    (tmp_path / "below").mkdir()
    assert waited(tmp_path, lambda: (tmp_path / name).write_bytes(b"x")) < LONG / 2
    assert notices == []


def test_reading_wakes_nobody(waited, tmp_path):
    """Labelling reads, and would else wake itself for ever."""
    (tmp_path / "a.wav").write_bytes(b"x")
    assert waited(tmp_path, (tmp_path / "a.wav").read_bytes, due_in=0.7) >= 0.7


def test_what_is_due_is_waited_for_no_longer(waited, tmp_path):
    assert waited(tmp_path, due_in=0.1) < LONG / 2
    assert waited(tmp_path, poll=0.1) < LONG / 2


def test_an_end_ends_the_wait(waited, tmp_path):
    assert waited(tmp_path, is_over=lambda: True) < LONG / 2


def test_looking_takes_a_tenth_of_the_time_at_most(tmp_path, notices):
    with Wakes([str(tmp_path)], 0.01, notices.append) as waiting:
        start = time.monotonic()
        waiting.wake()
        waiting.wait(0.0, 0.05, lambda: False)
        assert time.monotonic() - start >= 0.45


def test_a_folder_that_is_made_anew_wakes_and_is_listened_to(tmp_path, notices):
    folder = tmp_path / "in"
    with Wakes([str(folder)], None, notices.append) as waiting:
        folder.mkdir()
        waiting.wait(None, 0.0, lambda: False)
        (folder / "a.wav").write_bytes(b"x")
        start = time.monotonic()
        waiting.wait(None, 0.0, lambda: False)
        assert time.monotonic() - start < LONG / 2


def test_where_the_system_has_no_more_to_give_it_is_polled_and_said_so(
    tmp_path, notices, monkeypatch
):
    def full(*_):
        raise OSError(errno.ENOSPC, "inotify watch limit reached")

    monkeypatch.setattr(wakes, "_schedule", full)
    with Wakes([str(tmp_path)], None, notices.append) as waiting:
        assert waiting.manner == "every 30 s"
    (notice,) = notices
    assert "inotify watch limit reached" in notice
    assert "looked at every 30 s instead, as --poll does" in notice


def test_a_network_share_is_polled_and_said_so(tmp_path, notices, monkeypatch):
    monkeypatch.setattr(wakes, "is_remote", lambda _folder: True)
    with Wakes([str(tmp_path)], None, notices.append) as waiting:
        assert waiting.manner == "every 30 s"
        assert waiting._observer is None
    assert notices == [f"{tmp_path}: is on a network share, which tells of no changes"]


MOUNTS = r"""
21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 21 0:40 / /mnt/my\040nas rw - nfs4 nas:/export rw
31 21 0:41 / /mnt/stick rw - fuseblk /dev/sdb1 rw
32 21 0:42 / /mnt/ssh rw - fuse.sshfs me@there:/ rw
33 30 0:43 / /mnt/my\040nas/scratch rw - tmpfs tmpfs rw
""".lstrip()


@pytest.mark.parametrize(
    ("folder", "expected"),
    [
        ("/home/a", False),
        ("/mnt/my nas", True),
        ("/mnt/my nas/exports/b", True),
        ("/mnt/my nas/scratch/b", False),
        ("/mnt/my nasty", False),
        ("/mnt/stick", False),
        ("/mnt/ssh/a", True),
    ],
)
def test_network_shares_are_told_by_the_table_of_mounts(tmp_path, folder, expected, monkeypatch):
    monkeypatch.undo()
    table = tmp_path / "mountinfo"
    table.write_text(MOUNTS)
    assert wakes.is_remote(folder, table) is expected
    assert not wakes.is_remote(folder, tmp_path / "none")


def test_without_watchdog_it_is_said_what_to_do(monkeypatch):
    check_installed()
    usual = builtins.__import__

    def without(name, *rest):
        if name.startswith("watchdog"):
            raise ImportError(name)
        return usual(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtraError, match=r"asmr-classify\[watch\]', or give --poll 30s"):
        check_installed()
