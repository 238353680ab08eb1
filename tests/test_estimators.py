"""Our arrays give what scikit-learn gives."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.neural_network import MLPClassifier

from asmr_classify.estimators import (
    Network,
    Trees,
    average_trees,
    calibrate,
    mean_logits,
    standardise,
)
from asmr_classify.training.boosting import trees_from_boosters


@pytest.fixture
def problem(rng):
    X = rng.standard_normal((600, 12)).astype(np.float32)
    Y = (X[:, :3] + 0.5 * rng.standard_normal((600, 3)) > 0.3).astype(int)
    return X, Y


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_network_equals_scikit_learn(problem):
    X, Y = problem
    fitted = MLPClassifier((16, 8), max_iter=5, random_state=0).fit(X, Y)
    network = Network(
        tuple(w.astype(np.float32) for w in fitted.coefs_),
        tuple(b.astype(np.float32) for b in fitted.intercepts_),
    )
    p = 1 / (1 + np.exp(-network.predict_logits(X)))
    np.testing.assert_allclose(p, fitted.predict_proba(X), atol=1e-5)
    assert network.fits(12, 3)
    assert not network.fits(11, 3)
    assert not network.fits(12, 2)


@pytest.fixture
def boosters(problem):
    X, Y = problem
    return [
        HistGradientBoostingClassifier(max_iter=15, early_stopping=False).fit(X, Y[:, k])
        for k in range(3)
    ]


def test_trees_equal_scikit_learn(problem, boosters, rng):
    trees = trees_from_boosters(boosters)
    # fitted points lie where thresholds are drawn; others do not
    for X in (problem[0], rng.standard_normal((700, 12)).astype(np.float32)):
        expected = np.stack([booster.decision_function(X) for booster in boosters], axis=1)
        np.testing.assert_allclose(trees.predict_logits(X), expected, atol=1e-5)
    assert trees.predict_logits(X[:0]).shape == (0, 3)


def test_averaged_trees_give_the_mean(problem, boosters):
    X, Y = problem
    others = [
        HistGradientBoostingClassifier(max_iter=9, max_depth=2, early_stopping=False).fit(X, column)
        for column in Y.T
    ]
    parts = [trees_from_boosters(boosters), trees_from_boosters(others)]
    together = average_trees(parts)
    expected = np.mean([part.predict_logits(X) for part in parts], axis=0)
    np.testing.assert_allclose(together.predict_logits(X), expected, atol=1e-5)
    assert together.fits(12, 3)


def test_trees_that_do_not_fit_are_told(boosters):
    trees = trees_from_boosters(boosters)
    assert trees.fits(12, 3)
    assert not trees.fits(3, 3)
    assert not trees.fits(12, 4)
    fields = {name: getattr(trees, name) for name in Trees.__slots__}
    astray = Trees(**{**fields, "left": fields["left"] + 10_000})
    assert not astray.fits(12, 3)


def test_standardised_rows_are_cut_off():
    one = np.ones(2, dtype=np.float32)
    X = np.array([[1e9, 2.0]], dtype=np.float32)
    assert standardise(X, one, one).tolist() == [[4.0, 1.0]]


def test_an_over_sure_member_is_cut_off():
    members = [np.array([[100.0]], dtype=np.float32), np.array([[0.0]], dtype=np.float32)]
    assert mean_logits(members)[0, 0] == pytest.approx(4.0)


def test_calibration_is_a_line_on_logits():
    calibration = np.array([[2.0], [1.0]], dtype=np.float32)
    p = calibrate(np.array([[0.0], [-0.5]], dtype=np.float32), calibration)
    np.testing.assert_allclose(p[:, 0], [1 / (1 + np.exp(-1)), 0.5], rtol=1e-6)


def test_ways_that_meet_again_end_after_as_many_steps_as_are_told():
    """What a crafted file may hold: two nodes that lead to each other, a thousand steps deep."""
    around = np.array([[1, 1], [0, 0]], dtype=np.int32)
    trees = Trees(
        feature=np.zeros(2, dtype=np.int32),
        left=around[:, 0],
        right=around[:, 1],
        threshold=np.zeros(2, dtype=np.float32),
        value=np.array([3, 5], dtype=np.float32),
        roots=np.zeros((1, 1), dtype=np.int32),
        baseline=np.zeros(1, dtype=np.float32),
        depth=np.array([1000], dtype=np.int32),
    )
    assert trees.fits(4, 1)
    assert trees.predict_logits(np.ones((2, 4), dtype=np.float32)).tolist() == [[3], [3]]
