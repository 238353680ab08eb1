"""``asmr-classify undo``."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from asmr_classify.cli.arguments import QuietOption  # noqa: TC001 (Typer reads it)
from asmr_classify.cli.catalogue import CatalogueOption  # noqa: TC001 (Typer reads them)
from asmr_classify.cli.errors import ExitStatus, printable, reporting_errors, tell
from asmr_classify.cli.planned import (
    DryRunOption,
    JsonOption,
    Manner,
    YesOption,
    carry_out_asked,
    check_can_ask,
    command_line,
    settle_first,
    tell_left,
)

if TYPE_CHECKING:
    from asmr_classify.library.journal import Run, Store

MOST_SHOWN = 200
"""Characters of a command; `watch` puts the paths of a whole batch behind one."""


@reporting_errors
def undo(
    run: Annotated[
        int | None,
        typer.Argument(
            metavar="RUN",
            help="Number of the run to take back. Default: the last that is not undone.",
            show_default=False,
        ),
    ] = None,
    list_: Annotated[bool, typer.Option("--list", "-l", help="Show the runs, and stop.")] = False,
    catalogue: CatalogueOption = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
    yes: YesOption = False,
    quiet: QuietOption = False,
) -> ExitStatus:
    """Take back what a run of this program did to files.

    Names, places and former contents come back. A file that was changed since is left as it is,
    with a reason. Where a run went on with one of the same command that was broken off, both are
    taken back; --json then writes a line for each. The catalogue that followed the run follows
    its undoing, unless --catalogue names another.
    """
    from asmr_classify.library.journal import Store
    from asmr_classify.library.undo import (
        broken_off_before,
        choose_run,
        plan_undo,
        read_runs,
        run_state,
    )

    store = Store()
    if list_:
        return show_runs(store, as_json=as_json)
    manner = Manner(dry_run=dry_run, json=as_json, yes=yes, quiet=quiet)
    check_kept(store, run)
    check_can_ask(manner)
    settle_first(store, manner)
    runs, damaged = read_runs(store)
    if run is None:
        tell_left(damaged)
    chosen = choose_run(store, runs, run)
    if run_state(chosen, runs) == "undone":
        tell(f"run {chosen.number} is undone already")
        return ExitStatus.OK
    status = ExitStatus.OK
    for one in (chosen, *broken_off_before(chosen, runs)):
        if one is chosen and not quiet:
            tell(f"run {one.number}: {_begin_of(one)}", lead="takes back ")
        elif one is not chosen:
            told = f"run {one.number} is of the same command, and was broken off: it goes along"
            tell(told, lead="note: ")
        n_runs = len(store.numbers())
        planned = plan_undo(one, runs, command_line())
        followed = catalogue or _catalogue_of(one)
        status = max(status, carry_out_asked(planned, store, manner, catalogue=followed))
        is_asked = planned.steps and not (manner.dry_run or manner.yes)
        if is_asked and len(store.numbers()) == n_runs:
            break  # as the user did not agree
    return status


def _begin_of(run: Run) -> str:
    """Give the command of a run, or the begin of a long one."""
    command = printable(shlex.join(run.command))
    return command if len(command) <= MOST_SHOWN else command[: MOST_SHOWN - 1] + "…"


def _catalogue_of(run: Run) -> Path | None:
    """Give the catalogue that followed a run; None for the default one, as where it is gone."""
    path = Path(run.catalogue) if run.catalogue else None
    return path if path is not None and path.exists() else None


def check_kept(store: Store, run: int | None) -> None:
    """Refuse, before anything is asked, what is not there to be undone.

    Raises
    ------
    NothingToUndoError
        If there is no run to be undone.
    UsageError
        If the one named is not kept, or cannot be undone.
    JournalError
        If its journal is damaged.
    """
    from asmr_classify.library.undo import choose_run, read_runs

    runs, damaged = read_runs(store) if run is None else ([], [])
    if not damaged:
        choose_run(store, runs, run)


def show_runs(store: Store, *, as_json: bool) -> ExitStatus:
    """Show all runs, the last one first: number, time, state, steps, command."""
    from asmr_classify.cli.results import console_on_stdout
    from asmr_classify.library.plan import record_to_json
    from asmr_classify.library.undo import read_runs

    runs, damaged = read_runs(store)
    console = console_on_stdout()
    for run in reversed(runs):
        row = run_row(run, runs)
        line = record_to_json(row) if as_json else _row_line(row)
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    tell_left(damaged)
    if not runs and not damaged:
        tell("no runs are kept")
    return ExitStatus.SOME_FAILED if damaged else ExitStatus.OK


def run_row(run: Run, runs: list[Run]) -> dict[str, Any]:
    """Gather what is shown of a run."""
    from asmr_classify.library.undo import run_state

    return {
        "run": run.number,
        "created": run.created,
        "state": run_state(run, runs),
        "done": len(run.done),
        "steps": run.n_steps,
        "command": list(run.command),
    }


def _row_line(row: dict[str, Any]) -> str:
    when = row["created"].replace("T", " ").removesuffix("Z")
    steps = f"{row['done']}/{row['steps']} steps"
    command = printable(shlex.join(row["command"]))
    return f"{row['run']:>4}  {when} UTC  {row['state']:<14}  {steps:<14}  {command}"
