"""Answers and folders that may be wrong: where what was said and what the model hears disagree.

A folder that is called like a label says that its recordings hold it, and, if they lie in none of
their own, that those in folders of other labels do not. An answer says which of the labels on offer
are heard in a stretch. Label by label, confident learning [1]_ as cleanlab has it tells which of
these are likely errors.

References
----------
.. [1] Northcutt, Jiang and Chuang (2021). Confident Learning: Estimating Uncertainty in Dataset
   Labels. Journal of Artificial Intelligence Research 70.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from pathlib import PurePath
from typing import TYPE_CHECKING

import numpy as np

from asmr_classify.errors import MissingExtraError
from asmr_classify.review.stretches import stretch_at

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from asmr_classify.aggregate import FileResult
    from asmr_classify.catalogue import Answer
    from asmr_classify.review.stretches import Key, Stretch


@dataclass(frozen=True, slots=True)
class Claim:
    """That a label is heard in a stretch, or is not."""

    stretch: Stretch
    label: str
    is_heard: bool

    @property
    def surety(self) -> float:
        """How surely the model hears the label there, in [0, 1]."""
        return min(1.0, max(0.0, self.stretch.opinion[self.label]))


def check_cleanlab() -> None:
    """Check that suspicious answers can be looked for.

    Raises
    ------
    MissingExtraError
        If cleanlab is missing.
    """
    try:
        import cleanlab.filter  # noqa: F401 (whether it can be loaded is the question)
    except ImportError as exc:
        raise MissingExtraError(
            "--order suspicious needs cleanlab, which is not installed: "
            "pip install 'asmr-classify[review]'"
        ) from exc


def find_suspicious(
    results: Iterable[FileResult],
    stretches: Sequence[Stretch],
    answers: Sequence[Answer],
) -> list[Stretch]:
    """Find stretches of which something was said that is likely wrong.

    Parameters
    ----------
    results : iterable of FileResult
        By absolute paths.
    stretches : sequence of Stretch
        Of these results; for a folder's claim the one in which its label is heard most surely is
        given.
    answers : sequence of Answer

    Returns
    -------
    list of Stretch
        The most suspicious first, each once; none of a label of which all was said to be heard, or
        nothing.
    """
    known = {result.path: result for result in results}
    claims = [*_claims_of_answers(known, answers), *_claims_of_folders(stretches)]
    claims.sort(key=lambda claim: claim.label)
    found: dict[Key, tuple[float, Stretch]] = {}
    for _, held in groupby(claims, key=lambda claim: claim.label):
        for score, stretch in _find_wrong(list(held)):
            found[stretch.key] = min(
                found.get(stretch.key, (1.0, stretch)), (score, stretch), key=_first
            )
    return [stretch for _, stretch in sorted(found.values(), key=_first)]


def _first(pair: tuple[float, Stretch]) -> float:
    return pair[0]


def _claims_of_answers(
    known: Mapping[str, FileResult], answers: Iterable[Answer]
) -> Iterator[Claim]:
    for answer in answers:
        result = known.get(answer.path)
        if result is None:
            continue
        stretch = stretch_at(result, answer.start, answer.end)
        for label in answer.asked:
            if label in stretch.opinion:
                yield Claim(stretch, label, label in answer.labels)


def _claims_of_folders(stretches: Iterable[Stretch]) -> Iterator[Claim]:
    """Say of each recording in a folder of a label what its surest stretch should hold."""
    for _, held in groupby(stretches, key=lambda x: x.path):
        own = list(held)
        spoken = labels_of_folders(own[0].path, own[0].opinion)
        for label in own[0].opinion if spoken else ():
            surest = max(own, key=lambda x: x.opinion.get(label, 0.0))
            yield Claim(surest, label, label in spoken)


def labels_of_folders(path: str, labels: Collection[str]) -> set[str]:
    """Tell by which labels the folders of a recording are called.

    Examples
    --------
    >>> labels_of_folders("/asmr/White Noise/rain.mp3", ["tap", "white_noise"])
    {'white_noise'}
    """
    folders = {"_".join(part.casefold().split()) for part in PurePath(path).parent.parts}
    return {label for label in labels if label.casefold() in folders}


def _find_wrong(claims: Sequence[Claim]) -> list[tuple[float, Stretch]]:
    """Ask cleanlab about the claims of one label; each with how likely it is right."""
    from cleanlab.filter import find_label_issues
    from cleanlab.rank import get_label_quality_scores

    said = np.array([claim.is_heard for claim in claims], dtype=int)
    if said.min() == said.max():
        return []
    p = np.array([claim.surety for claim in claims])
    both = np.column_stack([1 - p, p])
    wrong = find_label_issues(said, both, n_jobs=1)
    scores = get_label_quality_scores(said, both)
    return [(float(scores[k]), claims[k].stretch) for k in np.flatnonzero(wrong).tolist()]
