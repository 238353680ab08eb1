"""Progress of a plan on stderr: what is listened to for it, steps, and of long copies the bytes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Self

from asmr_classify.cli.errors import printable
from asmr_classify.cli.progress import LiveLine
from asmr_classify.library.runs import Watcher

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

    from asmr_classify.library.plan import Step
    from asmr_classify.library.runs import Outcome


class PlanProgress(Watcher):
    """Shows how far a plan is: a live line on a terminal, else a plain line now and then.

    Parameters
    ----------
    console : rich.console.Console
        On stderr.
    n_steps : int
    quiet : bool
        Show nothing.
    now : callable
        Gives the time in seconds.
    """

    def __init__(
        self,
        console: Console,
        n_steps: int,
        *,
        quiet: bool,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._n_steps = n_steps
        self._n_ended = self._n_bytes = 0
        self._at_hand = ""
        self._live = LiveLine(console, self.line, quiet=quiet, now=now)

    def __enter__(self) -> Self:
        if self._n_steps:
            self._live.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._live.stop()

    def on_step(self, step: Step) -> None:
        """Show what is at hand."""
        self._at_hand = printable(step.describe().path).rpartition("/")[2]

    def on_bytes(self, n_bytes: int) -> None:
        """Count what was copied."""
        self._n_bytes += n_bytes
        self._live.say()

    def on_outcome(self, step: Step, outcome: Outcome) -> None:  # noqa: ARG002
        """Count what is done."""
        self._n_ended += 1
        self._live.say()

    def on_stopping(self) -> None:
        """Say what an interrupt does."""
        self._live.note("finishing the step at hand; interrupt again to stop at once")

    def line(self) -> str:
        """Describe the state in one line."""
        parts = [f"{self._n_ended}/{self._n_steps} steps"]
        if self._n_bytes:
            parts.append(f"{self._n_bytes / 1e6:.0f} MB copied")
        return " · ".join([*parts, self._at_hand])


class ListeningProgress:
    """Shows how many recordings were listened to before there is a plan.

    Parameters
    ----------
    console : rich.console.Console
        On stderr.
    quiet : bool
        Show nothing.
    now : callable
        Gives the time in seconds.
    """

    def __init__(
        self, console: Console, *, quiet: bool, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._n_heard = self._n_recordings = 0
        self._live = LiveLine(console, self.line, quiet=quiet, now=now)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._live.stop()

    def on_heard(self, n_heard: int, n_recordings: int) -> None:
        """Count what was listened to."""
        self._n_heard, self._n_recordings = n_heard, n_recordings
        self._live.say()

    def line(self) -> str:
        """Describe the state in one line."""
        return f"{self._n_heard}/{self._n_recordings} recordings listened to for copies"
