"""Results on their way out: the format, the place, and the table that is printed at the end."""

from __future__ import annotations

import contextlib
import io
import re
import sys
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

from asmr_classify.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from typing import TextIO

    from rich.console import Console

    from asmr_classify.aggregate import FileResult
    from asmr_classify.batch import Journal
    from asmr_classify.cli.first_few import FirstFew
    from asmr_classify.model import Model
    from asmr_classify.writers import Format, Writer
    from asmr_classify.writers.output import Output

STDOUT = "-"

FOLDER_JOURNAL = "asmr-classify"
"""The name of the journal in a folder of files, without its ending. The folder has one whatever
the format, so that a second run writes the same results in another without labelling."""

TABLE_CHUNK = 500
"""Results that a table waits for; longer runs print one table after the other, so that memory
stays flat."""

LONGEST_LINE = 4096
"""Characters of a file that are looked at to tell whether it is a table."""

FILE_WIDTH = 120
"""Width of a table that goes to no terminal, where COLUMNS does not say otherwise."""


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
    EDL = "edl"
    MPV_EDL = "mpv-edl"


def format_of(output: str) -> FormatName:
    """Tell the format by the ending of a file's name.

    Raises
    ------
    UsageError
        If the ending stands for none.
    """
    from asmr_classify.writers import format_by_name

    name = format_by_name(output)
    if name is not None:
        return FormatName(name)
    suffix = Path(output).suffix.lower()
    if output == STDOUT or suffix == ".txt":
        return FormatName.TABLE
    if Path(output).is_dir():
        raise UsageError(f"--output {output}: is a folder; name a file in it")
    raise UsageError(
        f"--output {output}: no format ends in {suffix or 'nothing'!r}; "
        "name a .jsonl, .csv or .txt file, or give --format"
    )


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
        is_table = form is FormatName.TABLE
        check_replaceable(output, _holds_table if is_table else partial(_holds_results, form))


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


class TableWriter:
    """Gathers results and prints them as tables, by name; also those of an interrupted run.

    Parameters
    ----------
    console : rich.console.Console
    labels : sequence of str
        The model's labels.
    paused : callable
        Gives a context in which nothing else is written to the terminal.
    keep_order : bool
        Print them in the order in which they come, not by name.
    """

    def __init__(
        self,
        console: Console,
        labels: Sequence[str],
        paused: Callable[[], AbstractContextManager[None]] = contextlib.nullcontext,
        *,
        keep_order: bool = False,
    ) -> None:
        self._console = console
        self._keep_order = keep_order
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

        results, self._results = self._results, []
        if not self._keep_order:
            results.sort(key=lambda result: result.path)
        if results:
            with self._paused():
                self._console.print(results_view(results, self._labels, self._console))


@dataclass(frozen=True, slots=True)
class PerFile:
    """One file for each recording.

    Parameters
    ----------
    folder : str
        Where they go.
    base : str or None
        The folder whose tree they mirror, see
        :func:`~asmr_classify.writers.per_file.common_folder`.
    on_left_out : FirstFew
        Told why a recording that was heard gets no file.
    on_changed : FirstFew
        Told of a file that was changed since it was written, and is left alone.
    """

    folder: str
    base: str | None
    on_left_out: FirstFew
    on_changed: FirstFew


def open_per_file(
    folder: str | None, paths: Iterable[str], console: Console | None
) -> PerFile | None:
    """Make ready to write a file for each recording; None where that is not asked for.

    Parameters
    ----------
    folder : str or None
    paths : iterable of str
        What is worked on, to be mirrored.
    console : rich.console.Console or None
        Told of what is left out.
    """
    from rich.console import Console

    from asmr_classify.cli.first_few import FirstFew
    from asmr_classify.writers.per_file import common_folder

    if folder is None:
        return None
    left_out = FirstFew(console, "left out")
    changed = FirstFew(Console(stderr=True), "warning")
    return PerFile(folder, common_folder(paths), left_out, changed)


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
    if skip and not (kind and kind.skips):
        names = " and ".join(name for name, kind in FORMATS.items() if kind.skips)
        raise UsageError(f"--skip {skip[0]}: is for the formats {names}")
    if kind is None:
        return
    kind.check_installed()
    if kind.skips and not skip:
        raise UsageError(f"--format {form}: nothing to skip is named: give --skip LABEL")
    if kind.is_document and per_file is None and not is_one:
        raise UsageError(
            f"--format {form}: such a file belongs to one recording; name a single one, or give "
            "--per-file DIR for a file each"
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


@contextlib.contextmanager
def open_writer(
    output: str,
    form: FormatName,
    labels: Sequence[str],
    paused: Callable[[], AbstractContextManager[None]] = contextlib.nullcontext,
    *,
    per_file: PerFile | None = None,
    skip: Sequence[str] = (),
    keep_order: bool = False,
) -> Iterator[Writer]:
    """Open the output in the format asked for, and close it whatever happens.

    Parameters
    ----------
    output : str
        A file, or ``-`` for standard output; not used with ``per_file``.
    form : FormatName
    labels : sequence of str
        The model's.
    paused : callable, optional
        Gives a context in which a table may be printed.
    per_file : PerFile, optional
        Write one file for each recording.
    skip : sequence of str
        Labels that edit decision lists leave out.
    keep_order : bool
        Do not sort a table by name.

    Raises
    ------
    OutputError
        If the output cannot be written.
    UsageError
        If the format cannot be used.
    """
    from asmr_classify.writers import FORMATS, Options
    from asmr_classify.writers.per_file import PerFileWriter

    with contextlib.ExitStack() as stack:
        if form is FormatName.TABLE:
            stream = _open_for_table(output, stack)
            writer: Writer = TableWriter(console_on(stream), labels, paused, keep_order=keep_order)
        elif per_file is not None:
            stack.callback(per_file.on_left_out.close)
            stack.callback(per_file.on_changed.close)
            writer = PerFileWriter(
                per_file.folder,
                FORMATS[form.value],
                labels,
                Options(tuple(skip)),
                base=per_file.base,
                on_left_out=per_file.on_left_out,
                on_changed=per_file.on_changed,
            )
        else:
            options = Options(tuple(skip), str(Path(output).parent))
            kind = FORMATS[form.value]
            kind.check(labels, options)  # before the output is emptied
            writer = kind.open_writer(_open_for(kind, output, stack), labels, options)
        stack.callback(writer.close)
        yield writer


def open_journal(
    output: str, model: Model, *, per_file: str | None = None, fresh: bool = False
) -> AbstractContextManager[Journal | None]:
    """Open the journal of an output, if that is a file or a folder of files.

    Raises
    ------
    OutputError
        If the journal, or the folder, cannot be written.
    """
    from asmr_classify.batch.journal import SUFFIX, Journal
    from asmr_classify.writers.per_file import make_folder

    if per_file is not None:
        make_folder(per_file, parents=False)
        path = Path(per_file) / f"{FOLDER_JOURNAL}{SUFFIX}"
        return Journal.open(str(path), model, fresh=fresh)
    path = Path(output)
    if output == STDOUT or (path.exists() and not path.is_file()):
        return contextlib.nullcontext()
    if path.is_symlink():  # two names of one file must not have two journals
        path = path.resolve()
    return Journal.open(f"{path}{SUFFIX}", model, fresh=fresh)


def _open_for(kind: Format, output: str, stack: contextlib.ExitStack) -> Output:
    from asmr_classify.writers.output import Output, open_output, open_replacement

    if output == STDOUT:
        return Output(sys.stdout.buffer, "standard output")
    if not kind.is_whole:
        return stack.enter_context(open_output(output))
    return stack.enter_context(open_replacement(output, keeps=kind.is_document))


def _open_for_table(output: str, stack: contextlib.ExitStack) -> Output | TextIO:
    from asmr_classify.writers.output import open_output

    return forgiving(sys.stdout) if output == STDOUT else stack.enter_context(open_output(output))


def console_on_stdout() -> Console:
    """Make a console on standard output that fails at no character."""
    return console_on(forgiving(sys.stdout))


def forgiving(stream: TextIO) -> TextIO:
    """Make a stream write what its encoding lacks as escapes."""
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="backslashreplace")
    return stream


def console_on(stream: object) -> Console:
    """Make a console that writes tables to a stream, wide enough where that is no terminal."""
    from rich.console import Console

    console = Console(file=cast("TextIO", stream))
    if not console.is_terminal and "COLUMNS" not in console._environ:  # noqa: SLF001
        console.width = FILE_WIDTH
    return console
