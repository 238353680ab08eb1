"""Audacity labels: a line a segment, start, end and label with tabs between [1]_.

Times are seconds with six decimals, as Audacity writes them. Labels are escaped, see
:mod:`asmr_classify.writers.escapes`.

References
----------
.. [1] Audacity manual, Importing and Exporting Labels.
   https://manual.audacityteam.org/man/importing_and_exporting_labels.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from asmr_classify.timeline import Segment
from asmr_classify.writers.documents import UNSCORED, document, ordered_segments
from asmr_classify.writers.escapes import escape, unescape

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from asmr_classify.aggregate import FileResult

FREQUENCIES = "\\"
"""Begins a line that gives the frequencies of the label before it."""


def labels_of(result: FileResult) -> str:
    """Write the labels of a recording; none are an empty text."""
    return "".join(
        f"{segment.start:.6f}\t{segment.end:.6f}\t{escape(segment.label)}\n"
        for segment in ordered_segments(result)
    )


def read_audacity(lines: Iterable[str]) -> Iterator[FileResult]:
    """Read labels as Audacity exports them, with frequencies or without.

    Raises
    ------
    ValueError
        If the text is something else.
    """
    yield document([segment_of(row) for _, row in iter_rows(lines)])


def iter_rows(lines: Iterable[str]) -> Iterator[tuple[int, list[str]]]:
    """Yield the cells of each label, and the number of its line, from 1 on."""
    for number, line in enumerate(lines, start=1):
        cells = line.rstrip("\r\n").split("\t")
        if line.strip() and cells[0] != FREQUENCIES:
            yield number, cells


def segment_of(row: Sequence[str]) -> Segment:
    """Read a label.

    Raises
    ------
    ValueError
        If it is none.
    """
    start, end, label = row
    return Segment(float(start), float(end), unescape(label), UNSCORED)
