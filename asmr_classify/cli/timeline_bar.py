"""A file's timeline as one line of cells, and the legend to it.

A cell shows the one or two labels that cover most of its part of the file, triggers first: one
trigger fills it, one context its lower half, two labels a half each. Without colour, a cell is
the letter of its first label, capital for triggers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from rich.text import Text

from asmr_classify.cli.errors import printable
from asmr_classify.labels import SILENCE, Kind, kind_of, letters_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from asmr_classify.aggregate import FileResult

FULL, UPPER, LOWER, SILENT, EMPTY = "█", "▀", "▄", "·", " "

LEAST_COVER = 0.2
"""A label that covers less of a cell shows there only if no other covers more."""

STYLES = {
    "whisper": "magenta",
    "tap": "yellow",
    "crinkle": "cyan",
    "white_noise": "blue",
    "speech": "green",
    "music": "red",
    "other": "bright_black",
    SILENCE: "bright_black",
}
MORE_STYLES = ("bright_magenta", "bright_yellow", "bright_cyan", "bright_blue", "bright_green")
"""Styles for the labels of a user's own model, in turn."""


@dataclass(frozen=True, slots=True)
class Look:
    """How labels look.

    Parameters
    ----------
    styles : mapping of str to str
        Colour of each label, in the order of the legend.
    letters : mapping of str to str
        Letter of each label.
    plain : bool
        Whether letters stand for colours.
    """

    styles: Mapping[str, str]
    letters: Mapping[str, str]
    plain: bool

    @classmethod
    def of_labels(cls, labels: Iterable[str], *, plain: bool) -> Self:
        """Give each label a colour, and a letter that no other has."""
        own = [label for label in labels if label not in STYLES]
        styles = STYLES | {x: MORE_STYLES[k % len(MORE_STYLES)] for k, x in enumerate(own)}
        letters = letters_of(own) | {SILENCE: SILENT}
        return cls(styles, letters, plain)

    def cell(self, labels: list[str]) -> Text:
        """Draw one cell that holds these labels, at most two."""
        if not labels:
            return Text(EMPTY)
        first = labels[0]
        if first == SILENCE or self.plain:
            return Text(self.letters[first], style=self.styles[first])
        if len(labels) > 1:
            return Text(UPPER, style=f"{self.styles[first]} on {self.styles[labels[1]]}")
        block = FULL if kind_of(first) is Kind.TRIGGER else LOWER
        return Text(block, style=self.styles[first])


def timeline_bar(result: FileResult, width: int, look: Look) -> Text:
    """Draw the timeline of a file in ``width`` cells."""
    return Text(no_wrap=True).join(look.cell(labels) for labels in cells_of(result, width))


def cells_of(result: FileResult, width: int) -> list[list[str]]:
    """Choose the labels to show in each of ``width`` equal parts of a file."""
    covers: list[dict[str, float]] = [{} for _ in range(width)]
    if result.duration:
        cell = result.duration / width
        for segment in result.segments:
            for k in range(int(segment.start / cell), min(width, math.ceil(segment.end / cell))):
                cover = min(segment.end / cell, k + 1) - max(segment.start / cell, k)
                covers[k][segment.label] = covers[k].get(segment.label, 0) + cover
    return [_most_covering(cover) for cover in covers]


def _most_covering(cover: Mapping[str, float]) -> list[str]:
    labels = [label for label, share in cover.items() if share >= LEAST_COVER]
    labels = labels or sorted(cover, key=lambda label: -cover[label])[:1]
    labels.sort(key=lambda label: (label == SILENCE, kind_of(label) is Kind.CONTEXT, -cover[label]))
    return [label for label in labels if label != SILENCE][:2] or labels[:1]


def legend(look: Look, shown: Collection[str], width: int) -> Text:
    """Explain the cells of the labels that are shown, in lines of at most ``width`` cells."""
    parts = [
        look.cell([label]) + Text(f" {printable(label)}") for label in look.styles if label in shown
    ]
    return in_lines(parts, "   ", width)


def in_lines(parts: Iterable[Text], separator: str, width: int) -> Text:
    """Join texts, with line breaks between them where they would be wider than ``width``."""
    joined, used = Text(), 0
    for part in parts:
        if used and used + len(separator) + part.cell_len <= width:
            joined.append(separator)
            used += len(separator)
        elif used:
            joined.append(f"{separator.rstrip()}\n")
            used = 0
        joined.append_text(part)
        used += part.cell_len
    return joined
