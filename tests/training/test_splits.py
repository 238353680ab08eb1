from __future__ import annotations

import numpy as np
import pytest

from asmr_classify.errors import CorpusError
from asmr_classify.training.corpus import read_corpus
from asmr_classify.training.splits import assign_folds, check_no_leak


def test_stated_folds_are_kept(corpus_folder):
    corpus = read_corpus(corpus_folder / "manifest.csv")
    assert assign_folds(corpus).tolist() == [clip.fold for clip in corpus.clips]


def test_without_folds_groups_stay_together(manifest_rows, write_rows):
    corpus = read_corpus(write_rows([{**row, "fold": ""} for row in manifest_rows]))
    folds = assign_folds(corpus)
    assert len(np.unique(folds)) == 4
    for group in {clip.group for clip in corpus.clips}:
        assert len({f for f, c in zip(folds, corpus.clips, strict=True) if c.group == group}) == 1


def test_a_leak_is_refused(manifest_rows, write_rows):
    manifest_rows[0]["fold"] = "3"
    corpus = read_corpus(write_rows(manifest_rows))
    with pytest.raises(CorpusError, match="group 'maker-0' is in folds 0, 3"):
        assign_folds(corpus)


def test_one_fold_is_refused(manifest_rows, write_rows):
    corpus = read_corpus(write_rows([{**row, "fold": "1"} for row in manifest_rows]))
    with pytest.raises(CorpusError, match="all clips are in one fold"):
        assign_folds(corpus)


def test_folds_apart_are_accepted():
    check_no_leak(np.array(["a", "a", "b"]), np.array([0, 0, 1]))
