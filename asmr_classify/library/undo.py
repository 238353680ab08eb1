"""Runs are taken back: the inverse of each step that was done, last step first, as a plan."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from asmr_classify.errors import JournalError, NothingToUndoError, StepError, UsageError
from asmr_classify.library.folders import steps_to_folders
from asmr_classify.library.journal import COMPLETE
from asmr_classify.library.plan import Left, Plan, without_manner

if TYPE_CHECKING:
    from collections.abc import Iterable

    from asmr_classify.library.journal import Entry, Run, Store
    from asmr_classify.library.plan import Step


def read_runs(store: Store) -> tuple[list[Run], list[Left]]:
    """Read all journals.

    Parameters
    ----------
    store : Store

    Returns
    -------
    runs : list of Run
        The oldest first.
    damaged : list of Left
        Journals that cannot be read, and why.
    """
    runs, damaged = [], []
    for number in store.numbers():
        try:
            runs.append(store.read(number))
        except UsageError:  # was removed by another process, as nothing was begun
            continue
        except JournalError as exc:
            damaged.append(Left(str(store.path_of(number)), str(exc)))
    return runs, damaged


def undone_steps(run: Run, runs: Iterable[Run]) -> set[int]:
    """Tell which steps of a run were taken back by others."""
    return {
        entry.reverses
        for other in runs
        if other.undoes == run.number
        for entry in other.done.values()
        if entry.reverses is not None
    }


def run_state(run: Run, runs: Iterable[Run]) -> str:
    """Say in a few words what became of a run.

    Returns
    -------
    str
        ``undo of N``, ``undone``, ``partly undone``, ``done``, ``partly done``, ``nothing done``
        or, if it was killed and is not settled yet, ``broken off``.
    """
    if run.end is None:
        return "broken off"
    if run.undoes is not None:
        return f"undo of {run.undoes}"
    done = run.done.keys()
    undone = undone_steps(run, runs) & done
    if undone:
        return "undone" if undone == done else "partly undone"
    if not done:
        return "nothing done"
    return "done" if run.is_complete else "partly done"


def choose_run(store: Store, runs: list[Run], number: int | None) -> Run:
    """Choose the run to take back: the one named, or the last that is not undone.

    Parameters
    ----------
    store : Store
    runs : list of Run
        To choose the last from.
    number : int or None

    Raises
    ------
    NothingToUndoError
        If there is none.
    UsageError
        If the one named is not there, or cannot be undone.
    JournalError
        If the journal of the one named cannot be read.
    """
    if number is not None:
        run = store.read(number)
        if run.undoes is not None:
            raise UsageError(
                f"run {number} is itself the undoing of run {run.undoes}: give that command again"
            )
        return run
    for run in reversed(runs):
        if run.undoes is None and run_state(run, runs) not in {"undone", "nothing done"}:
            return run
    none_left = "no run is kept that has not been undone"
    raise NothingToUndoError(
        f"nothing to undo: {none_left if store.numbers() else store.describe_kept()}"
    )


def broken_off_before(run: Run, runs: Iterable[Run]) -> list[Run]:
    """Give the runs that one went on with: of the same command in the same folder, broken off.

    Parameters
    ----------
    run : Run
    runs : iterable of Run
        All of them.

    Returns
    -------
    list of Run
        The latest first, as they are to be taken back; none before one that came to its end or is
        undone.
    """
    if not run.folder:
        return []
    runs = list(runs)
    work = without_manner(run.command)
    before: list[Run] = []
    for other in reversed(runs):
        if other.number >= run.number or other.undoes is not None or other.folder != run.folder:
            continue
        state, is_same = run_state(other, runs), without_manner(other.command) == work
        if is_same and (other.end == COMPLETE or state == "undone"):
            break
        if state in {"undone", "nothing done"}:
            continue
        if not is_same:
            break  # what came after may rest on it
        before.append(other)
    return before


def plan_undo(run: Run, runs: Iterable[Run], command: tuple[str, ...]) -> Plan:
    """Plan to take a run back.

    Parameters
    ----------
    run : Run
        Settled.
    runs : iterable of Run
        All of them, to know what is undone already.
    command : tuple of str

    Returns
    -------
    Plan
        Without steps if all is undone.
    """
    runs = list(runs)
    undone = undone_steps(run, runs)
    steps: list[tuple[Step, int]] = []
    left = [
        Left(run.path, f"line {line} is damaged: what it tells cannot be undone")
        for line in run.damaged
    ]
    for index, entry in reversed(run.entries.items()):
        if index in undone or entry.reason is not None:
            continue
        try:
            inverse = _inverse(entry)
        except StepError as exc:
            left.append(Left(exc.path, exc.message))
        except (JournalError, KeyError, TypeError) as exc:
            left.append(Left(run.path, f"step {index} cannot be read: {exc}"))
        else:
            if inverse is not None:
                steps.append((inverse, index))
    moved = _moved_since(run, runs)
    told = [
        Left(item.path, f"was moved by run {moved[item.path]}: undo that first")
        if item.path in moved and not os.path.lexists(item.path)
        else item
        for item in left
    ]
    return _with_folders(run, steps, told, command)


def _moved_since(run: Run, runs: list[Run]) -> dict[str, int]:
    """Tell by which later run a file was moved away."""
    moved: dict[str, int] = {}
    for later in runs:
        if later.number <= run.number:
            continue
        for entry in later.done.values():
            if entry.record.get("kind") == "move":
                moved.pop(entry.record.get("target", ""), None)
                if later.undoes is None:
                    moved[entry.record.get("source", "")] = later.number
    return moved


def _inverse(entry: Entry) -> Step | None:
    step = entry.step()
    if entry.facts is None:
        raise StepError(step.describe().path, "a step on it was broken off, and is not settled yet")
    return step.inverse(entry.facts)


def _with_folders(
    run: Run, steps: list[tuple[Step, int]], left: list[Left], command: tuple[str, ...]
) -> Plan:
    """Make the folders first that files go back to."""
    homes = {os.path.dirname(moved[-1]) for step, _ in steps if (moved := step.moved())}
    made = steps_to_folders(homes)
    return Plan(
        command=command,
        steps=(*made, *(step for step, _ in steps)),
        left=tuple(left),
        undoes=run.number,
        reverses=(*(None for _ in made), *(index for _, index in steps)),
    )


def origins(runs: Iterable[Run]) -> dict[str, str]:
    """Tell of the files that were moved where they were first.

    Parameters
    ----------
    runs : iterable of Run
        The oldest first, those of undoing included.

    Returns
    -------
    dict of str to str
        The path that each file was given last, and the one it had before any run.
    """
    first: dict[str, str] = {}
    for run in runs:
        for entry in run.done.values():
            if entry.record.get("kind") != "move":
                continue
            try:
                source, target = entry.record["source"], entry.record["target"]
            except KeyError:  # damaged; the file is taken as it is now
                continue
            first[target] = first.pop(source, source)
    return {path: origin for path, origin in first.items() if path != origin}
