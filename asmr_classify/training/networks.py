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


COOLING = (0.3, 0.1)
"""After its epochs, a network is shown all rows once more at each of these shares of its learning
rate. Where large steps end is chance: students of different seeds explained 0.34 and 0.42 of what a
teacher says of sound never heard, and 0.46 once their steps had grown small."""


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


def fit_network(  # noqa: PLR0913 (options by name)
    X: Array,
    outputs: Array,
    weights: NDArray[np.float64] | None,
    spec: NetworkSpec,
    *,
    seed: int,
    gain: float = 1.0,
    likely: bool = False,
) -> Network:
    """Fit a network.

    Parameters
    ----------
    X : ndarray of float32, shape (n_rows, n_columns)
        Standardised.
    outputs : ndarray of float32, shape (n_rows, n_outputs)
        What it is to say.
    weights : ndarray of float64, shape (n_rows,), or None
    spec : NetworkSpec
    seed : int
    likely : bool
        Whether outputs are 1 or 0 and it is to say their logits, by likelihood; else it says them
        themselves, by squared error.
    gain : float
        What it says is multiplied by this.

    Returns
    -------
    Network
        Its weights are such as 16 bits hold, which halves the model file.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    estimator = (MLPClassifier if likely else MLPRegressor)(
        hidden_layer_sizes=spec.hidden,
        alpha=spec.l2,
        batch_size=min(spec.batch_size, len(X)),
        learning_rate_init=spec.learning_rate,
        max_iter=spec.epochs,
        random_state=seed,
        warm_start=True,
    )
    targets = outputs.squeeze(axis=1) if len(outputs[0]) == 1 else outputs
    targets = targets.astype(int) if likely else targets
    with warnings.catch_warnings(), one_thread():
        # A fixed number of epochs is meant: stopping early is part of the regularisation.
        warnings.simplefilter("ignore", ConvergenceWarning)
        estimator.fit(X, targets, weights)
        for rate in COOLING:
            estimator.set_params(learning_rate_init=spec.learning_rate * rate, max_iter=1)
            estimator.fit(X, targets, weights)
    network = Network(tuple(estimator.coefs_), tuple(estimator.intercepts_))
    return network.scaled(gain)
