"""What was heard to a model: calibration, thresholds, and all put together.

Both are fitted on logits of clips whose groups the ensemble never saw.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from asmr_classify.estimators import calibrate
from asmr_classify.evidence import weigh
from asmr_classify.features.schema import fingerprint
from asmr_classify.model import Model
from asmr_classify.training.kinds import RIVALRY, kind_precisions, kinds_in_order, told_kinds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from asmr_classify.config import DecisionSpec
    from asmr_classify.estimators import Ensemble
    from asmr_classify.evidence import Heard
    from asmr_classify.training.corpus import Corpus
    from asmr_classify.training.spec import TrainingSpec

    Array = NDArray[np.float32]


INTERCEPT_SCALE = 100.0
"""What stands for one in the columns of the intercepts, so that the penalty is on the slope."""


def fit_calibration(
    logits: Array, truth: Array, weights: NDArray[np.float64] | None = None
) -> Array:
    """Fit the slope and the intercepts that turn logits into probabilities.

    Each label has an intercept (Platt 1999), and all share the slope (temperature scaling, Guo et
    al. 2017): one label alone has too few groups to tell its own.

    Parameters
    ----------
    logits : ndarray of float32, shape (n_samples, n_labels)
        Of samples whose groups the networks never saw.
    truth : ndarray of float32, shape (n_samples, n_labels)
    weights : ndarray of float64, shape (n_samples,), optional

    Returns
    -------
    ndarray of float32, shape (2, n_labels)
        Slope 1 and intercept 0 for a label that all or no samples hold.
    """
    from sklearn.linear_model import LogisticRegression

    calibration = np.tile(np.array([[1.0], [0.0]], dtype=np.float32), (1, logits.shape[1]))
    known = _is_told(truth)
    n_known = int(known.sum())
    if not n_known:
        return calibration
    # One problem for all: the logit, and which label it is of.
    which = np.tile(INTERCEPT_SCALE * np.eye(n_known), (len(truth), 1))
    fitted = LogisticRegression(C=1.0, fit_intercept=False, max_iter=1000).fit(
        np.column_stack([logits[:, known].ravel(), which]),
        truth[:, known].ravel().astype(int),
        sample_weight=None if weights is None else np.repeat(weights, n_known),
    )
    slope, *intercepts = fitted.coef_[0]
    # A negative slope would turn labels round: too few samples to say more than chance.
    calibration[0, known] = max(slope, 0.05)
    calibration[1, known] = INTERCEPT_SCALE * np.array(intercepts)
    return calibration


def _is_told(truth: Array) -> NDArray[np.bool_]:
    """Tell which labels some samples hold and others do not, shape (n_labels,)."""
    return np.asarray((truth.min(axis=0) == 0) & (truth.max(axis=0) == 1))


THRESHOLD_GRID = np.round(np.arange(0.10, 0.91, 0.02), 2)

F1_TOLERANCE = 0.01
"""A hundredth of F1 is less than what other groups of the same kind would change it by."""


def choose_thresholds(scores: Array, truth: Array, labels: Sequence[str]) -> dict[str, float]:
    """Choose the threshold of each label: near one half, unless another gives a better F1.

    Parameters
    ----------
    scores : ndarray of float32, shape (n_clips, n_labels)
        Calibrated, of clips whose groups the networks never saw.
    truth : ndarray of float32, shape (n_clips, n_labels)
    labels : sequence of str

    Returns
    -------
    dict of str to float

    Notes
    -----
    F1 over thresholds is jagged on a few hundred clips; it is smoothed over five neighbouring
    thresholds, and of all that come within ``F1_TOLERANCE`` of the highest, the threshold
    nearest to one half is taken: it depends least on the clips at hand.
    """
    thresholds = {}
    for k, label in enumerate(labels):
        held = truth[:, k] > 0
        f1 = np.array([_f1(held, scores[:, k] >= t) for t in THRESHOLD_GRID])
        padded = np.pad(f1, 2, mode="edge")
        smooth = np.convolve(padded, np.full(5, 0.2), mode="valid")
        good = THRESHOLD_GRID[smooth >= smooth.max() - F1_TOLERANCE]
        thresholds[label] = float(good[np.argmin(np.abs(good - 0.5))])
    return thresholds


def _f1(held: NDArray[np.bool_], found: NDArray[np.bool_]) -> float:
    both = int((held & found).sum())
    return 2 * both / max(int(held.sum()) + int(found.sum()), 1)


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """What clips hold.

    Parameters
    ----------
    labels : ndarray of float32, shape (n_clips, n_labels)
        1 or 0.
    kinds : ndarray of float32, shape (n_clips, n_kinds)
        1 or 0.
    """

    labels: Array
    kinds: Array

    def of(self, clips: NDArray[np.int64]) -> Truth:
        """Take some of the clips."""
        return Truth(self.labels[clips], self.kinds[clips])


@dataclass(frozen=True, slots=True, eq=False)
class Weighed:
    """What speaks for each label and kind in clips, each taken as a whole.

    Parameters
    ----------
    evidence : ndarray of float32, shape (n_clips, n_labels + n_kinds)
        As logits, not yet calibrated; labels first, then kinds.
    audible : ndarray of bool, shape (n_clips,)
        Whether anything of a clip is louder than silence.
    """

    evidence: Array
    audible: NDArray[np.bool_]

    @classmethod
    def of_heard(cls, heard: Sequence[Heard], decision: DecisionSpec, n_labels: int) -> Weighed:
        """Weigh what was heard in clips; what follows so many labels are kinds."""
        return cls(
            np.stack([weigh(each, decision, n_labels, RIVALRY).of_whole for each in heard]),
            np.array([(each.levels_db >= decision.silence_dbfs).any() for each in heard]),
        )

    def of(self, clips: NDArray[np.int64]) -> Weighed:
        """Take some of the clips."""
        return Weighed(self.evidence[clips], self.audible[clips])


def finish_model(
    ensemble: Ensemble,
    weighed: Weighed,
    truth: Truth,
    weights: NDArray[np.float64],
    corpus: Corpus,
    spec: TrainingSpec,
) -> Model:
    """Calibrate fitted networks, choose thresholds, and put the model together.

    Parameters
    ----------
    ensemble : Ensemble
    weighed : Weighed
        Of clips whose groups were not fitted on.
    truth : Truth
        Of those clips.
    weights : ndarray of float64, shape (n_clips,)
        For calibration: equal for all groups, because scores are to be right for the next source
        and not for the one that gave most clips.
    corpus : Corpus
        Names the labels and the kinds.
    spec : TrainingSpec

    Returns
    -------
    Model
        With those kinds that are told well enough.
    """
    audible = weighed.audible
    weights = weights[audible] / weights[audible].mean()
    whole = weighed.evidence[audible]
    n_labels = len(corpus.labels)
    for_labels, for_kinds = whole[:, :n_labels], whole[:, n_labels:]
    holds, is_of = truth.labels[audible], truth.kinds[audible]
    calibration = fit_calibration(for_labels, holds, weights)
    thresholds = choose_thresholds(calibrate(for_labels, calibration), holds, corpus.labels)
    precisions = kind_precisions(for_kinds, is_of > 0)
    told = told_kinds(corpus, precisions, spec.kinds.least_precision)
    kinds = [corpus.kinds[k] for k in told]
    ordered = kinds_in_order(corpus, kinds) if told else []
    of_kinds = fit_calibration(for_kinds[:, told], is_of[:, told], weights)
    of_network, of_codes = (
        network.only(ordered) if network and told else None
        for network in (ensemble.kinds, ensemble.coded_kinds)
    )
    return Model(
        name=spec.name,
        version=spec.version,
        labels=corpus.labels,
        thresholds=thresholds,
        features=spec.takes.features,
        fingerprint=fingerprint(spec.takes.features),
        decision=spec.decision,
        ensemble=replace(ensemble, kinds=of_network, coded_kinds=of_codes),
        calibration=np.concatenate([calibration, of_kinds], axis=1),
        kinds=choose_thresholds(calibrate(for_kinds[:, told], of_kinds), is_of[:, told], kinds),
        rivalry=RIVALRY if told else 0.0,
    )
