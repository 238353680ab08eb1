"""The features of one recording, for Python: what ``asmr-classify features`` writes of many."""

from __future__ import annotations

import os
import warnings
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np

from asmr_classify.config import FeatureSpec
from asmr_classify.errors import MissingExtraError, UsageError
from asmr_classify.features.schema import column_names
from asmr_classify.features.table import (
    FEATURES,
    PATH,
    By,
    iter_rows,
    iter_samples,
    row_dtype,
)
from asmr_classify.media.decode import AudioStream
from asmr_classify.threads import one_thread

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from asmr_classify.features.table import Rows


def names() -> list[str]:
    """Name the feature columns, in their order.

    Returns
    -------
    list of str, length n_features
        The same for rows of windows and of files.

    Examples
    --------
    >>> len(names()), names()[0]
    (769, 'mel_mean_0')
    """
    return list(column_names(FeatureSpec()))


@overload
def read(
    path: str | os.PathLike[str],
    *,
    by: Literal["window", "file"] = "window",
    as_frame: Literal[False] = False,
) -> NDArray[np.float32]: ...
@overload
def read(
    path: str | os.PathLike[str],
    *,
    by: Literal["window", "file"] = "window",
    as_frame: Literal[True],
) -> Any: ...
def read(
    path: str | os.PathLike[str],
    *,
    by: Literal["window", "file"] = "window",
    as_frame: bool = False,
) -> Any:
    """Compute the features of one audio or video file.

    Parameters
    ----------
    path : path
    by : {"window", "file"}
        A row for each window of two seconds, one a second, or one row for the file: the mean over
        its audible windows, see :mod:`asmr_classify.features.table`.
    as_frame : bool
        Give a data frame with the columns that ``asmr-classify features`` writes: the path and
        where each row stands, too.

    Returns
    -------
    ndarray of float32, shape (n_windows, n_features) or (1, n_features)
        Finite. Or a ``pandas.DataFrame``.

    Raises
    ------
    OpenError
        If the file is missing, unreadable, or no media file.
    NoAudioError
        If it is a video without sound.
    DecodeError
        If nothing of it can be decoded.
    UsageError
        If ``by`` is something else.
    MissingExtraError
        If a data frame is asked for and pandas is not installed.

    Warns
    -----
    UserWarning
        If decoding breaks off or something is damaged. The rows are of what was heard.

    Examples
    --------
    >>> read("data/demo/tap-wood.flac").shape
    (5, 769)
    >>> read("data/demo/tap-wood.flac", by="file").shape
    (1, 769)
    """
    if by not in set(By):
        raise UsageError(f"by {by!r}: give 'window' or 'file'")
    if as_frame and find_spec("pandas") is None:
        raise MissingExtraError("a data frame needs pandas: pip install pandas")
    name = os.fsdecode(path)
    rows = _read(name, By(by))
    return _frame(name, rows) if as_frame else np.ascontiguousarray(rows[FEATURES])


def _read(path: str, by: By) -> Rows:
    spec = FeatureSpec()
    with AudioStream.open(path, sr=spec.frames.sr) as stream:
        with one_thread():
            parts = list(iter_rows(iter_samples(stream), spec, by))
        if stream.problem is not None:
            warnings.warn(str(stream.problem), stacklevel=3)
    return np.concatenate(parts) if parts else np.empty(0, row_dtype(spec, by))


def _frame(path: str, rows: Rows) -> Any:
    import pandas as pd

    fields = [name for name in rows.dtype.names or () if name != FEATURES]
    beside = pd.DataFrame({PATH: [path] * len(rows), **{name: rows[name] for name in fields}})
    return pd.concat([beside, pd.DataFrame(rows[FEATURES], columns=names())], axis=1)
