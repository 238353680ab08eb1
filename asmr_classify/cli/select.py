"""What a command is to work on: recordings that are named or found become results."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from asmr_classify.cli.catalogue import has_default, named_from_here, open_catalogue, query_of
from asmr_classify.cli.interrupts import interrupts_deferred
from asmr_classify.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from rich.console import Console

    from asmr_classify.aggregate import FileResult
    from asmr_classify.catalogue import Catalogue

LIKE_A_TERM = re.compile(r"[:=<>]")


def select_results(
    arguments: Sequence[str],
    console: Console,
    *,
    quiet: bool = False,
    catalogue: Path | None = None,
) -> list[FileResult]:
    """Find what is meant by paths and a query.

    What the catalogue knows of a file that has not changed, by the shipped model, is taken from
    there; other files are labelled, and added. Without a catalogue, paths are labelled.

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

    Returns
    -------
    list of FileResult
        By path, each once, with corrections.

    Raises
    ------
    UsageError
        If nothing is named, or a path is not there.
    QueryError
        If the query is wrong.
    CatalogueError
        If a catalogue is needed and cannot be used.
    KeyboardInterrupt
        If the user asked to stop.
    """
    if not arguments:
        raise UsageError("nothing is named: give files, folders or a query")
    paths = [argument for argument in arguments if os.path.lexists(argument)]
    words = [argument for argument in arguments if argument not in paths]
    _check_words(words)
    if not words and catalogue is None and not has_default():
        results = _label(paths, console, None, quiet=quiet)
    else:
        with open_catalogue(catalogue, create=catalogue is not None and not words) as known:
            found = map(named_from_here, known.find(query_of(words))) if words else ()
            results = [*found, *(_label(paths, console, known, quiet=quiet) if paths else ())]
    return sorted(
        {os.path.abspath(result.path): result for result in results}.values(),  # noqa: PTH100 (links are names)
        key=lambda result: result.path,
    )


def _check_words(words: Sequence[str]) -> None:
    """Refuse what was meant as a path, rather than tell that it is no query."""
    from asmr_classify.media.discover import MEDIA_EXTENSIONS

    for word in words:
        is_named_so = word.rpartition(".")[2].lower() in MEDIA_EXTENSIONS and "." in word
        if (os.sep in word or is_named_so) and not LIKE_A_TERM.search(word):
            raise UsageError(f"{word}: no such file or folder; check the name")


def _label(
    paths: Sequence[str], console: Console, catalogue: Catalogue | None, *, quiet: bool
) -> list[FileResult]:
    from asmr_classify.batch import label_paths
    from asmr_classify.catalogue import KnownResults
    from asmr_classify.cli.progress import Progress
    from asmr_classify.model import load_model

    model = load_model()
    memory = None if catalogue is None else KnownResults(catalogue, model)
    progress = Progress(console, quiet=quiet)
    with progress, interrupts_deferred(progress.on_stopping) as stop:
        results = list(
            label_paths(paths, model=model, journal=memory, stop=stop, observer=progress)
        )
    if stop.is_set():
        raise KeyboardInterrupt
    return results if catalogue is None else [catalogue.corrected(result) for result in results]
