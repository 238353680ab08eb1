"""How videos look, as plain values for a page."""

from __future__ import annotations

import base64
from itertools import pairwise
from math import sqrt
from typing import TYPE_CHECKING, Any

from asmr_classify.visual.levels import LIVELY
from asmr_classify.visual.seen import shows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asmr_classify.visual.seen import Visual

LANE_POINTS = 180
"""Values of motion and of light over a recording: some pixels each in a player."""

UNSEEN = 255
"""In the place of a value where nothing was looked at."""


def look_of(visual: Visual | None) -> dict[str, Any] | None:
    """Say how a video looks: levels with their medians, and what is counted; None if unknown."""
    if not shows(visual):
        return None
    motion, light = visual.motion, visual.light
    values = {
        "picture": visual.picture.value,
        "motion": motion and [motion.level.value, _significant(motion.median)],
        "light": light and [light.level.value, _significant(light.median)],
        "cuts": visual.cuts_per_minute and _significant(visual.cuts_per_minute),
        "flashes": visual.flashes,
    }
    return {key: value for key, value in values.items() if value is not None}


def _significant(value: float) -> float:
    """Round to three digits."""
    return float(f"{value:.3g}")


def lanes_of(visual: Visual | None) -> dict[str, Any] | None:
    """Encode motion and light over time: seconds in all, and of each what 254 is, and its bytes."""
    if visual is None or visual.lanes is None:
        return None
    lanes = visual.lanes
    values: dict[str, Any] = {"seconds": round(100 * lanes.duration)}
    most = _significant(
        max([LIVELY, *(x for x in lanes.motion if x is not None)])
    )  # calm stays low
    for name, lane, top in (("motion", lanes.motion, most), ("light", lanes.light, 1.0)):
        if lane:
            values[name] = [top, to_base64(lane_bytes(lane, top))]
    return values


def lane_bytes(values: Sequence[float | None], top: float) -> bytes:
    """Turn what is seen over time into a byte a value.

    Parameters
    ----------
    values : sequence of float or None
        Not negative; None where nothing was looked at.
    top : float
        What the highest byte stands for; more is cut off.

    Returns
    -------
    bytes
        :data:`LANE_POINTS` at most, each the mean of those values that it stands for: the root of
        its share of ``top``, of 0 to 254, or :data:`UNSEEN`.

    Examples
    --------
    >>> list(lane_bytes([0.0, 0.25, None, 1.0], 1.0))
    [0, 127, 255, 254]
    """
    n_points = min(len(values), LANE_POINTS)
    edges = [k * len(values) // n_points for k in range(n_points + 1)]
    parts = [[x for x in values[a:b] if x is not None] for a, b in pairwise(edges)]
    means = [sum(part) / len(part) if part else None for part in parts]
    return bytes(
        UNSEEN if x is None else round(254 * sqrt(min(1.0, x / (top or 1.0)))) for x in means
    )


def to_base64(content: bytes | None) -> str | None:
    """Write bytes as text; None as None."""
    return None if content is None else base64.b64encode(content).decode()
