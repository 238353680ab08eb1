"""Folders are watched, and what arrives in them is labelled.

Look, label what has settled, wait; again. The catalogue is what outlives an end: what it knows is
not labelled again, and what it does not know is new, whenever it came. A file that changes or goes
away while it is heard is not kept: it is found again when it has settled, or is back.
"""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from asmr_classify.batch import Limits, Observer, label_paths
from asmr_classify.watch.arrivals import Arrivals, Terms, is_as_found
from asmr_classify.watch.owed import Owed
from asmr_classify.watch.wakes import Wakes, check_installed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from threading import Event

    from asmr_classify.aggregate import FileResult
    from asmr_classify.batch import Memory
    from asmr_classify.batch.task import Result
    from asmr_classify.media.found import Found
    from asmr_classify.model import Model

__all__ = [
    "Arrivals",
    "Labeller",
    "Owed",
    "Terms",
    "Wakes",
    "check_installed",
    "is_as_found",
    "watch",
]


def watch(
    arrivals: Arrivals,
    label: Callable[[list[Found]], None],
    pause: Callable[[float | None, float], None],
    *,
    stop: Event,
    once: bool = False,
) -> None:
    """Label what arrives.

    Parameters
    ----------
    arrivals : Arrivals
    label : callable
        Labels files that have settled, and has :meth:`Arrivals.done` called for each that needs
        nothing more.
    pause : callable
        Waits; takes the seconds after which something may have settled, None if nothing waits, and
        the seconds that the last look took.
    stop : threading.Event
        Ends it, once set.
    once : bool
        End by itself when all has settled that was there at the first look; what still grows then
        is left.
    """
    while not stop.is_set():
        begun = time.monotonic()
        settled = arrivals.look()
        looked_for = time.monotonic() - begun
        if settled:
            label(settled)
        elif once and arrivals.only_grows():
            return
        else:
            pause(arrivals.due_in(), looked_for)


@dataclass(frozen=True, slots=True)
class Labeller:
    """Labels files that have settled, and keeps what is true of them.

    Parameters
    ----------
    model : Model
    memory : Memory
        Keeps the results.
    jobs : int, optional
        Worker processes.
    stop : threading.Event
        Once set, no more files are begun.
    done : callable
        Told of each file that needs nothing more, unless it changes.
    expect : callable
        Told of each file before labels of it may be kept.
    """

    model: Model
    memory: Memory[FileResult]
    jobs: int | None
    stop: Event
    done: Callable[[Found], None]
    expect: Callable[[str], None] = lambda _path: None

    def iter_results(self, settled: list[Found]) -> Iterator[FileResult]:
        """Label files.

        Parameters
        ----------
        settled : list of Found

        Yields
        ------
        FileResult
            Of each file that did not change meanwhile, when it is kept; also where the same content
            was labelled in another place, as of a copy.
        """
        wanted = [found.path for found in settled if is_as_found(found)]
        keeper = _Keeper(self)
        results = label_paths(
            wanted,
            model=self.model,
            jobs=self.jobs,
            journal=keeper,
            limits=Limits(),
            stop=self.stop,
            observer=keeper,
        )
        with closing(results):
            for result in results:
                if keeper.was_kept:
                    yield result


class _Keeper(Observer):
    """The memory of a run that keeps nothing of files that changed or went away meanwhile."""

    def __init__(self, labeller: Labeller) -> None:
        self._labeller = labeller
        self.was_kept = False

    def recall(self, found: Found) -> FileResult | None:
        self._labeller.expect(found.path)
        return self._labeller.memory.recall(found)

    def recall_other(self, found: Found) -> FileResult | None:
        return self._labeller.memory.recall_other(found)

    def record(self, found: Found, result: FileResult) -> None:
        self.was_kept = is_as_found(found)
        if self.was_kept:
            self._labeller.memory.record(found, result)
            self._labeller.done(found)

    def on_recalled(self, found: Found, result: Result) -> None:  # noqa: ARG002
        self.was_kept = is_as_found(found)
        self._labeller.done(found)
