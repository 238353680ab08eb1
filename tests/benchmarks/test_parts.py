from __future__ import annotations

from dataclasses import replace

import numpy as np

from asmr_classify.training import prepare as prepare_module
from asmr_classify.training.corpus import read_corpus
from asmr_classify.training.evaluate import fit_folds, hear_clips
from asmr_classify.training.prepare import prepare
from asmr_classify.training.spec import EncoderSpec, FitSpec, StudentSpec, TrainingSpec
from asmr_classify.training.takes import TakeSpec
from tests.benchmarks.parts import PARTS, compare
from tests.benchmarks.student import precisions
from tests.conftest import DEMO

QUICK = TrainingSpec(
    takes=TakeSpec(copies=0, steady_copies=0, scenes=0, noises=0),
    fit=FitSpec(members=1, hidden=(4,), epochs=2, scene_shares=(1.0,), tree_rounds=2),
    student=StudentSpec(hints=2, hidden=(4,), epochs=2),
    encoder=EncoderSpec(width=2, texture_width=2, codes=4, hints=2, epochs=1),
)


def test_each_part_is_heard_alone_and_all_as_they_are_labelled_by(monkeypatch, tmp_path):
    def ask(clips, _, windows, **__):
        rng = np.random.default_rng(len(clips))
        count = round((6.0 - windows.duration) / windows.hop) + 1
        return [rng.standard_normal((count, 4)).astype(np.float32) for _ in clips]

    monkeypatch.setattr(prepare_module, "ask_teacher", ask)
    prepared = prepare(
        read_corpus(DEMO / "manifest.csv"), QUICK, teacher=tmp_path / "any.tflite", jobs=1
    )
    fits = fit_folds(prepared, QUICK, jobs=1)
    table = compare(prepared, fits, QUICK, jobs=1)
    assert [row[0] for row in table.rows] == list(PARTS)
    whole = precisions(prepared, hear_clips(prepared, fits, QUICK, jobs=1), QUICK)
    assert table.rows[-1][1:] == [f"{figure:.3f}" for figure in whole]
    silent = [replace(fit, coded=None) for fit in fits]
    without = precisions(prepared, hear_clips(prepared, silent, QUICK, jobs=1), QUICK)
    assert table.rows[1][1:] == [f"{figure:.3f}" for figure in without]
