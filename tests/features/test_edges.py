from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asmr_classify.config import FeatureSpec
from asmr_classify.features.edges import POINTS_PER_SECOND, join_changes
from asmr_classify.features.windows import window_rows

SPEC = FeatureSpec()
SR = SPEC.frames.sr


def noise(seconds, *bursts):
    """Faint noise, 20 dB louder in bursts."""
    rng = np.random.default_rng(5)
    y = 0.01 * rng.standard_normal(round(seconds * SR))
    for start, end in bursts:
        y[round(start * SR) : round(end * SR)] *= 10
    return y.astype(np.float32)


def changes_of(y):
    rows = window_rows(y, SPEC)
    return join_changes(rows.intervals, rows.changes, SPEC)


@pytest.mark.parametrize("start", [2.0, 2.31, 3.77])
def test_a_sound_rises_where_it_begins_and_falls_where_it_ends(start):
    changes = changes_of(noise(9, (start, start + 2.5)))
    rise, fall = (changes.times[np.argmax(x)] for x in (changes.rises_db, changes.falls_db))
    assert rise == pytest.approx(start, abs=0.6 / POINTS_PER_SECOND)
    assert fall == pytest.approx(start + 2.5, abs=0.6 / POINTS_PER_SECOND)
    assert changes.rises_db.max() == pytest.approx(20, abs=1)


def test_steady_noise_hardly_changes():
    changes = changes_of(noise(9))
    assert max(changes.rises_db.max(), changes.falls_db.max()) < 2


@settings(max_examples=15)
@given(st.floats(2.0, 9.0))
def test_points_follow_each_other_without_a_gap(seconds):
    times = changes_of(noise(seconds)).times
    steps = np.diff(times)
    assert (steps > 0).all()
    assert steps.max() < 1.01 / POINTS_PER_SECOND
    assert times[0] < 0.55
    assert seconds - times[-1] < 0.6


def test_a_clip_too_short_to_compare_has_no_change():
    changes = changes_of(noise(0.3))
    assert not changes.rises_db.any()
    assert not changes.falls_db.any()
