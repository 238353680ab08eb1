"""Rows to networks: scikit-learn's multilayer perceptrons, as plain arrays."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Protocol

from asmr_classify.estimators import Network
from asmr_classify.threads import one_thread

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float32]


class NetworkSpec(Protocol):
    """What is said of a network by those that have one fitted."""

    @property
    def hidden(self) -> tuple[int, ...]:
        """Widths of the hidden layers."""

    @property
    def epochs(self) -> int:
        """Times that each row is shown."""

    @property
    def batch_size(self) -> int:
        """Rows a step."""

    @property
    def learning_rate(self) -> float:
        """Of Adam."""

    @property
    def l2(self) -> float:
        """Penalty on weights."""


def fit_network(
    X: Array,
    outputs: Array,
    weights: NDArray[np.float64] | None,
    spec: NetworkSpec,
    *,
    seed: int,
    gain: float = 1.0,
) -> Network:
    """Fit a network by squared error.

    Parameters
    ----------
    X : ndarray of float32, shape (n_rows, n_columns)
        Standardised.
    outputs : ndarray of float32, shape (n_rows, n_outputs)
        What it is to say.
    weights : ndarray of float64, shape (n_rows,), or None
    spec : NetworkSpec
    seed : int
    gain : float
        What it says is multiplied by this.

    Returns
    -------
    Network
        Its weights are such as 16 bits hold, which halves the model file.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPRegressor

    regressor = MLPRegressor(
        hidden_layer_sizes=spec.hidden,
        alpha=spec.l2,
        batch_size=min(spec.batch_size, len(X)),
        learning_rate_init=spec.learning_rate,
        max_iter=spec.epochs,
        random_state=seed,
    )
    with warnings.catch_warnings(), one_thread():
        # A fixed number of epochs is meant: stopping early is part of the regularisation.
        warnings.simplefilter("ignore", ConvergenceWarning)
        regressor.fit(X, outputs.squeeze(axis=1) if len(outputs[0]) == 1 else outputs, weights)
    network = Network(tuple(regressor.coefs_), tuple(regressor.intercepts_))
    return network.scaled(gain)
