"""Copies are found whatever was done to them; sounds that are merely alike are not."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import lfilter, resample_poly

from asmr_classify.features.fingerprints import SR, bit_error, candidate_pairs, fingerprint
from asmr_classify.media.decode import read_audio
from tests.media.make_media import Recipe, write_media


def noise(seed, seconds=3.0):
    return np.random.default_rng(seed).standard_normal(int(seconds * SR)).astype(np.float32)


def as_mp3(y, folder):
    recipe = Recipe("mp3", "libmp3lame", sr=2 * SR)
    wide = resample_poly(y, 2, 1).astype(np.float32) / 8
    return read_audio(str(write_media(folder / "copy.mp3", wide[None], recipe)), sr=SR)


CHANGES = {
    "as it is": lambda y, _: y,
    "30 dB down": lambda y, _: y * np.float32(10**-1.5),
    "cut": lambda y, _: y[4001:-2003],
    "darker": lambda y, _: lfilter([0.3], [1, -0.7], y).astype(np.float32),
    "under hiss": lambda y, _: y + np.float32(0.1) * noise(99)[: len(y)],
    "as MP3": as_mp3,
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_copy_is_found(change, tmp_path):
    first = fingerprint(noise(1))
    second = fingerprint(CHANGES[change](noise(1), tmp_path))
    assert candidate_pairs([first, second], np.array([0, 1])) == [(0, 1)]
    assert bit_error(first, second) < 0.3


def test_two_takes_of_the_same_noise_are_no_copies():
    prints = [fingerprint(noise(seed)) for seed in range(20)]
    errors = [bit_error(a, b) for k, a in enumerate(prints) for b in prints[:k]]
    assert errors == [None] * 190


def test_copies_on_one_side_of_the_split_leak_nothing():
    same = fingerprint(noise(1))
    assert candidate_pairs([same, same], np.array([2, 2])) == []


@pytest.mark.parametrize("n_samples", [0, 1, 500, SR])
def test_silence_and_scraps_are_like_nothing(n_samples):
    silent = fingerprint(np.zeros(n_samples, dtype=np.float32))
    assert silent.shape == (0, 32)
    assert candidate_pairs([silent, silent, fingerprint(noise(1))], np.arange(3)) == []
