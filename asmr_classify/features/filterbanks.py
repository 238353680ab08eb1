"""librosa's mel filterbanks, kept in the user's cache.

Importing librosa takes a second, which is longer than labelling a clip; so that it happens once,
and not in every process, a filterbank is written to ``filterbanks/`` in the user's cache folder.
It is named by its settings and librosa's version, and made anew where it is missing or damaged.
"""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from importlib.metadata import version
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


def mel_filterbank(
    *, sr: int, n_fft: int, n_mels: int, fmin: float, fmax: float
) -> NDArray[np.float32]:
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
    """
    path = _place(sr, n_fft, n_mels, fmin, fmax)
    kept = _load(path)
    if kept is not None and kept.shape == (n_mels, n_fft // 2 + 1) and kept.dtype == np.float32:
        return kept
    import librosa

    bank = librosa.filters.mel(sr=sr, n_fft=n_fft, n_mels=n_mels, fmin=fmin, fmax=fmax)
    _keep(bank, path)
    return bank


def _place(*settings: float) -> Path:
    from platformdirs import user_cache_path

    text = json.dumps([version("librosa"), settings])
    name = hashlib.sha256(text.encode()).hexdigest()[:16]
    return user_cache_path("asmr-classify") / "filterbanks" / f"{name}.npz"


def _load(path: Path) -> NDArray[np.float32] | None:
    """Read a filterbank; None where it is missing or damaged, which its checksum tells."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            bank: NDArray[np.float32] = archive["bank"]
            return bank
    except Exception:  # noqa: BLE001 (damage makes zipfile, tokenize and NumPy raise whatever there is)
        return None


def _keep(bank: NDArray[np.float32], path: Path) -> None:
    """Write a filterbank whole, or not at all where that is not possible."""
    scratch = path.with_name(f"{path.stem}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with scratch.open("wb") as file:
            np.savez(file, bank=bank)
        scratch.replace(path)
    except OSError:
        with suppress(OSError):
            scratch.unlink()
