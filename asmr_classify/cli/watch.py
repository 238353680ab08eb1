"""``asmr-classify watch``."""

from __future__ import annotations

import logging
import os
import time
import zlib
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path  # noqa: TC003 (Typer reads it)
from typing import TYPE_CHECKING, Annotated

import typer

from asmr_classify.cli.arguments import (
    TALK,
    WHAT,
    WHERE,
    ExcludeOption,
    IncludeOption,
    JobsOption,
    JsonLinesOption,
    LogFileOption,
    ModelOption,
    check_writable,
    parse_time,
)
from asmr_classify.cli.catalogue import CatalogueOption, open_catalogue, other_teller
from asmr_classify.cli.errors import ExitStatus, nothing_to_do, printable, reporting_errors, tell
from asmr_classify.cli.interrupts import (
    interrupts_deferred,
    interrupts_tell,
    terminations_deferred,
)
from asmr_classify.cli.logs import set_up_logging
from asmr_classify.cli.then import Then, parse_then
from asmr_classify.counts import counted
from asmr_classify.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from threading import Event

    from asmr_classify.aggregate import FileResult
    from asmr_classify.catalogue import Catalogue, KnownResults
    from asmr_classify.media.found import Found
    from asmr_classify.model import Model
    from asmr_classify.watch import Arrivals, Terms
    from asmr_classify.writers import Writer

logger = logging.getLogger(__name__)

AGAIN = "failed before and unchanged: label --catalogue tries again"

KEPT = "what was finished is in the catalogue; the same command goes on from there"


@dataclass(frozen=True, slots=True)
class Request:
    """What the user asked for."""

    terms: Terms
    poll: float | None
    once: bool
    then: tuple[str, ...] | None
    model: str | None
    jobs: int | None
    catalogue: Path | None
    as_json: bool
    quiet: bool


@reporting_errors
def watch(
    folders: Annotated[
        list[Path],
        typer.Argument(
            metavar="DIR",
            readable=False,  # one that cannot be read is told of, and waited for
            help="Folders, watched with all below them.",
        ),
    ],
    include: IncludeOption = None,
    exclude: ExcludeOption = None,
    settle: Annotated[
        str,
        typer.Option(
            metavar="TIME",
            help="How long a file must not have changed before it is taken for whole.",
            rich_help_panel=WHAT,
        ),
    ] = "10s",
    poll: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="Look at the folders this often, in place of waiting for the system to tell of "
            "changes: for network shares, where it cannot. Default: 30s for those, else none.",
            show_default=False,
            rich_help_panel=WHAT,
        ),
    ] = None,
    once: Annotated[
        bool,
        typer.Option(
            "--once", help="Label what is there and settled, then end.", rich_help_panel=WHAT
        ),
    ] = False,
    model: ModelOption = None,
    jobs: JobsOption = None,
    then: Annotated[
        str | None,
        typer.Option(
            metavar="COMMAND",
            help="Run this command of asmr-classify on the files that were labelled, such as "
            "'tag --yes'; their paths are added to it.",
            show_default=False,
            rich_help_panel=WHERE,
        ),
    ] = None,
    as_json: JsonLinesOption = False,
    catalogue: CatalogueOption = None,
    quiet: Annotated[
        bool,
        typer.Option("--quiet", "-q", help="Nothing but what goes wrong.", rich_help_panel=TALK),
    ] = False,
    log_file: LogFileOption = None,
) -> ExitStatus:
    """Label what arrives in folders, as soon as it has stopped growing.

    Results are kept in a catalogue; what that knows is not labelled again, so that watching may end
    and begin at any time. At its start, all that is there and not known is new. Downloads that are
    under way are left alone. An interrupt, or the end of a service, loses nothing.
    """
    from rich.console import Console

    from asmr_classify.watch import Terms, check_installed

    names = check_folders(folders)
    request = Request(
        terms=Terms(
            names, tuple(include or ()), tuple(exclude or ()), parse_time("--settle", settle)
        ),
        poll=None if poll is None else parse_time("--poll", poll),
        once=once,
        then=None if then is None else parse_then(then),
        model=str(model) if model else None,
        jobs=jobs,
        catalogue=catalogue,
        as_json=as_json,
        quiet=quiet,
    )
    if request.poll == 0:
        raise UsageError("--poll 0: would look without a pause; write 30s or so")
    if not once and poll is None:
        check_installed()
    check_writable((log_file,), inputs=list(filter(None, (model,))))
    set_up_logging(
        Console(stderr=True), verbose=False, log_file=str(log_file) if log_file else None
    )
    return run(request)


def check_folders(folders: list[Path]) -> tuple[str, ...]:
    """Name the folders from here; one that is not there may come.

    Raises
    ------
    UsageError
        If one is a file.
    """
    from asmr_classify.batch import name_from_here

    for folder in folders:
        if os.path.isfile(folder):  # noqa: PTH113 (no error, whatever the name)
            raise UsageError(f"{folder}: is a file; name the folder, or label it by 'label'")
    return tuple(name_from_here(str(folder)) for folder in folders)


def run(request: Request) -> ExitStatus:
    """Watch until asked to stop, or once.

    Parameters
    ----------
    request : Request

    Raises
    ------
    KeyboardInterrupt
        If the user asked to stop.
    """
    from asmr_classify.catalogue import KnownResults
    from asmr_classify.model import load_model
    from asmr_classify.watch import Arrivals, Labeller, Wakes
    from asmr_classify.watch import watch as watch_folders

    model = load_model(request.model)
    with (
        interrupts_tell(KEPT),
        open_catalogue(request.catalogue, create=True) as catalogue,
        _open_writer(request, model) as writer,
        interrupts_deferred() as stop,
        terminations_deferred(stop) as was_ended,
    ):
        is_named = request.model is not None
        on_other = other_teller(catalogue, model, is_named=is_named, warn=notice)
        memory = KnownResults(catalogue, model, on_other=on_other)
        known = Known(catalogue, memory)
        arrivals = Arrivals(request.terms, known.needs_nothing, notice, once=request.once)
        then = _make_then(request, catalogue, stop)
        session = Session(request, arrivals, known, catalogue, then, writer)
        expect = (lambda _path: None) if then is None else then.expect
        labeller = Labeller(model, memory, request.jobs, stop, arrivals.done, expect)
        poll = request.terms.settle if request.once else request.poll
        with Wakes(request.terms.folders, poll, notice) as wakes:
            session.begin(wakes.manner)

            def pause(due_in: float | None, looked_for: float) -> None:
                session.before_pause()
                wakes.wait(due_in, looked_for, stop.is_set)

            def label(settled: list[Found]) -> None:
                session.take(labeller.iter_results(settled))

            watch_folders(arrivals, label, pause, stop=stop, once=request.once)
        if stop.is_set() and not was_ended.is_set():
            raise KeyboardInterrupt
    return session.end(stopped=stop.is_set())


def _open_writer(request: Request, model: Model) -> AbstractContextManager[Writer | None]:
    from asmr_classify.cli.formats import STDOUT, FormatName
    from asmr_classify.cli.results import open_writer

    if not request.as_json:
        return nullcontext()
    return open_writer(STDOUT, FormatName.JSONL, model.labels)


def _make_then(request: Request, catalogue: Catalogue, stop: Event) -> Then | None:
    """Make ready to run the command, and to go on where an earlier run was broken off."""
    from asmr_classify.watch import Owed

    if request.then is None:
        return None
    # Whoever watches other folders, or runs another command, owes other files.
    what = [*map(os.path.abspath, request.terms.folders), *request.then]
    mark = zlib.crc32("\0".join(what).encode("utf-8", "surrogateescape"))
    owed = Owed(f"{catalogue.path}.then-{mark:08x}")
    return Then(request.then, owed, catalogue, request.terms.folders, stop, notice)


class Known:
    """Tells of files what the catalogue knows, and counts those that failed before.

    Parameters
    ----------
    catalogue : Catalogue
    memory : KnownResults

    Attributes
    ----------
    n_failed : int
    """

    def __init__(self, catalogue: Catalogue, memory: KnownResults) -> None:
        self._catalogue = catalogue
        self._memory = memory
        self.n_failed = 0

    def needs_nothing(self, found: Found) -> bool:
        """Tell whether a file is labelled, or failed by its own fault, and has not changed."""
        if not self._catalogue.is_current(found.path):
            return False
        if self._memory.recall(found) is not None:
            return True
        has_failed = self._memory.has_failed(found)
        self.n_failed += has_failed
        return has_failed


class Session:
    """One time of watching: what is done with results, and told of them.

    Parameters
    ----------
    request : Request
    arrivals : Arrivals
    known : Known
    catalogue : Catalogue
    then : Then or None
        Is run on what was labelled.
    writer : Writer or None
        Gets the results.
    """

    def __init__(
        self,
        request: Request,
        arrivals: Arrivals,
        known: Known,
        catalogue: Catalogue,
        then: Then | None,
        writer: Writer | None,
    ) -> None:
        self._request = request
        self._arrivals = arrivals
        self._known = known
        self._catalogue = catalogue
        self._then = then
        self._writer = writer
        self._n_labelled = self._n_failed = 0
        self._has_told = False

    def begin(self, manner: str) -> None:
        """Tell what is watched, and do what an earlier run was kept from doing."""
        terms = self._request.terms
        if not self._request.once:
            folders = ", ".join(terms.folders)
            self._say(f"watching {folders} {manner}; a file settles in {terms.settle:g} s")
        if self._then is not None:
            self._then.resume()

    def before_pause(self) -> None:
        """Tell how it stands, and do what is owed to files whose disk is back."""
        self.tell_first_look()
        if self._then is not None:
            self._then.run()

    def tell_first_look(self) -> None:
        """Tell once what was there at the beginning."""
        if not self._has_told:
            there, failed = self._arrivals.n_there, self._known.n_failed
            labelled = self._arrivals.n_known - failed
            self._say(
                f"{counted(there, 'recording')} there, {labelled} labelled already"
                + (f", {failed} failed before" if failed else "")
            )
        self._has_told = True

    def take(self, results: Iterator[FileResult]) -> None:
        """Write and tell results as they come, and run the command on them."""
        self.tell_first_look()
        for result in results:
            corrected = self._catalogue.corrected(result)
            if self._writer is not None:
                self._writer.write(corrected)
            self._tell_result(corrected)
            if self._then is not None:
                self._then.take(result)
        if self._then is not None:
            self._then.run_on_all()

    def end(self, *, stopped: bool) -> ExitStatus:
        """Tell what was done.

        Parameters
        ----------
        stopped : bool
            Whether the system asked for the end.
        """
        self.tell_first_look()
        n_waiting = self._arrivals.n_waiting
        if n_waiting:
            self._say(f"{n_waiting} still growing, left for the next time")
        failed = self._known.n_failed
        self._say(
            f"{self._n_labelled} labelled, {self._n_failed} failed"
            + (f", {failed} {AGAIN}" if failed else "")
        )
        if stopped:
            return ExitStatus.OK
        if self._arrivals.folders_amiss:
            return ExitStatus.ERROR
        if not self._arrivals.n_there:
            return nothing_to_do("nothing to label was found")
        return ExitStatus.SOME_FAILED if self._n_failed else ExitStatus.OK

    def _tell_result(self, result: FileResult) -> None:
        from asmr_classify.aggregate import Status

        self._n_failed += result.status is Status.FAILED
        self._n_labelled += result.status is not Status.FAILED
        if result.error is not None and result.status is not Status.NO_AUDIO:
            notice(f"{result.status.value}: {result.error.message}")
            return
        what = ", ".join(result.tags) or (
            "no trigger" if result.status is Status.OK else result.status.value
        )
        self._say(f"{result.path}: {what}")

    def _say(self, text: str) -> None:
        logger.info("%s", printable(text))
        if not self._request.quiet:
            tell(text, lead=f"{_stamp()} ", style="dim")


def notice(text: str) -> None:
    """Tell what goes wrong, or did: with the time, and though all else be quiet."""
    logger.warning("%s", printable(text))
    tell(text, lead=f"{_stamp()} note: ", style="yellow")


def _stamp() -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S")
