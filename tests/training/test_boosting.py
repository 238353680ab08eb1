from __future__ import annotations

import numpy as np
import pytest

from asmr_classify.training.boosting import BINS, bin_edges, find_bins, fit_trees
from asmr_classify.training.fit import FitSpec

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


def test_thresholds_are_those_of_the_columns(problem):
    """Rows that lie in the same bins go the same way; those over an edge, another."""
    X, targets = problem
    trees = fit_trees(X, targets, np.ones(len(X)), SPEC)
    edges = bin_edges(X)
    inside = trees.left != np.arange(trees.feature.size)
    used = zip(trees.feature[inside], trees.threshold[inside], strict=True)
    assert all(threshold in edges[:, feature] for feature, threshold in used)
    of_few = np.array([[0, 0, 0, value, 7.0] for value in (1.0, 1.9, 2.0)], dtype=np.float32)
    below, just_below, above = trees.predict_logits(of_few)[:, 1]
    assert below < -2
    assert above > 2
    assert just_below in {below, above}


def test_weights_decide_between_rows_that_contradict_each_other(problem):
    X, targets = problem
    both = np.concatenate([X, X]), np.concatenate([targets, 1 - targets])
    weights = np.repeat([1.0, 0.05], len(X))
    told = fit_trees(*both, weights, SPEC).predict_logits(X) > 0
    assert (told == targets).mean() > 0.95
