"""The figures of a check: their names and units, and how each is taken from what was measured.

Names are those of the limits file and of the JSON record; none changes its meaning.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from asmr_classify.check.binaural import Channels
from asmr_classify.check.loudness import (
    MOMENTARY_STEPS,
    SHORT_TERM_STEPS,
    find_loudest,
    integrated_loudness,
    loudness_range,
)
from asmr_classify.check.rhythm import measure_rhythm
from asmr_classify.check.startle import find_startles
from asmr_classify.check.truepeak import amplitude_to_db
from asmr_classify.labels import SPEECH, TAP, WHISPER
from asmr_classify.timeline import join_spans
from asmr_classify.visual.seen import shows

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from asmr_classify.aggregate import FileResult
    from asmr_classify.check.listener import Measured
    from asmr_classify.check.startle import Startle

Value = float | str | None


class FigureName(StrEnum):
    """What a check tells."""

    CHANNELS = "channels"
    INTEGRATED_LOUDNESS = "integrated_loudness"
    LOUDNESS_RANGE = "loudness_range"
    MAX_SHORT_TERM = "max_short_term"
    MAX_MOMENTARY = "max_momentary"
    TRUE_PEAK = "true_peak"
    STARTLE = "startle"
    IACC = "iacc"
    EAR_DELAY = "ear_delay"
    LEVEL_DIFFERENCE = "level_difference"
    LEVEL_MOVEMENT = "level_movement"
    TAP_RATE = "tap_rate"
    TAP_VARIATION = "tap_variation"
    TAP_PERIODICITY = "tap_periodicity"
    TALK_SHARE = "talk_share"
    PICTURE = "picture"
    LIGHT = "light"
    FLASHES = "flashes"


@dataclass(frozen=True, slots=True)
class Meaning:
    """How people read a figure.

    Parameters
    ----------
    title : str
    unit : str
        Empty for a plain number or a word.
    digits : int
        After the point.
    """

    title: str
    unit: str = ""
    digits: int = 1


MEANINGS: Mapping[FigureName, Meaning] = {
    FigureName.CHANNELS: Meaning("channels"),
    FigureName.INTEGRATED_LOUDNESS: Meaning("loudness", "LUFS"),
    FigureName.LOUDNESS_RANGE: Meaning("loudness range", "LU"),
    FigureName.MAX_SHORT_TERM: Meaning("loudest 3 s", "LUFS"),
    FigureName.MAX_MOMENTARY: Meaning("loudest 0.4 s", "LUFS"),
    FigureName.TRUE_PEAK: Meaning("true peak", "dBTP"),
    FigureName.STARTLE: Meaning("most sudden", "LU"),
    FigureName.IACC: Meaning("ears alike (IACC)", "", 2),
    FigureName.EAR_DELAY: Meaning("delay between ears", "ms", 2),
    FigureName.LEVEL_DIFFERENCE: Meaning("left over right", "dB"),
    FigureName.LEVEL_MOVEMENT: Meaning("movement left-right", "dB"),
    FigureName.TAP_RATE: Meaning("taps", "a second"),
    FigureName.TAP_VARIATION: Meaning("tap intervals vary by", "", 2),
    FigureName.TAP_PERIODICITY: Meaning("tap periodicity", "", 2),
    FigureName.TALK_SHARE: Meaning("talk", "of the time", 2),
    FigureName.PICTURE: Meaning("picture"),
    FigureName.LIGHT: Meaning("light", "of white", 3),
    FigureName.FLASHES: Meaning("most flashes", "in a second", 0),
}
"""Of every figure, in the order in which they are shown."""

SEEN = (FigureName.PICTURE, FigureName.LIGHT, FigureName.FLASHES)
"""Of what can be seen alone."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value.

    Parameters
    ----------
    name : FigureName
    value : float, str or None
        None where it cannot be measured: too short, silent, no taps, not two channels.
    at : float or None
        Seconds; where in the recording, for what has a place.
    """

    name: FigureName
    value: Value = None
    at: float | None = None


@dataclass(frozen=True, slots=True)
class Figures:
    """All figures of a recording, and its sudden moments, largest first."""

    figures: tuple[Figure, ...]
    startles: tuple[Startle, ...] = ()


def take_figures(measured: Measured, result: FileResult) -> Figures:
    """Take all figures from what was measured and labelled.

    Parameters
    ----------
    measured : Measured
    result : FileResult
        Of the same recording.

    Returns
    -------
    Figures
    """
    seen = tuple(seen_figures(result))
    if measured.ears.channels is Channels.NONE:
        return Figures((Figure(FigureName.CHANNELS, Channels.NONE.value), *seen))
    sudden = find_startles(measured.powers)
    figures = (
        *_loudness_figures(measured),
        Figure(FigureName.STARTLE, sudden.largest, sudden.start),
        *_ear_figures(measured),
        *_tap_figures(measured, result),
        Figure(FigureName.TALK_SHARE, talk_share(result)),
        *seen,
    )
    return Figures(figures, sudden.moments)


def _loudness_figures(measured: Measured) -> Iterable[Figure]:
    """Loudness (ITU-R BS.1770-5, EBU Tech 3341 and 3342) and true peak (BS.1770-5)."""
    powers = measured.powers
    kind = Channels.SILENT if _is_silent(measured) else measured.ears.channels
    yield Figure(FigureName.CHANNELS, kind.value)
    yield Figure(FigureName.INTEGRATED_LOUDNESS, integrated_loudness(powers))
    yield Figure(FigureName.LOUDNESS_RANGE, loudness_range(powers))
    for name, n_steps in (
        (FigureName.MAX_SHORT_TERM, SHORT_TERM_STEPS),
        (FigureName.MAX_MOMENTARY, MOMENTARY_STEPS),
    ):
        loudest = find_loudest(powers, n_steps)
        value, start = (loudest.value, loudest.start) if loudest else (None, None)
        yield Figure(name, value, start)
    peak = amplitude_to_db(measured.peak)
    yield Figure(FigureName.TRUE_PEAK, peak, None if peak is None else measured.peak_at)


def _is_silent(measured: Measured) -> bool:
    """Whether a recording long enough to say so is nowhere above the gate of BS.1770-5."""
    if len(measured.powers) < MOMENTARY_STEPS:
        return measured.peak == 0
    return integrated_loudness(measured.powers) is None


def _ear_figures(measured: Measured) -> Iterable[Figure]:
    """How the two channels differ, see :mod:`asmr_classify.check.binaural`."""
    ears = measured.ears
    yield Figure(FigureName.IACC, ears.iacc)
    yield Figure(FigureName.EAR_DELAY, ears.delay_ms)
    yield Figure(FigureName.LEVEL_DIFFERENCE, ears.level_difference)
    yield Figure(FigureName.LEVEL_MOVEMENT, ears.level_movement)


def _tap_figures(measured: Measured, result: FileResult) -> Iterable[Figure]:
    """Rate and regularity where taps are labelled, see :mod:`asmr_classify.check.rhythm`."""
    rhythm = measure_rhythm(measured.onsets, labelled(result, {TAP}))
    yield Figure(FigureName.TAP_RATE, rhythm.rate)
    yield Figure(FigureName.TAP_VARIATION, rhythm.variation)
    yield Figure(FigureName.TAP_PERIODICITY, rhythm.periodicity)


def seen_figures(result: FileResult) -> Iterable[Figure]:
    """Tell how a video looks; nothing of what is only heard."""
    visual = result.visual
    if shows(visual):
        light = visual.light.median if visual.light else None
        yield Figure(FigureName.PICTURE, visual.picture.value)
        yield Figure(FigureName.LIGHT, light)
        yield Figure(FigureName.FLASHES, visual.flashes)
    elif result.visual_error is not None:
        yield from map(Figure, SEEN)


def talk_share(result: FileResult) -> float | None:
    """Share of the duration in which somebody speaks or whispers, by the labels.

    Parameters
    ----------
    result : FileResult

    Returns
    -------
    float or None
        In [0, 1]; None where nothing was heard, or by a model that knows no talk.

    Notes
    -----
    Where both are labelled at once, the time counts once.
    """
    if result.no_talking is None or not result.duration:
        return None
    talk = labelled(result, {SPEECH, WHISPER})
    return min(1.0, sum(end - start for start, end in talk) / result.duration)


def labelled(result: FileResult, labels: set[str]) -> list[tuple[float, float]]:
    """Join the segments of some labels to spans that do not overlap, by start."""
    return join_spans((s.start, s.end) for s in result.segments if s.label in labels)
