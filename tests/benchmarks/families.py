"""Families of models that ``search`` compares, each on rows of standard or plain columns."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import Ridge
from sklearn.neural_network import MLPRegressor

from asmr_classify.estimators import LOGIT_LIMIT, standardise
from asmr_classify.training.boosting import fit_trees
from asmr_classify.training.spec import FitSpec

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float32]

SETTINGS: dict[str, tuple[float, ...]] = {
    "ridge": (100.0, 1000.0, 10000.0),
    "kernel": (0.25, 1.0),
    "trees": (7, 15),
    "networks": (0.1, 0.4),
}
"""Of each family: penalty of the weights, coefficient of the kernel times the number of columns,
leaves of a tree, penalty of the weights."""


class Regression:
    """Ridge regression on standardised columns, linear or through a kernel, or networks."""

    def __init__(self, family: str, setting: float) -> None:
        self._family, self._setting = family, setting

    def fit(self, X: Array, targets: Array, weights: NDArray[np.float64]) -> Regression:
        """Fit plus and minus one."""
        self._mean = X.mean(axis=0)
        self._scale = np.maximum(X.std(axis=0), 1e-6)
        standard = standardise(X, self._mean, self._scale)
        self._map, self._regressor = self._make(X.shape[1])
        if self._map is not None:
            standard = self._map.fit_transform(standard)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            self._regressor.fit(standard, 2 * targets - 1, sample_weight=weights)
        return self

    def _make(self, n_columns: int) -> tuple[Any, Any]:
        if self._family == "kernel":
            kernel = Nystroem(gamma=self._setting / n_columns, n_components=1000, random_state=0)
            return kernel, Ridge(alpha=1.0)
        if self._family == "ridge":
            return None, Ridge(alpha=self._setting)
        network = MLPRegressor(
            hidden_layer_sizes=(256,),
            alpha=self._setting,
            batch_size=256,
            max_iter=10,
            random_state=0,
        )
        return None, network

    def predict(self, X: Array) -> Array:
        """Predict, shape (n_rows, n_triggers)."""
        standard = standardise(X, self._mean, self._scale)
        if self._map is not None:
            standard = self._map.transform(standard)
        return np.asarray(self._regressor.predict(standard), dtype=np.float32)


class Boosters:
    """Gradient-boosted trees, as the package fits them."""

    def __init__(self, leaves: int) -> None:
        self._spec = FitSpec(tree_rounds=40, tree_rate=0.2, tree_leaves=leaves)

    def fit(self, X: Array, targets: Array, weights: NDArray[np.float64]) -> Boosters:
        """Fit each trigger."""
        self._trees = fit_trees(X, targets, weights, self._spec)
        return self

    def predict(self, X: Array) -> Array:
        """Predict, shape (n_rows, n_triggers)."""
        return np.clip(self._trees.predict_logits(X), -LOGIT_LIMIT, LOGIT_LIMIT)


def make_model(family: str, setting: float) -> Regression | Boosters:
    """Make what is to be fitted.

    Parameters
    ----------
    family : str
        One of :data:`SETTINGS`.
    setting : float
    """
    return Boosters(int(setting)) if family == "trees" else Regression(family, setting)
