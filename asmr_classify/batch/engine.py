"""The same work on processes that others run: a Dask cluster, or :mod:`concurrent.futures`.

Files go out in batches, each of some seconds' work, of which only a few are out at a time, however
many files there are. What whoever takes one does with it stands in
:mod:`asmr_classify.batch.bench`.

A batch that comes back as an error (its machine is gone, say) is cut into its files, and each goes
out again, :data:`TRIES` times in all.

Where results go into a table in parts, whoever has worked on a batch writes a part of it, see
:mod:`asmr_classify.batch.table`.
"""

from __future__ import annotations

import logging
import math
import queue
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from asmr_classify.aggregate import Problem
from asmr_classify.batch.bench import Order, dismiss, do_batch
from asmr_classify.batch.isolate import Outcome, errand_of, standing, undone
from asmr_classify.batch.task import R
from asmr_classify.errors import AsmrClassifyError, OutputError, UsageError, WorkerError

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Generator, Iterable
    from concurrent.futures import Future

    from asmr_classify.batch.ahead import ReadAhead
    from asmr_classify.batch.bench import Done
    from asmr_classify.batch.isolate import Errand, Known, Other
    from asmr_classify.batch.pool import Limits
    from asmr_classify.batch.table import Table
    from asmr_classify.batch.task import Task
    from asmr_classify.media.found import Found

T = TypeVar("T")

logger = logging.getLogger(__name__)

TICK = 0.25
"""Seconds between two looks at whether the engine still runs."""

TRIES = 3
"""So often a file goes out that comes back undone: with others, then alone, and once more, as it
may have been with a worker that another file killed. Dask tries more often by itself: it sends what
was with a worker that died to three others, before it gives that back."""

BATCH_SECONDS, FIRST_SECONDS = 4.0, 0.5
"""Seconds of work in a batch: enough that what it costs to send one does not show, few enough that
results come steadily. The first are short, to learn how long files take, and to show results."""

FILE_SECONDS, BYTE_SECONDS = 0.02, 2e-7
"""What a file, and each byte of it, is taken to cost before any was worked on: that of AAC."""

LARGEST_BATCH = 1000
"""Files in a batch at most."""

TABLE_SECONDS = 30.0
"""Seconds of work in a batch that becomes a part of a table: enough for few parts. It is what a
worker that dies costs at most."""

LEAST_SECONDS, LEAST_TABLE_SECONDS = 0.5, 4.0
"""Seconds of work in the last batches, and in those that become parts of a table. Once it is known
how many files are left, a batch takes its share of them only, so that all workers end together:
guided self-scheduling (Polychronopoulos and Kuck 1987), whose batches get smaller and smaller."""

AHEAD = 2
"""Batches that are out for each process that takes some, so that none waits for the next."""


class Engine(Protocol):
    """Something that works on batches, for one run: from :meth:`begin` to :meth:`end`."""

    def begin(self, order: Order[Any]) -> None:
        """Tell all processes what is to be done.

        Raises
        ------
        AsmrClassifyError
            If one of them cannot do it.
        """

    def n_workers(self) -> int:
        """Count the batches that are worked on at a time; 0 while no worker is there."""

    def submit(self, batch: list[Errand[Any]], part: str | None) -> Future[Done[Any]]:
        """Send a batch, and the name of the part that is to be made of it, if any."""

    def call_back(self, sent: Iterable[Future[Done[Any]]]) -> None:
        """Call back what nobody works on yet; it then comes as an error."""

    def check(self) -> None:
        """Look whether what was sent may still come back.

        Raises
        ------
        AsmrClassifyError
            If it will not.
        """

    def end(self) -> None:
        """Let the processes forget the order."""


class ExecutorEngine:
    """Works by an executor of :mod:`concurrent.futures`.

    Parameters
    ----------
    executor : concurrent.futures.Executor
    """

    def __init__(self, executor: Any) -> None:
        self._executor = executor
        self._order: Order[Any] | None = None

    def begin(self, order: Order[Any]) -> None:
        """Keep the order: an executor has no way to tell each of its processes once."""
        self._order = order

    def n_workers(self) -> int:
        """Give the number that the executor was made with; two where it does not say."""
        return getattr(self._executor, "_max_workers", None) or 2

    def submit(self, batch: list[Errand[Any]], part: str | None) -> Future[Done[Any]]:
        """Send a batch, and the order with it."""
        future: Future[Done[Any]] = self._executor.submit(do_batch, self._order, batch, part)
        return future

    def call_back(self, sent: Iterable[Future[Done[Any]]]) -> None:
        """Cancel all: what is being worked on does not heed that."""
        for future in sent:
            future.cancel()

    def check(self) -> None:
        """Do nothing: a broken executor tells by its futures."""

    def end(self) -> None:
        """End what threads of this process have begun; other processes end it when they end."""
        if self._order is not None:
            dismiss(self._order.id)


def engine_of(executor: Any) -> Engine:
    """Give the engine that works by a Dask client or an executor."""
    client = getattr(executor, "_client", executor)  # of what Client.get_executor gives
    if hasattr(client, "register_plugin"):
        from asmr_classify.batch.dask import DaskEngine

        return DaskEngine(client)
    return ExecutorEngine(executor)


def iter_by_engine(  # noqa: PLR0913 (options by name)
    finds: ReadAhead[Found],
    task: Task[R],
    engine: Engine,
    *,
    recall: Callable[[Found], Outcome[R] | Other[R] | None],
    limits: Limits,
    stop: threading.Event,
    on_decoded: Callable[[float], None],
    on_workers: Callable[[int], None],
    table: Table | None = None,
) -> Generator[Outcome[R]]:
    """Work on files by an engine.

    Parameters
    ----------
    finds, task, recall, limits, stop, on_decoded
        As for :func:`~asmr_classify.batch.pool.iter_parallel`.
    engine : Engine
    on_workers : callable
        Called with the number of workers, at first and when it has changed.
    table : Table, optional
        Whoever works on a batch writes its results to a part of this.

    Yields
    ------
    Outcome
        Of each file, once.

    Raises
    ------
    AsmrClassifyError
        If the engine cannot take the order, or is gone.
    OutputError
        If a part cannot be written.
    """
    desk = _Desk(task, engine, on_workers, table)
    try:
        engine.begin(Order(task, limits, None if table is None else table.sink))
        while True:
            known = desk.send_out(finds, recall, stop)
            if known is not None:
                yield known
            elif not desk.is_busy and (finds.is_over or stop.is_set()):
                return
            yield from desk.listen(TICK if known is None else 0, on_decoded)
    finally:
        desk.close()
        engine.end()


@dataclass(slots=True)
class _Parcel:
    """A batch, and how often it was sent."""

    batch: list[Errand[Any]]
    tries: int = 1


class _Desk(Generic[R]):
    """The batches of a run: those that are filled, are out, and have to go out again."""

    def __init__(
        self,
        task: Task[R],
        engine: Engine,
        on_workers: Callable[[int], None],
        table: Table | None,
    ) -> None:
        self._task = task
        self._table = table
        self._engine = engine
        self._on_workers = on_workers
        self._n_workers = -1
        self._batch: list[Errand[Any]] = []
        self._again: deque[_Parcel] = deque()
        self._out: dict[Future[Done[R]], _Parcel] = {}
        self._events: queue.SimpleQueue[Future[Done[R]] | None] = queue.SimpleQueue()
        self._costs = _Costs()
        self._n_sent = 0
        self._is_stopped = False

    @property
    def is_busy(self) -> bool:
        """Whether a file is not done."""
        return bool(self._out or self._again or self._batch)

    def send_out(
        self,
        finds: ReadAhead[Found],
        recall: Callable[[Found], Outcome[R] | Other[R] | None],
        stop: threading.Event,
    ) -> Outcome[R] | None:
        """Send batches as long as some are wanted; return early with a known outcome."""
        if stop.is_set():
            self._stop()
            return None
        n_workers = self._count_workers()
        while len(self._out) < AHEAD * n_workers:
            if self._again:
                self._send(self._again.popleft())
                continue
            found = finds.take(lambda: self._events.put(None))
            if found is None:
                # No more is known yet. What there is goes out if somebody waits for it.
                if self._batch and (finds.is_over or len(self._out) < n_workers):
                    self._send_batch()
                return None
            errand = errand_of(found, recall(found), self._task)
            if isinstance(errand, Outcome):
                return errand
            self._batch.append(errand)
            if self._is_full(n_workers, finds.n_left):
                self._send_batch()
        return None

    def _stop(self) -> None:
        """Wait for nothing but what is being worked on."""
        if not self._is_stopped:
            self._is_stopped = True
            self._batch.clear()
            self._again.clear()
            self._engine.call_back([*self._out])

    def _count_workers(self) -> int:
        n_workers = self._ask(self._engine.n_workers)
        if n_workers != self._n_workers:
            self._n_workers = n_workers
            self._on_workers(n_workers)
        return max(1, n_workers)  # what waits for the first is sent already

    def _is_full(self, n_workers: int, n_left: int | None) -> bool:
        least, usual = LEAST_SECONDS, BATCH_SECONDS
        if self._table is not None:
            least, usual = LEAST_TABLE_SECONDS, TABLE_SECONDS
        wanted = FIRST_SECONDS if self._n_sent < AHEAD * n_workers else usual
        number, seconds = len(self._batch), self._costs.of(self._batch)
        if n_left is not None:
            share = seconds / number * (number + n_left) / (AHEAD * n_workers)
            wanted = min(wanted, max(least, share))
        return number >= LARGEST_BATCH or seconds >= wanted

    def _send_batch(self) -> None:
        batch, self._batch = self._batch, []
        self._send(_Parcel(batch))

    def _send(self, parcel: _Parcel) -> None:
        part = None if self._table is None else self._table.name_part()
        future = self._ask(lambda: self._engine.submit(parcel.batch, part))
        self._out[future] = parcel
        self._n_sent += 1
        future.add_done_callback(self._events.put)

    def _ask(self, call: Callable[[], T]) -> T:
        """Ask the engine something; whatever it raises means that it is of no use any more."""
        try:
            return call()
        except Exception as exc:
            self._engine.check()
            raise AsmrClassifyError(
                f"the executor takes no more work ({type(exc).__name__}: {exc}); start it anew, "
                "and run again: what was finished is kept"
            ) from exc

    def listen(self, timeout: float, on_decoded: Callable[[float], None]) -> list[Outcome[R]]:
        """Wait for news, ``timeout`` seconds at most; return what has come of files."""
        try:
            future = self._events.get(timeout=timeout)
        except queue.Empty:
            self._engine.check()
            return []
        parcel = None if future is None else self._out.pop(future, None)
        if future is None or parcel is None:
            return []
        try:
            done = future.result()
        except (UsageError, OutputError):  # another version, a full disk: no other try will help
            raise
        except Exception as exc:  # noqa: BLE001 (whatever an executor raises, or what it ran)
            self._engine.check()
            return [] if self._is_stopped else self._try_again(parcel, exc)
        self._costs.learn(parcel.batch, done.seconds)
        for outcome, (_, known) in zip(done.outcomes, parcel.batch, strict=True):
            on_decoded(outcome.result.decoded if standing(known) is None else 0.0)
        return done.outcomes

    def _try_again(self, parcel: _Parcel, exc: Exception) -> list[Outcome[R]]:
        """Send the files of a batch once more, each alone; give up those that were tried enough."""
        logger.warning("%d files come back undone: %r", len(parcel.batch), exc)
        if parcel.tries < TRIES:
            self._again += [_Parcel([errand], parcel.tries + 1) for errand in parcel.batch]
            return []
        return [self._failed(*errand, exc) for errand in parcel.batch]

    def _failed(self, found: Found, known: Known[R], exc: Exception) -> Outcome[R]:
        why = f"came back undone {TRIES} times ({type(exc).__name__}: {exc}); run again to try more"
        problem = Problem.of(WorkerError(found.path, why))
        return undone(self._task, found, known, problem)

    def close(self) -> None:
        """Call back what is out."""
        for future in self._out:
            future.cancel()


class _Costs:
    """What files take, learnt from those that are done."""

    def __init__(self) -> None:
        self._seconds = self._expected = 0.0

    def of(self, batch: list[Errand[Any]]) -> float:
        """Estimate the seconds that a batch takes."""
        return self._as_expected(batch) * (self._seconds / self._expected if self._expected else 1)

    def _as_expected(self, batch: list[Errand[Any]]) -> float:
        return math.fsum(FILE_SECONDS + BYTE_SECONDS * found.size for found, _ in batch)

    def learn(self, batch: list[Errand[Any]], seconds: float) -> None:
        """Note what a batch took; later ones count more."""
        self._seconds = 0.9 * self._seconds + seconds
        self._expected = 0.9 * self._expected + self._as_expected(batch)
