"""What was heard to evidence: how much speaks for each label at each moment of a recording.

All that is said of a file is read off this evidence, so that it cannot contradict itself, see
:mod:`asmr_classify.timeline`. It has two parts:

- of the whole, for each label: the mean of what the ensemble says, as logits, over the ``span``
  seconds for which that is highest. A window errs where ten seconds do not; a mean over a whole
  night would drown a minute of whispering;
- over time: what the ensemble says of each window, blended with the stretch around it.

Silence and background hold nothing. In a pause between sounds nothing is left but the noise of the
room, and the features, which know no level, take that for noise that somebody plays. What lies far
below its surroundings, and no higher than the quietest of them, is background.

References
----------
.. [1] Martin (2001). Noise power spectral density estimation based on optimal smoothing and minimum
   statistics. IEEE Transactions on Speech and Audio Processing 9(5): the noise of a room is what
   the level falls back to again and again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from asmr_classify.config import DecisionSpec
    from asmr_classify.features.windows import WindowRows

NOTHING = -100.0
"""Logit of what cannot be: a probability of 0 whatever the calibration."""

STRETCHES_AT_ONCE = 1024
"""Of which kinds are compared: a night of them would take as much memory as all else."""

LEAST_ODDS = 1e-9
"""Of all other kinds together, to those of the likeliest: less is nothing, and has no logarithm."""

FAR_DB = 35.0
"""So far below what a tenth of a recording reaches, its quietest noise is background wherever it
is: longer pauses than surroundings reach are there as well."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What the networks said of each window of a file.

    Parameters
    ----------
    intervals : ndarray of float64, shape (n_windows, 2), in seconds
    logits : ndarray of float32, shape (n_windows, n_labels + n_kinds)
        Not yet calibrated; labels first, then kinds.
    levels_db, peaks_db : ndarray of float32, shape (n_windows,)
        Mean level, and that of the loudest eighth of a second.
    changes : ndarray of float16, shape (n_windows, n_points, 2), optional
        Where the level rises and falls. Without them segments begin and end where windows do.
    """

    intervals: NDArray[np.float64]
    logits: NDArray[np.float32]
    levels_db: NDArray[np.float32]
    peaks_db: NDArray[np.float32]
    changes: NDArray[np.float16] | None = None

    @classmethod
    def of(cls, rows: WindowRows, logits: NDArray[np.float32]) -> Heard:
        """Put what was said of rows beside what else is known of them."""
        return cls(rows.intervals, logits, rows.levels_db, rows.peaks_db, rows.changes)

    @classmethod
    def join(cls, parts: Sequence[Heard], n_columns: int) -> Heard:
        """Put parts end to end; without any, make the record of a file without a window."""
        if not parts:
            nothing = np.zeros((0, n_columns), dtype=np.float32)
            return cls(np.zeros((0, 2)), nothing, *np.zeros((2, 0), dtype=np.float32))
        changes = [part.changes for part in parts if part.changes is not None]
        return cls(
            np.concatenate([part.intervals for part in parts]),
            np.concatenate([part.logits for part in parts]),
            np.concatenate([part.levels_db for part in parts]),
            np.concatenate([part.peaks_db for part in parts]),
            np.concatenate(changes) if len(changes) == len(parts) else None,
        )

    def only(self, columns: Sequence[int]) -> Heard:
        """Take what was said of some labels and kinds."""
        return replace(self, logits=self.logits[:, list(columns)])

    def where(self, kept: NDArray[np.bool_]) -> Heard:
        """Take some of the windows."""
        changes = None if self.changes is None else self.changes[kept]
        return Heard(
            self.intervals[kept],
            self.logits[kept],
            self.levels_db[kept],
            self.peaks_db[kept],
            changes,
        )


@dataclass(frozen=True, slots=True)
class Evidence:
    """How much speaks for each label: of the whole, and on the grid that the windows' edges make.

    Those of the whole are followed by those of kinds, until the two are split.

    Parameters
    ----------
    of_whole : ndarray of float32, shape (n_labels,)
        Logits, not yet calibrated.
    edges : ndarray of float64, shape (n_cells + 1,)
        In seconds, ascending.
    logits : ndarray of float32, shape (n_cells, n_labels)
        Not yet calibrated; ``NOTHING`` where nothing is heard.
    silent : ndarray of bool, shape (n_cells,)
        Where a window is silent.
    empty : ndarray of bool, shape (n_cells,)
        Where a window is silent or background, so that no label holds there.
    """

    of_whole: NDArray[np.float32]
    edges: NDArray[np.float64]
    logits: NDArray[np.float32]
    silent: NDArray[np.bool_]
    empty: NDArray[np.bool_]

    def split(self) -> tuple[Evidence, NDArray[np.float32]]:
        """Split into the evidence for labels, and that for kinds, which are told of the whole."""
        n_labels = self.logits.shape[1]
        return replace(self, of_whole=self.of_whole[:n_labels]), self.of_whole[n_labels:]

    @property
    def foreground_seconds(self) -> float:
        """Seconds that may hold a label."""
        return float(np.diff(self.edges)[~self.empty].sum())


def weigh(
    heard: Heard, decision: DecisionSpec, n_labels: int | None = None, rivalry: float = 0.0
) -> Evidence:
    """Weigh what was heard.

    Parameters
    ----------
    heard : Heard
        At least one window.
    decision : DecisionSpec
    n_labels : int, optional
        Columns that are told of each stretch too; those that follow only of the whole. By default
        all. Of ten hours a column takes a megabyte in all that is reckoned with it.
    rivalry : float
        Of the latter, see :func:`against_rivals`.

    Returns
    -------
    Evidence
    """
    silent = heard.levels_db < decision.silence_dbfs
    empty = silent | find_background(heard, decision)
    of_whole = np.full(heard.logits.shape[1], NOTHING)
    blended = heard.logits[:, :n_labels].astype(np.float64)
    if not empty.all():
        foreground = heard.where(~empty)
        told = (n_labels, rivalry)
        of_whole = np.maximum(
            mean_of_best_stretch(foreground, decision.span, *told),
            mean_of_best_stretch(foreground, decision.span / 2, *told) - decision.brief,
        )
        of_labels = foreground.logits[:, :n_labels]
        around = _around_windows(foreground.intervals, of_labels, decision.span)
        blended[~empty] += decision.context * (around - of_labels)
    return _on_cells(of_whole, heard.intervals, blended, silent, empty)


def find_background(heard: Heard, decision: DecisionSpec) -> NDArray[np.bool_]:
    """Tell which windows hold nothing but what is left between sounds.

    Parameters
    ----------
    heard : Heard
    decision : DecisionSpec

    Returns
    -------
    ndarray of bool, shape (n_windows,)
        Windows that are not silent, whose peak lies ``background_db`` or more below the highest
        within ``surroundings`` seconds (or ``FAR_DB`` below what a tenth of the recording reaches),
        and that are no more than ``floor_db`` over the quietest of their surroundings [1]_, nor
        over ``background_dbfs``.
    """
    audible = heard.levels_db >= decision.silence_dbfs
    if not audible.any():
        return np.zeros(len(audible), dtype=bool)
    peaks, levels = heard.peaks_db.astype(np.float64), heard.levels_db.astype(np.float64)
    highest = _highest_around(np.where(audible, peaks, -np.inf), heard, decision)
    quietest = -_highest_around(np.where(audible, -levels, -np.inf), heard, decision)
    foreground = np.percentile(peaks[audible], 90)
    far = (peaks <= highest - decision.background_db) | (peaks <= foreground - FAR_DB)
    quiet = levels <= np.minimum(quietest + decision.floor_db, decision.background_dbfs)
    return np.asarray(audible & far & quiet)


def _highest_around(
    values: NDArray[np.float64], heard: Heard, decision: DecisionSpec
) -> NDArray[np.float64]:
    """Take the highest value within ``surroundings`` seconds of each window."""
    starts = heard.intervals[:, 0]
    hop = float(np.median(np.diff(starts))) if len(starts) > 1 else 1.0
    reach = min(round(decision.surroundings / max(hop, 1e-3)), len(values))
    padded = np.pad(values, reach, constant_values=-np.inf)
    return np.asarray(sliding_window_view(padded, 2 * reach + 1).max(axis=1))


def mean_of_best_stretch(
    heard: Heard, span: float, n_labels: int | None = None, rivalry: float = 0.0
) -> NDArray[np.float64]:
    """Average logits over the stretch of ``span`` seconds for which each label's mean is highest.

    A recording shorter than the span is averaged whole.

    Parameters
    ----------
    heard : Heard
        At least one window.
    span : float
        In seconds.
    n_labels : int, optional
        Columns before those of kinds; all by default.
    rivalry : float
        Of kinds in each stretch, see :func:`against_rivals`.

    Returns
    -------
    ndarray of float64, shape (n_labels + n_kinds,)
    """
    first, last = _stretches(heard.intervals, span)
    columns = heard.logits.T  # one by one: of all at once the means take as much as all else
    best = np.array([_means(column[:, None], first, last).max() for column in columns[:n_labels]])
    if len(best) == len(columns):
        return best
    of_kinds = np.full(len(columns) - len(best), -np.inf)
    for part in range(0, len(first), STRETCHES_AT_ONCE):
        these = slice(part, part + STRETCHES_AT_ONCE)
        start = first[these][0]
        rows = heard.logits[start : last[these].max(), len(best) :]
        means = _means(rows, first[these] - start, last[these] - start)
        of_kinds = np.maximum(of_kinds, against_rivals(means, rivalry).max(axis=0))
    return np.concatenate([best, of_kinds])


def against_rivals(logits: NDArray[np.float64], rivalry: float) -> NDArray[np.float64]:
    """Lower what speaks for a kind by what speaks for others in the same stretch.

    Kinds are learnt one by one, and sounds between two of them raise both. Those of one recording
    that sound after one another do not meet here.

    Parameters
    ----------
    logits : ndarray of float64, shape (n_stretches, n_kinds)
    rivalry : float
        In [0, 1]: by which share of the logarithm of the summed odds of all others. At 0 kinds
        are told regardless of others; at 1 each is as likely as it is among all, as if there
        could be but one (softmax).

    Returns
    -------
    ndarray of float64, shape (n_stretches, n_kinds)
    """
    if not rivalry or logits.shape[1] < 2:
        return logits
    highest = logits.max(axis=1, keepdims=True)
    odds = np.exp(logits - highest)
    others = np.maximum(odds.sum(axis=1, keepdims=True) - odds, LEAST_ODDS)
    return np.asarray(logits - rivalry * (np.log(others) + highest))


def _around_windows(
    intervals: NDArray[np.float64], logits: NDArray[np.float32], span: float
) -> NDArray[np.float64]:
    """Give each window the mean of the stretch with it for which that is highest."""
    first, last = _stretches(intervals, span)
    last[-1] = len(logits)  # the last window may begin between two others
    means = _means(logits, first, last)
    windows = np.arange(len(logits))
    earliest = np.searchsorted(last, windows, side="right")
    n_around = np.searchsorted(first, windows, side="right") - earliest
    # The stretches that a window is in follow one another.
    highest = np.full(logits.shape, -np.inf)
    for k in range(n_around.max()):
        inside = np.flatnonzero(n_around > k)
        highest[inside] = np.maximum(highest[inside], means[earliest[inside] + k])
    return highest


def _means(
    logits: NDArray[np.float32], first: NDArray[np.int64], last: NDArray[np.int64]
) -> NDArray[np.float64]:
    sums = np.zeros((len(logits) + 1, logits.shape[1]))
    np.cumsum(logits, axis=0, out=sums[1:])
    return np.asarray((sums[last] - sums[first]) / (last - first)[:, None])


def _stretches(
    intervals: NDArray[np.float64], span: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Find the windows of each whole stretch, as first and one past the last."""
    starts, ends = intervals[:, 0], intervals[:, 1]
    first = np.arange(len(starts))
    last = np.maximum(np.searchsorted(ends, starts + span, side="right"), first + 1)
    span = min(span, ends[-1] - starts[0])
    whole = starts + span <= ends[-1] + 1e-6
    first, last = first[whole], last[whole]
    usual = float(np.median(np.diff(starts))) if len(starts) > 1 else 0.0
    if ends[-1] - span - starts[first[-1]] > usual + 1e-6:
        # What follows the last whole stretch, after a gap, would not be looked at.
        first = np.append(first, np.searchsorted(starts, ends[-1] - span))
        last = np.append(last, len(starts))
    return first, last


def _on_cells(
    of_whole: NDArray[np.float64],
    intervals: NDArray[np.float64],
    blended: NDArray[np.float64],
    silent: NDArray[np.bool_],
    empty: NDArray[np.bool_],
) -> Evidence:
    """Average windows over each stretch between two window edges.

    Where one of them is empty, silent or background, the others only reach over from what they hold
    elsewhere, and nothing is heard.
    """
    edges, places = np.unique(intervals, return_inverse=True)
    places = places.reshape(-1, 2)
    kinds = np.stack([np.ones(len(silent)), silent, empty], axis=1)
    n_over, n_silent, n_empty = _sums(places, len(edges), kinds).T
    means = _sums(places, len(edges), blended) / np.maximum(n_over, 1)[:, None]
    nothing = (n_empty > 0) | (n_over == 0)
    logits = np.where(nothing[:, None], NOTHING, means)
    # A silent window is silent throughout, whatever those that overlap it hold elsewhere.
    silent_cells = (n_silent > 0) | (n_over == 0)
    return Evidence(
        of_whole.astype(np.float32), edges, logits.astype(np.float32), silent_cells, nothing
    )


def _sums(
    places: NDArray[np.int64], n_edges: int, values: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Add up the values of the windows over each cell, shape (n_edges - 1, n_columns)."""
    steps = np.zeros((n_edges, values.shape[1]))
    np.add.at(steps, places[:, 0], values)
    np.subtract.at(steps, places[:, 1], values)
    return np.asarray(np.cumsum(steps, axis=0)[:-1])
