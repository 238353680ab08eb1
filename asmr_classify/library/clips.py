"""Which stretches of recordings become clips, and in which part of a data set each group is.

A clip is a segment of a wanted label, with some time before and after it where that is asked for.
A segment longer than a clip may be is cut into clips of that length, end to end; time is then
added to its first and last only. Of one recording, a clip is left out that has the very times of
another one under a second label, as each clip names all labels that cover half of it, or that lies
whole in another one of its label. Clips that merely overlap are different stretches, and stay.
Segments are what the model hears, without the stretches of which people answered that it is not
heard there; or what people answered that is.

What is random follows from a seed and from what is drawn, by a hash: another recording, or one
less, does not move the lots of the others. Draws are fair: they look at no score and no length.
Parts are given to groups in the order of their lots, so that all parts hold the same labels; which
part a group gets follows from what the others hold, too.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from asmr_classify.catalogue.answers import rest_of
from asmr_classify.catalogue.ranges import Range
from asmr_classify.errors import UsageError
from asmr_classify.labels import SILENCE, Kind, kind_of
from asmr_classify.library.playlist import is_playable, known_labels, length_of
from asmr_classify.timeline import Segment

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from asmr_classify.aggregate import FileResult
    from asmr_classify.catalogue import Answer

MIN_SECONDS = 1.0
"""Of a segment by default: shorter clips are often undecidable, for people too."""

HALF = 0.5
"""Of a clip, from which on it holds a label."""

ANSWERED_SCORE = 1.0
"""Of a segment that somebody heard."""

SAME_SECONDS = 0.1
"""How far borders of clips may be apart at most that are of the same time."""

PARTS = ("train", "validation", "test")
"""Of a data set, as those who learn from it call them."""

LEARNT, JUDGED = "train", ("test", "validation")
"""The parts in the order in which they are wanted most."""

HELD_OUT_SHARE = 0.1
"""Of the groups, for each of validation and test."""


@dataclass(frozen=True, slots=True)
class Selected:
    """The recordings to choose from.

    Parameters
    ----------
    results : list of FileResult
    lost : list of FileResult
        Of files that are not as they were labelled any more: gone, or changed.
    answers : dict of str to list of Answer
        What people said of stretches of these, by path.
    failed : list of FileResult
        What was named and could not be labelled.
    denied : list of tuple of (str, Segment)
        What :func:`heed` cut out of timelines, each with the path of its recording.
    """

    results: list[FileResult]
    lost: list[FileResult] = field(default_factory=list)
    answers: dict[str, list[Answer]] = field(default_factory=dict)
    failed: list[FileResult] = field(default_factory=list)
    denied: list[tuple[str, Segment]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Wish:
    """What clips someone wants.

    Parameters
    ----------
    labels : tuple of str
        Any of these; by default, any trigger.
    min_seconds : float
        Least length of a segment.
    max_seconds : float or None
        Longer ones are cut into clips of this length.
    pad : float
        Seconds that are added before and after a segment.
    score : Range
        Of the segment.
    per_label, per_recording, per_group : int or None
        Most clips of each.
    seed : int
        Of all that is random.
    answered : bool
        Results are as people answered, see :func:`as_answered`.

    Raises
    ------
    UsageError
        If it contradicts itself.
    """

    labels: tuple[str, ...] = ()
    min_seconds: float = MIN_SECONDS
    max_seconds: float | None = None
    pad: float = 0.0
    score: Range = field(default_factory=Range)
    per_label: int | None = None
    per_recording: int | None = None
    per_group: int | None = None
    seed: int = 0
    answered: bool = False

    def __post_init__(self) -> None:
        if self.answered and self.score != Range():
            raise UsageError("--score is of what the model hears: leave it out, or --answered")
        if self.max_seconds is not None and self.max_seconds < max(self.min_seconds, 0.01):
            raise UsageError(
                f"--max {self.max_seconds:g}s is less than --min {self.min_seconds:g}s: no clip "
                "can be both"
            )

    def wants(self, label: str) -> bool:
        """Tell whether clips of a label are wanted."""
        return label in self.labels if self.labels else kind_of(label) is Kind.TRIGGER


@dataclass(frozen=True, slots=True)
class Stretch:
    """A segment, or a piece of one, that may become a clip.

    Parameters
    ----------
    result : FileResult
        Of the recording.
    group : str
        Of the recording.
    label : str
    score : float
        Of the segment, in [0, 1].
    start, end : float
        Of the segment or piece, in seconds, to the millisecond.
    first, last : float
        Of the clip: with what is added.
    """

    result: FileResult
    group: str
    label: str
    score: float
    start: float
    end: float
    first: float
    last: float

    @property
    def labels(self) -> tuple[str, ...]:
        """All labels that cover half of it, its own first."""
        placed = (segment.label for segment in self.result.segments)
        seconds = dict.fromkeys((self.label, *self.result.scores, SILENCE, *placed), 0.0)
        reached = dict.fromkeys(seconds, self.start)  # people may answer what overlaps
        for segment in sorted(self.result.segments, key=lambda x: x.start):
            first, last = max(segment.start, reached[segment.label]), min(segment.end, self.end)
            if last > first:
                seconds[segment.label] += last - first
                reached[segment.label] = last
        least = HALF * (self.end - self.start)
        return tuple(
            label
            for label, covered in seconds.items()
            if label == self.label or (covered >= least and not self.result.rules_out(label))
        )

    def overlaps(self, other: Stretch) -> bool:
        """Tell whether some of the same recording is in both."""
        is_one = self.result.path == other.result.path
        return is_one and self.first < other.last and other.first < self.last

    def gives_way_to(self, other: Stretch) -> bool:
        """Tell whether this is no clip of its own beside one that overlaps it."""
        if self.label == other.label:
            return other.first <= self.first and self.last <= other.last
        apart = max(abs(self.first - other.first), abs(self.last - other.last))
        return round(apart, 3) < SAME_SECONDS


def as_answered(result: FileResult, answers: Iterable[Answer]) -> FileResult:
    """Give a recording the timeline that people told of it, in place of the model's.

    Parameters
    ----------
    result : FileResult
    answers : iterable of Answer
        About stretches of it. What was set of the whole gives way: an answer is the closer look.

    Returns
    -------
    FileResult
        With a segment for each label that is heard in a stretch. Scores stay the model's.
    """
    segments = tuple(
        Segment(answer.start, answer.end, label, ANSWERED_SCORE)
        for answer in answers
        for label in answer.labels
    )
    return replace(result, segments=segments, corrected=())


def heed(selected: Selected, wish: Wish) -> Selected:
    """Let timelines say what people answered about stretches.

    Parameters
    ----------
    selected : Selected
    wish : Wish
        If ``answered``, a timeline is what was answered; else that of the model, without what was
        answered as not heard.

    Returns
    -------
    Selected
        ``denied`` is what of that is wanted.
    """

    def told(result: FileResult) -> FileResult:
        answers = selected.answers.get(result.path, ())
        return as_answered(result, answers) if wish.answered else without_denied(result, answers)

    denied = [
        (result.path, segment)
        for result in selected.results
        for segment in denied_in(result, selected.answers.get(result.path, ()))
        if not wish.answered and _is_wanted(result, segment, wish)
    ]
    results, lost = ([told(x) for x in some] for some in (selected.results, selected.lost))
    return replace(selected, results=results, lost=lost, denied=denied)


def without_denied(result: FileResult, answers: Iterable[Answer]) -> FileResult:
    """Take out of a timeline what people answered as not heard there, see :func:`denied_in`."""
    denied: dict[str, list[tuple[float, float]]] = {}
    for part in denied_in(result, answers):
        denied.setdefault(part.label, []).append((part.start, part.end))
    segments = tuple(
        replace(segment, start=start, end=end)
        for segment in result.segments
        for start, end in rest_of(segment.start, segment.end, denied.get(segment.label, ()))
    )
    return replace(result, segments=segments)


def denied_in(result: FileResult, answers: Iterable[Answer]) -> list[Segment]:
    """Give the parts of segments whose label people answered as not heard there.

    Seconds in which another answer heard it are none of these.
    """
    spans: dict[tuple[str, bool], list[tuple[float, float]]] = {}
    for answer in answers:
        for label in answer.asked:
            of_label = spans.setdefault((label, label in answer.labels), [])
            of_label.append((answer.start, answer.end))
    denied = {
        label: [part for span in told for part in rest_of(*span, spans.get((label, True), ()))]
        for (label, is_heard), told in spans.items()
        if not is_heard
    }
    return [
        replace(segment, start=max(start, segment.start), end=min(end, segment.end))
        for segment in result.segments
        for start, end in denied.get(segment.label, ())
        if start < segment.end and segment.start < end
    ]


def find_stretches(
    results: Iterable[FileResult], wish: Wish, groups: Mapping[str, str]
) -> list[Stretch]:
    """Find what may become a clip.

    Parameters
    ----------
    results : iterable of FileResult
    wish : Wish
    groups : mapping of str to str
        Of the recordings, by path; what has none is left out.

    Returns
    -------
    list of Stretch
        In the order of their lots.

    Raises
    ------
    UsageError
        If a label is wanted that no result knows.
    """
    results = [result for result in results if result.path in groups]
    placed = (segment.label for result in results for segment in result.segments)
    known = tuple(dict.fromkeys((*known_labels(results), *placed)))
    for label in wish.labels if known else ():
        if label not in known:
            raise UsageError(f"--label {label!r}: the labels are {', '.join(known)}")
    found = [
        stretch
        for result in results
        if is_playable(result)
        for stretch in _of_result(result, wish, groups[result.path])
    ]
    return sorted(found, key=lambda s: (_lot(wish.seed, *_identity(s)), s.result.path))


def fits(result: FileResult, wish: Wish) -> bool:
    """Tell whether a recording holds a clip that is wanted, as it was labelled."""
    return is_playable(result) and any(_of_result(result, wish, ""))


def wanted_labels(result: FileResult, wish: Wish) -> set[str]:
    """Give the wanted labels of a recording's segments, those that were set as absent too."""
    return {segment.label for segment in result.segments if wish.wants(segment.label)}


def unplaced_labels(result: FileResult, wish: Wish) -> tuple[str, ...]:
    """Give the wanted labels that were set by hand, and that the timeline has nowhere to be cut."""
    placed = {segment.label for segment in result.segments}
    return tuple(
        tag for tag in result.tags if result.is_set(tag) and wish.wants(tag) and tag not in placed
    )


def _is_wanted(result: FileResult, segment: Segment, wish: Wish) -> bool:
    ruled_out = result.rules_out(segment.label)
    return wish.wants(segment.label) and not ruled_out and wish.score.holds(segment.score)


def _of_result(result: FileResult, wish: Wish, group: str) -> Iterator[Stretch]:
    length = length_of(result)
    for segment in result.segments:
        if not _is_wanted(result, segment, wish):
            continue
        start, end = round(segment.start, 3), min(round(segment.end, 3), length)
        for begin, finish in _pieces(start, end, wish):
            first = max(0.0, begin - wish.pad) if begin == start else begin
            last = min(length, finish + wish.pad) if finish == end else finish
            yield Stretch(
                result,
                group,
                segment.label,
                segment.score,
                begin,
                finish,
                round(first, 3),
                round(last, 3),
            )


def _pieces(start: float, end: float, wish: Wish) -> Iterator[tuple[float, float]]:
    """Cut a segment into pieces that are neither too long nor too short."""
    while wish.max_seconds is not None and end - start > wish.max_seconds:
        yield start, round(start + wish.max_seconds, 3)
        start = round(start + wish.max_seconds, 3)
    if end > start and round(end - start, 3) >= wish.min_seconds:
        yield start, end


def _identity(stretch: Stretch) -> tuple[str, ...]:
    """Tell a stretch from others, wherever the library lies."""
    name = os.path.basename(stretch.result.path)
    return stretch.group, name, f"{stretch.start:.3f}", stretch.label


def _lot(seed: int, *words: str) -> bytes:
    """Draw what a thing is sorted by: the same for the same seed, on every machine."""
    text = "\0".join([str(seed), *words])
    return hashlib.blake2b(text.encode("utf-8", "surrogateescape"), digest_size=8).digest()


class Limits:
    """Counts clips, and tells whether there is room for another one.

    Parameters
    ----------
    wish : Wish
    """

    def __init__(self, wish: Wish) -> None:
        self._most = {
            "label": wish.per_label,
            "recording": wish.per_recording,
            "group": wish.per_group,
        }
        self._counts: Counter[tuple[str, str]] = Counter()

    def take(self, stretch: Stretch) -> bool:
        """Count one in, if there is room for it."""
        of = {"label": stretch.label, "recording": stretch.result.path, "group": stretch.group}
        for what, most in self._most.items():
            if most is not None and self._counts[what, of[what]] >= most:
                return False
        self._counts.update(of.items())
        return True


def assign_parts(
    labels_of: Mapping[str, Collection[str]], seed: int, parts: Sequence[str] = PARTS
) -> dict[str, str]:
    """Put each group as a whole into one part of a data set, so that parts hold the same labels.

    Parameters
    ----------
    labels_of : mapping of str to collection of str
        The labels that each group has clips of.
    seed : int
    parts : sequence of str
        :data:`PARTS`, of which all but the first get :data:`HELD_OUT_SHARE` of the groups. Or other
        names, which get equal shares.

    Returns
    -------
    dict of str to str
        Part by group. All labels are in the part that is learnt from, and each is in every part
        where as many groups have it as there are parts and what else these hold allows it,
        whatever that makes of the shares.

    Notes
    -----
    Iterative stratification [1]_, with groups in the order of their lots: the label that the
    fewest groups have left comes first, and each of its groups goes where the label lacks most.
    As that goes by turns, single groups that leave no gap are moved where a part lacks a label.

    References
    ----------
    .. [1] Sechidis, Tsoumakas and Vlahavas, On the stratification of multi-label data, ECML 2011.
    """
    drawn = sorted(labels_of, key=lambda group: (_lot(seed, group), group))
    shares = dict.fromkeys(parts, 1 / len(parts))
    if tuple(parts) == PARTS:
        shares = {LEARNT: 1 - 2 * HELD_OUT_SHARE, **dict.fromkeys(JUDGED, HELD_OUT_SHARE)}
    split = _Split({group: labels_of[group] for group in drawn}, shares)
    while left := [group for group in drawn if group not in split.part_of]:
        counts = Counter(label for group in left for label in {*labels_of[group]})
        rarest = min(counts, key=lambda label: (counts[label], label), default=None)
        for group in left:
            if rarest is None or rarest in labels_of[group]:
                split.put(group, rarest)
    split.fill_gaps()
    return split.part_of


class _Split:
    """Groups in parts, and how many of each label are in each; of None, all groups are."""

    def __init__(
        self, labels_of: Mapping[str, Collection[str]], shares: Mapping[str, float]
    ) -> None:
        self._shares = shares
        self._labels = {group: (*sorted({*some}), None) for group, some in labels_of.items()}
        self._all = Counter(label for some in self._labels.values() for label in some)
        self._held: Counter[tuple[str | None, str]] = Counter()
        self.part_of: dict[str, str] = {}

    def put(self, group: str, label: str | None) -> None:
        """Put a group where one of its labels, or all that it has, is wanted most."""

        def want(part: str) -> tuple[float, ...]:
            lacking = [x for x in self._labels[group] if self._held[x, part] == 0]
            wanted = (
                self._shares[part] * self._all[x] - self._held[x, part] for x in (label, None)
            )
            return (
                part == LEARNT and bool(lacking),
                label in lacking,
                len(lacking),
                *(round(x, 9) for x in wanted),
            )

        self._move(group, max(self._shares, key=want))

    def fill_gaps(self) -> None:
        """Move single groups to where a label lacks, if they leave no gap."""
        for label, count in sorted(self._all.items(), key=lambda x: (x[1], x[0] or "")):
            for part in self._shares:
                n_parts = sum(self._held[label, x] > 0 for x in self._shares)
                if self._held[label, part] == 0 and n_parts < min(count, len(self._shares)):
                    movable = (x for x in self._labels if label in self._labels[x])
                    group = next(filter(self._leaves_no_gap, movable), None)
                    if group is not None:
                        self._move(group, part)

    def _leaves_no_gap(self, group: str) -> bool:
        return all(self._held[x, self.part_of[group]] > 1 for x in self._labels[group])

    def _move(self, group: str, part: str) -> None:
        for label in self._labels[group]:
            self._held[label, part] += 1
            if group in self.part_of:
                self._held[label, self.part_of[group]] -= 1
        self.part_of[group] = part
