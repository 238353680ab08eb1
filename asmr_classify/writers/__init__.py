"""File results to formats that other programs read.

Each format is one module with a writer class (:class:`Writer`) and a reader, and an entry in
:data:`FORMATS`; ``read`` of what ``write`` wrote gives the same results again, as far as the
format holds them and to the digits that it is written with. Where the text goes, and what happens
when that fails, is the matter of :mod:`asmr_classify.writers.output`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from asmr_classify.writers import csv, jsonl

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from typing import TextIO

    from asmr_classify.aggregate import FileResult
    from asmr_classify.writers.output import Output


class Writer(Protocol):
    """Something that takes results one by one."""

    def write(self, result: FileResult) -> None:
        """Write one result and flush it, so that a killed run loses nothing that was finished."""

    def close(self) -> None:
        """Write what is left; the stream stays open, it belongs to whoever opened it."""


@dataclass(frozen=True, slots=True)
class Format:
    """One way to write results.

    Parameters
    ----------
    suffixes : tuple of str
        Endings of file names that stand for the format, the usual one first.
    open_writer : callable
        Takes a text stream and the model's labels, gives a :class:`Writer`.
    read : callable
        Takes lines of text, gives the results in them.
    begins : str
        What every file of the format begins with, whatever version of this program wrote it.
    """

    suffixes: tuple[str, ...]
    open_writer: Callable[[TextIO | Output, Sequence[str]], Writer]
    read: Callable[[Iterable[str]], Iterator[FileResult]]
    begins: str


FORMATS: Mapping[str, Format] = {
    "jsonl": Format(
        (".jsonl", ".ndjson"),
        lambda stream, _labels: jsonl.JsonlWriter(stream),
        jsonl.read_jsonl,
        '{"schema": ',
    ),
    "csv": Format((".csv",), csv.CsvWriter, csv.read_csv, ",".join(csv.FIXED_COLUMNS[:4]) + ","),
}
"""The formats by name."""
