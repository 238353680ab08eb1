"""What each feature column means: its definition, unit, range, and where it comes from.

Columns are defined by families. Ranges are those that the formulas allow, at the default settings;
rounding may step over them in the last digits.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from asmr_classify.features.schema import column_names

if TYPE_CHECKING:
    from asmr_classify.config import FeatureSpec

MCDERMOTT = "McDermott and Simoncelli (2011), Neuron 71(5): textures"
PEETERS = "Peeters (2004), IRCAM: audio features"
BELLO = "Bello et al. (2005), IEEE TSAP 13(5): onsets"
BOERSMA = "Boersma (1993), IFA Proceedings 17: voicing"
MERMELSTEIN = "Davis and Mermelstein (1980), IEEE TASSP 28(4): cepstra"
CHI = "Chi, Ru and Shamma (2005), JASA 118(2): modulation"
WANG = "Wang et al. (2017), ICASSP; Lostanlen et al. (2019), IEEE SPL 26(1): PCEN"

OVER_FRAMES = "(mean|std|q10|q50|q90|weighted)"
"""How a measure of frames is summed up over a window."""

OF_TEXTURE = "(all|low|high)"
"""The texture bands whose mean level is searched for impulses."""


@dataclass(frozen=True, slots=True)
class Family:
    """Columns that are defined alike.

    Parameters
    ----------
    pattern : str
        A regular expression that the names match as a whole.
    definition : str
    unit : str
    low, high : float
        The values that the formula allows; infinite where there is no bound.
    source : str
        Who described it; empty where that is this program.
    """

    pattern: str
    definition: str
    unit: str
    low: float
    high: float
    source: str = ""

    def columns(self, spec: FeatureSpec) -> tuple[str, ...]:
        """Name the columns of the family, in order."""
        return tuple(name for name in column_names(spec) if re.fullmatch(self.pattern, name))


@dataclass(frozen=True, slots=True)
class Chapter:
    """Families that rest on the same analysis.

    Parameters
    ----------
    title : str
    text : str
        What they share.
    families : tuple of Family
    """

    title: str
    text: str
    families: tuple[Family, ...]


CHAPTERS = (
    Chapter(
        "Mel bands",
        "Of the levels in dB of 48 mel bands from 200 Hz to 15 kHz, in frames of 32 ms, 64 a "
        "second. Levels further than 70 dB below the loudest of the window are raised to that.",
        (
            Family(
                r"mel_mean_\d+",
                "Mean level of the band, relative to the mean of all bands",
                "dB", -70, 70, MERMELSTEIN,
            ),
            Family(
                r"mel_event_\d+",
                "What events add: the level of the mean power over the mean level of the band",
                "dB", 0, 70,
            ),
            Family(r"mel_std_\d+", "Standard deviation of the level over time", "dB", 0, 35),
            Family(
                r"mel_change_\d+",
                "Root mean square of the change of the level from frame to frame",
                "dB", 0, 70,
            ),
            Family(
                r"cepstrum_mean_\d+",
                "Mean of the cepstral coefficient (orthonormal DCT-II of the levels); 0, the "
                "loudness, is left out",
                "dB", -220, 220, MERMELSTEIN,
            ),
            Family(
                r"cepstrum_std_\d+",
                "Standard deviation of the cepstral coefficient over time",
                "dB", 0, 243, MERMELSTEIN,
            ),
            Family(
                r"cepstrum_change_\d+",
                "Root mean square of the change of the cepstral coefficient from frame to frame",
                "dB", 0, 485, MERMELSTEIN,
            ),
        ),
    ),
    Chapter(
        "Measures of frames",
        "Measured in each frame of 32 ms, over 200 Hz, then summed up over the window: `mean`, "
        "`std` (standard deviation), `q10`, `q50`, `q90` (quantiles in time) and `weighted` (mean "
        "weighted by amplitude: what loud moments are like). `std` is never below 0, whatever the "
        "range that is told.",
        (
            Family(
                rf"level_{OVER_FRAMES}",
                "Level, relative to its mean over the window; that mean itself is left out",
                "dB", -70, 70,
            ),
            Family(
                rf"centroid_{OVER_FRAMES}",
                "Centre of the power over frequency",
                "octaves re 1 kHz", -2.33, 4, PEETERS,
            ),
            Family(
                rf"bandwidth_{OVER_FRAMES}",
                "Standard deviation of the power around the centre",
                "octaves", 0, 3.2, PEETERS,
            ),
            Family(
                rf"rolloff_{OVER_FRAMES}",
                "Frequency below which 95 % of the power lie",
                "octaves re 1 kHz", -2.33, 4, PEETERS,
            ),
            Family(
                rf"flatness(_\d)?_{OVER_FRAMES}",
                "Geometric over arithmetic mean of the power, of the whole spectrum (`flatness`) "
                "and of six bands of equal width in octaves from 200 Hz to 15 kHz (`flatness_0` to "
                "`flatness_5`): 0 is noise, far below 0 are tones",
                "dB", -80, 80, PEETERS,
            ),
            Family(
                rf"voicing_{OVER_FRAMES}",
                "Highest peak of the normalised autocorrelation at the periods of 75 to 500 Hz, of "
                "the band from 200 to 4000 Hz",
                "1", 0, 1, BOERSMA,
            ),
            Family(
                rf"pitch_{OVER_FRAMES}",
                "Where that peak lies, be it high or not",
                "octaves re 1 kHz", -3.73, 2.73, BOERSMA,
            ),
            Family(
                rf"flux_{OVER_FRAMES}",
                "Mean rise of the mel bands since the frame before; falls count as 0",
                "dB", 0, 70, BELLO,
            ),
            Family("voiced_share", "Share of frames whose voicing is over 0.5", "1", 0, 1, BOERSMA),
            Family("voiced_energy", "Share of amplitude in such frames", "1", 0, 1, BOERSMA),
            Family(
                "voiced_pitch_std",
                "Standard deviation of the pitch in such frames; 0 without any",
                "octaves", 0, 2.73, BOERSMA,
            ),
        ),
    ),
    Chapter(
        "Texture",
        "Of the envelopes of 12 mel bands from 400 Hz to 15 kHz, in frames of 8 ms, 256 a second: "
        "amplitudes to the power of 0.3. Values further than 70 dB below the highest of the window "
        "are raised to that.",
        (
            Family(
                r"texture_level_\d+",
                "Mean of the envelope, relative to the mean of all bands",
                "doublings of power (3 dB)", -23.3, 23.3, MCDERMOTT,
            ),
            Family(
                r"texture_std_\d+",
                "Standard deviation of the envelope over its mean",
                "1", 0.001, 1.6, MCDERMOTT,
            ),
            Family(
                r"texture_skew_\d+", "Skewness of the envelope", "1", -23, 23, MCDERMOTT,
            ),
            Family(
                r"texture_kurtosis_\d+",
                "Binary logarithm of 1 and the kurtosis of the envelope: 2 for Gaussian",
                "1", 0, 9.1, MCDERMOTT,
            ),
            Family(
                r"texture_correlation_\d+_\d+",
                "Correlation of the envelopes of two bands",
                "1", -1, 1, MCDERMOTT,
            ),
            Family(
                r"texture_modulation_\d+_\d",
                "Power with which the envelope of the band (first number), over its mean, goes up "
                "and down at a rate (second number: 0.4 to 1, 1 to 2, 2 to 4, …, 64 to 128 Hz)",
                "decades", -7, 0.5, MCDERMOTT,
            ),
        ),
    ),
    Chapter(
        "Impulses",
        "Of the mean level of all texture bands (`all`), the lowest four (`low`: knocks) and the "
        "highest four (`high`: crinkles). An impulse is a rise within 8 ms that is the largest "
        "within 35 ms.",
        (
            Family(
                rf"impulse_{OF_TEXTURE}_rate_\d+db",
                "Impulses of so many dB or more: binary logarithm of 1 and their number a second",
                "1", 0, 8.1, BELLO,
            ),
            Family(
                rf"impulse_{OF_TEXTURE}_spacing_mean",
                "Mean of the binary logarithm of the seconds between impulses of 6 dB; 1 for fewer "
                "than two",
                "octaves re 1 s", -8, 1,
            ),
            Family(
                rf"impulse_{OF_TEXTURE}_spacing_std",
                "Standard deviation of the same; 0 for fewer than two",
                "octaves", 0, 4.5,
            ),
            Family(
                rf"impulse_{OF_TEXTURE}_decay_\d+",
                "Mean change of the level since impulses of 6 dB, after so many frames (2, 5, 13, "
                "26, 51: 8 to 200 ms); 0 without any",
                "dB", -70, 70,
            ),
            Family(
                rf"impulse_{OF_TEXTURE}_level_(q10|q90|q99|max)",
                "Quantile of the level over time, relative to its median",
                "dB", -70, 70,
            ),
            Family(
                rf"impulse_{OF_TEXTURE}_regularity",
                "Highest normalised autocorrelation of the impulses at periods of 0.1 to 1 s",
                "1", 0, 1,
            ),
            Family(
                r"impulse_band_rise_\d+",
                "Mean rise of each of the 12 bands at impulses of 6 dB of all; 0 without any",
                "dB", -70, 70,
            ),
        ),
    ),
    Chapter(
        "Modulation",
        "Of the picture that the mel bands make over the window: ripples in it go up and down at a "
        "rate in time (first number: 0.4 to 1, 1 to 2, 2 to 4, …, 16 to 32 Hz) and at a scale over "
        "bands (second number: 0 to 0.03, to 0.07, to 0.13, to 0.25, to 0.5 cycles a band).",
        (
            Family(
                r"modulation_\d_scale_\d",
                "Share of the modulation that has this rate and scale",
                "decades", -5, 0.01, CHI,
            ),
            Family(
                r"modulation_\d_direction",
                "Of the modulation at this rate, what moves upwards less what moves downwards, "
                "over their sum",
                "1", -1, 1, CHI,
            ),
        ),
    ),
    Chapter(
        "Normalised mel bands",
        "Of the power of the 48 mel bands, divided by the power of 0.8 of its own background (a "
        "low-pass of 0.4 s), then square roots: what stands out of each band.",
        (
            Family(r"normalised_mean_\d+", "Mean", "1", 0, float("inf"), WANG),
            Family(
                r"normalised_std_\d+", "Standard deviation over time", "1", 0, float("inf"), WANG
            ),
            Family(
                r"normalised_rise_\d+",
                "Mean rise from frame to frame; falls count as 0",
                "1", 0, float("inf"), WANG,
            ),
        ),
    ),
)  # fmt: skip
"""All families, by the order of the columns as far as families allow."""
