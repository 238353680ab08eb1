"""Progress of a plan on stderr: steps, and of long copies the bytes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Self

from asmr_classify.cli.errors import printable
from asmr_classify.cli.progress import PLAIN_INTERVAL
from asmr_classify.library.runs import Watcher

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console
    from rich.live import Live

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
        self._console = console
        self._n_steps = n_steps
        self._quiet = quiet
        self._now = now
        self._last_line = now()
        self._n_ended = self._n_bytes = 0
        self._at_hand = ""
        self._live: Live | None = None

    def __enter__(self) -> Self:
        if self._console.is_terminal and not self._quiet and self._n_steps:
            from rich.live import Live
            from rich.text import Text

            self._live = Live(
                console=self._console,
                get_renderable=lambda: Text(self.line(), no_wrap=True, overflow="ellipsis"),
                refresh_per_second=5,
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._live.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        if self._live is not None:
            self._live.stop()

    def on_step(self, step: Step) -> None:
        """Show what is at hand."""
        self._at_hand = printable(step.describe().path).rpartition("/")[2]

    def on_bytes(self, n_bytes: int) -> None:
        """Count what was copied."""
        self._n_bytes += n_bytes
        self._say()

    def on_outcome(self, step: Step, outcome: Outcome) -> None:  # noqa: ARG002
        """Count what is done."""
        self._n_ended += 1
        self._say()

    def on_stopping(self) -> None:
        """Say what an interrupt does."""
        if not self._quiet:
            text = "finishing the step at hand; interrupt again to stop at once"
            self._console.print(text, style="yellow", highlight=False, soft_wrap=True)

    def line(self) -> str:
        """Describe the state in one line."""
        parts = [f"{self._n_ended}/{self._n_steps} steps"]
        if self._n_bytes:
            parts.append(f"{self._n_bytes / 1e6:.0f} MB copied")
        return " · ".join([*parts, self._at_hand])

    def _say(self) -> None:
        now = self._now()
        if self._live is None and not self._quiet and now - self._last_line > PLAIN_INTERVAL:
            self._last_line = now
            self._console.print(self.line(), highlight=False, markup=False, soft_wrap=True)
