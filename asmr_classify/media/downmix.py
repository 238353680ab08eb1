"""Two channels to one that loses nothing of what either ear hears.

The plain mix of left ``L`` and right ``R`` is the mid, ``M = (L + R) / sqrt(2)``, which vanishes
where they are out of phase. What it loses then stands in the side, ``S = (L - R) / sqrt(2)``, as
in each band ``|M|² + |S|² = |L|² + |R|²``. So the mix is the mid, but the side in the bands and at
the times where the side holds more than :data:`TURN` times the power of the mid. That turns the
sign of the right channel there:

``mix = M - sqrt(2) D{R}``, where ``D`` is one in those bands and zero elsewhere.

Conventions
-----------
- Law: a band of the mix holds at least ``(|L|² + |R|²) / (1 + TURN)``, which is 6 dB under the
  louder ear at worst. A sound in one ear only is 3 dB under it, as in every plain mix.
- Where no band is turned, the mix is the mid to the last bit, as FFmpeg makes it.
- All lies on a grid that is fixed to the first sample, so pieces of any lengths give the same.
- Frames overlap by half under a window whose squares add up to one, so what is turned comes and
  goes in a cross-fade over one hop, 16 ms at 32 kHz.

It is done in two steps, as most of stereo needs no turning. *Cells* are looked at first: the
segments of a cell are added up with random signs, the same ones for both channels, and a spectrum
is taken of the sum. Products of different segments vanish on average, so that its bands tell the
energy of the whole cell [4]_. One segment in which the side outweighs the mid as a whole counts as
well: a short tap would not show in the sum. Only the cells so found are taken apart in frames.

Mixes that keep the power of bands are known from the coding of stereo: some scale the mid up to the
power of the channels [1]_ [2]_, others turn the phase of one channel to that of the other [3]_. But
the mid has no phase to keep where it vanishes, and a phase for each bin smears taps. The choice
between mid and side does neither, and costs nothing where it is not needed.

References
----------
.. [1] Faller and Baumgarte (2003). Binaural cue coding, part II: schemes and applications. IEEE
   Transactions on Speech and Audio Processing 11(6).
.. [2] Thompson, Warner and Smith (2009). An active multichannel downmix enhancement for minimizing
   spatial and spectral distortions. 127th AES Convention.
.. [3] Samsudin, Kurniawati, Ng, Sattar and George (2006). A stereo to mono downmixing scheme for
   MPEG-4 parametric stereo encoder. ICASSP.
.. [4] Achlioptas (2003). Database-friendly random projections: Johnson-Lindenstrauss with binary
   coins. Journal of Computer and System Sciences 66(4).
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    Samples = NDArray[np.float32]

TURN = 3.0
"""The right channel is turned where the side holds more than so many times the power of the mid.
Noise that is not alike in both ears has as much of either; at 3, hardly any band of it is turned
by chance, and the loss of what is not turned stays at 6 dB."""

N_FFT = 1024
HOP = N_FFT // 2
SMOOTH = 1
"""Frames before and behind, over which powers are added up: 64 ms in all at 32 kHz. One frame by
itself is turned by chance more often; over more of them, a tap is lost in what lasts longer."""

LEAST_BINS = 8
"""Bands are third octaves, but no narrower than so many bins (250 Hz at 32 kHz): power in fewer is
too much by chance. What is out of phase in less than a band is not seen."""

CELL = 32 * N_FFT
FOLDS = 3
"""Sums of a cell's segments, each with signs of its own. With the bins of the narrowest band they
make some 40 degrees of freedom: noise that differs between the ears has one cell in 200 looked at
closely for nothing."""

BATCH = 4 * CELL
"""Samples that are mixed at a time, 4 s at 32 kHz: more are no faster, fewer cost more calls."""

STRIDE = 8
"""One step in so many is enough to tell how loud mid and side are in a segment."""

LEAST_POWER = 1e-12
"""A side below -120 dBFS in a band is rounding."""

LAG = (SMOOTH + 1) * HOP
"""The mix ends so many samples before what is known: a frame needs those behind it."""

CONTEXT = LAG + SMOOTH * HOP
HALF_POWER = np.float32(np.sqrt(0.5))


def mix_down(pieces: Iterable[Sequence[Samples]]) -> Iterator[Samples]:
    """Mix stereo to one channel, and pass one channel on as it is.

    Parameters
    ----------
    pieces : iterable of sequences of one or two ndarrays of float32, shape (n_samples,)
        The channels of stretches of sound of any lengths, end to end, finite.

    Yields
    ------
    ndarray of float32, shape (1, n_samples)
        Together as long as the pieces, and the same however these were cut.

    Examples
    --------
    >>> y = np.ones(3, dtype=np.float32)
    >>> [mixed] = mix_down([(y, -y)])
    >>> mixed.round(3)
    array([[1.414, 1.414, 1.414]], dtype=float32)
    """
    mix: _Mix | None = None
    for channels in pieces:
        if len(channels) == 1:
            if mix is not None:
                yield from mix.flush()
                mix = None
            yield channels[0][None]
        else:
            mix = mix or _Mix()
            yield from mix.push(*channels)
    if mix is not None:
        yield from mix.flush()


class _Mix:
    """Stereo on its way to one channel.

    The buffer holds ``CONTEXT`` samples of before, and a batch. The batch is looked at, and what is
    mixed lies ``LAG`` samples before it. At first that is silence, which is left out.
    """

    def __init__(self) -> None:
        self._buffer = np.zeros((2, CONTEXT + BATCH), dtype=np.float32)
        self._filled = CONTEXT
        self._to_leave_out = LAG
        self._was_lossy = False
        self._tail = np.zeros(HOP, dtype=np.float32)
        self._scratch = np.empty(BATCH, dtype=np.float32)  # a new one each time costs page faults

    def push(self, left: Samples, right: Samples) -> Iterator[Samples]:
        """Take samples in, and give what they complete."""
        start = 0
        while start < len(left):
            end = start + self._buffer.shape[1] - self._filled
            n_samples = len(left[start:end])
            room = self._buffer[:, self._filled : self._filled + n_samples]
            room[0], room[1] = left[start:end], right[start:end]
            self._filled += n_samples
            start += n_samples
            if self._filled == self._buffer.shape[1]:
                yield self._mix(BATCH)

    def flush(self) -> Iterator[Samples]:
        """Give all that is still held back."""
        owed = self._filled - CONTEXT + LAG - self._to_leave_out
        while owed > 0:
            n_cells = max(1, -(-(self._filled - CONTEXT) // CELL))
            self._buffer[:, self._filled : CONTEXT + n_cells * CELL] = 0
            y = self._mix(n_cells * CELL)[:, :owed]
            owed -= y.shape[1]
            yield y

    def _mix(self, n_samples: int) -> Samples:
        """Mix a batch, and let its end be the context of the next."""
        left, right = self._buffer[:, CONTEXT - LAG : CONTEXT - LAG + n_samples]
        y: Samples = left * HALF_POWER
        y += np.multiply(right, HALF_POWER, out=self._scratch[:n_samples])
        y[:HOP] += self._tail
        added = self._turn(self._find_lossy(n_samples))
        y += added[:n_samples] if len(added) > HOP else 0
        self._tail = added[-HOP:]
        end = CONTEXT + n_samples
        self._buffer[:, :CONTEXT] = self._buffer[:, end - CONTEXT : end]
        self._filled = CONTEXT
        first, self._to_leave_out = self._to_leave_out, 0
        return y[None, first:]

    def _find_lossy(self, n_samples: int) -> NDArray[np.bool_]:
        """Find the cells in whose mid a band is lost, or a segment."""
        cells = self._buffer[:, CONTEXT : CONTEXT + n_samples]
        scratch = self._scratch[: 2 * n_samples // STRIDE].reshape(2, -1)
        steps = np.subtract(cells[:, 1::STRIDE], cells[:, ::STRIDE], out=scratch)
        return _lose_a_band(cells) | _lose_a_segment(steps)

    def _turn(self, lossy: NDArray[np.bool_]) -> Samples:
        """Make what is to be added to the mid, and ``HOP`` samples behind its end."""
        if not (self._was_lossy or lossy.any()):
            return np.zeros(HOP, dtype=np.float32)
        before = np.full(LAG // HOP, self._was_lossy)
        hops = np.concatenate([before, np.repeat(lossy, CELL // HOP)])
        self._was_lossy = bool(lossy[-1])
        n_hops = len(hops) - len(before)
        active = (hops[:-1] | hops[1:])[:n_hops]  # a frame covers two hops
        y = np.zeros((n_hops + 1) * HOP, dtype=np.float32)
        if active.any():
            first, last = np.flatnonzero(active)[[0, -1]]
            parts = self._turn_frames(first, active[first : last + 1])
            _overlap_add(y[first * HOP :], parts)
        return y

    def _turn_frames(self, first: int, active: NDArray[np.bool_]) -> Samples:
        """Cut frames, the first at a hop of the mix, and make what is to be added in each."""
        from scipy import fft

        start = CONTEXT - LAG + (first - SMOOTH) * HOP
        n_samples = (len(active) + 2 * SMOOTH - 1) * HOP + N_FFT
        stretch = self._buffer[:, start : start + n_samples]
        frames = np.lib.stride_tricks.sliding_window_view(stretch, N_FFT, axis=1)[:, ::HOP]
        spectra = fft.rfft(frames * _window(), axis=-1)
        mid, side = (_add_neighbours(power) for power in _band_powers(spectra))
        turned = _is_lost(mid, side) & active[:, None]
        right = spectra[1, SMOOTH:-SMOOTH]
        right *= turned @ _turning()
        return np.asarray(fft.irfft(right, axis=-1) * _window())


def _is_lost(mid: Samples, side: Samples) -> NDArray[np.bool_]:
    return side > TURN * mid + np.float32(LEAST_POWER)


def _lose_a_band(cells: Samples) -> NDArray[np.bool_]:
    """Tell for each cell, of shape (2, n_samples) end to end, whether a band is lost in its mid."""
    from scipy import fft

    folded = _signs() @ cells.reshape(2, -1, CELL // N_FFT, N_FFT)
    folded *= np.square(_window())
    spectra = fft.rfft(folded.reshape(2, -1, N_FFT), axis=-1)
    mid, side = (
        power.reshape(-1, FOLDS, power.shape[1]).sum(axis=1) for power in _band_powers(spectra)
    )
    return np.asarray(_is_lost(mid, side).any(axis=1))


def _lose_a_segment(steps: Samples) -> NDArray[np.bool_]:
    """Tell for each cell whether one of its segments is lost in its mid; by steps of the samples.

    Steps weigh treble more, so that rumble does not hide what is heard.
    """
    left, right = steps.reshape(2, -1, N_FFT // STRIDE)
    total = np.einsum("ij,ij->i", left, left) + np.einsum("ij,ij->i", right, right)
    cross = 2 * np.einsum("ij,ij->i", left, right)
    lost = _is_lost((total + cross) * STRIDE / N_FFT, (total - cross) * STRIDE / N_FFT)
    return np.asarray(lost.reshape(-1, CELL // N_FFT).any(axis=1))


def _band_powers(spectra: NDArray[np.complex64]) -> tuple[Samples, Samples]:
    """Compute twice the power of mid and side in each band, of two channels' spectra."""
    left, right = spectra.view(np.float32)
    products = left * right
    cross = products @ _bands()
    cross *= 2
    np.square(left, out=products)
    products += np.square(right)
    total = products @ _bands()
    return total + cross, total - cross


def _add_neighbours(power: Samples) -> Samples:
    around = np.lib.stride_tricks.sliding_window_view(power, 2 * SMOOTH + 1, axis=0)
    return np.asarray(around.sum(axis=-1))


def _overlap_add(y: Samples, frames: Samples) -> None:
    for k in (0, 1):
        some = frames[k::2].ravel()
        y[k * HOP : k * HOP + len(some)] += some


@cache
def _window() -> Samples:
    """Give the root of a Hann window."""
    return np.sin(np.pi * (np.arange(N_FFT) + 0.5) / N_FFT).astype(np.float32)


@cache
def _signs() -> Samples:
    return np.random.default_rng(0).choice(
        np.array([-1, 1], dtype=np.float32), (FOLDS, CELL // N_FFT)
    )


@cache
def _band_of_bin() -> NDArray[np.bool_]:
    """Give the bands as a matrix of shape (n_bins, n_bands)."""
    edges = [0]
    while edges[-1] <= HOP:
        edges.append(max(edges[-1] + LEAST_BINS, round(edges[-1] * 2 ** (1 / 3))))
    bins = np.arange(HOP + 1)[:, None]
    return np.asarray((bins >= edges[:-1]) & (bins < edges[1:]))


@cache
def _bands() -> Samples:
    """Sum real and imaginary parts over bands, so that a sum over all is twice a mean square."""
    scale = np.float32(1 / (HOP * HOP))
    return np.repeat(_band_of_bin(), 2, axis=0) * scale


@cache
def _turning() -> Samples:
    """Weigh the bins of a band that is turned."""
    return np.ascontiguousarray(_band_of_bin().T * np.float32(-np.sqrt(2)))
