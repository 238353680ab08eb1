"""The card of a data set: what is in it, from whom, how it was made, and what it lacks."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from asmr_classify.counts import counted
from asmr_classify.library.layouts import COLUMNS, LayoutName, Table
from asmr_classify.media.cut import FADE_SECONDS
from asmr_classify.writers.escapes import escape

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from asmr_classify.library.layouts import Entry

FRONT_MATTER = """---
task_categories:
- audio-classification
---

"""
"""What the Hugging Face hub reads of a card."""

ABOUT_LICENCES = (
    "As the tags of the recordings state them; what is not stated is for you to find out before "
    "anything is published."
)

MANY = 12
"""Makers that are listed; the tables hold all."""


ANSWERED = (
    "Labels and times are what people answered about stretches that they listened to, and `score` "
    "is 1. A label that a clip does not name may be there all the same, if nobody was asked for it."
)


def write_card(
    entries: Sequence[Entry],
    layout: LayoutName,
    made_by: str,
    notes: Iterable[str],
    *,
    answered: bool = False,
) -> Table:
    """Write the card.

    Parameters
    ----------
    entries : sequence of Entry
        At least one.
    layout : LayoutName
    made_by : str
        The command line.
    notes : iterable of str
        Whole sentences on how it was made.
    answered : bool
        Labels and times are what people told, not the model.

    Returns
    -------
    Table
        In Markdown.
    """
    parts = list(dict.fromkeys(sorted((entry.part for entry in entries), key=_place)))
    labels = sorted({entry.stretch.label for entry in entries})
    rows = [
        *((label, [e for e in entries if e.stretch.label == label]) for label in labels),
        ("all", list(entries)),
    ]
    models = _list(e.stretch.result.model for e in entries)
    labellers = f"people; scores are by {models}" if answered else models
    lines = [
        "# Data set of ASMR sounds",
        "",
        f"{_total(entries)}, labelled by {labellers}.",
        "",
        f"| label | clips | hours | makers | {' | '.join(parts)} |",
        f"| --- |{' ---: |' * (3 + len(parts))}",
        *(_label_row(label, inside, parts) for label, inside in rows),
        "",
        f"In columns of {', '.join(parts)}: clips and hours. No maker is in two of them.",
        "",
        "## Makers",
        "",
        *_maker_lines(entries),
        "",
        "## How it was made",
        "",
        f"    {escape(made_by)}",
        "",
        *(f"- {note}" for note in notes),
        f"- {ANSWERED if answered else _corrected(entries)}",
        "",
        "## Licences",
        "",
        ABOUT_LICENCES,
        "",
        *_licence_lines(entries),
        "",
        "## Columns",
        "",
        *(f"- `{name}`: {meaning}" for name, meaning in COLUMNS.items()),
    ]
    front = FRONT_MATTER if layout is LayoutName.AUDIOFOLDER else ""
    return Table("README.md", front + "\n".join(lines) + "\n", tuple(entries))


def fade_note() -> str:
    """Say what becomes of the edges of clips that are not copied."""
    return (
        f"The first and last {1000 * FADE_SECONDS:g} ms of each clip rise and fall as half a "
        "cosine does, but where the recording itself begins or ends."
    )


def _place(part: str) -> tuple[int, str]:
    order = {"train": 0, "validation": 1, "test": 2}
    return order.get(part, 3), part


def _total(entries: Sequence[Entry]) -> str:
    makers = {entry.stretch.group for entry in entries}
    sources = {entry.source for entry in entries}
    return (
        f"{counted(len(entries), 'clip')}, {_hours(entries)} hours, of "
        f"{counted(len(sources), 'recording')} by {counted(len(makers), 'maker')}"
    )


def _hours(entries: Iterable[Entry]) -> str:
    return f"{sum(entry.duration for entry in entries) / 3600:.4f}"


def _label_row(label: str, entries: Sequence[Entry], parts: Sequence[str]) -> str:
    of_parts = [[entry for entry in entries if entry.part == part] for part in parts]
    cells = [
        _cell(label),
        str(len(entries)),
        _hours(entries),
        str(len({entry.stretch.group for entry in entries})),
        *(f"{len(inside)}, {_hours(inside)}" if inside else "-" for inside in of_parts),
    ]
    return f"| {' | '.join(cells)} |"


def _maker_lines(entries: Sequence[Entry]) -> list[str]:
    counts = Counter(entry.stretch.group for entry in entries)
    most = sorted(counts, key=lambda group: (-counts[group], group))
    lines = ["| maker | clips | hours | part |", "| --- | ---: | ---: | --- |"]
    for group in most[:MANY]:
        inside = [entry for entry in entries if entry.stretch.group == group]
        cells = (_cell(group), str(len(inside)), _hours(inside), inside[0].part)
        lines.append(f"| {' | '.join(cells)} |")
    rest = len(most) - MANY
    return [*lines, "", f"And {rest} more."] if rest > 0 else lines


def _licence_lines(entries: Sequence[Entry]) -> list[str]:
    counts = Counter(entry.licence for entry in entries)
    lines = ["| licence | clips |", "| --- | ---: |"]
    for licence, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        lines.append(f"| {_cell(licence) if licence else '(not stated)'} | {count} |")
    return lines


def _corrected(entries: Sequence[Entry]) -> str:
    n_corrected = sum(bool(entry.stretch.result.corrected) for entry in entries)
    if not n_corrected:
        return "Nobody has checked the labels: they are what the model says."
    return (
        f"Of {len(entries)} clips, {n_corrected} are of recordings that somebody corrected by "
        "hand; all other labels, and all times, are what the model says."
    )


def _list(texts: Iterable[str]) -> str:
    return ", ".join(sorted(set(texts)))


def _cell(text: str) -> str:
    """Write a text so that it stays in its cell of a table."""
    return escape(text).replace("|", "\\|")
