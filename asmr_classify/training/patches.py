"""Seconds of sound for an encoder to learn from, and changed ones.

Seconds are changed each time that they are shown: other speeds, rooms and microphones, no highs,
hiss, bands and moments left out [1]_, and other seconds laid over them, which then hold the labels
of both [2]_.

References
----------
.. [1] Park et al. (2019). SpecAugment: a simple data augmentation method for automatic speech
   recognition. Interspeech.
.. [2] Zhang et al. (2018). mixup: beyond empirical risk minimization. ICLR.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from asmr_classify.errors import CorpusError
from asmr_classify.features.encoder import (
    NO_ENVELOPE,
    NO_SPECTRUM,
    NOTHING_DB,
    PATCH_SECONDS,
    TEXTURE_FRAMES,
    patch_frames,
    standard_patches,
)
from asmr_classify.features.filterbanks import mel_filterbank
from asmr_classify.features.frames import COMPRESSION, N_TEXTURE_BANDS, analyse, mel_settings
from asmr_classify.features.windows import for_two_frames
from asmr_classify.threads import one_thread
from asmr_classify.training.augment import coloured_noise
from asmr_classify.training.kinds import kind_targets
from asmr_classify.training.parallel import iter_results
from asmr_classify.training.takes import clip_sound, clip_targets
from asmr_classify.units import seconds_to_samples

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from asmr_classify.config import FrameSpec
    from asmr_classify.features.filterbanks import MelSettings
    from asmr_classify.training.corpus import Clip, Corpus
    from asmr_classify.training.spec import EncoderSpec

    Array = NDArray[np.float32]

QUIET_DB = 20.0
"""Seconds of a sound whose loudest frame is quieter than that of the whole by more teach nothing:
what they hold is not what the sound was named for."""

SILENT_DB = -85.0
"""Nothing is to be heard in seconds below."""

SMOOTHING = 0.02
"""Labels are learnt as so much less, or more, than certain."""

MOST_WEIGHT = 4.0
"""To mean weight: no clip pulls harder."""

KNOTS = 5
"""Random gains are smooth over the bands: lines between so many."""

HISSES = 256
"""Seconds of noise to draw from."""

SHORTEST_GAP = 2
"""Frames of a moment that is left out, at least."""


@dataclass(frozen=True, slots=True, eq=False)
class Patches:
    """Seconds of sound, and what is known of them.

    Parameters
    ----------
    logmel : ndarray of float16, shape (n_frames, n_mels), in dB
        Of all sounds, end to end.
    texture : ndarray of float16, shape (4 * n_frames, N_TEXTURE_BANDS)
    offsets : ndarray of int64, shape (n_sounds + 1,)
        Frames ``offsets[k]`` up to ``offsets[k + 1]`` are of sound ``k``; no patch begins in the
        last of them that does not end there.
    firsts : ndarray of int64, shape (n_patches,)
        First spectral frame of each.
    sounds : ndarray of int64, shape (n_patches,)
        The sound that each is of.
    opinions : ndarray of float32, shape (n_patches, n_hints)
        What the teacher says of each, in its principal components.
    folds : ndarray of int64, shape (n_sounds,)
        -1 for sound that is in no fold.
    labels : ndarray of float32, shape (n_sounds, n_labels)
    kinds : ndarray of float32, shape (n_sounds, n_kinds)
    weights : ndarray of float32, shape (n_sounds,)
        Of each second of a sound; 0 where nobody labelled.
    frames : tuple of int
        Spectral and texture frames of a patch.
    rates : tuple of float
        Spectral and texture frames in a second.
    centres : tuple of ndarray of float64, of shape (n_mels,) and (N_TEXTURE_BANDS,)
        Where spectral and texture bands lie, in Hz.
    hiss : tuple of ndarray of float32, of shape (n_hiss, n_frames, n_bands) each
        Seconds of noise of many colours, as spectral and texture frames.
    """

    logmel: NDArray[np.float16]
    texture: NDArray[np.float16]
    offsets: NDArray[np.int64]
    firsts: NDArray[np.int64]
    sounds: NDArray[np.int64]
    opinions: Array
    folds: NDArray[np.int64]
    labels: Array
    kinds: Array
    weights: Array
    frames: tuple[int, int]
    rates: tuple[float, float]
    centres: tuple[NDArray[np.float64], NDArray[np.float64]]
    hiss: tuple[Array, Array]

    def cut(
        self,
        patches: NDArray[np.int64],
        shifts: NDArray[np.int64],
        speeds: NDArray[np.float64] | float = 1.0,
    ) -> tuple[Array, Array]:
        """Take some patches, each shifted by some frames, as far as their sounds go.

        Those of another speed are read so much faster, and what is higher then lies in higher
        bands.
        """
        sounds, speeds = self.sounds[patches], np.broadcast_to(speeds, len(patches))
        ends = self.offsets[sounds + 1]
        firsts = self.firsts[patches] + shifts
        firsts = np.clip(firsts, self.offsets[sounds], ends - _room(self.frames))
        cut: list[Array] = []
        for values, count, per_frame, centres in zip(
            (self.logmel, self.texture), self.frames, (1, TEXTURE_FRAMES), self.centres, strict=True
        ):
            steps = np.rint(speeds[:, None] * np.arange(count)).astype(np.int64)
            places = np.minimum(per_frame * firsts[:, None] + steps, per_frame * ends[:, None] - 1)
            taken, other = values[places].astype(np.float32), speeds != 1
            taken[other] = _moved(taken[other], centres, speeds[other])
            cut.append(taken)
        return cut[0], cut[1]


def read_patches(  # noqa: PLR0913 (options by name)
    corpus: Corpus,
    folds: NDArray[np.int64],
    opinions: Sequence[Array],
    weights: NDArray[np.float64],
    spec: FrameSpec,
    *,
    step: float,
    hints: int,
    jobs: int = -1,
    on_progress: Callable[[int, int], None] | None = None,
) -> Patches:
    """Cut all sound of a corpus into seconds.

    Parameters
    ----------
    corpus : Corpus
    folds : ndarray of int64, shape (n_sounds,)
        Of its clips, then of its sounds.
    opinions : sequence of ndarray of float32, each of shape (n_patches, n_classes)
        Of each clip, then of each sound: what a teacher says of its seconds.
    weights : ndarray of float64, shape (n_clips,)
    spec : FrameSpec
    step : float
        From one of those seconds to the next.
    hints : int
        Principal components of opinions.
    jobs : int
    on_progress : callable, optional
        Called with the sounds read and their total.

    Raises
    ------
    CorpusError
        If a clip cannot be decoded, or all are silent.
    """
    from joblib import delayed

    of_patch = patch_frames(spec)
    every = (*corpus.clips, *corpus.sounds)
    tasks = (delayed(_frames)(clip, spec, of_patch) for clip in every)
    logmels, textures, firsts, sounds, kept = [], [], [], [], []
    n_frames = 0
    for k, (logmel, texture) in enumerate(iter_results(tasks, jobs=jobs, batch_size=16)):
        starts = np.arange(len(opinions[k])) * step * spec.sr / spec.hop_length
        starts = np.minimum(starts.astype(np.int64), len(logmel) - _room(of_patch))
        peaks = logmel.max(axis=1).astype(np.float32)
        peaks = np.array([peaks[start : start + of_patch[0]].max() for start in starts])
        heard = (peaks >= peaks.max() - QUIET_DB) & (peaks >= SILENT_DB)
        firsts.append(n_frames + starts[heard])
        sounds.append(np.full(int(heard.sum()), k))
        kept.append(opinions[k][heard])
        logmels.append(logmel)
        textures.append(texture)
        n_frames += len(logmel)
        if on_progress is not None:
            on_progress(k + 1, len(every))
    said = np.concatenate(kept)
    if not len(said):
        raise CorpusError("all sound is silent: an encoder needs some to learn from")
    n_unlabelled = len(corpus.sounds)
    known = np.array([clip.fit_labels != () for clip in corpus.clips])
    of_sound = np.concatenate(sounds)
    # Seconds of one sound are alike: ten of them tell less than ten sounds would.
    counts = np.maximum(np.bincount(of_sound, minlength=len(every)), 1)
    return Patches(
        np.concatenate(logmels),
        np.concatenate(textures),
        np.cumsum([0, *map(len, logmels)]),
        np.concatenate(firsts),
        of_sound,
        _components(said, hints),
        folds,
        np.pad(clip_targets(corpus, to_fit=True), ((0, n_unlabelled), (0, 0))),
        np.pad(kind_targets(corpus), ((0, n_unlabelled), (0, 0))),
        (np.pad(weights * known, (0, n_unlabelled)) / np.sqrt(counts)).astype(np.float32),
        of_patch,
        (spec.sr / spec.hop_length, spec.sr / spec.texture_hop_length),
        _centres(spec),
        _make_hiss(spec, of_patch),
    )


def _room(frames: tuple[int, int]) -> int:
    """Spectral frames that a patch takes, so that its texture frames have room beside them."""
    return max(frames[0], -(-frames[1] // TEXTURE_FRAMES))


def _frames(
    clip: Clip, spec: FrameSpec, of_patch: tuple[int, int]
) -> tuple[NDArray[np.float16], NDArray[np.float16]]:
    """Analyse a clip: frames for a patch at least, and four texture frames to each."""
    with one_thread():
        frames = analyse(for_two_frames(clip_sound(clip, spec.sr), spec), spec)
    count, room = of_patch[0], _room(of_patch)
    n_frames = max(len(frames.logmel), count) + room - count
    logmel, texture = (
        np.pad(part, ((0, max(n - len(part), 0)), (0, 0)), constant_values=nothing)[:n]
        for part, n, nothing in (
            (frames.logmel, n_frames, NOTHING_DB),
            (frames.texture, TEXTURE_FRAMES * n_frames, 0.0),
        )
    )
    return logmel.astype(np.float16), texture.astype(np.float16)


def _centres(spec: FrameSpec) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Find where spectral and texture bands lie: what is in them on average, in Hz."""

    def centres(settings: MelSettings) -> NDArray[np.float64]:
        bank = mel_filterbank(**settings)
        hz = np.linspace(0, settings["sr"] / 2, bank.shape[1])
        return np.asarray(bank @ hz / bank.sum(axis=1))

    spectral, texture = mel_settings(spec)
    return centres(spectral), centres(texture)


def _make_hiss(spec: FrameSpec, of_patch: tuple[int, int]) -> tuple[Array, Array]:
    """Make seconds of the noise that rooms and microphones leave, and analyse them."""
    rng = np.random.default_rng(0)
    n_samples = 2 * seconds_to_samples(PATCH_SECONDS, spec.sr)
    with one_thread():
        made = [analyse(coloured_noise(n_samples, rng), spec) for _ in range(HISSES)]
    logmel = np.stack([frames.logmel[: of_patch[0]] for frames in made])
    texture = np.stack([frames.texture[: of_patch[1]] for frames in made])
    return logmel.astype(np.float32), texture.astype(np.float32)


def _components(said: Array, hints: int) -> Array:
    """Turn opinions to their principal components, in units of what all deviate by together.

    They are taken over all sounds, as those of students are: that looks at no label.
    """
    away = said - said.mean(axis=0)
    variances, axes = np.linalg.eigh(np.atleast_2d(np.cov(away.T, bias=True, dtype=np.float64)))
    kept = variances[::-1] > 1e-6 * max(variances[-1], 1e-9)
    axes = axes[:, ::-1][:, kept][:, :hints]
    told = away @ axes.astype(np.float32)
    scale = np.sqrt(np.square(told).mean()) if told.size else 1.0
    return np.asarray(told / np.float32(max(scale, 1e-9)))


@dataclass(frozen=True, slots=True, eq=False)
class Lesson:
    """What a network is to say of some patches.

    Parameters
    ----------
    opinions : ndarray of float32, shape (n_patches, n_hints)
    labels, kinds : ndarray of float32, shape (n_patches, n_labels) and (n_patches, n_kinds)
        From 0 to 1.
    alone : ndarray of float32, shape (n_patches,)
        1 where nothing was laid over: the teacher's opinion is of one sound.
    weights : ndarray of float32, shape (n_patches,)
        Of labels and kinds.
    """

    opinions: Array
    labels: Array
    kinds: Array
    alone: Array
    weights: Array


def draw_lesson(
    patches: Patches, chosen: NDArray[np.int64], spec: EncoderSpec, rng: np.random.Generator
) -> tuple[Array, Array, Lesson]:
    """Cut some patches, change them, and tell what they hold."""
    shifts = rng.integers(-spec.shift, spec.shift + 1, len(chosen))
    octaves = rng.uniform(-spec.speed_octaves, spec.speed_octaves, len(chosen))
    speeds = np.exp2(np.where(rng.random(len(chosen)) < spec.speed_share, octaves, 0))
    logmel, texture = patches.cut(chosen, shifts, speeds)
    far = rng.random(len(chosen)) < spec.reverb_share
    logmel[far], texture[far] = _in_a_room((logmel[far], texture[far]), patches.rates, spec, rng)
    _change(logmel, texture, spec, rng)
    hissing = np.flatnonzero(rng.random(len(chosen)) < spec.hiss_share)
    which = rng.integers(len(patches.hiss[0]), size=len(hissing))
    logmel[hissing], texture[hissing] = _laid_over(
        (logmel[hissing], texture[hissing]),
        (patches.hiss[0][which], patches.hiss[1][which]),
        -rng.uniform(*spec.hiss_db, len(hissing)).astype(np.float32),
    )
    over = rng.permutation(len(chosen))
    mixed = rng.random(len(chosen)) < spec.mixed_share
    logmel[mixed], texture[mixed] = _laid_over(
        (logmel[mixed], texture[mixed]),
        (logmel[over[mixed]], texture[over[mixed]]),
        rng.uniform(-spec.mixed_db, spec.mixed_db, int(mixed.sum())).astype(np.float32),
    )
    spectral, envelopes = standard_patches(logmel, texture)
    for patch in np.flatnonzero(rng.random(len(chosen)) < spec.masked_share):
        first = rng.integers(0, spectral.shape[2] - spec.masked_bands)
        spectral[patch, :, first : first + rng.integers(1, spec.masked_bands + 1)] = -1
    for patch in np.flatnonzero(rng.random(len(chosen)) < spec.gap_share):
        n_frames = rng.integers(SHORTEST_GAP, spec.gap_frames + 1)
        first = rng.integers(0, patches.frames[0] - n_frames + 1)
        spectral[patch, first : first + n_frames] = NO_SPECTRUM
        envelopes[patch, TEXTURE_FRAMES * first : TEXTURE_FRAMES * (first + n_frames)] = NO_ENVELOPE
    sounds = patches.sounds[chosen]
    labels, kinds = patches.labels[sounds], patches.kinds[sounds]
    weights = patches.weights[sounds]
    both = np.where((weights > 0) & (weights[over] > 0), (weights + weights[over]) / 2, 0)
    weights = np.where(mixed, both, weights)
    if weights.any():
        weights = np.minimum(weights / weights[weights > 0].mean(), MOST_WEIGHT)
    if mixed.any():
        labels[mixed] = np.maximum(labels, labels[over])[mixed]
        kinds[mixed] = np.maximum(kinds, kinds[over])[mixed]
    lesson = Lesson(
        patches.opinions[chosen],
        labels * np.float32(1 - 2 * SMOOTHING) + np.float32(SMOOTHING),
        kinds,
        (~mixed).astype(np.float32),
        weights.astype(np.float32),
    )
    return spectral, envelopes, lesson


def _moved(values: Array, centres: NDArray[np.float64], speeds: NDArray[np.float64]) -> Array:
    """Let lie higher by as much as patches are faster what lies in their bands."""
    places = np.interp(centres / speeds[:, None], centres, np.arange(len(centres)))
    below = np.minimum(places.astype(np.int64), len(centres) - 2)
    share = (places - below).astype(np.float32)[:, None]
    lower, upper = (np.take_along_axis(values, (below + k)[:, None], axis=2) for k in (0, 1))
    return np.asarray(lower * (1 - share) + upper * share)


def _in_a_room(
    patches: tuple[Array, Array],
    rates: tuple[float, float],
    spec: EncoderSpec,
    rng: np.random.Generator,
) -> tuple[Array, Array]:
    """Let patches reverberate, all of them as long: what has sounded dies away in their power."""
    from scipy.signal import lfilter

    logmel, texture = patches
    seconds = rng.uniform(*spec.reverb_seconds)
    ratio = 10 ** (rng.uniform(*spec.reverb_ratio_db, (len(logmel), 1, 1)) / 10)

    def with_tail(power: Array, rate: float) -> Array:
        kept = 10 ** (-6 / (seconds * rate))  # of each frame a frame on: 60 dB less in the end
        tail = lfilter([0, 1 - kept], [1, -kept], power, axis=1)
        return np.asarray(power + ratio * tail, np.float32)

    power = with_tail(np.power(10, logmel / 10), rates[0])
    of_envelopes = with_tail(np.square(np.square(texture)), rates[1])
    return 10 * np.log10(power), np.sqrt(np.sqrt(of_envelopes))


def _change(logmel: Array, texture: Array, spec: EncoderSpec, rng: np.random.Generator) -> None:
    """Let patches sound as in other rooms, by other microphones: gains, and no highs."""
    n_patches, _, n_mels = logmel.shape
    knots = rng.normal(0, spec.gain_db, (n_patches, KNOTS))
    logmel += _lines(knots, n_mels)[:, None]
    texture *= _compressed(_lines(knots, N_TEXTURE_BANDS))[:, None]
    for patch in np.flatnonzero(rng.random(n_patches) < spec.dull_share):
        cut = rng.uniform(0.5, 1)
        for values, n_bands, loss in ((logmel, n_mels, None), (texture, N_TEXTURE_BANDS, 0.0)):
            first = int(cut * n_bands)
            falls = np.minimum(np.arange(1, n_bands - first + 1) * n_mels / n_bands / 3, 1) * 40
            if loss is None:
                values[patch, :, first:] -= falls
            else:
                values[patch, :, first:] *= _compressed(-falls)


def _lines(knots: NDArray[np.float64], n_bands: int) -> Array:
    """Draw lines between knots over the bands, shape (n_patches, n_bands)."""
    place = np.linspace(0, knots.shape[1] - 1, n_bands)
    before = np.minimum(place.astype(int), knots.shape[1] - 2)
    share = place - before
    return np.asarray(knots[:, before] * (1 - share) + knots[:, before + 1] * share, np.float32)


def _compressed(gain_db: Array | NDArray[np.float64]) -> Array:
    """Turn a gain in dB to one of compressed envelopes."""
    return np.asarray(10 ** (COMPRESSION * gain_db / 10), np.float32)


def _sum_db(a: Array, b: Array | NDArray[np.float64]) -> Array:
    """Add levels by their power."""
    return np.asarray(np.maximum(a, b) + 10 * np.log10(1 + 10 ** (-np.abs(a - b) / 10)), np.float32)


def _laid_over(
    below: tuple[Array, Array], above: tuple[Array, Array], louder_db: Array
) -> tuple[Array, Array]:
    """Lay patches over others, so much louder at their loudest moments."""
    (logmel, texture), (other, other_texture) = below, above
    gain_db = logmel.max(axis=(1, 2)) - other.max(axis=(1, 2)) + louder_db
    mixed = _sum_db(logmel, other + gain_db[:, None, None])
    # Of envelopes the power adds up: their fourth power is near enough to it, and quick.
    other_texture = other_texture * _compressed(gain_db)[:, None, None]
    return mixed, np.sqrt(
        np.sqrt(np.square(np.square(texture)) + np.square(np.square(other_texture)))
    )
