"""Scenes: clips of known labels laid over a background, with exact truth of what sounds when.

ASMR is layered: whispering over rain, taps over music. A corpus of single clips knows nothing of
that, so scenes are made from it, to fit on and to measure by. An event is the part of a clip in
which something sounds; a scene holds some events, which may overlap, over one background that
lasts throughout. Its truth is where each was laid.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from scipy import fft

from asmr_classify.labels import MUSIC, OTHER, SPEECH, WHITE_NOISE
from asmr_classify.timeline import join_spans
from asmr_classify.training.augment import AugmentSpec, augment, coloured_noise

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    Sound = NDArray[np.float32]

AUDIBLE_DB, MASKED_DB = -10.0, -20.0
"""Under the rest of a scene: from the first on a layer is heard, below the second it is not, and
between them nobody can tell."""

FADED_DB = -15.0
"""Under its own loudest window, a layer has died away."""

ROOM_TONE = "room tone"
"""A background that holds no label: the rumble of a quiet room, made here."""


@dataclass(frozen=True, slots=True)
class SceneSpec:
    """What scenes are made of.

    Parameters
    ----------
    duration : float
        Seconds of a scene.
    max_events : int
        A scene holds one to so many events.
    event_seconds : tuple of float
        Range of the length of an event; longer sounds are cut.
    snr_db : tuple of float
        Range of the ratio of an event, while it sounds, to the background, by mean square.
    backgrounds : tuple of str
        Labels of clips that are backgrounds, and :data:`ROOM_TONE`; drawn evenly.
    context_probability : float
        Share of events that are ``other``; the rest are triggers, drawn evenly.
    active_db : float
        A clip sounds where its level is at most so far below its loudest moment.
    max_gap : float
        Seconds of quiet that do not end an event: tapping is one event, not one a tap.
    floor_dbfs : tuple of float or None
        Range of the level of steady noise, white to brown, that lies under the whole scene as that
        of a room and a microphone does; None for none. It holds no label.
    augmentation : AugmentSpec
        How events and backgrounds are changed before they are laid.
    """

    duration: float = 30.0
    max_events: int = 4
    event_seconds: tuple[float, float] = (0.5, 10.0)
    snr_db: tuple[float, float] = (-5.0, 20.0)
    backgrounds: tuple[str, ...] = (SPEECH, MUSIC, WHITE_NOISE, ROOM_TONE)
    context_probability: float = 0.15
    active_db: float = 25.0
    max_gap: float = 1.0
    floor_dbfs: tuple[float, float] | None = None
    augmentation: AugmentSpec = field(default_factory=AugmentSpec)


@dataclass(frozen=True, slots=True)
class Layer:
    """A sound as it lies in a scene.

    Parameters
    ----------
    clip : int or None
        Index in the corpus; None for room tone.
    labels : tuple of str
    start, end : float
        Seconds from the beginning of the scene.
    y : ndarray of float32, shape (n_samples,)
        The sound alone, as loud as it is in the scene, from ``start`` to ``end``.
    """

    clip: int | None
    labels: tuple[str, ...]
    start: float
    end: float
    y: Sound


@dataclass(frozen=True, slots=True)
class Scene:
    """A mixture and what it was made of.

    Parameters
    ----------
    y : ndarray of float32, shape (n_samples,), mono
    sr : int
        Sampling rate in Hz.
    background : Layer
    events : tuple of Layer
        By start.
    """

    y: Sound
    sr: int
    background: Layer
    events: tuple[Layer, ...]

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The background and the events."""
        return (self.background, *self.events)

    @property
    def clips(self) -> tuple[int, ...]:
        """Indices in the corpus of all that was laid."""
        return tuple(layer.clip for layer in self.layers if layer.clip is not None)

    def truth(self, label: str) -> list[tuple[float, float]]:
        """Find when a label sounds, as sorted spans that do not touch, in seconds."""
        return join_spans(
            (layer.start, layer.end) for layer in self.layers if label in layer.labels
        )


@dataclass(frozen=True, slots=True)
class Palette:
    """Clips to draw from, by what they hold.

    Parameters
    ----------
    labels : sequence of tuple of str
        What each clip holds.
    groups : sequence of str
        Group of each clip: groups are drawn evenly, then clips of the group.
    triggers : tuple of str
        Labels of which events are drawn.
    load : callable
        Gives the sound of a clip, mono at the rate of the scene.
    """

    labels: Sequence[tuple[str, ...]]
    groups: Sequence[str]
    triggers: tuple[str, ...]
    load: Callable[[int], Sound]

    def draw(self, label: str, inside: NDArray[np.bool_], rng: np.random.Generator) -> int | None:
        """Draw a clip that holds a label; None if there is none inside."""
        indices = map(int, np.flatnonzero(inside))
        holding = [k for k in indices if label in self.labels[k]]
        if not holding:
            return None
        group = str(rng.choice(sorted({self.groups[k] for k in holding})))
        return int(rng.choice([k for k in holding if self.groups[k] == group]))


def make_scene(
    palette: Palette,
    inside: NDArray[np.bool_],
    sr: int,
    rng: np.random.Generator,
    spec: SceneSpec | None = None,
) -> Scene:
    """Make a scene of the clips inside.

    Parameters
    ----------
    palette : Palette
    inside : ndarray of bool, shape (n_clips,)
        Clips that may be used, such as those of one fold.
    sr : int
        Sampling rate in Hz.
    rng : numpy.random.Generator
    spec : SceneSpec, optional

    Returns
    -------
    Scene
        Without events if none of the triggers is inside.
    """
    spec = spec or SceneSpec()
    background = _lay_background(palette, inside, sr, rng, spec)
    power = _power(background.y)
    events = []
    for _ in range(int(rng.integers(1, spec.max_events + 1))):
        event = _lay_event(palette, inside, sr, rng, spec, power=power)
        if event is not None:
            events.append(event)
    y = background.y.copy()
    for event in events:
        first = round(event.start * sr)
        y[first : first + len(event.y)] += event.y
    if spec.floor_dbfs is not None:
        floor = coloured_noise(len(y), rng)
        y += floor * np.float32(10 ** (rng.uniform(*spec.floor_dbfs) / 20) / floor.std())
    return Scene(y, sr, background, tuple(sorted(events, key=lambda event: event.start)))


def _lay_background(
    palette: Palette,
    inside: NDArray[np.bool_],
    sr: int,
    rng: np.random.Generator,
    spec: SceneSpec,
) -> Layer:
    n_samples = round(spec.duration * sr)
    kind = str(rng.choice(spec.backgrounds))
    clip = None if kind == ROOM_TONE else palette.draw(kind, inside, rng)
    y = None if clip is None else _sounding(palette, clip, sr, rng, spec)
    if clip is None or y is None:
        return Layer(None, (), 0.0, spec.duration, make_room_tone(n_samples, sr, rng))
    y = repeat_smoothly(y, n_samples, sr)
    y *= np.float32(0.05 / max(np.sqrt(_power(y)), 1e-9))
    return Layer(clip, palette.labels[clip], 0.0, spec.duration, y)


def _lay_event(
    palette: Palette,
    inside: NDArray[np.bool_],
    sr: int,
    rng: np.random.Generator,
    spec: SceneSpec,
    *,
    power: float,
) -> Layer | None:
    context = rng.random() < spec.context_probability
    clip = palette.draw(OTHER if context else str(rng.choice(palette.triggers)), inside, rng)
    y = None if clip is None else _sounding(palette, clip, sr, rng, spec)
    if clip is None or y is None:
        return None
    y = fade(y[: round(spec.event_seconds[1] * sr)], sr)
    y *= np.float32(np.sqrt(power / _power(y)) * 10 ** (rng.uniform(*spec.snr_db) / 20))
    first = int(rng.integers(0, round(spec.duration * sr) - len(y) + 1))
    return Layer(clip, palette.labels[clip], first / sr, (first + len(y)) / sr, y)


def _sounding(
    palette: Palette, clip: int, sr: int, rng: np.random.Generator, spec: SceneSpec
) -> Sound | None:
    """Take the part of a changed copy of a clip that sounds; None where that is too short."""
    y = palette.load(clip)
    if len(y) == 0:
        return None
    y = augment(y, sr, rng, spec.augmentation)
    first, last = find_sounding(y, sr, active_db=spec.active_db, max_gap=spec.max_gap)
    return y[first:last] if last - first >= spec.event_seconds[0] * sr else None


def find_sounding(
    y: Sound, sr: int, *, active_db: float = 25.0, max_gap: float = 1.0
) -> tuple[int, int]:
    """Find the longest part of a recording in which something sounds.

    Parameters
    ----------
    y : ndarray of float32, shape (n_samples,), mono
    sr : int
    active_db : float
        Frames of 20 ms sound where they are at most so far below the loudest.
    max_gap : float
        Seconds of quiet that do not end the part.

    Returns
    -------
    tuple of int
        First sample, and one past the last. Both 0 in digital silence.
    """
    frame = max(round(0.02 * sr), 1)
    n_frames = -(-len(y) // frame)
    powers = np.square(np.pad(y, (0, n_frames * frame - len(y)))).reshape(n_frames, frame).mean(1)
    loudest = powers.max(initial=0.0)
    active = np.flatnonzero(powers > loudest * 10 ** (-active_db / 10))
    if loudest == 0 or len(active) == 0:
        return 0, 0
    breaks = np.flatnonzero(np.diff(active) * frame > max_gap * sr)
    firsts = active[np.concatenate([[0], breaks + 1])]
    lasts = active[np.concatenate([breaks, [len(active) - 1]])] + 1
    best = int(np.argmax(lasts - firsts))
    return int(firsts[best]) * frame, min(int(lasts[best]) * frame, len(y))


def fade(y: Sound, sr: int, *, seconds: float = 0.01) -> Sound:
    """Fade in and out: a sound that is cut would begin and end with a click, which is a tap."""
    n_samples = min(round(seconds * sr), len(y) // 2)
    ramp = np.linspace(0, 1, n_samples, dtype=np.float32)
    y = y.copy()
    y[:n_samples] *= ramp
    y[len(y) - n_samples :] *= ramp[::-1]
    return y


def repeat_smoothly(y: Sound, n_samples: int, sr: int, *, seconds: float = 0.25) -> Sound:
    """Repeat a sound up to a length, each time faded into the next with equal power."""
    overlap = min(round(seconds * sr), len(y) // 2)
    if len(y) >= n_samples:
        return y[:n_samples].copy()
    step = len(y) - overlap
    ramp = np.sqrt(np.linspace(0, 1, overlap, dtype=np.float32))
    piece = y.copy()
    piece[:overlap] *= ramp
    piece[step:] *= ramp[::-1]
    whole = np.zeros(n_samples + len(y), dtype=np.float32)
    for first in range(0, n_samples, step):
        whole[first : first + len(y)] += piece
    return whole[:n_samples]


def make_room_tone(n_samples: int, sr: int, rng: np.random.Generator) -> Sound:
    """Make the rumble of a quiet room: noise that falls by 12 dB an octave above 60 Hz.

    What is left of it in the band of the triggers is faint, as in a quiet room.
    """
    freqs = np.arange(n_samples // 2 + 1) * sr / n_samples
    gain = 1 / np.maximum(freqs / 60, 1) ** 2
    tone = fft.irfft(fft.rfft(rng.standard_normal(n_samples)) * gain, n_samples)
    return np.asarray(tone * (0.01 / np.sqrt(np.mean(tone**2))), dtype=np.float32)


def _power(y: Sound) -> float:
    return float(np.mean(np.square(y))) + 1e-20


def held_in_windows(
    scene: Scene, intervals: NDArray[np.float64], labels: Sequence[str]
) -> NDArray[np.float32]:
    """Tell which labels are heard in each window of a scene.

    Parameters
    ----------
    scene : Scene
    intervals : ndarray of float64, shape (n_windows, 2)
    labels : sequence of str

    Returns
    -------
    ndarray of float32, shape (n_windows, n_labels)
        1, 0, or NaN where nobody can tell.
    """
    held = np.zeros((len(intervals), len(labels)), dtype=np.float32)
    for layer in scene.layers:
        alone = np.zeros(len(scene.y), dtype=np.float32)
        first = round(layer.start * scene.sr)
        alone[first : first + len(layer.y)] = layer.y
        level = _levels_db(alone, intervals, scene.sr)
        above = level - _levels_db(scene.y - alone, intervals, scene.sr)
        lively = level >= level.max() + FADED_DB
        heard = np.where(lively & (above >= AUDIBLE_DB), 1.0, 0.0)
        heard[(above >= MASKED_DB) & (above < AUDIBLE_DB)] = np.nan
        for label in set(layer.labels).intersection(labels):  # none is no label
            column = held[:, labels.index(label)]
            # What is heard of one layer need not be guessed of another.
            column[:] = np.where((column == 1) | (heard == 1), 1, column + heard)
    return held


def _levels_db(
    y: NDArray[np.float32], intervals: NDArray[np.float64], sr: int
) -> NDArray[np.float64]:
    total = np.concatenate([[0.0], np.cumsum(np.square(y), dtype=np.float64)])
    first, last = np.minimum(np.rint(intervals.T * sr).astype(np.int64), len(y))
    power = np.maximum(total[last] - total[first], 0) / np.maximum(last - first, 1)
    return np.asarray(10 * np.log10(power + 1e-12))
