"""Real videos that people looked at: what is expected of each, and why."""

from __future__ import annotations

import pytest

from asmr_classify.visual.look import look
from tests.conftest import shared_folder

MEDIA = shared_folder() / "media"

EXPECTED = {
    # A hand strokes a cat that lies in daylight: calm but for the hand that comes and goes.
    "cat-silent-sound.mp4": {"motion": {"slow"}, "light": {"dim", "bright"}, "cuts": 0},
    # Thumbs tap on a phone; nothing else moves. Window panes and phone are light, the room is not.
    "phone-in-dark-room.mp4": {"motion": {"slow"}, "light": {"dark"}, "cuts": 0},
    # A drawn figure on black stands still, goes, and a face comes up and goes again: cuts only.
    "dark-figure.mp4": {"motion": {"still", "slow"}, "light": {"dark"}, "cuts": None},
    # Honey runs down a box before a black wall, from a jug that rises slowly.
    "honey-dripping.mp4": {"motion": {"slow"}, "light": {"dark", "dim"}, "cuts": 0},
    # A knife cuts soap three times in eight seconds and rests between; a light board, a black wall.
    "soap-cutting.mp4": {"motion": {"slow", "lively"}, "light": {"dim", "bright"}, "cuts": 0},
    # A camera in a hand goes round toys on a table: all of the picture moves all of the time.
    "rabbit320.mp4": {"motion": {"lively"}, "light": {"dim", "bright"}, "cuts": 0},
    "rabbit320.webm": {"motion": {"lively"}, "light": {"dim", "bright"}, "cuts": 0},
    "frog.webm": {"motion": {"lively"}, "light": {"dim", "bright"}, "cuts": 0},
    # Words jump and shake on a dark ground.
    "music-video.webm": {"motion": {"lively"}, "light": {"dark"}, "cuts": None},
}


@pytest.mark.parametrize("name", EXPECTED)
def test_real_videos_are_seen_as_people_see_them(name):
    if not (MEDIA / name).is_file():
        pytest.skip("no shared media beside the project")
    seen, expected = look(MEDIA / name), EXPECTED[name]
    assert seen.picture == "video"
    assert seen.motion.level in expected["motion"]
    assert seen.light.level in expected["light"]
    if expected["cuts"] is not None:
        assert seen.cuts_per_minute == expected["cuts"]


def test_the_same_scene_in_two_codecs_is_seen_alike():
    paths = [MEDIA / "rabbit320.mp4", MEDIA / "rabbit320.webm"]
    if not all(path.is_file() for path in paths):
        pytest.skip("no shared media beside the project")
    one, other = map(look, paths)
    assert one.motion.median == pytest.approx(other.motion.median, rel=0.15)
    assert one.light.median == pytest.approx(other.light.median, rel=0.05)
