"""Results as people look at them: a table with a coloured timeline."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from rich.console import Group
from rich.table import Table
from rich.text import Text

from asmr_classify.aggregate import Status
from asmr_classify.cli.errors import printable
from asmr_classify.cli.progress import clock
from asmr_classify.labels import SILENCE, Kind, kind_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.console import Console, RenderableType

    from asmr_classify.aggregate import FileResult
    from asmr_classify.media.discover import Reason

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

TRIGGER_CELL, CONTEXT_CELL, SILENT_CELL, EMPTY_CELL = "█", "▄", "·", " "
NARROW_BAR, WIDE_BAR, WIDE_CONSOLE = 16, 32, 100

PROBLEM_STYLES = {Status.FAILED: "bold red", Status.PARTIAL: "yellow"}


def results_view(
    results: Sequence[FileResult], labels: Sequence[str], console: Console
) -> RenderableType:
    """Build the table of results, with what went wrong and a legend below it.

    Parameters
    ----------
    results : sequence of FileResult
    labels : sequence of str
        The model's labels.
    console : rich.console.Console
        Decides width and colour.

    Returns
    -------
    rich renderable
    """
    styles = label_styles(labels)
    plain = console.no_color or console.color_system is None
    width = WIDE_BAR if console.width >= WIDE_CONSOLE else NARROW_BAR
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column("File", no_wrap=True, overflow="ellipsis", ratio=1)
    table.add_column("Trigger", no_wrap=True)
    table.add_column("Also", overflow="fold")
    table.add_column("Length", justify="right", no_wrap=True)
    table.add_column("Timeline", no_wrap=True, width=width)
    for result in results:
        table.add_row(
            Text(printable(result.path)),
            _main(result, styles),
            _also(result, styles),
            Text("" if result.duration is None else clock(result.duration)),
            timeline_bar(result, width, styles, plain=plain),
        )
    return Group(table, *_problems(results), _legend(results, styles, plain=plain))


def label_styles(labels: Iterable[str]) -> dict[str, str]:
    """Give each label a style: that of the shipped model's labels, or one in turn."""
    styles = dict(STYLES)
    own = [label for label in labels if label not in styles]
    return styles | {x: MORE_STYLES[k % len(MORE_STYLES)] for k, x in enumerate(own)}


def _main(result: FileResult, styles: dict[str, str]) -> Text:
    if result.trigger is not None:
        return _scored(result, result.trigger, styles)
    if result.status is Status.OK:
        return Text("none", style="dim")
    return Text(
        result.status.value.replace("_", " "), style=PROBLEM_STYLES.get(result.status, "dim")
    )


def _scored(result: FileResult, label: str, styles: dict[str, str]) -> Text:
    return Text(f"{label} {result.scores[label]:.2f}", style=styles[label])


def _also(result: FileResult, styles: dict[str, str]) -> Text:
    """Further tags, and the contexts that cover most of the file."""
    contexts = [
        label
        for label, share in sorted(result.shares.items(), key=lambda item: -item[1])
        if kind_of(label) is Kind.CONTEXT and label != SILENCE and share >= 0.5
    ]
    parts = [_scored(result, tag, styles) for tag in result.tags[1:]]
    parts += [Text(label, style="dim") for label in contexts]
    return Text(", ").join(parts)


def timeline_bar(result: FileResult, width: int, styles: dict[str, str], *, plain: bool) -> Text:
    """Draw the timeline as one line of cells, each in the colour of its strongest label.

    Triggers go before contexts. Without colour, cells are the labels' first letters.
    """
    bar = Text(no_wrap=True)
    for label in _cells(result, width):
        if label is None:
            bar.append(EMPTY_CELL)
        elif label == SILENCE:
            bar.append(SILENT_CELL, style=styles[label])
        elif plain:
            bar.append(letter_of(label))
        else:
            block = TRIGGER_CELL if kind_of(label) is Kind.TRIGGER else CONTEXT_CELL
            bar.append(block, style=styles[label])
    return bar


def letter_of(label: str) -> str:
    """One letter for a label where there is no colour: capital for triggers."""
    letter = "n" if label == "white_noise" else label[0]
    return letter.upper() if kind_of(label) is Kind.TRIGGER else letter.lower()


def _cells(result: FileResult, width: int) -> list[str | None]:
    """Label of each of ``width`` equal parts of the file, or None."""
    if not result.duration:
        return [None] * width
    cells: list[str | None] = []
    for k in range(width):
        middle = (k + 0.5) * result.duration / width
        there = [s for s in result.segments if s.start <= middle < s.end]
        there.sort(key=lambda s: (kind_of(s.label) is Kind.TRIGGER, s.score), reverse=True)
        cells.append(there[0].label if there else None)
    return cells


def _problems(results: Sequence[FileResult]) -> list[Text]:
    bad = [r for r in results if r.error is not None and r.status in PROBLEM_STYLES]
    lines = [
        Text(f"{r.status.value}: {printable(r.error.message)}", style=PROBLEM_STYLES[r.status])
        for r in bad
        if r.error is not None
    ]
    return [Text(""), *lines] if lines else []


def _legend(results: Sequence[FileResult], styles: dict[str, str], *, plain: bool) -> Text:
    shown = {segment.label for result in results for segment in result.segments}
    legend = Text("\n" if shown else "")
    for label in styles:
        if label not in shown:
            continue
        if label == SILENCE:
            mark = SILENT_CELL
        elif plain:
            mark = letter_of(label)
        else:
            mark = TRIGGER_CELL if kind_of(label) is Kind.TRIGGER else CONTEXT_CELL
        legend.append(mark, style=styles[label]).append(f" {label}  ")
    return legend


def summary(
    statuses: Counter[Status], ignored: Counter[Reason], *, seconds: float, elapsed: float
) -> str:
    """Sum up a run in one line, every file found counted once.

    Examples
    --------
    >>> from collections import Counter
    >>> summary(Counter({Status.OK: 2}), Counter(), seconds=120, elapsed=2)
    '2 files: 2 ok; 2:00 of audio at 60x real time'
    """
    total = sum(statuses.values())
    counts = ", ".join(
        f"{statuses[status]} {status.value.replace('_', ' ')}"
        for status in Status
        if statuses[status]
    )
    text = f"{total} file{'' if total == 1 else 's'}: {counts or 'none'}"
    text += f"; {clock(seconds)} of audio at {seconds / max(elapsed, 1e-3):.0f}x real time"
    if ignored:
        reasons = ", ".join(f"{count} {reason.value}" for reason, count in sorted(ignored.items()))
        text += f"; ignored {sum(ignored.values())} ({reasons})"
    return text
