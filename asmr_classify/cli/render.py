"""Results as people look at them: a table with a coloured timeline, and a line that sums up."""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.console import Group
from rich.table import Table
from rich.text import Text

from asmr_classify.aggregate import Status
from asmr_classify.catalogue.corrections import KINDS, NO_TALKING, TRIGGER
from asmr_classify.cli.errors import printable
from asmr_classify.cli.progress import clock
from asmr_classify.cli.timeline_bar import Look, in_lines, legend, timeline_bar
from asmr_classify.counts import counted
from asmr_classify.labels import SILENCE, Kind, kind_of
from asmr_classify.visual.seen import levels

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from rich.console import Console, RenderableType

    from asmr_classify.aggregate import FileResult
    from asmr_classify.cli.progress import Tally

GAP = 2
"""Blank cells between columns."""

MIN_WIDTH = 60
"""Narrower consoles get a table of this width, which they wrap."""

LEAST_WITH_PICTURE, LEAST_REST = 80, 25
"""Narrower tables have no room for what is seen of videos, nor such as have less beside that for
names, further tags and bars."""

NAME_SHARE, ALSO_SHARE, BAR_LIMIT = 0.45, 0.3, 40
"""Of the width that name, further tags and bar share: what name and tags may take at most, the
longest of each allowing; and the cells that a bar may take."""

SHOWN_SHARE = 0.25
"""What is no tag but covers at least this share of a file is named beside the tags."""

ELLIPSIS = "…"

SET = "(set)"
"""In place of the score of what was set by hand."""

STATUS_STYLES = {Status.FAILED: "bold red", Status.PARTIAL: "yellow"}


def results_table(
    results: Sequence[FileResult],
    labels: Sequence[str],
    *,
    width: int,
    plain: bool = False,
    kinds: Sequence[str] = (),
) -> RenderableType:
    """Build the table of results, with what went wrong and a legend below it.

    Parameters
    ----------
    results : sequence of FileResult
        At least one; shown in this order, those that failed last.
    labels : sequence of str
        The model's labels.
    width : int
        Cells that the table may take.
    plain : bool
        Tell labels apart by letters, not by colours.
    kinds : sequence of str
        That were asked for, and are shown where they were told, whatever room that takes.

    Returns
    -------
    rich renderable
    """
    set_by_hand = (tag for result in results for tag in result.tags)  # may be no label of the model
    look = Look.of_labels(dict.fromkeys([*labels, *set_by_hand]), plain=plain)
    heard = [result for result in results if result.status is not Status.FAILED]
    lost = [result for result in results if result.error and result.status in STATUS_STYLES]
    widths = _column_widths(results, max(width, MIN_WIDTH))
    parts: list[RenderableType] = []
    if heard:
        parts.append(_heard_table(heard, look, widths, kinds))
    if lost:
        parts += [Text(), _lost_table(lost, widths)] if heard else [_lost_table(lost, widths)]
    shown = {segment.label for result in heard for segment in result.segments}
    if shown:
        parts += [Text(), legend(look, shown, max(width, MIN_WIDTH))]
    return Group(*parts)


def results_view(
    results: Sequence[FileResult],
    labels: Sequence[str],
    console: Console,
    *,
    kinds: Sequence[str] = (),
) -> RenderableType:
    """Build the table of results for a console, which decides width and colour."""
    plain = console.no_color or console.color_system is None
    return results_table(results, labels, width=console.width, plain=plain, kinds=kinds)


def _column_widths(results: Sequence[FileResult], width: int) -> dict[str, int]:
    """Widths of the columns by their titles: as needed, and the timeline takes the rest."""
    main = max(8, *(cell_len(_main_text(result)) for result in results))
    length = max(6, *(len(_length_text(result)) for result in results))
    longest_picture = max(len(_picture_text(result)) for result in results)
    picture = {"picture": max(7, longest_picture)} if longest_picture else {}
    rest = width - main - length - 4 * GAP
    beside = rest - sum(x + GAP for x in picture.values())
    if width >= LEAST_WITH_PICTURE and beside >= LEAST_REST:
        rest = beside
    else:
        picture = {}
    longest_name = max(cell_len(printable(result.path)) for result in results)
    longest_also = max(
        cell_len(", ".join([*_also_texts(result), *_kind_texts(result).values()]))
        for result in results
    )
    also = min(max(4, longest_also), int(rest * ALSO_SHARE))
    name = min(max(4, longest_name), max(int(rest * NAME_SHARE), rest - also - BAR_LIMIT))
    bar = min(BAR_LIMIT, rest - name - also)
    return {
        "file": name,
        "trigger": main,
        "also": also,
        **picture,
        "length": length,
        "timeline": bar,
    }


def _new_table(widths: Mapping[str, int], *, show_header: bool) -> Table:
    table = Table(
        box=None,
        pad_edge=False,
        padding=(0, GAP, 0, 0),
        show_header=show_header,
        header_style="bold",
    )
    for title, width in widths.items():
        justify = "right" if title == "length" else "left"
        table.add_column(title, width=width, justify=justify)  # type: ignore[arg-type]  # two of its literals
    return table


def _heard_table(
    results: Sequence[FileResult], look: Look, widths: Mapping[str, int], kinds: Sequence[str]
) -> Table:
    table = _new_table(widths, show_header=True)
    for result in results:
        cells: dict[str, RenderableType] = {
            "file": _name(result.path, widths["file"]),
            "trigger": _main(result, look),
            "also": _also(result, look, widths["also"], kinds),
            "picture": Text(_picture_text(result), style="dim"),
            "length": _length_text(result),
            "timeline": timeline_bar(result, widths["timeline"], look),
        }
        table.add_row(*(cells[title] for title in widths))
    return table


def _lost_table(results: Sequence[FileResult], widths: Mapping[str, int]) -> Table:
    """Tell what went wrong, the reason as wide as the rest of the table above."""
    name, main, *rest = widths.values()
    reason = sum(rest) + (len(rest) - 1) * GAP
    table = _new_table({"file": name, "trigger": main, "reason": reason}, show_header=False)
    for result in results:
        if result.error is not None:
            message = result.error.message.removeprefix(f"{result.path}: ")
            table.add_row(
                _name(result.path, name),
                Text(result.status.value, style=STATUS_STYLES[result.status]),
                Text(printable(message), overflow="fold"),
            )
    return table


def _name(path: str, width: int) -> Text:
    """Name of a file, what stands before its last part dimmed, and shortened first."""
    whole = printable(path)
    last = whole.rpartition("/")[2]
    if cell_len(whole) > width >= cell_len(last) + len(f"{ELLIPSIS}/"):
        short = ELLIPSIS + _fitting(whole[::-1], width - 1)[::-1]
    else:
        short = shorten(whole, width)
    folder = short.rfind("/") + 1
    return Text(short[:folder], style="dim").append(short[folder:], style="not dim")


def shorten(text: str, width: int) -> str:
    """Shorten a text to a number of cells; two thirds of what is kept are its end.

    Examples
    --------
    >>> shorten("recordings/a-long-name.mp3", 16)
    'recor…g-name.mp3'
    """
    if cell_len(text) <= width:
        return text
    head = _fitting(text, (width - 1) // 3)
    tail = _fitting(text[::-1], width - 1 - cell_len(head))[::-1]
    return head + ELLIPSIS + tail


def _fitting(text: str, width: int) -> str:
    """Take as many characters as fit."""
    end = used = 0
    for char in text:
        used += cell_len(char)
        if used > width:
            break
        end += 1
    return text[:end]


def _main_text(result: FileResult) -> str:
    if result.trigger is not None:
        return _with_score(result, result.trigger)
    if TRIGGER in result.corrected:
        return f"none {SET}"
    return "none" if result.status is Status.OK else result.status.value.replace("_", " ")


def _with_score(result: FileResult, label: str) -> str:
    """Name a label with its score, or as set by hand."""
    if result.is_set(label):
        return f"{printable(label)} {SET}"
    return f"{printable(label)} {result.scores.get(label, 0):.2f}"


def _main(result: FileResult, look: Look) -> Text:
    text = Text(_main_text(result), style="dim")
    if result.trigger is not None:
        end = len(printable(result.trigger))
        text.stylize(f"not dim bold {look.styles[result.trigger]}", 0, end)
    elif result.status in STATUS_STYLES:
        text.stylize(f"not dim {STATUS_STYLES[result.status]}")
    return text


def _set_texts(result: FileResult) -> list[str]:
    """Say what was set by hand of talking and kinds; no other column shows it."""
    talking = ["no talking" if result.no_talking else "talking"] * (NO_TALKING in result.corrected)
    kinds = [*map(printable, result.kinds)] or ["no kinds"] if KINDS in result.corrected else []
    return [f"{text} {SET}" for text in (*talking, *kinds)]


def _also_labels(result: FileResult) -> list[str]:
    """Further tags, and what else covers much of the timeline."""
    covering = [
        label
        for label, share in sorted(result.shares.items(), key=lambda item: -item[1])
        if label not in result.tags and label != SILENCE and share >= SHOWN_SHARE
    ]
    return [*result.tags[1:], *covering]


def _also_texts(result: FileResult) -> list[str]:
    """Tags with their scores, the rest with what they cover, and what was set beside these."""
    texts = [
        _with_score(result, label)
        if label in result.tags
        else f"{printable(label)} {result.shares[label]:.0%}"
        for label in _also_labels(result)
    ]
    return [*texts, *_set_texts(result)]


def _also(result: FileResult, look: Look, width: int, kinds: Sequence[str]) -> Text:
    """Further labels, then kinds, first those asked for; lines break between these only."""
    parts = []
    for label, text in zip_longest(_also_labels(result), _also_texts(result)):
        part = Text(text, style="dim")
        if label is not None and kind_of(label) is Kind.TRIGGER:
            part.stylize(f"not dim {look.styles[label]}", 0, len(printable(label)))
        parts.append(part)
    texts = _kind_texts(result)
    asked = [texts.pop(kind) for kind in kinds if kind in texts]
    parts += [Text(text, style="dim") for text in asked]
    return _with_kinds(in_lines(parts, ", ", width), texts.values(), width)


def _kind_texts(result: FileResult) -> dict[str, str]:
    """Kinds that the model tells, with scores, the surest first, but for those that are labels."""
    return {
        kind: f"{printable(kind)} {score:.2f}"
        for kind, score in result.kinds.items()
        if kind not in result.scores and KINDS not in result.corrected
    }


def _with_kinds(text: Text, kinds: Iterable[str], width: int) -> Text:
    """Add as many kinds as the last line has room for: they take no line of their own."""
    used = cell_len(text.plain.rpartition("\n")[2])
    for kind in kinds:
        piece = f", {kind}" if used else kind
        used += cell_len(piece)
        if used > width:
            break
        text.append(piece, style="dim")
    return text


def _picture_text(result: FileResult) -> str:
    """Say how much moves and how light it is; nothing of what shows nothing, or was not seen."""
    return ", ".join(level.value for level in levels(result.visual) if level is not None)


def _length_text(result: FileResult) -> str:
    return "" if result.duration is None else clock(result.duration)


def summary(tally: Tally, done: str = "labelled") -> str:
    """Sum up a run in one line; every file found is counted once.

    Parameters
    ----------
    tally : Tally
    done : str
        What was done with files.
    """
    total = tally.n_found
    counts = " · ".join(
        f"{tally.statuses[status]} {status.value.replace('_', ' ')}"
        for status in Status
        if tally.statuses[status]
    )
    rest = total - tally.statuses.total()
    if rest:
        counts += f"{' · ' if counts else ''}{rest} not yet {done}"
    text = f"{counted(total, 'file')} found: {counts or f'none {done}'}"
    if tally.n_recalled:
        text += f" ({tally.n_recalled} known already)"
    if tally.ignored:
        reasons = sorted(tally.ignored.items(), key=lambda item: (-item[1], item[0]))
        listed = ", ".join(f"{count} {reason.value}" for reason, count in reasons)
        text += f"; ignored {tally.ignored.total()} ({listed})"
    if tally.seconds:
        took = f"in {clock(tally.elapsed)}, {tally.speed:.0f}x real time"
        text += f"; {clock(tally.seconds)} of audio {took}"
    return text
