"""What all commands that touch files have in common: show the plan, ask, carry it out, sum up."""

from __future__ import annotations

import os
import re
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from asmr_classify.cli.arguments import refuse_empty
from asmr_classify.cli.errors import ExitStatus, printable, tell
from asmr_classify.cli.interrupts import interrupts_deferred, interrupts_tell
from asmr_classify.counts import counted
from asmr_classify.errors import CatalogueError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from rich.text import Text

    from asmr_classify.aggregate import FileResult
    from asmr_classify.library.journal import Store
    from asmr_classify.library.plan import Left, Plan, Step
    from asmr_classify.library.runs import Outcome, Report

N_SHOWN = 30
"""Steps that are shown before the question; a dry run shows all."""

FORGOTTEN = "; nor are labels kept: label PATH --catalogue spares labelling twice"
"""What a dry run adds where nothing remembers what was labelled for it."""

PLURALS = {
    "make folder": "make {} folders",
    "remove folder": "remove {} folders, if empty",
    "extract": "extract {} clips",
}
"""Of verbs that say already what they are done to; the others are done to files."""

DryRunOption = Annotated[
    bool, typer.Option("--dry-run", "-n", help="Show the plan and change nothing.")
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Write the plan, and how it went, to stdout as JSON.")
]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before it is done.")]


@dataclass(frozen=True, slots=True)
class Manner:
    """How a plan is to be shown and done."""

    dry_run: bool = False
    json: bool = False
    yes: bool = False
    quiet: bool = False


def check_can_ask(manner: Manner) -> None:
    """Refuse, before any work, what could not be asked later.

    Raises
    ------
    UsageError
        If there is no terminal to ask on, and neither ``--yes`` nor ``--dry-run``.
    """
    if not (manner.dry_run or manner.yes or sys.stdin.isatty()):
        raise UsageError("there is no terminal to ask on: give --yes, or --dry-run to only look")


def command_line() -> tuple[str, ...]:
    """Give the command as the user gave it, for plans and journals."""
    return ("asmr-classify", *sys.argv[1:])


def settle_first(store: Store, manner: Manner) -> None:
    """Put right what a run that was killed has left, before a plan is made.

    A dry run changes nothing, and only tells of it.
    """
    from asmr_classify.library.runs import settle_broken

    broken = store.broken_numbers()
    if manner.dry_run:
        for number in broken:
            tell(f"run {number} was broken off or goes on; the next run settles it", lead="note: ")
        return
    tell_left(settle_broken(store))
    for number in sorted({*broken}.intersection(store.numbers())):
        run = store.read(number)
        if run.catalogue is not None and Path(run.catalogue).exists():
            _follow(run.steps_done(), Path(run.catalogue), {}, late=True)


def results_to_plan(
    what: Sequence[str] | None,
    manner: Manner,
    *,
    catalogue: Path | None,
    model: Path | None,
    look: bool,
) -> list[FileResult]:
    """Give the results of what is named, see :func:`asmr_classify.cli.select.select_results`.

    Whoever changes files is told where a name of none of them is taken for a query.
    """
    from rich.console import Console

    from asmr_classify.cli.select import select_results

    refuse_empty(what or ())
    for word in what or ():
        if not manner.quiet and word.isidentifier() and not os.path.lexists(word):
            told = f"{word}: no file or folder here is called so; it asks for recordings anywhere"
            tell(told, lead="note: ")
    return select_results(
        what or (),
        Console(stderr=True),
        quiet=manner.quiet,
        catalogue=catalogue,
        model=model,
        dry_run=manner.dry_run,
        look=look,
    )


def carry_out_asked(
    plan: Plan,
    store: Store,
    manner: Manner,
    *,
    catalogue: Path | None = None,
    labelled: bool = False,
    links: Mapping[str, str] | None = None,
) -> ExitStatus:
    """Show a plan, ask, carry it out, and tell how it went.

    Parameters
    ----------
    plan : Plan
    store : Store
    manner : Manner
    catalogue : Path, optional
        Is told of files that were moved or changed, and of the undoing. By default the one in the
        user's data folder, if there is one.
    labelled : bool
        Recordings may have been labelled for the plan, which a catalogue would remember.
    links : mapping of str to str, optional
        For files that were found by a link to them, which the catalogue knows in their place, that
        link.

    Raises
    ------
    UsageError
        If there is no terminal to ask on.
    KeyboardInterrupt
        If the user asked to stop; what was done is journalled.
    """
    from asmr_classify.library.runs import foresee

    status = ExitStatus.SOME_FAILED if plan.left else ExitStatus.OK
    kept = _find_kept(catalogue)
    if manner.dry_run:
        foreseen = foresee(plan)
        _show(plan, foreseen, manner, FORGOTTEN if labelled and kept is None else "")
        return ExitStatus.SOME_FAILED if foreseen else status
    if plan.steps and not manner.yes and not _agreed(plan):
        tell("nothing was changed")
        return ExitStatus.OK
    report = _run(plan, store, manner, kept)
    _tell_catalogue(plan, report, kept, links or {})
    if manner.json:
        _write_json(plan, report.outcomes, {"run": report.number})
    _sum_up(plan, report, manner)
    if report.stopped:
        raise KeyboardInterrupt("the other steps were not begun")
    complete = report.n_done == len(plan.steps)
    return status if complete else ExitStatus.SOME_FAILED


def _find_kept(catalogue: Path | None) -> Path | None:
    """Find the catalogue that is named, or the one in the user's data folder; None without one."""
    from asmr_classify.catalogue import default_path
    from asmr_classify.cli.catalogue import has_default

    if catalogue is None:
        return _plainly(default_path()) if has_default() else None
    return _plainly(catalogue) if catalogue.exists() else None


def _plainly(path: str | Path) -> Path:
    """Name a file from the root, by no folder that it is not in, which may go."""
    return Path(os.path.abspath(path))  # noqa: PTH100 (it also takes out "..")


def _show(plan: Plan, foreseen: Sequence[Outcome], manner: Manner, hint: str) -> None:
    from asmr_classify.cli.results import console_on_stdout

    if manner.json:
        _write_json(plan, foreseen, {})
        return
    console = console_on_stdout()
    for line in plan_lines(plan.steps):
        console.print(line, soft_wrap=True)
    tell_left(plan.left)
    _tell_reasons(foreseen, "would be ")
    tell(f"{totals(plan.steps)}; nothing was changed (--dry-run){hint}")


def _agreed(plan: Plan) -> bool:
    """Show the plan on stderr, and ask."""
    from rich.console import Console

    from asmr_classify.library.runs import foresee

    check_can_ask(Manner())
    console = Console(stderr=True)
    for line in plan_lines(plan.steps[:N_SHOWN]):
        console.print(line, soft_wrap=True)
    if len(plan.steps) > N_SHOWN:
        tell(f"… and {len(plan.steps) - N_SHOWN} more; --dry-run shows all")
    tell_left(plan.left)
    _tell_reasons(foresee(plan), "would be ")
    try:
        return typer.confirm(f"{totals(plan.steps)}. Go on?", err=True)
    except typer.Abort:
        raise KeyboardInterrupt("nothing was changed") from None


def _run(plan: Plan, store: Store, manner: Manner, catalogue: Path | None) -> Report:
    from rich.console import Console

    from asmr_classify.cli.plan_progress import PlanProgress
    from asmr_classify.library.runs import carry_out

    progress = PlanProgress(Console(stderr=True), len(plan.steps), quiet=manner.quiet)
    with (
        interrupts_tell("the next run settles the step at hand; undo takes back what was done"),
        progress,
        interrupts_deferred(progress.on_stopping) as stop,
    ):
        told = None if catalogue is None else str(catalogue)
        return carry_out(plan, store, stop=stop, watcher=progress, catalogue=told)


def _tell_catalogue(
    plan: Plan, report: Report, catalogue: Path | None, links: Mapping[str, str]
) -> None:
    """Let the catalogue follow the files that were moved or changed, if there is one."""
    from asmr_classify.library.runs import Ending

    done = [outcome for outcome in report.outcomes if outcome.ending is Ending.DONE]
    if catalogue is not None:
        _follow([plan.steps[outcome.index] for outcome in done], catalogue, links)


def _follow(
    steps: Iterable[Step], catalogue: Path, links: Mapping[str, str], *, late: bool = False
) -> None:
    from asmr_classify.cli.catalogue import open_catalogue
    from asmr_classify.media.found import Found

    moved = [moved for step in steps if (moved := step.moved()) is not None]
    if not moved:
        return
    try:
        with open_catalogue(catalogue) as known:
            for path, before, after in moved:
                for name in (path, links.get(path)):
                    if name is not None:
                        known.follow(Found(name, before.size, before.mtime_ns), after, late=late)
    except CatalogueError as exc:  # the files are as they should be; labels are found by content
        tell(str(exc), lead="note: ", style="bold")


def _write_json(plan: Plan, outcomes: Iterable[Outcome], more: dict[str, Any]) -> None:
    from asmr_classify.library.plan import record_to_json
    from asmr_classify.writers.output import Output

    record: dict[str, Any] = plan.to_record() | more
    for outcome in outcomes:
        record["steps"][outcome.index]["ending"] = outcome.ending.value
        record["steps"][outcome.index]["reason"] = outcome.reason
    Output(sys.stdout.buffer, "standard output").write(record_to_json(record) + "\n")


def _sum_up(plan: Plan, report: Report, manner: Manner) -> None:
    """Tell what was not done, and how to take back what was."""
    if manner.yes or not plan.steps:
        tell_left(plan.left)
    _tell_reasons(report.outcomes)
    if manner.quiet:
        return
    if report.number is None:
        tell("nothing to do")
        return
    done = f"{report.n_done} of {counted(len(plan.steps), 'step')} done"
    hint = "" if plan.undoes else f"; to take it back: asmr-classify undo {report.number}"
    tell(done + (hint if report.n_done else ""))


def _tell_reasons(outcomes: Iterable[Outcome], lead: str = "") -> None:
    """Tell why steps were not done, or would not be, each cause once."""
    reasons = Counter((outcome.ending, outcome.reason) for outcome in outcomes)
    for (ending, reason), count in reasons.items():
        if reason is not None:
            steps = f" ({count} steps)" if count > 1 else ""
            tell(_shown_paths(reason) + steps, lead=f"{lead}{ending.value}: ", style="yellow")


def tell_left(left: Iterable[Left]) -> None:
    """Tell what is left as it is, and why."""
    from asmr_classify.batch import name_from_here

    for item in left:
        tell(f"{name_from_here(item.path)}: {item.reason}", lead="left: ", style="yellow")


def plan_lines(steps: Iterable[Step]) -> Iterator[Text]:
    """Write each step as a line: what is done, to what, and where it goes.

    Yields
    ------
    rich.text.Text
    """
    from rich.text import Text

    from asmr_classify.batch import name_from_here

    for step in steps:
        shown = step.describe()
        line = Text(f"{shown.verb}  ", style="dim")
        line.append(printable(name_from_here(shown.path)), style="not dim")
        if shown.target is not None:
            line.append(" → ")
            folder, _, name = printable(name_from_here(shown.target)).rpartition("/")
            line.append(f"{folder}/" if folder else "", style="not dim cyan")
            line.append(name, style="not dim bold")
        if shown.detail:
            line.append(f"  {printable(_shown_paths(shown.detail))}", style="not dim")
        yield line


def totals(steps: Sequence[Step]) -> str:
    """Count the steps by what they do."""
    counts = Counter(step.describe().verb for step in steps)
    texts = []
    for verb, count in counts.items():
        plural = PLURALS.get(verb, f"{verb} {{}} files").format(count)
        texts.append(plural if count > 1 else re.sub(r"(folder|file|clip)s", r"\1", plural))
    return ", ".join(texts) or "nothing to do"


def _shown_paths(text: str) -> str:
    """Name the paths in a text relative to the working directory where they lie inside."""
    from asmr_classify.batch.pool import working_directory

    here = working_directory()
    return text if here is None else text.replace(here + os.sep, "")
