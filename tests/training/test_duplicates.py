"""Copies are found whatever was done to them; sounds that are merely alike are not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.io import wavfile
from scipy.signal import lfilter, resample_poly

from asmr_classify.errors import CorpusError
from asmr_classify.media.decode import read_audio
from asmr_classify.training.corpus import Corpus, read_corpus
from asmr_classify.training.duplicates import (
    SR,
    bit_error,
    candidate_pairs,
    find_duplicates,
    fingerprint,
)
from asmr_classify.training.record import clip_names
from asmr_classify.training.splits import small_labels
from tests.conftest import shared_folder
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


@pytest.fixture
def copied(corpus_folder, tmp_path):
    """A corpus in which one maker took a clip of another."""
    corpus = read_corpus(corpus_folder / "manifest.csv")
    taken = tmp_path / "taken.wav"
    sr, y = wavfile.read(corpus_folder / "white_noise-0-1.wav")
    wavfile.write(taken, sr, 0.5 * y[sr // 10 :])
    clip = replace(corpus.clips[-1], path=str(taken), sha256=None, labels=("white_noise",))
    return Corpus((*corpus.clips, clip), corpus.labels)


def test_copies_on_both_sides_of_a_split_are_found(copied):
    folds = np.array([clip.fold for clip in copied.clips])
    steps = []
    (pair,) = find_duplicates(copied, folds, jobs=1, on_progress=lambda *step: steps.append(step))
    names = clip_names(copied)
    assert names[pair.first].endswith("white_noise-0-1.wav")
    assert names[pair.second].endswith("taken.wav")
    assert pair.error < 0.2
    assert steps[-1] == ("search for copies", 25, 25)


def test_a_clip_that_cannot_be_decoded_is_named(copied):
    broken = replace(copied.clips[0], path="/nowhere/gone.wav")
    with pytest.raises(CorpusError, match=r"gone\.wav.*take the clip out of the manifest"):
        find_duplicates(Corpus((broken,), copied.labels), np.array([0]), jobs=1)


def test_small_labels_are_named(corpus_folder):
    corpus = read_corpus(corpus_folder / "manifest.csv")
    assert small_labels(corpus) == [("tap", 8, 4), ("white_noise", 8, 4), ("music", 8, 4)]
    many = tuple(
        replace(clip, group=f"{clip.group} {k}") for k in range(5) for clip in corpus.clips
    )
    assert small_labels(Corpus(many, corpus.labels)) == []


def test_clips_are_named_from_the_folder_that_holds_them_all(corpus_folder):
    corpus = read_corpus(corpus_folder / "manifest.csv")
    assert clip_names(corpus)[0] == "tap-0-0.wav"
    spans = tuple(replace(clip, span=(1.0, 2.5)) for clip in corpus.clips[:2])
    assert clip_names(Corpus(spans, corpus.labels))[0] == "tap-0-0.wav (1-2.5 s)"


def test_a_real_copy_is_found_in_the_corpus(shared):
    """Two players of background noise ship one file of pink noise."""
    assert shared == shared_folder()
    corpus = read_corpus(shared / "corpus" / "manifest.csv")
    noises = Corpus(tuple(c for c in corpus.clips if "_noise" in c.label), corpus.labels)
    found = find_duplicates(noises, np.arange(len(noises.clips)), jobs=1)
    names = clip_names(noises)
    assert len(found) == 1
    assert "pink_noise-blanket" in names[found[0].first]
    assert "pink_noise-moodist" in names[found[0].second]
