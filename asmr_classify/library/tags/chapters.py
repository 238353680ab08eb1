"""The timeline as chapters, which follow each other without gap or overlap.

They are cut and named as those for YouTube are (:mod:`asmr_classify.writers.youtube`), of ten
seconds at least, in long recordings more: players show them as a list and as marks to jump to, in
which stretches of a second are of no use, and a video that is uploaded tells the same as its
description. Where much moves in it is told by ``lively``, if it is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from asmr_classify.library.tags.spelling import readable
from asmr_classify.library.tags.state import Chapter
from asmr_classify.writers.documents import without_ruled_out
from asmr_classify.writers.youtube import BETWEEN, find_chapters, with_lively

if TYPE_CHECKING:
    from collections.abc import Iterable

    from asmr_classify.aggregate import FileResult

MAX_TITLE_BYTES = 255
"""What the chapter list of an MP4 file can hold, as UTF-8; kept to in all formats."""


def timeline_chapters(result: FileResult, *, lively: bool = False) -> tuple[Chapter, ...]:
    """Cut a timeline into chapters.

    Parameters
    ----------
    result : FileResult
    lively : bool
        Tell where much moves too, where somebody looked.

    Returns
    -------
    tuple of Chapter
        From 0 to the end, each of ten seconds or more unless it is the only one; the title names
        the labels that fill at least half of it. Empty if there is neither segment nor lively
        stretch, or less than a second.

    Examples
    --------
    >>> from asmr_classify.aggregate import FileResult, Status
    >>> from asmr_classify.timeline import Segment
    >>> parts = (Segment(0, 20, "tap", 0.9), Segment(20, 21, "other", 0.7))
    >>> heard = FileResult("a", Status.OK, "m", duration=40.5, segments=parts)
    >>> [(chapter.start_ms, chapter.end_ms, chapter.title) for chapter in timeline_chapters(heard)]
    [(0, 20000, 'tap'), (20000, 40500, 'other')]
    """
    result = without_ruled_out(result)
    if lively and result.visual is not None:
        result = with_lively(result)
    if not result.segments:
        return ()
    found = find_chapters(result)
    ends = [1000 * chapter.start for chapter in found[1:]]
    end = round(1000 * max(result.duration or 0.0, result.decoded))
    return tuple(
        Chapter(1000 * chapter.start, stop, _title(chapter.labels))
        for chapter, stop in zip(found, [*ends, end], strict=bool(found))
    )


def read_chapters(path: str) -> tuple[Chapter, ...]:
    """Read the chapters of a file, of whatever kind, as players do that use FFmpeg."""
    from asmr_classify.media.probe import open_container

    with open_container(path) as container:
        return tuple(
            Chapter(
                round(1000 * entry["start"] * (entry["time_base"] or 0)),
                round(1000 * entry["end"] * (entry["time_base"] or 0)),
                entry["metadata"].get("title", ""),
            )
            for entry in container.chapters()
        )


def _title(labels: Iterable[str]) -> str:
    title = BETWEEN.join(dict.fromkeys(map(readable, labels)))
    return title.encode()[:MAX_TITLE_BYTES].decode("utf-8", "ignore")
