"""What results are to be written as: the format, and whether the options about it go together."""

from __future__ import annotations

import os
import re
import sys
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from asmr_classify.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asmr_classify.writers import Format

STDOUT = "-"

LONGEST_LINE = 4096
"""Characters of a file that are looked at to tell whether it is a table."""


class FormatName(StrEnum):
    """How results are written."""

    TABLE = "table"
    JSONL = "jsonl"
    CSV = "csv"
    PARQUET = "parquet"
    RAVEN = "raven"
    AUDACITY = "audacity"
    WEBVTT = "webvtt"
    YOUTUBE = "youtube"
    STASH = "stash"
    EDL = "edl"
    MPV_EDL = "mpv-edl"


FORMAT_NAMES = ", ".join(FormatName)
"""As the help of ``--format`` lists them: side by side they are too wide for its table."""


def format_of(output: str) -> FormatName:
    """Tell the format by the ending of a file's name; ``labels.txt`` is nothing but an ending.

    Raises
    ------
    UsageError
        If the ending stands for none.
    """
    from asmr_classify.writers import FORMATS, format_by_name

    name = format_by_name(output) or format_by_name(f".{Path(output).name}")
    if name is not None:
        return FormatName(name)
    suffix = Path(output).suffix.lower()
    if output == STDOUT or suffix == ".txt":
        return FormatName.TABLE
    if Path(output).is_dir():
        raise UsageError(
            f"--output {output}: is a folder; name a file in it, or put a / behind it and give "
            "--format parquet for a table in parts"
        )
    endings = ", ".join(form.suffixes[0] for form in FORMATS.values())
    raise UsageError(
        f"--output {output}: no format ends in {suffix or 'nothing'!r}; there are {endings}, and "
        ".txt for a table; or give --format"
    )


def check_inputs(names: Sequence[str], output: str) -> None:
    """Refuse what is named to be read, and was meant to be written.

    Raises
    ------
    UsageError
        If no output is named, and a file that is named as results are holds such or is not there.
    """
    for name in names if output == STDOUT else ():
        _refuse_results(name)


def _refuse_results(name: str) -> None:
    from asmr_classify.writers import format_by_name

    known = format_by_name(name)
    if known is None and Path(name).suffix.lower() != ".txt":
        return
    form = FormatName.TABLE if known is None else FormatName(known)
    if not os.path.lexists(name):
        what = "no such file"
    elif form is not FormatName.PARQUET and _is_filled(name) and _holds_earlier(name, form):
        what = "holds results, and is no recording"
    else:
        return
    raise UsageError(f"{name}: {what}; to write results into it, give --output {name}")


def _is_filled(path: str) -> bool:
    """Tell whether something stands in a file that may be read."""
    return os.path.isfile(path) and os.access(path, os.R_OK) and os.path.getsize(path) > 0  # noqa: PTH113, PTH202 (any name)


def check_json(form: FormatName | None, *, as_json: bool) -> FormatName | None:
    """Give the format that ``--json`` and ``--format`` name together; None if neither is given.

    Raises
    ------
    UsageError
        If they contradict each other.
    """
    if not as_json:
        return form
    if form not in {None, FormatName.JSONL}:
        raise UsageError(
            f"--json and --format {form} exclude each other: --json stands for --format jsonl"
        )
    return FormatName.JSONL


def check_earlier(output: str, form: FormatName) -> None:
    """Check that an output that exists holds earlier results in the same format.

    Raises
    ------
    UsageError
        If it holds anything else.
    """
    from asmr_classify.writers.output import check_replaceable

    if output != STDOUT:
        check_replaceable(output, partial(_holds_earlier, form=form))


def _holds_earlier(path: str, form: FormatName) -> bool:
    return _holds_table(path) if form is FormatName.TABLE else _holds_results(form, path)


def _holds_results(form: FormatName, path: str) -> bool:
    """Whether the reader of a format makes anything of the beginning of a file."""
    from asmr_classify.writers import FORMATS
    from asmr_classify.writers.per_file import NO_SUCH_FORMAT

    kind = FORMATS[form.value]
    try:
        mode, encoding = ("rb", None) if kind.in_bytes else ("r", "utf-8")
        with Path(path).open(mode, encoding=encoding) as file:
            next(iter(kind.read(file)), None)
    except NO_SUCH_FORMAT:
        return False
    return True


def _holds_table(path: str) -> bool:
    """Whether a file begins as a table: with its titles, or a file where all have failed."""
    with Path(path).open(encoding="utf-8", errors="replace") as file:
        cells = re.split(" {2,}", file.readline(LONGEST_LINE).rstrip("\n"))
    return _are(cells[:2], ("file", "trigger")) or _are(cells[1:2], ("failed",))


def _are(cells: Sequence[str], words: Sequence[str]) -> bool:
    """Whether cells hold these words, shortened where a table is narrow."""
    return len(cells) == len(words) and all(
        cell == word or (cell.endswith("…") and word.startswith(cell[:-1]))
        for cell, word in zip(cells, words, strict=True)
    )


def check_output_options(
    output: str,
    form: FormatName | None,
    *,
    per_file: str | None = None,
    skip: Sequence[str] = (),
    is_one: bool,
) -> None:
    """Check that options about the output go together, before any work is done.

    Parameters
    ----------
    output : str
    form : FormatName or None
        None where ``--format`` was not given and a folder has no ending to tell it by.
    per_file : str, optional
    skip : sequence of str
    is_one : bool
        Whether there will be one result at most.

    Raises
    ------
    UsageError
        If they do not, or the format needs what is not installed.
    """
    from asmr_classify.writers import FORMATS

    kind = find_format(form)
    if per_file is not None:
        if output != STDOUT:
            raise UsageError("--output and --per-file exclude each other: give one")
        if kind is None:
            raise UsageError(f"--per-file needs --format, one of {', '.join(FORMATS)}")
    if skip and not (kind and (kind.skips or kind.takes_skip)):
        *names, last = (name for name, kind in FORMATS.items() if kind.skips or kind.takes_skip)
        raise UsageError(f"--skip {skip[0]}: is for the formats {', '.join(names)} and {last}")
    if kind is None:
        return
    kind.check_installed()
    if kind.skips and not skip:
        raise UsageError(f"--format {form}: nothing to skip is named: give --skip LABEL")
    if kind.is_document and per_file is None and not is_one:
        by_name = "" if output == STDOUT else f"--output {output}, "
        raise UsageError(
            f"{by_name}--format {form}: such a file belongs to one recording; name a single one, "
            "or give --per-file DIR for a file each"
        )
    if not kind.is_text and per_file is None and output == STDOUT and is_terminal():
        raise UsageError(f"--format {form}: is no text for a terminal; give --output FILE")


def find_format(form: FormatName | None) -> Format | None:
    """Find what a format is like; None for the table, which is no format of files."""
    from asmr_classify.writers import FORMATS

    return None if form in {None, FormatName.TABLE} else FORMATS[str(form)]


def is_document(form: FormatName | None) -> bool:
    """Tell whether a file of a format belongs to one recording."""
    kind = find_format(form)
    return kind is not None and kind.is_document


def needs_skip(form: FormatName | None) -> bool:
    """Tell whether a format holds what is to be skipped, which must be named."""
    kind = find_format(form)
    return kind is not None and kind.skips


def is_terminal() -> bool:
    """Tell whether standard output is a terminal."""
    return sys.stdout.isatty()
