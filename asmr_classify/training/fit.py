"""Rows to networks and trees.

Networks are scikit-learn's multilayer perceptrons with one output per label, so labels are
independent; several, which differ in their seed, are averaged. They learn plus or minus a constant
by squared error: cross-entropy goes on to be ever surer of makers that it knows, and did worse on
makers never heard. Beside them stand histogram gradient-boosted trees, one ensemble a label: they
err elsewhere, and the average of both is better than either; beside an encoder they bring nothing,
and ``train --teacher`` fits none unless it is asked to. One half of both is fitted on clips
and a few scenes, the other on many scenes: who learns from many finds what sounds when in mixtures,
but is less sure of single clips. One more network, which learns by likelihood, tells kinds.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from asmr_classify.estimators import Ensemble, Network, average_trees, standardise
from asmr_classify.training.boosting import fit_trees
from asmr_classify.training.kinds import kind_targets
from asmr_classify.training.networks import fit_network
from asmr_classify.training.student import scaling
from asmr_classify.training.takes import OF_CLIPS, OF_FOLDS, TakeKind

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from asmr_classify.training.corpus import Corpus
    from asmr_classify.training.spec import FitSpec, TrainingSpec
    from asmr_classify.training.student import School
    from asmr_classify.training.takes import TakeRows

    Array = NDArray[np.float32]


def fit_ensemble(
    rows: TakeRows,
    corpus: Corpus,
    inside: NDArray[np.bool_],
    spec: TrainingSpec,
    school: School | None = None,
    left_out: frozenset[int] = frozenset(),
) -> Ensemble:
    """Fit networks and trees on the takes of some clips.

    Parameters
    ----------
    rows : TakeRows
    corpus : Corpus
    inside : ndarray of bool, shape (n_clips,)
        Clips to fit on.
    spec : TrainingSpec
        Windows below its silence level are left out.
    school : School, optional
        Gives hints.
    left_out : frozenset of int
        Folds of which the students behind those hints may have heard nothing, beside the fold that
        a hint is of.

    Returns
    -------
    Ensemble
    """
    kept = training_rows(rows, corpus, inside, spec)
    student, hints = None, np.zeros((len(kept), 0), dtype=np.float32)
    if school is None:
        mean, scale = scaling(rows.rows.X[kept])
    else:
        taught = school.student(left_out)
        mean, scale, student = taught.mean, taught.scale, taught.network
        hints = np.zeros((len(kept), student.n_outputs), dtype=np.float32)
        hints[kept] = school.hints(rows, kept, left_out)

    def standard(part: NDArray[np.bool_]) -> Array:
        columns = standardise(rows.rows.X[part], mean, scale)
        return np.concatenate([columns, hints[part]], axis=1)

    networks, trees = [], []
    parts = _parts(rows, kept, spec.fit)
    for k, part in enumerate(parts):
        targets, weights = rows.targets[part], row_weights(rows, corpus, inside, part, spec)
        for member in range(k, spec.fit.members, len(parts)):
            seed = spec.fit.seed + member
            networks.append(_fit_member(standard(part), targets, weights, spec.fit, seed=seed))
        if spec.fit.tree_rounds:
            columns = np.concatenate([rows.rows.X[part], hints[part]], axis=1)
            trees.append(fit_trees(columns, targets, weights, spec.fit))
    kinds = None
    if corpus.kinds:
        part = kept & np.isin([take.kind for take in rows.takes], OF_CLIPS)[rows.take_of_row()]
        clip_of_row = np.array([take.clips[0] for take in rows.takes])[rows.take_of_row()[part]]
        targets = kind_targets(corpus)[clip_of_row]
        weights = row_weights(rows, corpus, inside, part, spec)
        kinds = _fit_kinds(standard(part), targets, weights, spec)
    together = average_trees(trees) if trees else None
    return Ensemble(mean, scale, tuple(networks), together, student=student, kinds=kinds)


def _parts(rows: TakeRows, kept: NDArray[np.bool_], spec: FitSpec) -> list[NDArray[np.bool_]]:
    """Find the rows that each part of the ensemble is fitted on; parts that are equal are one."""
    of_fold = Counter(take.clips for take in rows.takes if take.kind is TakeKind.SCENE)
    # A scene's place among those of its fold, in [0, 1); clips and noise are in every part.
    place = np.array(
        [
            take.version / of_fold[take.clips] if take.kind is TakeKind.SCENE else -1.0
            for take in rows.takes
        ]
    )
    parts: list[NDArray[np.bool_]] = []
    for share in spec.scene_shares:
        part = kept & (place < share)[rows.take_of_row()]
        if not any(np.array_equal(part, other) for other in parts):
            parts.append(part)
    return parts


def training_rows(
    rows: TakeRows, corpus: Corpus, inside: NDArray[np.bool_], spec: TrainingSpec
) -> NDArray[np.bool_]:
    """Find the rows to fit on: of clips inside that are sure, neither silent nor background.

    Parameters
    ----------
    rows : TakeRows
    corpus : Corpus
    inside : ndarray of bool, shape (n_clips,)
    spec : TrainingSpec

    Returns
    -------
    ndarray of bool, shape (n_rows,)
    """
    loudest_db = np.maximum.reduceat(rows.rows.levels_db, rows.offsets[:-1])
    least_db = np.maximum(loudest_db - spec.fit.background_db, spec.decision.silence_dbfs)
    known = inside & np.array([clip.fit_labels != () for clip in corpus.clips])
    of_clips = np.array(
        [
            (inside if take.kind in OF_FOLDS else known)[list(take.clips)].all()
            for take in rows.takes
        ]
    )
    take_of_row = rows.take_of_row()
    kept = of_clips[take_of_row] & (rows.rows.levels_db >= least_db[take_of_row])
    return np.asarray(kept)


def row_weights(
    rows: TakeRows,
    corpus: Corpus,
    inside: NDArray[np.bool_],
    kept: NDArray[np.bool_],
    spec: TrainingSpec,
) -> NDArray[np.float64]:
    """Weigh rows by the sizes of their groups and takes.

    Parameters
    ----------
    rows : TakeRows
    corpus : Corpus
    inside : ndarray of bool, shape (n_clips,)
    kept : ndarray of bool, shape (n_rows,)
        Rows to fit on.
    spec : TrainingSpec

    Returns
    -------
    ndarray of float64, shape (n_kept,)
        With a mean of one.
    """
    clip_weights = group_weights(corpus, inside, spec.fit.group_power)
    take_weights = np.array([clip_weights[list(take.clips)].mean() for take in rows.takes])
    take_of_row = rows.take_of_row()[kept]
    # Windows of one clip are alike: ten of them tell less than ten clips would.
    counts = np.bincount(take_of_row, minlength=len(rows.takes))
    weights = (take_weights / np.sqrt(np.maximum(counts, 1)))[take_of_row]
    return np.asarray(weights / weights.mean())


def group_weights(corpus: Corpus, inside: NDArray[np.bool_], power: float) -> NDArray[np.float64]:
    """Weigh each clip by the size of its group, see :class:`FitSpec`.

    Returns
    -------
    ndarray of float64, shape (n_clips,)
        0 for clips that are not inside.
    """
    groups = np.unique([clip.group for clip in corpus.clips], return_inverse=True)[1]
    sizes = np.bincount(groups[inside], minlength=groups.max() + 1)
    return np.where(inside, np.maximum(sizes[groups], 1.0) ** -power, 0.0)


TARGET = 2.0
"""What a network learns to say of a label that is there; with a minus, of one that is not."""

LOGITS_PER_OUTPUT = 2.0
"""What outputs are multiplied by, to vary as much as the logits of the trees."""


def _fit_member(
    X: Array, targets: Array, weights: NDArray[np.float64], spec: FitSpec, *, seed: int
) -> Network:
    outputs = (2 * targets - 1) * TARGET
    return fit_network(X, outputs, weights, spec, seed=seed, gain=LOGITS_PER_OUTPUT)


def _fit_kinds(
    X: Array, targets: Array, weights: NDArray[np.float64], spec: TrainingSpec
) -> Network:
    return fit_network(X, targets, weights, spec.kinds, seed=spec.fit.seed, likely=True)
