"""A small network of convolutions, there and back: what scikit-learn has no estimator for.

Networks of this kind are fitted by libraries of gigabytes. This one is small enough for NumPy: a
convolution is a matrix product over what its kernel sees, and the way back is two more. Each is
followed by batch normalisation [1]_, which becomes part of its weights once all are fitted.

References
----------
.. [1] Ioffe and Szegedy (2015). Batch normalization. ICML.
.. [2] Loshchilov and Hutter (2019). Decoupled weight decay regularization. ICLR.
.. [3] He et al. (2015). Delving deep into rectifiers. ICCV.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from asmr_classify.estimators import Network, rounded
from asmr_classify.features.encoder import (
    CODE,
    MIXING,
    N_SPECTRAL,
    Encoder,
    Kernel,
    Layer,
    kernels_of,
    pool,
)
from asmr_classify.features.frames import N_TEXTURE_BANDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from asmr_classify.training.spec import EncoderSpec

    Array = NDArray[np.float32]
    Weights = dict[str, Array]

DECAY, SQUARED_DECAY = 0.9, 0.999
"""Of the means of gradients, and of their squares, in Adam."""

RUNNING = 0.05
"""How much a step counts in the means and variances that are kept for afterwards."""

LEAST_VARIANCE = 1e-5

INITIAL_VARIANCE = 1 / 3
"""Of weights before any step, over the number of inputs. Normalisation undoes the size of weights,
but steps change small ones by more of themselves: with 2 [3]_ instead, all else alike, a fit was
worse by 0.03 of mean AP on either of two folds."""


class Convolution:
    """A convolution, batch normalisation and rectification, there and back."""

    def __init__(self, kernel: Kernel, n_in: int, n_out: int, rng: np.random.Generator) -> None:
        n_seen = kernel.size[0] * kernel.size[1] * n_in
        weight = rng.normal(size=(n_seen, n_out)) * np.sqrt(INITIAL_VARIANCE / n_seen)
        self.kernel = kernel
        self.values: Weights = {
            "weight": weight.astype(np.float32),
            "gain": np.ones(n_out, np.float32),
            "bias": np.zeros(n_out, np.float32),
        }
        self.slopes: Weights = {}
        # Both begin at nothing, and the share of that in them is known: see layer.
        self.mean, self.variance = np.zeros(n_out, np.float32), np.zeros(n_out, np.float32)
        self._begun = 1.0

    def forward(self, x: Array) -> Array:
        """Compute outputs, shape (n_patches, n_places, n_band_places, n_out)."""
        columns = self.kernel.columns(x)
        self._shape_in, self._shape_out = x.shape, columns.shape[:3]
        self._columns = columns.reshape(-1, columns.shape[-1])
        z = self._columns @ self.values["weight"]
        mean = z.mean(axis=0)
        z -= mean
        variance = np.einsum("ij,ij->j", z, z) / len(z)
        self.mean += RUNNING * (mean - self.mean)
        self.variance += RUNNING * (variance - self.variance)
        self._begun *= 1 - RUNNING
        self._scale = (1 / np.sqrt(variance + LEAST_VARIANCE)).astype(np.float32)
        z *= self._scale
        y = z * self.values["gain"]
        y += self.values["bias"]
        np.maximum(y, 0, out=y)
        self._normal, self._out = z, y
        return np.asarray(y.reshape(*self._shape_out, -1))

    def backward(self, slope: Array, *, further: bool = True) -> Array:
        """Take the gradients by outputs to those by weights and, if wanted, by inputs."""
        slope = slope.reshape(self._out.shape) * (self._out > 0)
        of_bias, of_gain = slope.sum(axis=0), np.einsum("ij,ij->j", slope, self._normal)
        slope -= of_bias / len(slope)
        slope -= self._normal * (of_gain / len(slope))
        slope *= self.values["gain"] * self._scale
        self.slopes = {"weight": self._columns.T @ slope, "gain": of_gain, "bias": of_bias}
        if not further:
            return slope
        return self._spread(slope @ self.values["weight"].T)

    def _spread(self, columns: Array) -> Array:
        """Add up what lies at each place of the input: the reverse of :meth:`Kernel.columns`."""
        (n_patches, n_times, n_bands, n_in), kernel = self._shape_in, self.kernel
        (over_time, over_bands), (step, band_step) = kernel.padding, kernel.stride
        _, n_places, n_band_places = self._shape_out
        seen = columns.reshape(*self._shape_out, *kernel.size, n_in)
        x = np.zeros(
            (n_patches, n_times + 2 * over_time, n_bands + 2 * over_bands, n_in), np.float32
        )
        for k in range(kernel.size[0]):
            for band in range(kernel.size[1]):
                times = slice(k, k + step * n_places, step)
                bands = slice(band, band + band_step * n_band_places, band_step)
                x[:, times, bands] += seen[:, :, :, k, band]
        return x[:, over_time : over_time + n_times, over_bands : over_bands + n_bands]

    def layer(self) -> Layer:
        """Make its normalisation part of its weights; before any step there is none."""
        known = 1 - self._begun
        mean = self.mean / known if known else self.mean
        variance = self.variance / known if known else np.ones_like(self.variance)
        gain = self.values["gain"] / np.sqrt(variance + LEAST_VARIANCE)
        bias = self.values["bias"] - mean * gain
        return Layer(rounded(self.values["weight"] * gain), rounded(bias))


class Head:
    """One linear layer, there and back."""

    def __init__(self, n_in: int, n_out: int, rng: np.random.Generator) -> None:
        weight = rng.normal(size=(n_in, n_out)) * np.sqrt(INITIAL_VARIANCE / n_in)
        self.values: Weights = {
            "weight": weight.astype(np.float32),
            "bias": np.zeros(n_out, np.float32),
        }
        self.slopes: Weights = {}

    def forward(self, x: Array) -> Array:
        """Compute outputs, shape (n_patches, n_out)."""
        self._x = x
        return np.asarray(x @ self.values["weight"] + self.values["bias"])

    def backward(self, slope: Array) -> Array:
        """Take the gradients by outputs to those by weights and inputs."""
        self.slopes = {"weight": self._x.T @ slope, "bias": slope.sum(axis=0)}
        return np.asarray(slope @ self.values["weight"].T)

    def network(self) -> Network:
        """Give it as what models hold."""
        return Network((rounded(self.values["weight"]),), (rounded(self.values["bias"]),))


class TrainedNetwork:
    """All layers: what :class:`Encoder` computes, with heads, there and back."""

    def __init__(
        self, n_mels: int, n_outputs: Sequence[int], spec: EncoderSpec, rng: np.random.Generator
    ) -> None:
        kernels = kernels_of(n_mels)
        self._rng, self._dropped = rng, spec.dropped_share
        spectral = [1, *(spec.width * k for k in (1, 2, 4, 6, 8))]
        texture = [N_TEXTURE_BANDS, *(spec.texture_width * k for k in (1, 2, 2, 3))]
        self._n_spectral, n_together = spectral[-1], spectral[-1] + texture[-1]
        self.spectral = _chain(kernels[:N_SPECTRAL], spectral, rng)
        self.texture = _chain(kernels[N_SPECTRAL:-2], texture, rng)
        self.mixing = Convolution(MIXING, n_together, n_together, rng)
        self.code = Convolution(CODE, 2 * n_together, spec.codes, rng)
        self.heads = [Head(spec.codes, n_out, rng) for n_out in n_outputs]

    def fitted(self) -> list[Convolution | Head]:
        """List all that has weights."""
        return [*self.spectral, *self.texture, self.mixing, self.code, *self.heads]

    def forward(self, spectral: Array, envelopes: Array) -> list[Array]:
        """Compute what each head says, some codes left out at random."""
        x, y = spectral[..., None], envelopes[:, :, None]
        for layer in self.spectral:
            x = layer.forward(x)
        for layer in self.texture:
            y = layer.forward(y)
        together = np.concatenate([x, y], axis=3)
        together = together + self.mixing.forward(together)
        self._shape, self._highest = together.shape, together.argmax(axis=1, keepdims=True)
        codes = self.code.forward(pool(together))[:, 0, 0]
        kept = self._rng.random(codes.shape, dtype=np.float32) >= self._dropped
        self._kept: Array = np.where(kept, np.float32(1 / (1 - self._dropped)), np.float32(0))
        return [head.forward(codes * self._kept) for head in self.heads]

    def backward(self, slopes: Sequence[Array]) -> None:
        """Take the gradients by what was said to all weights."""
        of_codes = sum(head.backward(slope) for head, slope in zip(self.heads, slopes, strict=True))
        pooled = self.code.backward(np.asarray(of_codes, np.float32) * self._kept)
        _, n_times, _, n_together = self._shape
        of_mean, of_highest = pooled[..., :n_together], pooled[..., n_together:]
        slope = np.repeat(of_mean / n_times, n_times, axis=1)
        highest = np.take_along_axis(slope, self._highest, axis=1) + of_highest
        np.put_along_axis(slope, self._highest, highest, axis=1)
        slope = slope + self.mixing.backward(slope)
        _back(self.spectral, slope[..., : self._n_spectral])
        _back(self.texture, slope[..., self._n_spectral :])

    def encoder(self, n_mels: int) -> Encoder:
        """Give all but the heads as what models hold."""
        chain = [*self.spectral, *self.texture, self.mixing, self.code]
        return Encoder(tuple(each.layer() for each in chain), n_mels)


def _chain(
    kernels: Sequence[Kernel], widths: Sequence[int], rng: np.random.Generator
) -> list[Convolution]:
    pairs = zip(kernels, widths[:-1], widths[1:], strict=True)
    return [Convolution(kernel, n_in, n_out, rng) for kernel, n_in, n_out in pairs]


def _back(chain: Sequence[Convolution], slope: Array) -> None:
    for k in range(len(chain) - 1, -1, -1):
        slope = chain[k].backward(slope, further=k > 0)


class Adam:
    """Adam, with weights that decay of themselves [2]_."""

    def __init__(self, fitted: Sequence[Convolution | Head], weight_decay: float) -> None:
        self._fitted, self._weight_decay, self._n_steps = fitted, weight_decay, 0
        self._means = [
            {
                name: (np.zeros_like(value), np.zeros_like(value))
                for name, value in each.values.items()
            }
            for each in fitted
        ]

    def step(self, rate: float) -> None:
        """Change all weights by their gradients."""
        self._n_steps += 1
        unbiased, unbiased_squares = (1 - decay**self._n_steps for decay in (DECAY, SQUARED_DECAY))
        for each, means in zip(self._fitted, self._means, strict=True):
            for name, weights in each.values.items():
                slope, (mean, square) = each.slopes[name], means[name]
                mean += (1 - DECAY) * (slope - mean)
                square += (1 - SQUARED_DECAY) * (np.square(slope) - square)
                if name == "weight":
                    weights[...] *= 1 - rate * self._weight_decay
                weights[...] -= (
                    rate * (mean / unbiased) / (np.sqrt(square / unbiased_squares) + 1e-8)
                )
