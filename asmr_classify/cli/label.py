"""``asmr-classify label``."""

from __future__ import annotations

import logging
import sys
from contextlib import closing, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from asmr_classify.cli.errors import ExitStatus, printable, reporting_errors, tell
from asmr_classify.cli.interrupts import interrupts_deferred
from asmr_classify.cli.logs import set_up_logging
from asmr_classify.cli.results import STDOUT, FormatName, check_earlier, format_of, open_writer
from asmr_classify.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from contextlib import AbstractContextManager
    from threading import Event

    from rich.console import Console

    from asmr_classify.aggregate import FileResult
    from asmr_classify.batch import Journal
    from asmr_classify.cli.progress import Progress, Tally
    from asmr_classify.model import Model
    from asmr_classify.writers import Writer

logger = logging.getLogger(__name__)

STDIN = "-"

FRESH_ANYWAY = (
    "--fresh changes nothing here: only a file named by --output has a journal, so everything is "
    "labelled anyway"
)

WHAT, HOW, WHERE, TALK = "What to label", "How to label", "Results", "Talk on stderr"
"""Panels of the help."""


@dataclass(frozen=True, slots=True)
class Request:
    """What the user asked for."""

    paths: tuple[str, ...]
    include: tuple[str, ...]
    exclude: tuple[str, ...]
    output: str
    format: FormatName
    model: str | None
    thresholds: dict[str, float]
    jobs: int | None
    timeout: float
    max_memory: int
    fresh: bool
    strict: bool
    quiet: bool


@reporting_errors
def label(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(metavar="PATH", help="Recordings, videos, and folders of them."),
    ] = None,
    include: Annotated[
        list[str] | None,
        typer.Option(
            metavar="GLOB",
            help="Of folders, take only files that match. Repeatable.",
            rich_help_panel=WHAT,
        ),
    ] = None,
    exclude: Annotated[
        list[str] | None,
        typer.Option(
            metavar="GLOB",
            help="Leave out files and folders that match. Repeatable.",
            rich_help_panel=WHAT,
        ),
    ] = None,
    files_from: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Read further paths from a file, one a line; - is standard input.",
            rich_help_panel=WHAT,
        ),
    ] = None,
    null: Annotated[
        bool,
        typer.Option(
            "--null",
            "-0",
            help="Paths in --files-from end in NUL bytes, as find -print0 writes them.",
            rich_help_panel=WHAT,
        ),
    ] = False,
    model: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Use this model, not the shipped one.", rich_help_panel=HOW
        ),
    ] = None,
    threshold: Annotated[
        list[str] | None,
        typer.Option(
            metavar="LABEL=X",
            help="Score from which on a label counts, between 0 and 1. Repeatable.",
            rich_help_panel=HOW,
        ),
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option(
            "--jobs",
            "-j",
            min=1,
            help="Worker processes. Default: one per core.",
            show_default=False,
            rich_help_panel=HOW,
        ),
    ] = None,
    timeout: Annotated[
        float,
        typer.Option(
            metavar="SECONDS",
            min=1,
            help="Give a file up if nothing of it is decoded for so long.",
            rich_help_panel=HOW,
        ),
    ] = 60,
    max_memory: Annotated[
        int,
        typer.Option(
            metavar="MB",
            min=500,
            help="Memory that labelling one file may take (on Linux).",
            rich_help_panel=HOW,
        ),
    ] = 2000,
    strict: Annotated[
        bool,
        typer.Option(
            "--strict",
            help="Stop with exit status 1 at the first file that fails or breaks off; what was "
            "finished is kept. Else such a file is only noted, and one that fails makes the exit "
            "status 3.",
            rich_help_panel=HOW,
        ),
    ] = False,
    format_: Annotated[
        FormatName | None,
        typer.Option(
            "--format",
            "-f",
            help="How results are written. Default: by the ending of --output, else a table.",
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
            help="Where results go; - is standard output. A file is accompanied by a journal "
            "(FILE.journal), by which a run that was broken off goes on where it was, and a later "
            "one labels only what is new or changed.",
            rich_help_panel=WHERE,
        ),
    ] = Path(STDOUT),
    fresh: Annotated[
        bool,
        typer.Option(
            "--fresh",
            help="Label everything anew, whatever the journal of the output holds.",
            rich_help_panel=WHERE,
        ),
    ] = False,
    quiet: Annotated[
        bool,
        typer.Option("--quiet", "-q", help="Nothing but errors.", rich_help_panel=TALK),
    ] = False,
    verbose: Annotated[
        bool,
        typer.Option(
            "--verbose", "-v", help="Also every file as it is finished.", rich_help_panel=TALK
        ),
    ] = False,
    log_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Append a detailed log to this file.", rich_help_panel=TALK
        ),
    ] = None,
) -> ExitStatus:
    """Label recordings and videos with the ASMR triggers they hold.

    A file that is named is taken as it is; folders are searched for media, by extension and, where
    that is unknown, by content. Recordings are only read.
    """
    from rich.console import Console

    console = Console(stderr=True)
    named = [*map(str, paths or ()), *read_list(files_from, null=null)]
    if not named and files_from is None:
        raise UsageError("nothing to label is named: give files or folders, or --files-from")
    check_writable((output, log_file), inputs=[*named, *filter(None, (files_from, model))])
    set_up_logging(console, verbose=verbose, log_file=str(log_file) if log_file else None)
    request = Request(
        paths=tuple(named),
        include=tuple(include or ()),
        exclude=tuple(exclude or ()),
        output=str(output),
        format=format_ or format_of(str(output)),
        model=str(model) if model else None,
        thresholds=dict(parse_threshold(text) for text in threshold or ()),
        jobs=jobs,
        timeout=timeout,
        max_memory=max_memory * 10**6,
        fresh=fresh,
        strict=strict,
        quiet=quiet,
    )
    check_earlier(request.output, request.format)
    return run(request, console)


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


def run(request: Request, console: Console) -> ExitStatus:
    """Label what was asked for, and tell how it went.

    Parameters
    ----------
    request : Request
    console : rich.console.Console
        On stderr.
    """
    from asmr_classify.cli.progress import Progress
    from asmr_classify.cli.render import summary
    from asmr_classify.model import load_model

    model = load_model(request.model).with_thresholds(request.thresholds)
    progress = Progress(console, quiet=request.quiet)
    try:
        with (
            _open_journal(request, model) as journal,
            open_writer(request.output, request.format, model.labels, progress.paused) as writer,
            progress,
            interrupts_deferred(progress.on_stopping) as stop,
        ):
            complete = _label_all(request, model, journal, stop, writer, progress)
            if stop.is_set():
                raise KeyboardInterrupt
    finally:
        if progress.listed and not request.quiet:
            console.print(summary(progress), highlight=False, markup=False, soft_wrap=True)
    return _exit_status(progress) if complete else ExitStatus.ERROR


def _open_journal(request: Request, model: Model) -> AbstractContextManager[Journal | None]:
    """Open the journal of the output, if that is a file."""
    from asmr_classify.batch.journal import SUFFIX, Journal

    output = Path(request.output)
    if request.output == STDOUT or (output.exists() and not output.is_file()):
        if request.fresh and not request.quiet:
            tell(FRESH_ANYWAY, lead="note: ", style="bold")
        return nullcontext()
    if output.is_symlink():  # two names of one file must not have two journals
        output = output.resolve()
    return Journal.open(f"{output}{SUFFIX}", model, fresh=request.fresh)


def _label_all(
    request: Request,
    model: Model,
    journal: Journal | None,
    stop: Event,
    writer: Writer,
    progress: Progress,
) -> bool:
    """Label and write; tell whether nothing made it stop but an interrupt."""
    from asmr_classify.aggregate import Status
    from asmr_classify.batch import Limits, label_paths

    results = label_paths(
        request.paths,
        model=model,
        jobs=request.jobs,
        include=request.include,
        exclude=request.exclude,
        journal=journal,
        limits=Limits(request.timeout, request.max_memory),
        stop=stop,
        observer=progress,
    )
    tell_of = _teller(request, progress.console)
    with closing(results):
        for result in results:
            writer.write(result)
            tell_of(result)
            if request.strict and result.status in {Status.FAILED, Status.PARTIAL}:
                tell(f"stopped at {result.path} (--strict)", lead="error: ", style="bold red")
                return False
    return True


def _teller(request: Request, console: Console) -> Callable[[FileResult], None]:
    """Make what tells of each result: the log, and of problems stderr, unless the table will."""
    from asmr_classify.aggregate import Status

    silent = request.quiet or request.format is FormatName.TABLE

    def tell_of(result: FileResult) -> None:
        if logger.isEnabledFor(logging.INFO):
            found = ", ".join(f"{tag} {result.scores[tag]:.2f}" for tag in result.tags)
            logger.info("%s: %s %s", printable(result.path), result.status.value, printable(found))
        if result.error is None or result.status is Status.NO_AUDIO:
            return
        text = f"{result.status.value}: {printable(result.error.message)}"
        logger.debug("%s", text)
        if not silent:
            console.print(text, style="yellow", highlight=False, markup=False, soft_wrap=True)

    return tell_of


def _exit_status(tally: Tally) -> ExitStatus:
    from asmr_classify.aggregate import Status

    if not tally.statuses:
        tell("nothing to label was found", lead="error: ", style="bold red")
        return ExitStatus.NOTHING_TO_LABEL
    return ExitStatus.SOME_FAILED if tally.statuses[Status.FAILED] else ExitStatus.OK
