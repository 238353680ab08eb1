"""Worker processes, which are joblib's.

What workers need to know of a run lies in a temporary folder that is removed at its end::

    model    the model file: written once, loaded once by each worker
    meter    seconds of audio decoded; every worker appends eight bytes for each block
    stop     made when no more results are wanted; workers then leave off at their next block

A run that is stopped, or interrupted from the keyboard, ends that way and leaves the workers
whole. A second interrupt does not wait for them.
"""

from __future__ import annotations

import os
import signal
import struct
import tempfile
import threading
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from asmr_classify.batch.interrupts import interrupts_deferred, interrupts_ignored
from asmr_classify.batch.isolate import label_safely
from asmr_classify.errors import AsmrClassifyError
from asmr_classify.model import load_model, save_model

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from asmr_classify.batch.isolate import Outcome
    from asmr_classify.media.discover import Found
    from asmr_classify.model import Model

PRE_DISPATCH = 4
"""Files handed out for each worker; more would only wait in its queue."""

METER_INTERVAL = 0.25
"""Seconds between two looks at how much the workers have decoded."""


@dataclass(frozen=True, slots=True)
class Run:
    """What a worker has to know of a run.

    Parameters
    ----------
    folder : Path
        The temporary folder, see above.
    directory : str
        The working directory, from which paths start; empty if it was removed.
    """

    folder: Path
    directory: str

    @property
    def model(self) -> Path:
        """The model file."""
        return self.folder / "model"

    @property
    def meter(self) -> Path:
        """Where decoded seconds are counted."""
        return self.folder / "meter"

    @property
    def stop(self) -> Path:
        """What says that no more results are wanted."""
        return self.folder / "stop"


class Stopped(BaseException):
    """No more results are wanted. Not an ``Exception``: it is no failure of the file at hand."""


def count_cores() -> int:
    """Count the cores that this process may use, containers' limits included."""
    from joblib import cpu_count

    return int(cpu_count())


def iter_parallel(
    finds: Iterator[Found], model: Model, n_jobs: int, on_decoded: Callable[[float], None]
) -> Generator[Outcome]:
    """Label files in several processes.

    Parameters
    ----------
    finds : iterator of Found
        Taken up as workers become free.
    model : Model
    n_jobs : int
        At least 2.
    on_decoded : callable
        Called, from a thread, with seconds of audio decoded since the last call.

    Yields
    ------
    Outcome

    Raises
    ------
    AsmrClassifyError
        If a worker dies.
    """
    with _temporary_run(model) as run, _metered(run, on_decoded):
        outcomes = _start(finds, run, n_jobs)
        try:
            yield from _iter_finished(outcomes, run)
        except BrokenProcessPool as exc:
            raise AsmrClassifyError(
                "a worker process died, perhaps for lack of memory; what was finished is kept. "
                "Label the rest with fewer processes (--jobs 1)"
            ) from exc
        finally:
            # Killing busy workers, as joblib would, leaves tracebacks and sometimes orphans.
            run.stop.touch()
            for _ in outcomes:
                pass


def _start(finds: Iterator[Found], run: Run, n_jobs: int) -> Iterator[Outcome | None]:
    from joblib import Parallel, delayed, parallel_config

    # Every worker is busy with files of its own: threads inside it would only get in the way.
    with parallel_config("loky", inner_max_num_threads=1), interrupts_ignored():
        pool = Parallel(
            n_jobs=n_jobs,
            return_as="generator_unordered",
            pre_dispatch=PRE_DISPATCH * n_jobs,
            batch_size=1,
        )
        outcomes: Iterator[Outcome | None] = pool(
            delayed(_label_in_worker)(found, run) for found in _until_stopped(finds, run)
        )
    return outcomes


def _until_stopped(finds: Iterator[Found], run: Run) -> Iterator[Found]:
    for found in finds:
        if run.stop.exists():
            return
        yield found


def _iter_finished(outcomes: Iterator[Outcome | None], run: Run) -> Generator[Outcome]:
    """Pass on what was finished. An interrupt stops the run, and is raised when it has stopped."""
    interrupted = ended = False
    while not ended:
        outcome = None
        with interrupts_deferred(run.stop.touch) as flag:
            try:
                outcome = next(outcomes)
            except StopIteration:
                ended = True
        interrupted = interrupted or flag.is_set()
        if outcome is not None:
            yield outcome
    if interrupted:
        raise KeyboardInterrupt


@contextmanager
def _temporary_run(model: Model) -> Generator[Run]:
    """Make the folder of a run, and remove it."""
    with tempfile.TemporaryDirectory(prefix="asmr-classify-", ignore_cleanup_errors=True) as folder:
        run = Run(Path(folder), _working_directory())
        save_model(model, run.model)
        run.meter.touch()
        yield run


def _working_directory() -> str:
    try:
        return str(Path.cwd())
    except OSError:  # it was removed
        return ""


@contextmanager
def _metered(run: Run, on_decoded: Callable[[float], None]) -> Generator[None]:
    """Tell, from a thread, of the seconds that the workers decode."""
    finished = threading.Event()

    def watch() -> None:
        with run.meter.open("rb") as meter:
            while not finished.wait(METER_INTERVAL):
                _tell_of_more(meter.read, on_decoded)
            _tell_of_more(meter.read, on_decoded)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        finished.set()
        thread.join()


def _tell_of_more(read: Callable[[], bytes], on_decoded: Callable[[float], None]) -> None:
    # Appends of a few bytes are whole, so what is read is too.
    content = read()
    if content:
        on_decoded(sum(seconds for (seconds,) in struct.iter_unpack("<d", content)))


def _label_in_worker(found: Found, run: Run) -> Outcome | None:
    """Label one file in a process of its own; None if no more results are wanted."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if run.directory != _working_directory():
        os.chdir(run.directory)

    def count(seconds: float) -> None:
        if run.stop.exists():
            raise Stopped
        meter.write(struct.pack("<d", seconds))

    try:
        with run.meter.open("ab", buffering=0) as meter:
            count(0.0)
            return label_safely(found, _load_once(run.model), count)
    except Stopped:
        return None


@lru_cache(maxsize=1)
def _load_once(path: Path) -> Model:
    return load_model(path)
