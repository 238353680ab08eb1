r"""CSV: one row a file, for spreadsheets. Holds all but the timeline and the shares.

Kinds stand in one cell, each with its score: ``typing=0.9300 rain=0.7100``. Of what was seen there
are words and counts, which are not read back.

Spreadsheets run cells that begin with ``=``, ``+``, ``-`` or ``@`` as formulas, and a file can be
named so. Such texts, and those that begin with an apostrophe, get an apostrophe in front [1]_.
Control characters (tab and carriage return, which start formulas too, among them), line
separators and the surrogates that stand for bytes which are not UTF-8 are written as ``\xNN`` and
``\uNNNN``, a backslash as two. The reader undoes all of it.

References
----------
.. [1] OWASP, CSV injection. https://owasp.org/www-community/attacks/CSV_Injection
"""

from __future__ import annotations

import csv
import re
from typing import TYPE_CHECKING

from asmr_classify.aggregate import FileResult, Problem, Status
from asmr_classify.labels import word_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import TextIO

    from asmr_classify.writers.output import Output

FIXED_COLUMNS = (
    "path",
    "status",
    "trigger",
    "tags",
    "no_talking",
    "longest_talk",
    "duration",
    "decoded",
    "error",
    "message",
    "model",
    "corrected",
    "kinds",
    "picture",
    "motion",
    "light",
    "cuts_per_minute",
    "flashes",
)
SCORE_PREFIX = "score_"

FORMULA_STARTS = ("=", "+", "-", "@", "'", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""Also the full-width forms, which spreadsheets in East Asian settings take for the same."""

UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\\\\]")
ESCAPED = re.compile(r"\\(\\|x[0-9a-f]{2}|u[0-9a-f]{4})")


class CsvWriter:
    """Writes a header, then a row per result.

    Parameters
    ----------
    stream : text stream
    labels : sequence of str
        The model's labels; each gets a column for its score.
    """

    def __init__(self, stream: TextIO | Output, labels: Sequence[str]) -> None:
        self._stream = stream
        self._labels = tuple(labels)
        self._rows = csv.writer(stream, lineterminator="\n")
        self._rows.writerow(
            [*FIXED_COLUMNS, *(SCORE_PREFIX + escape_cell(x) for x in self._labels)]
        )
        stream.flush()

    def write(self, result: FileResult) -> None:
        """Write one result and flush it."""
        scores = (_score(result, label) for label in self._labels)
        self._rows.writerow([*_fixed_cells(result), *scores])
        self._stream.flush()

    def close(self) -> None:
        """Do nothing: every row is complete."""


def _fixed_cells(result: FileResult) -> list[str]:
    """Make the cells of :data:`FIXED_COLUMNS`."""
    return [
        escape_cell(result.path),
        result.status.value,
        escape_cell(result.trigger or ""),
        " ".join(map(_word, result.tags)),
        {True: "yes", False: "no", None: ""}[result.no_talking],
        _seconds(result.longest_talk),
        _seconds(result.duration),
        _seconds(result.decoded),
        escape_cell(result.error.kind) if result.error else "",
        escape_cell(result.error.message) if result.error else "",
        escape_cell(result.model),
        " ".join(result.corrected),
        " ".join(f"{_word(kind)}={score:.4f}" for kind, score in result.kinds.items()),
        *map(_seen_cell, seen_values(result).values()),
    ]


def seen_values(result: FileResult) -> dict[str, str | float | int | None]:
    """Tell what was seen in one value a column; None where nothing was."""
    visual = result.visual
    motion, light = (visual.motion, visual.light) if visual else (None, None)
    return {
        "picture": visual.picture.value if visual else None,
        "motion": motion.level.value if motion else None,
        "light": light.level.value if light else None,
        "cuts_per_minute": visual.cuts_per_minute if visual else None,
        "flashes": visual.flashes if visual else None,
    }


def _seen_cell(value: str | float | None) -> str:
    if isinstance(value, float):
        return f"{value:.4f}"
    return "" if value is None else str(value)


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _score(result: FileResult, label: str) -> str:
    return f"{result.scores[label]:.4f}" if label in result.scores else ""


def escape_cell(text: str) -> str:
    """Write a text so that it stays one cell, and no spreadsheet runs it."""

    def code(match: re.Match[str]) -> str:
        char = match[0]
        if char == "\\":
            return "\\\\"
        return f"\\x{ord(char):02x}" if ord(char) < 0x100 else f"\\u{ord(char):04x}"

    text = UNPRINTABLE.sub(code, text)
    return "'" + text if text.startswith(FORMULA_STARTS) else text


def _word(text: str) -> str:
    """Escape a text that spaces part from others."""
    return escape_cell(text).replace(" ", r"\x20")


def unescape_cell(text: str) -> str:
    """Undo :func:`escape_cell`."""
    text = text.removeprefix("'")
    return ESCAPED.sub(lambda m: "\\" if m[1] == "\\" else chr(int(m[1][1:], 16)), text)


def read_csv(lines: Iterable[str]) -> Iterator[FileResult]:
    """Read results from lines as :class:`CsvWriter` writes them; shares and timeline are empty.

    Raises
    ------
    ValueError
        If the first line is not that of such a file.
    """
    reader = csv.DictReader(lines)
    if reader.fieldnames and tuple(reader.fieldnames[:4]) != FIXED_COLUMNS[:4]:
        raise ValueError("not written by this program")
    for row in reader:
        yield FileResult(
            path=unescape_cell(row["path"]),
            status=word_of(Status, row["status"], "status"),
            model=unescape_cell(row["model"]),
            error=_problem(row),
            duration=float(row["duration"]) if row["duration"] else None,
            decoded=float(row["decoded"]),
            trigger=unescape_cell(row["trigger"]) or None,
            tags=tuple(unescape_cell(tag) for tag in row["tags"].split(" ") if tag),
            scores={
                unescape_cell(name.removeprefix(SCORE_PREFIX)): float(value)
                for name, value in row.items()
                if name.startswith(SCORE_PREFIX) and value
            },
            no_talking={"yes": True, "no": False}.get(row["no_talking"]),
            longest_talk=float(row["longest_talk"]) if row["longest_talk"] else None,
            corrected=tuple((row.get("corrected") or "").split()),
            kinds=_kinds(row.get("kinds") or ""),
        )


def _kinds(cell: str) -> dict[str, float]:
    pairs = (word.rpartition("=") for word in cell.split(" ") if word)
    return {unescape_cell(kind): float(score) for kind, _, score in pairs}


def _problem(row: dict[str, str]) -> Problem | None:
    if not row["error"]:
        return None
    return Problem(unescape_cell(row["error"]), unescape_cell(row["message"]))
