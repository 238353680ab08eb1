"""Many files to an iterator of results: workers, and isolation of each file's failure.

Files are found, labelled and given one by one; nothing waits for the end of the list. Every file
that is found gives exactly one result, whatever happens to the worker that labels it. Results
come as they are finished, not in order; which worker made them, and how many there are, changes
nothing in them.
"""

from __future__ import annotations

import logging
import os
from contextlib import closing
from dataclasses import replace
from pathlib import Path, PurePath
from threading import Event
from typing import TYPE_CHECKING

from asmr_classify.batch.ahead import ReadAhead
from asmr_classify.batch.isolate import Outcome
from asmr_classify.batch.journal import Journal
from asmr_classify.batch.memory import Memories, Memory
from asmr_classify.batch.observe import Observer
from asmr_classify.batch.pool import Limits, count_cores, iter_parallel
from asmr_classify.errors import UsageError
from asmr_classify.media.discover import Found, discover
from asmr_classify.model import load_model

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Sequence

    from asmr_classify.aggregate import FileResult
    from asmr_classify.media.discover import Ignored
    from asmr_classify.model import Model

__all__ = [
    "Journal",
    "Limits",
    "Memories",
    "Memory",
    "Observer",
    "label_paths",
    "name_from_here",
]

logger = logging.getLogger(__name__)

READ_AHEAD = 65536
"""So many files are found before they are needed: enough to know the total of most libraries
early, and under 20 MB."""


def label_paths(  # noqa: PLR0913 (options by name)
    paths: Iterable[str | os.PathLike[str]],
    *,
    model: Model | None = None,
    jobs: int | None = None,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    journal: Memory | None = None,
    limits: Limits | None = None,
    stop: Event | None = None,
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
        Worker processes; by default as many as there are cores.
    include, exclude : sequence of str
        Globs, see :mod:`asmr_classify.media.discover`.
    journal : Memory, optional
        A journal, or what else keeps results. Files whose results it holds are not labelled
        again; those of the others are added.
    limits : Limits, optional
        What a file may take before it is given up.
    stop : threading.Event, optional
        Once set, no more files are begun; the results of those at hand are still given.
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
        From the generator, if no worker process can be started.
    OutputError
        From the generator, if the journal cannot be written.

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
    model = model if model is not None else load_model()
    outcomes = _iter_outcomes(
        finds, model, jobs or count_cores(), limits or Limits(), stop or Event(), journal, observer
    )
    return _iter_results(outcomes, journal, observer)


def name_from_here(path: str) -> str:
    """Name a path relative to the working directory if it lies inside, without needless parts.

    A path that lies outside, or goes up, is left as it is.

    Examples
    --------
    >>> here = os.path.abspath(".")
    >>> name_from_here(f"{here}/a/b.mp3"), name_from_here(here), name_from_here("../a.mp3")
    ('a/b.mp3', '.', '../a.mp3')
    >>> name_from_here(".//a//./b.mp3"), name_from_here(f"{here}//b.mp3"), name_from_here("./")
    ('a/b.mp3', 'b.mp3', '.')
    """
    below: str | None = path
    if Path(path).is_absolute():
        below = _below_here(path)
    if not path or below is None:
        return path
    parts = PurePath(below).parts
    if os.pardir in parts and below != path:
        return path
    return str(PurePath(*parts))


def _below_here(path: str) -> str | None:
    try:
        here = str(Path.cwd()).rstrip(os.sep) + os.sep
    except OSError:  # the folder was removed
        return None
    if not f"{path}{os.sep}".startswith(here):
        return None
    return path[len(here) :].strip(os.sep)


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
    outcomes: Generator[Outcome], journal: Memory | None, observer: Observer
) -> Generator[FileResult]:
    with closing(outcomes):
        for outcome in outcomes:
            if outcome.is_recalled:
                observer.on_recalled(outcome.found, outcome.result)
            else:
                if outcome.trace is not None:
                    logger.error("%s: unexpected error\n%s", outcome.found.path, outcome.trace)
                if journal is not None:
                    journal.record(outcome.found, outcome.result)
                observer.on_finished(outcome.found, outcome.result)
            yield outcome.result


def _iter_outcomes(  # noqa: PLR0913, PLR0917 (what label_paths was given)
    finds: Iterator[Found],
    model: Model,
    n_jobs: int,
    limits: Limits,
    stop: Event,
    journal: Memory | None,
    observer: Observer,
) -> Generator[Outcome]:
    with closing(ReadAhead(finds, READ_AHEAD)) as ahead:
        yield from iter_parallel(
            ahead,
            model,
            n_jobs,
            recall=lambda found: _recall(found, journal),
            limits=limits,
            stop=stop,
            on_decoded=observer.on_decoded,
        )


def _recall(found: Found, journal: Memory | None) -> Outcome | None:
    result = journal.recall(found) if journal is not None else None
    return None if result is None else Outcome(found, result, is_recalled=True)
