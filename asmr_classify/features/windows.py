"""Frame features to window rows, and blocks to rows for recordings of any length.

Windows start at multiples of the window hop; one more ends at the last sample if those leave a
rest. A recording shorter than a window is one window. Rows are invariant to gain.

Law: rows depend on the samples of their window only, so block size never changes a result.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

from asmr_classify.features.edges import level_changes
from asmr_classify.features.encoder import (
    AUDIBLE_DB,
    NOTHING_DB,
    PATCH_SECONDS,
    TEXTURE_FRAMES,
    patch_frames,
)
from asmr_classify.features.frames import analyse
from asmr_classify.features.modulation import modulation_statistics, normalised_statistics
from asmr_classify.features.statistics import (
    impulse_statistics,
    lift,
    scalar_statistics,
    spectral_statistics,
    texture_statistics,
)
from asmr_classify.units import samples_to_frames, seconds_to_samples

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from asmr_classify.config import FeatureSpec, FrameSpec
    from asmr_classify.features.encoder import Encoder
    from asmr_classify.features.frames import Frames

PEAK_SECONDS = 0.125
"""Over which ears add up the loudness of short sounds (IEC 61672-1, time weighting F)."""

SPAN_WINDOWS = 32
"""Windows computed at a time: enough to keep NumPy's overhead per call small, and memory flat."""


@dataclass(frozen=True, slots=True)
class WindowRows:
    """Feature rows of consecutive windows.

    Parameters
    ----------
    X : ndarray of float32, shape (n_windows, n_features)
        Columns as named by :func:`asmr_classify.features.schema.column_names`, and those of an
        encoder, if there is one.
    intervals : ndarray of float64, shape (n_windows, 2)
        Start and end of each window in seconds.
    levels_db : ndarray of float32, shape (n_windows,)
        Mean level in the analysis band, dB relative to a full-scale square wave.
    peaks_db : ndarray of float32, shape (n_windows,)
        Level of the loudest eighth of a second, by the same measure: taps are far louder than the
        mean of the window that they are in.
    changes : ndarray of float16, shape (n_windows, n_points, 2)
        Where the level rises and falls, see :func:`asmr_classify.features.edges.level_changes`.
    """

    X: NDArray[np.float32]
    intervals: NDArray[np.float64]
    levels_db: NDArray[np.float32]
    peaks_db: NDArray[np.float32]
    changes: NDArray[np.float16]

    def where(self, kept: NDArray[np.bool_] | slice) -> WindowRows:
        """Take some of the windows."""
        return WindowRows(*(getattr(self, field.name)[kept] for field in fields(self)))


def iter_window_rows(
    blocks: Iterable[NDArray[np.float32]], spec: FeatureSpec, encoder: Encoder | None = None
) -> Iterator[WindowRows]:
    """Compute the window rows of a recording, a few windows at a time.

    Parameters
    ----------
    blocks : iterable of ndarray of float32, shape (n_samples,), mono
        The recording from its first sample on at the analysis rate, in pieces of any sizes.
    spec : FeatureSpec
    encoder : Encoder, optional
        Gives further columns.

    Yields
    ------
    WindowRows
        In order of time. Nothing is yielded for a recording without samples.
    """
    sr = spec.frames.sr
    window = seconds_to_samples(spec.windows.duration, sr)
    hop = seconds_to_samples(spec.windows.hop, sr)
    step = SPAN_WINDOWS * hop
    held: list[NDArray[np.float32]] = []
    count = start = 0
    for block in blocks:
        held.append(block)
        count += len(block)
        if count < window + step:  # a whole window must be left for the end
            continue
        y = np.concatenate(held)
        while count >= window + step:
            yield _rows(y[: window + step - hop], start, spec, encoder)
            y = y[step:]
            start, count = start + step, count - step
        held = [y]
    if count:
        yield from _last_rows(np.concatenate(held), start, spec, encoder)


def _last_rows(
    held: NDArray[np.float32], start: int, spec: FeatureSpec, encoder: Encoder | None
) -> Iterator[WindowRows]:
    """Rows of what is left at the end, the window that ends at the last sample included."""
    window = seconds_to_samples(spec.windows.duration, spec.frames.sr)
    hop = seconds_to_samples(spec.windows.hop, spec.frames.sr)
    if len(held) < window:  # then it is the whole recording
        yield _rows(held, start, spec, encoder)
        return
    whole = window + (len(held) - window) // hop * hop
    yield _rows(held[:whole], start, spec, encoder)
    if whole < len(held):
        yield _rows(held[-window:], start + len(held) - window, spec, encoder)


def window_rows(
    y: NDArray[np.float32], spec: FeatureSpec, encoder: Encoder | None = None
) -> WindowRows:
    """Compute the window rows of a recording that is already in memory.

    Parameters
    ----------
    y : ndarray of float32, shape (n_samples,), mono
        The whole recording at the analysis rate, at least one sample.
    spec : FeatureSpec
    encoder : Encoder, optional
        Gives further columns.

    Returns
    -------
    WindowRows
    """
    return concatenate_rows(list(iter_window_rows([y], spec, encoder)))


def concatenate_rows(parts: list[WindowRows]) -> WindowRows:
    """Put rows end to end.

    Parameters
    ----------
    parts : list of WindowRows
        At least one.

    Returns
    -------
    WindowRows
    """
    return WindowRows(
        *(np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(WindowRows))
    )


def _rows(
    y: NDArray[np.float32], start: int, spec: FeatureSpec, encoder: Encoder | None
) -> WindowRows:
    """Rows of the windows in one stretch: its length is a window plus a multiple of the hop."""
    frames_spec, sr = spec.frames, spec.frames.sr
    n_samples = len(y)
    y = for_two_frames(y, frames_spec)
    frames = analyse(y, frames_spec)
    window = min(seconds_to_samples(spec.windows.duration, sr), len(y))
    hop = seconds_to_samples(spec.windows.hop, sr)
    n_windows = 1 + (len(y) - window) // hop
    counts = {
        "frames": samples_to_frames(window, frames_spec.n_fft, frames_spec.hop_length),
        "texture": samples_to_frames(
            window, frames_spec.texture_n_fft, frames_spec.texture_hop_length
        ),
    }
    logmel = lift(
        _strided(frames.logmel, counts["frames"], hop // frames_spec.hop_length, n_windows)
    )
    scalars = _strided(frames.scalars, counts["frames"], hop // frames_spec.hop_length, n_windows)
    texture = _strided(
        frames.texture, counts["texture"], hop // frames_spec.texture_hop_length, n_windows
    )
    rate = sr / frames_spec.hop_length
    texture_rate = sr / frames_spec.texture_hop_length
    X = np.concatenate(
        [
            spectral_statistics(logmel),
            scalar_statistics(scalars, logmel),
            texture_statistics(texture, texture_rate),
            impulse_statistics(texture, texture_rate),
            modulation_statistics(logmel, rate),
            normalised_statistics(logmel, rate),
        ],
        axis=1,
    )
    if encoder is not None:
        X = np.concatenate([X, _codes(frames, window, hop, n_windows, spec, encoder)], axis=1)
    starts = start + hop * np.arange(n_windows)
    ends = starts + min(window, n_samples)
    power = 10 ** (scalars[:, :, 0] / 10)
    return WindowRows(
        X=np.nan_to_num(X.astype(np.float32)),
        intervals=np.stack([starts, ends], axis=1) / sr,
        levels_db=_to_db(power.mean(axis=1)),
        peaks_db=_to_db(_loudest(power, max(1, round(PEAK_SECONDS * rate)))),
        changes=level_changes(logmel, spec),
    )


def _codes(
    frames: Frames, window: int, hop: int, n_windows: int, spec: FeatureSpec, encoder: Encoder
) -> NDArray[np.float32]:
    """Encode the seconds of each window, and take the mean of those that are heard in it."""
    of_frames, second = spec.frames, min(seconds_to_samples(PATCH_SECONDS, spec.frames.sr), window)
    starts = np.arange(0, hop * (n_windows - 1) + window - second + 1, hop)
    if n_windows == 1 and starts[-1] < window - second:
        starts = np.append(starts, window - second)
    count, n_texture = patch_frames(of_frames)
    firsts = starts // of_frames.hop_length
    logmel = _patches(frames.logmel, firsts, count, NOTHING_DB)
    texture = _patches(frames.texture, TEXTURE_FRAMES * firsts, n_texture, 0.0)
    codes = encoder.encode(logmel, texture)
    levels_db = logmel.max(axis=(1, 2))
    per_window = len(starts) - n_windows + 1
    places = np.arange(n_windows)[:, None] + np.arange(per_window)
    around = levels_db[places]
    heard = around >= around.max(axis=1, keepdims=True) - AUDIBLE_DB
    sums = (codes[places] * heard[:, :, None]).sum(axis=1)
    return np.asarray(sums / heard.sum(axis=1, keepdims=True), dtype=np.float32)


def _patches(
    frames: NDArray[np.float32], firsts: NDArray[np.int64], count: int, nothing: float
) -> NDArray[np.float32]:
    """Cut patches out of frames, shape (n_patches, count, n_columns); short clips are filled up."""
    missing = count - len(frames)
    if missing > 0:
        frames = np.pad(frames, ((0, missing), (0, 0)), constant_values=nothing)
    return np.asarray(frames[firsts[:, None] + np.arange(count)])


def _loudest(power: NDArray[np.floating], n_frames: int) -> NDArray[np.floating]:
    """Mean power of the loudest run of so many frames in each window, of runs end to end."""
    firsts = np.arange(0, power.shape[1], n_frames)
    counts = np.diff(np.append(firsts, power.shape[1]))
    return np.asarray((np.add.reduceat(power, firsts, axis=1) / counts).max(axis=1))


def _to_db(power: NDArray[np.floating]) -> NDArray[np.float32]:
    return np.asarray(10 * np.log10(power), dtype=np.float32)


def for_two_frames(y: NDArray[np.float32], spec: FrameSpec) -> NDArray[np.float32]:
    """Repeat a clip too short for two frames until it is long enough."""
    n_samples = spec.n_fft + spec.hop_length
    return y if len(y) >= n_samples else np.resize(y, n_samples)


def _strided(
    frames: NDArray[np.float32], count: int, hop: int, n_windows: int
) -> NDArray[np.float32]:
    """View frames as windows: shape (n_windows, count, n_columns)."""
    view = np.lib.stride_tricks.sliding_window_view(frames, count, axis=0)[::hop][:n_windows]
    return np.asarray(view.transpose(0, 2, 1))
