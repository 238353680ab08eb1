"""``asmr-classify check``."""

from __future__ import annotations

import logging
import sys
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from asmr_classify.cli.arguments import (
    HOW,
    WHERE,
    ExcludeOption,
    IncludeOption,
    LogFileOption,
    MaxMemoryOption,
    ModelOption,
    NoVideoOption,
    QuietOption,
    TimeoutOption,
    VerboseOption,
    check_writable,
)
from asmr_classify.cli.catalogue import CatalogueOption, WhatArgument  # noqa: TC001 (Typer reads them)
from asmr_classify.cli.errors import ExitStatus, nothing_to_do, printable, reporting_errors
from asmr_classify.cli.formats import STDOUT
from asmr_classify.cli.interrupts import interrupts_deferred, interrupts_tell
from asmr_classify.cli.logs import set_up_logging
from asmr_classify.cli.results import console_on, forgiving
from asmr_classify.errors import UsageError
from asmr_classify.visual.seen import Effort

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from threading import Event
    from typing import TextIO

    from rich.console import Console

    from asmr_classify.check import CheckResult, CheckTask
    from asmr_classify.check.limits import Limits, Verdict
    from asmr_classify.cli.progress import Progress
    from asmr_classify.media.found import Found
    from asmr_classify.writers.output import Output

logger = logging.getLogger(__name__)

REST = "what was finished is written; the rest was not checked"
"""What an interrupt leaves."""

TABLE_SUFFIX = ".txt"


class Form(Enum):
    """How results are written."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


@dataclass(frozen=True, slots=True)
class Request:
    """What the user asked for."""

    what: tuple[str, ...]
    include: tuple[str, ...]
    exclude: tuple[str, ...]
    output: str
    form: Form
    model: Path | None
    catalogue: Path | None
    limits: str | None
    quiet: bool
    video: Effort | None
    timeout: float
    max_memory: int


@reporting_errors
def check(
    what: WhatArgument = None,
    include: IncludeOption = None,
    exclude: ExcludeOption = None,
    limits: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Judge by the limits of this TOML file instead of the default ones.",
            rich_help_panel=HOW,
        ),
    ] = None,
    show_limits: Annotated[
        bool,
        typer.Option(
            "--show-limits",
            help="Print the default limits with their sources, to be edited, and exit.",
            rich_help_panel=HOW,
        ),
    ] = False,
    no_video: NoVideoOption = False,
    timeout: TimeoutOption = 60,
    max_memory: MaxMemoryOption = 2000,
    model: ModelOption = None,
    catalogue: CatalogueOption = None,
    as_json: Annotated[
        bool,
        typer.Option(
            "--json",
            help="Write one JSON object a line and file, with all figures and labels.",
            rich_help_panel=WHERE,
        ),
    ] = False,
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Where results go; - is standard output. A .jsonl or .json file gets JSON, a "
            ".csv file all figures, a row a file, a .txt file the table.",
            rich_help_panel=WHERE,
        ),
    ] = Path(STDOUT),
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
    log_file: LogFileOption = None,
) -> ExitStatus:
    """Measure recordings before an upload or a night, and judge them by limits.

    Loudness, true peak, sudden loud moments, what the channels are to each other, the rhythm of
    taps and the share of talk; of videos, light and flashes of the picture. Exit status: 5 if any
    file fails a limit, else 3 if any could not be read. Recordings are only read; those that a
    query finds are measured as they are now.
    """
    from rich.console import Console

    from asmr_classify.writers.output import check_replaceable

    if show_limits:
        return _show_limits(what)
    if not what:
        raise UsageError("nothing to check is named: give files, folders or a query")
    check_writable((output, log_file), inputs=[*what, *filter(None, (limits, model))])
    console = Console(stderr=True)
    set_up_logging(console, verbose=verbose, log_file=str(log_file) if log_file else None)
    request = Request(
        what=tuple(what),
        include=tuple(include or ()),
        exclude=tuple(exclude or ()),
        output=str(output),
        form=Form.JSON if as_json else _form_of(output),
        model=model,
        catalogue=catalogue,
        limits=str(limits) if limits else None,
        quiet=quiet,
        video=None if no_video else Effort.NORMAL,
        timeout=timeout,
        max_memory=max_memory * 10**6,
    )
    if request.output != STDOUT:
        check_replaceable(request.output, lambda path: _holds(request.form, path))
    return run(request, console)


def _holds(form: Form, path: str) -> bool:
    """Tell whether a file holds results that were written so."""
    from asmr_classify.check.record import COLUMNS, holds_checks
    from asmr_classify.cli.check_view import holds_check_table
    from asmr_classify.writers.tables import holds_table

    if form is Form.CSV:
        return holds_table(path, COLUMNS, as_json=False)
    return holds_checks(path) if form is Form.JSON else holds_check_table(path)


def _form_of(output: Path) -> Form:
    """Tell by the ending of a file's name how results are written into it.

    Raises
    ------
    UsageError
        If the ending stands for none, or the output is a folder.
    """
    from asmr_classify.writers.tables import CSV_SUFFIX, JSON_SUFFIXES

    suffix = output.suffix.lower()
    if output.is_dir():
        raise UsageError(f"--output {output}: is a folder; name a .jsonl, .csv or .txt file in it")
    if suffix == CSV_SUFFIX:
        return Form.CSV
    if str(output) != STDOUT and suffix not in {TABLE_SUFFIX, *JSON_SUFFIXES}:
        raise UsageError(
            f"--output {output}: checks are not written as {suffix or 'files without an ending'}; "
            "name a .jsonl or .csv file for all figures, a .txt file for the table, or give --json"
        )
    return Form.JSON if suffix in JSON_SUFFIXES else Form.TABLE


def _show_limits(what: list[str] | None) -> ExitStatus:
    from asmr_classify.check.limits import default_limits_text

    if what:
        raise UsageError("--show-limits prints the default limits and checks nothing: name no file")
    typer.echo(default_limits_text(), nl=False)
    return ExitStatus.OK


def run(request: Request, console: Console) -> ExitStatus:
    """Check what was asked for, one file after the other, and tell how it went.

    Parameters
    ----------
    request : Request
    console : rich.console.Console
        On stderr.
    """
    from asmr_classify.check import CheckTask
    from asmr_classify.check.limits import load_limits
    from asmr_classify.cli.check_view import check_summary
    from asmr_classify.cli.progress import Progress
    from asmr_classify.cli.select import select_paths
    from asmr_classify.model import load_model

    limits = load_limits(request.limits)
    model = load_model(str(request.model) if request.model else None)
    paths = select_paths(
        request.what,
        console,
        quiet=request.quiet,
        catalogue=request.catalogue,
    )
    task = CheckTask(model, limits, request.video)
    progress = Progress(console, quiet=request.quiet)
    verdicts: list[Verdict | None] = []
    with (
        interrupts_tell(REST),
        _open_sink(request, limits, progress) as write,
        progress,
        interrupts_deferred(progress.on_stopping) as stop,
    ):
        finds = _find(paths, request, progress)
        for result in _iter_checked(finds, task, request, progress, stop):
            logger.info("%s: %s", printable(result.labels.path), result.verdict or "not read")
            verdicts.append(result.verdict)
            write(result)
    if verdicts and not request.quiet:
        console.print(check_summary(verdicts), highlight=False, markup=False, soft_wrap=True)
    if stop.is_set():
        raise KeyboardInterrupt(REST)
    return _exit_status(verdicts)


def _iter_checked(
    finds: Iterable[Found], task: CheckTask, request: Request, progress: Progress, stop: Event
) -> Iterator[CheckResult]:
    """Check file after file; one that fails, or crashes its process, costs no other."""
    from asmr_classify.batch import Limits, iter_apart

    within = Limits(request.timeout, request.max_memory)
    outcomes = iter_apart(finds, task, 1, limits=within, stop=stop, on_decoded=progress.on_decoded)
    with closing(outcomes):
        for outcome in outcomes:
            path = printable(outcome.found.path)
            if outcome.trace is not None:
                logger.error("%s: unexpected error\n%s", path, outcome.trace)
            if outcome.fetched.n_requests:
                logger.info("%s: %s", path, outcome.fetched)
            progress.on_finished(outcome.found, outcome.result.labels)
            yield outcome.result


def _find(paths: Iterable[str], request: Request, progress: Progress) -> list[Found]:
    """Find all files first: the time left is then known."""
    from asmr_classify.batch import name_from_here, named_plainly
    from asmr_classify.media.discover import discover
    from asmr_classify.media.found import Found
    from asmr_classify.media.opening import check_sources

    names = [name_from_here(path) for path in paths]
    check_sources(names)
    finds = []
    for find in discover(names, include=request.include, exclude=request.exclude):
        if isinstance(find, Found):
            finds.append(named_plainly(find))
            progress.on_found(finds[-1])
        else:
            progress.on_ignored(find)
    progress.on_listed()
    return finds


@contextmanager
def _open_sink(
    request: Request, limits: Limits, progress: Progress
) -> Iterator[Callable[[CheckResult], None]]:
    """Open where results go, and give what writes one as soon as it is there."""
    from asmr_classify.writers.output import Output, open_output

    with ExitStack() as stack:
        if request.output != STDOUT:
            stream: Output | TextIO = stack.enter_context(open_output(request.output))
        elif request.form is Form.JSON:
            stream = Output(sys.stdout.buffer, "standard output")
        else:
            stream = forgiving(sys.stdout)
        if request.form is Form.TABLE:
            yield _table_writer(stream, limits, progress)
        else:
            yield (_line_writer if request.form is Form.JSON else _row_writer)(stream)


def _line_writer(stream: Output | TextIO) -> Callable[[CheckResult], None]:
    from asmr_classify.check.record import check_to_record
    from asmr_classify.writers.jsonl import record_to_line

    def write(result: CheckResult) -> None:
        stream.write(record_to_line(check_to_record(result)) + "\n")

    return write


def _row_writer(stream: Output | TextIO) -> Callable[[CheckResult], None]:
    from asmr_classify.check.record import COLUMNS, check_to_row
    from asmr_classify.writers.tables import csv_line

    stream.write(csv_line(COLUMNS))

    def write(result: CheckResult) -> None:
        row = check_to_row(result)
        stream.write(csv_line(row.get(name) for name in COLUMNS))

    return write


def _table_writer(
    stream: Output | TextIO, limits: Limits, progress: Progress
) -> Callable[[CheckResult], None]:
    from asmr_classify.cli.check_view import check_view

    console = console_on(stream)

    def write(result: CheckResult) -> None:
        with progress.paused():
            console.print(check_view(result, limits, width=console.width), highlight=False)

    return write


def _exit_status(verdicts: list[Verdict | None]) -> ExitStatus:
    from asmr_classify.check.limits import Verdict

    if not verdicts:
        return nothing_to_do("nothing to check was found")
    if Verdict.FAIL in verdicts:
        return ExitStatus.CHECK_FAILED
    return ExitStatus.SOME_FAILED if None in verdicts else ExitStatus.OK
