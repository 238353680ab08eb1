"""File results to formats that other programs read.

Each format is one module with a writer class (:class:`Writer`) and a reader, and an entry in
:data:`FORMATS`; ``read`` of what ``write`` wrote gives the same results again, as far as the
format holds them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from asmr_classify.writers import csv, jsonl

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import TextIO

    from asmr_classify.aggregate import FileResult


class Writer(Protocol):
    """Something that takes results one by one."""

    def write(self, result: FileResult) -> None:
        """Write one result and flush it, so that a killed run loses nothing finished."""


FORMATS: Mapping[str, Callable[[TextIO, Sequence[str]], Writer]] = {
    "jsonl": lambda stream, _labels: jsonl.JsonlWriter(stream),
    "csv": csv.CsvWriter,
}
"""Writers by the name of their format; each takes a text stream and the model's labels."""
