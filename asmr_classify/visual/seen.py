"""What was seen in a file, and the object of plain values that stands for it in records.

Loads nothing heavy: whoever reads records needs it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeGuard

from asmr_classify.labels import word_of

VERSION = 5
"""Of the way of looking: raised whenever the same file may be seen otherwise. What was seen in
another way is seen anew. Records of the first way have no number."""

VALUE_DIGITS = 4
"""Finer than motion and light are measured."""

TIME_DIGITS = 3
"""Milliseconds."""


class Picture(StrEnum):
    """What there is to see."""

    VIDEO = "video"
    STILL = "still"
    COVER = "cover"
    NONE = "none"


class MotionLevel(StrEnum):
    """How much moves."""

    STILL = "still"
    SLOW = "slow"
    LIVELY = "lively"


class LightLevel(StrEnum):
    """How light the picture is."""

    DARK = "dark"
    DIM = "dim"
    BRIGHT = "bright"


class Effort(StrEnum):
    """How much of a video is looked at."""

    LOW = "low"
    NORMAL = "normal"
    FULL = "full"


@dataclass(frozen=True, slots=True)
class Motion:
    """How fast a picture moves, relative to its size.

    Parameters
    ----------
    level : MotionLevel
    median, p95 : float
        Of what was looked at, over time; in the unit of :mod:`asmr_classify.visual`.
    """

    level: MotionLevel
    median: float
    p95: float


@dataclass(frozen=True, slots=True)
class Light:
    """How light a picture is, of 0 (black) to 1 (white).

    Parameters
    ----------
    level : LightLevel
    median, p95 : float
        Relative luminance of a grey as light as the picture, over time.
    blue : float
        Share of blue in what light there is, of 0 to 1.
    """

    level: LightLevel
    median: float
    p95: float
    blue: float


@dataclass(frozen=True, slots=True)
class Lanes:
    """Motion and light over time.

    Parameters
    ----------
    step : float
        Seconds that each value stands for, from the start of the file.
    motion, light : tuple of float or None
        As in :class:`Motion` and :class:`Light`; None where nothing was looked at.
    """

    step: float
    motion: tuple[float | None, ...]
    light: tuple[float | None, ...]

    @property
    def duration(self) -> float:
        """Seconds to the end of the last value, which is past that of the file by less than one."""
        return self.step * max(len(self.motion), len(self.light))


@dataclass(frozen=True, slots=True)
class Visual:
    """What was seen in one file.

    Parameters
    ----------
    picture : Picture
        ``still`` for one picture over sound; of a ``cover`` and of ``none`` nothing else is told.
    motion : Motion or None
        None where no two neighbouring frames could be seen.
    light : Light or None
    cuts_per_minute : float or None
    flashes : int or None
        As :mod:`asmr_classify.visual` counts them.
    seen : float
        Seconds of video that were decoded.
    effort : Effort
    lanes : Lanes or None
    version : int
        Of the way in which it was looked at.
    """

    picture: Picture
    motion: Motion | None = None
    light: Light | None = None
    cuts_per_minute: float | None = None
    flashes: int | None = None
    seen: float = 0.0
    effort: Effort = Effort.NORMAL
    lanes: Lanes | None = None
    version: int = VERSION


def levels(visual: Visual | None) -> tuple[MotionLevel | None, LightLevel | None]:
    """Tell how much moves and how light it is, as words; None where nobody saw."""
    motion, light = (visual.motion, visual.light) if visual else (None, None)
    return motion.level if motion else None, light.level if light else None


def shows(visual: Visual | None) -> TypeGuard[Visual]:
    """Tell whether something is seen: a video, or one picture over sound."""
    return visual is not None and visual.picture in {Picture.VIDEO, Picture.STILL}


def visual_to_record(visual: Visual, *, rounded: bool = True) -> dict[str, Any]:
    """Turn what was seen into an object of plain values.

    Parameters
    ----------
    visual : Visual
    rounded : bool
        To the digits that mean something; else numbers are kept as they are.

    Returns
    -------
    dict
    """

    def value(number: float | None, digits: int = VALUE_DIGITS) -> float | None:
        return number if number is None or not rounded else round(float(number), digits)

    motion, light, lanes = visual.motion, visual.light, visual.lanes
    return {
        "picture": visual.picture.value,
        "motion": motion
        and {
            "level": motion.level.value,
            "median": value(motion.median),
            "p95": value(motion.p95),
        },
        "light": light
        and {
            "level": light.level.value,
            "median": value(light.median),
            "p95": value(light.p95),
            "blue": value(light.blue),
        },
        "cuts_per_minute": value(visual.cuts_per_minute),
        "flashes": visual.flashes,
        "seen": value(visual.seen, TIME_DIGITS),
        "effort": visual.effort.value,
        "version": visual.version,
        "timeline": lanes
        and {
            "step": value(lanes.step, TIME_DIGITS),
            "motion": [*map(value, lanes.motion)],
            "light": [*map(value, lanes.light)],
        },
    }


def record_to_visual(record: dict[str, Any]) -> Visual:
    """Turn an object that was read back into what was seen."""
    motion, light, lanes = record["motion"], record["light"], record["timeline"]
    return Visual(
        picture=word_of(Picture, record["picture"], "picture"),
        motion=motion
        and Motion(
            word_of(MotionLevel, motion["level"], "level of motion"),
            motion["median"],
            motion["p95"],
        ),
        light=light
        and Light(
            word_of(LightLevel, light["level"], "level of light"),
            light["median"],
            light["p95"],
            light["blue"],
        ),
        cuts_per_minute=record["cuts_per_minute"],
        flashes=record["flashes"],
        seen=record["seen"],
        effort=word_of(Effort, record["effort"], "effort"),
        version=record.get("version", 1),
        lanes=lanes and Lanes(lanes["step"], tuple(lanes["motion"]), tuple(lanes["light"])),
    )
