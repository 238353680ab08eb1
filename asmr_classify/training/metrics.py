"""Figures by which a model is judged, by clip and by group.

All take the truth as a matrix of 0 and 1, the scores as calibrated probabilities, and a weight a
clip: equal weights give figures by clip, weights of one over the size of the group give figures
by group.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

N_BINS = 10
"""Bins of the expected calibration error, as customary since Guo et al. (2017)."""

NONE = "none"


@dataclass(frozen=True, slots=True)
class Measures:
    """How well triggers are told.

    Parameters
    ----------
    average_precision, f1, recall : mapping of str to float
        Per trigger; ``f1`` also for ``none``: of the main tag.
    false_tags : float
        Share of clips without triggers that get any.
    calibration_error : float
        Expected calibration error, mean over triggers.
    """

    average_precision: Mapping[str, float]
    f1: Mapping[str, float]
    recall: Mapping[str, float]
    false_tags: float
    calibration_error: float

    @property
    def mean_average_precision(self) -> float:
        """Mean over triggers."""
        return float(np.mean(list(self.average_precision.values())))

    @property
    def macro_f1(self) -> float:
        """Mean over triggers and ``none``."""
        return float(np.mean(list(self.f1.values())))


def measure(
    truth: Sequence[Sequence[str]],
    main: Sequence[str | None],
    scores: Floats,
    triggers: Sequence[str],
    weights: Floats,
) -> Measures:
    """Compute all figures.

    Parameters
    ----------
    truth : sequence of sequence of str, length n_clips
        Triggers that each clip holds.
    main : sequence of str or None, length n_clips
        Main tag that each clip got.
    scores : ndarray of float64, shape (n_clips, n_triggers), in [0, 1]
    triggers : sequence of str
    weights : ndarray of float64, shape (n_clips,)

    Returns
    -------
    Measures
        A trigger that no clip holds has a figure of nan.
    """
    from sklearn.metrics import average_precision_score, f1_score

    held = np.array([[trigger in clip for trigger in triggers] for clip in truth])
    found = np.array([tag or NONE for tag in main])
    expected = np.array([_expected(clip, tag) for clip, tag in zip(truth, found, strict=True)])
    classes = [*triggers, NONE]
    f1 = f1_score(
        expected, found, labels=classes, average=None, sample_weight=weights, zero_division=0
    )
    clear = np.asarray(~held.any(axis=1))
    return Measures(
        average_precision={
            trigger: float(average_precision_score(held[:, k], scores[:, k], sample_weight=weights))
            if held[:, k].any()
            else float("nan")
            for k, trigger in enumerate(triggers)
        },
        f1=dict(zip(classes, map(float, f1), strict=True)),
        recall={
            trigger: _share(found == trigger, weights, expected == trigger) for trigger in triggers
        },
        false_tags=_share(found != NONE, weights, clear),
        calibration_error=float(
            np.mean(
                [calibration_error(held[:, k], scores[:, k], weights) for k in range(len(triggers))]
            )
        ),
    )


def _expected(held: Sequence[str], found: str) -> str:
    """Class that the main tag is compared with: any of several triggers is right."""
    if not held:
        return NONE
    return found if found in held else held[0]


def _share(hits: NDArray[np.bool_], weights: Floats, inside: NDArray[np.bool_]) -> float:
    total = weights[inside].sum()
    return float(weights[inside & hits].sum() / total) if total > 0 else float("nan")


def calibration_error(held: NDArray[np.bool_], scores: Floats, weights: Floats) -> float:
    """Compute the expected calibration error: mean distance of score and hits over equal bins."""
    bins = np.minimum((scores * N_BINS).astype(int), N_BINS - 1)
    total = np.bincount(bins, weights, minlength=N_BINS)
    hits = np.bincount(bins, weights * held, minlength=N_BINS)
    sums = np.bincount(bins, weights * scores, minlength=N_BINS)
    return float(np.abs(hits - sums).sum() / total.sum())


def group_balance(groups: Sequence[str]) -> Floats:
    """Weigh clips so that every group weighs the same."""
    inverse = np.unique(groups, return_inverse=True)[1]
    return np.asarray(1 / np.bincount(inverse)[inverse])
