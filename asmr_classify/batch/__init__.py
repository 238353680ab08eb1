"""Many files to an iterator of results: workers, and isolation of each file's failure.

Files are found, worked on and given one by one; nothing waits for the end of the list. What is done
with each is a task: :func:`label_paths` labels, :func:`extract_paths` computes features. Every file
that is found gives exactly one result, whatever happens to the worker that has it. Results
come as they are finished, not in order; which worker made them, and how many there are, changes
nothing in them.
"""

from __future__ import annotations

import logging
import os
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from threading import Event
from typing import TYPE_CHECKING, Any

from asmr_classify.batch.ahead import ReadAhead
from asmr_classify.batch.engine import engine_of, iter_by_engine
from asmr_classify.batch.extraction import OUTPUT_ERROR, FeatureTask
from asmr_classify.batch.isolate import Other, Outcome
from asmr_classify.batch.journal import Journal
from asmr_classify.batch.labelling import LabelTask
from asmr_classify.batch.memory import Memories, Memory
from asmr_classify.batch.observe import Observer
from asmr_classify.batch.parts import Extracted, Parts
from asmr_classify.batch.pool import Limits, count_cores, iter_parallel, working_directory
from asmr_classify.batch.table import Table
from asmr_classify.errors import OutputError, UsageError
from asmr_classify.media.discover import discover
from asmr_classify.media.found import Found
from asmr_classify.media.opening import check_sources
from asmr_classify.media.source import as_source, is_url
from asmr_classify.model import as_model
from asmr_classify.visual.seen import Effort

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Sequence

    from asmr_classify.aggregate import FileResult
    from asmr_classify.batch.course import RunCourse
    from asmr_classify.batch.engine import Engine
    from asmr_classify.batch.task import R, Task
    from asmr_classify.features.cache import KeptFeatures
    from asmr_classify.media.found import Ignored
    from asmr_classify.model import Model

__all__ = [
    "Extracted",
    "Journal",
    "Limits",
    "Memories",
    "Memory",
    "Observer",
    "Parts",
    "Table",
    "extract_paths",
    "iter_apart",
    "label_paths",
    "name_from_here",
    "named_plainly",
]

logger = logging.getLogger(__name__)

READ_AHEAD = 65536
"""So many files are found before they are needed: enough to know the total of most libraries
early, and under 20 MB."""


def label_paths(  # noqa: PLR0913 (options by name)
    paths: Iterable[str | os.PathLike[str]],
    *,
    model: Model | str | os.PathLike[str] | None = None,
    jobs: int | None = None,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    journal: Memory[FileResult] | None = None,
    limits: Limits | None = None,
    stop: Event | None = None,
    observer: Observer | None = None,
    video: Effort | None = Effort.NORMAL,
    features: KeptFeatures | None = None,
    executor: Any = None,
) -> Generator[FileResult]:
    """Label files and folders.

    Parameters
    ----------
    paths : iterable of path
        Files, and folders to be searched with all below them, also by their addresses in storage
        (``s3://bucket/prefix``). What lies inside the working
        directory is named relative to it in the results, all else as given here.
    model : Model or path, optional
        Also by its file. The shipped model by default.
    jobs : int, optional
        Worker processes; by default as many as there are cores.
    include, exclude : sequence of str
        Globs, see :mod:`asmr_classify.media.discover`.
    journal : Memory, optional
        A journal, or what else keeps results. Files whose results it holds are not labelled
        again; those of the others are added. A :class:`Table` is written by whoever an executor
        lets work, and only the rest by this process.
    limits : Limits, optional
        What a file may take before it is given up.
    stop : threading.Event, optional
        Once set, no more files are begun; the results of those at hand are still given.
    observer : Observer, optional
        Told how the run goes.
    video : Effort or None
        How much of a picture is looked at; None to listen only.
    features : KeptFeatures, optional
        Recordings whose features are kept there are not decoded; those of the others are added.
    executor : distributed.Client or concurrent.futures.Executor, optional
        Who works, instead of ``jobs`` processes of this machine: a Dask cluster, whose workers
        must see the files by the same names, or whatever has ``submit`` as executors have it.

    Returns
    -------
    generator of FileResult
        One per file that is found, as it is finished. A file that cannot be labelled gives a
        result too, which says why. What an executor's workers have written to a table comes
        without its timeline. Closing the generator stops the workers.

    Raises
    ------
    UsageError
        If ``paths``, ``include`` or ``exclude`` is one name and no list, ``jobs`` is less than
        one, or given beside an executor, as ``features`` may not be either, ``video`` is no
        effort, a Dask client is asynchronous, or an address cannot be read at all.
    MissingExtraError
        If a library is missing that reads an address.
    ModelError
        If a model that is named by its file, or the shipped one by default, cannot be loaded.
    AsmrClassifyError
        From the generator, if no worker process can be started.
    OutputError
        From the generator, if the journal or table cannot be written.

    Examples
    --------
    >>> [result.status.value for result in label_paths(["no-such-file.mp3"])]
    ['failed']
    """
    check_jobs(jobs)
    _check_lists(paths=paths, include=include, exclude=exclude)
    if jobs is not None and executor is not None:
        raise UsageError("jobs are of this machine: leave them out where an executor works")
    if features is not None and executor is not None:
        raise UsageError("features are kept on this machine: leave them out, or the executor")
    if video is not None and video not in list(Effort):
        raise UsageError(f"video {video!r}: give {', '.join(Effort)}, or None to listen only")
    task = LabelTask(as_model(model), video and Effort(video), features)
    engine = None if executor is None else engine_of(executor)
    run = Run(jobs, limits or Limits(), stop or Event(), observer or Observer(), engine)
    course = None
    if isinstance(journal, Table):
        journal.check_video(video)
        paths = [*paths]
        course = journal.course([[*map(os.fsdecode, paths)], [*include], [*exclude]])
    finds = _find(paths, include, exclude, run, course)
    return _iter_results(finds, task, journal, run)


def extract_paths(  # noqa: PLR0913 (options by name)
    paths: Iterable[str | os.PathLike[str]],
    parts: Parts,
    *,
    jobs: int | None = None,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    limits: Limits | None = None,
    stop: Event | None = None,
    observer: Observer | None = None,
) -> Generator[Extracted]:
    """Compute the features of files and folders.

    Parameters
    ----------
    paths, jobs, include, exclude, limits, stop, observer
        As for :func:`label_paths`.
    parts : Parts
        Takes the rows. Files whose rows it keeps from an earlier run are not computed again.

    Returns
    -------
    generator of Extracted
        One per file that is found, as it is finished; ``parts`` gives its rows. Closing the
        generator stops the workers.

    Raises
    ------
    UsageError
        If ``paths``, ``include`` or ``exclude`` is one name and no list, ``jobs`` is less than
        one, or an address cannot be read at all.
    MissingExtraError
        If a library is missing that reads an address.
    AsmrClassifyError
        From the generator, if no worker process can be started.
    OutputError
        From the generator, if rows cannot be kept.
    """
    check_jobs(jobs)
    _check_lists(paths=paths, include=include, exclude=exclude)
    run = Run(jobs, limits or Limits(), stop or Event(), observer or Observer())
    return _iter_extracted(
        _iter_results(_find(paths, include, exclude, run), FeatureTask(parts), parts, run)
    )


def iter_apart(
    finds: Iterable[Found],
    task: Task[R],
    jobs: int,
    *,
    limits: Limits,
    stop: Event,
    on_decoded: Callable[[float], None],
) -> Generator[Outcome[R]]:
    """Work on files in processes that a file may crash.

    Parameters
    ----------
    finds : iterable of Found
    task : Task
    jobs : int
        Processes at a time; of one, outcomes come in the order of files.
    limits : Limits
    stop : threading.Event
        Once set, no more files are begun.
    on_decoded : callable
        Called with seconds of audio decoded since the last call.

    Yields
    ------
    Outcome
        Of each file, as it is finished.

    Raises
    ------
    AsmrClassifyError
        If no worker process can be started.
    """
    with closing(ReadAhead(iter(finds), READ_AHEAD)) as ahead:
        yield from iter_parallel(
            ahead,
            task,
            jobs,
            recall=lambda _: None,
            limits=limits,
            stop=stop,
            on_decoded=on_decoded,
        )


@dataclass(frozen=True, slots=True)
class Run:
    """How a run goes about its files, whatever it does with them."""

    jobs: int | None
    limits: Limits
    stop: Event
    observer: Observer
    engine: Engine | None = None


def check_jobs(jobs: int | None) -> None:
    """Refuse to work with no worker.

    Raises
    ------
    UsageError
        If ``jobs`` is less than one.
    """
    if jobs is not None and jobs < 1:
        raise UsageError(f"{jobs} jobs: give 1 or more")


def name_from_here(path: str) -> str:
    """Name a path relative to the working directory if it lies inside, without needless parts.

    A path that lies outside, or goes up, is left as it is, and so is an address.

    Examples
    --------
    >>> here = os.path.abspath(".")
    >>> name_from_here(f"{here}/a/b.mp3"), name_from_here(here), name_from_here("../a.mp3")
    ('a/b.mp3', '.', '../a.mp3')
    >>> name_from_here(".//a//./b.mp3"), name_from_here(f"{here}//b.mp3"), name_from_here("./")
    ('a/b.mp3', 'b.mp3', '.')
    """
    if is_url(path):
        return as_source(path)
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
    here = working_directory()
    if here is None:
        return None
    here = here.rstrip(os.sep) + os.sep
    if not f"{path}{os.sep}".startswith(here):
        return None
    return path[len(here) :].strip(os.sep)


def _check_lists(**given: object) -> None:
    """Refuse a single name, whose letters would be searched: of a path, ``/`` is the whole disk."""
    for name, value in given.items():
        if isinstance(value, str | bytes | os.PathLike):
            raise UsageError(f"{name}={os.fsdecode(value)!r}: give a list, if only of one")


def _find(
    paths: Iterable[str | os.PathLike[str]],
    include: Sequence[str],
    exclude: Sequence[str],
    run: Run,
    course: RunCourse | None = None,
) -> Iterator[Found]:
    names = [name_from_here(os.fsdecode(path)) for path in paths]
    check_sources(names)
    finds = discover(names, include=include, exclude=exclude, course=course)
    return _watch(finds, run.observer, course)


def named_plainly(found: Found) -> Found:
    """Leave out a folder's own name where that is the working directory."""
    if is_url(found.path):
        return found
    return replace(found, path=found.path.removeprefix(f".{os.sep}"))


def _watch(
    finds: Iterable[Found | Ignored], observer: Observer, course: RunCourse | None
) -> Iterator[Found]:
    """Pass on the files to work on, and tell the observer of all."""
    for find in finds:
        if isinstance(find, Found):
            found = named_plainly(find)
            if course is not None:
                course.on_found(found)
            observer.on_found(found)
            yield found
        else:
            observer.on_ignored(find)
    observer.on_listed()


def _iter_results(
    finds: Iterator[Found], task: Task[R], memory: Memory[R] | None, run: Run
) -> Generator[R]:
    with closing(_iter_outcomes(finds, task, memory, run)) as outcomes:
        for outcome in outcomes:
            if outcome.is_recalled:
                run.observer.on_recalled(outcome.found, outcome.result)
            else:
                if outcome.trace is not None:
                    logger.error("%s: unexpected error\n%s", outcome.found.path, outcome.trace)
                if outcome.part is not None and isinstance(memory, Table):
                    memory.learn(outcome)
                elif memory is not None:
                    memory.record(outcome.found, outcome.result)
                if outcome.fetched.n_requests:
                    logger.info("%s: %s", outcome.found.path, outcome.fetched)
                run.observer.on_finished(outcome.found, outcome.result)
            if isinstance(memory, Table):
                memory.pass_by(outcome.found)
            yield outcome.result


def _iter_outcomes(
    finds: Iterator[Found], task: Task[R], memory: Memory[R] | None, run: Run
) -> Generator[Outcome[R]]:
    with closing(ReadAhead(finds, READ_AHEAD)) as ahead:
        how: dict[str, Any] = {
            "recall": lambda found: _recall(found, memory),
            "limits": run.limits,
            "stop": run.stop,
            "on_decoded": run.observer.on_decoded,
        }
        if run.engine is None:
            yield from iter_parallel(ahead, task, run.jobs or count_cores(), **how)
        else:
            how["table"] = memory if isinstance(memory, Table) else None
            yield from iter_by_engine(
                ahead, task, run.engine, on_workers=run.observer.on_workers, **how
            )


def _recall(found: Found, memory: Memory[R] | None) -> Outcome[R] | Other[R] | None:
    if memory is None:
        return None
    result = memory.recall(found)
    if result is not None:
        return Outcome(found, result, is_recalled=True)
    other = memory.recall_other(found)
    return None if other is None else Other(other)


def _iter_extracted(results: Generator[Extracted]) -> Generator[Extracted]:
    """Pass on results until one tells that rows cannot be kept, which is no matter of one file."""
    with closing(results):
        for result in results:
            if result.error is not None and result.error.kind == OUTPUT_ERROR:
                raise OutputError(result.error.message)
            yield result
