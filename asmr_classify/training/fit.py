"""Rows to networks and trees.

Networks are scikit-learn's multilayer perceptrons with one output per label, so labels are
independent; several, which differ in their seed, are averaged. They learn plus or minus a constant
by squared error: cross-entropy goes on to be ever surer of makers that it knows, and did worse on
makers never heard. Beside them stand histogram gradient-boosted trees, one ensemble a label: they
err elsewhere, and the average of both is better than either. One half of both is fitted on clips
and a few scenes, the other on many scenes: who learns from many finds what sounds when in mixtures,
but is less sure of single clips.
"""

from __future__ import annotations

import warnings
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from asmr_classify.config import DecisionSpec
from asmr_classify.estimators import Network, Trees, average_trees, standardise
from asmr_classify.evidence import Heard
from asmr_classify.model import ensemble_logits
from asmr_classify.threads import one_thread
from asmr_classify.training.boosting import fit_trees
from asmr_classify.training.takes import OF_FOLDS, TakeKind, TakeSpec

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from asmr_classify.features.windows import WindowRows
    from asmr_classify.training.corpus import Corpus
    from asmr_classify.training.takes import TakeRows

    Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class FitSpec:
    """How networks and trees are fitted.

    Parameters
    ----------
    background_db : float
        Windows that are quieter than the loudest of their clip by more than this are left out:
        what follows a bark is the hiss of the room, and its clip's label is wrong for it.
    members : int
        Networks in the ensemble; they take turns with ``scene_shares``.
    scene_shares : tuple of float
        Parts of the ensemble: which share of the scenes each is fitted on, in [0, 1].
    hidden : tuple of int
        Widths of the hidden layers.
    epochs, batch_size : int
    learning_rate, l2 : float
        Of Adam, and of the penalty on weights.
    group_power : float
        A clip weighs its group's number of clips to the power of minus this: at 0 all clips weigh
        the same, at 1 all groups. One half keeps the largest sources from ruling without
        letting a source of one doubtful clip weigh as much as a hundred.
    tree_rounds : int
        Boosting rounds of each part; 0 for no trees.
    tree_leaves : int
    tree_rate : float
        Shrinkage of each round.
    tree_l2 : float
    tree_features : float
        Share of the features that each split may choose from.
    seed : int
    """

    background_db: float = 15.0
    members: int = 2
    scene_shares: tuple[float, ...] = (0.25, 1.0)
    hidden: tuple[int, ...] = (768,)
    epochs: int = 25
    batch_size: int = 256
    learning_rate: float = 1e-3
    l2: float = 0.1
    group_power: float = 0.5
    tree_rounds: int = 120
    tree_leaves: int = 15
    tree_rate: float = 0.08
    tree_l2: float = 5.0
    tree_features: float = 0.1
    seed: int = 0


@dataclass(frozen=True, slots=True)
class TrainingSpec:
    """All that decides which model comes out of a corpus.

    Parameters
    ----------
    name, version : str
        Of the model.
    takes : TakeSpec
    fit : FitSpec
    decision : DecisionSpec
    """

    name: str = "model"
    version: str = "1.0.0"
    takes: TakeSpec = field(default_factory=TakeSpec)
    fit: FitSpec = field(default_factory=FitSpec)
    decision: DecisionSpec = field(default_factory=DecisionSpec)


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """Standardisation, networks and trees, not yet calibrated."""

    mean: Array
    scale: Array
    networks: tuple[Network, ...]
    trees: Trees | None

    def hear(self, rows: WindowRows) -> Heard:
        """Run the ensemble over the rows of one clip."""
        logits = ensemble_logits(rows.X, self.mean, self.scale, self.networks, self.trees)
        return Heard.of(rows, logits)


def fit_ensemble(
    rows: TakeRows, corpus: Corpus, inside: NDArray[np.bool_], spec: TrainingSpec
) -> Fitted:
    """Fit networks and trees on the takes of some clips.

    Parameters
    ----------
    rows : TakeRows
    corpus : Corpus
    inside : ndarray of bool, shape (n_clips,)
        Clips to fit on.
    spec : TrainingSpec
        Windows below its silence level are left out.

    Returns
    -------
    Fitted
    """
    kept = training_rows(rows, corpus, inside, spec)
    X = rows.rows.X[kept]
    mean = X.mean(axis=0, dtype=np.float64).astype(np.float32)
    scale = np.maximum(X.std(axis=0, dtype=np.float64), 1e-6).astype(np.float32)
    networks, trees = [], []
    parts = _parts(rows, kept, spec.fit)
    for k, part in enumerate(parts):
        X, targets = rows.rows.X[part], rows.targets[part]
        weights = row_weights(rows, corpus, inside, part, spec)
        standard = standardise(X, mean, scale)
        with one_thread():
            for member in range(k, spec.fit.members, len(parts)):
                seed = spec.fit.seed + member
                networks.append(_fit_network(standard, targets, weights, spec.fit, seed=seed))
        if spec.fit.tree_rounds:
            trees.append(fit_trees(X, targets, weights, spec.fit))
    return Fitted(mean, scale, tuple(networks), average_trees(trees) if trees else None)


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


def _fit_network(
    X: Array, targets: Array, weights: NDArray[np.float64], spec: FitSpec, *, seed: int
) -> Network:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPRegressor

    regressor = MLPRegressor(
        hidden_layer_sizes=spec.hidden,
        alpha=spec.l2,
        batch_size=min(spec.batch_size, len(X)),
        learning_rate_init=spec.learning_rate,
        max_iter=spec.epochs,
        random_state=seed,
    )
    with warnings.catch_warnings():
        # A fixed number of epochs is meant: stopping early is part of the regularisation.
        warnings.simplefilter("ignore", ConvergenceWarning)
        outputs = (2 * targets - 1) * TARGET
        regressor.fit(X, outputs.squeeze(axis=1) if len(outputs[0]) == 1 else outputs, weights)
    *hidden, (weight, bias) = zip(regressor.coefs_, regressor.intercepts_, strict=True)
    layers = [*hidden, (weight * LOGITS_PER_OUTPUT, bias * LOGITS_PER_OUTPUT)]
    return Network(
        weights=tuple(weight.astype(np.float32) for weight, _ in layers),
        biases=tuple(bias.astype(np.float32) for _, bias in layers),
    )
