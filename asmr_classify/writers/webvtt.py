"""WebVTT: a cue a segment, which players show as subtitles or as a metadata track [1]_.

Times are rounded to milliseconds. Labels are escaped first as in
:mod:`asmr_classify.writers.escapes`, then as WebVTT wants it, so that no label can end a cue.

References
----------
.. [1] W3C, WebVTT: The Web Video Text Tracks Format. https://www.w3.org/TR/webvtt1/
"""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING

from asmr_classify.timeline import Segment
from asmr_classify.writers.documents import UNSCORED, document, ordered_segments
from asmr_classify.writers.escapes import escape, unescape

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from asmr_classify.aggregate import FileResult

HEADER = "WEBVTT\n\nNOTE asmr-classify: what is heard\n"

CUE = re.compile(r"(\d+):(\d\d):(\d\d\.\d{3}) --> (\d+):(\d\d):(\d\d\.\d{3})\n(.*)\n")


def cues_of(result: FileResult) -> str:
    """Write the cues of a recording, by start, as WebVTT demands."""
    return HEADER + "".join(map(_cue, ordered_segments(result)))


def _cue(segment: Segment) -> str:
    start = round(segment.start * 1000)
    end = max(start + 1, round(segment.end * 1000))  # a cue must not end where it starts
    text = html.escape(escape(segment.label), quote=False)
    return f"\n{_timestamp(start)} --> {_timestamp(end)}\n{text}\n"


def _timestamp(milliseconds: int) -> str:
    seconds, milliseconds = divmod(milliseconds, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{seconds:02d}.{milliseconds:03d}"


def read_webvtt(lines: Iterable[str]) -> Iterator[FileResult]:
    """Read cues as :func:`cues_of` writes them.

    Raises
    ------
    ValueError
        If the text is something else.
    """
    text = "".join(lines)
    body = text.removeprefix(HEADER)
    cues = [block + "\n" for block in body.split("\n\n")] if body else []
    matches = [CUE.fullmatch(cue.strip("\n") + "\n") for cue in cues]
    if body == text or not all(matches):
        raise ValueError("not written by this program")
    yield document(_segment(match) for match in matches if match)


def _segment(match: re.Match[str]) -> Segment:
    start, end = (
        int(hours) * 3600 + int(minutes) * 60 + float(seconds)
        for hours, minutes, seconds in (match.groups()[:3], match.groups()[3:6])
    )
    return Segment(round(start, 3), round(end, 3), unescape(html.unescape(match[7])), UNSCORED)
