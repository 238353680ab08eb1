from __future__ import annotations

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

from asmr_classify.config import DecisionSpec
from asmr_classify.evidence import (
    Heard,
    against_rivals,
    find_background,
    mean_of_best_stretch,
    weigh,
)

ALONE = DecisionSpec(context=0.0)
"""Each window by itself."""


def heard(rows, levels=None):
    starts = np.arange(len(rows), dtype=float)
    return Heard(
        np.stack([starts, starts + 2], axis=1),
        np.array(rows, dtype=np.float32),
        *np.full((2, len(rows)), -30.0 if levels is None else levels, dtype=np.float32),
    )


def test_overlapping_windows_are_averaged():
    evidence = weigh(heard([[1.0], [0.0], [0.5]]), ALONE)
    assert evidence.edges.tolist() == [0, 1, 2, 3, 4]
    np.testing.assert_allclose(evidence.logits[:, 0], [1, 0.5, 0.25, 0.5])


def test_each_window_is_blended_with_the_stretch_around_it():
    rows = [[0.0]] * 10
    rows[4] = [9.0]
    evidence = weigh(heard(rows), DecisionSpec(span=40, context=0.4))
    assert evidence.logits[0, 0] == pytest.approx(0.4 * 0.9)
    assert evidence.logits[4, 0] == pytest.approx(0.6 * 4.5 + 0.4 * 0.9)


def test_the_stretch_around_a_window_is_the_best_with_it():
    logits = np.zeros((30, 1))
    logits[12:21] = 3
    around = weigh(heard(logits), DecisionSpec(span=10, context=1)).logits[:, 0]
    assert around[13:21].tolist() == pytest.approx([3.0] * 8)
    assert around[4] == pytest.approx((0 + 3 / 9) / 2)
    assert around[3] == 0


def test_the_whole_is_judged_by_its_best_stretch():
    logits = np.zeros((30, 1), dtype=np.float32)
    logits[12:21] = 3
    assert mean_of_best_stretch(heard(logits), 10) == pytest.approx(3)
    assert mean_of_best_stretch(heard(logits), 20) == pytest.approx(3 * 9 / 19)
    assert weigh(heard(logits), DecisionSpec(span=10, brief=9)).of_whole == pytest.approx(3)


def test_half_a_stretch_is_enough_for_what_is_surer_there():
    logits = np.full((30, 1), -2.0)
    logits[12:16] = 3
    sound = heard(logits)
    assert mean_of_best_stretch(sound, 5) == pytest.approx(3)
    assert weigh(sound, DecisionSpec(span=10, brief=0.5)).of_whole == pytest.approx(2.5)
    assert weigh(sound, DecisionSpec(span=10, brief=9)).of_whole == pytest.approx((12 - 10) / 9)


def test_what_is_shorter_than_a_stretch_is_averaged_whole():
    assert mean_of_best_stretch(heard([[1.0], [3.0]]), 10) == pytest.approx(2)


@pytest.mark.parametrize("place", [0, 30, 60], ids=["first", "middle", "last"])
def test_a_short_sound_between_long_silences_is_found_wherever_it_is(place):
    starts = np.concatenate([np.arange(3.0) + shift for shift in (0, 30, 60)])
    logits = np.zeros((9, 1), dtype=np.float32)
    logits[(starts >= place) & (starts < place + 3)] = 4
    intervals = np.stack([starts, starts + 2], axis=1)
    sound = Heard(intervals, logits, *np.full((2, 9), -30.0, dtype=np.float32))
    assert mean_of_best_stretch(sound, 10) == pytest.approx(4)


def test_every_window_of_a_recording_without_gaps_counts_once_in_a_stretch():
    starts = np.append(np.arange(11.0), 10.5)  # 12.5 s: the last window ends with the recording
    intervals = np.stack([starts, starts + 2], axis=1)
    logits = np.arange(12, dtype=np.float32)[:, None]
    sound = Heard(intervals, logits, *np.full((2, 12), -30.0, dtype=np.float32))
    assert mean_of_best_stretch(sound, 10) == pytest.approx(np.mean(np.arange(2, 11)))
    around = weigh(sound, DecisionSpec(span=10, context=1)).logits[:, 0]
    assert around[-1] == pytest.approx(np.mean(np.arange(2, 12)))  # and is in one


def test_a_window_without_sound_has_none_in_any_part_of_it():
    evidence = weigh(heard([[4.0]] * 4, levels=[-30.0, -120.0, -120.0, -30.0]), ALONE)
    assert evidence.silent.tolist() == [False, True, True, True, False]
    assert (evidence.logits[:, 0] > 0).tolist() == [True, False, False, False, True]


TAPS = [-30.0, -30.0, -30.0]
HISS = [-70.0] * 5


def test_the_hiss_between_sounds_is_background():
    sound = heard([[0.0]] * 11, levels=[*TAPS, *HISS, *TAPS])
    found = find_background(sound, DecisionSpec())
    assert found.tolist() == [False] * 3 + [True] * 5 + [False] * 3


def test_nothing_but_quiet_noise_is_no_background():
    assert not find_background(heard([[0.0]] * 60, levels=[-70.0] * 60), DecisionSpec()).any()


def test_a_whisper_after_a_loud_sound_is_no_background():
    whisper, room = [-50.0] * 5, [-75.0] * 5
    sound = heard([[0.0]] * 13, levels=[*TAPS, *whisper, *room])
    assert find_background(sound, DecisionSpec()).tolist() == [False] * 8 + [True] * 5


def test_noise_that_is_heard_behind_a_voice_is_no_background():
    sound = heard([[0.0]] * 12, levels=[-35.0, -33.0, -45.0, -45.0] * 3)  # as far below its peaks
    assert not find_background(sound, DecisionSpec()).any()


def test_rain_after_a_loud_introduction_is_background_no_longer_than_surroundings_reach():
    sound = heard([[0.0]] * 600, levels=[-25.0] * 20 + [-55.0] * 580)
    found = find_background(sound, DecisionSpec(surroundings=30))
    assert np.flatnonzero(found).tolist() == list(range(20, 50))


def test_rain_under_knocks_is_no_background():
    knocks = heard([[0.0]] * 60, levels=[-44.0] * 60)
    peaks = np.where(np.arange(60) % 5 == 0, -15.0, -43.0).astype(np.float32)
    assert not find_background(replace(knocks, peaks_db=peaks), DecisionSpec()).any()
    faint = replace(knocks, levels_db=knocks.levels_db - 30, peaks_db=peaks - 30)
    assert find_background(faint, DecisionSpec()).sum() == 48


def test_the_last_sound_after_a_gap_is_in_a_stretch():
    starts = np.array([0.0, 5, 6, 7, 8, 9, 10, 11])
    logits = np.where(starts >= 9, 4.0, 0.0)[:, None].astype(np.float32)
    intervals = np.stack([starts, starts + 2], axis=1)
    sound = Heard(intervals, logits, *np.full((2, 8), -30.0, dtype=np.float32))
    assert mean_of_best_stretch(sound, 10) == pytest.approx(12 / 7)


def test_long_pauses_far_below_everything_are_background_throughout():
    sound = heard([[0.0]] * 600, levels=[-30.0] * 100 + [-75.0] * 500)
    assert np.flatnonzero(find_background(sound, DecisionSpec())).tolist() == list(range(100, 600))


def test_nothing_comes_of_background():
    levels = [*TAPS, *HISS, *TAPS]
    evidence = weigh(heard([[4.0]] * 11, levels), ALONE)
    assert evidence.empty.tolist() == [False] * 3 + [True] * 6 + [False] * 3
    assert (evidence.logits[:, 0] > 0).tolist() == (~evidence.empty).tolist()


def test_short_sounds_are_as_loud_as_their_peak():
    sound = heard([[0.0]] * 11, levels=[-60.0] * 11)
    clicks = replace(sound, peaks_db=np.float32([*[-40.0] * 3, *[-59.0] * 5, *[-40.0] * 3]))
    assert not find_background(sound, DecisionSpec(background_db=18)).any()
    found = find_background(clicks, DecisionSpec(background_db=18))
    assert found.tolist() == [False] * 3 + [True] * 5 + [False] * 3


def test_the_foreground_is_what_is_neither_silent_nor_background():
    evidence = weigh(heard([[0.0]] * 14, levels=[*TAPS, *HISS, *TAPS, *[-120.0] * 3]), ALONE)
    assert evidence.foreground_seconds == pytest.approx(5.0)  # cells that nothing empty reaches


def many_columns(n_windows, n_columns=80):
    logits = np.random.default_rng(2).normal(0, 3, (n_windows, n_columns)).astype(np.float32)
    return heard(logits)


def test_what_is_told_of_the_whole_only_changes_nothing_of_the_rest():
    sound = many_columns(50)
    spec = DecisionSpec(span=10, context=0.4)
    whole, some = weigh(sound, spec), weigh(sound, spec, 8)
    np.testing.assert_array_equal(some.of_whole, whole.of_whole)
    np.testing.assert_array_equal(some.logits, whole.logits[:, :8])


def test_ten_hours_with_many_kinds_take_little_memory():
    """A window lies in many stretches, of which none but the best is kept."""
    sound = many_columns(36_000)
    tracemalloc.start()
    weigh(sound, DecisionSpec(span=10, context=0.4), 8, 0.6)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 * sound.logits.nbytes


def test_kinds_are_lowered_by_what_else_there_is_at_the_time():
    both, one = against_rivals(np.array([[3.0, 2.0, -6.0], [3.0, -6.0, -6.0]]), 0.6)
    assert one[0] > 3 > both[0] > both[1]
    assert both[1] == pytest.approx(2 - 0.6 * np.log(np.exp(3) + np.exp(-6)))


def test_without_rivalry_or_rivals_kinds_are_what_they_are():
    logits = np.array([[3.0, 2.0], [1.0, -50.0]])
    assert against_rivals(logits, 0.0).tolist() == logits.tolist()
    assert against_rivals(logits[:, :1], 0.6).tolist() == logits[:, :1].tolist()
    assert np.isfinite(against_rivals(np.array([[30.0, -30.0], [-30.0, 30.0]]), 0.6)).all()


def test_with_full_rivalry_each_is_as_likely_as_among_all(rng):
    logits = rng.normal(0, 3, (20, 5))
    odds = np.exp(against_rivals(logits, 1.0))
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(odds / (1 + odds), shares, rtol=1e-6)


def test_kinds_that_sound_after_one_another_are_no_rivals():
    """Of a label, a kind for twenty seconds, and then another for as long."""
    logits = np.full((41, 3), -5.0)
    logits[:, 0] = 1
    logits[:20, 1] = logits[21:, 2] = 4
    told = mean_of_best_stretch(heard(logits), 10, 1, 0.6)
    alone = mean_of_best_stretch(heard(logits[:20]), 10, 1, 0.6)
    assert told[1] == told[2] == pytest.approx(alone[1])
    assert told[0] == pytest.approx(1)
    logits[:, 1:] = 4
    assert mean_of_best_stretch(heard(logits), 10, 1, 0.6)[1] < alone[1] - 3


def test_how_many_stretches_are_compared_at_once_changes_nothing(monkeypatch):
    sound = many_columns(50)
    expected = weigh(sound, DecisionSpec(span=10), 8, 0.6).of_whole
    monkeypatch.setattr("asmr_classify.evidence.STRETCHES_AT_ONCE", 3)
    told = weigh(sound, DecisionSpec(span=10), 8, 0.6).of_whole
    np.testing.assert_allclose(told, expected, rtol=1e-6)
