"""Tables of plain values, a row a thing: CSV, for spreadsheets, or JSON Lines, for programs.

In CSV, texts are escaped as in :mod:`asmr_classify.writers.csv`, lists stand in one cell with
commas between, a truth is ``yes`` or ``no``, and what is not known is empty.
"""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

from asmr_classify.errors import OutputError, UsageError
from asmr_classify.writers.csv import escape_cell
from asmr_classify.writers.jsonl import record_to_line
from asmr_classify.writers.output import check_output, check_replaceable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    Row = dict[str, Any]

CSV_SUFFIX = ".csv"

JSON_SUFFIXES = frozenset({".json", ".jsonl", ".ndjson"})

LONGEST_LINE = 2**24
"""Characters that are read of a file to see what it holds."""


def is_table_json(path: Path, option: str) -> bool:
    """Tell by the ending of a file's name whether it gets JSON Lines, or else CSV.

    Parameters
    ----------
    path : path
    option : str
        That names it, for the message.

    Raises
    ------
    UsageError
        If the ending stands for neither.
    """
    suffix = path.suffix.lower()
    if suffix not in {CSV_SUFFIX, *JSON_SUFFIXES}:
        raise UsageError(f"{option} {path}: name a .csv or a .jsonl file")
    return suffix in JSON_SUFFIXES


def csv_line(cells: Iterable[object]) -> str:
    r"""Write cells as a line of CSV.

    Examples
    --------
    >>> csv_line(["=a", 1.5, None, True, ("tap", "whisper")])
    '\'=a,1.5,,yes,"tap,whisper"\n'
    """
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(map(_cell, cells))
    return text.getvalue()


def _cell(value: object) -> str:
    if value is None or isinstance(value, bool):
        return {True: "yes", False: "no", None: ""}[value]
    if isinstance(value, (list, tuple)):
        return escape_cell(",".join(value))
    return escape_cell(value) if isinstance(value, str) else str(value)


def table_text(columns: Sequence[str], rows: Iterable[Row], *, as_json: bool) -> str:
    """Write rows, each by the names of its columns; what a row lacks is not known."""
    filled = ({name: row.get(name) for name in columns} for row in rows)
    if as_json:
        return "".join(record_to_line(row) + "\n" for row in filled)
    return csv_line(columns) + "".join(csv_line(row.values()) for row in filled)


def check_table(path: Path, option: str, columns: Sequence[str]) -> None:
    """Check that such a table can be written to a place, before the work.

    Raises
    ------
    OutputError, UsageError
        If its ending stands for no format, or the file holds anything else or cannot be written.
    """
    as_json = is_table_json(path, option)
    check_output(str(path))
    check_replaceable(str(path), lambda found: holds_table(found, columns, as_json=as_json))
    if not path.parent.is_dir():
        raise OutputError(f"{path}: its folder does not exist: create it, or write elsewhere")


def holds_table(path: str, columns: Sequence[str], *, as_json: bool) -> bool:
    """Tell whether a file begins as such a table does."""
    with open(path, encoding="utf-8", errors="replace", newline="") as file:  # noqa: PTH123 (any name)
        line = file.readline(LONGEST_LINE)
    if not as_json:
        return line == csv_line(columns)
    try:
        return bool(json.loads(line).keys() == set(columns))
    except (ValueError, AttributeError, RecursionError):
        return False
