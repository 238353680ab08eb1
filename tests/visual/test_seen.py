"""Records of what was seen."""

import csv
import io
from dataclasses import replace

import pandas as pd
import pytest
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
from tests.writers.roundtrip import read, write

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
    record = visual_to_record(visual, rounded=False)
    assert record_to_visual(record) == visual


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"picture": "film"}, "picture 'film' is none of video, still, cover, none"),
        ({"effort": 1}, "effort 1 is none of low, normal, full"),
        ({"motion": {"level": "wild"}}, "level of motion 'wild' is none of still, slow, lively"),
        ({"light": {"level": None}}, "level of light None is none of dark, dim, bright"),
    ],
)
def test_words_that_there_are_not_are_told_with_those_there_are(changed, message):
    record = visual_to_record(Visual(Picture.NONE), rounded=False)
    with pytest.raises(ValueError, match=f"^{message}$"):
        record_to_visual(record | changed)


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


@given(visuals)
def test_parquet_keeps_what_was_seen_and_its_words_stand_in_columns(visual):
    result = FileResult("a.mp4", Status.OK, "m@1", visual=visual, visual_error=Problem("E", "why"))
    table = write("parquet", [result], ("tap",))
    assert read("parquet", table)[0] == result
    frame = pd.read_parquet(io.BytesIO(table))
    assert frame.picture[0] == visual.picture.value
    assert pd.isna(frame.motion[0]) == (visual.motion is None)


def test_a_spreadsheet_finds_what_was_seen():
    visual = Visual(
        Picture.VIDEO, Motion(MotionLevel.SLOW, 0.02, 0.1), Light(LightLevel.DARK, 0.01, 0.02, 0.3),
        1.5, 2,
    )  # fmt: skip
    some = [
        FileResult("a.mp4", Status.OK, "m@1", visual=visual),
        FileResult("b.mp3", Status.OK, "m@1"),
    ]
    rows = [*csv.DictReader(io.StringIO(write("csv", some, ("tap",))))]
    names = ("picture", "motion", "light", "cuts_per_minute", "flashes")
    assert [rows[0][name] for name in names] == ["video", "slow", "dark", "1.5000", "2"]
    assert [rows[1][name] for name in names] == [""] * 5


def test_tables_of_older_versions_can_be_read():
    text = write("csv", [FileResult("a.mp3", Status.OK, "m@1", kinds={"typing": 0.5})], ("tap",))
    head, row = text.splitlines()
    older = [",".join(line.split(",")[:13]) for line in (head, row)]
    assert older[0].endswith(",kinds")
    assert read("csv", "\n".join(older))[0].kinds == {"typing": 0.5}
