"""``asmr-classify features``."""

from __future__ import annotations

import logging
import sys
from contextlib import ExitStack, closing
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from asmr_classify.cli.arguments import (
    HOW,
    WHERE,
    ExcludeOption,
    FilesFromOption,
    IncludeOption,
    JobsOption,
    LogFileOption,
    MaxMemoryOption,
    NullOption,
    PathsArgument,
    QuietOption,
    TimeoutOption,
    VerboseOption,
    check_writable,
    read_list,
)
from asmr_classify.cli.errors import ExitStatus, nothing_to_do, printable, reporting_errors, tell
from asmr_classify.cli.formats import STDOUT, is_terminal
from asmr_classify.cli.interrupts import interrupts_deferred, interrupts_tell, what_is_finished
from asmr_classify.cli.logs import set_up_logging
from asmr_classify.counts import counted
from asmr_classify.errors import UsageError

if TYPE_CHECKING:
    from threading import Event

    from rich.console import Console

    from asmr_classify.batch import Extracted, Parts
    from asmr_classify.cli.progress import Progress
    from asmr_classify.writers.rows import RowWriter

logger = logging.getLogger(__name__)

FRESH_ANYWAY = (
    "--fresh changes nothing here: only a file named by --output knows earlier rows, so all are "
    "computed anyway"
)


WRITTEN_ANEW = (
    "holds features of an earlier run, of which no rows are kept beside it that serve here; it is "
    "written anew"
)


class ByName(StrEnum):
    """What a row stands for, as :class:`asmr_classify.features.table.By`."""

    WINDOW = "window"
    FILE = "file"


class RowFormatName(StrEnum):
    """How rows are written."""

    CSV = "csv"
    PARQUET = "parquet"


@dataclass(frozen=True, slots=True)
class Request:
    """What the user asked for."""

    paths: tuple[str, ...]
    include: tuple[str, ...]
    exclude: tuple[str, ...]
    by: ByName
    output: str
    format: RowFormatName
    jobs: int | None
    timeout: float
    max_memory: int
    fresh: bool
    quiet: bool


@reporting_errors
def features(
    paths: PathsArgument = None,
    include: IncludeOption = None,
    exclude: ExcludeOption = None,
    files_from: FilesFromOption = None,
    null: NullOption = False,
    by: Annotated[
        ByName,
        typer.Option(
            metavar="window|file",
            help="A row for each window of two seconds, one a second, or one for each file: the "
            "mean over its audible windows.",
            rich_help_panel=HOW,
        ),
    ] = ByName.WINDOW,
    jobs: JobsOption = None,
    timeout: TimeoutOption = 60,
    max_memory: MaxMemoryOption = 2000,
    format_: Annotated[
        RowFormatName | None,
        typer.Option(
            "--format",
            "-f",
            metavar="csv|parquet",
            help="How rows are written. Default: by the ending of --output, else CSV.",
            show_default=False,
            rich_help_panel=WHERE,
        ),
    ] = None,
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Where rows go, a .csv or .parquet file; - is standard output. A file is "
            "accompanied by a folder (FILE.parts) with the rows of each recording, by which a run "
            "that was broken off goes on where it was, and a later one computes only what is new "
            "or changed. Remove it when there will be none.",
            rich_help_panel=WHERE,
        ),
    ] = Path(STDOUT),
    fresh: Annotated[
        bool,
        typer.Option(
            "--fresh",
            help="Compute everything anew, whatever is kept beside the output.",
            rich_help_panel=WHERE,
        ),
    ] = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
    log_file: LogFileOption = None,
) -> ExitStatus:
    """Write the features that the model hears by, as a table for models of your own.

    docs/features.md describes each column. A file that cannot be read is told of and has no rows.
    Recordings are only read.
    """
    from rich.console import Console

    from asmr_classify.writers.output import check_replaceable
    from asmr_classify.writers.rows import find_row_format

    console = Console(stderr=True)
    named = [*(paths or ()), *read_list(files_from, null=null)]
    if not named and files_from is None:
        raise UsageError("no recordings are named: give files or folders, or --files-from")
    check_writable((output, log_file), inputs=[*named, *filter(None, (files_from,))])
    name = format_ or _format_of(output)
    form = find_row_format(name.value)
    if str(output) != STDOUT:
        check_replaceable(str(output), form.is_own)
    elif not form.is_text and is_terminal():
        raise UsageError(f"--format {name}: is no text for a terminal; give --output FILE")
    set_up_logging(console, verbose=verbose, log_file=str(log_file) if log_file else None)
    request = Request(
        paths=tuple(named),
        include=tuple(include or ()),
        exclude=tuple(exclude or ()),
        by=by,
        output=str(output),
        format=name,
        jobs=jobs,
        timeout=timeout,
        max_memory=max_memory * 10**6,
        fresh=fresh,
        quiet=quiet,
    )
    return run(request, console)


def _format_of(output: Path) -> RowFormatName:
    """Tell the format by the ending of a file's name.

    Raises
    ------
    UsageError
        If the ending stands for none, or the output is a folder.
    """
    if str(output) == STDOUT:
        return RowFormatName.CSV
    if output.is_dir():
        raise UsageError(f"--output {output}: is a folder; name a .csv or .parquet file in it")
    suffix = output.suffix.lower()
    try:
        return RowFormatName(suffix.removeprefix("."))
    except ValueError as exc:
        raise UsageError(
            f"--output {output}: no table of features ends in {suffix or 'nothing'!r}; name a .csv "
            "or .parquet file, or give --format"
        ) from exc


def run(request: Request, console: Console) -> ExitStatus:
    """Compute what was asked for, and tell how it went.

    Parameters
    ----------
    request : Request
    console : rich.console.Console
        On stderr.
    """
    from asmr_classify.batch import Parts
    from asmr_classify.cli.progress import Progress
    from asmr_classify.cli.render import summary
    from asmr_classify.cli.results import file_to_go_on_with
    from asmr_classify.config import FeatureSpec
    from asmr_classify.features.table import By

    progress = Progress(console, quiet=request.quiet)
    kept_beside = file_to_go_on_with(request.output)
    if request.fresh and kept_beside is None and not request.quiet:
        tell(FRESH_ANYWAY, lead="note: ", style="bold")
    try:
        with (
            interrupts_tell(what_is_finished(is_kept=kept_beside is not None)),
            Parts.open(
                kept_beside, FeatureSpec(), By(request.by.value), fresh=request.fresh
            ) as parts,
            progress,
            interrupts_deferred(progress.on_stopping) as stop,
        ):
            is_there = kept_beside is not None and _holds_something(request.output)
            of_others = parts.are_of_others()
            if is_there and not request.quiet and (of_others or not parts.n_kept()):
                tell(f"{request.output}: {WRITTEN_ANEW}", lead="note: ", style="bold")
            n_written = _write_all(request, parts, stop, progress)
            n_left_out = 0 if of_others or stop.is_set() else parts.n_kept() - n_written
            if is_there and n_written and n_left_out > 0 and not request.quiet:
                _tell_left_out(n_left_out, request.output)
            if stop.is_set():
                raise KeyboardInterrupt
    finally:
        if progress.listed and not request.quiet:
            text = summary(progress, "read")
            console.print(text, highlight=False, markup=False, soft_wrap=True)
    return _exit_status(progress)


def _holds_something(output: str) -> bool:
    try:
        return Path(output).stat().st_size > 0
    except OSError:
        return False


def _tell_left_out(count: int, output: str) -> None:
    tell(
        f"{output}: without {counted(count, 'recording')} of earlier runs, not named now; rows "
        f"are kept in {output}.parts, so naming all brings them back at once",
        lead="note: ",
        style="bold",
    )


def _write_all(request: Request, parts: Parts, stop: Event, progress: Progress) -> int:
    """Compute and write, and count the recordings that have rows.

    An output is only begun once there is something to write.
    """
    from asmr_classify.batch import Limits, extract_paths

    results = extract_paths(
        request.paths,
        parts,
        jobs=request.jobs,
        include=request.include,
        exclude=request.exclude,
        limits=Limits(request.timeout, request.max_memory),
        stop=stop,
        observer=progress,
    )
    with closing(results), ExitStack() as stack:
        writer: RowWriter | None = None
        n_written = 0
        for result in results:
            n_written += result.part is not None
            writer = writer or _open_writer(request, parts, stack)
            for rows in parts.iter_rows(result):
                writer.write(result.path, rows)
            parts.drop(result)
            _tell_of(result, progress.console, quiet=request.quiet)
    return n_written


def _open_writer(request: Request, parts: Parts, stack: ExitStack) -> RowWriter:
    from asmr_classify.writers.output import Output, open_output, open_replacement
    from asmr_classify.writers.rows import find_row_format

    form = find_row_format(request.format.value)
    if request.output == STDOUT:
        output = Output(sys.stdout.buffer, "standard output")
    else:
        open_it = open_output if form.is_text else open_replacement
        output = stack.enter_context(open_it(request.output))
    writer = form.make_writer(output, parts.spec, parts.by)
    stack.callback(writer.close)
    return writer


def _tell_of(result: Extracted, console: Console, *, quiet: bool) -> None:
    from asmr_classify.aggregate import Status

    logger.info("%s: %s", printable(result.path), result.status.value)
    if result.error is None or result.status is Status.NO_AUDIO:
        return
    text = f"{result.status.value}: {printable(result.error.message)}"
    logger.debug("%s", text)
    if result.status is Status.FAILED or not quiet:
        console.print(text, style="yellow", highlight=False, markup=False, soft_wrap=True)


def _exit_status(progress: Progress) -> ExitStatus:
    from asmr_classify.aggregate import Status

    if not progress.statuses:
        return nothing_to_do("no recordings were found")
    return ExitStatus.SOME_FAILED if progress.statuses[Status.FAILED] else ExitStatus.OK
