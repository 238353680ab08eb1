"""Words for numbers: how much motion is still, slow or lively; how much light dark, dim or bright.

The thresholds, and why they lie where they lie, stand in ``docs/visual.md`` too.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from asmr_classify.visual.seen import LightLevel, MotionLevel

if TYPE_CHECKING:
    from asmr_classify.visual.seen import Lanes

STILL = 0.0015
"""Diagonals a second, below which nothing is seen to move for half of the time: a thousandth of the
picture at 0.05. Still pictures measure below a half of it after lossy compression."""

STILL_P95 = 0.04
"""Diagonals a second, which a still picture reaches in no more than a twentieth of the moments, as
it does where it fades: less than a hand of a tenth of the picture at 0.13."""

LIVELY = 0.1
"""Diagonals a second, from which on a picture is lively for half of the time: all of it goes past
in 10 s, or a tenth of it, as a hand, crosses a third of the diagonal each second."""

DARK = 0.0623
"""Relative luminance of lightness L* = 30 (CIE 1976)."""

BRIGHT = 0.1125
"""Relative luminance of lightness L* = 40. Exposed by a light meter, the mean luminance of a scene
is that of middle grey, L* = 50; its mean lightness is some ten less, as shadows weigh more."""


def motion_level(median: float, p95: float) -> MotionLevel:
    """Tell how much moves.

    Parameters
    ----------
    median, p95 : float
        Over time, in diagonals a second.

    Examples
    --------
    >>> motion_level(0.0, 0.001).value, motion_level(0.0, 0.1).value, motion_level(0.2, 0.4).value
    ('still', 'slow', 'lively')
    """
    if median < STILL and p95 < STILL_P95:
        return MotionLevel.STILL
    return MotionLevel.LIVELY if median >= LIVELY else MotionLevel.SLOW


def light_level(median: float) -> LightLevel:
    """Tell how light a picture is.

    Parameters
    ----------
    median : float
        Relative luminance of a grey as light as the picture, over time.

    Examples
    --------
    >>> light_level(0.01).value, light_level(0.08).value, light_level(0.3).value
    ('dark', 'dim', 'bright')
    """
    if median < DARK:
        return LightLevel.DARK
    return LightLevel.DIM if median < BRIGHT else LightLevel.BRIGHT


def lively_spans(lanes: Lanes) -> list[tuple[float, float]]:
    """Find where much moves.

    Parameters
    ----------
    lanes : Lanes

    Returns
    -------
    list of (float, float)
        Start and end in seconds, ascending, apart from each other: as long as motion reaches
        :data:`LIVELY`.

    Examples
    --------
    >>> from asmr_classify.visual.seen import Lanes
    >>> lively_spans(Lanes(2.0, motion=(0.0, 0.2, 0.3, None, 0.4), light=()))
    [(2.0, 6.0), (8.0, 10.0)]
    """
    places = groupby(range(len(lanes.motion)), lambda k: (lanes.motion[k] or 0.0) >= LIVELY)
    runs = [[*run] for is_lively, run in places if is_lively]
    return [(lanes.step * run[0], lanes.step * (run[-1] + 1)) for run in runs]
