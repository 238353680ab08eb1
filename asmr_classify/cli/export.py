"""``asmr-classify export``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from asmr_classify.cli.arguments import PerFileOption, SkipOption  # noqa: TC001 (Typer reads them)
from asmr_classify.cli.catalogue import (
    CatalogueOption,
    LimitOption,
    QueryArgument,
    SortOption,
    open_catalogue,
    query_of,
    write_results,
)
from asmr_classify.cli.errors import ExitStatus, reporting_errors
from asmr_classify.cli.formats import (
    FORMAT_NAMES,
    STDOUT,
    FormatName,
    check_earlier,
    check_output_options,
    format_of,
    is_document,
)
from asmr_classify.cli.logs import set_up_logging
from asmr_classify.cli.results import open_per_file

if TYPE_CHECKING:
    from collections.abc import Iterable

    from asmr_classify.aggregate import FileResult


@reporting_errors
def export(
    query: QueryArgument = None,
    format_: Annotated[
        FormatName | None,
        typer.Option(
            "--format",
            "-f",
            metavar="FORMAT",
            help=f"How results are written: {FORMAT_NAMES}. Default: by the ending of --output, "
            "else jsonl.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="FILE", help="Where they go; - is standard output."),
    ] = Path(STDOUT),
    per_file: PerFileOption = None,
    skip: SkipOption = None,
    sort: SortOption = None,
    limit: LimitOption = None,
    catalogue: CatalogueOption = None,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Name every recording that is left out.")
    ] = False,
) -> ExitStatus:
    """Write what the catalogue holds, or what a query finds in it, in a format for others."""
    from rich.console import Console

    from asmr_classify.catalogue.fields import kinds_asked
    from asmr_classify.writers.output import check_output

    console = Console(stderr=True)
    set_up_logging(console, verbose=verbose, log_file=None)
    folder = None if per_file is None else str(per_file)
    form = format_
    if form is None and folder is None:
        form = FormatName.JSONL if str(output) == STDOUT else format_of(str(output))
    with open_catalogue(catalogue) as known:
        if str(output) != STDOUT:
            check_output(str(output), [known.path])
        asked_for = query_of(query)
        results: Iterable[FileResult] = known.find(asked_for, sort=sort or (), limit=limit)
        paths: list[str] = []
        if folder is not None or is_document(form):  # how many there are, and where, matters
            results = list(results)
            paths = [result.path for result in results]
        check_output_options(
            str(output), form, per_file=folder, skip=skip or (), is_one=len(paths) < 2
        )
        if folder is None and form is not None:
            check_earlier(str(output), form)
        return write_results(
            results,
            known.labels,
            str(output),
            form or FormatName.TABLE,
            per_file=open_per_file(folder, paths, console),
            skip=skip or (),
            kinds=kinds_asked(asked_for),
        )
