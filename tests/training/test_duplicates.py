"""Copies on both sides of a split are found and named."""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pytest
from scipy.io import wavfile

from asmr_classify.errors import CorpusError
from asmr_classify.training.corpus import Corpus, read_corpus
from asmr_classify.training.duplicates import find_contradictions, find_duplicates
from asmr_classify.training.record import clip_names
from asmr_classify.training.splits import small_labels
from tests.conftest import shared_folder


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


def test_fingerprints_are_kept_from_run_to_run(copied, tmp_path, monkeypatch):
    folds = np.array([clip.fold for clip in copied.clips])
    whole = find_duplicates(copied, folds, jobs=1)
    cache = tmp_path / "cache"
    assert find_duplicates(copied, folds, cache=cache, jobs=1) == whole
    monkeypatch.setattr(
        "asmr_classify.training.duplicates.clip_sound", lambda *_: pytest.fail("decoded again")
    )
    assert find_duplicates(copied, folds, cache=cache, jobs=1) == whole


def test_the_same_file_with_other_labels_is_found(corpus_folder, tmp_path):
    corpus = read_corpus(corpus_folder / "manifest.csv")
    taken = shutil.copy(corpus.clips[3].path, tmp_path / "taken.wav")
    copy = replace(corpus.clips[3], path=str(taken), sha256=None)
    other = replace(copy, labels=("tap", "white_noise"))
    part = replace(other, span=(0.0, 1.0))
    clips = (*corpus.clips, copy, other, replace(other, group="x"), part)
    assert find_contradictions(Corpus(clips, corpus.labels)) == [(3, 25)]


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
