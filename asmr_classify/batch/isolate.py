"""One file, whose failure stays with it."""

from __future__ import annotations

import traceback
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic

from asmr_classify.aggregate import Problem
from asmr_classify.batch.task import R
from asmr_classify.media.remote import Fetched, take_fetched

if TYPE_CHECKING:
    from collections.abc import Callable

    from asmr_classify.batch.task import Task
    from asmr_classify.media.discover import Found


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
    """

    found: Found
    result: R
    trace: str | None = None
    is_recalled: bool = False
    fetched: Fetched = field(default_factory=Fetched)


def do_safely(found: Found, task: Task[R], on_decoded: Callable[[float], None]) -> Outcome[R]:
    """Work on one file; an unexpected error becomes its result.

    Parameters
    ----------
    found : Found
    task : Task
    on_decoded : callable
        Called with the seconds decoded since the last call.
    """
    from asmr_classify.classify import lack_of_memory

    before = 0.0

    def on_progress(seconds: float) -> None:
        nonlocal before
        on_decoded(seconds - before)
        before = seconds

    take_fetched()  # what was read before is of no file of this run
    try:
        return Outcome(found, task.do(found, on_progress), fetched=take_fetched())
    except MemoryError:
        return Outcome(found, task.fail(found.path, Problem.of(lack_of_memory(found.path))))
    except Exception as exc:  # noqa: BLE001 (logged, with its traceback, where outcomes are taken)
        kind = type(exc).__name__
        message = f"{found.path}: unexpected error ({kind}: {exc}); please report it with the file"
        problem = Problem(kind, message, may_pass=True)  # in a later version, at least
        return Outcome(found, task.fail(found.path, problem), traceback.format_exc())
