"""How sure labels are over time to segments, and to how present a label is in a recording.

A segment begins where a label's probability reaches its threshold and ends where the odds fall
below ``release`` times those of the threshold (hysteresis, as in Schmitt's trigger); segments of
one label that lie close are merged, short ones dropped. Windows are coarse, so each segment is then
moved to where the level first rises near its beginning, and last falls near its end. Segments of
one label never overlap and lie in ``[0, duration]``; those of different labels may overlap.

How present a label is, is read off the same segments: it is the highest threshold under which they
could still cover enough (:func:`presence`), wherever their edges come to lie. So for any threshold,
a label whose segments cover enough is present at least as much as that, and one that is has
segments: the two never contradict one another.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from asmr_classify.labels import SILENCE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from asmr_classify.config import DecisionSpec
    from asmr_classify.features.edges import Changes

    Spans = NDArray[np.float64]
    """Start and end in seconds, shape (n_spans, 2), ascending and apart."""


SLACK = 1e-9
"""Averages of equal numbers may fall short of them by rounding."""

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
class Curves:
    """How sure each label is over time.

    Parameters
    ----------
    edges : ndarray of float64, shape (n_cells + 1,)
        In seconds, ascending.
    logits : ndarray of float64, shape (n_cells, n_columns)
        Calibrated.
    """

    edges: NDArray[np.float64]
    logits: NDArray[np.float64]


def find_segments(  # noqa: PLR0913 (what was heard, and what decides)
    curves: Curves,
    silent: NDArray[np.bool_],
    *,
    labels: Sequence[str],
    thresholds: Mapping[str, float],
    decision: DecisionSpec,
    window: float,
    changes: Changes | None = None,
) -> tuple[Segment, ...]:
    """Find the segments of every label, and of silence.

    Parameters
    ----------
    curves : Curves
        With a column for each label.
    silent : ndarray of bool, shape (n_cells,)
    labels : sequence of str
    thresholds : mapping of str to float
        Probabilities.
    decision : DecisionSpec
    window : float
        Seconds in a window.
    changes : Changes, optional
        Where the level rises and falls.

    Returns
    -------
    tuple of Segment
        By start, then end, then label.
    """
    segments = []
    for column, label in enumerate(labels):
        z = curves.logits[:, column]
        spans = _spans(curves.edges, z, logit(thresholds[label]), decision)
        if changes is not None:
            spans = _refine(spans, changes, curves.edges, window, decision)
        p = probability(z)
        segments += [
            Segment(start, end, label, _score(curves.edges, p, (start, end)))
            for start, end in spans.tolist()
        ]
    # Silence is where its level places it.
    quiet = _spans(curves.edges, np.where(silent, 0.0, -np.inf), 0.0, decision)
    segments += [Segment(start, end, SILENCE, 1.0) for start, end in quiet.tolist()]
    return tuple(sorted(segments, key=lambda s: (s.start, s.end, s.label)))


def presence(
    curves: Curves, *, decision: DecisionSpec, window: float, enough: float
) -> NDArray[np.float64]:
    """Find for each label the highest threshold under which its segments cover enough.

    Parameters
    ----------
    curves : Curves
    decision : DecisionSpec
    window : float
        Seconds in a window.
    enough : float
        Seconds; no more than the cells last.

    Returns
    -------
    ndarray of float64, shape (n_columns,)
        Thresholds as logits.

    Notes
    -----
    The coverage of segments grows as the threshold falls, but for how their edges are moved to
    where the level changes. They are moved outwards by ``LEAD`` of a window at most; taken to be
    moved so far, coverage only grows, and is no less than that of the segments. It changes where
    the threshold passes a value of the curve, or lies above one by so much that a segment ends.
    """
    return np.array([_presence(curves.edges, z, decision, window, enough) for z in curves.logits.T])


def _presence(
    edges: NDArray[np.float64],
    z: NDArray[np.float64],
    decision: DecisionSpec,
    window: float,
    enough: float,
) -> float:
    values = np.unique(z)
    levels = np.unique(np.concatenate([values, values + _held(decision)]))
    levels = levels[levels <= values[-1]]
    low, high = 0, len(levels)
    while high - low > 1:
        middle = (low + high) // 2
        spans = _spans(edges, z, levels[middle], decision)
        if _reach(spans, edges, LEAD * window) >= enough - SLACK:
            low = middle
        else:
            high = middle
    return float(levels[low])


def _reach(spans: Spans, edges: NDArray[np.float64], lead: float) -> float:
    """Add up the seconds that spans cover if each is moved outwards at both its ends."""
    if not len(spans):
        return 0.0
    starts = np.maximum(spans[:, 0] - lead, edges[0])
    ends = np.minimum(spans[:, 1] + lead, edges[-1])
    return float(np.sum(ends - np.maximum(starts, np.append(edges[0], ends[:-1]))))


def logit(p: float) -> float:
    """Turn a probability into a logit."""
    return float(np.log(p) - np.log1p(-p))


def probability(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn logits into probabilities."""
    return np.asarray(1 / (1 + np.exp(-logits)))


def _held(decision: DecisionSpec) -> float:
    """Logits below its threshold at which a segment ends."""
    return -float(np.log(decision.release))


def _spans(
    edges: NDArray[np.float64], z: NDArray[np.float64], threshold: float, decision: DecisionSpec
) -> Spans:
    """Find where a label is under a threshold: close spans merged, short ones dropped."""
    above = np.concatenate([[False], z >= threshold - _held(decision) - SLACK, [False]])
    first, last = np.flatnonzero(above[1:] != above[:-1]).reshape(-1, 2).T
    if not len(first):
        return np.zeros((0, 2))
    # Every other slice lies between two runs.
    bounds = np.stack([first, last], axis=1).ravel()
    highest = np.maximum.reduceat(np.append(z, -np.inf), bounds)[::2]
    reached = highest >= threshold - SLACK
    if not reached.any():
        return np.zeros((0, 2))
    starts, ends = edges[first[reached]], edges[last[reached]]
    apart = starts[1:] - ends[:-1] >= decision.max_gap
    starts, ends = starts[np.append(True, apart)], ends[np.append(apart, True)]
    joined = np.stack([starts, ends], axis=1)
    shortest = min(decision.min_duration, float(edges[-1] - edges[0]))
    return np.asarray(joined[joined[:, 1] - joined[:, 0] >= shortest])


def _refine(
    spans: Spans,
    changes: Changes,
    edges: NDArray[np.float64],
    window: float,
    decision: DecisionSpec,
) -> Spans:
    """Move the start of each span to a rise nearby, and its end to a fall.

    A window that has the label may hold its sound anywhere, so a span begins up to a window after
    where its first window does, and ends up to one before. What begins and ends with the recording
    stays.
    """
    lead, shortest, gap = LEAD * window, decision.min_duration, decision.max_gap
    refined: list[tuple[float, float]] = []
    starts_after = [*spans[1:, 0], np.inf][: len(spans)]
    for (start, end), following in zip(spans.tolist(), starts_after, strict=True):
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
    return np.array(refined).reshape(-1, 2)


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
