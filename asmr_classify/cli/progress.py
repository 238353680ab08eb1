"""Progress on stderr: audio labelled, times real time, time left, failures so far."""

from __future__ import annotations

import logging
import time
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

from asmr_classify.aggregate import Status
from asmr_classify.batch import Observer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from rich.console import Console
    from rich.live import Live

    from asmr_classify.batch.task import Result
    from asmr_classify.media.found import Found, Ignored, Reason

logger = logging.getLogger(__name__)

PLAIN_INTERVAL, PLAIN_SHARE = 30.0, 0.1
"""Between lines where stderr is not a terminal: seconds, and a share of the time that has passed.
Whichever is longer counts, so that the log of an hour has 33 lines, and that of eight 53."""


class Tally(Observer):
    """Counts what a run finds and does, and estimates what is left.

    The time left is an estimate by audio: the bytes that are found, times the seconds of audio
    in a byte of what was finished. Before the first file is finished there is none: headers are
    read by workers only, since a damaged file may hang or crash whoever opens it.

    Parameters
    ----------
    now : callable
        Gives the time in seconds.

    Attributes
    ----------
    n_found, bytes_found : int
    listed : bool
        Whether all files are found.
    statuses : Counter of Status
        Files finished, those of an earlier run included.
    n_recalled : int
        Files that an earlier run has finished.
    ignored : Counter of Reason
    seconds : float
        Audio decoded, that of files at hand included.
    n_workers : int or None
        Of a cluster; None for a run on this machine.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self.n_found = 0
        self.bytes_found = 0
        self.listed = False
        self.statuses: Counter[Status] = Counter()
        self.n_recalled = 0
        self.ignored: Counter[Reason] = Counter()
        self.seconds = 0.0
        self.n_workers: int | None = None
        self._bytes_finished = 0
        self._seconds_finished = 0.0
        self._seconds_per_byte: float | None = None
        self._now = now
        self._started = now()

    def on_found(self, found: Found) -> None:
        """Count a file to be labelled."""
        self.n_found += 1
        self.bytes_found += found.size

    def on_ignored(self, ignored: Ignored) -> None:
        """Count a file that is passed over."""
        logger.debug("ignored %s: %s", ignored.path, ignored.reason.value)
        self.ignored[ignored.reason] += 1

    def on_listed(self) -> None:
        """Note that the totals are known."""
        self.listed = True

    def on_workers(self, number: int) -> None:
        """Note how many workers there are."""
        self.n_workers = number

    def on_decoded(self, seconds: float) -> None:
        """Count audio."""
        self.seconds += seconds

    def on_finished(self, found: Found, result: Result) -> None:
        """Count a finished file."""
        self.statuses[result.status] += 1
        self._bytes_finished += found.size
        self._seconds_finished += result.decoded
        if self._seconds_finished > 0 and self._bytes_finished > 0:
            self._seconds_per_byte = self._seconds_finished / self._bytes_finished

    def on_recalled(self, found: Found, result: Result) -> None:
        """Count a file that was finished before: there is nothing to do for it."""
        self.statuses[result.status] += 1
        self.n_recalled += 1
        self.bytes_found -= found.size

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return max(self._now() - self._started, 1e-3)

    @property
    def speed(self) -> float:
        """Seconds of audio per second."""
        return self.seconds / self.elapsed

    @property
    def time_left(self) -> float | None:
        """Seconds left; None while there is no ground for an estimate."""
        if not self.listed or self._seconds_per_byte is None or self.seconds == 0:
            return None
        expected = self.bytes_found * self._seconds_per_byte
        return max(0.0, expected - self.seconds) / self.speed

    def line(self) -> str:
        """Describe the state in one line."""
        n_finished = self.statuses.total()
        parts = [
            f"{n_finished}/{self.n_found}{'' if self.listed else '+'} files",
            f"{clock(self.seconds)} of audio",
            f"{self.speed:.0f}x real time",
        ]
        if self.n_workers is not None:
            parts.append(f"{self.n_workers} workers" if self.n_workers != 1 else "1 worker")
        time_left = self.time_left
        if time_left is not None and time_left >= 1:
            parts.append(f"about {clock(round(time_left))} left")
        if self.statuses[Status.FAILED]:
            parts.append(f"{self.statuses[Status.FAILED]} failed")
        return " · ".join(parts)


class Pace:
    """Tells when another line of progress is due where stderr is not a terminal.

    Parameters
    ----------
    now : callable
        Gives the time in seconds.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._started = self._last = now()

    def is_due(self) -> bool:
        """Tell whether a line is due, which then counts as printed."""
        now = self._now()
        if now - self._last < max(PLAIN_INTERVAL, PLAIN_SHARE * (now - self._started)):
            return False
        self._last = now
        return True


class LiveLine:
    """A line on stderr that is kept up to date on a terminal, else printed anew now and then.

    Parameters
    ----------
    console : rich.console.Console
        On stderr.
    line : callable
        Gives the line as it is to be now.
    quiet : bool
        Show nothing.
    now : callable
        Gives the time in seconds.
    """

    def __init__(
        self,
        console: Console,
        line: Callable[[], str],
        *,
        quiet: bool,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._console = console
        self._line = line
        self._quiet = quiet
        self._pace = Pace(now)
        self._live: Live | None = None

    @property
    def is_started(self) -> bool:
        """Whether a line is kept up to date just now."""
        return self._live is not None and self._live.is_started

    def start(self) -> None:
        """Show the line from now on."""
        if self._console.is_terminal and not self._quiet:
            from rich.live import Live
            from rich.text import Text

            self._live = Live(
                console=self._console,
                get_renderable=lambda: Text(self._line(), no_wrap=True, overflow="ellipsis"),
                refresh_per_second=5,
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._live.start()

    def stop(self) -> None:
        """Take the line away."""
        if self._live is not None:
            self._live.stop()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Take the line away while something else is written to the terminal."""
        live = self._live if self.is_started else None
        if live is not None:
            live.stop()
        yield
        if live is not None:
            live.start()

    def say(self) -> None:
        """Print the line, if none is kept up to date and the last was printed a while ago."""
        if self._live is None and not self._quiet and self._pace.is_due():
            self._console.print(self._line(), highlight=False, markup=False, soft_wrap=True)

    def note(self, text: str) -> None:
        """Print a line of its own that is no progress."""
        if not self._quiet:
            self._console.print(text, style="yellow", highlight=False, soft_wrap=True)


class Progress(Tally):
    """Shows a tally on stderr: a live line on a terminal, else a plain line now and then.

    Parameters
    ----------
    console : rich.console.Console
        On stderr.
    quiet : bool
        Show nothing.
    """

    def __init__(self, console: Console, *, quiet: bool) -> None:
        super().__init__()
        self.console = console
        self._live = LiveLine(console, self.line, quiet=quiet)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._live.stop()

    def paused(self) -> AbstractContextManager[None]:
        """Take the live line away while something else is written to the terminal."""
        return self._live.paused()

    def on_decoded(self, seconds: float) -> None:
        """Count audio, and show it."""
        super().on_decoded(seconds)
        self._live.say()

    def on_finished(self, found: Found, result: Result) -> None:
        """Count a finished file, and show it."""
        super().on_finished(found, result)
        self._live.say()

    def on_stopping(self) -> None:
        """Say what an interrupt does."""
        self._live.note("finishing the files at hand; interrupt again to stop at once")


def clock(seconds: float) -> str:
    """Write a duration as people read it.

    Examples
    --------
    >>> clock(63.2), clock(3723), clock(0.26), clock(9.96)
    ('1:03', '1:02:03', '0.3 s', '0:10')
    """
    if round(seconds, 1) < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
