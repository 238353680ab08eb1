"""What options and arguments say, as commands use it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from asmr_classify.cli.formats import STDOUT
from asmr_classify.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

STDIN = "-"

WHAT, HOW, WHERE, TALK = "Which recordings", "How", "Results", "Talk on stderr"
"""Panels of the help."""

MAKERS = (
    "creator, by what stands before ' - ' in a name, else the folder; folder; or recording, each "
    "of which is then a maker of its own"
)
"""What --group-by may say, in the help."""

PathsArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="PATH",
        help="Recordings, videos, and folders of them; addresses in storage too, such as "
        "s3://bucket/prefix.",
    ),
]
IncludeOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="GLOB",
        help="Of folders, take only files that match. Repeatable.",
        rich_help_panel=WHAT,
    ),
]
ExcludeOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="GLOB",
        help="Leave out files and folders that match. Repeatable.",
        rich_help_panel=WHAT,
    ),
]
FilesFromOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Read further paths from a file, one a line; - is standard input.",
        rich_help_panel=WHAT,
    ),
]
NullOption = Annotated[
    bool,
    typer.Option(
        "--null",
        "-0",
        help="Paths in --files-from end in NUL bytes, as find -print0 writes them.",
        rich_help_panel=WHAT,
    ),
]
JobsOption = Annotated[
    int | None,
    typer.Option(
        "--jobs",
        "-j",
        min=1,
        help="Worker processes. Default: one per core.",
        show_default=False,
        rich_help_panel=HOW,
    ),
]
DaskOption = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
        help="Work on a Dask cluster: tcp://host:8786, a scheduler file, or local. Needs the "
        "extra dask; docs/cluster.md tells how.",
        show_default=False,
        rich_help_panel=HOW,
    ),
]
TimeoutOption = Annotated[
    float,
    typer.Option(
        metavar="SECONDS",
        min=1,
        help="Give up a file of which nothing is decoded for this long.",
        rich_help_panel=HOW,
    ),
]
MaxMemoryOption = Annotated[
    int,
    typer.Option(
        metavar="MB",
        min=500,
        help="Memory that one file may take (on Linux).",
        rich_help_panel=HOW,
    ),
]
NoVideoOption = Annotated[
    bool,
    typer.Option(
        "--no-video",
        help="Only listen: tell nothing of motion, light, cuts and flashes of videos.",
        rich_help_panel=HOW,
    ),
]
ModelOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="Label by this model, not the shipped one.", rich_help_panel=HOW
    ),
]
SelectionModelOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Label by this model, not the shipped one. What a query finds is labelled by it too, "
        "and then left out if the query no longer finds it.",
        rich_help_panel=HOW,
    ),
]
QuietOption = Annotated[
    bool,
    typer.Option(
        "--quiet", "-q", help="Nothing but results and what goes wrong.", rich_help_panel=TALK
    ),
]
VerboseOption = Annotated[
    bool,
    typer.Option(
        "--verbose", "-v", help="Also every file as it is finished.", rich_help_panel=TALK
    ),
]
LogFileOption = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Append a detailed log to this file.", rich_help_panel=TALK),
]

PerFileOption = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        help="Write a file for each recording into this folder, which mirrors the tree of "
        "recordings, in place of --output. `label` keeps its journal in it too.",
        rich_help_panel=WHERE,
    ),
]
JsonLinesOption = Annotated[
    bool,
    typer.Option(
        "--json", help="JSON Lines, as --format jsonl writes them.", rich_help_panel=WHERE
    ),
]
SkipOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="LABEL",
        help="What --format edl and mpv-edl leave out; lively: where much moves in a video, "
        "which chapters of --format youtube then tell. Repeatable.",
        rich_help_panel=WHERE,
    ),
]


def read_list(files_from: Path | None, *, null: bool) -> list[str]:
    """Read the paths of ``--files-from``.

    Raises
    ------
    UsageError
        If the list cannot be read, or ``null`` is given without one.
    """
    from asmr_classify.media.discover import read_paths

    if files_from is None:
        if null:
            raise UsageError("--null tells how --files-from is read: give that too")
        return []
    separator = b"\0" if null else b"\n"
    if str(files_from) == STDIN:
        return read_paths(sys.stdin.buffer, separator=separator)
    try:
        with files_from.open("rb") as file:
            return read_paths(file, separator=separator)
    except OSError as exc:
        raise UsageError(f"--files-from {files_from}: cannot be read: {exc.strerror}") from exc


def check_writable(targets: Iterable[Path | None], *, inputs: Iterable[str | Path]) -> None:
    """Refuse to write over a recording or an input."""
    from asmr_classify.writers.output import check_output

    read = [str(path) for path in inputs]
    for target in targets:
        if target is not None and str(target) != STDOUT:
            check_output(str(target), read)


def refuse_urls(paths: Iterable[str], why: str) -> None:
    """Refuse addresses in storage where only files of this machine will do.

    Raises
    ------
    UsageError
        Which says why, and what to do.
    """
    from asmr_classify.media.source import as_source, is_url

    for path in paths:
        if is_url(path):
            raise UsageError(f"{as_source(path)}: {why}")


def refuse_empty(words: Iterable[str]) -> None:
    """Refuse an empty name, which an unset variable of a shell gives, and which asks for all.

    Raises
    ------
    UsageError
        If there is one.
    """
    if "" in words:
        raise UsageError(
            "'': an empty name asks for every recording of the catalogue; name their folder"
        )


def parse_threshold(text: str) -> tuple[str, float]:
    """Parse ``LABEL=X``.

    Raises
    ------
    UsageError
        If it is not of that form.

    Examples
    --------
    >>> parse_threshold("tap=0.4")
    ('tap', 0.4)
    """
    name, _, value = text.rpartition("=")
    try:
        return name, float(value)
    except ValueError as exc:
        raise UsageError(f"--threshold {text!r}: write LABEL=X, as in whisper=0.6") from exc


def parse_time(option: str, text: str) -> float:
    """Read a duration such as ``10s``.

    Raises
    ------
    UsageError
        If it is none.

    Examples
    --------
    >>> parse_time("--settle", "1m30s")
    90.0
    """
    from asmr_classify.catalogue.ranges import parse_duration

    try:
        return parse_duration(text).low or 0.0
    except UsageError as exc:
        raise UsageError(f"{option} {exc}") from exc


def is_one_file(named: list[str]) -> bool:
    """Tell whether a single file is named, and no folder.

    An address in storage stands for one file where it is named like one; nothing is asked for.
    """
    from asmr_classify.media.recognise import MEDIA_EXTENSIONS, extension_of
    from asmr_classify.media.source import Url, as_source

    source = as_source(named[0]) if len(named) == 1 else ""
    if isinstance(source, Url):
        return extension_of(source.bare) in MEDIA_EXTENSIONS and not set("*?[") & set(source.bare)
    return len(named) == 1 and not Path(named[0]).is_dir()
