"""Many files to an iterator of results: workers, and isolation of each file's failure.

Files are found, labelled and given one by one; nothing waits for the end of the list. Every file
that is found gives exactly one result. Results come as they are finished, not in order.
"""

from __future__ import annotations

import logging
import os
from collections import Counter
from dataclasses import dataclass
from itertools import chain, islice
from queue import SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING

from asmr_classify.aggregate import FileResult, Problem, Status
from asmr_classify.classify import label_file
from asmr_classify.media.discover import Found, discover
from asmr_classify.model import load_model

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from asmr_classify.media.discover import Ignored, Reason
    from asmr_classify.model import Model

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Outcome:
    """One file that was found, and its result.

    Parameters
    ----------
    found : Found
    result : FileResult
    """

    found: Found
    result: FileResult


def label_paths(
    paths: Iterable[str | os.PathLike[str]],
    *,
    model: Model | None = None,
    jobs: int | None = None,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
) -> Iterator[FileResult]:
    """Label files and folders.

    Parameters
    ----------
    paths : iterable of path
        Files, and folders to be searched with all below them.
    model : Model, optional
        The shipped model by default.
    jobs : int, optional
        Processes; as many as there are cores by default.
    include, exclude : sequence of str
        Globs, see :mod:`asmr_classify.media.discover`.

    Yields
    ------
    FileResult
        One per file that is found, as it is finished.

    Raises
    ------
    ModelError
        If no model is given and the shipped one cannot be loaded.

    Examples
    --------
    >>> [result.status.value for result in label_paths(["no-such-file.mp3"])]
    ['failed']
    """
    names = [os.fsdecode(path) for path in paths]
    search = Search(names, include=include, exclude=exclude)
    for outcome in iter_outcomes(search, model or load_model(), jobs=jobs):
        yield outcome.result


class Search:
    """A search that runs ahead in a thread, so that the total is known while work goes on.

    Iterate over it once, for the files to label.

    Parameters
    ----------
    paths : sequence of str
    include, exclude : sequence of str

    Attributes
    ----------
    n_files, n_bytes : int
        Found so far.
    complete : bool
        Whether the search has come to its end.
    ignored : Counter of Reason
        Passed over so far, by reason.
    """

    def __init__(
        self, paths: Sequence[str], *, include: Sequence[str] = (), exclude: Sequence[str] = ()
    ) -> None:
        self.n_files = 0
        self.n_bytes = 0
        self.complete = False
        self.ignored: Counter[Reason] = Counter()
        self._queue: SimpleQueue[Found | Exception | None] = SimpleQueue()
        finds = discover(paths, include=include, exclude=exclude)
        Thread(target=self._run, args=(finds,), daemon=True).start()

    def _run(self, finds: Iterator[Found | Ignored]) -> None:
        try:
            for find in finds:
                if isinstance(find, Found):
                    self.n_files += 1
                    self.n_bytes += find.size
                    self._queue.put(find)
                else:
                    logger.debug("ignored %s: %s", find.path, find.reason)
                    self.ignored[find.reason] += 1
        except Exception as exc:  # noqa: BLE001 (raised again where the search is used)
            self._queue.put(exc)
        self.complete = True
        self._queue.put(None)

    def __iter__(self) -> Iterator[Found]:
        while (find := self._queue.get()) is not None:
            if isinstance(find, Exception):
                raise find
            yield find


def iter_outcomes(
    finds: Iterable[Found],
    model: Model,
    *,
    jobs: int | None = None,
    on_progress: Callable[[float], None] | None = None,
) -> Iterator[Outcome]:
    """Label files that were found.

    Parameters
    ----------
    finds : iterable of Found
        Taken up as workers become free.
    model : Model
    jobs : int, optional
        Processes; as many as there are cores by default. One file, or one job, is labelled in
        this process, which saves the start of another.
    on_progress : callable, optional
        Called with the seconds decoded so far of the file at hand, in this process only.

    Yields
    ------
    Outcome
    """
    finds = iter(finds)
    first = list(islice(finds, 2))
    n_jobs = jobs or count_cores()
    if n_jobs == 1 or len(first) < 2:
        for find in chain(first, finds):
            yield Outcome(find, _label_safely(find.path, model, on_progress))
        return
    yield from _iter_parallel(chain(first, finds), model, n_jobs)


def _iter_parallel(finds: Iterator[Found], model: Model, n_jobs: int) -> Iterator[Outcome]:
    from joblib import Parallel, delayed, parallel_config

    # Every worker is busy with files of its own: threads inside it would only get in the way.
    with parallel_config("loky", inner_max_num_threads=1):
        pool = Parallel(
            n_jobs=n_jobs, return_as="generator_unordered", pre_dispatch=4 * n_jobs, batch_size=1
        )
        source = _source_of(model)
        yield from pool(delayed(_label_in_worker)(find, source) for find in finds)


def count_cores() -> int:
    """Count the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _source_of(model: Model) -> tuple[str, dict[str, float]] | Model:
    """What a worker needs to have the model: where it lies, or the model if it lies nowhere."""
    return model if model.source is None else (model.source, dict(model.thresholds))


_loaded: dict[str, Model] = {}
"""Models of this worker by file, so that each is loaded once and not sent with every file."""


def _label_in_worker(find: Found, source: tuple[str, dict[str, float]] | Model) -> Outcome:
    if not isinstance(source, tuple):
        return Outcome(find, _label_safely(find.path, source, None))
    path, thresholds = source
    if path not in _loaded:
        _loaded[path] = load_model(path)
    model = _loaded[path].with_thresholds(thresholds)
    return Outcome(find, _label_safely(find.path, model, None))


def _label_safely(
    path: str, model: Model, on_progress: Callable[[float], None] | None
) -> FileResult:
    """Label one file; whatever goes wrong with it stays with it."""
    try:
        return label_file(path, model=model, on_progress=on_progress)
    except Exception as exc:
        logger.exception("%s: unexpected error", path)
        kind = type(exc).__name__
        message = f"{path}: unexpected error ({kind}: {exc}); please report it with the file"
        return FileResult(path, Status.FAILED, model.id, error=Problem(kind, message))
