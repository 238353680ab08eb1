"""The table of a check: a file after the other, its figures, limits and verdicts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rich.console import Group
from rich.table import Table
from rich.text import Text

from asmr_classify.aggregate import Status
from asmr_classify.check.figures import MEANINGS, Meaning
from asmr_classify.check.limits import Range, Verdict, Words
from asmr_classify.cli.errors import printable
from asmr_classify.cli.progress import clock
from asmr_classify.counts import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.console import RenderableType

    from asmr_classify.check import CheckResult, Judged
    from asmr_classify.check.limits import Limit, Limits
    from asmr_classify.check.startle import Startle

LIMIT_WIDTH = 40
"""Cells of the column of limits; lists of words are broken."""

LEAST_WITH_LIMITS = 80
"""Columns of a terminal that has room for limits; a narrower one breaks them, word by word."""

LOOK_AT = 4096
"""Characters of an earlier file that are looked at."""

STYLES = {Verdict.OK: "green", Verdict.WARN: "bold yellow", Verdict.FAIL: "bold red"}

SHOWN_STARTLES = 5
"""Sudden moments that the table names; the JSON record has all."""


def check_view(result: CheckResult, limits: Limits, *, width: int) -> RenderableType:
    """Show what the check of one file gave.

    Parameters
    ----------
    result : CheckResult
    limits : dict of FigureName to Limit
    width : int
        Columns that there are.

    Returns
    -------
    rich renderable
    """
    parts: list[RenderableType] = [_title(result)]
    for error in filter(None, (result.labels.error, result.labels.visual_error)):
        reason = error.message.removeprefix(f"{result.labels.path}: ")
        parts.append(Text(f"  {printable(reason)}", style="yellow", overflow="fold"))
    shown = [judged for judged in result.figures if judged.figure.value is not None]
    if shown:
        parts.append(_figures_table(shown, limits, with_limits=width >= LEAST_WITH_LIMITS))
    missing = [judged for judged in result.figures if judged.figure.value is None]
    if missing:
        names = ", ".join(MEANINGS[judged.figure.name].title for judged in missing)
        parts.append(Text(f"  not measured: {names}", style="dim"))
    if result.startles:
        parts.append(_startles(result.startles))
    return Group(*parts, Text())


def _title(result: CheckResult) -> Text:
    labels = result.labels
    title = Text(printable(labels.path), style="bold", overflow="fold")
    if labels.duration is not None:
        title.append(f"  {clock(labels.duration)}", style="not bold")
    if labels.tags:
        title.append(f"  {printable(', '.join(labels.tags))}", style="not bold cyan")
    if labels.status is Status.PARTIAL:
        title.append("  partial", style="yellow")
    if result.verdict is None:
        return title.append("  not read", style="bold red")
    title.append(f"  {result.verdict.value.upper()}", style=STYLES[result.verdict])
    if result.verdict is not Verdict.OK:
        causes = (x.figure.name for x in result.figures if x.verdict is result.verdict)
        title.append(f": {', '.join(MEANINGS[name].title for name in causes)}", style="not bold")
    return title


def _figures_table(shown: Iterable[Judged], limits: Limits, *, with_limits: bool) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("  figure")
    table.add_column("value", justify="right")
    table.add_column("unit")
    if with_limits:
        table.add_column("limit", overflow="fold", max_width=LIMIT_WIDTH)
    table.add_column("verdict")
    table.add_column("at", justify="right")
    for judged in shown:
        figure, meaning = judged.figure, MEANINGS[judged.figure.name]
        verdict = judged.verdict
        table.add_row(
            f"  {meaning.title}",
            format_value(figure.value, meaning),
            meaning.unit,
            *([describe_limit(limits.get(figure.name))] if with_limits else []),
            Text(verdict.value.upper(), style=STYLES[verdict]) if verdict else Text("-", "dim"),
            "" if figure.at is None else clock(figure.at),
        )
    return table


def format_value(value: float | str | None, meaning: Meaning) -> str:
    """Write a value as people read it.

    Examples
    --------
    >>> format_value(-0.04, Meaning("loudness", "LUFS")), format_value("dual_mono", Meaning(""))
    ('0.0', 'dual mono')
    """
    if isinstance(value, str):
        return value.replace("_", " ")
    if value is None:
        return ""
    return f"{round(value, meaning.digits) + 0.0:.{meaning.digits}f}"  # no minus before a zero


def describe_limit(limit: Limit | None) -> str:
    """Write what is allowed, warnings first.

    Examples
    --------
    >>> describe_limit(Range(warn_above=10, fail_above=15))
    'warn over 10, fail over 15'
    >>> describe_limit(Words(fail=("none", "one_dead")))
    'fail: none, one dead'
    """
    if limit is None:
        return ""
    if isinstance(limit, Words):
        listed = (("warn", limit.warn), ("fail", limit.fail))
        texts = [f"{verb}: {', '.join(words)}" for verb, words in listed if words]
        return "; ".join(texts).replace("_", " ")
    return ", ".join(_range_texts(limit))


def _range_texts(limit: Range) -> list[str]:
    bounds = (
        ("warn under", limit.warn_below),
        ("warn over", limit.warn_above),
        ("fail under", limit.fail_below),
        ("fail over", limit.fail_above),
    )
    return [f"{words} {value:g}" for words, value in bounds if value is not None]


def _startles(startles: Sequence[Startle]) -> Text:
    """Name the largest sudden moments; the rest are counted."""
    texts = [
        f"{clock(startle.start)} (+{startle.size:.1f} LU within {startle.rise:.1f} s)"
        for startle in startles[:SHOWN_STARTLES]
    ]
    rest = len(startles) - len(texts)
    more = f" and {rest} more" if rest else ""
    return Text(f"  sudden: {', '.join(texts)}{more}")


def check_summary(verdicts: Sequence[Verdict | None]) -> str:
    """Sum up a run in one line; None stands for a file that could not be read.

    Examples
    --------
    >>> check_summary([Verdict.OK, None])
    '2 files checked: 1 ok · 1 not read'
    """
    counts = [f"{verdicts.count(verdict)} {verdict.value}" for verdict in Verdict]
    counts = [text for text in counts if not text.startswith("0 ")]
    if None in verdicts:
        counts.append(f"{verdicts.count(None)} not read")
    return f"{counted(len(verdicts), 'file')} checked: {' · '.join(counts)}"


def holds_check_table(path: str) -> bool:
    """Tell whether a file begins as what :func:`check_view` shows: a title, then its figures."""
    with open(path, encoding="utf-8", errors="replace") as file:  # noqa: PTH123 (any name)
        return (
            re.search(r"^  (figure|not measured:) |  not\s+read$", file.read(LOOK_AT), re.M)
            is not None
        )
