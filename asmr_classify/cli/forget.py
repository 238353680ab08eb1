"""``asmr-classify forget``."""

from __future__ import annotations

from typing import Annotated

import typer

from asmr_classify.cli.arguments import refuse_empty
from asmr_classify.cli.catalogue import CatalogueOption, open_catalogue, query_of
from asmr_classify.cli.errors import ExitStatus, reporting_errors, tell
from asmr_classify.cli.select import check_words, split_words
from asmr_classify.counts import counted


@reporting_errors
def forget(
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="QUERY|PATH",
            help="Files, folders for all below them, and a query, such as missing.",
        ),
    ],
    catalogue: CatalogueOption = None,
) -> ExitStatus:
    """Take files out of the catalogue; the files themselves are left alone.

    `forget missing` takes out those that are no longer there. Corrections by hand are kept for
    the case that the same content comes back.
    """
    refuse_empty(words)
    with open_catalogue(catalogue) as known:
        paths, rest = split_words(words, known)
        check_words(rest)
        n_forgotten = known.forget(paths, query_of(rest) if rest else None)
    tell(f"{counted(n_forgotten, 'file')} forgotten")
    return ExitStatus.OK
