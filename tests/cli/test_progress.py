from __future__ import annotations

import io
from itertools import pairwise

import av
import pytest
from rich.console import Console

from asmr_classify.cli import progress as module
from asmr_classify.cli.progress import LiveLine, Progress, Tally
from asmr_classify.cli.render import summary
from asmr_classify.media.found import Found, Ignored, Reason
from tests.cli.conftest import heard, lost


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def tally(clock):
    tally = Tally(clock)
    for name in ("a", "b", "c", "d"):
        tally.on_found(Found(name, 1000))
    return tally


def test_speed_counts_files_at_hand(tally, clock):
    clock.now += 2
    tally.on_decoded(60.0)
    assert tally.speed == pytest.approx(30)
    assert tally.line() == "0/4+ files · 1:00 of audio · 30x real time"


def test_the_time_left_is_told_once_all_is_listed_and_something_finished(tally, clock):
    clock.now += 2
    tally.on_decoded(40.0)
    tally.on_finished(Found("a", 1000), heard("a"))
    assert tally.time_left is None
    tally.on_listed()
    assert tally.time_left == pytest.approx(6)
    tally.on_decoded(20.0)
    assert tally.time_left == pytest.approx(100 / 30)
    assert "about 3.0 s left" in tally.line()


def test_the_workers_of_a_cluster_are_told_beside_the_rate(tally, clock):
    clock.now += 2
    tally.on_decoded(60.0)
    for number, told in ((0, "0 workers"), (1, "1 worker"), (40, "40 workers")):
        tally.on_workers(number)
        assert tally.line() == f"0/4+ files · 1:00 of audio · 30x real time · {told}"


def test_failures_are_counted_and_take_no_time(tally, clock):
    clock.now += 1
    tally.on_decoded(40.0)
    tally.on_finished(Found("a", 1000), heard("a"))
    tally.on_finished(Found("b", 1000), lost("b"))
    tally.on_listed()
    assert tally.time_left == pytest.approx(1)
    assert tally.line().endswith("1 failed")


def test_no_recording_is_opened_to_estimate(record, clock, monkeypatch):
    """A damaged file may hang or crash whoever opens it; that is for workers to risk."""
    opened = []
    av_open = av.open
    monkeypatch.setattr(
        av, "open", lambda path, **rest: opened.append(path) or av_open(path, **rest)
    )
    record("a.wav", duration=60.0)
    tally = Tally(clock)
    tally.on_found(Found("a.wav", 10**6))
    tally.on_listed()
    tally.on_decoded(20.0)
    assert tally.time_left is None
    assert opened == []


def test_a_summary_counts_every_file_once(tally, clock):
    for result in (heard("a"), heard("b"), lost("c"), lost("d")):
        tally.on_finished(Found(result.path, 1000), result)
    for reason in (Reason.HIDDEN, Reason.NOT_MEDIA, Reason.NOT_MEDIA):
        tally.on_ignored(Ignored("x", reason))
    tally.on_decoded(3600.0)
    clock.now += 10
    assert summary(tally) == (
        "4 files found: 2 ok · 2 failed; ignored 3 (2 not media, 1 hidden); "
        "1:00:00 of audio in 0:10, 360x real time"
    )


def shown(*, quiet, terminal, monkeypatch):
    monkeypatch.setattr(module, "PLAIN_INTERVAL", -1.0)
    monkeypatch.setattr(module, "PLAIN_SHARE", 0.0)
    console = Console(file=io.StringIO(), force_terminal=terminal, width=80)
    with Progress(console, quiet=quiet) as progress:
        progress.on_found(Found("none", 10))
        progress.on_decoded(5.0)
        progress.on_finished(Found("none", 10), lost("none"))
    return console.file.getvalue()


def test_plain_lines_where_there_is_no_terminal(monkeypatch):
    lines = shown(quiet=False, terminal=False, monkeypatch=monkeypatch).splitlines()
    assert len(lines) == 2
    assert lines[1].startswith("1/1+ files · 5.0 s of audio")


@pytest.mark.parametrize(("hours", "most"), [(0.005, 0), (0.05, 6), (1, 40), (10, 65)], ids=str)
def test_plain_lines_get_rarer_the_longer_it_takes(hours, most, clock):
    console = Console(file=io.StringIO(), width=80)
    live = LiveLine(console, lambda: f"{clock.now}", quiet=False, now=clock)
    for _ in range(round(3600 * hours)):
        clock.now += 1
        live.say()
    lines = [float(line) - 100 for line in console.file.getvalue().splitlines()]
    assert most / 2 <= len(lines) <= most
    assert lines[:3] == [30, 60, 90][:most]
    assert all(after - before <= max(30, 0.12 * after) for before, after in pairwise(lines))


def test_one_live_line_on_a_terminal(monkeypatch):
    text = shown(quiet=False, terminal=True, monkeypatch=monkeypatch)
    assert "1/1+ files" in text
    assert "\x1b[2K" in text


@pytest.mark.parametrize("terminal", [True, False])
def test_nothing_when_quiet(terminal, monkeypatch):
    assert shown(quiet=True, terminal=terminal, monkeypatch=monkeypatch) == ""


def test_the_live_line_goes_away_while_paused():
    console = Console(file=io.StringIO(), force_terminal=True, width=80)
    with Progress(console, quiet=False) as progress:
        with progress.paused():
            console.file.truncate(0)
            progress.on_found(Found("none", 10))
            assert console.file.getvalue() == ""
        assert progress._live.is_started
