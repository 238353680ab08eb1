"""Worker processes, and what becomes of a file whose worker crashes, is killed or hangs.

Each worker is a Python of its own, see :mod:`asmr_classify.batch.worker`. One that dies costs the
file at hand only: that file fails, and another worker takes the place. joblib's pool, which the
training uses, is broken as a whole when a process dies, and cannot tell which file it was.
"""

from __future__ import annotations

import logging
import pickle
import queue
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Generic, Self, cast

from asmr_classify.aggregate import Problem
from asmr_classify.batch.isolate import Known, Other, Outcome, Safe, errand_of, undone
from asmr_classify.batch.process import FAREWELL, Gone, Worker
from asmr_classify.batch.task import R
from asmr_classify.batch.worker import START, Briefing
from asmr_classify.errors import AsmrClassifyError, WorkerError
from asmr_classify.media.blocks import fits_a_block

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Generator

    from asmr_classify.batch.ahead import ReadAhead
    from asmr_classify.batch.process import Events
    from asmr_classify.batch.task import Task
    from asmr_classify.batch.worker import Message
    from asmr_classify.media.found import Found

logger = logging.getLogger(__name__)

TICK = 0.25
"""Seconds between two looks at whether a worker still gets on."""

STARTUP_PATIENCE = 60.0
"""Seconds that a worker may take to start, whatever the patience with files: it loads libraries,
from a slow disk perhaps, and that is no fault of a file."""

FUTILE_STARTS = 3
"""So many workers in a row that die before they are ready mean that none will ever be."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one file may take before it is given up.

    Parameters
    ----------
    patience : float
        Seconds in which no sound is decoded. Blocks of eight seconds of audio take milliseconds,
        so that this is a hang, or a very slow disk. A long file may take as long as it gets on.
    max_memory : int
        Bytes that a worker may hold; ten hours of audio take a sixth of the default. Kept on
        Linux only.
    """

    patience: float = 60.0
    max_memory: int = 2_000_000_000


def count_cores() -> int:
    """Count the cores that this process may use, containers' limits included."""
    from joblib import cpu_count

    return int(cpu_count())


def iter_parallel(  # noqa: PLR0913 (options by name)
    finds: ReadAhead[Found],
    task: Task[R],
    n_jobs: int,
    *,
    recall: Callable[[Found], Outcome[R] | Other[R] | None],
    limits: Limits,
    stop: threading.Event,
    on_decoded: Callable[[float], None],
    directory: str | None = None,
) -> Generator[Outcome[R]]:
    """Work on files in processes of their own.

    Parameters
    ----------
    finds : ReadAhead of Found
        Taken up as workers become free. However slowly they come, what is at hand goes on. A small
        object of storage is given to a worker while that works on another, to be fetched meanwhile.
    task : Task
    n_jobs : int
        Workers at a time.
    recall : callable
        Gives the outcome of a file that is known already, or what was made of it by other settings,
        else None.
    limits : Limits
    stop : threading.Event
        Once set, no more files are taken up.
    on_decoded : callable
        Called with seconds of audio decoded since the last call.
    directory : str, optional
        Where names of files start from; by default where this process works.

    Yields
    ------
    Outcome

    Raises
    ------
    AsmrClassifyError
        If no worker can be started.
    """
    with _Crew(task, n_jobs, limits, on_decoded, directory or working_directory()) as crew:
        while True:
            known = crew.hand_out(finds, recall, stop)
            if known is not None:
                yield known
            elif not crew.is_busy and (finds.is_over or stop.is_set()):
                return
            # Also while known results pour in, workers are heard.
            news = crew.listen(TICK if known is None else 0)
            if news is not None:
                yield news


class _Crew(Generic[R]):
    """The workers of a run, their files, and the watch over them."""

    def __init__(
        self,
        task: Task[R],
        n_jobs: int,
        limits: Limits,
        on_decoded: Callable[[float], None],
        directory: str | None,
    ) -> None:
        self._task = task
        self._briefing = pickle.dumps(Briefing(task, limits.max_memory))
        self._directory = directory
        self._n_jobs = n_jobs
        self._limits = limits
        self._on_decoded = on_decoded
        self._events: Events = queue.SimpleQueue()
        self._idle: list[Worker] = []
        self._busy: list[Worker] = []
        self._waiting: list[tuple[Found, Known[R]]] = []  # for want of a worker
        self._futile_starts = 0
        self._last_look = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        for worker in self._busy:
            worker.kill()
        for worker in self._busy + self._idle:
            worker.dismiss()

    @property
    def is_busy(self) -> bool:
        """Whether a file is at hand."""
        return bool(self._busy)

    def hand_out(
        self,
        finds: ReadAhead[Found],
        recall: Callable[[Found], Outcome[R] | Other[R] | None],
        stop: threading.Event,
    ) -> Outcome[R] | None:
        """Give the files that are there to free workers; return early with a known outcome."""
        while not stop.is_set():
            if self._waiting:
                if len(self._busy) >= self._n_jobs:
                    break
                self._begin(*self._waiting.pop())
                continue
            worker = self._may_go_on() if len(self._busy) >= self._n_jobs else None
            if len(self._busy) >= self._n_jobs and worker is None:
                break
            found = finds.take(lambda: self._events.put(None))
            if found is None:
                break
            errand = errand_of(found, recall(found), self._task)
            if isinstance(errand, Outcome):
                return errand
            self._give(*errand, worker)
        return None

    def _may_go_on(self) -> Worker | None:
        """Give a worker that may fetch a file while it works on another, a small one too."""
        free = (
            worker
            for worker in self._busy
            if worker.is_ready
            and worker.next is None
            and not worker.given_up
            and fits_a_block(worker.found.path)
        )
        return next(free, None)

    def _give(self, found: Found, known: Known[R], worker: Worker | None) -> None:
        """Give a file to a worker that is free or that goes on with it, or keep it until one is."""
        if worker is None:
            self._begin(found, known)
        elif known is None and fits_a_block(found.path):  # little to send: it cannot block
            worker.give_next(found, known)
        else:
            self._waiting.append((found, known))

    def listen(self, timeout: float) -> Outcome[R] | None:
        """Wait for news, ``timeout`` seconds at most; return the outcome of a file, if any."""
        try:
            event = self._events.get(timeout=timeout)
        except queue.Empty:
            event = None
        if event is not None:
            event[0].quiet_for = 0.0
        self._watch()
        return None if event is None else self._heed(*event)

    def _heed(self, worker: Worker, message: Message | Gone) -> Outcome[R] | None:
        if isinstance(message, Outcome):
            if worker not in self._busy:  # it was written off
                return None
            self._busy.remove(worker)
            if worker.given_up:
                self._take_back(worker)
            else:
                (self._busy if worker.go_on() else self._idle).append(worker)
            return cast("Outcome[R]", message)  # of the task that it was briefed with
        if isinstance(message, Gone):
            return self._replace(worker)
        if message is None:
            self._futile_starts = 0
            worker.begin()
        elif isinstance(message, Safe):
            worker.known = message.result
        else:
            self._on_decoded(message)
        return None

    def _begin(self, found: Found, known: Known[R]) -> None:
        """Give a file, with what is known of it, to a worker that is free, or to a new one."""
        while self._idle:
            worker = self._idle.pop()
            if worker.is_alive:
                worker.give(found, known)
                self._busy.append(worker)
                return
        try:
            worker = Worker(found, known, START, self._briefing, self._directory, self._events)
        except (OSError, RuntimeError) as exc:
            self._put_off(found, known, exc)
        else:
            self._busy.append(worker)

    def _put_off(self, found: Found, known: Known[R], exc: Exception) -> None:
        """Keep a file for later, and do with the workers that there are."""
        if not self._busy:
            raise _cannot_start(str(exc)) from exc
        logger.warning("going on with %d workers, no more can be started: %s", len(self._busy), exc)
        self._n_jobs = len(self._busy)
        self._waiting.append((found, known))

    def _watch(self) -> None:
        """Kill workers that no longer get on; do without those that cannot be killed.

        A moment in which this process itself was stopped counts as two looks at most.
        """
        now = time.monotonic()
        passed, self._last_look = min(now - self._last_look, 2 * TICK), now
        for worker in self._busy:
            worker.quiet_for += passed
            if worker.given_up:
                self._write_off(worker)
            elif worker.quiet_for > self._patience_with(worker):
                worker.given_up, worker.quiet_for = True, 0.0
                worker.kill()

    def _patience_with(self, worker: Worker) -> float:
        patience = self._limits.patience
        return patience if worker.is_ready else max(patience, STARTUP_PATIENCE)

    def _write_off(self, worker: Worker) -> None:
        if worker.quiet_for > FAREWELL and not worker.written_off:
            worker.written_off = True
            self._events.put((worker, self._failed(worker, "hangs")))

    def _replace(self, worker: Worker) -> Outcome[R] | None:
        """Let a worker go that has ended; the outcome of its file, if it had begun one."""
        ended = worker.dismiss()
        self._take_back(worker)
        if worker in self._idle:
            self._idle.remove(worker)
        if worker not in self._busy:
            return None
        self._busy.remove(worker)
        if worker.is_ready:
            return self._failed(worker, ended)
        self._futile_starts += 1
        if self._futile_starts >= FUTILE_STARTS:
            raise _cannot_start(f"the last one {ended}")
        self._begin(worker.found, worker.known)
        return None

    def _take_back(self, worker: Worker) -> None:
        """Take the file back that a worker was to go on with."""
        if worker.next is not None:
            self._waiting.append(worker.next)
            worker.next = None

    def _why(self, worker: Worker, ended: str) -> str:
        if worker.given_up:
            return (
                f"nothing of it was decoded for {self._limits.patience:g} s, so it was given up; "
                "check that it plays, or allow more with --timeout"
            )
        return (
            f"the process that read it {ended}; check that it plays, or run again to try once more"
        )

    def _failed(self, worker: Worker, ended: str) -> Outcome[R]:
        """Make the outcome of a worker's file; what was safe of it stands."""
        problem = Problem.of(WorkerError(worker.found.path, self._why(worker, ended)))
        return undone(self._task, worker.found, worker.known, problem)


def _cannot_start(why: str) -> AsmrClassifyError:
    return AsmrClassifyError(
        f"no worker process can be started ({why}): free some memory, end other programs, or "
        "install the program anew; what was finished is kept"
    )


def working_directory() -> str | None:
    """Tell where names of files start from; None if that folder is no more."""
    try:
        return str(Path.cwd())
    except OSError:  # it was removed
        return None
