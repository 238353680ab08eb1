"""Recordings to be tagged: one of each kind, made once, and a fresh copy for each test."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from asmr_classify.aggregate import FileResult, Status
from asmr_classify.library.tags.carriers import find_carrier
from asmr_classify.timeline import Segment
from tests.catalogue.results import seen
from tests.library.conftest import quick_folder
from tests.media.make_media import RECIPES, tone, write_media

CARRIED = ("mp3", "flac", "ogg", "opus", "m4a", "mp4", "mov", "wav", "aiff", "mkv", "webm")
"""Extensions of what tags are written into."""

NOT_CARRIED = ("avi", "wma", "aac")

WITH_CHAPTERS = tuple(ext for ext in CARRIED if ext not in {"wav", "aiff"})


@pytest.fixture
def tmp_path():
    """An empty folder, in memory where that can be: steps wait for the disk again and again."""
    with quick_folder() as name:
        yield Path(name).resolve()


@pytest.fixture(scope="session")
def originals(tmp_path_factory):
    """A second of a tone in each container, with pictures where it is one for videos."""
    folder = tmp_path_factory.mktemp("originals")
    for ext in (*CARRIED, *NOT_CARRIED):
        recipe = RECIPES[ext]
        write_media(
            folder / f"a.{ext}",
            tone(1.0, recipe.sr, n_channels=2),
            recipe,
            video_duration=1.0 if recipe.video else None,
        )
    return folder


@pytest.fixture
def recording(originals, tmp_path):
    """Gives a fresh copy of a kind of recording, as a string."""

    def make(ext, name=None):
        place = tmp_path / (name or f"a.{ext}")
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(originals / f"a.{ext}", place)
        return str(place)

    return make


def read(path):
    return find_carrier(path).read(path)


def write(path, new):
    """Write tags in place, as a step does with its copy."""
    carrier = find_carrier(path)
    old = carrier.read(path)
    carrier.check(path, old, new)
    carrier.write(path, old, new)


def heard(path, **changes):
    """A result as of a file that holds tapping, from the middle on over noise."""
    fields = {
        "status": Status.OK,
        "model": "tiny@0.1",
        "duration": 40.0,
        "decoded": 40.0,
        "trigger": "tap",
        "tags": ("tap", "white_noise"),
        "scores": {"tap": 0.912, "white_noise": 0.7, "speech": 0.05},
        "segments": (Segment(0, 40, "tap", 0.9), Segment(20, 40, "white_noise", 0.7)),
        "no_talking": True,
        "kinds": {"typing": 0.93, "running_water": 0.71},
        "visual": seen(),
    }
    return FileResult(path=str(path), **{**fields, **changes})
