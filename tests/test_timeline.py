from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asmr_classify.config import DecisionSpec
from asmr_classify.features.edges import Changes
from asmr_classify.labels import SILENCE
from asmr_classify.timeline import Curves, Segment, find_segments, presence

LABELS = ("tap", "speech")
THRESHOLDS = {"tap": 0.5, "speech": 0.4}


def windows(n_windows, duration=2.0, hop=1.0):
    starts = hop * np.arange(n_windows)
    return np.stack([starts, starts + duration], axis=1)


def to_logits(p):
    p = np.clip(np.asarray(p, dtype=float), 1e-9, 1 - 1e-9)
    return np.log(p / (1 - p))


def averaged(p, silent):
    """Curves over the cells of windows of two seconds, and which cells are silent."""
    last, quiet = np.zeros_like(p[:1]), np.asarray(silent)
    n_over = np.full((len(p) + 1, 1), 2)
    n_over[[0, -1]] = 1
    means = (np.concatenate([p, last]) + np.concatenate([last, p])) / n_over
    n_quiet = np.append(quiet, False).astype(int) + np.append(False, quiet)
    means[n_quiet > 0] = 0
    return Curves(np.arange(len(p) + 2.0), to_logits(means)), n_quiet == n_over[:, 0]


def find(p, *, silent=None, decision=None, changes=None):
    p = np.asarray(p, dtype=np.float32)
    silent = np.zeros(len(p), dtype=bool) if silent is None else np.asarray(silent)
    return find_segments(
        *averaged(p, silent),
        labels=LABELS,
        thresholds=THRESHOLDS,
        decision=decision or DecisionSpec(),
        window=2.0,
        changes=changes,
    )


def segments_of(p, *, silent=None, decision=None):
    """Segments of ``tap`` when it alone has probabilities."""
    p = np.asarray(p, dtype=np.float32)
    found = find(np.stack([p, np.zeros_like(p)], axis=1), silent=silent, decision=decision)
    return [(s.start, s.end, s.label) for s in found]


def test_a_sure_label_covers_the_whole_file():
    assert segments_of([0.9] * 5) == [(0, 6, "tap")]


def test_hysteresis_holds_on_above_the_release():
    held = [0.9, 0.35, 0.35, 0.35, 0.0, 0.0]
    assert segments_of(held) == [(0, 4, "tap")]
    assert segments_of(held, decision=DecisionSpec(release=1.0)) == [(0, 2, "tap")]


def test_never_reaching_the_threshold_gives_nothing():
    assert segments_of([0.45] * 6) == []


def test_gaps_up_to_the_limit_are_merged():
    p = [0.9, 0.9, 0, 0, 0.9, 0.9]
    assert segments_of(p) == [(0, 3, "tap"), (4, 7, "tap")]
    assert segments_of(p, decision=DecisionSpec(max_gap=1.5)) == [(0, 7, "tap")]


def test_short_segments_are_dropped():
    p = [0, 0, 0.9, 0, 0]
    assert segments_of(p, decision=DecisionSpec(release=1, min_duration=0)) == []
    high = segments_of([0, 0, 1, 1, 0], decision=DecisionSpec(release=1, min_duration=3.5))
    assert high == []


def test_a_clip_shorter_than_the_least_duration_may_still_have_a_segment():
    found = find_segments(
        Curves(np.array([0.0, 0.02]), to_logits(np.array([[0.9, 0.0]]))),
        np.array([False]),
        labels=LABELS,
        thresholds=THRESHOLDS,
        decision=DecisionSpec(),
        window=2.0,
    )
    assert found == (Segment(0.0, 0.02, "tap", pytest.approx(0.9)),)


def test_silence_is_where_all_windows_are_silent_and_no_label_holds_there():
    found = segments_of([0.9] * 6, silent=[False, True, True, True, True, True])
    assert (2.0, 7.0, SILENCE) in found
    # The second window has no sound in any part of it.
    assert [s for s in found if s[2] == "tap"] == [(0, 1, "tap")]


@given(
    st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1), st.booleans()), min_size=1, max_size=40),
    st.floats(0.1, 1.0),
    st.floats(0, 3),
    st.floats(0, 3),
)
def test_segments_of_a_label_are_sorted_apart_and_inside_the_file(values, release, shortest, gap):
    p = np.array([(a, b) for a, b, _ in values], dtype=np.float32)
    found = find(
        p,
        silent=[silent for _, _, silent in values],
        decision=DecisionSpec(release=release, min_duration=shortest, max_gap=gap),
    )
    for label in (*LABELS, SILENCE):
        own = [s for s in found if s.label == label]
        assert all(0 <= s.start < s.end <= len(p) + 1 and 0 <= s.score <= 1 for s in own)
        assert all(a.end < b.start for a, b in pairwise(own))


def changes_at(rises, falls, duration):
    """Changes of 12 dB at given seconds, and none elsewhere."""
    times = np.arange(0.5, duration - 0.5, 1 / 16)
    levels = [np.isin(times, at).astype(np.float32) * 12 for at in (rises, falls)]
    return Changes(times, *levels)


def refined(p, changes):
    p = np.asarray(p, dtype=np.float32)
    return find(np.stack([p, np.zeros_like(p)], axis=1), changes=changes)


def test_a_segment_begins_where_the_level_rises_and_ends_where_it_falls():
    p = [0, 0, 0.9, 0.9, 0.9, 0.9, 0, 0, 0]
    coarse, fine = refined(p, None), refined(p, changes_at([3.75], [5.25], 10))
    assert [(s.start, s.end) for s in coarse] == [(2, 7)]
    assert [(s.start, s.end) for s in fine] == [(3.75, 5.25)]
    assert fine[0].score == pytest.approx(0.9)


def test_of_taps_that_go_on_the_first_and_the_last_are_taken():
    p = [0, 0, 0.9, 0.9, 0.9, 0.9, 0.9, 0, 0, 0]
    changes = changes_at(np.arange(2.5, 7.5, 0.5), np.arange(2.75, 7.75, 0.5), 11)
    changes.rises_db[:] *= np.linspace(0.8, 1.2, len(changes.times))  # louder and louder
    (segment,) = refined(p, changes)
    assert (segment.start, segment.end) == (2.5, 7.25)


def test_what_lasts_from_end_to_end_is_not_cut():
    changes = changes_at(np.arange(0.5, 9, 0.5), np.arange(0.75, 9, 0.5), 10)
    (segment,) = refined([0.9] * 9, changes)
    assert (segment.start, segment.end) == (0, 10)


def test_changes_too_far_away_move_nothing():
    p = [0, 0, 0.9, 0.9, 0.9, 0.9, 0, 0, 0]
    (segment,) = refined(p, changes_at([1.25, 4.5], [4.5, 8.0], 10))
    assert (segment.start, segment.end) == (2, 7)


@given(
    st.lists(st.floats(0, 1), min_size=1, max_size=24),
    st.lists(st.integers(0, 400), max_size=30),
    st.lists(st.integers(0, 400), max_size=30),
)
def test_refined_segments_keep_the_laws(p, rises, falls):
    duration = len(p) + 1
    changes = changes_at([0.5 + k / 16 for k in rises], [0.5 + k / 16 for k in falls], duration)
    found = refined(p, changes)
    assert len(found) == len(refined(p, None))
    # none comes closer to the next than segments may that are not merged
    least = DecisionSpec().max_gap
    assert all(b.start - a.end >= least - 1e-9 for a, b in pairwise(found))
    assert all(0 <= s.start < s.end <= duration and 0 <= s.score <= 1 for s in found)
    assert all(s.end - s.start >= DecisionSpec().min_duration for s in found)
    assert all(a.end <= b.start for a, b in pairwise(found))


def presence_of(p, enough, decision=None):
    """How present ``tap`` is where each cell of a second has a probability."""
    curves = Curves(np.arange(len(p) + 1.0), to_logits(np.array(p, dtype=float))[:, None])
    found = presence(curves, decision=decision or SHARP, window=0.0, enough=enough)
    return pytest.approx(1 / (1 + np.exp(-found[0])))


SHARP = DecisionSpec(release=1.0, max_gap=0.0, min_duration=0.0)


@pytest.mark.parametrize(("enough", "expected"), [(1, 0.9), (2, 0.8), (3, 0.4), (5, 0.1)])
def test_a_label_is_as_present_as_the_threshold_that_it_holds_for_long_enough(enough, expected):
    assert presence_of([0.1, 0.9, 0.4, 0.8, 0.2], enough) == expected


def test_presence_follows_what_segments_do_with_gaps_and_low_ends():
    p = [0.9, 0.5, 0.9, 0.0, 0.0]
    assert presence_of(p, 3) == 0.5
    assert presence_of(p, 3, DecisionSpec(release=1 / 9, max_gap=0, min_duration=0)) == 0.9
    assert presence_of(p, 3, DecisionSpec(release=1, max_gap=1.5, min_duration=0)) == 0.9
    assert presence_of(p, 1, DecisionSpec(release=1, max_gap=0, min_duration=2)) == 0.5


def test_a_segment_that_reaches_over_its_cells_counts_as_far_as_it_may_reach():
    curves = Curves(np.arange(11.0), to_logits([0, 0, 0, 0, 0.9, 0.9, 0, 0, 0, 0])[:, None])
    (segment,) = find_segments(
        curves,
        np.zeros(10, dtype=bool),
        labels=("tap",),
        thresholds={"tap": 0.5},
        decision=SHARP,
        window=2.0,
        changes=changes_at([3.625], [6.375], 10),
    )
    assert (segment.start, segment.end) == (3.625, 6.375)
    present = presence(curves, decision=SHARP, window=2.0, enough=2.75)
    assert present[0] == pytest.approx(to_logits(0.9))


@given(
    st.lists(st.floats(0, 1), min_size=1, max_size=30),
    st.floats(0.1, 1.0),
    st.floats(0, 3),
    st.floats(0, 3),
    st.floats(0.01, 1.0),
    st.floats(0.01, 0.99),
    st.lists(st.integers(0, 400), max_size=30),
)
def test_a_label_is_over_a_threshold_if_its_segments_cover_enough_and_only_if_it_has_some(  # noqa: PLR0917
    p, release, shortest, gap, share, threshold, rises
):
    decision = DecisionSpec(release=release, min_duration=shortest, max_gap=gap)
    curves = Curves(np.arange(len(p) + 1.0), to_logits(np.array(p))[:, None])
    enough = share * len(p)
    present = presence(curves, decision=decision, window=2.0, enough=enough)[0]
    for changes in (None, changes_at([0.5 + k / 16 for k in rises], [], len(p))):
        segments = find_segments(
            curves,
            np.zeros(len(p), dtype=bool),
            labels=("tap",),
            thresholds={"tap": threshold},
            decision=decision,
            window=2.0,
            changes=changes,
        )
        if sum(s.end - s.start for s in segments) >= enough + 1e-6:
            assert present >= to_logits(threshold) - 1e-6
        if present >= to_logits(threshold):
            assert segments
