"""Plans carried out: each step is journalled, done, and marked; broken runs are settled.

The order of things, and why a kill does no harm, stand in :mod:`asmr_classify.library.journal`
and :mod:`asmr_classify.library.plan`.
"""

from __future__ import annotations

import errno
import logging
import os
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING

from asmr_classify.errors import GoneError, StepError
from asmr_classify.library.journal import BROKEN_OFF, COMPLETE, NOTHING_TO_DO, STOPPED
from asmr_classify.library.plan import Left, Work

if TYPE_CHECKING:
    from collections.abc import Iterator
    from threading import Event

    from asmr_classify.library.journal import Entry, Run, RunWriter, Store
    from asmr_classify.library.plan import Plan, Step

logger = logging.getLogger(__name__)

NO_RIGHT = "no permission: change that of the file and of the folders that it goes from and to"

FAILURES = {
    errno.ENOENT: "it, or the folder that it goes to, is not there any more: look, and try again",
    errno.EACCES: NO_RIGHT,
    errno.EPERM: NO_RIGHT,
    errno.EROFS: "the disk is read-only: mount it so that it can be written",
    errno.ENOSPC: "the disk is full: make room, and give the command again",
    errno.EDQUOT: "your disk quota is used up: make room, and give the command again",
    errno.EFBIG: "the file got larger than is allowed here: raise the limit",
    errno.EIO: "the disk cannot be read or written here: check it, and back it up",
}
"""What is wrong and what to do about it, by the system's number of the error."""


CANNOT_BE_TOLD = ": what run {}, which was broken off, did to it cannot be told or undone"


class Ending(StrEnum):
    """How a step ended."""

    DONE = "done"
    KEPT = "kept"
    """Done with, and nothing changed: a folder is not removed in which something is."""
    SKIPPED = "skipped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one step ended, and if it was not done, why."""

    index: int
    ending: Ending
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """How a plan went.

    Parameters
    ----------
    number : int or None
        Of the run; None for a plan without steps, of which nothing is kept.
    outcomes : tuple of Outcome
        Of the steps that were come to, in their order.
    stopped : bool
        The user asked to stop before the end.
    """

    number: int | None
    outcomes: tuple[Outcome, ...]
    stopped: bool = False

    @property
    def n_done(self) -> int:
        """Steps that were done, or had nothing to change."""
        return sum(outcome.ending in {Ending.DONE, Ending.KEPT} for outcome in self.outcomes)


class Watcher:
    """Is told how a plan goes. Derive from it, and override what is of interest."""

    def on_step(self, step: Step) -> None:
        """Take note that a step is begun."""

    def on_bytes(self, n_bytes: int) -> None:
        """Take note that so many more bytes were copied."""

    def on_outcome(self, step: Step, outcome: Outcome) -> None:
        """Take note that a step has ended."""


def carry_out(
    plan: Plan,
    store: Store,
    *,
    stop: Event | None = None,
    watcher: Watcher | None = None,
    catalogue: str | None = None,
) -> Report:
    """Carry out a plan.

    Parameters
    ----------
    plan : Plan
    store : Store
        Where the run is journalled.
    stop : threading.Event, optional
        Once set, the step at hand is finished and no other begun.
    watcher : Watcher, optional
    catalogue : str, optional
        That will be told of the run, and of its undoing; the journal keeps it.

    Returns
    -------
    Report
        A step that could not be done does not keep the others from being done.

    Raises
    ------
    BusyError
        If another run is under way.
    OutputError
        If the journal cannot be written; no step goes on without it.
    """
    if not plan.steps:
        return Report(None, ())
    with store.locked(), store.begin(plan, catalogue) as (number, writer):
        hand = _Hand(plan, writer, watcher or Watcher())
        outcomes = []
        for index in range(len(plan.steps)):
            if stop is not None and stop.is_set():
                break
            outcomes.append(hand.take(index))
        stopped = len(outcomes) < len(plan.steps)
        if not hand.unsettled:
            writer.write({"end": STOPPED if stopped else COMPLETE}, durable=True)
    return Report(number, tuple(outcomes), stopped)


def foresee(plan: Plan) -> list[Outcome]:
    """Tell which steps would be skipped if a plan were carried out now.

    What is not there says nothing, as a step before may make it. Nor is anything told of an
    undoing, whose steps may read all that they take back.
    """
    outcomes = []
    for index, step in enumerate(plan.steps if plan.undoes is None else ()):
        try:
            step.check()
        except (StepError, OSError) as exc:
            failure = explain_failure(step, exc)
            if os.path.lexists(failure.path):
                outcomes.append(Outcome(index, Ending.SKIPPED, str(failure)))
    return outcomes


class _Hand:
    """Takes the steps of one run."""

    def __init__(self, plan: Plan, writer: RunWriter, watcher: Watcher) -> None:
        self._plan = plan
        self._writer = writer
        self._watcher = watcher
        self.unsettled = False

    def take(self, index: int) -> Outcome:
        """Check, journal, do and mark one step."""
        step = self._plan.steps[index]
        self._watcher.on_step(step)
        outcome = self._try(index, step)
        self._watcher.on_outcome(step, outcome)
        if outcome.reason is not None:
            logger.info("%s: %s", outcome.ending.value, outcome.reason)
        return outcome

    def _try(self, index: int, step: Step) -> Outcome:
        try:
            step.check()
        except (StepError, OSError) as exc:
            return Outcome(index, Ending.SKIPPED, str(explain_failure(step, exc)))
        reverses = self._plan.reverses[index] if self._plan.reverses else None
        begin = {"begin": index, "step": step.to_record(), "reverses": reverses}
        self._writer.write(begin, durable=True)
        notes: dict[str, object] = {}
        work = make_work(index, self._writer, notes, self._watcher)
        try:
            facts = step.do(work)
        except (StepError, OSError) as exc:
            return self._give_up(index, step, exc, work, notes)
        if facts is None:
            line = {"not_done": index, "reason": NOTHING_TO_DO}
        else:
            line = {"done": index, "facts": facts}
        self._writer.write(line, durable=False)
        return Outcome(index, Ending.KEPT if facts and step.keeps(facts) else Ending.DONE)

    def _give_up(
        self, index: int, step: Step, exc: Exception, work: Work, notes: dict[str, object]
    ) -> Outcome:
        """Put right what a step that failed has left, and mark how it ended."""
        reason = str(explain_failure(step, exc))
        try:
            facts = step.settle(work, notes)
        except (StepError, OSError) as left:
            self.unsettled = True  # and not marked: the next run will try it again
            return Outcome(index, Ending.FAILED, f"{reason}; {explain_failure(step, left)}")
        if facts is not None:
            self._writer.write({"done": index, "facts": facts}, durable=False)
            return Outcome(index, Ending.DONE)
        self._writer.write({"not_done": index, "reason": reason}, durable=False)
        return Outcome(index, Ending.FAILED, reason)


def make_work(
    index: int, writer: RunWriter, notes: dict[str, object], watcher: Watcher | None = None
) -> Work:
    """Make what a step gets to work with; its notes are also gathered in ``notes``."""
    return Work(
        name=f"{writer.token}-{index}",
        note=partial(_note, index, writer, notes),
        on_bytes=(watcher or Watcher()).on_bytes,
    )


def _note(index: int, writer: RunWriter, notes: dict[str, object], **facts: object) -> None:
    writer.write({"note": index, "facts": facts}, durable=True)
    notes.update(facts)


def explain_failure(step: Step, exc: Exception) -> Left:
    """Say what was not done, and why."""
    if isinstance(exc, StepError):
        return Left(exc.path, exc.message)
    number = exc.errno if isinstance(exc, OSError) else None
    text = exc.strerror if isinstance(exc, OSError) else None
    return Left(step.written(), FAILURES.get(number or 0, text or str(exc)))


def settle_broken(store: Store) -> list[Left]:
    """Settle the runs that were killed: each of their files is then as before or as after.

    Call it before a plan is made, so that the plan sees a world without half-done things.

    Parameters
    ----------
    store : Store

    Returns
    -------
    list of Left
        What could not be settled, and why; it is tried again the next time, but for files that
        are not there any more.

    Raises
    ------
    BusyError
        If a run is under way.
    """
    if not store.broken_numbers():
        return []
    with store.locked():
        return [
            left
            for number in store.broken_numbers()
            if not store.drop_if_unbegun(number)
            for left in _settle(store, store.read(number))
        ]


def _settle(store: Store, run: Run) -> Iterator[Left]:
    with store.reopen(run) as writer:
        unsettled = False
        for index, entry in run.entries.items():
            if not entry.open:
                continue
            try:
                _settle_step(index, entry, writer)
            except GoneError as exc:
                writer.write({"not_done": index, "reason": exc.message}, durable=False)
                yield Left(exc.path, f"{exc.message}{CANNOT_BE_TOLD.format(run.number)}")
            except (StepError, OSError) as exc:
                unsettled = True
                yield explain_failure(entry.step(), exc)
        if not unsettled:
            writer.write({"end": BROKEN_OFF}, durable=True)


def _settle_step(index: int, entry: Entry, writer: RunWriter) -> None:
    facts = entry.step().settle(make_work(index, writer, entry.notes), entry.notes)
    if facts is None:
        writer.write({"not_done": index, "reason": "broken off; as before"}, durable=False)
    else:
        writer.write({"done": index, "facts": facts}, durable=False)
