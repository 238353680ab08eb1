"""Many files to an iterator of results: workers, and isolation of each file's failure.

Files are found, labelled and given one by one; nothing waits for the end of the list. Every file
that is found gives exactly one result. Results come as they are finished, not in order; which
worker made them, and how many there are, changes nothing in them.
"""

from __future__ import annotations

import logging
import os
from contextlib import closing
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from asmr_classify.batch.ahead import ReadAhead
from asmr_classify.batch.interrupts import interrupts_deferred
from asmr_classify.batch.isolate import label_safely
from asmr_classify.batch.observe import Observer
from asmr_classify.batch.pool import count_cores, iter_parallel
from asmr_classify.errors import UsageError
from asmr_classify.media.discover import Found, discover
from asmr_classify.model import load_model

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Sequence
    from threading import Event

    from asmr_classify.aggregate import FileResult
    from asmr_classify.batch.isolate import Outcome
    from asmr_classify.media.discover import Ignored
    from asmr_classify.model import Model

__all__ = ["Observer", "label_paths", "name_from_here"]

logger = logging.getLogger(__name__)

READ_AHEAD = 65536
"""So many files are found before they are needed: enough to know the total of most libraries
early, and under 20 MB."""

FEW_FILES, FEW_BYTES = 32, 8 * 1024 * 1024
"""No more than so many files, of no more than so many bytes, are labelled faster in this process
than workers take to start (two to three seconds, in which they import the libraries)."""


def label_paths(
    paths: Iterable[str | os.PathLike[str]],
    *,
    model: Model | None = None,
    jobs: int | None = None,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    observer: Observer | None = None,
) -> Generator[FileResult]:
    """Label files and folders.

    Parameters
    ----------
    paths : iterable of path
        Files, and folders to be searched with all below them. What lies inside the working
        directory is named relative to it in the results, all else as given here.
    model : Model, optional
        The shipped model by default.
    jobs : int, optional
        Processes. By default as many as there are cores, or only this one if the files are few
        and small.
    include, exclude : sequence of str
        Globs, see :mod:`asmr_classify.media.discover`.
    observer : Observer, optional
        Told how the run goes.

    Returns
    -------
    generator of FileResult
        One per file that is found, as it is finished. A file that cannot be labelled gives a
        result too, which says why. Closing the generator stops the workers.

    Raises
    ------
    UsageError
        If ``jobs`` is less than one.
    ModelError
        If no model is given and the shipped one cannot be loaded.
    AsmrClassifyError
        From the generator, if a worker process dies.

    Examples
    --------
    >>> [result.status.value for result in label_paths(["no-such-file.mp3"])]
    ['failed']
    """
    if jobs is not None and jobs < 1:
        raise UsageError(f"{jobs} jobs: give 1 or more")
    observer = observer or Observer()
    names = [name_from_here(os.fsdecode(path)) for path in paths]
    finds = _watch(discover(names, include=include, exclude=exclude), observer)
    return _iter_results(finds, model if model is not None else load_model(), jobs, observer)


def name_from_here(path: str) -> str:
    """Name a path relative to the working directory if it lies inside, else leave it as it is.

    Examples
    --------
    >>> here = os.path.abspath(".")
    >>> name_from_here(f"{here}/a/b.mp3"), name_from_here(here), name_from_here("../a.mp3")
    ('a/b.mp3', '.', '../a.mp3')
    """
    try:
        here = str(Path.cwd()).rstrip(os.sep) + os.sep
    except OSError:  # the folder was removed
        return path
    if not f"{path}{os.sep}".startswith(here):
        return path
    below = path[len(here) :].strip(os.sep)
    return path if os.pardir in Path(below).parts else below or os.curdir


def _watch(finds: Iterable[Found | Ignored], observer: Observer) -> Iterator[Found]:
    """Pass on the files to label, and tell the observer of all."""
    for find in finds:
        if isinstance(find, Found):
            found = replace(find, path=find.path.removeprefix(f".{os.sep}"))
            observer.on_found(found)
            yield found
        else:
            observer.on_ignored(find)
    observer.on_listed()


def _iter_results(
    finds: Iterator[Found], model: Model, jobs: int | None, observer: Observer
) -> Generator[FileResult]:
    with (
        closing(ReadAhead(finds, READ_AHEAD)) as ahead,
        closing(_iter_outcomes(ahead, model, jobs, observer)) as outcomes,
    ):
        for outcome in outcomes:
            if outcome.trace is not None:
                logger.error("%s: unexpected error\n%s", outcome.found.path, outcome.trace)
            observer.on_finished(outcome.found, outcome.result)
            yield outcome.result


def _iter_outcomes(
    finds: Iterator[Found], model: Model, jobs: int | None, observer: Observer
) -> Generator[Outcome]:
    first = _take_few(finds)
    n_jobs = _choose_jobs(first, jobs)
    finds = chain(first, finds)
    if n_jobs > 1:
        yield from iter_parallel(finds, model, n_jobs, observer.on_decoded)
    else:
        yield from _iter_here(finds, model, observer)


def _iter_here(finds: Iterator[Found], model: Model, observer: Observer) -> Generator[Outcome]:
    """Label files in this process. An interrupt leaves off the file at hand at its next block."""
    for found in finds:
        with interrupts_deferred() as interrupted:

            def count(seconds: float, interrupted: Event = interrupted) -> None:
                if interrupted.is_set():
                    raise KeyboardInterrupt
                observer.on_decoded(seconds)

            outcome = label_safely(found, model, count)
        yield outcome
        if interrupted.is_set():
            raise KeyboardInterrupt


def _take_few(finds: Iterator[Found]) -> list[Found]:
    """Take files until it is clear that they are not few and small."""
    first: list[Found] = []
    for found in finds:
        first.append(found)
        if len(first) > 1 and not _is_little(first):
            break
    return first


def _choose_jobs(first: list[Found], jobs: int | None) -> int:
    """Choose the number of processes, given the first files or all of them."""
    if len(first) < 2 or (jobs is None and _is_little(first)):
        return 1
    return jobs or count_cores()


def _is_little(files: list[Found]) -> bool:
    return len(files) <= FEW_FILES and sum(found.size for found in files) <= FEW_BYTES
