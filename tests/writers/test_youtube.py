from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given, settings

from asmr_classify.aggregate import FileResult, Status
from asmr_classify.errors import NotRepresentableError
from asmr_classify.library.tags.chapters import timeline_chapters
from asmr_classify.timeline import Segment
from asmr_classify.visual.levels import LIVELY
from asmr_classify.visual.seen import Lanes, Picture, Visual
from asmr_classify.writers import Options
from asmr_classify.writers.youtube import (
    LEAST_CHAPTERS,
    LEAST_SECONDS,
    chapters_of,
    find_chapters,
)
from tests.writers.roundtrip import timeline, write
from tests.writers.strategies import timelines

LINE = re.compile(r"(?:(\d+):)?(\d{1,2}):(\d\d) (\S.*)")


def of(duration, *spans):
    segments = tuple(Segment(float(start), float(end), label, 0.9) for start, end, label in spans)
    return FileResult("a", Status.OK, "m@1", duration=duration, decoded=duration, segments=segments)


def test_a_chapter_for_each_stretch():
    result = of(90.0, (0, 30, "whisper"), (30, 60, "white_noise"), (60, 90, "tap"))
    assert chapters_of(result) == "0:00 whisper\n0:30 white noise\n1:00 tap\n"


def test_where_it_is_lively_is_told_if_that_may_be_skipped():
    moved = Lanes(10.0, motion=(0.0, 0.0, LIVELY, LIVELY, 2 * LIVELY, 0.0, 0.0, 9.0), light=())
    spans = ((0, 40, "tap"), (40, 50, "silence"), (50, 75, "speech"))
    video = replace(of(75.0, *spans), visual=Visual(Picture.VIDEO, lanes=moved))
    parts = ["0:00 tap", "0:20 tap + lively", "0:40 lively", "0:50 speech", ""]
    told = write("youtube", [video], ["tap", "speech"], Options(skip=("lively",)))
    assert told == chapters_of(video, ("lively",)) == "\n".join(parts)
    plainly = "0:00 tap\n0:40 silence\n0:50 speech\n"
    assert chapters_of(video) == chapters_of(video, ("speech",)) == plainly


def test_what_was_set_as_absent_names_no_chapter():
    spans = ((0, 30, "tap"), (20, 60, "whisper"), (60, 90, "speech"), (90, 120, "crinkle"))
    result = of(120.0, *spans)
    triggers = replace(result, tags=("crinkle", "whisper"), corrected=("trigger",))
    told = "0:00 other\n0:20 whisper\n1:00 speech\n1:30 crinkle\n"
    assert write("youtube", [triggers], ["speech"]) == told
    quiet = replace(result, tags=("tap",), no_talking=True, corrected=("no_talking",))
    assert write("youtube", [quiet], ["speech"]) == "0:00 tap\n0:30 other\n1:30 crinkle\n"
    titles = [chapter.title for chapter in timeline_chapters(quiet)]
    assert titles == ["tap", "other", "crinkle"]
    nothing = replace(of(60.0, (0, 60, "tap")), corrected=("trigger",))
    assert timeline_chapters(nothing) == ()


def test_what_moves_much_is_told_whatever_was_set():
    lanes = Lanes(10.0, motion=(LIVELY,) * 3 + (0.0,) * 6, light=())
    video = replace(
        of(90.0, (0, 60, "tap"), (60, 90, "speech")),
        visual=Visual(Picture.VIDEO, lanes=lanes),
        corrected=("trigger",),
    )
    told = write("youtube", [video], ["speech"], Options(skip=("lively",)))
    assert told == "0:00 lively\n0:30 other\n1:00 speech\n"


def test_where_nobody_looked_nothing_is_said_of_what_is_lively():
    heard = of(90.0, (0, 30, "whisper"), (30, 60, "speech"), (60, 90, "tap"))
    with pytest.raises(NotRepresentableError, match="a: what moves in it is not known"):
        chapters_of(heard, ("lively",))


def test_hours_are_written_where_there_are_any():
    result = of(10800.0, (0, 3600, "tap"), (3600, 7205, "whisper"), (7205, 10800, "speech"))
    assert chapters_of(result) == "0:00:00 tap\n1:00:00 whisper\n2:00:05 speech\n"


def test_what_sounds_together_names_a_chapter_together_triggers_first():
    spans = ((0, 60, "speech"), (20, 40, "tap"))
    assert chapters_of(of(60.0, *spans)) == "0:00 speech\n0:20 tap + speech\n0:40 speech\n"


def test_short_stretches_are_joined_with_what_is_like_them():
    taps = [(t, t + 2, "tap") for t in range(32, 60, 6)]
    spans = ((0, 30, "speech"), (30, 90, "white_noise"), *taps, (90, 120, "speech"))
    assert chapters_of(of(120.0, *spans)) == "0:00 speech\n0:30 white noise\n1:30 speech\n"


def test_what_is_covered_is_not_rounded():
    """Of what is cut at whole seconds, 5 of 11 would be: less than half."""
    result = of(11.217, (0, 3.321, "crinkle"), (8.571, 11.217, "crinkle"))
    (chapter,) = find_chapters(result)
    assert chapter.labels == ("crinkle",)
    assert chapter.covered == pytest.approx({"crinkle": 3.321 + 11 - 8.571})
    brief = of(40.0, *((start, start + 0.4, "tap") for start in np.arange(0.3, 39, 0.5)))
    assert [each.labels for each in find_chapters(brief)] == [("tap",)]


def test_stretches_without_a_label_or_sound_have_a_name():
    spans = ((0, 20, "tap"), (40, 60, "silence"), (60, 80, "tap"))
    assert chapters_of(of(80.0, *spans)) == "0:00 tap\n0:20 other\n0:40 silence\n1:00 tap\n"


def test_what_is_short_beside_the_whole_joins_its_neighbour():
    breaks = [(start, start + 20, "other") for start in range(1000, 10_800, 400)]
    parts = ((0, 3600, "tap"), (3600, 7200, "whisper"), (7200, 10_800, "tap"))
    long = of(10_800.0, *parts, *breaks)
    assert chapters_of(long) == "0:00:00 tap\n1:00:00 whisper\n2:00:00 tap\n"
    assert [chapter.start_ms for chapter in timeline_chapters(long)] == [0, 3_600_000, 7_200_000]


def test_a_minute_in_an_hour_is_a_chapter():
    spans = [(k * 60, k * 60 + 60, ("tap", "whisper")[k % 2]) for k in range(60)]
    assert len(find_chapters(of(3600.0, *spans))) == 60
    brief = [(3600, 3645, "crinkle"), (3645, 3720, "tap")]
    assert [x.start for x in find_chapters(of(3720.0, *spans, *brief))][-2:] == [3540, 3645]


def test_a_list_that_is_too_long_for_a_description_is_made_of_longer_chapters():
    lengths = np.random.default_rng(5).integers(75, 90, 50)
    ends = np.cumsum(lengths)
    labels = tuple(letter * 120 for letter in "abcd")
    spans = [
        (end - n, end, labels[k % 4]) for k, (n, end) in enumerate(zip(lengths, ends, strict=True))
    ]
    result = of(float(ends[-1]), *spans)
    assert len(find_chapters(result)) == 50
    told = chapters_of(result)
    assert 4500 < len(told.encode()) <= 5000
    assert all(f" {label}\n" in told for label in labels)


def test_chapters_that_neither_fit_nor_differ_when_they_are_longer_are_told_of():
    spans = (
        (start, start + 10, ("tap", "whisper")[start // 10 % 2]) for start in range(0, 9000, 10)
    )
    told = "5000 bytes, which its 900 chapters exceed, and longer ones would be called alike"
    with pytest.raises(NotRepresentableError, match=told):
        chapters_of(of(9000.0, *spans))


def test_silence_takes_no_name_from_what_is_heard():
    """As of a video whose sound begins late: it was called other, which nobody hears in it."""
    late = of(16.0, (0, 4, "silence"), (4.258, 12.098, "tap"))
    assert [each.labels for each in find_chapters(late)] == [("tap",)]
    rare = of(16.0, (0, 8, "silence"), (8, 15, "tap"))
    assert [each.labels for each in find_chapters(rare)] == [("silence",)]
    little = of(16.0, (0, 4, "silence"), (4, 9, "tap"))
    assert [each.labels for each in find_chapters(little)] == [("other",)]


def test_angle_brackets_which_youtube_refuses_are_replaced():
    assert "\u2039b\u203a" in chapters_of(timeline(labels=("<b>", "tap", "speech")))


@pytest.mark.parametrize(
    ("result", "found"),
    [
        pytest.param(of(0.0), 0, id="empty"),
        pytest.param(of(5.0, (0, 5, "tap")), 1, id="short"),
        pytest.param(of(600.0, (0, 300, "tap"), (300, 600, "speech")), 2, id="two"),
        pytest.param(of(29.0, (0, 9, "tap"), (9, 19, "speech"), (19, 29, "tap")), 2, id="29 s"),
    ],
)
def test_where_youtube_takes_no_list_that_is_told(result, found):
    with pytest.raises(NotRepresentableError, match=rf"a: no chapters: .* and it has {found};"):
        chapters_of(result)


@settings(max_examples=150)
@given(timelines())
def test_every_list_is_one_that_youtube_takes(result):
    try:
        lines = chapters_of(result).splitlines()
    except NotRepresentableError:
        assume(False)
    matches = [LINE.fullmatch(line) for line in lines]
    assert all(matches)
    starts = [int(m[1] or 0) * 3600 + int(m[2]) * 60 + int(m[3]) for m in matches]
    ends = [*starts[1:], max(result.duration or 0, result.decoded)]
    assert starts[0] == 0
    assert len(starts) >= 3
    assert all(end - start >= 10 for start, end in zip(starts, ends, strict=True))


@settings(max_examples=200)
@given(timelines())
def test_chapters_cover_the_recording_and_neighbours_differ(result):
    found = find_chapters(result)
    edges = [0, *(c.end for c in found)]
    assert [c.start for c in found] == edges[:-1]
    assert edges[-1] == int(max(result.duration or 0.0, result.decoded))
    assert all(a.labels != b.labels for a, b in pairwise(found))
    if len(found) > LEAST_CHAPTERS:
        assert min(c.duration for c in found) >= LEAST_SECONDS
