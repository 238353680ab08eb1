"""Figures by which a model is judged, by clip and by group.

All take the truth as a matrix of 0 and 1, the scores as calibrated probabilities, and a weight a
clip: equal weights give figures by clip, weights of one over the size of the group give figures
by group.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

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
        """Mean over the triggers that have one; nan if none has."""
        return _mean_of_known(self.average_precision)

    @property
    def macro_f1(self) -> float:
        """Mean over those of triggers and ``none`` that some clip holds."""
        return _mean_of_known(self.f1)


def _mean_of_known(figures: Mapping[str, float]) -> float:
    known = [value for value in figures.values() if not math.isnan(value)]
    return float(np.mean(known)) if known else math.nan


def figure_text(value: float) -> str:
    """Write out a figure; one that cannot be computed says so.

    Examples
    --------
    >>> figure_text(0.98765), figure_text(math.nan)
    ('0.988', 'n/a')
    """
    return "n/a" if math.isnan(value) else f"{value:.3f}"


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
        Figures that the clips cannot tell are nan: those of a trigger (or of ``none``) that no
        clip holds, the average precision of one that all clips hold, and false tags where every
        clip holds a trigger.
    """
    from sklearn.metrics import f1_score

    held = np.array([[trigger in clip for trigger in triggers] for clip in truth])
    expected, found = main_classes(truth, main)
    classes = [*triggers, NONE]
    clear = np.asarray(~held.any(axis=1))
    f1 = f1_score(
        expected, found, labels=classes, average=None, sample_weight=weights, zero_division=0
    )
    return Measures(
        average_precision={
            trigger: average_precision(held[:, k], scores[:, k], weights)
            for k, trigger in enumerate(triggers)
        },
        f1={
            name: float(value) if weights[expected == name].sum() > 0 else math.nan
            for name, value in zip(classes, f1, strict=True)
        },
        recall={
            trigger: share(found == trigger, weights, expected == trigger) for trigger in triggers
        },
        false_tags=share(found != NONE, weights, clear),
        calibration_error=float(
            np.mean(
                [calibration_error(held[:, k], scores[:, k], weights) for k in range(len(triggers))]
            )
        ),
    )


N_RESAMPLED = 400
"""Times that groups are drawn anew: the ends of an interval move by less than a hundredth."""


def group_interval(groups: Sequence[str], figure: Callable[[Floats], float]) -> tuple[float, float]:
    """Find between which values a figure lies for other groups of the same world.

    Parameters
    ----------
    groups : sequence of str, length n_clips
    figure : callable
        Computes it, given the weights of clips, shape (n_clips,).

    Returns
    -------
    low, high : float
        The 95 % interval, of draws that have the figure: groups, not clips, are drawn with
        replacement, as clips of one maker are alike (the cluster bootstrap, Davison and Hinkley
        1997, section 3.8).
    """
    rng = np.random.default_rng(0)
    _, which = np.unique(np.array(groups), return_inverse=True)
    n_groups = int(which.max()) + 1
    found = []
    for _ in range(N_RESAMPLED):
        drawn = np.bincount(rng.integers(0, n_groups, n_groups), minlength=n_groups)
        found.append(figure(drawn[which].astype(np.float64)))
    known = [value for value in found if not np.isnan(value)] or [np.nan]
    low, high = np.percentile(known, (2.5, 97.5))
    return float(low), float(high)


def main_classes(
    truth: Sequence[Sequence[str]], main: Sequence[str | None]
) -> tuple[NDArray[np.str_], NDArray[np.str_]]:
    """Tell for each clip which class was expected and which was found.

    Parameters
    ----------
    truth : sequence of sequence of str, length n_clips
    main : sequence of str or None, length n_clips

    Returns
    -------
    expected, found : ndarray of str, shape (n_clips,)
        A trigger or ``none``. Of several triggers that a clip holds any is right; the first is
        expected where none of them was found.
    """
    found = [tag or NONE for tag in main]
    expected = [
        tag if tag in held else (held[0] if held else NONE)
        for held, tag in zip(truth, found, strict=True)
    ]
    return np.array(expected, dtype=np.str_), np.array(found, dtype=np.str_)


def confusion_matrix(
    truth: Sequence[Sequence[str]], main: Sequence[str | None], classes: Sequence[str]
) -> NDArray[np.int64]:
    """Count clips by the class that was expected and the one that was found.

    Parameters
    ----------
    truth : sequence of sequence of str, length n_clips
    main : sequence of str or None, length n_clips
    classes : sequence of str
        Triggers and ``none``; clips of other classes are left out.

    Returns
    -------
    ndarray of int64, shape (n_classes, n_classes)
        Rows are expected, columns found.
    """
    expected, found = main_classes(truth, main)
    place = {name: k for k, name in enumerate(classes)}
    counts = np.zeros((len(classes), len(classes)), dtype=np.int64)
    for wanted, given in zip(expected.tolist(), found.tolist(), strict=True):
        if wanted in place and given in place:
            counts[place[wanted], place[given]] += 1
    return counts


def share(hits: NDArray[np.bool_], weights: Floats, inside: NDArray[np.bool_]) -> float:
    """Compute the weighted share of hits among the clips inside; nan where these weigh nothing."""
    total = weights[inside].sum()
    return float(weights[inside & hits].sum() / total) if total > 0 else float("nan")


@dataclass(frozen=True, slots=True, eq=False)
class PrecisionRecall:
    """Precision and recall of a label over all thresholds, and at the one that decides.

    Parameters
    ----------
    precision, recall : ndarray of float64, shape (n_thresholds + 1,)
        By rising threshold; the last point is precision 1 at recall 0.
    average_precision : float
        Area below the steps between the points; nan where every clip holds the label.
    at_threshold : tuple of float
        Recall and precision at the label's threshold; precision is nan if no score reaches it.
    """

    precision: Floats
    recall: Floats
    average_precision: float
    at_threshold: tuple[float, float]


def precision_recall(
    held: NDArray[np.bool_], scores: Floats, threshold: float, weights: Floats
) -> PrecisionRecall:
    """Follow precision and recall of one label over all thresholds.

    Parameters
    ----------
    held : ndarray of bool, shape (n_clips,)
        Whether a clip holds the label; at least one does.
    scores : ndarray of float64, shape (n_clips,), in [0, 1]
    threshold : float
    weights : ndarray of float64, shape (n_clips,)

    Returns
    -------
    PrecisionRecall
    """
    from sklearn.metrics import precision_recall_curve

    precision, recall, _ = precision_recall_curve(held, scores, sample_weight=weights)
    tagged = scores >= threshold
    return PrecisionRecall(
        precision,
        recall,
        average_precision(held, scores, weights),
        (share(tagged, weights, held), share(held, weights, tagged)),
    )


def average_precision(held: NDArray[np.bool_], scores: Floats, weights: Floats) -> float:
    """Compute the average precision of one label's scores; nan where no clip or every one holds it.

    Notes
    -----
    Where every clip holds a label, any scores would give 1. Else it is what scikit-learn's
    ``average_precision_score`` gives. Intervals take thousands of them, and there the checks of
    what is given take most of the time.
    """
    order = np.argsort(scores, kind="stable")[::-1]
    found, weighed = np.cumsum(weights[order] * held[order]), np.cumsum(weights[order])
    if len(order) == 0 or found[-1] in {0, weighed[-1]}:
        return float("nan")
    ends = np.append(np.diff(scores[order]) != 0, True)  # equal scores share a threshold
    ends &= weighed > 0
    steps = np.diff(found[ends], prepend=0.0) / found[-1]
    return float(steps @ (found[ends] / weighed[ends]))


@dataclass(frozen=True, slots=True, eq=False)
class Reliability:
    """Scores and hits over ten equal bins of the score.

    Parameters
    ----------
    weight, hits, scores : ndarray of float64, shape (N_BINS,)
        Sums over the clips of a bin: of their weights, of the weights of those that hold the
        label, and of their weighted scores.
    """

    weight: Floats
    hits: Floats
    scores: Floats

    @property
    def error(self) -> float:
        """Expected calibration error: mean distance of score and hits over the bins."""
        return float(np.abs(self.hits - self.scores).sum() / self.weight.sum())


def reliability(held: NDArray[np.bool_], scores: Floats, weights: Floats) -> Reliability:
    """Sort scores into bins, to compare them with how often they were right.

    Parameters
    ----------
    held : ndarray of bool, shape (n_clips,)
    scores, weights : ndarray of float64, shape (n_clips,)

    Returns
    -------
    Reliability
    """
    bins = np.minimum((scores * N_BINS).astype(int), N_BINS - 1)

    def summed(values: Floats) -> Floats:
        return np.bincount(bins, values, minlength=N_BINS).astype(np.float64)

    return Reliability(summed(weights), summed(weights * held), summed(weights * scores))


def calibration_error(held: NDArray[np.bool_], scores: Floats, weights: Floats) -> float:
    """Compute the expected calibration error: mean distance of score and hits over equal bins."""
    return reliability(held, scores, weights).error


def group_balance(groups: Sequence[str]) -> Floats:
    """Weigh clips so that every group weighs the same."""
    inverse = np.unique(groups, return_inverse=True)[1]
    return np.asarray(1 / np.bincount(inverse)[inverse])
