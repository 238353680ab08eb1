"""``asmr-classify review``."""

from __future__ import annotations

import os
import shlex
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from asmr_classify.cli.arguments import QuietOption, SelectionModelOption  # noqa: TC001 (Typer reads them)
from asmr_classify.cli.catalogue import CatalogueOption, WhatArgument  # noqa: TC001 (Typer reads them)
from asmr_classify.cli.errors import ExitStatus, nothing_to_do, reporting_errors, tell
from asmr_classify.cli.formats import STDOUT
from asmr_classify.cli.select import EVERYTHING, select_results, selecting_results
from asmr_classify.counts import counted
from asmr_classify.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from socket import socket as Socket
    from threading import Event

    from asmr_classify.aggregate import FileResult
    from asmr_classify.catalogue import Catalogue
    from asmr_classify.model import Model
    from asmr_classify.review import Session, Wish


@reporting_errors
def review(
    what: WhatArgument = None,
    order: Annotated[
        str,
        typer.Option(
            "--order",
            metavar="ORDER",
            help="What is asked first: mixed (of what the model is unsure, over all makers, "
            "recordings and sounds), uncertain, diverse, random, suspicious (what was answered or "
            "put into folders, and is likely wrong), or label=LABEL.",
        ),
    ] = "mixed",
    similar: Annotated[
        str | None,
        typer.Option(
            "--similar",
            metavar="FILE@TIME",
            help="Ask first what sounds like a place in a recording, as film.mkv@12.5 or "
            "film.mkv@1:02:03.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Write what --order suspicious finds as a table, .csv or .jsonl, in place of the "
            "page; - is standard output, as CSV.",
            show_default=False,
        ),
    ] = None,
    show_opinion: Annotated[
        bool,
        typer.Option(
            "--show-opinion",
            help="Show what the model thinks before the answer, which sways people, not after it.",
        ),
    ] = False,
    port: Annotated[
        int,
        typer.Option(
            "--port",
            min=0,
            max=65535,
            help="Port of the page, on this machine; 0 takes a free one.",
        ),
    ] = 0,
    no_browser: Annotated[
        bool,
        typer.Option("--no-browser", help="Only print the address of the page."),
    ] = False,
    model: SelectionModelOption = None,
    catalogue: CatalogueOption = None,
    quiet: QuietOption = False,
) -> ExitStatus:
    """Listen to short stretches of recordings on a page, and answer what is heard.

    The page is served on this machine alone, and opened in the browser; it needs no network. Each
    answer is in the catalogue at once, belongs to the sound and not to the name of its file, and
    outlives labelling anew. Ctrl-C, or the button on the page, ends it. Without QUERY or PATH, the
    whole catalogue is asked about; recordings that are named are labelled first where need be.

    Needs `pip install 'asmr-classify[review]'`.
    """
    from rich.console import Console

    from asmr_classify.catalogue import default_path
    from asmr_classify.catalogue.contents import renamed
    from asmr_classify.model import load_model
    from asmr_classify.review import Session, check_installed, listen, make_queue

    if output is not None:
        check_listed(output, order, similar)
    else:
        check_installed()
    console = Console(stderr=True)
    place = Path(default_path()) if catalogue is None else catalogue

    def label(names: Sequence[str]) -> list[FileResult]:
        found = select_results(
            names, console, quiet=quiet, catalogue=place, model=model, look=False
        )
        return [renamed(x, os.path.abspath(x.path)) for x in found]  # noqa: PTH100 (links are names)

    finding = partial(
        selecting_results,
        what or (EVERYTHING,),
        console,
        quiet=quiet,
        catalogue=place,
        model=model,
        look=False,
        timelines=False,
    )
    if output is not None:
        with finding() as (results, known):
            return _list_suspicious(results, cast("Catalogue", known), output, quiet=quiet)
    with listen(port) as socket:
        with finding() as (results, known):
            labels = [*dict.fromkeys(x for result in results for x in result.scores)]
            known = cast("Catalogue", known)
            answers = known.answers()
            named = dict.fromkeys([*labels, *(x for answer in answers for x in answer.asked)])
            wish = _read_wish(order, similar, [*named], label)
            stretches = make_queue(_iter_whole(results, known), answers, wish)
            if not stretches:
                return nothing_to_do(_why_nothing(results, known))
        del results  # they are many, and a sitting is long
        session = Session(str(place), stretches, labels, shows_opinion=show_opinion)
        del stretches
        _serve(session, socket, wish, load_model(model), browse=not no_browser, quiet=quiet)
    if not quiet:
        tell(f"{counted(session.n_given, 'answer')} kept in {place}")
        if session.n_given > 0:
            of = "" if catalogue is None else f" --catalogue {shlex.quote(str(catalogue))}"
            tell(f"teach makes a model of them: asmr-classify teach{of} --output mine.safetensors")
    return ExitStatus.OK


def check_listed(output: Path, order: str, similar: str | None) -> None:
    """Refuse a table of anything but what is suspicious, or that cannot be written.

    Raises
    ------
    OutputError, UsageError, MissingExtraError
    """
    from asmr_classify.review import Order
    from asmr_classify.review.suspicious import COLUMNS
    from asmr_classify.training.suspicious import check_cleanlab
    from asmr_classify.writers.tables import check_table

    if order != Order.SUSPICIOUS or similar is not None:
        raise UsageError(f"--output {output}: is for --order suspicious, alone")
    check_cleanlab("--order suspicious")
    if str(output) != STDOUT:
        check_table(output, "--output", COLUMNS)


def _iter_whole(results: Iterable[FileResult], known: Catalogue) -> Iterator[FileResult]:
    """Give, one after the other, those in which something was heard, with their timelines."""
    from asmr_classify.review.stretches import HEARD

    for result in results:
        if result.status in HEARD:
            try:
                yield known.result_of(os.path.abspath(result.path))  # noqa: PTH100 (links are names)
            except UsageError as exc:  # it changed while others were labelled
                tell(str(exc), lead="left out: ")


def _list_suspicious(
    results: Sequence[FileResult], known: Catalogue, output: Path, *, quiet: bool
) -> ExitStatus:
    """Write what was said and is likely wrong."""
    from asmr_classify.batch import name_from_here
    from asmr_classify.review.stretches import by_path
    from asmr_classify.review.suspicious import COLUMNS, claim_to_row, claims_of, find_doubtful
    from asmr_classify.writers.output import write_whole
    from asmr_classify.writers.tables import is_table_json, table_text

    if not results:
        return nothing_to_do(_why_nothing(results, known))
    given = by_path(known.answers())
    claims = (
        claim for x in _iter_whole(results, known) for claim in claims_of(x, given.get(x.path, ()))
    )
    found = [claim_to_row(x) for x in find_doubtful(claims)]
    rows = [row | {"path": name_from_here(row["path"])} for row in found]
    if str(output) == STDOUT:
        typer.echo(table_text(COLUMNS, rows, as_json=False), nl=False)
    else:
        text = table_text(COLUMNS, rows, as_json=is_table_json(output, "--output"))
        write_whole(output, text.encode())
    if not quiet:
        tell(f"likely wrong, of what was answered or put into folders: {len(rows)}")
    return ExitStatus.OK


def _read_wish(
    order: str, similar: str | None, labels: Sequence[str], label: Callable[..., list[FileResult]]
) -> Wish:
    from asmr_classify.review import Order, Wish, parse_order, place_like, read_place
    from asmr_classify.training.suspicious import check_cleanlab

    chosen, about = parse_order(order, labels)
    if chosen is Order.SUSPICIOUS:
        check_cleanlab("--order suspicious")
    if similar is None:
        return Wish(chosen, about)
    if chosen is not Order.MIXED:
        raise UsageError("--similar is an order of its own; leave --order out")
    path, at = read_place(similar)
    if not os.path.isfile(path):  # noqa: PTH113 (any name)
        raise UsageError(f"--similar {similar}: there is no file {path}; check the name")
    (result,) = label([path])
    return Wish(like=place_like(result, at))


def _why_nothing(results: Sequence[FileResult], known: Catalogue) -> str:
    from asmr_classify.review import cut_stretches

    if not results:
        return "no recordings were found, so there is nothing to review"
    if any(map(cut_stretches, _iter_whole(results, known))):
        return (
            "all stretches of these recordings were answered, or cannot hold the label; name "
            "others, or look through answers by --order suspicious"
        )
    return "nothing is heard in these recordings, so there is nothing to review"


def _serve(
    session: Session, socket: Socket, wish: Wish, model: Model, *, browse: bool, quiet: bool
) -> None:
    """Serve until the page or an interrupt ends it, which is how it is meant to end."""
    from asmr_classify.review import embedder, open_browser, refine, serve

    def show(address: str) -> None:
        typer.echo(address)
        if not browse or not open_browser(address):
            tell("open this address in a browser; Ctrl-C ends it")

    embed = embedder(model)
    if embed is None and not quiet:
        tell(f"{model.id} cannot tell sounds apart beyond its labels: what is asked goes by these")

    def listen_ahead(stop: Event) -> None:
        if embed is not None:
            refine(session, wish, stop, embed)

    with suppress(KeyboardInterrupt):
        serve(session, socket, on_address=show, work=listen_ahead)
