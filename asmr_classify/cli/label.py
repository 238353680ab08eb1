"""``asmr-classify label``."""

from __future__ import annotations

import logging
from contextlib import closing, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from asmr_classify.cli.arguments import (
    HOW,
    WHERE,
    DaskOption,
    ExcludeOption,
    FilesFromOption,
    IncludeOption,
    JobsOption,
    JsonLinesOption,
    LogFileOption,
    MaxMemoryOption,
    ModelOption,
    NoVideoOption,
    NullOption,
    PathsArgument,
    PerFileOption,
    QuietOption,
    SkipOption,
    TimeoutOption,
    VerboseOption,
    check_writable,
    is_one_file,
    parse_threshold,
    read_list,
    refuse_urls,
)
from asmr_classify.cli.catalogue import (
    CorrectedWriter,
    join_memories,
    open_to_label,
    other_teller,
)
from asmr_classify.cli.errors import (
    ExitStatus,
    nothing_to_do,
    printable,
    reporting_errors,
    tell,
    warn,
)
from asmr_classify.cli.formats import (
    FORMAT_NAMES,
    STDOUT,
    FormatName,
    check_earlier,
    check_inputs,
    check_json,
    check_output_options,
    format_of,
)
from asmr_classify.cli.interrupts import interrupts_deferred, interrupts_tell, what_is_finished
from asmr_classify.cli.kept_features import (
    KeepFeaturesOption,
    bound_features,
    open_features,
    parse_size,
)
from asmr_classify.cli.logs import SHOWN, set_up_logging
from asmr_classify.cli.results import open_journal, open_per_file, open_writer
from asmr_classify.cli.table import NoWriter, check_table, finish_table, is_table, open_table
from asmr_classify.errors import UsageError
from asmr_classify.media.source import is_url
from asmr_classify.visual.seen import Effort, MotionLevel

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from threading import Event

    from rich.console import Console

    from asmr_classify.aggregate import FileResult
    from asmr_classify.batch import Journal, Memory
    from asmr_classify.catalogue import Catalogue
    from asmr_classify.cli.progress import Progress, Tally
    from asmr_classify.features.cache import KeptFeatures
    from asmr_classify.model import Model
    from asmr_classify.writers import Writer

logger = logging.getLogger(__name__)

FRESH_ANYWAY = (
    "--fresh changes nothing here: only a file named by --output, a folder named by --per-file, "
    "and a catalogue know earlier results, so everything is labelled anyway"
)


@dataclass(frozen=True, slots=True)
class Request:
    """What the user asked for."""

    paths: tuple[str, ...]
    include: tuple[str, ...]
    exclude: tuple[str, ...]
    output: str
    per_file: str | None
    format: FormatName
    skip: tuple[str, ...]
    model: str | None
    thresholds: dict[str, float]
    jobs: int | None
    dask: str | None
    timeout: float
    max_memory: int
    fresh: bool
    catalogue: str | None
    strict: bool
    quiet: bool
    video: Effort | None
    keep_features: int | None


@reporting_errors
def label(
    paths: PathsArgument = None,
    include: IncludeOption = None,
    exclude: ExcludeOption = None,
    files_from: FilesFromOption = None,
    null: NullOption = False,
    model: ModelOption = None,
    threshold: Annotated[
        list[str] | None,
        typer.Option(
            metavar="LABEL=X",
            help="Score from which on a label counts, in the file and in its timeline, "
            "between 0 and 1. Repeatable. A catalogue keeps what was decided by it, and all "
            "commands that use the catalogue see that, until the file is labelled without it.",
            rich_help_panel=HOW,
        ),
    ] = None,
    no_video: NoVideoOption = False,
    video_effort: Annotated[
        Effort | None,
        typer.Option(
            metavar="low|normal|full",
            help="How much of a long video is looked at; full decodes all of it, which may take "
            "many times as long as its sound. Default: normal. docs/visual.md tells more.",
            show_default=False,
            rich_help_panel=HOW,
        ),
    ] = None,
    jobs: JobsOption = None,
    dask: DaskOption = None,
    timeout: TimeoutOption = 60,
    max_memory: MaxMemoryOption = 2000,
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
            metavar="FORMAT",
            help=f"How results are written: {FORMAT_NAMES}; docs/formats.md shows each. Default: "
            "by the ending of --output, else a table.",
            show_default=False,
            rich_help_panel=WHERE,
        ),
    ] = None,
    as_json: JsonLinesOption = False,
    output: Annotated[
        str,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE|FOLDER/",
            help="Where results go; - is standard output. A file is accompanied by a journal "
            "(FILE.journal), by which a run that was broken off goes on where it was, and a later "
            "one labels only what is new or changed. With a slash behind, a folder or an address "
            "in storage, such as s3://bucket/out/, takes a table in parts (--format parquet), "
            "which needs no journal for that; docs/cluster.md tells more.",
            rich_help_panel=WHERE,
        ),
    ] = STDOUT,
    per_file: PerFileOption = None,
    skip: SkipOption = None,
    fresh: Annotated[
        bool,
        typer.Option(
            "--fresh",
            help="Label everything anew, whatever the journal of the output or the catalogue "
            "holds.",
            rich_help_panel=WHERE,
        ),
    ] = False,
    catalogue: Annotated[
        Path | None,
        typer.Option(
            metavar="[FILE]",
            help="Keep results in a catalogue too, for find, set and export; files that it knows "
            "by their content, moved ones too, are not labelled again. Without FILE: that of "
            "$ASMR_CLASSIFY_CATALOGUE, else catalogue.sqlite in the user's data folder.",
            show_default=False,
            rich_help_panel=WHERE,
        ),
    ] = None,
    keep_features: KeepFeaturesOption = None,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
    log_file: LogFileOption = None,
) -> ExitStatus:
    """Label recordings and videos with the ASMR triggers they hold.

    A file that is named is taken as it is; folders are searched for media, by extension and, where
    that is unknown, by content. Downloads that are under way there are left alone. Recordings are
    only read.
    """
    from rich.console import Console

    console = Console(stderr=True)
    named = [*(paths or ()), *read_list(files_from, null=null)]
    if no_video and video_effort is not None:
        raise UsageError("--no-video and --video-effort do not go together: leave one out")
    if no_video and MotionLevel.LIVELY in (skip or ()):
        raise UsageError(
            f"--no-video and --skip {MotionLevel.LIVELY} do not go together: leave one out"
        )
    if not named and files_from is None:
        hint = "; --catalogue takes a name behind it for its file: write it behind the paths"
        raise UsageError(
            "nothing to label is named: give files or folders, or --files-from"
            + hint * (catalogue is not None)
        )
    check_inputs(paths or (), output)
    file = None if is_table(output) or is_url(output) else Path(output)
    check_writable((file, log_file), inputs=[*named, *filter(None, (files_from, model))])
    form = check_json(format_, as_json=as_json)
    check_table(output, form, catalogue=catalogue is not None)
    if form is None and per_file is None:
        form = format_of(output)
    if per_file is not None:
        refuse_urls(named, "--per-file mirrors folders of this machine: give --output")
    if catalogue is not None:
        refuse_urls(
            named, "a catalogue knows files of this machine by their content: give --output"
        )
    folder = None if per_file is None else str(per_file)
    check_output_options(output, form, per_file=folder, skip=skip or (), is_one=is_one_file(named))
    _check_cluster(dask, jobs=jobs, keep_features=keep_features)
    set_up_logging(console, verbose=verbose, log_file=str(log_file) if log_file else None)
    request = Request(
        paths=tuple(named),
        include=tuple(include or ()),
        exclude=tuple(exclude or ()),
        output=output,
        per_file=folder,
        format=form or FormatName.TABLE,
        skip=tuple(skip or ()),
        model=str(model) if model else None,
        thresholds=dict(parse_threshold(text) for text in threshold or ()),
        jobs=jobs,
        dask=dask,
        timeout=timeout,
        max_memory=max_memory * 10**6,
        fresh=fresh,
        catalogue=str(catalogue) if catalogue else None,
        strict=strict,
        quiet=quiet,
        video=None if no_video else video_effort or Effort.NORMAL,
        keep_features=None if keep_features is None else parse_size(keep_features),
    )
    if not is_table(output):
        check_earlier(output, request.format)
    return run(request, console)


def _check_cluster(dask: str | None, *, jobs: int | None, keep_features: str | None) -> None:
    """Refuse what is of this machine where a cluster works."""
    if dask is None:
        return
    if jobs is not None:
        raise UsageError("--jobs counts processes of this machine: leave it out with --dask")
    if keep_features is not None:
        raise UsageError(
            "--keep-features keeps on this machine what it decodes, and a cluster decodes "
            "elsewhere: leave it out with --dask"
        )


def run(request: Request, console: Console) -> ExitStatus:
    """Label what was asked for, and tell how it went.

    Parameters
    ----------
    request : Request
    console : rich.console.Console
        On stderr.
    """
    from asmr_classify.aggregate import Status
    from asmr_classify.cli.progress import Progress
    from asmr_classify.cli.render import summary
    from asmr_classify.model import load_model
    from asmr_classify.writers.edl import check_skip

    model = load_model(request.model).with_thresholds(request.thresholds)
    if request.skip:
        check_skip(request.skip, model.labels)
    features = None if request.keep_features is None else open_features(request.keep_features)
    progress = Progress(console, quiet=request.quiet)
    try:
        with (
            interrupts_tell(_what_is_kept(request)),
            _connect(request.dask) as executor,
            open_to_label(request.catalogue) as catalogue,
            open_table(request.output, model, video=request.video, fresh=request.fresh) as table,
            _open_journal(request, model) as journal,
            _open_writer(request, model, progress) as writer,
            progress,
            interrupts_deferred(progress.on_stopping) as stop,
        ):
            forgets = any(x is not None for x in (table, journal, catalogue))
            if request.fresh and not forgets and not request.quiet:
                tell(FRESH_ANYWAY, lead="note: ", style="bold")
            memory = table or join_memories(
                journal,
                catalogue,
                model,
                fresh=request.fresh,
                on_other=_on_other(request, model, catalogue, progress),
            )
            corrected = CorrectedWriter(writer, catalogue)
            complete = _label_all(
                request, model, memory, features, stop, corrected, progress, executor
            )
            if stop.is_set():
                raise KeyboardInterrupt
            goes_on, done = table is not None and table.goes_on, None
            if table is not None and complete and (progress.statuses or goes_on):
                done = finish_table(table, progress, quiet=request.quiet)
    finally:
        if progress.listed and not request.quiet:
            console.print(summary(progress), highlight=False, markup=False, soft_wrap=True)
        if features is not None:
            bound_features(features, quiet=request.quiet)
    if complete and goes_on:  # what was done before the kill counts as well
        is_well = done is not None and not done.statuses.get(Status.FAILED)
        return ExitStatus.OK if is_well else ExitStatus.SOME_FAILED
    return _exit_status(progress) if complete else ExitStatus.ERROR


def _on_other(
    request: Request, model: Model, catalogue: Catalogue | None, progress: Progress
) -> Callable[[FileResult], None] | None:
    """Make what tells, above the line of progress, that another model's results give way."""
    if catalogue is None:
        return None

    def warn_above(text: str) -> None:
        logger.warning("%s", printable(text), extra={SHOWN: True})
        with progress.paused():
            warn(text)

    return other_teller(catalogue, model, is_named=request.model is not None, warn=warn_above)


def _what_is_kept(request: Request) -> str:
    is_kept = request.output != STDOUT or bool(request.per_file or request.catalogue)
    return what_is_finished(is_kept=is_kept)


def _connect(address: str | None) -> AbstractContextManager[Any]:
    """Connect to a Dask cluster, or to none."""
    if address is None:
        return nullcontext()
    from asmr_classify.batch.dask import connect

    return connect(address)


def _open_journal(request: Request, model: Model) -> AbstractContextManager[Journal | None]:
    if is_table(request.output):
        return nullcontext()
    return open_journal(request.output, model, per_file=request.per_file, fresh=request.fresh)


def _open_writer(
    request: Request, model: Model, progress: Progress
) -> AbstractContextManager[Writer]:
    if is_table(request.output):
        return nullcontext(NoWriter())
    per_file = open_per_file(
        request.per_file, request.paths, None if request.quiet else progress.console
    )
    return open_writer(
        request.output,
        request.format,
        model.labels,
        progress.paused,
        per_file=per_file,
        skip=request.skip,
    )


def _label_all(
    request: Request,
    model: Model,
    memory: Memory[FileResult],
    features: KeptFeatures | None,
    stop: Event,
    writer: Writer,
    progress: Progress,
    executor: Any,
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
        journal=memory,
        limits=Limits(request.timeout, request.max_memory),
        stop=stop,
        observer=progress,
        video=request.video,
        executor=executor,
        features=features,
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

    in_table = request.format is FormatName.TABLE

    def tell_of(result: FileResult) -> None:
        if logger.isEnabledFor(logging.INFO):
            found = ", ".join(f"{tag} {result.scores[tag]:.2f}" for tag in result.tags)
            logger.info("%s: %s %s", printable(result.path), result.status.value, printable(found))
        if result.visual_error is not None:
            tell_why(f"picture not seen: {printable(result.visual_error.message)}")
        if result.error is None or result.status is Status.NO_AUDIO:
            return
        text = f"{result.status.value}: {printable(result.error.message)}"
        tell_why(text, always=result.status is Status.FAILED)

    def tell_why(text: str, *, always: bool = False) -> None:
        logger.debug("%s", text)
        if not in_table and (always or not request.quiet):
            console.print(text, style="yellow", highlight=False, markup=False, soft_wrap=True)

    return tell_of


def _exit_status(tally: Tally) -> ExitStatus:
    from asmr_classify.aggregate import Status

    if not tally.statuses:
        return nothing_to_do("nothing to label was found")
    return ExitStatus.SOME_FAILED if tally.statuses[Status.FAILED] else ExitStatus.OK
