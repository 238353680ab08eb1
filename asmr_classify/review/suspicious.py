"""Answers and folders that may be wrong: where what was said and what the model hears disagree.

A folder that is called like a label says that its recordings hold it, and, if they lie in none of
their own, that those in folders of other labels do not; but of ``other``, which is beside most
labels, it says nothing unless it is called so. An answer says which of the labels on offer
are heard in a stretch. Label by label, confident learning [1]_ as cleanlab has it tells which of
these are likely errors.

References
----------
.. [1] Northcutt, Jiang and Chuang (2021). Confident Learning: Estimating Uncertainty in Dataset
   Labels. Journal of Artificial Intelligence Research 70.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from asmr_classify.labels import OTHER, one_word
from asmr_classify.review.stretches import cut_stretches, stretch_at
from asmr_classify.training.suspicious import DIGITS, find_wrong

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from asmr_classify.aggregate import FileResult
    from asmr_classify.catalogue import Answer
    from asmr_classify.review.stretches import Stretch


@dataclass(frozen=True, slots=True)
class Claim:
    """That a label is heard in a stretch, or is not.

    Parameters
    ----------
    stretch : Stretch
    label : str
    is_heard : bool
    by : str
        Who says so: ``answer`` or ``folder``.
    right : float
        How likely it is right, in [0, 1]; 1 where nobody has asked.
    """

    stretch: Stretch
    label: str
    is_heard: bool
    by: str
    right: float = 1.0

    @property
    def surety(self) -> float:
        """How surely the model hears the label there, in [0, 1]."""
        return min(1.0, max(0.0, self.stretch.opinion[self.label]))


COLUMNS = ("path", "start", "end", "about", "said", "by", "score", "right")
"""Of the table. No column is called as those that ``set --from`` reads labels from."""


def claims_of(result: FileResult, answers: Iterable[Answer]) -> Iterator[Claim]:
    """Give all that was said of a recording.

    Parameters
    ----------
    result : FileResult
        By its absolute path.
    answers : iterable of Answer
        About it.

    Yields
    ------
    Claim
        Those of folders are of the stretch in which their label is heard most surely.
    """
    for answer in answers:
        stretch = stretch_at(result, answer.start, answer.end)
        for label in answer.asked:
            if label in stretch.opinion:
                yield Claim(stretch, label, label in answer.labels, "answer")
    if not labels_of_folders(result.path, {*result.scores, *result.tags}):
        return  # nothing is said, so it need not be cut
    stretches = cut_stretches(result)
    opinion = stretches[0].opinion if stretches else {}
    spoken = labels_of_folders(result.path, opinion)
    for label in opinion if spoken else ():
        surest = max(stretches, key=lambda x: x.opinion.get(label, 0.0))
        if label != OTHER or label in spoken:
            yield Claim(surest, label, label in spoken, "folder")


def find_doubtful(claims: Iterable[Claim]) -> list[Claim]:
    """Find what was said and is likely wrong.

    Returns
    -------
    list of Claim
        The most suspicious first; none of a label of which all was said to be heard, or nothing.
    """
    found = []
    for _, group in groupby(sorted(claims, key=lambda x: (x.label, x.by)), key=lambda x: x.label):
        held = list(group)
        wrong = find_wrong([x.is_heard for x in held], [x.surety for x in held])
        found += [replace(held[k], right=right) for k, right in wrong]
    return sorted(found, key=lambda claim: claim.right)


def find_suspicious(claims: Iterable[Claim]) -> list[Stretch]:
    """Find stretches of which something was said that is likely wrong.

    Returns
    -------
    list of Stretch
        Those of :func:`find_doubtful`, in its order, each once.
    """
    return [*{claim.stretch.key: claim.stretch for claim in find_doubtful(claims)}.values()]


def claim_to_row(claim: Claim) -> dict[str, Any]:
    """Tell of a claim by the names of :data:`COLUMNS`."""
    stretch = claim.stretch
    return {
        "path": stretch.path,
        "start": stretch.start,
        "end": stretch.end,
        "about": claim.label,
        "said": claim.is_heard,
        "by": claim.by,
        "score": round(claim.surety, DIGITS),
        "right": round(claim.right, DIGITS),
    }


def labels_of_folders(path: str, labels: Collection[str]) -> set[str]:
    """Tell by which labels the folders of a recording are called.

    Examples
    --------
    >>> labels_of_folders("/asmr/White Noise/rain.mp3", ["tap", "white_noise"])
    {'white_noise'}
    """
    folders = {one_word(part.casefold()) for part in PurePath(path).parent.parts}
    return {label for label in labels if label.casefold() in folders}
