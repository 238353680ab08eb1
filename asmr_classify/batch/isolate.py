"""One file, whose failure stays with it."""

from __future__ import annotations

import time
import traceback
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Generic, TypeAlias

from asmr_classify.aggregate import Problem
from asmr_classify.batch.task import R
from asmr_classify.media.blocks import Fetched, take_fetched
from asmr_classify.media.opening import held

if TYPE_CHECKING:
    from collections.abc import Callable

    from asmr_classify.batch.task import Task
    from asmr_classify.media.found import Found

GLANCE = 0.5
"""Seconds after which it is told again that work gets on."""


@dataclass(frozen=True, slots=True)
class Outcome(Generic[R]):
    """What became of one file.

    Parameters
    ----------
    found : Found
    result : Result
    trace : str or None
        The traceback of an error that nobody expected, for the log: workers have none.
    is_recalled : bool
        Whether it was kept from an earlier run.
    fetched : Fetched
        What was read from storage.
    part : str or None
        The part of a table that whoever worked on it has written the result to.
    """

    found: Found
    result: R
    trace: str | None = None
    is_recalled: bool = False
    fetched: Fetched = field(default_factory=Fetched)
    part: str | None = None


@dataclass(frozen=True, slots=True)
class Other(Generic[R]):
    """A result by other settings: it does not stand, but a task may take something over."""

    result: R


Known: TypeAlias = R | Other[R] | None
"""What is known of a file that is still to be worked on."""


Errand: TypeAlias = tuple["Found", Known[R]]
"""A file, and what is known of it that lacks something, or by other settings."""


def standing(known: Known[R]) -> R | None:
    """Give the result that stands of what is known of a file; None if nothing does."""
    return None if isinstance(known, Other) else known


def errand_of(
    found: Found, recalled: Outcome[R] | Other[R] | None, task: Task[R]
) -> Outcome[R] | Errand[R]:
    """Give what was recalled of a file if it lacks nothing, else what is still to be done."""
    if not isinstance(recalled, Outcome):
        return found, recalled
    return (found, recalled.result) if task.lacks(recalled.result) else recalled


def undone(task: Task[R], found: Found, known: Known[R], problem: Problem) -> Outcome[R]:
    """Make the outcome of a file of which nothing came; what was known of it stands."""
    result = standing(known)
    if result is None:
        return Outcome(found, task.fail(found.path, problem))
    return Outcome(found, task.give_up(result, problem))


@dataclass(frozen=True, slots=True)
class Safe:
    """A result that stands, whatever becomes of what is to be added to it."""

    result: Any


def do_safely(
    found: Found,
    task: Task[R],
    on_decoded: Callable[[float], None],
    *,
    known: Known[R] = None,
    on_safe: Callable[[R], None] | None = None,
) -> Outcome[R]:
    """Work on one file; an unexpected error becomes its result, or part of it.

    Parameters
    ----------
    found : Found
    task : Task
    on_decoded : callable
        Called with the seconds decoded since the last call.
    known : Result or Other, optional
        Kept from an earlier run; only what it lacks is done, or of another's what it has is not.
    on_safe : callable, optional
        Called with a result before something is added that may crash.
    """
    take_fetched()  # what was read before is of no file of this run
    with held(found.path):
        result = standing(known)
        is_new = result is None
        outcome = _do(found, task, on_decoded) if result is None else Outcome(found, result)
        if isinstance(known, Other):
            outcome = replace(outcome, result=task.take_over(outcome.result, known.result))
        if task.lacks(outcome.result):
            if on_safe is not None and is_new:
                on_safe(outcome.result)
            outcome = _add(outcome, task, on_decoded)
    return replace(outcome, fetched=take_fetched())


def _do(found: Found, task: Task[R], on_decoded: Callable[[float], None]) -> Outcome[R]:
    before = 0.0

    def on_progress(seconds: float) -> None:
        nonlocal before
        on_decoded(seconds - before)
        before = seconds

    try:
        return Outcome(found, task.do(found, on_progress))
    except Exception as exc:  # noqa: BLE001 (logged, with its traceback, where outcomes are taken)
        problem, trace = _explain(found, exc)
        return Outcome(found, task.fail(found.path, problem), trace)


def _add(outcome: Outcome[R], task: Task[R], on_decoded: Callable[[float], None]) -> Outcome[R]:
    """Add to a result what it lacks; it stays as it is if that fails."""
    told = time.monotonic()

    def on_progress() -> None:
        nonlocal told
        if time.monotonic() - told > GLANCE:
            told = time.monotonic()
            on_decoded(0.0)

    trace = outcome.trace
    try:
        result = task.add(outcome.found, outcome.result, on_progress)
    except Exception as exc:  # noqa: BLE001 (as above)
        problem, trace = _explain(outcome.found, exc)
        result = task.give_up(outcome.result, problem)
    return replace(outcome, result=result, trace=trace)


def _explain(found: Found, exc: Exception) -> tuple[Problem, str | None]:
    """Say what went wrong that nobody expected; the traceback too, unless memory was lacking."""
    from asmr_classify.classify import lack_of_memory

    if isinstance(exc, MemoryError):
        return Problem.of(lack_of_memory(found.path)), None
    kind = type(exc).__name__
    message = f"{found.path}: unexpected error ({kind}: {exc}); please report it with the file"
    # It may pass in a later version, at least.
    return Problem(kind, message, may_pass=True), traceback.format_exc()
