"""What is likely wrong with a corpus, as rows of a table."""

from __future__ import annotations

from dataclasses import replace

import pytest

from asmr_classify.training.corpus import Corpus, read_corpus
from asmr_classify.training.duplicates import Duplicate
from asmr_classify.training.record import EvaluationRecord, JudgedClip
from asmr_classify.training.suspicious import corpus_issues, find_wrong

pytest.importorskip("cleanlab", reason="cleanlab is not installed")


def test_statements_against_a_sure_model_are_likely_wrong():
    said = [True] * 6 + [False] * 6
    p = [0.02, *[0.95] * 5, 0.97, *[0.03] * 5]
    found = dict(find_wrong(said, p))
    assert set(found) == {0, 6}
    assert found[0] == pytest.approx(0.02)
    assert found[6] == pytest.approx(0.03)
    assert find_wrong([True, True], [0.01, 0.9]) == []


def test_issues_of_a_corpus_are_rows(corpus_folder):
    corpus = read_corpus(corpus_folder / "manifest.csv")
    wrong = next(k for k, clip in enumerate(corpus.clips) if clip.labels == ("tap",))
    heard = [("music",) if k == wrong else clip.labels for k, clip in enumerate(corpus.clips)]
    clips = tuple(
        JudgedClip(
            *("x", "x", "", 1.0, clip.labels, labels),
            tuple(0.95 if label in labels else 0.02 for label in corpus.labels),
        )
        for clip, labels in zip(corpus.clips, heard, strict=True)
    )
    record = EvaluationRecord("m@1", None, corpus.labels, corpus.triggers, {}, clips)
    other = replace(corpus.clips[1], labels=("music", "tap"))
    corpus = Corpus((corpus.clips[0], other, *corpus.clips[2:]), corpus.labels)
    rows = corpus_issues(corpus, record, [Duplicate(2, 5, 0.123456)], [(0, 1)])
    assert rows[0] == {
        "issue": "contradiction",
        "path": corpus.clips[0].path,
        "labels": corpus.clips[0].labels,
        "other": other.path,
        "other_labels": ("music", "tap"),
    }
    found = {(row["path"], row["label"], row["said"]) for row in rows if row["issue"] == "label"}
    assert (corpus.clips[wrong].path, "tap", True) in found
    assert (corpus.clips[wrong].path, "music", False) in found
    rights = [row["right"] for row in rows if row["issue"] == "label"]
    assert rights == sorted(rights)
    assert (rows[-1]["issue"], rows[-1]["difference"]) == ("copy", 0.1235)
    assert (rows[-1]["path"], rows[-1]["other"]) == (corpus.clips[2].path, corpus.clips[5].path)
