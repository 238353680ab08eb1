"""One file, whose failure stays with it."""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING

from asmr_classify.aggregate import FileResult, Problem, Status

if TYPE_CHECKING:
    from collections.abc import Callable

    from asmr_classify.media.discover import Found
    from asmr_classify.model import Model


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one file.

    Parameters
    ----------
    found : Found
    result : FileResult
    trace : str or None
        The traceback of an error that nobody expected, for the log: workers have none.
    is_recalled : bool
        Whether it was kept from an earlier run.
    """

    found: Found
    result: FileResult
    trace: str | None = None
    is_recalled: bool = False


def label_safely(found: Found, model: Model, on_decoded: Callable[[float], None]) -> Outcome:
    """Label one file; an unexpected error becomes its result.

    Parameters
    ----------
    found : Found
    model : Model
    on_decoded : callable
        Called with the seconds decoded since the last call.
    """
    from asmr_classify.classify import label_file, lack_of_memory

    before = 0.0

    def on_progress(seconds: float) -> None:
        nonlocal before
        on_decoded(seconds - before)
        before = seconds

    try:
        return Outcome(found, label_file(found.path, model=model, on_progress=on_progress))
    except MemoryError:
        error = lack_of_memory(found.path)
        return Outcome(
            found, FileResult(found.path, Status.FAILED, model.id, error=Problem.of(error))
        )
    except Exception as exc:  # noqa: BLE001 (logged, with its traceback, where outcomes are taken)
        kind = type(exc).__name__
        message = f"{found.path}: unexpected error ({kind}: {exc}); please report it with the file"
        problem = Problem(kind, message, may_pass=True)  # in a later version, at least
        result = FileResult(found.path, Status.FAILED, model.id, error=problem)
        return Outcome(found, result, traceback.format_exc())
