"""Window probabilities to segments.

Windows overlap; where several cover a stretch, their probabilities are averaged there, which also
smooths. A segment begins where the averaged probability reaches the label's threshold and ends
where it falls below ``release`` times that (hysteresis, as in Schmitt's trigger); segments of one
label that lie close are merged, short ones dropped. Windows are coarse, so each segment is then
moved to where the level first rises near its beginning, and last falls near its end. Segments of
one label never overlap and lie in ``[0, duration]``; those of different labels may overlap.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING

import numpy as np

from asmr_classify.labels import SILENCE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from asmr_classify.config import DecisionSpec
    from asmr_classify.features.edges import Changes


EDGE_DB = 2.0
"""A segment begins and ends where windows do, unless the level changes by so much nearby: steady
noise wavers by less."""

STRONG = 0.6
"""Of the highest change nearby, a change that is as good: of taps that go on, each rises as far as
the others, and the first is where they begin."""

LEAD = 0.25
"""A sound that a window lets begin at its first second may fill a part of the window before that
was too short to be heard there: so much of a window's length."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A labelled span.

    Parameters
    ----------
    start, end : float
        Seconds from the beginning of the file, ``0 <= start < end <= duration``.
    label : str
        A trigger or context of the model, or ``silence``.
    score : float
        Mean probability over the span, in [0, 1].
    """

    start: float
    end: float
    label: str
    score: float


@dataclass(frozen=True, slots=True)
class Cells:
    """Averaged probabilities on the finest grid that the windows' edges make.

    Parameters
    ----------
    edges : ndarray of float64, shape (n_cells + 1,)
        In seconds, ascending.
    probabilities : ndarray of float64, shape (n_cells, n_columns)
    """

    edges: NDArray[np.float64]
    probabilities: NDArray[np.float64]


def average_overlaps(intervals: NDArray[np.float64], values: NDArray[np.float32]) -> Cells:
    """Average the values of overlapping windows over each stretch between two window edges.

    Parameters
    ----------
    intervals : ndarray of float64, shape (n_windows, 2)
        Together they cover a stretch without gaps.
    values : ndarray of float32, shape (n_windows, n_columns)

    Returns
    -------
    Cells
    """
    edges, places = np.unique(intervals, return_inverse=True)
    starts, ends = places.reshape(-1, 2).T
    sums = np.zeros((len(edges), values.shape[1] + 1))
    columns = np.concatenate([values, np.ones((len(values), 1))], axis=1)
    np.add.at(sums, starts, columns)
    np.subtract.at(sums, ends, columns)
    running = np.cumsum(sums, axis=0)[:-1]
    return Cells(edges, running[:, :-1] / np.maximum(running[:, -1:], 1))


def find_segments(  # noqa: PLR0913 (what was heard, and what decides)
    intervals: NDArray[np.float64],
    probabilities: NDArray[np.float32],
    silent: NDArray[np.bool_],
    *,
    labels: Sequence[str],
    thresholds: Mapping[str, float],
    decision: DecisionSpec,
    changes: Changes | None = None,
) -> tuple[Segment, ...]:
    """Find the segments of every label, and of silence.

    Parameters
    ----------
    intervals : ndarray of float64, shape (n_windows, 2)
    probabilities : ndarray of float32, shape (n_windows, n_labels)
    silent : ndarray of bool, shape (n_windows,)
        Windows without sound: no label holds there.
    labels : sequence of str
    thresholds : mapping of str to float
    decision : DecisionSpec
    changes : Changes, optional
        Where the level rises and falls.

    Returns
    -------
    tuple of Segment
        By start, then end, then label.
    """
    if len(intervals) == 0:
        return ()
    heard = np.where(silent[:, None], np.float32(0), probabilities)
    cells = average_overlaps(intervals, np.column_stack([heard, silent]))
    segments = []
    for column, label in enumerate([*labels, SILENCE]):
        # Silence is no probability: a stretch is silent where all windows over it are.
        threshold = 1.0 if label == SILENCE else thresholds[label]
        p = cells.probabilities[:, column]
        off = threshold * (1 if label == SILENCE else decision.release)
        spans = _join(cells.edges, _spans(p, threshold, off), decision)
        if changes is not None and label != SILENCE:  # which is where it is by its level already
            window = float(np.diff(intervals[0])[0])
            spans = _refine(spans, changes, cells.edges, window, decision)
        segments += [Segment(*span, label, _score(cells.edges, p, span)) for span in spans]
    return tuple(sorted(segments, key=lambda s: (s.start, s.end, s.label)))


def _spans(p: NDArray[np.float64], on: float, off: float) -> list[tuple[int, int]]:
    """Find runs of cells at ``off`` or above that reach ``on``, as half-open index pairs."""
    slack = 1e-9  # averages of equal numbers may fall short of them by rounding
    above = np.concatenate([[False], p >= off - slack, [False]])
    changes = np.flatnonzero(above[1:] != above[:-1])
    runs = changes.reshape(-1, 2)
    return [(int(a), int(b)) for a, b in runs if p[a:b].max() >= on - slack]


def _join(
    edges: NDArray[np.float64], runs: list[tuple[int, int]], decision: DecisionSpec
) -> list[tuple[float, float]]:
    """Turn runs of cells into seconds, merge close ones, and drop short ones."""
    spans: list[tuple[float, float]] = []
    for first, last in runs:
        start, end = float(edges[first]), float(edges[last])
        if spans and start - spans[-1][1] < decision.max_gap:
            spans[-1] = (spans[-1][0], end)
        else:
            spans.append((start, end))
    shortest = min(decision.min_duration, float(edges[-1] - edges[0]))
    return [span for span in spans if span[1] - span[0] >= shortest]


def _refine(
    spans: list[tuple[float, float]],
    changes: Changes,
    edges: NDArray[np.float64],
    window: float,
    decision: DecisionSpec,
) -> list[tuple[float, float]]:
    """Move the start of each span to a rise nearby, and its end to a fall.

    A window that has the label may hold its sound anywhere, so a span begins up to a window after
    where its first window does, and ends up to one before. What begins and ends with the recording
    stays.
    """
    lead, shortest, gap = LEAD * window, decision.min_duration, decision.max_gap
    refined: list[tuple[float, float]] = []
    for (start, end), (following, _) in zip_longest(spans, spans[1:], fillvalue=(np.inf, np.inf)):
        if start > edges[0]:
            earliest = max(start - lead, refined[-1][1] + gap) if refined else start - lead
            latest = min(start + window, end - shortest)
            begin = _first_strong(changes.times, changes.rises_db, earliest, latest, start)
        else:
            begin = start
        if end < edges[-1]:
            earliest = max(end - window, begin + shortest)
            latest = min(end + lead, following - gap)
            backwards = -changes.times[::-1], changes.falls_db[::-1]
            end = -_first_strong(*backwards, -latest, -earliest, -end)  # noqa: PLW2901 (moved)
        refined.append((begin, end))
    return refined


def _first_strong(
    times: NDArray[np.float64],
    values: NDArray[np.float32],
    earliest: float,
    latest: float,
    otherwise: float,
) -> float:
    """Find the first peak within a stretch that comes near the highest."""
    first, last = np.searchsorted(times, [earliest, latest])
    if first >= last:
        return otherwise
    inside = values[first:last]
    strong = np.flatnonzero(inside >= max(EDGE_DB, STRONG * inside.max()))
    if not len(strong):
        return otherwise
    falling = np.flatnonzero(np.diff(inside[strong[0] :]) <= 0)
    peak = strong[0] + (falling[0] if len(falling) else len(inside) - strong[0] - 1)
    return float(times[first + peak])


def _score(edges: NDArray[np.float64], p: NDArray[np.float64], span: tuple[float, float]) -> float:
    """Average probabilities over a span, by time."""
    first = np.searchsorted(edges, span[0], side="right") - 1
    last = np.searchsorted(edges, span[1])
    covered = np.diff(np.clip(edges[first : last + 1], *span))
    return float(np.clip(np.average(p[first:last], weights=covered), 0.0, 1.0))


def join_spans(
    spans: Iterable[tuple[float, float]], max_gap: float = 0.0
) -> list[tuple[float, float]]:
    """Join spans that overlap or lie close.

    Parameters
    ----------
    spans : iterable of (float, float)
        Start and end in seconds; empty ones are dropped.
    max_gap : float
        Seconds.

    Returns
    -------
    list of (float, float)
        Ascending, more than ``max_gap`` apart.

    Examples
    --------
    >>> join_spans([(5, 9), (0, 2), (2.5, 4), (3, 3.5)], max_gap=0.5)
    [(0, 4), (5, 9)]
    """
    joined: list[tuple[float, float]] = []
    for start, end in sorted(span for span in spans if span[0] < span[1]):
        if joined and start - joined[-1][1] <= max_gap:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined
