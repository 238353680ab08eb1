"""Rows to gradient-boosted trees.

Columns are cut into bins once for all labels, by quantiles in which all rows count alike, and the
boosters are fitted on the numbers of the bins. Given rows with weights, scikit-learn 1.9 sorts each
column anew for each edge of each bin of each label, which took most of the time of a fit.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from asmr_classify.estimators import Trees

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from sklearn.ensemble import HistGradientBoostingClassifier

    from asmr_classify.training.spec import FitSpec

    Array = NDArray[np.float32]

BINS = 63
"""Of each column, where scikit-learn's default is 255: fewer are faster, and what they blur noise
blurs anyway."""


def fit_trees(X: Array, targets: Array, weights: NDArray[np.float64], spec: FitSpec) -> Trees:
    """Fit an ensemble of trees for each label.

    Parameters
    ----------
    X : ndarray of float32, shape (n_rows, n_features)
    targets : ndarray of float32, shape (n_rows, n_labels)
        1 where a row holds a label.
    weights : ndarray of float64, shape (n_rows,)
    spec : FitSpec
        What it says of trees; at least one round.

    Returns
    -------
    Trees
    """
    edges = bin_edges(X)
    bins = find_bins(X, edges)
    boosters = [make_booster(spec).fit(bins, column, sample_weight=weights) for column in targets.T]
    trees = trees_from_boosters(boosters)
    # Between the bins a and b lie the edges a to b - 1; a leaf compares nothing.
    return replace(trees, threshold=edges[trees.threshold.astype(np.intp), trees.feature])


def make_booster(spec: FitSpec) -> HistGradientBoostingClassifier:
    """Make what is fitted for one label."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    return HistGradientBoostingClassifier(
        max_iter=spec.tree_rounds,
        max_leaf_nodes=spec.tree_leaves,
        learning_rate=spec.tree_rate,
        l2_regularization=spec.tree_l2,
        max_features=spec.tree_features,
        max_bins=BINS,
        early_stopping=False,
        random_state=spec.seed,
    )


def bin_edges(X: Array) -> Array:
    """Find edges between which equally many rows lie, shape (BINS - 1, n_features)."""
    shares = np.linspace(0, 1, BINS + 1)[1:-1]
    return np.asarray(np.quantile(X, shares, axis=0, method="lower"), dtype=np.float32)


def find_bins(X: Array, edges: Array) -> Array:
    """Tell which bin each value lies in: 0 up to the first edge, the edge included, and so on."""
    bins = np.empty_like(X)
    for column in range(X.shape[1]):
        bins[:, column] = np.searchsorted(edges[:, column], X[:, column])
    return bins


def trees_from_boosters(boosters: Sequence[HistGradientBoostingClassifier]) -> Trees:
    """Copy the trees of fitted binary boosters, one a label, into plain arrays.

    Parameters
    ----------
    boosters : sequence of HistGradientBoostingClassifier
        Of the same number of rounds.

    Returns
    -------
    Trees

    Notes
    -----
    scikit-learn has no public way to the nodes; exporters use ``_predictors`` as this does.
    Thresholds are rounded down to 32 bits, which sends every 32-bit feature the same way.
    """
    parts: list[tuple[NDArray[Any], ...]] = []
    roots, depth, offset = [], 1, 0
    for booster in boosters:
        for (predictor,) in booster._predictors:  # noqa: SLF001 (see Notes)
            nodes = predictor.nodes
            parts.append(_node_arrays(nodes, offset))
            roots.append(offset)
            depth = max(depth, int(nodes["depth"].max()))
            offset += len(nodes)
    feature, left, right, threshold, value = map(np.concatenate, zip(*parts, strict=True))
    baseline = [booster._baseline_prediction.item() for booster in boosters]  # noqa: SLF001
    return Trees(
        feature=feature,
        left=left,
        right=right,
        threshold=threshold,
        value=value,
        roots=np.array(roots, dtype=np.int32).reshape(len(boosters), -1),
        baseline=np.array(baseline, dtype=np.float32),
        depth=np.array([depth], dtype=np.int32),
    )


def _node_arrays(nodes: NDArray[Any], offset: int) -> tuple[NDArray[Any], ...]:
    """Feature, left, right, threshold and value of one tree's nodes, placed at an offset."""
    leaf = nodes["is_leaf"].astype(bool)
    itself = offset + np.arange(len(nodes))
    rounded = nodes["num_threshold"].astype(np.float32)
    too_high = rounded.astype(np.float64) > nodes["num_threshold"]
    rounded[too_high] = np.nextafter(rounded[too_high], np.float32(-np.inf))
    return (
        np.where(leaf, 0, nodes["feature_idx"]).astype(np.int32),
        np.where(leaf, itself, offset + nodes["left"].astype(np.int64)).astype(np.int32),
        np.where(leaf, itself, offset + nodes["right"].astype(np.int64)).astype(np.int32),
        np.where(leaf, np.float32(0), rounded).astype(np.float32),
        np.where(leaf, nodes["value"], 0).astype(np.float32),
    )
