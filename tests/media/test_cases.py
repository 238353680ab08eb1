"""Files of users that went wrong once."""

from __future__ import annotations

import pytest

from asmr_classify.classify import label_file
from asmr_classify.media.discover import discover
from asmr_classify.media.found import Found, Reason


@pytest.mark.parametrize(
    ("name", "duration"),
    [
        ("chapters.m4b", 8.0),
        ("adpcm.wav", 4.0),
        ("recording.ts", 8.0),
        ("audio-starts-at-4.mkv", 16.0),
    ],
)
def test_files_that_went_wrong_once(shared, name, duration):
    result = label_file(shared / "cases" / name)
    assert (result.status, result.trigger, result.error) == ("ok", "tap", None)
    assert result.duration == pytest.approx(duration, abs=0.1)


def test_a_timeline_is_in_the_time_of_the_player(shared):
    result = label_file(shared / "cases" / "audio-starts-at-4.mkv")
    taps = [segment for segment in result.segments if segment.label == "tap"]
    assert taps[0].start == pytest.approx(4.1, abs=0.3)  # where segments begin is that exact
    assert taps[-1].end == pytest.approx(12.1, abs=0.1)
    before = {segment.label for segment in result.segments if segment.start < 4}
    assert before == {"silence"}
    assert result.segments[0].end == pytest.approx(4.1, abs=0.15)
    assert result.decoded == pytest.approx(12.1, abs=0.05)
    first = label_file(shared / "cases" / "recording.ts").segments[0]
    assert (first.start, first.label) == (0.0, "tap")


def test_a_folder_gives_recordings_and_leaves_a_download(shared):
    finds = {find.path.rpartition("/")[2]: find for find in discover([str(shared / "cases")])}
    assert isinstance(finds["recording.ts"], Found)
    assert finds["unfinished.mp3.crdownload"].reason is Reason.UNFINISHED
    named = discover([str(shared / "cases" / "unfinished.mp3.crdownload")])
    assert isinstance(next(named), Found)
