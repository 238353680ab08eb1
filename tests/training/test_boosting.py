from __future__ import annotations

import numpy as np
import pytest

from asmr_classify.training.boosting import BINS, bin_edges, find_bins, fit_trees, make_booster
from asmr_classify.training.spec import FitSpec

SPEC = FitSpec(tree_rounds=30, tree_rate=0.2, tree_features=1.0, tree_l2=0.0)


@pytest.fixture
def problem(rng):
    """Two labels of five columns; the fourth holds few values, the fifth one only."""
    X = rng.standard_normal((2000, 5)).astype(np.float32)
    X[:, 3] = rng.integers(0, 4, 2000)
    X[:, 4] = 7.0
    targets = np.stack([X[:, 0] + X[:, 1] > 0.5, X[:, 3] >= 2], axis=1).astype(np.float32)
    return X, targets


def test_bins_hold_about_as_many_rows_each(problem):
    X, _ = problem
    bins = find_bins(X, bin_edges(X))
    counts = np.bincount(bins[:, 0].astype(int), minlength=BINS)
    assert counts.min() >= 30
    assert counts.max() <= 34
    assert len(np.unique(bins[:, 3])) == 4
    assert len(np.unique(bins[:, 4])) == 1


def test_trees_learn_what_rows_hold(problem):
    X, targets = problem
    trees = fit_trees(X, targets, np.ones(len(X)), SPEC)
    told = trees.predict_logits(X) > 0
    assert (told == targets).mean() > 0.97
    assert trees.fits(5, 2)


def test_trees_say_of_columns_what_the_boosters_say_of_bins(problem, rng):
    X, targets = problem
    weights = rng.random(len(X)) + 0.5
    trees = fit_trees(X, targets, weights, SPEC)
    edges = bin_edges(X)
    bins = find_bins(X, edges)
    boosters = [make_booster(SPEC).fit(bins, column, sample_weight=weights) for column in targets.T]
    new = rng.standard_normal(X.shape).astype(np.float32)
    for rows in (X, new, np.nextafter(X, np.float32(np.inf)), np.repeat(edges, 5, axis=0)):
        bins = find_bins(rows, edges)
        expected = np.stack([booster.decision_function(bins) for booster in boosters], axis=1)
        np.testing.assert_allclose(trees.predict_logits(rows), expected, atol=1e-4)


def test_weights_decide_between_rows_that_contradict_each_other(problem):
    X, targets = problem
    both = np.concatenate([X, X]), np.concatenate([targets, 1 - targets])
    weights = np.repeat([1.0, 0.05], len(X))
    told = fit_trees(*both, weights, SPEC).predict_logits(X) > 0
    assert (told == targets).mean() > 0.95
