from __future__ import annotations

import numpy as np
import pytest

from asmr_classify.config import FrameSpec
from asmr_classify.media.decode import read_audio
from asmr_classify.training.corpus import read_corpus
from tests.benchmarks.candidates import CANDIDATES, Sound
from tests.benchmarks.families import SETTINGS, make_model
from tests.benchmarks.search import (
    BASE,
    PACKAGE,
    Config,
    Searched,
    average,
    choose,
    gather,
    precisions,
    search,
    stack,
    tabulate,
)
from tests.conftest import DEMO

SPEC = FrameSpec()
FOLDS = np.repeat([0, 1, 2], 20)
TRUTH = np.tile([[0.0], [1.0]], (30, 2)).astype(np.float32)


def searched(outer_noise, inner_noise, seed=0):
    """What a family said that errs so much of clips to label, and so much within."""
    rng = np.random.default_rng(seed)
    outer = TRUTH + outer_noise * rng.standard_normal(TRUTH.shape)
    inner = TRUTH + inner_noise * rng.standard_normal((3, *TRUTH.shape))
    for fold in range(3):
        inner[fold, fold == FOLDS] = np.nan
    return Searched(outer.astype(np.float32), inner.astype(np.float32), 1.0)


@pytest.mark.parametrize("name", CANDIDATES)
def test_candidates_do_not_depend_on_the_gain(name):
    y = read_audio(str(DEMO / "tap-wood.flac"))
    intervals = np.array([[0.0, 2.0], [1.0, 3.0], [4.0, 6.0]])
    rows = CANDIDATES[name](Sound(y, intervals, SPEC))
    assert len(rows) == 3
    assert np.isfinite(rows).all()
    assert rows.std(axis=0).max() > 0
    quiet = CANDIDATES[name](Sound(y / 32, intervals, SPEC))
    np.testing.assert_allclose(quiet, rows, rtol=2e-2, atol=2e-2)


def test_candidates_bear_clips_of_any_length():
    for n_samples in (1, 900, 20_000):
        y = np.linspace(-0.1, 0.1, n_samples, dtype=np.float32)
        sound = Sound(y, np.array([[0.0, n_samples / SPEC.sr]]), SPEC)
        assert all(len(compute(sound)) == 1 for compute in CANDIDATES.values())


@pytest.mark.parametrize(("family", "setting"), [(f, s[0]) for f, s in SETTINGS.items()])
def test_every_family_learns_what_rows_hold(family, setting, rng):
    X = rng.standard_normal((1500, 20)).astype(np.float32)
    targets = (X[:, :2] + X[:, 2:4] > 0.5).astype(np.float32)
    model = make_model(family, setting)
    told = model.fit(X, targets, np.ones(len(X))).predict(X)
    assert min(precisions(targets, told)) > 0.9


def test_the_choice_is_made_within_the_other_folds():
    flattering, honest = searched(0.0, 2.0), searched(1.0, 0.1)
    assert choose([flattering, honest], TRUTH, 0) == 1


def test_families_that_err_elsewhere_are_better_together():
    parts = [searched(0.7, 0.7, seed) for seed in range(4)]
    alone = np.mean([precisions(TRUTH, part.outer) for part in parts])
    assert np.mean(precisions(TRUTH, average(parts))) > alone
    assert np.mean(precisions(TRUTH, stack(parts, TRUTH, FOLDS))) > alone


def test_a_search_labels_every_clip_by_fits_without_it():
    material = gather(read_corpus(DEMO / "manifest.csv"))
    configs = [
        Config("ridge", 1000.0),
        Config("ridge", 1000.0, "impulses alike"),
        Config("ridge", 1000.0, PACKAGE),
    ]
    found = search(material, configs, jobs=1)
    folds = material.prepared.folds
    for one in found:
        assert np.isfinite(one.outer).all()
        for fold in np.unique(folds):
            assert np.isnan(one.inner[fold, folds == fold]).all()
            assert np.isfinite(one.inner[fold, folds != fold]).all()
    rows = tabulate(material, configs, found)
    assert [row[:2] for row in rows[:3]] == [
        ("ridge, 1000", BASE),
        ("ridge, 1000", "impulses alike"),
        ("ridge, 1000", PACKAGE),
    ]
    assert rows[1][-1] > rows[2][-1] > rows[0][-1] > 0
    assert len(material.columns[PACKAGE]) > len(material.columns[BASE])
