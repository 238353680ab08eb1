"""How far a run has come whose recordings are listed in order: up to where all have their rows."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from asmr_classify.media.found import Course

if TYPE_CHECKING:
    from collections.abc import Callable

    from asmr_classify.media.found import Found, Mark


@dataclass(slots=True)
class _Stretch:
    """What was found up to a mark: how many of it are not done, and the mark once it is known."""

    n_left: int = 0
    mark: Mark | None = None


class RunCourse(Course):
    """The course of a run, which searches in one thread and takes results in another.

    Parameters
    ----------
    start : Mark or None
    on_passed : callable
        Called with each mark before which all is done, or with the last of several.
    """

    def __init__(self, start: Mark | None, on_passed: Callable[[Mark], None]) -> None:
        super().__init__(start)
        self._on_passed = on_passed
        self._stretches = deque([_Stretch()])
        self._stretch_of: dict[str, _Stretch] = {}
        self._lock = threading.Lock()

    def on_found(self, found: Found) -> None:
        """Learn of a recording that is to be done."""
        with self._lock:
            self._stretches[-1].n_left += 1
            self._stretch_of[found.path] = self._stretches[-1]

    def on_reached(self, mark: Mark) -> None:
        """Learn that all is given that comes before."""
        with self._lock:
            self._stretches[-1].mark = mark
            self._stretches.append(_Stretch())

    def on_done(self, found: Found) -> None:
        """Learn that a recording has its row."""
        passed = None
        with self._lock:
            stretch = self._stretch_of.pop(found.path, None)
            if stretch is not None:
                stretch.n_left -= 1
            while self._stretches[0].mark is not None and not self._stretches[0].n_left:
                passed = self._stretches.popleft().mark
        if passed is not None:
            self._on_passed(passed)
