from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from asmr_classify.training import prepare as prepare_module
from asmr_classify.training.corpus import read_corpus
from asmr_classify.training.layouts import with_sounds
from asmr_classify.training.spec import FitSpec, StudentSpec
from asmr_classify.training.student import Lessons
from asmr_classify.training.takes import OF_CLIPS
from tests.benchmarks.student import (
    SPEC,
    Config,
    compare,
    explained_variance,
    thinned,
    with_opinions,
)
from tests.conftest import DEMO

QUICK = replace(
    SPEC,
    takes=replace(SPEC.takes, copies=0, steady_copies=0),
    fit=FitSpec(members=1, hidden=(4,), epochs=2, scene_shares=(1.0,), tree_rounds=0),
    student=StudentSpec(hints=2, hidden=(4,), epochs=2),
)


def test_students_are_compared_with_none(monkeypatch, tmp_path):
    def ask(clips, *_, **__):
        rng = np.random.default_rng(len(clips))
        return [rng.standard_normal((5, 4)).astype(np.float32) for _ in clips]

    monkeypatch.setattr(prepare_module, "ask_teacher", ask)
    (tmp_path / "a.flac").write_bytes((DEMO / "tap-wood.flac").read_bytes())
    corpus = with_sounds(read_corpus(DEMO / "manifest.csv"), [tmp_path])
    configs = (
        Config("none", None),
        Config("half", (4,), 0.5, with_others=False),
        Config("all", (4,)),
        Config("itself", None, asked=True),
    )
    table = compare(corpus, tmp_path / "any.tflite", configs, (0, 1), QUICK, jobs=1)
    assert [row[0] for row in table.rows] == ["none", "half", "all", "itself"]
    assert table.rows[0][1:3] == ["", ""]
    assert table.rows[1][1] < table.rows[2][1]
    assert all("±" in str(row[3]) for row in table.rows)


@pytest.mark.parametrize("alone", [False, True])
def test_the_teacher_itself_is_heard_in_the_windows_of_clips(alone):
    corpus = read_corpus(DEMO / "manifest.csv")
    corpus = replace(corpus, clips=corpus.clips[-4:])
    takes = replace(SPEC.takes, copies=1, steady_copies=1)
    prepared = prepare_module.prepare(corpus, replace(SPEC, takes=takes), jobs=1)
    kinds = [take.kind for take in prepared.rows.takes]
    n_told = sum(
        (prepared.rows.of(k).levels_db >= SPEC.decision.silence_dbfs).sum()
        for k, kind in enumerate(kinds)
        if kind in OF_CLIPS
    )
    said = np.arange(2.0 * n_told, dtype=np.float32).reshape(n_told, 2) + 1
    lessons = Lessons(np.zeros((n_told, 1), np.float32), said, np.zeros(n_told, int))
    told = with_opinions(prepared, lessons, SPEC, alone=alone)
    n_columns = prepared.rows.rows.X.shape[1]
    assert told.rows.rows.X.shape[1] == (0 if alone else n_columns) + 2
    assert set(kinds) > {take.kind for take in told.rows.takes}
    last = told.originals[-1]
    assert told.rows.takes[last] == prepared.rows.takes[prepared.originals[-1]]
    before = prepared.rows.of(prepared.originals[-1])
    after = told.rows.of(last)
    assert np.array_equal(after.levels_db, before.levels_db)
    if not alone:
        assert np.array_equal(after.X[:, :n_columns], before.X)
    heard = told.rows.rows.X[:, -2:]
    assert np.array_equal(heard[heard[:, 0] > 0], said)


def test_what_hints_explain_is_told_whatever_their_scale(rng):
    X = rng.standard_normal((400, 3)).astype(np.float32)
    noise = rng.standard_normal((400, 2)).astype(np.float32)
    folds = np.repeat([0, 1], 200)
    lessons = Lessons(X, X[:, :2] + noise, folds)

    class Perfect:
        def hints(self, X):
            return 7 * X[:, :2] + 3

    school = type("School", (), {"students": {frozenset({k}): Perfect() for k in (0, 1)}})()
    assert explained_variance(lessons, school) == pytest.approx(0.5, abs=0.06)


def test_a_share_of_the_makers_is_kept_whole(rng):
    groups = np.array(["a"] * 10 + ["b"] * 10 + ["c"] * 10 + ["d"] * 10 + [""] * 5)
    folds = np.repeat([0, 1, 0, 1, -1], [10, 10, 10, 10, 5])
    X = rng.standard_normal((45, 2)).astype(np.float32)
    lessons = Lessons(X, X, folds)
    half = thinned(lessons, groups, 0.5, with_others=False, seed=1)
    assert len(half.X) == 20
    assert len(thinned(lessons, groups, 0.5, with_others=True, seed=1).X) == 25
    assert len(thinned(lessons, groups, 1.0, with_others=True, seed=1).X) == 45
