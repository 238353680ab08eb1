from __future__ import annotations

import base64
import random
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from asmr_classify.aggregate import Problem, Status
from asmr_classify.report import report_data
from asmr_classify.report.data import OWN_COLOURS, natural_key
from asmr_classify.report.looks import LANE_POINTS, UNSEEN, lane_bytes
from asmr_classify.timeline import Segment
from asmr_classify.visual.levels import LIVELY
from asmr_classify.visual.seen import Picture, Visual
from tests.catalogue.results import seen
from tests.report.conftest import MADE, heard, lost


def data_of(*results, **options):
    return report_data(results, folder="/page", made=MADE, **options)


def test_files_come_in_the_order_that_people_expect():
    names = ["a/1.mp3", "a/Take 2.mp3", "a/take 10.mp3", "b.mp3"]
    shuffled = random.Random(1).sample(names, len(names))  # noqa: S311 (no secret)
    assert [file["path"] for file in data_of(*map(heard, shuffled)).files] == names


@given(st.text(st.characters(codec=None)), st.integers(0, 10**30), st.integers(0, 10**30))
def test_numbers_sort_by_value_after_any_name(name, one, other):
    keys = [natural_key(f"{name}-{number}.mp3") for number in (one, other)]
    assert (keys[0] < keys[1]) == (one < other)


@given(st.lists(st.text(st.characters(codec=None))))
def test_any_names_can_be_compared(names):
    keys = sorted(map(natural_key, names))
    assert all(one <= other for one, other in pairwise(keys))


def test_totals_count_tags_and_add_up_timelines():
    untagged = heard("c.mp3", tags=(), trigger=None, no_talking=True, segments=())
    data = data_of(heard("a.mp3"), heard("b.mp3"), untagged, lost("d.mp3"))
    totals = {total.look.name: (total.n_files, total.seconds) for total in data.totals}
    assert totals == {"whisper": (0, 0.0), "tap": (2, 30.0)}
    assert (data.n_files, data.n_tagged, data.n_untagged) == (4, 2, 1)
    assert (data.n_no_talking, data.n_failed, data.seconds) == (1, 1, 60.0)


def test_a_file_is_written_compactly():
    peaks = bytes(range(200))
    data = data_of(heard("/page/x.mp3"), waveforms={"/page/x.mp3": peaks})
    names = [look.name for look in data.labels]
    assert names == ["whisper", "tap", "speech", "silence"]
    (file,) = data.to_record()["files"]
    assert base64.b64decode(file.pop("peaks")) == peaks
    assert file == {
        "path": "/page/x.mp3",
        "url": "./x.mp3",
        "status": "ok",
        "model": 0,
        "duration": 2000,
        "decoded": 2000,
        "tags": [1],
        "scores": [10, 90, 70, -1],
        "segments": [1, 0, 1500, 90, 2, 1000, 1000, 70],
        "quiet": False,
        "talk": 1000,
    }


def test_a_failure_keeps_its_reason_without_the_path_twice():
    (file,) = data_of(lost("x.mp3")).files
    assert file["error"] == ["OpenError", "not a media file; fetch it again"]
    assert "duration" not in file
    assert file["status"] == Status.FAILED.value


def test_what_was_set_by_hand_is_told():
    (file,) = data_of(heard("x.mp3", tags=("whisper",), corrected=("trigger", "no_talking"))).files
    assert file["corrected"] == ["trigger", "no_talking"]
    assert "corrected" not in data_of(heard("x.mp3")).files[0]


def test_kinds_are_places_in_a_list_with_their_scores():
    one = heard("a.mp3", kinds={"typing": 0.934, "rain": 0.7})
    data = data_of(one, heard("b.mp3", kinds={"fire": 0.8}), heard("c.mp3"))
    assert data.to_record()["kinds"] == ["fire", "rain", "typing"]
    assert [file.get("kinds") for file in data.files] == [[2, 93, 1, 70], [0, 80], None]


def test_videos_are_told_from_sound():
    files = data_of(heard("a.MKV"), heard("b.mp3")).files
    assert [file.get("video") for file in files] == [True, None]


def test_videos_of_the_web_are_told_by_their_names_whatever_stands_for_their_query():
    files = data_of(heard("https://h/a.mp4#0123456789ab"), heard("https://h/b.mp3#0123456789ab"))
    assert [file.get("video") for file in files.files] == [True, None]


def test_labels_of_other_models_get_colours_and_letters_of_their_own():
    own = [f"brush {k}" for k in range(OWN_COLOURS + 2)]
    one = heard("a.mp3", scores=dict.fromkeys(own, 0.9), tags=tuple(own), trigger=own[0])
    data = data_of(one, heard("b.mp3", model="asmr-4@1.0.0"), heard("c.mp3"))
    colours = {look.name: look.colour for look in data.labels}
    assert colours["brush 0"] == colours[f"brush {OWN_COLOURS}"] == "own-1"
    assert colours["tap"] == "tap"
    letters = [look.letter for look in data.labels if look.letter not in {"?", ""}]
    assert len(set(letters)) == len(letters)
    assert data.models == (("tiny@0.1", 2), ("asmr-4@1.0.0", 1))


@given(st.lists(st.tuples(st.floats(0, 36000), st.floats(0.01, 600)), max_size=5))
def test_times_are_kept_to_the_hundredth(spans):
    segments = tuple(Segment(start, start + length, "tap", 0.5) for start, length in spans)
    flat = data_of(heard("a.mp3", segments=segments)).files[0].get("segments", [])
    for k, segment in enumerate(segments):
        _, start, length, _ = flat[4 * k : 4 * k + 4]
        assert abs(start / 100 - segment.start) <= 0.0051
        assert abs((start + length) / 100 - segment.end) <= 0.0051


def test_how_a_video_looks_is_written_compactly():
    (file,) = data_of(heard("x.bin", visual=seen()), films={"x.bin": b"film"}).files
    assert file["video"] is True
    assert base64.b64decode(file["film"]) == b"film"
    assert file["seen"] == {
        "picture": "video",
        "motion": ["slow", 0.02],
        "light": ["dark", 0.01],
        "cuts": 0.5,
        "flashes": 0,
    }
    lanes = file["lanes"]
    assert (lanes["seconds"], lanes["motion"][0], lanes["light"][0]) == (4000, LIVELY, 1.0)
    assert list(base64.b64decode(lanes["motion"][1])) == [114, 139]
    assert list(base64.b64decode(lanes["light"][1])) == [25, 255]


def test_what_is_only_heard_has_no_looks():
    error = Problem("DecodeError", "b.mp4: the picture is damaged")
    data = data_of(
        heard("a.mp3"),
        heard("b.mp4", visual_error=error),
        heard("c.mp4", visual=Visual(Picture.COVER)),
    )
    keys = {"seen", "lanes", "film", "video", "unseen"}
    shown = [{key: file[key] for key in keys & set(file)} for file in data.files]
    assert shown == [{}, {"video": True, "unseen": ["DecodeError", "the picture is damaged"]}, {}]
    assert not data.has_looks


@given(
    st.lists(st.none() | st.floats(0, 10), min_size=1, max_size=3 * LANE_POINTS),
    st.floats(0.01, 20),
)
def test_lanes_are_short_and_each_point_is_the_mean_of_its_part(values, top):
    points = lane_bytes(values, top)
    assert len(points) == min(len(values), LANE_POINTS)
    if len(values) <= LANE_POINTS:
        for point, value in zip(points, values, strict=True):
            assert (point == UNSEEN) == (value is None)
            if value is not None:
                assert abs(top * (point / 254) ** 2 - min(top, value)) <= top / 127
    known = [value for value in values if value is not None]
    seen_points = [top * (point / 254) ** 2 for point in points if point != UNSEEN]
    assert bool(known) == bool(seen_points)
    if known:
        assert max(seen_points) <= min(top, max(known)) + top / 127
