"""What a line of a file says of a recording, between who reads it and who keeps it.

:mod:`asmr_classify.catalogue.edited` reads, and
:meth:`~asmr_classify.catalogue.store.Catalogue.take` keeps.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from asmr_classify.catalogue.corrections import Correction
from asmr_classify.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from asmr_classify.catalogue.answers import Answer


@dataclass(frozen=True, slots=True)
class Edit:
    """What a line of a file says of a recording that was not known.

    Parameters
    ----------
    place : str
        The file and line, which begin messages.
    path : str
        Of the recording.
    correction : Correction or None
    answer : Answer or None
    """

    place: str
    path: str
    correction: Correction | None = None
    answer: Answer | None = None


@contextmanager
def named_at(place: str) -> Iterator[None]:
    """Let errors begin with the place in a file that led to them."""
    try:
        yield
    except UsageError as exc:
        raise UsageError(f"{place}: {exc}") from exc


def check_same(
    told: dict[tuple[object, ...], dict[object, Edit]], content_id: int, edit: Edit
) -> None:
    """Refuse to set the very same content, or a stretch of it, to what differs; note what is."""
    answer = edit.answer
    stretch = () if answer is None else (answer.start, answer.end)
    said = edit.correction if answer is None else (answer.labels, answer.asked)
    others = told.setdefault((content_id, *stretch), {})
    for other in () if said in others else others.values():
        if _differ(other, edit):
            raise UsageError(
                f"{edit.path}: holds the very same as {other.path}, which {other.place} sets to "
                "something else"
            )
    others.setdefault(said, edit)


def _differ(one: Edit, other: Edit) -> bool:
    """Tell whether it matters which of two edits comes last."""
    if one.answer is not None and other.answer is not None:
        last, first = one.answer.then(other.answer), other.answer.then(one.answer)
        return {*last.labels} != {*first.labels}
    before, after = one.correction or Correction(), other.correction or Correction()
    return before.then(after) != after.then(before)
