"""Raven selection table: a row a segment, of one recording or of many [1]_.

Raven opens the sounds that a table of many names as one sequence. ``Begin Time (s)`` and ``End
Time (s)`` therefore count from the beginning of the first recording that has a row, and ``File
Offset (s)`` from the beginning of the row's own, which ``Begin Path`` names in full and ``Begin
File`` by its last part. In a table of one recording both are the same.

As in documents, labels that were set by hand as absent have no rows.

The frequencies are the band that is analysed: labels are not bound to a part of it. Names and
labels are escaped, see :mod:`asmr_classify.writers.escapes`; Windows paths stay as they are.

References
----------
.. [1] K. Lisa Yang Center for Conservation Bioacoustics, Raven Pro User's Manual, on selection
   tables of file sequences. https://www.ravensoundsoftware.com
"""

from __future__ import annotations

import csv
import os
from itertools import groupby
from typing import TYPE_CHECKING

from asmr_classify.config import ANALYSIS_SR
from asmr_classify.timeline import Segment
from asmr_classify.writers.documents import (
    UNSCORED,
    document,
    is_heard,
    ordered_segments,
    whole_path,
    without_ruled_out,
)
from asmr_classify.writers.escapes import escape, unescape

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import TextIO

    from asmr_classify.aggregate import FileResult
    from asmr_classify.writers.output import Output

COLUMNS = (
    "Selection",
    "View",
    "Channel",
    "Begin Time (s)",
    "End Time (s)",
    "Low Freq (Hz)",
    "High Freq (Hz)",
    "Begin File",
    "Begin Path",
    "File Offset (s)",
    "Annotation",
    "Score",
)

TIME_DIGITS = 6


class RavenWriter:
    """Writes a header, then the rows of each result.

    Parameters
    ----------
    stream : text stream
    """

    def __init__(self, stream: TextIO | Output) -> None:
        self._stream = stream
        self._selections = 0
        self._offset = 0.0
        stream.write("\t".join(COLUMNS) + "\n")
        stream.flush()

    def write(self, result: FileResult) -> None:
        """Write the rows of one result, in one piece."""
        segments = ordered_segments(without_ruled_out(result)) if is_heard(result) else []
        if not segments:
            return
        first = self._selections + 1
        rows = (self._row(first + i, result.path, segment) for i, segment in enumerate(segments))
        self._stream.write("".join("\t".join(row) + "\n" for row in rows))
        self._stream.flush()
        self._selections += len(segments)
        self._offset += max(result.duration or 0.0, result.decoded)

    def _row(self, selection: int, path: str, segment: Segment) -> tuple[str, ...]:
        return (
            str(selection),
            "Spectrogram 1",
            "1",
            f"{self._offset + segment.start:.{TIME_DIGITS}f}",
            f"{self._offset + segment.end:.{TIME_DIGITS}f}",
            "0.0",
            f"{ANALYSIS_SR / 2:.1f}",
            escape(os.path.basename(path)),  # noqa: PTH119 (a name may hold any byte)
            escape(whole_path(path)),
            f"{segment.start:.{TIME_DIGITS}f}",
            escape(segment.label),
            f"{segment.score:.4f}",
        )

    def close(self) -> None:
        """Do nothing: every row is complete."""


def read_raven(lines: Iterable[str]) -> Iterator[FileResult]:
    """Read the recordings of a table as :class:`RavenWriter` writes it.

    Raises
    ------
    ValueError, KeyError
        If the text is something else.
    """
    rows = csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
    if rows.fieldnames is not None and tuple(rows.fieldnames) != COLUMNS:
        raise ValueError("not the columns of this program")
    for path, selections in groupby(rows, key=lambda row: row["Begin Path"]):
        yield document(map(segment_of, selections), unescape(path))


def segment_of(row: Mapping[str, str]) -> Segment:
    """Read a row; one that was added in Raven has no score.

    Raises
    ------
    ValueError
        If it is none.
    """
    start = float(row["File Offset (s)"])
    length = float(row["End Time (s)"]) - float(row["Begin Time (s)"])
    end = round(start + length, TIME_DIGITS)
    return Segment(start, end, unescape(row["Annotation"]), float(row["Score"] or UNSCORED))
