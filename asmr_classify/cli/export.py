"""``asmr-classify export``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

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
from asmr_classify.cli.results import STDOUT, FormatName, format_of


@reporting_errors
def export(
    query: QueryArgument = None,
    format_: Annotated[
        FormatName | None,
        typer.Option(
            "--format",
            "-f",
            help="How results are written. Default: by the ending of --output, else jsonl.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="FILE", help="Where they go; - is standard output."),
    ] = Path(STDOUT),
    sort: SortOption = None,
    limit: LimitOption = None,
    catalogue: CatalogueOption = None,
) -> ExitStatus:
    """Write what the catalogue holds, or what a query finds in it, in a format for others."""
    from asmr_classify.writers.output import check_output

    with open_catalogue(catalogue) as known:
        if str(output) != STDOUT:
            check_output(str(output), [known.path])
        form = format_ or (FormatName.JSONL if str(output) == STDOUT else format_of(str(output)))
        results = known.find(query_of(query), sort=sort or (), limit=limit)
        return write_results(results, known.labels, str(output), form)
