"""Feature rows as a table that other programs read: a row a window, or a row a file.

A row a window holds where the window lies (``start``, ``end``), its level (``level_db``) and its
features. A row a file holds the mean of each feature over the file's audible windows, those whose
level is not that of silence: they count ``n_windows``, and ``level_db`` is the level of their mean
power. Where none is audible, ``n_windows`` is 0 and the row is the mean of all. ``duration`` is the
end of the last window. Features have the same names in both, and every value is finite.

Rows are structured arrays, which cost little to keep and to hand over; see :func:`row_dtype`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from asmr_classify.config import DecisionSpec
from asmr_classify.features.schema import column_names
from asmr_classify.features.windows import iter_window_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from numpy.typing import NDArray

    from asmr_classify.config import FeatureSpec
    from asmr_classify.features.windows import WindowRows
    from asmr_classify.media.decode import AudioStream

    Rows = NDArray[np.void]

SILENCE_DBFS = DecisionSpec().silence_dbfs
"""Windows whose level lies below are silent."""

PATH = "path"
"""The first column of a table of many files."""

FEATURES = "X"
"""The field of the features of a row; all others are columns of their own."""


class By(StrEnum):
    """What a row stands for."""

    WINDOW = "window"
    FILE = "file"


FIELDS: dict[By, tuple[tuple[str, str], ...]] = {
    By.WINDOW: (("start", "<f8"), ("end", "<f8"), ("level_db", "<f4")),
    By.FILE: (("duration", "<f8"), ("n_windows", "<i8"), ("level_db", "<f4")),
}
"""What a row holds beside its features: seconds, counts, and dB relative to a full-scale square
wave."""


def row_dtype(spec: FeatureSpec, by: By) -> np.dtype[np.void]:
    """Describe a row.

    Parameters
    ----------
    spec : FeatureSpec
    by : By

    Returns
    -------
    dtype
        Fields as in :data:`FIELDS`, then ``X``, float32 of shape (n_features,).
    """
    return np.dtype([*FIELDS[by], (FEATURES, "<f4", (len(column_names(spec)),))])


def table_columns(spec: FeatureSpec, by: By) -> tuple[str, ...]:
    """Name the columns of a table of many files: path, fields, features.

    Parameters
    ----------
    spec : FeatureSpec
    by : By

    Returns
    -------
    tuple of str
    """
    return (PATH, *(name for name, _ in FIELDS[by]), *column_names(spec))


def iter_samples(
    stream: AudioStream, on_progress: Callable[[float], None] | None = None
) -> Iterator[NDArray[np.float32]]:
    """Decode a stream, telling the seconds decoded so far.

    Parameters
    ----------
    stream : AudioStream
    on_progress : callable, optional

    Yields
    ------
    ndarray of float32, shape (n_samples,), mono
    """
    for block in stream.iter_blocks():
        if on_progress is not None:
            on_progress(stream.decoded)
        yield block.y


def iter_rows(samples: Iterable[NDArray[np.float32]], spec: FeatureSpec, by: By) -> Iterator[Rows]:
    """Compute the rows of one recording, some at a time, so that memory does not grow with it.

    Parameters
    ----------
    samples : iterable of ndarray of float32, shape (n_samples,), mono
        The recording from its first sample on at the analysis rate, in pieces of any sizes.
    spec : FeatureSpec
    by : By

    Yields
    ------
    structured ndarray, shape (n_rows,)
        Of :func:`row_dtype`, in order of time; a single row by file. Nothing is yielded for a
        recording without samples.
    """
    windows = iter_window_rows(samples, spec)
    if by is By.WINDOW:
        for rows in windows:
            yield _rows_of_windows(rows, row_dtype(spec, by))
        return
    total = _Mean(len(column_names(spec)))
    for rows in windows:
        total.add(rows)
    if total.n_all:
        yield total.row(row_dtype(spec, by))


def is_audible(rows: Rows) -> bool:
    """Tell whether anything but silence is in the rows, by either kind."""
    if "n_windows" in (rows.dtype.names or ()):
        return bool((rows["n_windows"] > 0).any())
    return bool((rows["level_db"] >= SILENCE_DBFS).any())


def _rows_of_windows(windows: WindowRows, dtype: np.dtype[np.void]) -> Rows:
    rows = np.empty(len(windows.X), dtype)
    rows["start"], rows["end"] = windows.intervals.T
    rows["level_db"] = windows.levels_db
    rows[FEATURES] = windows.X
    return rows


class _Mean:
    """Sums over audible windows and over all, in double precision."""

    def __init__(self, n_features: int) -> None:
        self.n_all = 0
        self._n_audible = 0
        self._end = 0.0
        self._sums = np.zeros((2, n_features + 1))  # of the audible, and of all; power is the last

    def add(self, windows: WindowRows) -> None:
        power = 10 ** (windows.levels_db.astype(np.float64) / 10)
        values = np.column_stack([windows.X.astype(np.float64), power])
        audible = windows.levels_db >= SILENCE_DBFS
        self._sums += values[audible].sum(axis=0), values.sum(axis=0)
        self._n_audible += int(audible.sum())
        self.n_all += len(audible)
        self._end = float(windows.intervals[-1, 1])

    def row(self, dtype: np.dtype[np.void]) -> Rows:
        sums = self._sums[0 if self._n_audible else 1] / (self._n_audible or self.n_all)
        row = np.empty(1, dtype)
        row["duration"], row["n_windows"] = self._end, self._n_audible
        row["level_db"] = 10 * np.log10(sums[-1])
        row[FEATURES] = sums[:-1]
        return row
