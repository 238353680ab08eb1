"""Feature rows to tables: CSV, and Parquet for pandas, Polars, DuckDB and R.

The columns are those of :func:`asmr_classify.features.table.table_columns`: the path, where a row
stands, and the features. Both formats give back every number to the last bit: CSV has the nine
digits that tell any two of single precision apart, and as many as it takes where there is double.
Paths are written as :mod:`asmr_classify.writers.csv` and :mod:`asmr_classify.writers.parquet` write
them with labels, so that tables of features and of labels can be joined by them.

A CSV file grows as recordings are finished. A Parquet file cannot be read before its end, and
appears when it is whole.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from asmr_classify.errors import MissingExtraError
from asmr_classify.features.schema import fingerprint
from asmr_classify.features.table import FEATURES, FIELDS, PATH, By, table_columns
from asmr_classify.writers.csv import escape_cell
from asmr_classify.writers.escapes import NOT_UTF8, escape

if TYPE_CHECKING:
    from collections.abc import Callable

    from asmr_classify.config import FeatureSpec
    from asmr_classify.features.table import Rows
    from asmr_classify.writers.output import Output

ROWS_PER_GROUP = 4096
"""Rows that are kept before they are written: readers want few groups of so many columns, and these
take 13 MB."""

SPEC_KEY, BY_KEY = b"asmr_classify.features", b"asmr_classify.by"
"""Kept in the metadata of a Parquet file: the fingerprint of the features, and what a row is."""


class RowWriter(Protocol):
    """Something that takes the rows of recordings, some at a time."""

    def write(self, path: str, rows: Rows) -> None:
        """Write rows of one recording; a format that cannot be read before its end may wait."""

    def close(self) -> None:
        """Write what is left; the stream stays open, it belongs to whoever opened it."""


class CsvRowWriter:
    """Writes a header, then a line per row.

    Parameters
    ----------
    stream : Output
    spec : FeatureSpec
    by : By
    """

    def __init__(self, stream: Output, spec: FeatureSpec, by: By) -> None:
        self._stream = stream
        self._fields = [name for name, _ in FIELDS[by]]
        columns = table_columns(spec, by)
        # All numbers of a row at once: a call for each would take longer than computing them.
        marks = ["%.9g" if kind == "<f4" else "%r" for _, kind in FIELDS[by]]
        marks += ["%.9g"] * (len(columns) - 1 - len(marks))
        self._pattern = "," + ",".join(marks) + "\n"
        stream.write(",".join(columns) + "\n")

    def write(self, path: str, rows: Rows) -> None:
        """Write rows of one recording and flush them."""
        cell = _Cell()
        csv.writer(cell, lineterminator="").writerow([escape_cell(path)])
        beside = zip(*(rows[name].tolist() for name in self._fields), strict=True)
        lines = [
            cell.text + self._pattern % (*fields, *features)
            for fields, features in zip(beside, rows[FEATURES].tolist(), strict=True)
        ]
        self._stream.write("".join(lines))

    def close(self) -> None:
        """Do nothing: every row is complete."""


class _Cell:
    """Takes what the CSV writer makes of one cell."""

    text = ""

    def write(self, text: str) -> int:
        self.text += text
        return len(text)


class ParquetRowWriter:
    """Writes rows in groups.

    Parameters
    ----------
    stream : Output
    spec : FeatureSpec
    by : By
    """

    def __init__(self, stream: Output, spec: FeatureSpec, by: By) -> None:
        from pyarrow import parquet

        self._fields = [name for name, _ in FIELDS[by]]
        self._schema = make_row_schema(spec, by)
        # Features hardly ever have the same value twice.
        self._file = parquet.ParquetWriter(stream, self._schema, use_dictionary=[PATH])
        self._paths: list[str] = []
        self._rows: list[Rows] = []

    def write(self, path: str, rows: Rows) -> None:
        """Keep rows of one recording, and write all that were kept once they are many."""
        self._paths += [escape(path, NOT_UTF8)] * len(rows)
        self._rows.append(rows)
        if len(self._paths) >= ROWS_PER_GROUP:
            self._write_group()

    def _write_group(self) -> None:
        import pyarrow as pa

        if not self._rows:
            return
        rows, self._rows = np.concatenate(self._rows), []
        paths, self._paths = self._paths, []
        features = np.ascontiguousarray(rows[FEATURES].T)
        beside = [np.ascontiguousarray(rows[name]) for name in self._fields]
        arrays: list[Any] = [pa.array(paths, pa.string()), *map(pa.array, [*beside, *features])]
        self._file.write_table(pa.Table.from_arrays(arrays, schema=self._schema))

    def close(self) -> None:
        """Write what was kept, and the index."""
        try:
            self._write_group()
        finally:
            self._file.close()


def make_row_schema(spec: FeatureSpec, by: By) -> Any:
    """Make the ``pyarrow.Schema`` of a table of features."""
    import pyarrow as pa

    kinds = {"<f8": pa.float64(), "<f4": pa.float32(), "<i8": pa.int64()}
    columns = table_columns(spec, by)
    beside = [pa.field(name, kinds[kind], nullable=False) for name, kind in FIELDS[by]]
    return pa.schema(
        [
            pa.field(PATH, pa.string(), nullable=False),
            *beside,
            *(pa.field(x, pa.float32(), nullable=False) for x in columns[1 + len(beside) :]),
        ],
        metadata={SPEC_KEY: fingerprint(spec), BY_KEY: by.value},
    )


def is_csv_of_rows(path: str) -> bool:
    """Tell whether a file begins as a CSV table of features, by whichever kind of row."""
    heads = [",".join((PATH, *(name for name, _ in fields), "")) for fields in FIELDS.values()]
    with Path(path).open("rb") as file:
        return any(file.read(len(head)) == head.encode() for head in heads if not file.seek(0))


def is_parquet_of_rows(path: str) -> bool:
    """Tell whether a file is a Parquet table of features."""
    import pyarrow as pa
    from pyarrow import parquet

    try:
        return SPEC_KEY in (parquet.read_schema(path).metadata or {})
    except pa.ArrowInvalid:
        return False


@dataclass(frozen=True, slots=True)
class RowFormat:
    """One way to write rows.

    Parameters
    ----------
    make_writer : callable
        Takes an output, settings and what a row is, gives a :class:`RowWriter`.
    is_own : callable
        Tells whether a file is of this format.
    is_text : bool
        Whether it can be shown on a terminal, and be read before it is complete.
    """

    make_writer: Callable[[Output, FeatureSpec, By], RowWriter]
    is_own: Callable[[str], bool]
    is_text: bool


ROW_FORMATS = {
    "csv": RowFormat(CsvRowWriter, is_csv_of_rows, is_text=True),
    "parquet": RowFormat(ParquetRowWriter, is_parquet_of_rows, is_text=False),
}
"""The formats by name, which is the ending of files too."""


def find_row_format(name: str) -> RowFormat:
    """Find a format, and check that it can be used.

    Raises
    ------
    MissingExtraError
        If its library is not installed.
    """
    if name == "parquet" and find_spec("pyarrow") is None:
        raise MissingExtraError(
            "Parquet needs pyarrow, which is not installed: pip install 'asmr-classify[parquet]', "
            "or name a .csv file"
        )
    return ROW_FORMATS[name]
