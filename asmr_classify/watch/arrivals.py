"""What has arrived in folders: recordings that are new, and have stopped growing.

The file system is looked at as a whole each time, and nothing else is believed: events only tell
when to look, so that none that is lost loses a file. Of each file that is there, no more than a
number is kept, a hash of its path, size and time of change: a file that grows is another number,
and what is gone is forgotten at the next look. So memory follows what folders hold, 124 MB for a
hundred thousand files in one folder, however many come at once or come and go.

Neither the time of change nor the name tells that a file is complete: many programs give a
download the time that it has on the server. So a file has settled when two looks, some time apart,
found the same size and the same time of change.
"""

from __future__ import annotations

import os
import stat
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from asmr_classify.media.discover import discover
from asmr_classify.media.found import Found, Reason

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

AT_ONCE = 5000
"""Files that one look gives at most; the next look gives more. A few megabytes."""


@dataclass(frozen=True, slots=True)
class Terms:
    """Which files are waited for, and how long.

    Parameters
    ----------
    folders : tuple of str
        Searched with all below them.
    include, exclude : tuple of str
        Globs, see :mod:`asmr_classify.media.discover`.
    settle : float
        Seconds for which a file must not have changed.
    """

    folders: tuple[str, ...]
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    settle: float = 10.0


class Arrivals:
    """Finds what is new in folders.

    Parameters
    ----------
    terms : Terms
    is_known : callable
        Tells of a file that was not seen before whether it needs nothing more.
    notice : callable
        Told in a sentence when a folder cannot be read, and when it can be read again.
    now : callable
        Gives the time in seconds.
    once : bool
        Nobody waits for a folder that cannot be read: what it holds is left.

    Attributes
    ----------
    n_there, n_known, n_waiting : int
        By the last look: recordings that are there; those of them that need nothing more; those
        that have not settled.
    """

    def __init__(
        self,
        terms: Terms,
        is_known: Callable[[Found], bool],
        notice: Callable[[str], None],
        now: Callable[[], float] = time.monotonic,
        *,
        once: bool = False,
    ) -> None:
        self._terms = terms
        self._is_known = is_known
        self._notice = notice
        self._now = now
        self._outlook = "is left for the next time" if once else "is labelled once it can be read"
        self._done: set[int] = set()
        self._since: dict[int, float] = {}
        self._problems: dict[str, str] = {}
        self._first_look_ended: float | None = None
        self.n_there = self.n_known = self.n_waiting = 0

    @property
    def folders_amiss(self) -> list[str]:
        """The folders, of those to be watched, that could not be read at the last look."""
        return [folder for folder in self._terms.folders if folder in self._problems]

    def look(self) -> list[Found]:
        """Look at all folders.

        Returns
        -------
        list of Found
            What has settled and is not :meth:`done`, at most :data:`AT_ONCE`, in the order of
            folders and names. What is not done after that is given again when it has settled anew:
            a file of which the folder tells another size than the file itself, say.
        """
        done: set[int] = set()
        since: dict[int, float] = {}
        settled: list[Found] = []
        self.n_waiting = 0
        for found in self._iter_found():
            key = _key(found)
            if key in self._done or (key not in self._since and self._is_known(found)):
                done.add(key)
                continue
            since[key] = self._since.get(key, self._now())
            if self._now() - since[key] < self._terms.settle:
                self.n_waiting += 1
            elif len(settled) < AT_ONCE:
                settled.append(found)
                since[key] = self._now()  # unless it is done by then, it waits anew
        self._done, self._since = done, since
        if self._first_look_ended is None:
            self._first_look_ended = self._now()
        self.n_known, self.n_there = len(done), len(done) + len(since)
        return settled

    def done(self, found: Found) -> None:
        """Learn that a file needs nothing more, unless it changes."""
        self._since.pop(_key(found), None)
        self._done.add(_key(found))

    def due_in(self) -> float | None:
        """Tell in how many seconds the first of those that wait may have settled; None if none."""
        if not self._since:
            return None
        return max(0.0, min(self._since.values()) + self._terms.settle - self._now())

    def only_grows(self) -> bool:
        """Tell whether all that waits has changed, or come, since the end of the first look."""
        first = self._first_look_ended
        return first is not None and all(since > first for since in self._since.values())

    def _iter_found(self) -> Iterator[Found]:
        problems = {folder: _problem(folder) for folder in self._terms.folders}
        there = [folder for folder, problem in problems.items() if not problem]
        terms = self._terms
        for find in discover(there, include=terms.include, exclude=terms.exclude):
            if not isinstance(find, Found):
                if find.reason is Reason.UNREADABLE:
                    problems[find.path] = _problem(find.path) or "cannot be read"
            elif find.size or find.mtime_ns:  # else a link that leads nowhere, or gone since
                yield replace(find, path=find.path.removeprefix(f".{os.sep}"))
        self._tell({folder: problem for folder, problem in problems.items() if problem})

    def _tell(self, problems: dict[str, str]) -> None:
        """Tell of each folder once that it cannot be read, and once that it can be again."""
        for folder, problem in problems.items():
            if self._problems.get(folder) != problem:
                self._notice(f"{folder}: {problem}; what it holds {self._outlook}")
        for folder in self._problems.keys() - problems.keys():
            if not _problem(folder):  # it was not merely removed
                self._notice(f"{folder}: can be read again")
        self._problems = problems


def is_as_found(found: Found) -> bool:
    """Tell whether a file is there, and neither its size nor its time of change is another."""
    try:
        status = os.stat(found.path)  # noqa: PTH116 (any name)
    except (OSError, ValueError):
        return False
    return (status.st_size, status.st_mtime_ns) == (found.size, found.mtime_ns)


def _key(found: Found) -> int:
    return hash((found.path, found.size, found.mtime_ns))


def _problem(folder: str) -> str:
    """Tell why a folder cannot be read; empty if it can be."""
    try:
        if not stat.S_ISDIR(os.stat(folder).st_mode):  # noqa: PTH116 (any name)
            return "is no folder any more"
        with os.scandir(folder):
            return ""
    except FileNotFoundError:
        return "is not there: check its name and its disk"
    except OSError as exc:
        return f"cannot be read ({exc.strerror}): check its permissions and its disk"
