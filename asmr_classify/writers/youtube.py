"""YouTube chapters: lines for the description of a video, ``0:00 whisper``.

YouTube takes a list only if it begins at 0:00, ascends, has three chapters or more, and none that
is shorter than ten seconds; else it drops all of it [1]_. Segments overlap and may be short, so
chapters are made of them:

1. The recording is cut at every edge of a segment, rounded to seconds.
2. Pieces shorter than ten seconds are joined, the shortest first, with the neighbour that holds
   more nearly the same labels; so are, while three are left, those that are shorter than a minute
   in an hour, as nobody reads a list of hundreds.
3. A chapter is named after the labels that fill at least half of it, triggers before contexts,
   those that fill more first; where there are none, nor is it silent for that long, after those
   that fill half of what is not silent. Neighbours of one name become one chapter.

Chapters name all labels, so that viewers may skip what they like. Where much moves is told by
``lively``, last in a name, if it is asked for.

References
----------
.. [1] YouTube Help, Video chapters. https://support.google.com/youtube/answer/9884579
.. [2] YouTube Data API, videos: ``snippet.description`` has at most 5000 bytes.
   https://developers.google.com/youtube/v3/docs/videos
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

from asmr_classify.errors import NotRepresentableError
from asmr_classify.labels import SILENCE, Kind, kind_of
from asmr_classify.timeline import Segment
from asmr_classify.writers.documents import UNSCORED, document
from asmr_classify.writers.edl import LIVELY, lively_stretches
from asmr_classify.writers.escapes import escape, unescape

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from asmr_classify.aggregate import FileResult

LEAST_CHAPTERS = 3
LEAST_SECONDS = 10
"""YouTube's rules."""

MOST_CHAPTERS = 60
"""Where there would be more, they are longer: a minute in an hour, as fits a list that is read."""

MOST_BYTES = 5000
"""A description holds no more; what else it says comes on top."""

NAMING_SHARE = 0.5
"""A label that fills less of a chapter does not name it: most of it would belie the name."""

NOTHING = "other"
"""Name of a chapter without a label."""

BETWEEN = " + "

CHAPTER = re.compile(r"(?:(\d+):(?=\d\d:))?(\d+):(\d\d) (.+)\n?")

BRACKETS = str.maketrans("<>", "\u2039\u203a")
"""YouTube takes no description with angle brackets."""


@dataclass(frozen=True, slots=True)
class Chapter:
    """A stretch of whole seconds.

    Parameters
    ----------
    start, end : int
        Seconds.
    covered : mapping of str to float
        Seconds that segments of each label cover in it.
    """

    start: int
    end: int
    covered: Mapping[str, float]

    def __add__(self, following: Chapter) -> Chapter:
        labels = {**self.covered, **following.covered}
        covered = {x: self.covered.get(x, 0) + following.covered.get(x, 0) for x in labels}
        return Chapter(self.start, following.end, covered)

    @property
    def duration(self) -> int:
        """Seconds."""
        return self.end - self.start

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels that name it: triggers first, ``lively`` last, then by what they cover."""
        silence = self.covered.get(SILENCE, 0)
        named = self._filling(self.duration)
        if not named and silence >= NAMING_SHARE * self.duration:
            return (SILENCE,)
        return named or self._filling(self.duration - silence) or (NOTHING,)

    def _filling(self, seconds: float) -> tuple[str, ...]:
        enough = [
            label
            for label, covered in self.covered.items()
            if covered >= NAMING_SHARE * seconds and label != SILENCE
        ]
        return tuple(
            sorted(
                enough,
                key=lambda x: (x == LIVELY, kind_of(x) is Kind.CONTEXT, -self.covered[x], x),
            )
        )

    def likeness(self, other: Chapter) -> float:
        """Compute the share of labels that both hold among those that either holds, by time.

        Returns
        -------
        float
            In [0, 1]; Ružička's similarity of the shares that labels cover.
        """
        mine = {x: seconds / self.duration for x, seconds in self.covered.items()}
        theirs = {x: seconds / other.duration for x, seconds in other.covered.items()}
        pairs = [(mine.get(x, 0.0), theirs.get(x, 0.0)) for x in {**mine, **theirs}]
        either = sum(max(pair) for pair in pairs)
        return sum(min(pair) for pair in pairs) / either if either else 1.0


def chapters_of(result: FileResult, skip: Sequence[str] = ()) -> str:
    """Write the chapters of a recording.

    Parameters
    ----------
    result : FileResult
    skip : sequence of str
        What viewers may want to skip. It makes a difference for ``lively`` alone: labels have
        chapters anyway.

    Raises
    ------
    NotRepresentableError
        If there are fewer than three, or more than a description holds and longer ones are called
        alike, or nobody looked where it is lively.
    """
    chapters = find_chapters(with_lively(result) if LIVELY in skip else result)
    n_found, least = len(chapters), LEAST_SECONDS
    while len(chapters) > LEAST_CHAPTERS and len(_list(chapters).encode()) > MOST_BYTES:
        least += 1
        chapters = _join_alike(_join_short(chapters, least))
    if len(chapters) < LEAST_CHAPTERS <= n_found:
        raise NotRepresentableError(
            f"{result.path}: no chapters: a description of YouTube holds {MOST_BYTES} bytes, which "
            f"its {n_found} chapters exceed, and longer ones would be called alike; "
            "the timeline is in the other formats"
        )
    if len(chapters) < LEAST_CHAPTERS:
        raise NotRepresentableError(
            f"{result.path}: no chapters: YouTube takes no list of fewer than {LEAST_CHAPTERS} "
            f"chapters of {LEAST_SECONDS} s or more, and it has {len(chapters)}; "
            "the timeline is in the other formats"
        )
    return _list(chapters)


def _list(chapters: list[Chapter]) -> str:
    hours = bool(chapters) and chapters[-1].start >= 3600
    return "".join(f"{_timestamp(c.start, hours=hours)} {_title(c.labels)}\n" for c in chapters)


def with_lively(result: FileResult) -> FileResult:
    """Add to the segments of a recording where much moves, as ``lively``.

    Raises
    ------
    NotRepresentableError
        If nobody looked.
    """
    lively = [Segment(*span, LIVELY, UNSCORED) for span in lively_stretches(result)]
    return replace(result, segments=(*result.segments, *lively))


def find_chapters(result: FileResult) -> list[Chapter]:
    """Find chapters of ten seconds and more that cover a recording.

    Returns
    -------
    list of Chapter
        Ascending; a single one that may be shorter if there is nothing to divide. Each lasts for a
        sixtieth of the recording, or as much of that as leaves three.
    """
    chapters = _join_alike(_pieces(result))
    wished = max(LEAST_SECONDS, sum(chapter.duration for chapter in chapters) // MOST_CHAPTERS)
    while len(chapters) > 1 and (shortest := min(x.duration for x in chapters)) < wished:
        longer = _join_alike(_join_short(chapters, shortest + 1))
        if shortest >= LEAST_SECONDS and len(longer) < LEAST_CHAPTERS:
            break
        chapters = longer
    return chapters


def _pieces(result: FileResult) -> list[Chapter]:
    """Cut a recording at each edge of a segment, and measure what segments cover of each piece."""
    duration = int(max(result.duration or 0.0, result.decoded))
    spans = [(_second(s.start), min(_second(s.end), duration)) for s in result.segments]
    inside = [span for span in spans if span[0] < span[1]]
    edges = sorted({0, duration, *(edge for span in inside for edge in span)})
    covered: list[defaultdict[str, float]] = [defaultdict(float) for _ in edges[1:]]
    for segment in result.segments:
        for k in range(bisect_right(edges, segment.start) - 1, len(covered)):
            start, end = max(edges[k], segment.start), min(edges[k + 1], segment.end)
            if start >= end:
                break
            covered[k][segment.label] += end - start
    return [Chapter(*span, dict(each)) for span, each in zip(pairwise(edges), covered, strict=True)]


def _second(time: float) -> int:
    return int(time + 0.5)


def _join_short(chapters: list[Chapter], least: int) -> list[Chapter]:
    """Join each chapter shorter than ``least`` seconds with the neighbour that is more like it."""
    joined: list[Chapter] = []
    carried: Chapter | None = None
    for chapter, following in zip(chapters, [*chapters[1:], None], strict=False):
        whole = chapter if carried is None else carried + chapter
        carried = None
        if whole.duration >= least or not (joined or following):
            joined.append(whole)
        elif following is None or (
            joined and joined[-1].likeness(whole) >= following.likeness(whole)
        ):
            joined[-1] += whole
        else:
            carried = whole
    return joined


def _join_alike(chapters: list[Chapter]) -> list[Chapter]:
    """Join neighbours of one name."""
    joined: list[Chapter] = []
    for chapter in chapters:
        if joined and joined[-1].labels == chapter.labels:
            joined[-1] += chapter
        else:
            joined.append(chapter)
    return joined


def _title(labels: tuple[str, ...]) -> str:
    return escape(BETWEEN.join(labels).replace("_", " ").translate(BRACKETS))


def _timestamp(seconds: int, *, hours: bool) -> str:
    minutes, seconds = divmod(seconds, 60)
    if hours:
        return f"{minutes // 60}:{minutes % 60:02d}:{seconds:02d}"
    return f"{minutes}:{seconds:02d}"


def read_youtube(lines: Iterable[str]) -> Iterator[FileResult]:
    """Read chapters; each ends where the next begins, the last after the shortest time allowed.

    Raises
    ------
    ValueError
        If a line is no chapter.
    """
    starts, titles = [], []
    for line in lines:
        match = CHAPTER.fullmatch(line)
        if match is None:
            raise ValueError(f"no chapter: {line!r}")
        starts.append(int(match[1] or 0) * 3600 + int(match[2]) * 60 + int(match[3]))
        titles.append(unescape(match[4]))
    ends = [*starts[1:], *(start + LEAST_SECONDS for start in starts[-1:])]
    yield document(
        Segment(start, end, title, UNSCORED)
        for start, end, title in zip(starts, ends, titles, strict=True)
    )
