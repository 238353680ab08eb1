"""Results to stretches of a few seconds, each short enough to be answered by one hearing.

A recording that is no longer than :data:`LONGEST` is one stretch. In a longer one they lie around
the segments of its timeline, and in the middle of what has none: there the model may have missed
something. The same result is always cut in the same way, so that what was answered is known again.
"""

from __future__ import annotations

from bisect import bisect, insort
from collections import deque
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from asmr_classify.aggregate import Status
from asmr_classify.labels import SILENCE, Kind, kind_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from asmr_classify.aggregate import FileResult
    from asmr_classify.catalogue import Answer
    from asmr_classify.timeline import Segment

    Span = tuple[float, float]
    Key = tuple[str, float, float]

SHORTEST, USUAL, LONGEST = 2.0, 6.0, 12.0
"""Seconds. The model's window is the shortest that it judges, and its decision looks at stretches
of ten."""

PLACES = (1 / 6, 1 / 2, 5 / 6)
"""Where in a long segment stretches lie, as shares of it: sounds change, and few are enough."""

DIGITS = 2
"""Of seconds: players show no more."""

SAME = 0.5
"""Stretches that share more than this of the shorter one are one question."""

HEARD = frozenset({Status.OK, Status.PARTIAL})


@dataclass(frozen=True, slots=True)
class Stretch:
    """A few seconds of a recording, of which is asked what is heard.

    Parameters
    ----------
    path : str
        The recording, absolute.
    start, end : float
        Seconds, as a player shows them.
    duration : float
        Of the recording, in seconds.
    opinion : mapping of str to float
        For each label of the model, how surely it is heard here by its timeline, in [0, 1].
    settled : tuple of str
        Labels that the recording does not hold, as somebody set by hand.
    """

    path: str
    start: float
    end: float
    duration: float
    opinion: Mapping[str, float]
    settled: tuple[str, ...] = ()

    @property
    def key(self) -> Key:
        """What tells it from others: path, start and end."""
        return self.path, self.start, self.end

    @property
    def uncertainty(self) -> float:
        """How unsure the model is of the label that it is least sure of, in [0, 1]."""
        unsettled = [p for label, p in self.opinion.items() if label not in self.settled]
        return max((1 - abs(2 * p - 1) for p in unsettled), default=1.0)

    @property
    def heard(self) -> tuple[str, ...]:
        """The labels that the model hears, the surest first."""
        held = [label for label, p in self.opinion.items() if p >= 0.5]
        return tuple(sorted(held, key=lambda label: -self.opinion[label]))


def cut_stretches(result: FileResult) -> list[Stretch]:
    """Cut a recording into stretches that are worth a question.

    Parameters
    ----------
    result : FileResult
        By the absolute path.

    Returns
    -------
    list of Stretch
        By time, none over another; empty where nothing was heard.
    """
    if result.status not in HEARD or result.decoded <= 0:
        return []
    if result.decoded <= LONGEST:
        return [stretch_at(result, 0.0, result.decoded)]
    chosen: list[Span] = []
    for span in [*_around_segments(result), *_in_gaps(result)]:
        near = chosen[bisect(chosen, (span[0] - LONGEST,)) : bisect(chosen, (span[1],))]
        if not any(overlap(span, other) > SAME for other in near):
            insort(chosen, span)
    return [*_iter_stretches(result, chosen)]


def stretch_at(result: FileResult, start: float, end: float) -> Stretch:
    """Tell what the model says of a stretch of a recording.

    Notes
    -----
    A label is as sure as its surest segment there, less so where that covers little. One that has
    no segment in the whole recording may yet be anywhere in it, as surely as the file's score says.
    """
    return next(_iter_stretches(result, [(start, end)]))


def _iter_stretches(result: FileResult, spans: Iterable[Span]) -> Iterator[Stretch]:
    """Yield the stretches of spans that are sorted, in one walk along the timeline."""
    placed = {segment.label for segment in result.segments}
    usual = {x: 0.0 if x in placed else score for x, score in result.scores.items()}
    is_set = "trigger" in result.corrected
    settled = [x for x in usual if kind_of(x) is Kind.TRIGGER and result.rules_out(x)]
    duration = max(result.duration or 0.0, result.decoded)
    coming = deque(sorted(result.segments, key=lambda segment: segment.start))
    near: list[Segment] = []
    for span in spans:
        start, end = (round(seconds, DIGITS) for seconds in span)
        while coming and coming[0].start < end:
            near.append(coming.popleft())
        near = [segment for segment in near if segment.end > start]
        seconds = end - start
        opinion = {x: p * min(1.0, seconds / result.decoded) for x, p in usual.items()}
        for segment in near:
            shared = min(segment.end, end) - max(segment.start, start)
            if segment.label != SILENCE:
                share = min(1.0, shared / min(seconds, SHORTEST)) if seconds else 1.0
                opinion[segment.label] = max(opinion.get(segment.label, 0.0), segment.score * share)
        yield Stretch(result.path, start, end, duration, opinion, tuple(settled) if is_set else ())


def stretch_around(result: FileResult, at: float) -> Stretch:
    """Give the stretch of usual length around a time of a recording."""
    return stretch_at(result, *_within(at, min(USUAL, result.decoded), result.decoded))


def overlap(one: Span, other: Span) -> float:
    """Tell which share of the shorter of two spans they have in common: nothing, of an instant.

    Examples
    --------
    >>> overlap((0, 4), (3, 10)), overlap((0, 4), (5, 6)), overlap((0, 4), (3, 3))
    (0.25, 0.0, 0.0)
    """
    shared = min(one[1], other[1]) - max(one[0], other[0])
    return shared / min(one[1] - one[0], other[1] - other[0]) if shared > 0 else 0.0


def without_answered(stretches: Iterable[Stretch], answers: Iterable[Answer]) -> list[Stretch]:
    """Leave out what was answered, also where the timeline was cut otherwise then.

    An answer over more than a stretch, by which fewer than half of the labels were asked, answers
    none: files tell of one label over an hour.
    """
    given = by_path(answers)
    return [x for x in stretches if not any(_answers(y, x) for y in given.get(x.path, ()))]


def by_path(answers: Iterable[Answer]) -> dict[str, list[Answer]]:
    """Give answers by the recording that they are about."""
    given: dict[str, list[Answer]] = {}
    for answer in answers:
        given.setdefault(answer.path, []).append(answer)
    return given


def _answers(answer: Answer, stretch: Stretch) -> bool:
    n_asked = len(stretch.opinion.keys() & {*answer.asked})
    is_one = answer.end - answer.start <= LONGEST or n_asked >= len(stretch.opinion) / 2
    return is_one and overlap((stretch.start, stretch.end), (answer.start, answer.end)) > SAME


def _around_segments(result: FileResult) -> Iterator[Span]:
    for segment in result.segments:
        if segment.label == SILENCE:
            continue
        length = segment.end - segment.start
        if length <= LONGEST:
            middles: Sequence[float] = (1 / 2,)
            seconds = min(max(length, SHORTEST), LONGEST)
        else:
            middles, seconds = PLACES, USUAL
        for share in middles:
            yield _within(segment.start + share * length, seconds, result.decoded)


def _in_gaps(result: FileResult) -> Iterator[Span]:
    """Yield the middle of whatever has no label, silence included."""
    edges = [0.0]
    for segment in sorted(result.segments, key=lambda segment: segment.start):
        if segment.start > edges[-1]:
            edges += [segment.start, segment.end]
        else:
            edges[-1] = max(edges[-1], segment.end)
    for start, end in list(pairwise([*edges, result.decoded]))[::2]:
        if end - start >= SHORTEST:
            yield _within((start + end) / 2, min(end - start, USUAL), result.decoded)


def _within(middle: float, seconds: float, duration: float) -> Span:
    start = min(max(0.0, middle - seconds / 2), duration - seconds)
    return start, start + seconds
