"""Results on their way out: the table, the journal, and what else is written."""

from __future__ import annotations

import contextlib
import io
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from asmr_classify.cli.formats import STDOUT, FormatName

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

FOLDER_JOURNAL = "asmr-classify"
"""The name of the journal in a folder of files, without its ending. The folder has one whatever
the format, so that a second run writes the same results in another without labelling."""

TABLE_CHUNK = 500
"""Results that a table waits for; longer runs print one table after the other, so that memory
stays flat."""

FILE_WIDTH = 120
"""Width of a table that goes to no terminal, where COLUMNS does not say otherwise."""


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
    kinds : sequence of str
        That were asked for, see :func:`~asmr_classify.cli.render.results_table`.
    """

    def __init__(
        self,
        console: Console,
        labels: Sequence[str],
        paused: Callable[[], AbstractContextManager[None]] = contextlib.nullcontext,
        *,
        keep_order: bool = False,
        kinds: Sequence[str] = (),
    ) -> None:
        self._console = console
        self._kinds = kinds
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
                view = results_view(results, self._labels, self._console, kinds=self._kinds)
                self._console.print(view)


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
    on_stale : FirstFew
        Told of files whose recordings are gone.
    """

    folder: str
    base: str | None
    on_left_out: FirstFew
    on_changed: FirstFew
    on_stale: FirstFew


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
    stale = FirstFew(console, "note")
    return PerFile(folder, common_folder(paths, folder), left_out, changed, stale)


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
    kinds: Sequence[str] = (),
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
    kinds : sequence of str
        That were asked for: a table shows them whatever room they take.

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
            writer: Writer = TableWriter(
                console_on(stream), labels, paused, keep_order=keep_order, kinds=kinds
            )
        elif per_file is not None:
            stack.callback(per_file.on_left_out.close)
            stack.callback(per_file.on_changed.close)
            stack.callback(per_file.on_stale.close)
            writer = PerFileWriter(
                per_file.folder,
                FORMATS[form.value],
                labels,
                Options(tuple(skip)),
                base=per_file.base,
                on_left_out=per_file.on_left_out,
                on_changed=per_file.on_changed,
                on_stale=per_file.on_stale,
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
    file = file_to_go_on_with(output)
    if file is None:
        return contextlib.nullcontext()
    return Journal.open(f"{file}{SUFFIX}", model, fresh=fresh)


def file_to_go_on_with(output: str) -> str | None:
    """Name the file beside which a run keeps what it has finished; None where there is none."""
    path = Path(output)
    if output == STDOUT or (path.exists() and not path.is_file()):
        return None
    # Two names of one file must not have two journals.
    return str(path.resolve() if path.is_symlink() else path)


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
