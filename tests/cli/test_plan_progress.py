from __future__ import annotations

import io

import pytest
from rich.console import Console

from asmr_classify.cli.plan_progress import ListeningProgress, PlanProgress
from asmr_classify.library.folders import MakeFolder
from asmr_classify.library.runs import Ending, Outcome


def watch(*, quiet=False, terminal=False):
    """Progress of a long copy, five seconds of the clock at each look."""
    seconds = iter(range(0, 500, 5))
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=terminal, width=80)
    step = MakeFolder("/music/ta\x1bp")
    with PlanProgress(console, 2, quiet=quiet, now=lambda: next(seconds)) as progress:
        progress.on_step(step)
        for _ in range(7):
            progress.on_bytes(10**6)
        progress.on_outcome(step, Outcome(0, Ending.DONE))
        line = progress.line()
        progress.on_stopping()
    return line, stream.getvalue()


def test_steps_and_bytes_are_counted():
    line, _ = watch()
    assert line == "1/2 steps · 7 MB copied · ta\\x1bp"


def test_a_plain_line_now_and_then_where_there_is_no_terminal():
    _, text = watch()
    assert text.splitlines() == [
        "0/2 steps · 6 MB copied · ta\\x1bp",
        "finishing the step at hand; interrupt again to stop at once",
    ]


def test_a_live_line_on_a_terminal():
    _, text = watch(terminal=True)
    assert "steps" in text


def test_quiet_is_quiet():
    assert watch(quiet=True)[1] == ""


@pytest.mark.parametrize("quiet", [False, True])
def test_it_is_shown_how_far_listening_is(quiet):
    seconds = iter(range(0, 500, 5))
    stream = io.StringIO()
    console = Console(file=stream, width=80)
    with ListeningProgress(console, quiet=quiet, now=lambda: next(seconds)) as progress:
        for n_heard in range(8):
            progress.on_heard(n_heard, 7)
        assert progress.line() == "7/7 recordings listened to for copies"
    shown = "" if quiet else "5/7 recordings listened to for copies\n"
    assert stream.getvalue() == shown
