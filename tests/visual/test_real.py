"""Real videos that people looked at: what is expected of each, and why."""

from __future__ import annotations

import pytest

from asmr_classify.visual.look import look
from tests.conftest import shared_folder

MEDIA = shared_folder() / "media"

EXPECTED = {
    # A hand strokes a cat that lies in daylight, windows behind it: calm but for the hand.
    "cat-silent-sound.mp4": ("slow", "bright", 0),
    # Thumbs tap on a phone; nothing else moves. Window panes and phone are light, the room is not.
    "phone-in-dark-room.mp4": ("slow", "dark", 0),
    # A drawn figure on black stands still, goes, and a face comes up and goes again: cuts only.
    "dark-figure.mp4": ("still", "dark", None),
    # Honey runs down a box before a black wall, from a jug that rises slowly.
    "honey-dripping.mp4": ("slow", "dark", 0),
    # A knife cuts soap three times in eight seconds and rests between; a light board, bright hands.
    "soap-cutting.mp4": ("slow", "bright", 0),
    # A camera in a hand goes round a toy on a brown table that fills the picture, in little light.
    "rabbit320.mp4": ("lively", "dim", 0),
    "rabbit320.webm": ("lively", "dim", 0),
    # The same on a table that is well lit.
    "frog.webm": ("lively", "bright", 0),
    # Words jump and shake on a dark ground.
    "music-video.webm": ("lively", "dark", None),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_real_videos_are_seen_as_people_see_them(name):
    if not (MEDIA / name).is_file():
        pytest.skip("no shared media beside the project")
    seen, (motion, light, cuts_per_minute) = look(MEDIA / name), EXPECTED[name]
    assert (seen.picture, seen.motion.level, seen.light.level) == ("video", motion, light)
    if cuts_per_minute is not None:
        assert seen.cuts_per_minute == cuts_per_minute


def test_the_same_scene_in_two_codecs_is_seen_alike():
    paths = [MEDIA / "rabbit320.mp4", MEDIA / "rabbit320.webm"]
    if not all(path.is_file() for path in paths):
        pytest.skip("no shared media beside the project")
    one, other = map(look, paths)
    assert one.motion.median == pytest.approx(other.motion.median, rel=0.15)
    assert one.light.median == pytest.approx(other.light.median, rel=0.05)
