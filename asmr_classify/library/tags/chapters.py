"""The timeline as chapters, which follow each other without gap or overlap."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asmr_classify.library.tags.spelling import readable
from asmr_classify.library.tags.state import Chapter

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from asmr_classify.timeline import Segment

NOTHING = "…"
"""Title where no label reaches its threshold."""

MAX_TITLE_BYTES = 255
"""What the chapter list of an MP4 file can hold, as UTF-8; kept to in all formats."""


def timeline_chapters(segments: Sequence[Segment], duration: float | None) -> tuple[Chapter, ...]:
    """Cut a timeline wherever a label sets in or ends.

    Parameters
    ----------
    segments : sequence of Segment
        Those of different labels may overlap.
    duration : float or None
        Seconds; where unknown, the chapters end with the last segment.

    Returns
    -------
    tuple of Chapter
        From 0 on; the title names the labels, in the order in which they set in. Empty if there
        is no segment.

    Examples
    --------
    >>> from asmr_classify.timeline import Segment
    >>> parts = (Segment(0, 20, "tap", 0.9), Segment(10, 20, "speech", 0.7))
    >>> [(chapter.start_ms, chapter.title) for chapter in timeline_chapters(parts, 30)]
    [(0, 'tap'), (10000, 'tap + speech'), (20000, '…')]
    """
    if not segments:
        return ()
    spans = sorted(
        (round(1000 * part.start), round(1000 * part.end), part.label) for part in segments
    )
    last = max(end for _, end, _ in spans)
    end = max(last, round(1000 * duration) if duration else 0)
    edges = sorted({0, end, *(start for start, *_ in spans), *(stop for _, stop, _ in spans)})
    starts, titles = _titles(edges, spans)
    return tuple(
        Chapter(start, stop, title)
        for start, stop, title in zip(starts, [*starts[1:], end], titles, strict=True)
    )


def _titles(
    edges: Sequence[int], spans: Sequence[tuple[int, int, str]]
) -> tuple[list[int], list[str]]:
    """Name what sounds from each edge on; edges where that stays the same are left out."""
    starts: list[int] = []
    titles: list[str] = []
    active: list[tuple[int, str]] = []
    waiting = list(reversed(spans))
    for edge in edges[:-1]:
        active = [(stop, label) for stop, label in active if stop > edge]
        while waiting and waiting[-1][0] <= edge:
            _, stop, label = waiting.pop()
            active += [(stop, label)] if stop > edge else []
        title = _title(label for _, label in active)
        if not titles or title != titles[-1]:
            starts.append(edge)
            titles.append(title)
    return starts, titles


def _title(labels: Iterable[str]) -> str:
    title = " + ".join(dict.fromkeys(map(readable, labels))) or NOTHING
    return title.encode()[:MAX_TITLE_BYTES].decode("utf-8", "ignore")
