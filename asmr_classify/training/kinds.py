"""Kinds: what people search for, below and beside the labels: typing, rain, chewing, scissors.

Several hands wrote the finer labels of a corpus, and no two of them the same words. A table of
one's own merges synonyms: a CSV file with the columns ``kind`` and ``labels``, the finer labels
that the kind holds, between spaces. A clip is of one kind or of none.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from asmr_classify.errors import CorpusError
from asmr_classify.training.corpus import read_table
from asmr_classify.training.metrics import average_precision

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from asmr_classify.training.corpus import Corpus

COLUMNS = ("kind", "labels")

LEAST_GROUPS = 8
"""Kinds of fewer groups are not learnt: whether they are told on sources never heard is anybody's
guess."""


RIVALRY = 0.6
"""Of kinds, see :func:`asmr_classify.evidence.against_rivals`: of 0 to 1.2, that by which what was
heard of sources never heard is likeliest, whichever fold is left out."""

N_CONFUSED = 3
"""Finer labels that are named as taken for a kind."""


@dataclass(frozen=True, slots=True)
class KindFigures:
    """How well a kind is told on sources never heard.

    Parameters
    ----------
    kind : str
    clips, groups : int
        That are of it.
    average_precision : float
        By clip; nan where the clips that are not silent do not tell it.
    told : bool
        Whether that is enough for the model to tell it.
    taken_for : tuple of str
        Finer labels of the other clips that most often rank among the first ``clips``.
    """

    kind: str
    clips: int
    groups: int
    average_precision: float
    told: bool
    taken_for: tuple[str, ...]


def judge_kinds(
    corpus: Corpus,
    evidence: NDArray[np.float32],
    audible: NDArray[np.bool_],
    least_precision: float,
) -> tuple[KindFigures, ...]:
    """Judge how well kinds are told.

    Parameters
    ----------
    corpus : Corpus
    evidence : ndarray of float32, shape (n_clips, n_kinds)
        By networks that never heard a clip's group.
    audible : ndarray of bool, shape (n_clips,)
        Clips that are not silent; only these are judged.
    least_precision : float
        Of kinds that are told.

    Returns
    -------
    tuple of KindFigures
        The best first.
    """
    is_of = kind_targets(corpus) > 0
    precisions, figures = kind_precisions(evidence[audible], is_of[audible]), []
    told = told_kinds(corpus, precisions, least_precision)
    for k, (kind, precision) in enumerate(zip(corpus.kinds, precisions, strict=True)):
        first = np.argsort(-evidence[:, k], kind="stable")[: int(is_of[:, k].sum())]
        others = Counter(
            corpus.clips[index].label
            for index in first
            if not is_of[index, k] and corpus.clips[index].label
        )
        figures.append(
            KindFigures(
                kind,
                int(is_of[:, k].sum()),
                len({clip.group for clip in corpus.clips if clip.kind == kind}),
                float(precision),
                k in told,
                tuple(label for label, _ in others.most_common(N_CONFUSED)),
            )
        )
    return tuple(sorted(figures, key=lambda each: -np.nan_to_num(each.average_precision)))


def told_kinds(
    corpus: Corpus, precisions: NDArray[np.float64], least_precision: float
) -> list[int]:
    """Choose the kinds that a model tells: those of a label's name would say nothing new.

    Returns
    -------
    list of int
        Indices of kinds.
    """
    return [
        k
        for k, kind in enumerate(corpus.kinds)
        if precisions[k] >= least_precision and kind not in corpus.labels
    ]


def kinds_in_order(corpus: Corpus, told: Collection[str]) -> list[int]:
    """Order kinds as a model has them: those that it tells, then their rivals.

    Returns
    -------
    list of int
        Indices of kinds.
    """
    return sorted(range(len(corpus.kinds)), key=lambda k: (corpus.kinds[k] not in told, k))


def kind_precisions(evidence: NDArray[np.float32], is_of: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Compute the average precision of each kind by clip, shape (n_kinds,).

    Parameters
    ----------
    evidence : ndarray of float32, shape (n_clips, n_kinds)
    is_of : ndarray of bool, shape (n_clips, n_kinds)

    Returns
    -------
    ndarray of float64
        nan for a kind that no clip is of, or every one.
    """
    alike, scores = np.ones(len(is_of)), evidence.astype(np.float64)
    return np.array(
        [average_precision(is_of[:, k], scores[:, k], alike) for k in range(is_of.shape[1])]
    )


def read_kinds(path: Path) -> dict[str, str]:
    """Read a table of kinds.

    Parameters
    ----------
    path : path

    Returns
    -------
    dict of str to str
        Finer label to kind.

    Raises
    ------
    CorpusError
        If it cannot be read, lacks a column or a value, or gives a label two kinds.
    """
    rows = read_table(path, COLUMNS, "kinds", f"kinds need {' and '.join(COLUMNS)}")
    table: dict[str, str] = {}
    for number, row in enumerate(rows, start=2):
        kind, labels = (row["kind"] or "").strip(), (row["labels"] or "").split()
        if not kind or not labels:
            raise CorpusError(f"{path}, line {number}: a kind and its labels are expected")
        doubled = [label for label in labels if table.get(label, kind) != kind]
        if doubled:
            raise CorpusError(
                f"{path}, line {number}: {doubled[0]} is of {table[doubled[0]]} already"
            )
        table.update(dict.fromkeys(labels, kind))
    return table


def with_kinds(corpus: Corpus, table: Mapping[str, str]) -> Corpus:
    """Give clips their kinds.

    Parameters
    ----------
    corpus : Corpus
    table : mapping of str to str
        Finer label to kind.

    Returns
    -------
    Corpus
        With the kinds that clips of at least ``LEAST_GROUPS`` groups are of.
    """
    clips = tuple(replace(clip, kind=table.get(clip.label, "")) for clip in corpus.clips)
    groups: dict[str, set[str]] = {}
    for clip in clips:
        groups.setdefault(clip.kind, set()).add(clip.group)
    kinds = sorted(kind for kind, found in groups.items() if kind and len(found) >= LEAST_GROUPS)
    return replace(corpus, clips=clips, kinds=tuple(kinds))


def kind_targets(corpus: Corpus) -> NDArray[np.float32]:
    """Tell which kind each clip is of.

    Returns
    -------
    ndarray of float32, shape (n_clips, n_kinds)
        1 or 0.
    """
    of = [[clip.kind == kind for kind in corpus.kinds] for clip in corpus.clips]
    return np.array(of, dtype=np.float32).reshape(len(corpus.clips), len(corpus.kinds))
