from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from asmr_classify.units import (
    frames_to_samples,
    samples_to_frames,
    samples_to_seconds,
    seconds_to_samples,
)

counts = st.integers(0, 10**9)
lengths = st.integers(1, 5000)


@given(counts, st.integers(1, 400_000))
def test_samples_survive_the_way_to_seconds_and_back(n_samples, sr):
    assert seconds_to_samples(samples_to_seconds(n_samples, sr), sr) == n_samples


@given(st.integers(0, 10**6), lengths, lengths)
def test_frames_survive_the_way_to_samples_and_back(n_frames, n_fft, hop_length):
    n_samples = frames_to_samples(n_frames, n_fft, hop_length)
    assert samples_to_frames(n_samples, n_fft, hop_length) == n_frames


@given(counts, lengths, lengths)
def test_one_sample_less_is_one_frame_less_at_a_seam(n_samples, n_fft, hop_length):
    n_frames = samples_to_frames(n_samples, n_fft, hop_length)
    assert frames_to_samples(n_frames, n_fft, hop_length) <= max(n_samples, 0)
    assert frames_to_samples(n_frames + 1, n_fft, hop_length) > n_samples
