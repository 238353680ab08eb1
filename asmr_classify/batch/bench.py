"""What whoever takes batches does with them, see :mod:`asmr_classify.batch.engine`.

It works on a batch by the local pool with one worker, which stays for the next: a file that crashes
its process costs that process there as it does here, and never the one that takes batches.
"""

from __future__ import annotations

import queue
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, cast
from uuid import uuid4

from asmr_classify.batch.ahead import ReadAhead
from asmr_classify.batch.isolate import Errand, Known, Other, Outcome, standing
from asmr_classify.batch.pool import Limits, iter_parallel, working_directory
from asmr_classify.batch.task import R
from asmr_classify.errors import UsageError
from asmr_classify.version import own_version

if TYPE_CHECKING:
    from asmr_classify.batch.table_part import PartSink
    from asmr_classify.batch.task import Task
    from asmr_classify.media.found import Found


@dataclass(frozen=True, slots=True)
class Order(Generic[R]):
    """What whoever takes batches has to know of a run.

    Parameters
    ----------
    task : Task
    limits : Limits
    sink : PartSink, optional
        Takes results, which then come back without their timelines.
    directory : str or None
        Where names of files start from, on machines that have such a folder.
    version : str
        Of this package, where the run was started.
    id : str
        Tells the orders of one process apart.
    """

    task: Task[R]
    limits: Limits
    sink: PartSink | None = None
    directory: str | None = field(default_factory=working_directory)
    version: str = field(default_factory=own_version)
    id: str = field(default_factory=lambda: uuid4().hex)


@dataclass(frozen=True, slots=True)
class Done(Generic[R]):
    """A batch that was worked on.

    Parameters
    ----------
    outcomes : list of Outcome
    seconds : float
        That it took.
    """

    outcomes: list[Outcome[R]]
    seconds: float


class _Bench(Generic[R]):
    """A worker of the local pool that waits for the next file, and the next."""

    def __init__(self, order: Order[R]) -> None:
        directory = order.directory or ""
        self._known: dict[str, Known[R]] = {}
        self._files: queue.SimpleQueue[Found | None] = queue.SimpleQueue()
        self._finds = ReadAhead(iter(self._files.get, None), 1)
        self._outcomes = iter_parallel(
            self._finds,
            order.task,
            1,
            recall=self._recall,
            limits=order.limits,
            stop=threading.Event(),
            on_decoded=lambda _: None,
            directory=directory if Path(directory).is_dir() else None,
        )

    def do(self, batch: list[Errand[R]]) -> list[Outcome[R]]:
        """Work on files, one after the other."""
        self._known = {found.path: known for found, known in batch}
        for found, _ in batch:
            self._files.put(found)
        return [next(self._outcomes) for _ in batch]

    def _recall(self, found: Found) -> Outcome[R] | Other[R] | None:
        known = self._known[found.path]
        result = standing(known)
        return Outcome(found, result) if result is not None else cast("Other[R] | None", known)

    def close(self) -> None:
        """End the worker."""
        self._files.put(None)
        self._finds.close()
        self._outcomes.close()


_benches: dict[tuple[int, str], _Bench[Any]] = {}
"""By thread and order: a process may take several batches at a time, and those of several runs by
turns."""

BENCHES = 2
"""For so many orders a thread keeps a worker: the cores are busy with two, and who does not tell
that an order has ended leaves one behind."""


def do_batch(order: Order[R], batch: list[Errand[R]], part: str | None = None) -> Done[R]:
    """Work on a batch, wherever this is called.

    Parameters
    ----------
    order : Order
    batch : list of Errand
    part : str, optional
        The part of the order's table that results are written to.

    Returns
    -------
    Done

    Raises
    ------
    AsmrClassifyError
        If no process to work on files can be started here, or the part cannot be written.
    """
    check_order(order)
    started = time.monotonic()
    key = threading.get_ident(), order.id
    bench = _benches.pop(key, None) or _Bench(order)
    _benches[key] = bench  # the last
    try:
        outcomes = bench.do(batch)
    except BaseException:
        _benches.pop(key, None)
        bench.close()
        raise
    if order.sink is not None and part is not None:
        outcomes = order.sink.put_batch(part, outcomes)
    for other in [other for other in [*_benches] if other[0] == key[0]][:-BENCHES]:
        _end(other)
    return Done(outcomes, time.monotonic() - started)


def dismiss(order_id: str) -> None:
    """End the workers that this process keeps for an order."""
    for key in [*_benches]:
        if key[1] == order_id:
            _end(key)


def _end(key: tuple[int, str]) -> None:
    """End a worker, unless another thread has just done so."""
    bench = _benches.pop(key, None)
    if bench is not None:
        with suppress(ValueError):  # it is at work; its process ends with this one
            bench.close()


def check_order(order: Order[Any]) -> None:
    """Refuse an order of another version of this package, which might label in another way.

    Raises
    ------
    UsageError
        With both versions; or if what it takes to write to the order's table is missing here.
    """
    if order.version != own_version():
        raise UsageError(
            f"a worker has asmr-classify {own_version()}, and the run was started with "
            f"{order.version}; install the same version on all machines"
        )
    if order.sink is not None:
        order.sink.check()
