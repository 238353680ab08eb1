"""What a small convolutional network hears in each second of sound: columns that are learnt.

All other columns are statistics that somebody thought of. The network sees what those are taken of,
log-mel levels and texture envelopes, and where in a second what follows what: its layers find short
patterns, then patterns of these, and what it makes of them is averaged over the second and taken at
its highest [1]_. Level does not matter: a second is seen relative to its loudest moment.

Conventions
-----------
Arrays are ``(n_patches, n_times, n_bands, n_channels)``. A *patch* is what lies in one second. A
convolution is one matrix product over all of its places; training goes the same way back.

References
----------
.. [1] Hershey et al. (2017). CNN architectures for large-scale audio classification. ICASSP.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from asmr_classify.features.frames import N_TEXTURE_BANDS
from asmr_classify.features.schema import fingerprint
from asmr_classify.units import samples_to_frames, seconds_to_samples

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from asmr_classify.config import FeatureSpec, FrameSpec

    Array = NDArray[np.float32]

PATCH_SECONDS = 1.0

TEXTURE_FRAMES = 4
"""Texture frames to a spectral one."""

DEPTH_DB = 80.0
"""Levels are cut off that far below the loudest of their patch."""

AUDIBLE_DB = 20.0
"""Seconds whose loudest moment is quieter than that of another of the same window by more say
nothing of the window."""

NOTHING_DB = -200.0
"""Level of frames that are none: sound of less than a second is filled up."""

NO_SPECTRUM, NO_ENVELOPE = 2 - DEPTH_DB / 20, -1.2
"""What the network sees of them, see :func:`standard_patches`."""

STRIDES = 8
"""By how much all layers together shorten time; patches are filled up to a multiple of it."""

MOST_CHANNELS = 1024
"""More are refused: the widest layer of the usual size has 256, and memory grows with them."""

PATCHES_AT_ONCE = 16
"""What lies between the layers then fits the processor's cache."""


@dataclass(frozen=True, slots=True)
class Kernel:
    """Where a convolution looks, in frames and bands.

    Parameters
    ----------
    size, stride, padding : tuple of int
        Over time, and over bands.
    """

    size: tuple[int, int]
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)

    def columns(self, x: Array) -> Array:
        """Lay out what the kernel sees at each of its places.

        Parameters
        ----------
        x : ndarray of float32, shape (n_patches, n_times, n_bands, n_channels)

        Returns
        -------
        ndarray of float32, shape (n_patches, n_places, n_band_places, n_seen)
        """
        if any(self.padding):
            over_time, over_bands = self.padding
            x = np.pad(x, ((0, 0), (over_time, over_time), (over_bands, over_bands), (0, 0)))
        seen = sliding_window_view(x, self.size, axis=(1, 2))
        seen = seen[:, :: self.stride[0], :: self.stride[1]].transpose(0, 1, 2, 4, 5, 3)
        return np.asarray(np.ascontiguousarray(seen).reshape(*seen.shape[:3], -1))


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """A convolution, rectified.

    Parameters
    ----------
    weight : ndarray of float32, shape (n_seen, n_channels)
    bias : ndarray of float32, shape (n_channels,)
    """

    weight: Array
    bias: Array

    def apply(self, kernel: Kernel, x: Array) -> Array:
        """Convolve, shape (n_patches, n_places, n_band_places, n_channels)."""
        columns = kernel.columns(x)
        y = columns.reshape(-1, columns.shape[-1]) @ self.weight
        y += self.bias
        np.maximum(y, 0, out=y)
        return np.asarray(y.reshape(*columns.shape[:3], -1))


SPECTRAL = (
    Kernel((6, 5), (4, 2), (1, 2)),
    Kernel((3, 3), (2, 2), (1, 1)),
    Kernel((3, 3), (1, 2), (1, 1)),
    Kernel((3, 3), (1, 2), (1, 1)),
)
"""Over the log-mel spectrogram; one more takes all bands that are left."""

TEXTURE = (
    Kernel((8, 1), (4, 1), (2, 0)),
    Kernel((4, 1), (2, 1), (1, 0)),
    Kernel((4, 1), (2, 1), (1, 0)),
    Kernel((4, 1), (2, 1), (1, 0)),
)
"""Over the texture envelopes, whose bands are its channels."""

MIXING = Kernel((3, 1), (1, 1), (1, 0))
CODE = Kernel((1, 1))


def kernels_of(n_mels: int) -> tuple[Kernel, ...]:
    """List the kernels of all layers: spectral, texture, mixing, code.

    Parameters
    ----------
    n_mels : int
        Bands of the log-mel spectrogram.
    """
    left = n_mels
    for kernel in SPECTRAL:
        left = -(-left // kernel.stride[1])
    return (*SPECTRAL, Kernel((1, left)), *TEXTURE, MIXING, CODE)


N_SPECTRAL = len(SPECTRAL) + 1
N_LAYERS = N_SPECTRAL + len(TEXTURE) + 2


@dataclass(frozen=True, slots=True, eq=False)
class Encoder:
    """A fitted network.

    Parameters
    ----------
    layers : tuple of Layer
        In the order of :func:`kernels_of`; normalisation is part of their weights.
    n_mels : int
    """

    layers: tuple[Layer, ...] = field(repr=False)
    n_mels: int

    @property
    def width(self) -> int:
        """How many columns it gives."""
        return len(self.layers[-1].bias)

    def encode(self, logmel: Array, texture: Array) -> Array:
        """Encode patches.

        Parameters
        ----------
        logmel : ndarray of float32, shape (n_patches, n_frames, n_mels), in dB
        texture : ndarray of float32, shape (n_patches, n_texture_frames, N_TEXTURE_BANDS)

        Returns
        -------
        ndarray of float32, shape (n_patches, width), not negative
        """
        codes = np.empty((len(logmel), self.width), dtype=np.float32)
        for first in range(0, len(logmel), PATCHES_AT_ONCE):
            part = slice(first, first + PATCHES_AT_ONCE)
            codes[part] = self._encode(*standard_patches(logmel[part], texture[part]))
        return codes

    def _encode(self, spectral: Array, texture: Array) -> Array:
        steps = iter(zip(kernels_of(self.n_mels), self.layers, strict=True))
        x, y = spectral[..., None], texture[:, :, None]
        for _ in range(N_SPECTRAL):
            kernel, layer = next(steps)
            x = layer.apply(kernel, x)
        for _ in range(len(TEXTURE)):
            kernel, layer = next(steps)
            y = layer.apply(kernel, y)
        together = np.concatenate([x, y], axis=3)
        kernel, layer = next(steps)
        together += layer.apply(kernel, together)
        kernel, layer = next(steps)
        return layer.apply(kernel, pool(together))[:, 0, 0]

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Name all arrays, as files hold them."""
        named: dict[str, NDArray[Any]] = {"encoder.bands": np.array([self.n_mels], np.int32)}
        for k, layer in enumerate(self.layers):
            named[f"encoder.weight.{k}"], named[f"encoder.bias.{k}"] = layer.weight, layer.bias
        return named

    @classmethod
    def of_arrays(cls, named: Mapping[str, NDArray[Any]]) -> Encoder | None:
        """Put an encoder together again; None if there is none, KeyError if an array is missing."""
        if "encoder.bands" not in named:
            return None
        n_layers = next(k for k in count() if f"encoder.weight.{k}" not in named)
        layers = (
            Layer(named[f"encoder.weight.{k}"], named[f"encoder.bias.{k}"]) for k in range(n_layers)
        )
        return cls(tuple(layers), int(named["encoder.bands"].item()))

    def digest(self) -> bytes:
        """Compute the SHA-256 of all that decides what it says."""
        digest = hashlib.sha256()
        for name, array in self.arrays().items():
            digest.update(f"{name}{array.shape}".encode())
            digest.update(np.ascontiguousarray(array).data)
        return digest.digest()

    def fits(self, spec: FeatureSpec) -> bool:
        """Whether the arrays fit together, and to features of this kind."""
        if self.n_mels != spec.frames.n_mels or not suits(spec) or len(self.layers) != N_LAYERS:
            return False
        channels, inputs = 1, {N_SPECTRAL: N_TEXTURE_BANDS}
        widths: list[int] = []
        for k, (kernel, layer) in enumerate(zip(kernels_of(self.n_mels), self.layers, strict=True)):
            channels = inputs.get(k, channels)
            if k == N_LAYERS - 2:  # of both, side by side
                channels = widths[N_SPECTRAL - 1] + widths[-1]
            if k == N_LAYERS - 1:  # their mean, and their highest
                channels = 2 * widths[-1]
            n_seen = kernel.size[0] * kernel.size[1] * channels
            if layer.weight.ndim != 2 or layer.weight.shape[0] != n_seen:
                return False
            channels = layer.weight.shape[1]
            if layer.bias.shape != (channels,) or not 0 < channels <= MOST_CHANNELS:
                return False
            widths.append(channels)
        return bool(widths[-2] == widths[N_SPECTRAL - 1] + widths[-3])


def suits(spec: FeatureSpec) -> bool:
    """Whether seconds of such features can be encoded.

    There must be frames in them, in the ratio that kernels go together over, and windows must
    consist of whole seconds, a hop apart: else a window's codes would depend on its neighbours.
    """
    frames, windows = spec.frames, spec.windows
    steps = (windows.duration - PATCH_SECONDS) / windows.hop
    return (
        frames.hop_length == TEXTURE_FRAMES * frames.texture_hop_length
        and min(patch_frames(frames)) > 0
        and steps >= 0
        and abs(steps - round(steps)) < 1e-6
    )


@lru_cache(maxsize=8)
def named_with(spec: FeatureSpec, encoder: Encoder | None) -> str:
    """Name features by all that decides them: their fingerprint, and the encoder if there is one.

    The name is kept: it is asked for once a file, and an encoder is a megabyte to hash.

    Parameters
    ----------
    spec : FeatureSpec
    encoder : Encoder or None
    """
    name = fingerprint(spec)
    return name if encoder is None else f"{name} {encoder.digest().hex()}"


def pool(x: Array) -> Array:
    """Take mean and highest over time, shape (n_patches, 1, 1, 2 * n_channels)."""
    return np.concatenate(
        [x.mean(axis=(1, 2), keepdims=True), x.max(axis=(1, 2), keepdims=True)], axis=3
    )


def patch_frames(spec: FrameSpec) -> tuple[int, int]:
    """Count the spectral and the texture frames that lie wholly in a patch."""
    n_samples = seconds_to_samples(PATCH_SECONDS, spec.sr)
    return (
        samples_to_frames(n_samples, spec.n_fft, spec.hop_length),
        samples_to_frames(n_samples, spec.texture_n_fft, spec.texture_hop_length),
    )


def standard_patches(logmel: Array, texture: Array) -> tuple[Array, Array]:
    """Bring patches to what the network takes: independent of level, and filled up.

    Parameters
    ----------
    logmel : ndarray of float32, shape (n_patches, n_frames, n_mels), in dB
    texture : ndarray of float32, shape (n_patches, n_texture_frames, N_TEXTURE_BANDS)

    Returns
    -------
    spectral : ndarray of float32, shape (n_patches, n_times, n_mels)
        About -2 to 2.
    envelopes : ndarray of float32, shape (n_patches, 4 * n_times, N_TEXTURE_BANDS)
        About -1 to 3.
    """
    loudest = logmel.max(axis=(1, 2), keepdims=True)
    spectral = np.maximum(logmel - loudest, -DEPTH_DB) / 20 + 2
    highest = texture.max(axis=(1, 2), keepdims=True)
    envelopes = (texture / np.maximum(highest, 1e-9) - 0.3) * 4
    n_times = -(-logmel.shape[1] // STRIDES) * STRIDES
    return (
        _filled(spectral, n_times, NO_SPECTRUM),
        _filled(envelopes, TEXTURE_FRAMES * n_times, NO_ENVELOPE),
    )


def _filled(x: Array, n_times: int, value: float) -> Array:
    """Fill patches up to so many frames, or cut them."""
    x = x[:, :n_times].astype(np.float32, copy=False)
    missing = n_times - x.shape[1]
    return np.pad(x, ((0, 0), (0, missing), (0, 0)), constant_values=value) if missing else x
