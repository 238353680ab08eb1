"""Which statements are likely wrong, by confident learning [1]_ as cleanlab has it.

Each statement says whether one label is there; a model that did not learn from it says how surely.

References
----------
.. [1] Northcutt, Jiang and Chuang (2021). Confident Learning: Estimating Uncertainty in Dataset
   Labels. Journal of Artificial Intelligence Research 70.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from asmr_classify.errors import MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asmr_classify.training.corpus import Corpus
    from asmr_classify.training.duplicates import Duplicate
    from asmr_classify.training.record import EvaluationRecord

COLUMNS = (
    *("issue", "path", "labels", "label", "said", "score", "right"),
    *("other", "other_labels", "difference"),
)
"""Of the table of a corpus."""

DIGITS = 4


def check_cleanlab(option: str) -> None:
    """Check that what is suspicious can be looked for.

    Raises
    ------
    MissingExtraError
        If cleanlab is missing.
    """
    try:
        import cleanlab.filter  # noqa: F401 (whether it can be loaded is the question)
    except ImportError as exc:
        raise MissingExtraError(
            f"{option} needs cleanlab, which is not installed: pip install 'asmr-classify[review]'"
        ) from exc


def find_wrong(said: Sequence[bool], sureties: Sequence[float]) -> list[tuple[int, float]]:
    """Find the statements about one label that are likely wrong.

    Parameters
    ----------
    said : sequence of bool
        Whether the label is there.
    sureties : sequence of float
        How surely a model hears it, in [0, 1].

    Returns
    -------
    list of (index, how likely the statement is right)
        None where all say the same.
    """
    from cleanlab.filter import find_label_issues
    from cleanlab.rank import get_label_quality_scores

    if len({*said}) < 2:
        return []
    labels = np.array(said, dtype=int)
    p = np.array(sureties, dtype=float)
    both = np.column_stack([1 - p, p])
    wrong = find_label_issues(labels, both, n_jobs=1)
    scores = get_label_quality_scores(labels, both)
    return [(k, float(scores[k])) for k in np.flatnonzero(wrong).tolist()]


def corpus_issues(
    corpus: Corpus,
    record: EvaluationRecord,
    copies: Sequence[Duplicate],
    contradictions: Sequence[tuple[int, int]],
) -> list[dict[str, Any]]:
    """List what is likely wrong with a corpus, a row of :data:`COLUMNS` each.

    Parameters
    ----------
    corpus : Corpus
    record : EvaluationRecord
        Of models that never heard the group of what they judge.
    copies : sequence of Duplicate
    contradictions : sequence of (first, second)
        Clips that are the same file with other labels.

    Returns
    -------
    list of dict
        Contradictions, then labels that are likely wrong, the least likely right first, then
        copies, the most alike first.
    """
    clips = corpus.clips

    def pair(issue: str, first: int, second: int) -> dict[str, Any]:
        one, other = clips[first], clips[second]
        told = {"issue": issue, "path": one.path, "labels": one.labels}
        return told | {"other": other.path, "other_labels": other.labels}

    wrong: list[dict[str, Any]] = []
    for label in corpus.labels:
        scores = record.scores_of(label)
        said = [label in clip.labels for clip in clips]
        for k, right in find_wrong(said, scores.tolist()):
            wrong.append(
                {
                    "issue": "label",
                    "path": clips[k].path,
                    "labels": clips[k].labels,
                    "label": label,
                    "said": said[k],
                    "score": round(float(scores[k]), DIGITS),
                    "right": round(right, DIGITS),
                }
            )
    wrong.sort(key=lambda row: (row["right"], row["path"]))
    return [
        *(pair("contradiction", *each) for each in contradictions),
        *wrong,
        *(
            pair("copy", each.first, each.second) | {"difference": round(each.error, DIGITS)}
            for each in copies
        ),
    ]
