"""Records of what was seen."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from asmr_classify.aggregate import FileResult, Problem, Status
from asmr_classify.visual.seen import (
    Effort,
    Lanes,
    Light,
    LightLevel,
    Motion,
    MotionLevel,
    Picture,
    Visual,
    record_to_visual,
    visual_to_record,
)
from asmr_classify.writers.jsonl import read_jsonl, record_to_result, result_to_line

numbers = st.floats(0, 10)
values = st.lists(st.none() | numbers, max_size=5).map(tuple)
visuals = st.builds(
    Visual,
    picture=st.sampled_from(Picture),
    motion=st.none() | st.builds(Motion, st.sampled_from(MotionLevel), numbers, numbers),
    light=st.none() | st.builds(Light, st.sampled_from(LightLevel), numbers, numbers, numbers),
    cuts_per_minute=st.none() | numbers,
    flashes=st.none() | st.integers(0, 99),
    seen=numbers,
    effort=st.sampled_from(Effort),
    lanes=st.none() | st.builds(Lanes, st.just(2.0), values, values),
)


@given(visuals)
def test_what_was_seen_survives_its_record(visual):
    assert record_to_visual(visual_to_record(visual, rounded=False)) == visual


def test_a_line_carries_what_was_seen_or_why_nothing_was():
    cover = FileResult("a.mp3", Status.OK, "m@1", visual=Visual(Picture.COVER))
    unseen = replace(cover, visual=None, visual_error=Problem("DecodeError", "a.mp3: no"))
    lines = [result_to_line(cover), result_to_line(unseen)]
    assert [*read_jsonl(lines)] == [cover, unseen]


def test_records_from_before_pictures_were_looked_at_are_read():
    record = dict.fromkeys(("error", "duration", "trigger", "no_talking", "longest_talk")) | {
        "path": "a.mp3",
        "status": "ok",
        "model": "m@1",
        "decoded": 0.0,
        "tags": [],
        "scores": {},
        "shares": {},
        "segments": [],
    }
    assert record_to_result(record) == FileResult("a.mp3", Status.OK, "m@1")
