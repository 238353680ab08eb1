from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from asmr_classify.aggregate import Heard, Problem, Status, choose_tags, pool_logits, summarise
from asmr_classify.config import DecisionSpec

# labels of the tiny model: tap, whisper, speech; its calibration changes nothing


def heard(rows, levels=None):
    starts = np.arange(len(rows), dtype=float)
    return Heard(
        np.stack([starts, starts + 2], axis=1),
        np.array(rows, dtype=np.float32),
        np.full(len(rows), -30.0, dtype=np.float32) if levels is None else np.array(levels),
    )


def summed(model, rows, levels=None, **kwargs):
    seconds = len(rows) + 1.0
    return summarise(
        "a.wav", heard(rows, levels), model, duration=seconds, decoded=seconds, **kwargs
    )


def test_a_sure_file(tiny_model):
    result = summed(tiny_model, [[4, -4, -4]] * 5)
    assert (result.status, result.trigger, result.tags) == (Status.OK, "tap", ("tap",))
    assert result.scores["tap"] == pytest.approx(1 / (1 + np.exp(-4)), abs=1e-6)
    assert result.shares == {"tap": 1.0, "whisper": 0.0, "speech": 0.0, "silence": 0.0}
    assert result.no_talking is True
    assert result.model == "tiny@0.1"


def test_labels_are_independent_and_the_strongest_is_first(tiny_model):
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
    assert result.shares["silence"] == pytest.approx(4 / 9)


def test_quiet_is_not_silence(tiny_model):
    assert summed(tiny_model, [[4, -4, -4]] * 4, levels=[-75.0] * 4).tags == ("tap",)


def test_a_broken_decode_is_partial_and_still_labelled(tiny_model):
    problem = Problem("DecodeError", "a.wav: cut short")
    result = summed(tiny_model, [[4, -4, -4]] * 4, error=problem)
    assert (result.status, result.error, result.tags) == (Status.PARTIAL, problem, ("tap",))


NOWHERE = {"tap": 0.0, "whisper": 0.0, "speech": 0.0}


def test_thresholds_decide_tags(tiny_model):
    scores = {"tap": 0.6, "whisper": 0.7, "speech": 0.9}
    assert choose_tags(scores, NOWHERE, 60.0, tiny_model) == ("whisper", "tap")
    strict = tiny_model.with_thresholds({"whisper": 0.8})
    assert choose_tags(scores, NOWHERE, 60.0, strict) == ("tap",)


@pytest.mark.parametrize(
    ("seconds", "heard", "tags"),
    [
        (5.9, 60.0, ("tap",)),
        (6.0, 60.0, ("tap", "whisper")),
        (2.4, 5.0, ("tap",)),
        (2.5, 5.0, ("tap", "whisper")),
    ],
)
def test_beside_a_tag_the_timeline_tells_what_lies_under_it(tiny_model, seconds, heard, tags):
    scores = {"tap": 0.6, "whisper": 0.2, "speech": 0.1}
    assert choose_tags(scores, NOWHERE | {"whisper": seconds}, heard, tiny_model) == tags


def test_what_is_layered_is_weaker_than_what_it_lies_over(tiny_model):
    covered = NOWHERE | {"whisper": 9.0}
    model = tiny_model.with_thresholds({"tap": 0.3})
    scores = {"tap": 0.35, "whisper": 0.45, "speech": 0.1}
    assert choose_tags(scores, covered, 9.0, model) == ("tap",)
    scores = {"tap": 0.35, "whisper": 0.30, "speech": 0.1}
    assert choose_tags(scores, covered, 9.0, model) == ("tap", "whisper")


def test_the_timeline_alone_makes_no_tag(tiny_model):
    scores = {"tap": 0.4, "whisper": 0.2, "speech": 0.9}
    covered = {"tap": 9.0, "whisper": 9.0, "speech": 9.0}
    assert choose_tags(scores, covered, 9.0, tiny_model) == ()


def test_silence_behind_a_mixture_changes_no_tag(tiny_model):
    model = dataclasses.replace(
        tiny_model, timeline_thresholds={"tap": 0.5, "whisper": 0.2, "speech": 0.5}
    )
    quiet = [-120.0] * 200
    long = summed(model, [[4, -1, -4]] * 205, levels=[-30.0] * 5 + quiet)
    assert long.tags == ("tap", "whisper")
    assert long.shares["whisper"] < 0.1


def test_a_sound_under_another_is_tagged_by_its_timeline(tiny_model):
    model = dataclasses.replace(
        tiny_model, timeline_thresholds={"tap": 0.5, "whisper": 0.2, "speech": 0.5}
    )
    result = summed(model, [[4, -1, -4]] * 5)  # a whisper of 0.27
    assert result.tags == ("tap", "whisper")
    assert result.trigger == "tap"


def test_a_model_without_voices_says_nothing_of_talking(tiny_model):
    model = dataclasses.replace(
        tiny_model,
        labels=("tap", "brush", "pop"),
        thresholds={"tap": 0.5, "brush": 0.5, "pop": 0.5},
    )
    assert summed(model, [[4, -4, -4]] * 4).no_talking is None


def test_pooling_takes_the_best_span():
    logits = np.zeros((30, 1), dtype=np.float32)
    logits[12:21] = 3
    sound = heard(logits)
    pooled = pool_logits(sound, DecisionSpec(span=10))
    assert pooled[0] == pytest.approx(3)
    longer = pool_logits(sound, DecisionSpec(span=20))
    assert longer[0] == pytest.approx(3 * 9 / 19)


def test_pooling_averages_what_is_shorter_than_the_span():
    sound = heard([[1.0], [3.0]])
    assert pool_logits(sound, DecisionSpec(span=10))[0] == pytest.approx(2)


@pytest.mark.parametrize("place", [0, 30, 60], ids=["first", "middle", "last"])
def test_a_short_sound_between_long_silences_is_found_wherever_it_is(place):
    starts = np.concatenate([np.arange(3.0) + shift for shift in (0, 30, 60)])
    logits = np.zeros((9, 1), dtype=np.float32)
    logits[(starts >= place) & (starts < place + 3)] = 4
    intervals = np.stack([starts, starts + 2], axis=1)
    sound = Heard(intervals, logits, np.full(9, -30.0, dtype=np.float32))
    assert pool_logits(sound, DecisionSpec(span=10))[0] == pytest.approx(4)


def test_every_window_of_a_recording_without_gaps_counts_once_in_a_span():
    starts = np.append(np.arange(11.0), 10.5)  # 12.5 s: the last window ends with the recording
    intervals = np.stack([starts, starts + 2], axis=1)
    logits = np.arange(12, dtype=np.float32)[:, None]
    sound = Heard(intervals, logits, np.full(12, -30.0, dtype=np.float32))
    pooled = pool_logits(sound, DecisionSpec(span=10))
    assert pooled[0] == pytest.approx(np.mean(np.arange(2, 11)))  # from 2 s to 12 s


def test_the_hiss_after_a_sound_does_not_count():
    sound = heard([[4.0], [4.0], [-4.0], [-4.0]], levels=[-20.0, -30.0, -46.0, -60.0])
    decision = DecisionSpec(span=10, background_db=25)
    assert pool_logits(sound, decision)[0] == pytest.approx(4)
    louder = heard([[4.0], [4.0], [-4.0], [-4.0]], levels=[-20.0, -30.0, -44.0, -60.0])
    assert pool_logits(louder, decision)[0] == pytest.approx(4 / 3)


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
