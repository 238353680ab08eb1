"""librosa's mel filterbanks.

Those of the default settings lie beside this module, as ``data/make_filterbanks.py`` had librosa
make them: labelling needs no more of librosa, whose import takes longer than labelling a clip. All
others librosa makes when they are wanted. It cannot be imported where numba finds no folder for
what it compiles: by a user without a home, say, when the packages may only be read. Then numba gets
a folder of this process alone. What lies there is unpickled, so nobody else may write to it or
guess its name, and it is gone with the process.
"""

from __future__ import annotations

import tempfile
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, TypedDict, Unpack

import numpy as np

from asmr_classify.errors import AsmrClassifyError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

KEPT = files("asmr_classify.features") / "filterbanks.npz"
"""Filterbanks by the names of their settings."""


class MelSettings(TypedDict):
    """What a mel filterbank follows from: see :func:`mel_filterbank`."""

    sr: int
    n_fft: int
    n_mels: int
    fmin: float
    fmax: float


def mel_filterbank(**settings: Unpack[MelSettings]) -> NDArray[np.float32]:
    """Give :func:`librosa.filters.mel` of the settings.

    Parameters
    ----------
    sr : int
        Sampling rate in Hz.
    n_fft : int
        Samples in a frame.
    n_mels : int
        Bands.
    fmin, fmax : float
        Edges of the lowest and the highest band in Hz.

    Returns
    -------
    ndarray of float32, shape (n_mels, n_fft // 2 + 1)

    Raises
    ------
    AsmrClassifyError
        If librosa is needed and cannot be imported.
    """
    name = name_of(settings)
    with KEPT.open("rb") as file, np.load(file, allow_pickle=False) as kept:
        if name in kept:
            bank: NDArray[np.float32] = kept[name]
            return bank
    return np.asarray(import_mel()(**settings))


def name_of(settings: MelSettings) -> str:
    """Name a filterbank by its settings.

    Examples
    --------
    >>> name_of({"sr": 32000, "n_fft": 256, "n_mels": 12, "fmin": 400.0, "fmax": 15000.0})
    'fmax=15000.0 fmin=400.0 n_fft=256 n_mels=12 sr=32000'
    """
    return " ".join(f"{key}={value!r}" for key, value in sorted(settings.items()))


def import_mel() -> Callable[..., NDArray[np.float32]]:
    """Import :func:`librosa.filters.mel`, wherever numba may write.

    Raises
    ------
    AsmrClassifyError
        If it may write nowhere, or the system knows no home at all.
    """
    try:
        from librosa.filters import mel
    except RuntimeError:  # "no locator available": numba tried all the folders that it knows
        _give_numba_a_folder()
        try:
            from librosa.filters import mel
        except RuntimeError as exc:  # of those who ask for a home when they are imported
            raise AsmrClassifyError(
                f"librosa cannot be imported ({exc}): set HOME to a folder of yours"
            ) from exc
    return mel


@cache  # which keeps the folder until the process ends
def _give_numba_a_folder() -> tempfile.TemporaryDirectory[str]:
    import numba

    try:
        folder = tempfile.TemporaryDirectory(prefix="asmr-classify-numba-")
    except OSError as exc:
        raise AsmrClassifyError(
            f"librosa cannot be imported, as numba may write nowhere ({exc}): name a folder that "
            "is yours alone in the environment variable NUMBA_CACHE_DIR"
        ) from exc
    # Not the environment variable: processes that are started here may outlive the folder.
    numba.config.CACHE_DIR = folder.name  # type: ignore[attr-defined]  # made as it is imported
    return folder
