from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asmr_classify.aggregate import Problem, Status, contradictions, summarise
from asmr_classify.evidence import Heard
from asmr_classify.timeline import Segment

# labels of the tiny model: tap, whisper, speech; its calibration changes nothing


def heard(rows, levels=None):
    starts = np.arange(len(rows), dtype=float)
    return Heard(
        np.stack([starts, starts + 2], axis=1),
        np.array(rows, dtype=np.float32),
        *np.full((2, len(rows)), -30.0 if levels is None else levels, dtype=np.float32),
    )


def summed(model, rows, levels=None, **kwargs):
    seconds = len(rows) + 1.0
    return summarise(
        "a.wav", heard(rows, levels), model, duration=seconds, decoded=seconds, **kwargs
    )


def test_a_sure_file(tiny_model):
    result = summed(tiny_model, [[4, -4, -4]] * 5)
    assert (result.status, result.trigger, result.tags) == (Status.OK, "tap", ("tap",))
    assert result.scores["tap"] == 0.982  # 1 / (1 + exp(-4)), as it is written
    assert result.shares == {"tap": 1.0, "whisper": 0.0, "speech": 0.0, "silence": 0.0}
    assert result.no_talking is True
    assert result.model == "tiny@0.1"


def test_labels_are_independent_and_the_surest_of_equally_long_ones_is_first(tiny_model):
    result = summed(tiny_model, [[2, 3, -4]] * 5)
    assert result.tags == ("whisper", "tap")
    assert result.no_talking is False


def test_contexts_are_no_tags(tiny_model):
    result = summed(tiny_model, [[-4, -4, 4]] * 5)
    assert result.tags == ()
    assert result.trigger is None
    assert result.scores["speech"] > 0.9
    assert result.no_talking is False


def test_where_only_a_part_was_heard_nobody_knows_of_no_talk(tiny_model):
    broken = Problem("DecodeError", "a.wav: broke off")
    assert summed(tiny_model, [[4, -4, -4]] * 5, error=broken).no_talking is None
    assert summed(tiny_model, [[4, -4, 4]] * 5, error=broken).no_talking is False


def test_a_minute_in_an_hour_is_found(tiny_model):
    rows = [[-5, -5, -5]] * 3600
    rows[1000:1060] = [[-5, 5, -5]] * 60
    result = summed(tiny_model, rows)
    assert result.tags == ("whisper",)
    assert result.shares["whisper"] == pytest.approx(60 / 3601, rel=0.1)


def test_a_single_window_in_an_hour_is_not(tiny_model):
    rows = [[-5, -5, -5]] * 3600
    rows[1000] = [-5, 5, -5]
    assert summed(tiny_model, rows).tags == ()


def test_silence_has_no_scores(tiny_model):
    result = summed(tiny_model, [[4, 4, 4]] * 4, levels=[-120.0] * 4)
    assert result.status is Status.SILENT
    assert result.scores == {}
    assert result.tags == ()
    assert result.no_talking is None
    assert result.shares["silence"] == 1.0


def test_silent_windows_do_not_count(tiny_model):
    rows = [[4, -4, -4]] * 4 + [[-4, 4, -4]] * 4
    result = summed(tiny_model, rows, levels=[-30.0] * 4 + [-120.0] * 4)
    assert result.tags == ("tap",)
    assert result.shares["silence"] == pytest.approx(5 / 9)


def test_quiet_is_not_silence(tiny_model):
    assert summed(tiny_model, [[4, -4, -4]] * 4, levels=[-75.0] * 4).tags == ("tap",)


def test_a_broken_decode_is_partial_and_still_labelled(tiny_model):
    problem = Problem("DecodeError", "a.wav: cut short")
    result = summed(tiny_model, [[4, -4, -4]] * 4, error=problem)
    assert (result.status, result.error, result.tags) == (Status.PARTIAL, problem, ("tap",))


def test_thresholds_decide_tags_and_the_timeline_alike(tiny_model):
    rows = [[0.5, 1, 2]] * 5
    assert summed(tiny_model, rows).tags == ("whisper", "tap")
    strict = summed(tiny_model.with_thresholds({"whisper": 0.8}), rows)
    assert strict.tags == ("tap",)
    assert "whisper" not in {s.label for s in strict.segments}
    lenient = summed(tiny_model.with_thresholds({"whisper": 0.2}), [[-4, -1, -4]] * 5)
    assert lenient.tags == ("whisper",)
    assert "whisper" in {s.label for s in lenient.segments}


def test_a_third_of_what_is_heard_is_enough_for_a_tag(tiny_model):
    rows = [[4, -4, -4]] * 9 + [[-4, 4, -4]] * 5
    assert summed(tiny_model, rows).tags == ("tap", "whisper")
    quiet = [-120.0] * 200
    long = summed(tiny_model, rows + [[-4, -4, -4]] * 200, levels=[-30.0] * 14 + quiet)
    assert long.tags == ("tap", "whisper")
    assert long.shares["whisper"] < 0.1


def test_what_lies_under_another_sound_is_raised_to_its_threshold_and_no_further(tiny_model):
    under = summed(tiny_model, [[4, -1, -4]] * 5)  # a whisper of 0.27
    assert under.tags == ("tap", "whisper")
    assert under.scores["whisper"] == 0.5
    assert summed(tiny_model, [[4, -2, -4]] * 5).tags == ("tap",)  # 0.12, raised to 0.38
    spoken = summed(tiny_model, [[-4, -1, 4]] * 5)  # nobody whispers and speaks at once
    assert (spoken.tags, spoken.scores["whisper"]) == ((), 0.2689)
    assert summed(tiny_model, [[-1, -4, 4]] * 5).tags == ("tap",)
    assert summed(tiny_model, [[-1, -4, -4]] * 5).tags == ()
    labels = ("tap", "whisper", "music")
    sung = dataclasses.replace(tiny_model, labels=labels, thresholds=dict.fromkeys(labels, 0.5))
    assert summed(sung, [[-4, -1, 4]] * 5).tags == ("whisper",)


@pytest.mark.parametrize(("n_windows", "is_found"), [(1, False), (5, True)])
def test_what_lies_under_another_sound_is_found_from_a_thirtieth_on(
    tiny_model, n_windows, is_found
):
    rows = [[4, -4, -4]] * 100
    rows[50 : 50 + n_windows] = [[4, -0.5, -4]] * n_windows
    found = {segment.label for segment in summed(tiny_model, rows).segments}
    assert ("whisper" in found) == is_found
    surer = summed(tiny_model.with_thresholds({"whisper": 0.6}), [[4, -1, -4]] * 5)
    assert (surer.tags, surer.scores["whisper"]) == (("tap",), 0.5)


def test_what_is_heard_most_is_named_first(tiny_model):
    rows = [[2, -5, -5]] * 600
    rows[100:130] = [[-5, 5, -5]] * 30
    result = summed(tiny_model, rows)
    assert result.scores["whisper"] > result.scores["tap"]
    assert result.tags == ("tap", "whisper")
    assert result.trigger == "tap"


def test_contradictions_are_told(tiny_model):
    result = summed(tiny_model, [[4, -4, -4]] * 5)
    assert contradictions(result, tiny_model.triggers) == []
    untagged = dataclasses.replace(result, tags=())
    assert contradictions(untagged, ("tap",)) == ["tap covers 6.0 s and is no tag"]
    empty = dataclasses.replace(result, tags=("tap", "whisper"))
    assert contradictions(empty, tiny_model.triggers) == ["whisper is a tag without a segment"]
    brief = dataclasses.replace(
        untagged, segments=(Segment(0, 1.9, "tap", 0.9),), duration=60.0, decoded=6.0
    )
    assert contradictions(brief, ("tap",)) == []


WINDOWS = st.tuples(
    st.lists(st.floats(-8, 8, width=32), min_size=3, max_size=3),
    st.sampled_from([-120.0, -70.0, -45.0, -30.0]),
)


@given(
    st.lists(WINDOWS, min_size=1, max_size=60),
    st.lists(st.floats(0.001, 0.999), min_size=3, max_size=3),
    st.randoms(use_true_random=False),
)
def test_tags_scores_and_timeline_say_the_same(tiny_model, windows, thresholds, random):
    logits, levels = zip(*windows, strict=True)
    model = tiny_model.with_thresholds(dict(zip(tiny_model.labels, thresholds, strict=True)))
    sound = heard(logits, np.array(levels, dtype=np.float32))
    rng = np.random.default_rng(random.randrange(1000))
    changes = rng.uniform(0, 12, (len(logits), 16, 2)).astype(np.float16)
    seconds = len(logits) + 1.0
    for each in (sound, dataclasses.replace(sound, changes=changes)):
        result = summarise("a.wav", each, model, duration=seconds, decoded=seconds)
        if result.status is Status.SILENT:
            assert not result.tags
            continue
        assert contradictions(result, model.triggers) == []
        over = {
            label for label in model.triggers if result.scores[label] >= model.thresholds[label]
        }
        assert set(result.tags) == over
        assert result.trigger == (result.tags[0] if result.tags else None)
        assert result.no_talking is not any(
            s.label in ("whisper", "speech") for s in result.segments
        )


def test_a_model_without_voices_says_nothing_of_talking(tiny_model):
    model = dataclasses.replace(
        tiny_model,
        labels=("tap", "brush", "pop"),
        thresholds={"tap": 0.5, "brush": 0.5, "pop": 0.5},
    )
    assert summed(model, [[4, -4, -4]] * 4).no_talking is None


def test_the_longest_talk_is_of_speech_and_whisper_together(tiny_model):
    tap, whisper, speech = [4, -4, -4], [-4, 4, -4], [-4, -4, 4]
    result = summed(tiny_model, [whisper] * 3 + [speech] * 4 + [tap] * 6 + [speech] * 3)
    talk = [s for s in result.segments if s.label != "tap"]
    assert [s.label for s in talk] == ["whisper", "speech", "speech"]
    assert talk[0].end >= talk[1].start
    assert result.longest_talk == pytest.approx(talk[1].end - talk[0].start)
    assert summed(tiny_model, [tap] * 3).longest_talk == 0
    silent = summed(tiny_model, [tap] * 3, levels=[-99.0] * 3)
    assert silent.longest_talk is None
