"""``asmr-classify label``."""

from __future__ import annotations

import contextlib
import logging
import sys
from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from asmr_classify.cli.errors import ExitStatus, printable, reporting_errors
from asmr_classify.errors import OutputError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TextIO

    from rich.console import Console

    from asmr_classify.aggregate import FileResult, Status
    from asmr_classify.batch import Outcome, Search
    from asmr_classify.cli.progress import Progress
    from asmr_classify.media.discover import Reason
    from asmr_classify.model import Model
    from asmr_classify.writers import Writer

logger = logging.getLogger(__name__)


class Format(StrEnum):
    """How results are written."""

    TABLE = "table"
    JSONL = "jsonl"
    CSV = "csv"


STDIN = "-"


@dataclass(frozen=True, slots=True)
class Request:
    """What the user asked for, checked."""

    paths: tuple[str, ...]
    include: tuple[str, ...]
    exclude: tuple[str, ...]
    output: str
    format: Format
    model: str | None
    thresholds: dict[str, float]
    jobs: int | None
    strict: bool
    quiet: bool


@dataclass(slots=True)
class Run:
    """What came of it so far."""

    statuses: Counter[Status]
    ignored: Counter[Reason]
    stopped: bool = False


@reporting_errors
def label(
    paths: Annotated[
        list[str] | None,
        typer.Argument(metavar="[PATH]...", help="Recordings, videos, and folders of them."),
    ] = None,
    format_: Annotated[
        Format | None,
        typer.Option(
            "--format",
            "-f",
            help="How results are written. Default: by the ending of --output, else a table.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        str,
        typer.Option("--output", "-o", metavar="FILE", help="Where to; - is standard output."),
    ] = "-",
    include: Annotated[
        list[str] | None,
        typer.Option(metavar="GLOB", help="Of folders, take only files that match. Repeatable."),
    ] = None,
    exclude: Annotated[
        list[str] | None,
        typer.Option(metavar="GLOB", help="Leave out files and folders that match. Repeatable."),
    ] = None,
    files_from: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="Read further paths from a file, one a line; - is standard input."
        ),
    ] = None,
    null: Annotated[
        bool, typer.Option("-0", "--null", help="Paths in --files-from end with NUL bytes.")
    ] = False,
    model: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Use this model instead of the shipped one."),
    ] = None,
    threshold: Annotated[
        list[str] | None,
        typer.Option(
            metavar="LABEL=X",
            help="Score from which on a label counts, between 0 and 1. Repeatable.",
        ),
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option(
            "--jobs", "-j", min=1, help="Processes. Default: one per core.", show_default=False
        ),
    ] = None,
    strict: Annotated[
        bool,
        typer.Option(
            "--strict", help="Stop with status 1 at the first file that fails or breaks off."
        ),
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="No progress and no summary on stderr.")
    ] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Say more on stderr: every file as it is done.")
    ] = False,
    log_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Append a detailed log to this file."),
    ] = None,
) -> ExitStatus:
    """Label recordings and videos with the ASMR triggers they hold.

    A file's name is taken as it is; folders are searched for media, by extension and, where that
    is unknown, by content. Nothing is changed on disk but the output.
    """
    set_up_logging(verbose=verbose, log_file=log_file)
    listed = read_list(files_from, null=null)
    request = Request(
        paths=(*(paths or ()), *listed),
        include=tuple(include or ()),
        exclude=tuple(exclude or ()),
        output=output,
        format=format_ or _format_of(output),
        model=model,
        thresholds=dict(parse_threshold(text) for text in threshold or ()),
        jobs=jobs,
        strict=strict,
        quiet=quiet,
    )
    if not request.paths and files_from is None:
        raise UsageError("nothing named: give files or folders, or --files-from")
    _check_output(request)
    return _label(request)


def set_up_logging(*, verbose: bool, log_file: Path | None) -> None:
    """Send the package's log to stderr (warnings, or all with ``verbose``) and to a file."""
    root = logging.getLogger("asmr_classify")
    root.handlers.clear()
    root.propagate = False
    root.setLevel(logging.DEBUG)
    talk = logging.StreamHandler()
    talk.setLevel(logging.INFO if verbose else logging.CRITICAL)
    root.addHandler(talk)
    if log_file is not None:
        try:
            handler = logging.FileHandler(log_file, encoding="utf-8", errors="backslashreplace")
        except OSError as exc:
            raise OutputError(f"{log_file}: cannot write the log: {exc.strerror}") from exc
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        root.addHandler(handler)


def read_list(files_from: str | None, *, null: bool) -> list[str]:
    """Read the paths of ``--files-from``."""
    from asmr_classify.media.discover import read_paths

    if files_from is None:
        return []
    separator = b"\0" if null else b"\n"
    if files_from == STDIN:
        return read_paths(sys.stdin.buffer, separator=separator)
    try:
        with Path(files_from).open("rb") as file:
            return read_paths(file, separator=separator)
    except OSError as exc:
        raise UsageError(f"--files-from {files_from}: cannot be read: {exc.strerror}") from exc


def parse_threshold(text: str) -> tuple[str, float]:
    """Parse ``LABEL=X``."""
    name, _, value = text.partition("=")
    try:
        return name, float(value)
    except ValueError as exc:
        raise UsageError(f"--threshold {text!r}: write LABEL=X, as in whisper=0.6") from exc


def _format_of(output: str) -> Format:
    endings = {".jsonl": Format.JSONL, ".ndjson": Format.JSONL, ".csv": Format.CSV}
    return endings.get(Path(output).suffix.lower(), Format.TABLE)


def _check_output(request: Request) -> None:
    """Refuse to write over a recording."""
    from asmr_classify.media.discover import MEDIA_EXTENSIONS

    if request.output == STDIN:
        return
    if Path(request.output).suffix.lower().lstrip(".") in MEDIA_EXTENSIONS:
        raise UsageError(f"--output {request.output}: that is the name of a recording")
    if request.output in request.paths:
        raise UsageError(f"--output {request.output}: that is one of the files to label")


def _label(request: Request) -> ExitStatus:
    from rich.console import Console

    from asmr_classify.batch import Search, iter_outcomes
    from asmr_classify.cli.progress import Progress
    from asmr_classify.cli.render import summary
    from asmr_classify.model import load_model

    model = load_model(request.model).with_thresholds(request.thresholds)
    talk = Console(stderr=True)
    search = Search(request.paths, include=request.include, exclude=request.exclude)
    run = Run(Counter(), search.ignored)
    with (
        open_writer(request, model) as writer,
        Progress(talk, search, quiet=request.quiet) as progress,
        contextlib.closing(
            iter_outcomes(search, model, jobs=request.jobs, on_progress=progress.hear)
        ) as outcomes,
    ):
        _consume(outcomes, writer, progress, run, request, talk)
    if not request.quiet:
        text = summary(
            run.statuses, run.ignored, seconds=progress.seconds, elapsed=progress.elapsed
        )
        talk.print(text, highlight=False, markup=False, soft_wrap=True)
    return _exit_status(run)


def _consume(
    outcomes: Iterator[Outcome],
    writer: Writer,
    progress: Progress,
    run: Run,
    request: Request,
    talk: Console,
) -> None:
    from asmr_classify.aggregate import Status

    for outcome in outcomes:
        result = outcome.result
        writer.write(result)
        run.statuses[result.status] += 1
        failed = result.status is Status.FAILED
        progress.finish_file(n_bytes=outcome.found.size, seconds=result.decoded, failed=failed)
        _tell_of(result, request, talk)
        if request.strict and result.status in {Status.FAILED, Status.PARTIAL}:
            run.stopped = True
            return


def _tell_of(result: FileResult, request: Request, talk: Console) -> None:
    """Log each result; tell at once of what went wrong, unless the table will."""
    logger.info("%s: %s %s", printable(result.path), result.status, ",".join(result.tags))
    if result.error is None or result.status.value == "no_audio":
        return
    logger.warning("%s", printable(result.error.message))
    if not request.quiet and request.format is not Format.TABLE:
        text = f"{result.status.value}: {printable(result.error.message)}"
        talk.print(text, style="yellow", highlight=False, markup=False, soft_wrap=True)


def _exit_status(run: Run) -> ExitStatus:
    from asmr_classify.aggregate import Status

    if run.stopped:
        return ExitStatus.ERROR
    if not run.statuses:
        return ExitStatus.NOTHING_TO_LABEL
    return ExitStatus.SOME_FAILED if run.statuses[Status.FAILED] else ExitStatus.OK


class TableWriter:
    """Gathers results and prints them as a table at the end, also of an interrupted run."""

    def __init__(self, console: Console, labels: tuple[str, ...]) -> None:
        self._console = console
        self._labels = labels
        self._results: list[FileResult] = []

    def write(self, result: FileResult) -> None:
        """Keep one result."""
        self._results.append(result)

    def close(self) -> None:
        """Print the table, in the order of the paths."""
        from asmr_classify.cli.render import results_view

        if self._results:
            ordered = sorted(self._results, key=lambda result: result.path)
            self._console.print(results_view(ordered, self._labels, self._console))


@contextlib.contextmanager
def open_writer(request: Request, model: Model) -> Iterator[Writer]:
    """Open the output in the format asked for, and close it whatever happens."""
    from asmr_classify.writers import FORMATS

    with _open_output(request.output) as stream:
        if request.format is Format.TABLE:
            from rich.console import Console

            table = TableWriter(Console(file=stream), model.labels)
            try:
                yield table
            finally:
                table.close()
        else:
            yield FORMATS[request.format.value](stream, model.labels)


@contextlib.contextmanager
def _open_output(output: str) -> Iterator[TextIO]:
    if output == STDIN:
        sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")  # type: ignore[union-attr]  # typeshed has TextIO
        yield sys.stdout
        return
    try:
        stream = Path(output).open("w", encoding="utf-8", newline="\n")
    except OSError as exc:
        raise OutputError(f"--output {output}: cannot be written: {exc.strerror}") from exc
    try:
        with stream:
            yield stream
    except OSError as exc:
        if exc.filename is not None or isinstance(exc, BrokenPipeError):
            raise
        raise OutputError(f"--output {output}: writing failed: {exc.strerror}") from exc
