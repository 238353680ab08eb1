"""What commands share that work on a catalogue: options, the words of a query, the results."""

from __future__ import annotations

import os
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from asmr_classify.cli.errors import ExitStatus, report_error, tell
from asmr_classify.cli.helps import Command
from asmr_classify.cli.results import open_writer
from asmr_classify.counts import counted
from asmr_classify.errors import CatalogueError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from contextlib import AbstractContextManager

    from asmr_classify.aggregate import FileResult
    from asmr_classify.batch import Journal, Memory
    from asmr_classify.catalogue import Catalogue, Query
    from asmr_classify.cli.formats import FormatName
    from asmr_classify.cli.results import PerFile
    from asmr_classify.model import Model
    from asmr_classify.writers import Writer

CatalogueOption = Annotated[
    Path | None,
    typer.Option(
        "--catalogue",
        metavar="FILE",
        help="The catalogue to use. Default: that of $ASMR_CLASSIFY_CATALOGUE, else "
        "catalogue.sqlite in the user's data folder.",
        show_default=False,
    ),
]
QueryArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="QUERY",
        help="Such as 'whisper>0.8 no_talking length:20m.. -crinkle kind:rain path:sleep'; a comma "
        "stands for or. Default: everything.",
        show_default=False,
    ),
]
WhatArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="QUERY|PATH",
        help="Recordings, videos and folders of them; all else is one query, see `find`.",
        show_default=False,
    ),
]
SortOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="FIELD[-]",
        help="Sort by a field, or by the score of a label or kind; with a dash behind it, greatest "
        "first. Repeatable. Default: path.",
        show_default=False,
    ),
]
LimitOption = Annotated[
    int | None, typer.Option(min=1, help="Give this many files at most.", show_default=False)
]


class CatalogueCommand(Command):
    """A command whose ``--catalogue`` may stand without a value, for the default one."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the default in, before all is parsed as usual."""
        args, rest = split_at_dashes(args)
        for place, (arg, after) in enumerate(zip(args, [*args[1:], "-"], strict=False)):
            if arg == "--catalogue" and after.startswith("-"):
                args[place] = f"--catalogue={_default_or_exit()}"
        return super().parse_args(ctx, [*args, *rest])


class QueryCommand(CatalogueCommand):
    """A command that takes a query, whose terms may begin with a dash."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Tell ``-crinkle`` from options: one dash, and more than flags such as ``-qv``."""
        args, rest = split_at_dashes(args)
        flags = {name[1:] for x in self.params if getattr(x, "is_flag", False) for name in x.opts}
        terms = [
            f"^{arg[1:]}" if _is_negation(arg) and not flags.issuperset(arg[1:]) else arg
            for arg in args
        ]
        return super().parse_args(ctx, [*terms, *rest])


def split_at_dashes(args: Sequence[str]) -> tuple[list[str], list[str]]:
    """Split arguments at ``--``, after which there are no options."""
    place = args.index("--") if "--" in args else len(args)
    return list(args[:place]), list(args[place:])


def _is_negation(arg: str) -> bool:
    return len(arg) > 2 and arg[0] == "-" != arg[1]


def query_of(words: Iterable[str] | None) -> Query:
    """Read the query that arguments make together.

    Raises
    ------
    QueryError
        If they make none.
    """
    from asmr_classify.catalogue import parse_query

    return parse_query(" ".join(map(as_typed, words or ())))


def as_typed(word: str) -> str:
    """Give a word the dash again that :class:`QueryCommand` hid from options."""
    return f"-{word[1:]}" if word.startswith("^") else word


def open_catalogue(path: Path | None, *, create: bool = False, as_copy: bool = False) -> Catalogue:
    """Open the catalogue of ``--catalogue``, or the default one; or a copy, for dry runs.

    Raises
    ------
    CatalogueError
        If it cannot be used.
    """
    from asmr_classify.catalogue import Catalogue, default_path

    place = default_path() if path is None else str(path)
    return Catalogue.open(place, create=create, as_copy=as_copy)


def has_default() -> bool:
    """Tell whether there is a catalogue in the default place."""
    from asmr_classify.catalogue import default_path

    try:
        return os.path.lexists(default_path())
    except CatalogueError:
        return False


def is_read_only(path: Path | None) -> bool:
    """Tell whether no other catalogue is named than the default one, and that may only be read."""
    from asmr_classify.catalogue import default_path

    if path is not None or not has_default():
        return False
    place = default_path()
    return os.access(place, os.R_OK) and not os.access(place, os.W_OK)


def _default_or_exit() -> str:
    """Give the default place while arguments are read, when no command reports errors yet."""
    from asmr_classify.catalogue import default_path

    try:
        return default_path()
    except CatalogueError as exc:
        raise typer.Exit(report_error(exc)) from exc


def named_from_here(result: FileResult) -> FileResult:
    """Name a result's file relative to the working directory, if it lies inside."""
    from asmr_classify.batch import name_from_here
    from asmr_classify.catalogue.contents import renamed

    return renamed(result, name_from_here(result.path))


def write_results(
    results: Iterable[FileResult],
    labels: Sequence[str],
    output: str,
    form: FormatName,
    *,
    per_file: PerFile | None = None,
    skip: Sequence[str] = (),
    kinds: Sequence[str] = (),
) -> ExitStatus:
    """Write results in their order, and tell if there are none.

    Raises
    ------
    OutputError
        If the output cannot be written.
    """
    options: dict[str, Any] = {"per_file": per_file, "skip": skip, "kinds": kinds}
    with open_writer(output, form, labels, keep_order=True, **options) as writer:
        return write_found(results, writer)


def write_found(results: Iterable[FileResult], writer: Writer) -> ExitStatus:
    """Write results by a writer, and tell if there are none.

    Raises
    ------
    OutputError
        If the output cannot be written.
    """
    n_written = 0
    for result in results:
        writer.write(named_from_here(result))
        n_written += 1
    if not n_written:
        tell("nothing in the catalogue matches")
    return ExitStatus.OK


def open_to_label(path: str | None) -> AbstractContextManager[Catalogue | None]:
    """Open the catalogue that results are kept in, if any; begin it if it is not there.

    Raises
    ------
    CatalogueError
        If it cannot be used.
    """
    return nullcontext() if path is None else open_catalogue(Path(path), create=True)


def join_memories(
    journal: Journal | None,
    catalogue: Catalogue | None,
    model: Model,
    *,
    fresh: bool,
    on_other: Callable[[FileResult], None] | None,
) -> Memory[FileResult]:
    """Make one memory of the journal of an output, which is asked first, and a catalogue."""
    from asmr_classify.batch import Memories
    from asmr_classify.catalogue import KnownResults

    memories: list[Memory[FileResult]] = [] if journal is None else [journal]
    if catalogue is not None:
        memories.append(KnownResults(catalogue, model, fresh=fresh, on_other=on_other))
    return Memories(*memories)


def other_teller(
    catalogue: Catalogue, model: Model, *, is_named: bool, warn: Callable[[str], None]
) -> Callable[[FileResult], None]:
    """Make what tells once that results of another model give way.

    Parameters
    ----------
    catalogue : Catalogue
    model : Model
        Labels anew.
    is_named : bool
        Whether the user named it: then only labels that are lost are worth a warning.
    warn : callable
        Called with the text.

    Returns
    -------
    callable
        For :class:`~asmr_classify.catalogue.KnownResults`.
    """
    from asmr_classify.catalogue.memory import name_of

    told: set[str] = set()

    def tell_of(other: FileResult) -> None:
        name = name_of(other)
        lost = [label for label in other.scores if label not in model.labels]
        if name in told or not other.scores or (is_named and not lost):
            return
        told.add(name)
        does_not_tell = f", which does not tell {', '.join(lost)}" if lost else ""
        count = counted(catalogue.n_labelled_by(name), "recording")
        warn(
            f"labelled by {other.model}: {count} of the catalogue; those at hand are labelled anew "
            f"by {model.id}{does_not_tell}. To label by {name}, stop this and give its file by "
            "--model"
        )

    return tell_of


class CorrectedWriter:
    """Applies what was set by hand to results before they are written.

    Parameters
    ----------
    writer : Writer
    catalogue : Catalogue or None
        None leaves results as they are.
    """

    def __init__(self, writer: Writer, catalogue: Catalogue | None) -> None:
        self._writer = writer
        self._catalogue = catalogue

    def write(self, result: FileResult) -> None:
        """Write one result."""
        self._writer.write(result if self._catalogue is None else self._catalogue.corrected(result))

    def close(self) -> None:
        """Leave the writer to whoever opened it."""
