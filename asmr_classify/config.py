"""Frozen settings of the analysis, and the fingerprint that names them.

All that changes a feature is in :class:`FeatureSpec`; two runs with the same fingerprint compute
the same features. Durations are seconds; frames and hops are samples at the analysis rate.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass

SCORE_DIGITS = 4
"""Digits after the point that scores and thresholds have, here and wherever they are written."""

ANALYSIS_SR = 32000
"""Analysis rate in Hz: keeps the band up to 16 kHz, where taps and crinkles differ, and is the
rate that public audio-tagging networks settled on (Kong et al. 2020, PANNs)."""


@dataclass(frozen=True, slots=True)
class FrameSpec:
    """Short-time analysis on which all features rest.

    Parameters
    ----------
    sr : int
        Analysis rate in Hz.
    n_fft, hop_length : int
        Frame and hop of the spectral analysis in samples: 32 ms, and 64 frames a second.
    texture_n_fft, texture_hop_length : int
        Frame and hop of the texture analysis: 8 ms, and 256 frames a second, because a 16 ms hop
        is too coarse for taps and crinkles.
    n_mels : int
        Mel bands of the spectral analysis.
    fmin_hz, fmax_hz : float
        Band that features look at. Rumble and mains hum lie below it.
    """

    sr: int = ANALYSIS_SR
    n_fft: int = 1024
    hop_length: int = 500
    texture_n_fft: int = 256
    texture_hop_length: int = 125
    n_mels: int = 48
    fmin_hz: float = 200.0
    fmax_hz: float = 15000.0


@dataclass(frozen=True, slots=True)
class WindowSpec:
    """The span that the model classifies, and the step from one to the next, in seconds."""

    duration: float = 2.0
    hop: float = 1.0


@dataclass(frozen=True, slots=True)
class FeatureSpec:
    """All that changes a feature."""

    frames: FrameSpec = FrameSpec()
    windows: WindowSpec = WindowSpec()

    def fingerprint(self, schema_version: int) -> str:
        """Name these settings together with the version of the feature schema.

        Parameters
        ----------
        schema_version : int
            Version of the columns, see :mod:`asmr_classify.features.schema`.

        Returns
        -------
        str
            Sixteen hexadecimal digits.
        """
        text = json.dumps([schema_version, asdict(self)], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class DecisionSpec:
    """How window probabilities become segments and tags.

    Parameters
    ----------
    span : float
        Length of the stretch over which a label must hold to be in the whole, in seconds; the
        whole is judged by its best stretch.
    brief : float
        Half a span is enough for a label that is surer there by so many logits.
    context : float
        Over time, each window is blended with the stretch around it: the weight of that, in [0, 1].
    layered : float
        Sounds that lie over one another are each heard less surely than alone: in a recording with
        another trigger, music or (but for whispers) speech, a trigger may lack so many logits and
        be at its threshold all the same.
    release : float
        A segment that began at the label's threshold ends where the odds fall below ``release``
        times those of the threshold (hysteresis), in (0, 1].
    min_duration : float
        Shorter segments are dropped, in seconds.
    max_gap : float
        Segments of one label that lie closer are merged, in seconds.
    told_seconds, told_share : float
        A file holds a label if its segments cover so many seconds, or that share of what is heard,
        whichever is less; as far as their edges may lie, see :mod:`asmr_classify.timeline`.
    background_db : float
        Windows whose peak is lower than the highest around them by so much or more, and which are
        as quiet as it gets, are the background that is left between sounds. Of 15 to 25 dB, this
        left the least of it in scenes that were made for the choice.
    background_dbfs : float
        Windows whose level lies above are never background: rooms and microphones leave -80 to -55
        dBFS, and rain under loud taps is heard.
    floor_db : float
        Over the quietest window around, so much is still as quiet as it gets: steady noise wavers
        by less.
    surroundings : float
        What is around a window, to either side, in seconds.
    silence_dbfs : float
        Windows whose level in the analysis band lies below are silence. Real whispers reach down
        to -60 dBFS and quiet surf to -75, 16-bit dither lies near -95.
    """

    span: float = 10.0
    brief: float = 0.75
    context: float = 0.1
    layered: float = 1.0
    release: float = 0.25
    min_duration: float = 0.5
    max_gap: float = 1.0
    told_seconds: float = 10.0
    told_share: float = 1 / 3
    background_db: float = 15.0
    background_dbfs: float = -50.0
    floor_db: float = 2.0
    surroundings: float = 30.0
    silence_dbfs: float = -85.0
