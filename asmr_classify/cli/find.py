"""``asmr-classify find``."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from asmr_classify.cli.arguments import WHERE, JsonLinesOption
from asmr_classify.cli.catalogue import (
    CatalogueOption,
    LimitOption,
    QueryArgument,
    SortOption,
    open_catalogue,
    query_of,
    write_found,
    write_results,
)
from asmr_classify.cli.errors import ExitStatus, reporting_errors
from asmr_classify.cli.formats import (
    FORMAT_NAMES,
    STDOUT,
    FormatName,
    check_json,
    check_output_options,
    is_document,
    needs_skip,
)
from asmr_classify.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from asmr_classify.aggregate import FileResult


@reporting_errors
def find(
    query: QueryArgument = None,
    sort: SortOption = None,
    limit: LimitOption = None,
    format_: Annotated[
        FormatName | None,
        typer.Option(
            "--format",
            "-f",
            metavar="FORMAT",
            help=f"How results are written: {FORMAT_NAMES}. Default: table.",
            show_default=False,
            rich_help_panel=WHERE,
        ),
    ] = None,
    as_json: JsonLinesOption = False,
    paths: Annotated[
        bool,
        typer.Option("--paths", help="Write nothing but paths, one a line.", rich_help_panel=WHERE),
    ] = False,
    null: Annotated[
        bool,
        typer.Option(
            "--null",
            "-0",
            help="Write nothing but paths, each with a NUL byte behind, as xargs -0 and "
            "label --files-from - -0 read them.",
            rich_help_panel=WHERE,
        ),
    ] = False,
    catalogue: CatalogueOption = None,
) -> ExitStatus:
    """Find recordings in the catalogue.

    A label alone means files that are tagged with it (`whisper`; of a context: files in whose
    timeline it is), `whisper>0.8` a score, `share.tap>0.5` the share of the file that it covers;
    `kind:typing` a kind of sound that was told, `kind.typing>0.8` its score; a dash in front means
    the opposite (`-crinkle`). Further fields: `no_talking`, `length:20m..1h`,
    `longest_talk:..10s`, `path:text`, `trigger:tap` (the main one, or `none`), `status:failed`,
    `model:text`, `added:2026-01..`, `corrected` (by hand), `missing` (no longer there). Of what is
    seen: `visual:slow` (or `still`, `lively`), `light:dark` (or `dim`, `bright`), `picture:still`
    (or `video`, `cover`, `none`), `motion`, `light`, `cuts` and `flashes` by number
    (`cuts:..2`), `no_sound` (nothing is heard). Terms side by side must all hold; a comma stands
    for or.

    `A..B` holds both ends. In a shell, `>` and `<` need quotes; `whisper:0.8..` needs none.
    """
    asked = check_json(format_, as_json=as_json)
    form = asked or FormatName.TABLE
    if (paths or null) and asked is not None:
        option = "--null" if null else "--paths"
        raise UsageError(f"{option} and --format {form} exclude each other: leave one out")
    if needs_skip(form):
        raise UsageError(f"--format {form}: is written by `export --format {form} --skip LABEL`")
    from asmr_classify.catalogue.fields import kinds_asked

    with open_catalogue(catalogue) as known:
        asked_for = query_of(query)
        results: Iterable[FileResult] = known.find(asked_for, sort=sort or (), limit=limit)
        if paths or null:
            return write_found(results, PathWriter(b"\0" if null else b"\n"))
        n_found = 0
        if is_document(form):  # which holds one recording: refuse more before the first is written
            results = list(results)
            n_found = len(results)
        if n_found > 1:
            raise UsageError(
                f"--format {form}: such a file belongs to one recording, and {n_found} were found; "
                f"`export --format {form} --per-file DIR` writes a file each"
            )
        check_output_options(STDOUT, form, is_one=True)
        return write_results(results, known.labels, STDOUT, form, kinds=kinds_asked(asked_for))


class PathWriter:
    """Writes bare paths to standard output, as the bytes they are.

    Parameters
    ----------
    end : bytes
        What stands behind each.
    """

    def __init__(self, end: bytes) -> None:
        from asmr_classify.writers.output import Output

        self._output = Output(sys.stdout.buffer, "standard output")
        self._end = end

    def write(self, result: FileResult) -> None:
        """Write one path, which no program takes for an option."""
        path = result.path
        self._output.write(os.fsencode(f"./{path}" if path.startswith("-") else path) + self._end)

    def close(self) -> None:
        """Do nothing: every path is complete."""
