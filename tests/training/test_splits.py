from __future__ import annotations

import numpy as np
import pytest

from asmr_classify.errors import CorpusError
from asmr_classify.training.corpus import read_corpus
from asmr_classify.training.splits import assign_folds, check_folds, check_no_leak


def test_stated_folds_are_kept(corpus_folder):
    corpus = read_corpus(corpus_folder / "manifest.csv")
    assert assign_folds(corpus).tolist() == [clip.fold for clip in corpus.clips]


def test_without_folds_groups_stay_together(manifest_rows, write_rows):
    corpus = read_corpus(write_rows([{**row, "fold": ""} for row in manifest_rows]))
    folds = assign_folds(corpus)
    assert len(np.unique(folds)) == 4
    for group in {clip.group for clip in corpus.clips}:
        assert len({f for f, c in zip(folds, corpus.clips, strict=True) if c.group == group}) == 1


def few(manifest_rows, write_rows, of_each):
    """A corpus of so few clips a label, each of a group of its own, without folds."""
    seen: dict[str, int] = {}
    rows = []
    for row in manifest_rows:
        seen[row["label"]] = seen.get(row["label"], 0) + 1
        if seen[row["label"]] <= of_each[row["label"]]:
            rows.append({**row, "fold": "", "group": row["path"]})
    return read_corpus(write_rows(rows))


def test_fewer_clips_of_each_label_than_folds_make_fewer_folds(manifest_rows, write_rows):
    corpus = few(manifest_rows, write_rows, {"tap": 4, "white_noise": 3, "music": 1})
    folds = assign_folds(corpus)
    assert sorted(np.unique(folds)) == [0, 1, 2, 3]
    taps = [
        fold for fold, clip in zip(folds, corpus.clips, strict=True) if clip.triggers == ("tap",)
    ]
    assert sorted(taps) == [0, 1, 2, 3]


def test_two_clips_of_a_label_are_too_few_for_figures(manifest_rows, write_rows):
    folds = assign_folds(few(manifest_rows, write_rows, {"tap": 2, "white_noise": 2, "music": 1}))
    with pytest.raises(CorpusError, match=r"2 folds: .* more groups, three of a label or more"):
        check_folds(folds)


def test_one_clip_of_each_label_is_refused(manifest_rows, write_rows):
    corpus = few(manifest_rows, write_rows, {"tap": 1, "white_noise": 1, "music": 1})
    with pytest.raises(CorpusError, match="no two clips have the same label"):
        assign_folds(corpus)


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
