"""Results, and the files that they are of."""

from __future__ import annotations

from pathlib import Path

from asmr_classify.aggregate import FileResult, Problem, Status
from asmr_classify.media.found import Found
from asmr_classify.timeline import Segment
from asmr_classify.visual.seen import (
    Lanes,
    Light,
    LightLevel,
    Motion,
    MotionLevel,
    Picture,
    Visual,
)

SETTINGS = "digest of a model"


def heard(path, **changes):
    """A result as of a file that holds tapping, then tapping over speech."""
    fields = {
        "status": Status.OK,
        "model": "tiny@0.1",
        "duration": 40.0,
        "decoded": 40.0,
        "trigger": "tap",
        "tags": ("tap",),
        "scores": {"tap": 0.9, "whisper": 0.1, "speech": 0.7},
        "shares": {"tap": 1.0, "whisper": 0.0, "speech": 0.5, "silence": 0.0},
        "segments": (Segment(0, 40, "tap", 0.9), Segment(20, 40, "speech", 0.7)),
        "no_talking": False,
        "longest_talk": 20.0,
    }
    return FileResult(path=str(path), **{**fields, **changes})


def seen(**changes):
    """What was seen in a video of slow hands in a dark room."""
    fields = {
        "motion": Motion(MotionLevel.SLOW, median=0.02, p95=0.06),
        "light": Light(LightLevel.DARK, median=0.01, p95=0.03, blue=0.1),
        "cuts_per_minute": 0.5,
        "flashes": 0,
        "seen": 12.0,
        "lanes": Lanes(20.0, motion=(0.02, 0.03), light=(0.01, None)),
    }
    return Visual(Picture.VIDEO, **{**fields, **changes})


def failed(path):
    return FileResult(
        str(path), Status.FAILED, "tiny@0.1", error=Problem("OpenError", f"{path}: is no media")
    )


def found(path):
    """A file as it is found on the disk now."""
    status = Path(path).stat()
    return Found(str(path), status.st_size, status.st_mtime_ns, status.st_ctime_ns)
