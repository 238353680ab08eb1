from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asmr_classify.units import (
    samples_to_frames,
    samples_to_seconds,
    seconds_to_samples,
    time_to_seconds,
)

counts = st.integers(0, 10**9)
lengths = st.integers(1, 5000)


def least_samples(n_frames, n_fft, hop_length):
    return 0 if n_frames == 0 else n_fft + (n_frames - 1) * hop_length


@given(st.integers(0, 99), st.integers(0, 59), st.integers(0, 59_999))
def test_times_are_read_as_players_show_them(hours, minutes, ms):
    seconds = ms / 1000
    text = f"{hours}:{minutes:02}:{seconds:06.3f}"
    assert time_to_seconds(text) == pytest.approx(3600 * hours + 60 * minutes + seconds)
    assert time_to_seconds(f"{60 * hours + minutes}:{seconds:06.3f}") == time_to_seconds(text)
    assert time_to_seconds(f"{seconds}") == seconds


def test_times_beyond_all_numbers_are_endless_as_seconds_are():
    digits = "9" * 400
    assert time_to_seconds(digits) == math.inf
    assert time_to_seconds(f"{digits}:00") == time_to_seconds(f"{digits}:00:00") == math.inf


@pytest.mark.parametrize("text", ["", "1:", ":30", "1:5", "1:60", "1:60:00", "1:5:00", "-1:00"])
def test_what_is_no_time_is_refused(text):
    with pytest.raises(ValueError, match=r"has sixty or more|could not convert"):
        time_to_seconds(text)


@given(counts, st.integers(1, 400_000))
def test_samples_survive_the_way_to_seconds_and_back(n_samples, sr):
    assert seconds_to_samples(samples_to_seconds(n_samples, sr), sr) == n_samples


@given(st.integers(0, 10**6), lengths, lengths)
def test_so_many_frames_are_counted_as_the_least_samples_hold(n_frames, n_fft, hop_length):
    n_samples = least_samples(n_frames, n_fft, hop_length)
    assert samples_to_frames(n_samples, n_fft, hop_length) == n_frames


@given(counts, lengths, lengths)
def test_one_sample_less_is_one_frame_less_at_a_seam(n_samples, n_fft, hop_length):
    n_frames = samples_to_frames(n_samples, n_fft, hop_length)
    assert least_samples(n_frames, n_fft, hop_length) <= max(n_samples, 0)
    assert least_samples(n_frames + 1, n_fft, hop_length) > n_samples
