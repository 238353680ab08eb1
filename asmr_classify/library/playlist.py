"""Playlists: which recordings, or which stretches of them, fit what someone wants to hear.

Whole recordings: one is taken if it is tagged with a wanted label (a context, such as ``music``,
counts where the timeline has it) or a wanted kind of sound was told of it, and left out if an
avoided label is a tag, has a segment anywhere or scores :data:`AVOIDED_FROM` or more, or an avoided
kind was told. A name that is both a label and a kind is the label.

Stretches: segments of wanted labels that overlap or lie within :data:`MAX_GAP` of each other are
one stretch, under the label that covers most of it; segments of avoided labels are then cut out,
and what is left of it is taken if it is long enough. Kinds are told of whole recordings: an avoided
one leaves out all stretches, and none can be wanted.

How videos look is asked of whole recordings too, also where stretches are played. Whoever asks for
it and names no label wants all that looks so, be it without a trigger or without any sound.

What was set by hand counts more than what the model says: where the trigger was, a trigger that is
no tag is neither wanted nor avoided there. An avoided label that people heard in a stretch, by an
answer, leaves out the recording, or that stretch, whatever else is said: it is the closer look.
Recordings that are no longer there are left out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import groupby
from types import MappingProxyType
from typing import TYPE_CHECKING

from asmr_classify.config import DecisionSpec
from asmr_classify.errors import UsageError
from asmr_classify.labels import (
    DEFINITIONS,
    SILENCE,
    SPEECH,
    WHISPER,
    Kind,
    did_you_mean,
    kind_of,
)
from asmr_classify.library.makers import creator_of
from asmr_classify.visual.seen import levels

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from asmr_classify.aggregate import FileResult
    from asmr_classify.catalogue.answers import Answer
    from asmr_classify.visual.seen import LightLevel, MotionLevel

AVOIDED_FROM = 0.5
"""Score from which on an avoided label keeps a recording out: scores are calibrated, so that from
here on the label is more likely there than not. Thresholds of tags weigh misses against false
alarms; whoever avoids a label minds only the misses."""

MAX_GAP = DecisionSpec().max_gap
"""Seconds between wanted segments that do not part them: what the timeline itself bridges."""

MIN_SEGMENT = DecisionSpec().span
"""Seconds that a stretch must last by default: that long a stretch is what the model judges a
recording by, and shorter ones make a playlist restless."""

SHORTEST_REST = 1.0
"""Seconds; a playlist that lacks less is full, rather than ending on a scrap of sound."""

SCRAP_SHARE = 0.5
"""Of a damaged recording that plays for less than this share of its length, most is missing."""


class Player(StrEnum):
    """Whose way to play a part of a file is written, see :mod:`asmr_classify.library.m3u8`."""

    VLC = "vlc"
    MPV = "mpv"


@dataclass(frozen=True, slots=True)
class Wish:
    """What someone wants to hear.

    Parameters
    ----------
    want : tuple of str
        Any of these labels and kinds; by default, any trigger, or whatever looks as is wished.
    avoid : tuple of str
        None of these.
    min_score : float
        Least score of the wanted label, of the recording or of a segment, in [0, 1]. By default
        what is tagged, or in the timeline, will do.
    min_segment : float
        Least length of a stretch in seconds.
    no_talking : bool
        No speech and no whisper; of stretches: none in them.
    segments : bool
        Stretches, not whole recordings.
    motion : tuple of MotionLevel
        Only what was seen to move as one of these; by default, what was not looked at will do.
    light : tuple of LightLevel
        Likewise.

    Raises
    ------
    UsageError
        If it contradicts itself.
    """

    want: tuple[str, ...] = ()
    avoid: tuple[str, ...] = ()
    min_score: float = 0.0
    min_segment: float = MIN_SEGMENT
    no_talking: bool = False
    segments: bool = False
    motion: tuple[MotionLevel, ...] = ()
    light: tuple[LightLevel, ...] = ()

    def __post_init__(self) -> None:
        for label in self.want:
            if label in self.avoid:
                raise UsageError(f"{label!r} is both wanted and avoided: leave one out")
            if self.no_talking and label in {SPEECH, WHISPER}:
                raise UsageError(f"{label!r} is wanted, and is talking: leave out --no-talking")

    @property
    def kept_out(self) -> frozenset[str]:
        """Labels that no stretch may hold."""
        return frozenset(self.avoid) | ({SPEECH, WHISPER} if self.no_talking else set())

    def wants(self, label: str) -> bool:
        """Tell whether a label is wanted."""
        if self.want:
            return label in self.want
        return kind_of(label) is Kind.TRIGGER and label not in self.kept_out

    @property
    def is_of_looks(self) -> bool:
        """Whether what looks so will do, whatever is heard."""
        return bool(self.motion or self.light) and not self.want


@dataclass(frozen=True, slots=True)
class Item:
    """Something to play.

    Parameters
    ----------
    path : str
        The recording.
    label : str
        The wanted label or kind that it is played for, or the level of motion or light.
    start, end : float
        Seconds from the beginning of the recording, to the millisecond.
    score : float
        Of the label, in [0, 1].
    is_whole : bool
        Whether it is the whole recording.
    """

    path: str
    label: str
    start: float
    end: float
    score: float
    is_whole: bool

    @property
    def duration(self) -> float:
        """Seconds that it lasts."""
        return round(self.end - self.start, 3)

    @property
    def creator(self) -> str:
        """Who made it, see :func:`~asmr_classify.library.makers.creator_of`."""
        return creator_of(self.path)


def check_labels(
    wish: Wish,
    results: Iterable[FileResult],
    kinds: Iterable[str] = (),
    named: Collection[str] = (),
) -> None:
    """Check that results tell of what is wanted and avoided.

    Parameters
    ----------
    wish : Wish
    results : iterable of FileResult
    kinds : iterable of str
        That are known beside those which the results hold.
    named : collection of str
        Labels that may be avoided beside those, as answers may tell of them.

    Raises
    ------
    UsageError
        If a name is no label and no kind that they know, or stretches of a kind are wanted. No
        results know nothing, and refuse nothing.
    """
    results = list(results)
    known, kinds = known_labels(results), _known_kinds(results, kinds)
    avoidable = tuple(dict.fromkeys([*known, *named]))
    asked = [(name, known) for name in wish.want] + [(name, avoidable) for name in wish.avoid]
    for name, labels in asked:
        if known and name not in labels and name not in kinds:
            hint = did_you_mean(name, [*labels, *kinds])
            if not hint and (broader := _broader(name, known)):
                hint = f"; what you seek is part of {broader}"
            listed = f", the kinds {', '.join(kinds)}" if kinds else ""
            raise UsageError(f"{name!r}: the labels are {', '.join(labels)}{listed}{hint}")
    for name in wish.want if wish.segments else ():
        if name not in known and name in kinds:
            raise UsageError(
                f"{name!r} is a kind, and kinds are told of whole recordings: leave out --segments"
            )


def widen_avoided(
    wish: Wish,
    results: Iterable[FileResult],
    kinds: Iterable[str] = (),
    named: Collection[str] = (),
) -> tuple[Wish, dict[str, str]]:
    """Avoid what holds a finer label, where results tell no finer: too much rather than too little.

    Parameters
    ----------
    wish : Wish
    results : iterable of FileResult
    kinds : iterable of str
        That are known beside those which the results hold; a kind is avoided as such.
    named : collection of str
        Labels that answers may tell of: one of them is avoided beside what holds it.

    Returns
    -------
    tuple of Wish and dict
        The wish with broader labels to avoid, and which stands for which finer one.
    """
    results = list(results)
    known, kinds = known_labels(results), _known_kinds(results, kinds)
    finer = [name for name in wish.avoid if name not in known and name not in kinds]
    broader = {label: _broader(label, known) for label in finer}
    widened = {label: name for label, name in broader.items() if name}
    avoid = [widened.get(label, label) for label in wish.avoid]
    avoid += [label for label in widened if label in named]
    return replace(wish, avoid=tuple(dict.fromkeys(avoid))), widened


def known_labels(results: Iterable[FileResult]) -> tuple[str, ...]:
    """List the labels that results tell of."""
    known: dict[str, None] = {}
    for result in results:
        known.update(dict.fromkeys((*result.scores, *result.tags)))
    return (*known, SILENCE) if known else ()


def _known_kinds(results: Iterable[FileResult], more: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys([*more, *(kind for result in results for kind in result.kinds)]))


def _broader(label: str, known: Iterable[str]) -> str:
    """Find which label holds a finer one; empty if none is known to."""
    for name in known:
        words = re.findall(r"\w+", DEFINITIONS.get(name, ""))
        if len(label) > 2 and any(word.startswith(label.lower()) for word in words):
            return name
    return ""


def find_items(
    results: Iterable[FileResult],
    wish: Wish,
    kinds: Iterable[str] = (),
    named: Collection[str] = (),
    answers: Mapping[str, Sequence[Answer]] = MappingProxyType({}),
) -> list[Item]:
    """Find what fits a wish.

    Parameters
    ----------
    results : iterable of FileResult
    wish : Wish
    kinds : iterable of str
        That are known beside those which the results hold.
    named : collection of str
        Labels that may be avoided beside those, as answers may tell of them.
    answers : mapping of str to sequence of Answer
        What people said of stretches of recordings, by path.

    Returns
    -------
    list of Item
        By path, then start.

    Raises
    ------
    UsageError
        If labels or kinds are wanted or avoided that no result knows.
    """
    results = list(results)
    check_labels(wish, results, kinds, named)
    find = _stretches if wish.segments else _whole
    shown = [result for result in results if playing_time(result) > 0 and _looks(result, wish)]
    items = [
        item
        for result in shown
        for item in find(result, wish, _unbearable(answers.get(result.path, ()), wish))
    ]
    return sorted(items, key=lambda item: (item.path, item.start))


def fill(items: Iterable[Item], length: float | None) -> Iterator[Item]:
    """Take items until they last long enough.

    Parameters
    ----------
    items : iterable of Item
    length : float or None
        Seconds. A whole recording may end later; a stretch is cut so that it does not. None takes
        everything.

    Yields
    ------
    Item
    """
    rest = float("inf") if length is None else length
    for item in items:
        if rest < SHORTEST_REST:
            return
        if item.duration > rest and not item.is_whole:
            item = replace(item, end=round(item.start + rest, 3))  # noqa: PLW2901 (cut short)
        yield item
        rest -= item.duration


def fill_in_turn(items: Iterable[Item], length: float | None) -> Iterator[Item]:
    """Take items of each label for an equal part of a length.

    Parameters
    ----------
    items : iterable of Item
        One label after the other.
    length : float or None
        Seconds; see :func:`fill`. Each label gets :data:`SHORTEST_REST` of it at least.

    Yields
    ------
    Item
    """
    parts = [list(part) for _, part in groupby(items, key=lambda item: item.label)]
    for part in parts:
        yield from fill(part, None if length is None else max(length / len(parts), SHORTEST_REST))


def length_of(result: FileResult) -> float:
    """Tell how many seconds of a recording can be played, to the millisecond."""
    from asmr_classify.aggregate import Status

    claimed = None if result.status is Status.PARTIAL else result.duration
    return round(result.decoded if claimed is None else claimed, 3)


def is_playable(result: FileResult) -> bool:
    """Tell whether there is a timeline, and something to hear."""
    from asmr_classify.writers.documents import is_heard

    return is_heard(result) and length_of(result) > 0


def is_scrap(result: FileResult) -> bool:
    """Tell whether a recording broke off so early that no more than a scrap of it plays."""
    from asmr_classify.aggregate import Status

    least = max(SHORTEST_REST, SCRAP_SHARE * (result.duration or 0.0))
    return result.status is Status.PARTIAL and result.decoded < least


def playing_time(result: FileResult) -> float:
    """Tell how many seconds a recording plays, be it without sound; 0 for what nobody can play."""
    from asmr_classify.aggregate import Status

    if is_playable(result):
        return length_of(result)
    lanes = result.visual and result.visual.lanes
    if not lanes or result.status is not Status.NO_AUDIO:
        return 0.0
    return result.duration or lanes.duration


def _looks(result: FileResult, wish: Wish) -> bool:
    """Whether a recording looks as is wished."""
    motion, light = levels(result.visual)
    return (not wish.motion or motion in wish.motion) and (not wish.light or light in wish.light)


def _score(result: FileResult, label: str) -> float:
    return 1.0 if result.is_set(label) else result.scores.get(label, result.kinds.get(label, 0.0))


def _has_segment(result: FileResult, label: str) -> bool:
    return any(segment.label == label for segment in result.segments)


def _is_told(result: FileResult, name: str) -> bool:
    """Whether a name is that of a kind, not of a label, and was told."""
    return name in result.kinds and name not in result.scores


def _holds(result: FileResult, label: str) -> bool:
    is_context = kind_of(label) is Kind.CONTEXT
    has_segment = is_context and _has_segment(result, label)
    return label in result.tags or has_segment or _is_told(result, label)


def _may_hold(result: FileResult, label: str) -> bool:
    if _is_told(result, label):
        return True
    if result.rules_out(label):
        return False
    is_likely = _score(result, label) >= AVOIDED_FROM
    return is_likely or label in result.tags or _has_segment(result, label)


def _unbearable(answers: Iterable[Answer], wish: Wish) -> list[tuple[float, float]]:
    """Give the stretches in which people heard what is kept out."""
    kept_out = wish.kept_out
    return [(x.start, x.end) for x in answers if not kept_out.isdisjoint(x.labels)]


def _whole(
    result: FileResult, wish: Wish, unbearable: Sequence[tuple[float, float]]
) -> Iterator[Item]:
    if unbearable:
        return
    if wish.no_talking and not (result.no_talking or _is_mute(result)):
        return
    if any(_may_hold(result, label) for label in wish.avoid):
        return
    held = [
        label
        for label in wish.want or result.tags
        if _holds(result, label) and _score(result, label) >= wish.min_score
    ]
    if held:
        # The first of equals: the main trigger where nothing is said, else as wanted.
        label = max(held, key=lambda label: (label == result.trigger, _score(result, label)))
        score = _score(result, label)
        yield Item(result.path, label, 0.0, length_of(result), score, is_whole=True)
    elif wish.is_of_looks:
        motion, light = levels(result.visual)
        level = (motion if wish.motion else light) or ""
        yield Item(result.path, level, 0.0, playing_time(result), 1.0, is_whole=True)


def _is_mute(result: FileResult) -> bool:
    from asmr_classify.aggregate import Status

    return result.status in {Status.NO_AUDIO, Status.SILENT}


def _stretches(
    result: FileResult, wish: Wish, unbearable: Sequence[tuple[float, float]]
) -> Iterator[Item]:
    from asmr_classify.timeline import join_spans

    if any(_is_told(result, name) for name in wish.avoid):
        return
    if any(name in result.tags and not _has_segment(result, name) for name in wish.avoid):
        return  # it was set, and nobody knows where it is
    kept_out = wish.kept_out
    if wish.no_talking and (result.no_talking is None or "no_talking" in result.corrected):
        if not result.no_talking:
            return  # nobody knows where the talk is
        kept_out = frozenset(wish.avoid)
    avoided = join_spans([*_spans(result, kept_out), *unbearable])
    wanted = {segment.label for segment in result.segments if wish.wants(segment.label)}
    spans = _spans(result, wanted, wish.min_score)
    for stretch in join_spans(spans, MAX_GAP):
        for start, end in _cut(stretch, avoided):
            main = _main_label(result, wanted, (start, end))
            if main is not None and round(end - start, 3) >= wish.min_segment:
                label, score = main
                yield Item(result.path, label, start, end, score, is_whole=False)


def _spans(
    result: FileResult, labels: Iterable[str], min_score: float = 0.0
) -> list[tuple[float, float]]:
    length = length_of(result)
    found = [label for label in labels if not result.rules_out(label)]
    return [
        (round(segment.start, 3), min(round(segment.end, 3), length))
        for segment in result.segments
        if segment.label in found and segment.score >= min_score
    ]


def _cut(
    span: tuple[float, float], avoided: Sequence[tuple[float, float]]
) -> Iterator[tuple[float, float]]:
    """Give what is left of a span, in order."""
    start, end = span
    for avoided_from, avoided_to in avoided:
        if avoided_from < end and avoided_to > start:
            yield start, avoided_from
            start = avoided_to
    yield start, end


def _main_label(
    result: FileResult, wanted: Iterable[str], span: tuple[float, float]
) -> tuple[str, float] | None:
    """Find the label that covers most of a span, and its mean score there; None if none does."""
    seconds = {label: 0.0 for label in sorted(wanted) if not result.rules_out(label)}
    weights = dict(seconds)
    for segment in result.segments:
        overlap = min(segment.end, span[1]) - max(segment.start, span[0])
        if segment.label in seconds and overlap > 0:
            seconds[segment.label] += overlap
            weights[segment.label] += overlap * segment.score
    label = max(seconds, key=seconds.__getitem__, default="")
    if not seconds.get(label):
        return None
    return label, min(1.0, weights[label] / seconds[label])
