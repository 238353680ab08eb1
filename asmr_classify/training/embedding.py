"""Where an ensemble puts sounds: axes that part them, for whoever goes on to teach it.

What the ensemble's student and networks have in their last hidden layers, and the codes of its
encoder, say more of a sound than which labels it has, but many of these numbers say the same. They
are turned to their principal axes over many sounds, and the lesser axes are stretched, for what few
sounds differ in is as good to tell a new label by.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from asmr_classify.estimators import Network

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from asmr_classify.estimators import Ensemble

    Array = NDArray[np.float32]

N_DIMENSIONS = 200
"""Of 64, 200, 300 and 500, the fewest after which labels that were taught by twenty examples were
told no better."""

WHITENING = 0.5
"""Axes are divided by their deviation to the power of this: 0 leaves them as they are, at 1 all
vary alike. Of 0.3 to 1, that at which labels were told well by twenty answers and by hundreds."""

ROWS_AT_ONCE = 4096


def fit_embedding(ensemble: Ensemble, X: Array) -> Network:
    """Find the axes of what an ensemble makes of rows.

    Parameters
    ----------
    ensemble : Ensemble
    X : ndarray of float32, shape (n_windows, n_features + n_codes)
        Of many sounds; more rows than dimensions.

    Returns
    -------
    Network
        Of one layer, from units to at most :data:`N_DIMENSIONS` numbers whose squares add up to 1
        on average.
    """
    parts = (X[first : first + ROWS_AT_ONCE] for first in range(0, len(X), ROWS_AT_ONCE))
    units = np.concatenate([ensemble.units(part) for part in parts])
    mean = units.mean(axis=0, dtype=np.float64)
    # Units of one layer vary by as much as those of another, whatever their scale and number.
    scale = np.maximum(units.std(axis=0, dtype=np.float64), 1e-3) * np.sqrt(_layer_widths(ensemble))
    covariance = np.cov(((units - mean) / scale).astype(np.float32), rowvar=False)
    variances, axes = np.linalg.eigh(covariance.astype(np.float64))
    kept = np.argsort(-variances)[:N_DIMENSIONS]
    kept = kept[variances[kept] > 1e-9 * variances.max()]
    turned = axes[:, kept] * variances[kept] ** (-WHITENING / 2)
    turned /= np.sqrt((variances[kept] ** (1 - WHITENING)).sum())
    weights = (turned / scale[:, None]).astype(np.float32)
    return Network((weights,), (-(mean @ weights).astype(np.float32),)).scaled(1.0)


def _layer_widths(ensemble: Ensemble) -> NDArray[np.float64]:
    """Tell, for each unit, how many are beside it in its layer."""
    widths = [len(network.weights[-1]) for network in ensemble.networks]
    if ensemble.student is not None:
        widths = [ensemble.student.n_outputs, len(ensemble.student.weights[-1]), *widths]
    if ensemble.n_codes:
        widths.append(ensemble.n_codes)
    return np.repeat(np.array(widths, dtype=np.float64), widths)
