"""Results on their way out: the format, the place, and the table that is printed at the end."""

from __future__ import annotations

import contextlib
import io
import re
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, cast

from asmr_classify.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from typing import TextIO

    from rich.console import Console

    from asmr_classify.aggregate import FileResult
    from asmr_classify.writers import Writer

STDOUT = "-"

TABLE_CHUNK = 500
"""Results that a table waits for; longer runs print one table after the other, so that memory
stays flat."""

FILE_WIDTH = 120
"""Width of a table that goes to no terminal, where COLUMNS does not say otherwise."""


class FormatName(StrEnum):
    """How results are written."""

    TABLE = "table"
    JSONL = "jsonl"
    CSV = "csv"


def format_of(output: str) -> FormatName:
    """Tell the format by the ending of a file's name.

    Raises
    ------
    UsageError
        If the ending stands for none.
    """
    from asmr_classify.writers import FORMATS

    suffix = Path(output).suffix.lower()
    if output == STDOUT or suffix == ".txt":
        return FormatName.TABLE
    for name, form in FORMATS.items():
        if suffix in form.suffixes:
            return FormatName(name)
    if Path(output).is_dir():
        raise UsageError(f"--output {output}: is a folder; name a file in it")
    raise UsageError(
        f"--output {output}: no format ends in {suffix or 'nothing'!r}; "
        "name a .jsonl, .csv or .txt file, or give --format"
    )


def check_earlier(output: str, form: FormatName) -> None:
    """Check that an output that exists holds earlier results in the same format.

    Raises
    ------
    UsageError
        If it holds anything else.
    """
    from asmr_classify.writers import FORMATS
    from asmr_classify.writers.output import check_replaceable

    if output == STDOUT:
        return
    is_own = _begins_table
    if form is not FormatName.TABLE:
        begins = FORMATS[form.value].begins

        def is_own(line: str) -> bool:
            return line.startswith(begins)

    check_replaceable(output, is_own)


def _begins_table(line: str) -> bool:
    """Whether a line is the first of a table: its titles, or a file where all have failed."""
    cells = re.split(" {2,}", line)
    return _are(cells[:2], ("file", "trigger")) or _are(cells[1:2], ("failed",))


def _are(cells: Sequence[str], words: Sequence[str]) -> bool:
    """Whether cells hold these words, shortened where a table is narrow."""
    return len(cells) == len(words) and all(
        cell == word or (cell.endswith("…") and word.startswith(cell[:-1]))
        for cell, word in zip(cells, words, strict=True)
    )


class TableWriter:
    """Gathers results and prints them as tables, by name; also those of an interrupted run.

    Parameters
    ----------
    console : rich.console.Console
    labels : sequence of str
        The model's labels.
    paused : callable
        Gives a context in which nothing else is written to the terminal.
    """

    def __init__(
        self,
        console: Console,
        labels: Sequence[str],
        paused: Callable[[], AbstractContextManager[None]] = contextlib.nullcontext,
    ) -> None:
        self._console = console
        self._labels = tuple(labels)
        self._paused = paused
        self._results: list[FileResult] = []

    def write(self, result: FileResult) -> None:
        """Keep one result, and print all that were kept once they are many."""
        self._results.append(result)
        if len(self._results) >= TABLE_CHUNK:
            self.close()

    def close(self) -> None:
        """Print what was kept."""
        from asmr_classify.cli.render import results_view

        results, self._results = sorted(self._results, key=lambda result: result.path), []
        if results:
            with self._paused():
                self._console.print(results_view(results, self._labels, self._console))


@contextlib.contextmanager
def open_writer(
    output: str,
    form: FormatName,
    labels: Sequence[str],
    paused: Callable[[], AbstractContextManager[None]] = contextlib.nullcontext,
) -> Iterator[Writer]:
    """Open the output in the format asked for, and close it whatever happens.

    Raises
    ------
    OutputError
        If the output cannot be written.
    """
    from asmr_classify.writers import FORMATS
    from asmr_classify.writers.output import Output, open_output

    with contextlib.ExitStack() as stack:
        if output != STDOUT:
            stream: Output | TextIO = stack.enter_context(open_output(output))
        elif form is FormatName.TABLE:
            stream = _forgiving(sys.stdout)
        else:
            stream = Output(sys.stdout.buffer, "standard output")
        if form is FormatName.TABLE:
            writer: Writer = TableWriter(_console_on(stream), labels, paused)
        else:
            writer = FORMATS[form.value].open_writer(stream, labels)
        stack.callback(writer.close)
        yield writer


def _forgiving(stream: TextIO) -> TextIO:
    """Make a stream write what its encoding lacks as escapes."""
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="backslashreplace")
    return stream


def _console_on(stream: object) -> Console:
    from rich.console import Console

    console = Console(file=cast("TextIO", stream))
    if not console.is_terminal and "COLUMNS" not in console._environ:  # noqa: SLF001
        console.width = FILE_WIDTH
    return console
