"""What was heard to a model: calibration, thresholds, and all put together.

Both are fitted on logits of clips whose groups the ensemble never saw.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from asmr_classify.estimators import calibrate
from asmr_classify.evidence import weigh
from asmr_classify.features.schema import fingerprint
from asmr_classify.model import Model

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from asmr_classify.evidence import Heard
    from asmr_classify.training.fit import Fitted, TrainingSpec

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

F1_TOLERANCE = 0.005


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


def finish_model(
    fitted: Fitted,
    heard: Sequence[Heard],
    truth: Array,
    weights: NDArray[np.float64],
    labels: tuple[str, ...],
    spec: TrainingSpec,
) -> Model:
    """Calibrate fitted networks, choose thresholds, and put the model together.

    Parameters
    ----------
    fitted : Fitted
    heard : sequence of Heard, length n_clips
        Of clips whose groups were not fitted on.
    truth : ndarray of float32, shape (n_clips, n_labels)
    weights : ndarray of float64, shape (n_clips,)
        For calibration: equal for all groups, because scores are to be right for the next source
        and not for the one that gave most clips.
    labels : tuple of str
    spec : TrainingSpec

    Returns
    -------
    Model
    """
    decision = spec.decision
    audible = np.array([bool((h.levels_db >= decision.silence_dbfs).any()) for h in heard])
    evidence = [weigh(h, decision) for h, keep in zip(heard, audible, strict=True) if keep]
    truth, weights = truth[audible], weights[audible] / weights[audible].mean()
    of_whole = np.stack([each.of_whole for each in evidence])
    calibration = fit_calibration(of_whole, truth, weights)
    thresholds = choose_thresholds(calibrate(of_whole, calibration), truth, labels)
    return Model(
        name=spec.name,
        version=spec.version,
        labels=labels,
        thresholds=thresholds,
        features=spec.takes.features,
        fingerprint=fingerprint(spec.takes.features),
        decision=decision,
        mean=fitted.mean,
        scale=fitted.scale,
        networks=fitted.networks,
        trees=fitted.trees,
        calibration=calibration,
    )
