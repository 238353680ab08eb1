"""What a command is to work on: recordings that are named or found become results."""

from __future__ import annotations

import os
import re
from collections import Counter
from contextlib import contextmanager
from dataclasses import KW_ONLY, dataclass, replace
from typing import TYPE_CHECKING

from asmr_classify.cli.arguments import refuse_urls
from asmr_classify.cli.catalogue import (
    as_typed,
    has_default,
    is_read_only,
    named_from_here,
    open_catalogue,
    query_of,
)
from asmr_classify.cli.errors import tell
from asmr_classify.cli.helps import like_an_option
from asmr_classify.cli.interrupts import interrupts_deferred, interrupts_tell
from asmr_classify.counts import counted
from asmr_classify.errors import QueryError, UsageError
from asmr_classify.labels import Kind, kind_of
from asmr_classify.media.source import is_url
from asmr_classify.visual.seen import Effort

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from rich.console import Console

    from asmr_classify.aggregate import FileResult
    from asmr_classify.catalogue import Answer, Catalogue
    from asmr_classify.library.clips import Selected
    from asmr_classify.model import Model

UNTOUCHED = "nothing was written or changed"
"""What an interrupt leaves while recordings are labelled..."""

REMEMBERED = f"{UNTOUCHED}; labels so far are in the catalogue"
"""...and if they are kept."""

LOST = f"{UNTOUCHED}, nor are labels kept without a catalogue"
"""...and if they are not, as nothing keeps them."""

NOT_KEPT = (
    "labels are kept for this command only, as there is no catalogue: "
    "'asmr-classify label … --catalogue' makes one"
)

ONLY_HERE = (
    "this command works with files of this machine; label and check take addresses in storage too"
)

EVERYTHING = ""
"""A query that finds all that is in the catalogue."""

LIKE_A_TERM = re.compile(r"[:=<>]")


@dataclass(frozen=True, slots=True)
class _Asked:
    """How it is to be found, see :func:`select_results`.

    Parameters
    ----------
    console : rich.console.Console
    quiet : bool
    catalogue, model : Path or None
    dry_run, look : bool
    renew : bool
        Label what a query finds and what has changed since.
    timelines : bool
        Give timelines too.
    """

    console: Console
    quiet: bool = False
    catalogue: Path | None = None
    model: Path | None = None
    _: KW_ONLY
    dry_run: bool = False
    look: bool = True
    renew: bool = True
    timelines: bool = True

    def kept(self, result: FileResult) -> FileResult:
        """Leave out what is not asked for."""
        return result if self.timelines else replace(result, segments=())


def select_results(
    arguments: Sequence[str],
    console: Console,
    *,
    quiet: bool = False,
    catalogue: Path | None = None,
    model: Path | None = None,
    dry_run: bool = False,
    look: bool = True,
) -> list[FileResult]:
    """Find what is meant by paths and a query.

    What the catalogue knows of a file that has not changed is taken from there, whatever model said
    it; other files are labelled by the shipped one, and added. Files that a query finds and that
    have changed since are labelled too, which is said, and it must find them again; those that are
    gone are left out. If a model is named, all results are of that one: what a query finds is
    labelled by it, and must be found again. Without a catalogue, paths are labelled. Where the
    default one may only be read, nothing is added to it.

    Parameters
    ----------
    arguments : sequence of str
        Files, and folders that are searched with all below them; all else is one query.
    console : rich.console.Console
        On stderr.
    quiet : bool
        Show no progress.
    catalogue : Path, optional
        By default the one in the user's data folder, if there is one.
    model : Path, optional
        By default the shipped one.
    dry_run : bool
        Leave the catalogue as it is, and begin none.
    look : bool
        Look at videos that were not looked at; else what is labelled is only listened to.

    Returns
    -------
    list of FileResult
        By path, each once, with corrections.

    Raises
    ------
    UsageError
        If nothing is named, a path is not there, or a word may be meant as a path or a query.
    QueryError
        If the query is wrong.
    ModelError
        If the model that is named cannot be used, whatever is to be labelled.
    CatalogueError
        If a catalogue is needed and cannot be used.
    KeyboardInterrupt
        If the user asked to stop.
    """
    asked = _Asked(console, quiet, catalogue, model, dry_run=dry_run, look=look)
    with _selecting(arguments, asked) as (selected, _):
        _tell_gone(selected.lost, quiet=quiet)
        return selected.results


@contextmanager
def selecting_results(
    arguments: Sequence[str],
    console: Console,
    *,
    quiet: bool = False,
    catalogue: Path | None = None,
    model: Path | None = None,
    look: bool = True,
    timelines: bool = True,
) -> Iterator[tuple[list[FileResult], Catalogue | None]]:
    """Find what is meant by paths and a query, as :func:`select_results` does, to ask for more.

    Without ``timelines``, results have no segments, which are most of a long recording's: whoever
    needs them of one after the other asks the catalogue.

    Yields
    ------
    results : list of FileResult
    known : Catalogue or None
        The one that was asked, still open; None without one.
    """
    asked = _Asked(console, quiet, catalogue, model, look=look, timelines=timelines)
    with _selecting(arguments, asked) as (selected, known):
        _tell_gone(selected.lost, quiet=quiet)
        yield selected.results, known


def select_as_labelled(
    arguments: Sequence[str],
    console: Console,
    *,
    quiet: bool = False,
    catalogue: Path | None = None,
    model: Path | None = None,
    dry_run: bool = False,
    timelines: bool = True,
) -> Selected:
    """Find what is meant by paths and a query, as it was labelled.

    Other than in :func:`select_results`, files that a query finds and that have changed since are
    not labelled anew, unless a model is named; nor are videos looked at. Without ``timelines``,
    results have no segments.

    Returns
    -------
    Selected
        Results by path, each once, with corrections, and what was answered about stretches of
        them; those of files that a query finds and that are gone or changed apart. What was named
        and could not be labelled stands apart, too.

    Raises
    ------
    UsageError, QueryError, ModelError, CatalogueError, KeyboardInterrupt
        As of :func:`select_results`.
    """
    asked = _Asked(
        console,
        quiet,
        catalogue,
        model,
        dry_run=dry_run,
        look=False,
        renew=False,
        timelines=timelines,
    )
    with _selecting(arguments, asked) as (selected, known):
        selected.answers.update(answers_to((*selected.results, *selected.lost), known))
        selected.failed.extend(failed_of(selected.results, arguments))
        return selected


def failed_of(results: Iterable[FileResult], arguments: Iterable[str]) -> list[FileResult]:
    """Find what was named, alone or by its folder, and could not be labelled.

    What a query finds is as the catalogue tells it, failed or not: that is an answer.
    """
    from asmr_classify.aggregate import Status

    named = {os.path.abspath(word) for word in arguments if os.path.lexists(word)}  # noqa: PTH100
    failed = (result for result in results if result.status is Status.FAILED)
    return [result for result in failed if not named.isdisjoint(_iter_above(result.path))]


def _iter_above(path: str) -> Iterator[str]:
    """Give a path, and all folders above it."""
    above, path = "", os.path.abspath(path)  # noqa: PTH100
    while above != path:
        yield path
        above, path = path, os.path.dirname(path)  # noqa: PTH120


def answers_to(results: Iterable[FileResult], known: Catalogue | None) -> dict[str, list[Answer]]:
    """Give what people said of stretches of recordings, by path, where they said something."""
    if known is None:
        return {}
    given = ((result.path, known.answers([result.path])) for result in results)
    return {path: answers for path, answers in given if answers}


@contextmanager
def _selecting(
    arguments: Sequence[str], asked: _Asked
) -> Iterator[tuple[Selected, Catalogue | None]]:
    """Find what is meant, and keep the catalogue open that was asked."""
    catalogue = asked.catalogue
    refuse_urls(arguments, ONLY_HERE)
    is_known = catalogue is not None or has_default()
    paths, words = _split(arguments, may_ask=is_known)
    named = _load(asked.model)
    if not words and not is_known:
        if any(map(os.path.isdir, paths)) and not (asked.quiet or asked.dry_run):
            tell(NOT_KEPT)
        with interrupts_tell(LOST):
            yield _selected(_label(paths, asked, None, named)), None
    else:
        create = catalogue is not None and not words
        as_copy = asked.dry_run or is_read_only(catalogue)
        with (
            interrupts_tell(UNTOUCHED if as_copy else REMEMBERED),
            open_catalogue(catalogue, create=create, as_copy=as_copy) as known,
        ):
            paths = [path for path in paths if is_path(path, known)]
            found, lost = _find(words, asked, known, named) if words else ([], [])
            labelled = _label(paths, asked, known, named) if paths else []
            yield _selected([*found, *labelled], lost), known


def _selected(results: Sequence[FileResult], lost: Sequence[FileResult] = ()) -> Selected:
    """Gather results by path, each file once, though it be known by a link too."""
    from asmr_classify.library.clips import Selected

    named = [(os.path.realpath(result.path), result) for result in results]
    named.sort(key=lambda one: one[0] == os.path.abspath(one[1].path))  # noqa: PTH100 (links first)
    by_file = dict(named)
    return Selected(
        sorted(by_file.values(), key=lambda result: result.path),
        [result for result in lost if os.path.realpath(result.path) not in by_file],
    )


def select_paths(
    arguments: Sequence[str],
    console: Console,
    *,
    quiet: bool = False,
    catalogue: Path | None = None,
) -> list[str]:
    """Find the files and folders that are meant by paths and a query; paths are not labelled.

    Files that a query finds and that have changed since are labelled, and kept in the catalogue, as
    :func:`select_results` does it; they must be found again.

    Parameters
    ----------
    arguments : sequence of str
        Files, and folders, of storage too; all else is one query.
    console : rich.console.Console
        On stderr.
    quiet : bool
        Show no progress.
    catalogue : Path, optional
        By default the one in the user's data folder.

    Returns
    -------
    list of str
        The paths as they are named, and then the files that the query finds.
    """
    paths, words = _split(arguments, may_ask=catalogue is not None or has_default())
    if not words:
        return paths
    as_copy = is_read_only(catalogue)
    with (
        interrupts_tell(UNTOUCHED if as_copy else REMEMBERED),
        open_catalogue(catalogue, as_copy=as_copy) as known,
    ):
        paths = [path for path in paths if is_path(path, known)]
        found, lost = _find(words, _Asked(console, quiet, catalogue, look=False), known, None)
    _tell_gone(lost, quiet=quiet)
    return [*paths, *(result.path for result in found)]


def known_kinds(
    results: Iterable[FileResult], known: Catalogue | None, model: Path | None
) -> tuple[str, ...]:
    """Tell which kinds of sound could have been told of results.

    Parameters
    ----------
    results : iterable of FileResult
    known : Catalogue or None
    model : Path, optional
        By default the shipped one.

    Returns
    -------
    tuple of str
        Those of the model, if it labelled all of these, and those that the catalogue holds.
    """
    from asmr_classify.model import load_model

    named = load_model(None if model is None else str(model))
    kinds = [*named.kinds] if all(result.model == named.id for result in results) else []
    if known is not None:
        kinds += known.kinds
    return tuple(dict.fromkeys(kinds))


def _split(arguments: Sequence[str], *, may_ask: bool) -> tuple[list[str], list[str]]:
    """Tell paths from the words of a query, which needs a catalogue that may be asked."""
    if not arguments:
        raise UsageError("nothing is named: give files, folders or a query")
    paths, words = split_words(arguments)
    check_words(words)
    if words and words[0] and not may_ask:  # an empty query asks for all
        raise UsageError(
            f"{as_typed(words[0])}: no such file or folder, and there is no catalogue to ask: "
            "check the name, or make one by 'asmr-classify label … --catalogue'"
        )
    return paths, words


def split_words(
    arguments: Iterable[str], known: Catalogue | None = None
) -> tuple[list[str], list[str]]:
    """Tell paths from the words of a query, see :func:`is_path`."""
    paths: list[str] = []
    words: list[str] = []
    for argument in arguments:
        (paths if is_path(argument, known) else words).append(argument)
    return paths, words


def is_path(word: str, known: Catalogue | None = None) -> bool:
    """Tell whether a word names something that is there, or that a catalogue knows.

    Raises
    ------
    UsageError
        If it may as well be meant as a query, of this catalogue or of any.
    """
    from asmr_classify.catalogue.fields import FIELDS, Vocabulary, is_query

    if is_url(word):
        return True
    if not (os.path.lexists(word) or (known is not None and known.knows(word))):
        return False
    vocabulary = Vocabulary(dict.fromkeys(() if known is None else known.labels, 0))
    # Whoever has a folder "music" means that, not what holds music somewhere.
    is_context = word not in FIELDS and kind_of(word) is Kind.CONTEXT
    is_bare = os.path.basename(word) == word  # noqa: PTH119 (any name)
    if is_bare and not is_context and is_query(word, vocabulary):
        query = f'" {word}", with a space,' if word in FIELDS else f"trigger:{word}"
        raise UsageError(
            f"{word}: is a name here, and a word of queries; write {os.curdir}{os.sep}{word} "
            f"for the path, {query} for the query"
        )
    return True


def check_words(words: Sequence[str]) -> None:
    """Refuse what was meant as a path, rather than tell that it is no query.

    Raises
    ------
    UsageError
        If a word looks like a path.
    """
    from asmr_classify.media.recognise import MEDIA_EXTENSIONS

    for word in words:
        is_named_so = word.rpartition(".")[2].lower() in MEDIA_EXTENSIONS and "." in word
        if (os.sep in word or is_named_so) and not LIKE_A_TERM.search(word):
            typed = as_typed(word)
            if os.path.lexists(typed):
                raise UsageError(like_an_option(typed))
            raise UsageError(f"{typed}: no such file or folder; check the name")


def _find(
    words: Sequence[str], asked: _Asked, known: Catalogue, named: Model | None
) -> tuple[list[FileResult], list[FileResult]]:
    """Find files as they are now, by the model that is named or by any, and those that are lost."""
    query = query_of(words)
    try:
        found = [result.path for result in known.find(query)]
    except QueryError as exc:
        if len(words) > 1 or LIKE_A_TERM.search(words[0]):
            raise
        # It may as well be a name that was mistyped.
        problem = f"no file or folder is called {words[0]!r}, and {exc.problem}"
        raise QueryError(exc.text, exc.span, problem, exc.known) from exc
    stale = [path for path in found if named is not None or not known.is_current(path)]
    stale = [path for path in stale if os.path.isfile(path)]  # noqa: PTH113 (any name)
    if stale and (asked.renew or named is not None):
        if named is None and not asked.quiet:
            tell(f"labelled anew: {counted(len(stale), 'recording')}, changed since")
        _label(stale, asked, known, named)
    results: list[FileResult] = []
    lost: list[FileResult] = []
    for result in known.find(query):
        kept = asked.kept(named_from_here(result))
        (results if _is_true(kept, known) else lost).append(kept)
    return results, lost


def _tell_gone(lost: Sequence[FileResult], *, quiet: bool) -> None:
    if quiet:
        return
    near = [result.path for result in lost if not is_url(result.path)]
    if n_far := len(lost) - len(near):
        tell(f"left out: {counted(n_far, 'recording')}, in storage")
    if near:
        tell(f"left out: {counted(len(near), 'recording')}, no longer there{_where_away(near)}")


def _where_away(paths: Iterable[str]) -> str:
    """Tell of the folder below which most files lie that are gone with all around them."""
    per_folder = Counter(os.path.dirname(os.path.abspath(path)) for path in paths)  # noqa: PTH100, PTH120
    away: Counter[str] = Counter()
    for folder, count in per_folder.items():
        if top := _away(folder):
            away[top] += count
    for top, count in away.most_common(1):
        return f"; {count} lay in {top}, which is gone or empty: is its disk or share connected?"
    return ""


def _away(folder: str) -> str:
    """Give the outermost folder that is gone, or this one if it is empty, as a disk leaves it."""
    top = ""
    while not os.path.isdir(folder):  # noqa: PTH112 (any name)
        top, folder = folder, os.path.dirname(folder)  # noqa: PTH120
        if top == folder:  # a drive of Windows
            break
    try:
        return top or (folder if not os.listdir(folder) else "")  # noqa: PTH208 (any name)
    except OSError:
        return ""


def _is_true(result: FileResult, known: Catalogue) -> bool:
    """Whether a result is of the file that is there; one that cannot be read has failed."""
    from asmr_classify.aggregate import Status

    has_failed = result.status is Status.FAILED
    return known.is_current(result.path) or (has_failed and os.path.isfile(result.path))  # noqa: PTH113


def _load(path: Path | None) -> Model | None:
    """Load the model that is named, if any: a wrong one is told even where all is known."""
    from asmr_classify.model import load_model

    return None if path is None else load_model(str(path))


def _label(
    paths: Sequence[str], asked: _Asked, catalogue: Catalogue | None, named: Model | None
) -> list[FileResult]:
    from asmr_classify.batch import label_paths
    from asmr_classify.catalogue import KnownResults
    from asmr_classify.cli.progress import Progress
    from asmr_classify.model import load_model

    model = load_model(None) if named is None else named
    of_any = named is None
    memory = None if catalogue is None else KnownResults(catalogue, model, of_any=of_any)
    progress = Progress(asked.console, quiet=asked.quiet)
    with progress, interrupts_deferred(progress.on_stopping) as stop:
        labelled = label_paths(
            paths,
            model=model,
            journal=memory,
            stop=stop,
            observer=progress,
            video=Effort.NORMAL if asked.look else None,
        )
        results = [asked.kept(result) for result in labelled]
    if stop.is_set():
        raise KeyboardInterrupt
    return results if catalogue is None else [catalogue.corrected(result) for result in results]
