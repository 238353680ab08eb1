"""Progress on stderr: audio labelled, times real time, time left, failures so far."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, Self

if TYPE_CHECKING:
    from rich.console import Console
    from rich.live import Live

PLAIN_INTERVAL = 10.0
"""Seconds between lines where stderr is not a terminal."""


class Amount(Protocol):
    """How much there is to do, as far as it is known."""

    n_files: int
    n_bytes: int
    complete: bool


@dataclass(slots=True)
class Tally:
    """What was done so far."""

    files: int = 0
    n_bytes: int = 0
    seconds: float = 0.0
    failures: int = 0


class Progress:
    """Shows a tally on stderr: a live line on a terminal, else a plain line now and then.

    Parameters
    ----------
    console : rich.console.Console
        On stderr.
    amount : Amount
    quiet : bool
        Show nothing.
    """

    def __init__(self, console: Console, amount: Amount, *, quiet: bool) -> None:
        self._console = console
        self._amount = amount
        self._tally = Tally()
        self._current = 0.0
        self._started = time.monotonic()
        self._last_line = self._started
        self._quiet = quiet
        self._live: Live | None = None

    def __enter__(self) -> Self:
        if self._console.is_terminal and not self._quiet:
            from rich.live import Live

            self._live = Live(
                console=self._console,
                get_renderable=self.line,
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

    def hear(self, seconds: float) -> None:
        """Take note of the seconds decoded of the file at hand."""
        self._current = seconds
        self._say()

    def finish_file(self, *, n_bytes: int, seconds: float, failed: bool) -> None:
        """Take note of a finished file."""
        self._current = 0.0
        self._tally.files += 1
        self._tally.n_bytes += n_bytes
        self._tally.seconds += seconds
        self._tally.failures += failed
        self._say()

    def _say(self) -> None:
        now = time.monotonic()
        if self._live is None and not self._quiet and now - self._last_line > PLAIN_INTERVAL:
            self._last_line = now
            self._console.print(self.line(), highlight=False, soft_wrap=True)

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._started

    @property
    def seconds(self) -> float:
        """Seconds of audio labelled, the file at hand included."""
        return self._tally.seconds + self._current

    def line(self) -> str:
        """Describe the state in one line."""
        tally = self._tally
        total = f"{self._amount.n_files}" + ("" if self._amount.complete else "+")
        parts = [
            f"{tally.files}/{total} files",
            f"{clock(self.seconds)} of audio",
            f"{self.seconds / max(self.elapsed, 1e-3):.0f}x real time",
        ]
        left = self.time_left()
        if left is not None:
            parts.append(f"about {clock(left)} left")
        if tally.failures:
            parts.append(f"{tally.failures} failed")
        return " · ".join(parts)

    def time_left(self) -> float | None:
        """Estimate the seconds left, by bytes; None while there is no ground for it."""
        if not self._amount.complete or self._tally.n_bytes == 0:
            return None
        rate = self._tally.n_bytes / max(self.elapsed, 1e-3)
        return max(0, self._amount.n_bytes - self._tally.n_bytes) / rate


def clock(seconds: float) -> str:
    """Write a duration as people read it.

    Examples
    --------
    >>> clock(63.2), clock(3723), clock(0.26)
    ('1:03', '1:02:03', '0.3 s')
    """
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
