"""``asmr-classify report``."""

from __future__ import annotations

import logging
from contextlib import closing
from datetime import datetime
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Self

import typer

from asmr_classify.cli.arguments import QuietOption, SelectionModelOption  # noqa: TC001 (Typer reads them)
from asmr_classify.cli.catalogue import CatalogueOption  # noqa: TC001 (Typer reads it)
from asmr_classify.cli.errors import ExitStatus, nothing_to_do, reporting_errors, tell
from asmr_classify.cli.interrupts import interrupts_deferred, interrupts_tell
from asmr_classify.cli.select import failed_of, select_results
from asmr_classify.counts import counted
from asmr_classify.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from threading import Event

    from rich.console import Console
    from rich.progress import Progress

    from asmr_classify.aggregate import FileResult
    from asmr_classify.media.found import Found
    from asmr_classify.report import Drawn
    from asmr_classify.report.drawing import DrawTask, Sketch

logger = logging.getLogger(__name__)

PAGE_SUFFIXES = (".html", ".htm")

MOST_TOLD = 3
"""Damaged recordings that are named."""


@reporting_errors
def report(
    sources: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="SOURCE",
            help="Recordings and folders of them, which are labelled first; .jsonl or .csv files "
            "that label wrote; a query as find takes it. Default: the whole catalogue.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="FILE", help="The page to be written."),
    ] = Path("report.html"),
    no_waveforms: Annotated[
        bool,
        typer.Option(
            "--no-waveforms",
            help="Draw timelines alone, without waveforms and filmstrips: quicker, as no recording "
            "is decoded again, and smaller.",
        ),
    ] = False,
    model: SelectionModelOption = None,
    catalogue: CatalogueOption = None,
    quiet: QuietOption = False,
) -> ExitStatus:
    """Make one HTML page that lists, sorts, filters, draws and plays what recordings hold.

    The page needs no network and no other file but the recordings, which are played from where
    they lie. Waveforms and filmstrips are kept in the user's cache, so that the next page is quick.
    """
    from rich.console import Console

    from asmr_classify.aggregate import Status
    from asmr_classify.report import (
        Drawn,
        compute_waveforms,
        make_films,
        render_page,
        report_data,
        write_page,
    )

    console = Console(stderr=True)
    check_page(output, sources or ())
    results = gather_results(
        sources or ("",), console, quiet=quiet, catalogue=catalogue, model=model
    )
    if not results:
        return nothing_to_do("no recordings were found, so there is no page")
    waveforms = films = Drawn()
    if not no_waveforms:
        waveforms = draw("waveforms", compute_waveforms, results, console, quiet=quiet)
        films = draw("filmstrips", make_films, results, console, quiet=quiet)
    data = report_data(
        results,
        folder=str(output.parent),
        made=datetime.now().astimezone(),
        waveforms=waveforms.contents,
        films=films.contents,
    )
    write_page(render_page(data), str(output))
    if not quiet:
        n_failed = sum(result.status is Status.FAILED for result in results)
        problems = f"; {n_failed} failed: see Problems there" if n_failed else ""
        size = f"{output.stat().st_size / 1e6:.1f} MB"
        tell(f"{output}: {counted(data.n_files, 'file')}, {size}{problems}")
    return ExitStatus.SOME_FAILED if failed_of(results, sources or ()) else ExitStatus.OK


def check_page(output: Path, sources: Sequence[str]) -> None:
    """Refuse a page that is not named like one, or would replace anything but such a page.

    Raises
    ------
    UsageError
        With what to name instead.
    """
    from asmr_classify.writers.output import check_output, check_replaceable, holds_page

    if output.suffix.lower() not in PAGE_SUFFIXES:
        raise UsageError(f"--output {output}: a report is a page; name an .html file")
    check_output(str(output), sources)
    check_replaceable(str(output), holds_page)


def gather_results(
    sources: Sequence[str],
    console: Console,
    *,
    quiet: bool = False,
    catalogue: Path | None = None,
    model: Path | None = None,
) -> list[FileResult]:
    """Read results from files of them, and select the rest; a path that comes twice counts once.

    Raises
    ------
    UsageError
        If a model is named, and nothing that it could label.
    """
    from asmr_classify.report import is_results_file, read_results

    kept: list[str] = []
    others: list[str] = []
    for source in sources:
        (kept if is_results_file(source) else others).append(source)
    if model is not None and not others:
        raise UsageError(f"--model {model}: only results are named, which are shown as they are")
    results = {result.path: result for source in kept for result in read_results(source)}
    if others:
        selected = select_results(others, console, quiet=quiet, catalogue=catalogue, model=model)
        results |= {result.path: result for result in selected}
    return list(results.values())


def draw(
    what: str,
    compute: Callable[..., Drawn],
    results: Sequence[FileResult],
    console: Console,
    *,
    quiet: bool = False,
) -> Drawn:
    """Draw what a page shows of recordings, with progress.

    Parameters
    ----------
    what : str
        That is drawn, as "waveforms".
    compute : callable
        Takes results, ``work`` and ``on_progress``.
    results : sequence of FileResult
    console : rich.console.Console
        On stderr.
    quiet : bool
        Show no progress.

    Raises
    ------
    KeyboardInterrupt
        If the user asked to stop; what was drawn is in the cache.
    AsmrClassifyError
        If no process can be started to draw in.
    """
    with (
        interrupts_tell(f"no page was written; the {what} so far are kept"),
        DrawingProgress(what, console, quiet=quiet) as progress,
    ):
        with interrupts_deferred() as stop:
            drawn = compute(results, work=partial(_work, stop=stop), on_progress=progress.show)
        if stop.is_set():
            raise KeyboardInterrupt
    _tell_problems(what, drawn)
    return drawn


def _work(task: DrawTask, finds: list[Found], *, stop: Event) -> Iterator[Sketch]:
    """Draw recordings in processes of their own: a damaged one may crash, or hang, a decoder."""
    from asmr_classify.batch import Limits, iter_apart
    from asmr_classify.batch.pool import count_cores

    def on_decoded(_seconds: float) -> None:
        if stop.is_set():
            raise KeyboardInterrupt  # a drawing is no loss: those at hand need not be finished

    outcomes = iter_apart(
        finds, task, count_cores(), limits=Limits(), stop=stop, on_decoded=on_decoded
    )
    with closing(outcomes):
        for outcome in outcomes:
            if outcome.trace is not None:
                logger.error("%s: unexpected error\n%s", outcome.found.path, outcome.trace)
            yield outcome.result


def _tell_problems(what: str, drawn: Drawn) -> None:
    """Tell of what some recordings have no drawing, the first few by name."""
    for problem in islice(drawn.problems.values(), MOST_TOLD):
        tell(f"no {what} of {problem.message}")
    if len(drawn.problems) > MOST_TOLD:
        tell(f"no {what} of {len(drawn.problems) - MOST_TOLD} more, which are damaged as well")


class DrawingProgress:
    """Shows how many are drawn: a bar on a terminal, else a line now and then.

    Parameters
    ----------
    what : str
        That is drawn.
    console : rich.console.Console
        On stderr.
    quiet : bool
        Show nothing.
    """

    def __init__(self, what: str, console: Console, *, quiet: bool) -> None:
        from asmr_classify.cli.progress import Pace

        self._what = what
        self._console = console
        self._quiet = quiet
        self._pace = Pace()
        self._bar: Progress | None = None

    def __enter__(self) -> Self:
        if self._console.is_terminal and not self._quiet:
            from rich.progress import MofNCompleteColumn, Progress

            columns = (*Progress.get_default_columns(), MofNCompleteColumn())
            self._bar = Progress(*columns, console=self._console, transient=True)
            self._bar.add_task(self._what, total=None)
            self._bar.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def show(self, done: int, total: int) -> None:
        """Show that so many are done."""
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], completed=done, total=total)
            return
        if not self._quiet and self._pace.is_due():
            self._console.print(f"{done}/{total} {self._what}", highlight=False)
