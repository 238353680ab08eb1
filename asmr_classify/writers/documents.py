"""Documents: formats of which one file belongs to one recording, and holds its timeline.

They are written whole, and hold neither scores of the file nor failures: a recording that could
not be heard gets none, so that an empty document always means that nothing was found. Nor do they
tell what was set by hand, so they leave out the segments of labels that were set as absent. A video
without sound gets one where its lively stretches are asked for.
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from asmr_classify.aggregate import FileResult, Status
from asmr_classify.errors import UsageError
from asmr_classify.media.source import is_url
from asmr_classify.visual.seen import MotionLevel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from asmr_classify.timeline import Segment
    from asmr_classify.writers import Stream

UNSCORED = 1.0
"""Score of segments that are read from a format without scores: they are annotations."""


class DocumentWriter:
    """Writes the document of one recording.

    Parameters
    ----------
    stream : text or binary stream
    render : callable
        Turns a result into the document, text or bytes as the stream takes.
    skip : sequence of str
        What is to be skipped.
    """

    def __init__(
        self, stream: Stream, render: Callable[[FileResult], str | bytes], skip: Sequence[str] = ()
    ) -> None:
        self._stream = stream
        self._render = render
        self._skip = skip
        self._path: str | None = None

    def write(self, result: FileResult) -> None:
        """Write the document.

        Raises
        ------
        UsageError
            If one was written already.
        NotRepresentableError
            If the format cannot hold this result.
        """
        if self._path is not None:
            raise UsageError(
                f"{result.path}: a file of this format belongs to one recording, and this one to "
                f"{self._path}; write one per file with --per-file DIR"
            )
        self._path = result.path
        if has_document(result, self._skip):
            content = self._render(without_ruled_out(result))
            self._stream.write(content)  # type: ignore[arg-type]  # as the stream takes
            self._stream.flush()

    def close(self) -> None:
        """Do nothing: a document is complete."""


def without_ruled_out(result: FileResult) -> FileResult:
    """Leave out the segments of labels that someone set as absent."""
    told = tuple(segment for segment in result.segments if not result.rules_out(segment.label))
    return replace(result, segments=told)


def is_heard(result: FileResult) -> bool:
    """Tell whether there is a timeline, be it an empty one."""
    return result.status not in {Status.FAILED, Status.NO_AUDIO}


def has_document(result: FileResult, skip: Sequence[str]) -> bool:
    """Tell whether a recording gets a document: if it is heard, or what is seen is asked for."""
    is_asked = MotionLevel.LIVELY in skip and result.status is Status.NO_AUDIO
    return is_heard(result) or is_asked


def whole_path(path: str) -> str:
    """Give the whole path of a file; an address is whole."""
    return path if is_url(path) else os.path.abspath(path)  # noqa: PTH100 (links are names)


def ordered_segments(result: FileResult) -> list[Segment]:
    """Sort segments by start, then end, then label."""
    return sorted(result.segments, key=lambda s: (s.start, s.end, s.label))


def document(segments: Iterable[Segment], path: str = "") -> FileResult:
    """Make the result that is read from a document: nothing but its timeline is known."""
    return FileResult(path, Status.OK, "", segments=tuple(segments))
