"""Where an ensemble puts sounds: axes that part them, for whoever goes on to teach it.

What the ensemble's student and networks have in their last hidden layers, and the codes of its
encoder, say more of a sound than which labels it has, but many of these numbers say the same. They
are turned to their principal axes over many sounds. There, what sounds of one label differ in from
maker to maker (the room, the microphone, the thing that is tapped) is shrunk against what parts
labels, so that few examples tell a new label also as other makers have it: within-class covariance
normalisation (Hatch, Kajarekar and Stolcke 2006), where each label is a class.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from asmr_classify.estimators import Network

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from asmr_classify.estimators import Ensemble

    Array = NDArray[np.float32]
    Spread = NDArray[np.float64]

N_DIMENSIONS = 200
"""Of 64, 200, 300 and 500, the fewest after which labels that were taught by twenty examples were
told no better."""

WHITENING = 0.6
"""Axes are divided by the deviation within labels to the power of this: 0 leaves them as they are,
at 1 sounds of one label vary alike along all. From 0.5 to 0.7, labels were told as well by twenty
answers as by hundreds."""

SHRINKAGE = 0.1
"""The share of what all sounds differ in that is mixed into what those of one label do, of which
few makers tell little. With half of it, labels were told worse by twenty answers."""

ROWS_AT_ONCE = 4096


def fit_embedding(
    ensemble: Ensemble, X: Array, sounds: Sequence[str], makers: Sequence[str]
) -> Network:
    """Find the axes of what an ensemble makes of rows.

    Parameters
    ----------
    ensemble : Ensemble
    X : ndarray of float32, shape (n_windows, n_features + n_codes)
        Of many sounds; more rows than dimensions.
    sounds, makers : sequence of str, length n_windows
        What each row is of, in the finest words there are, empty where nobody said; and who made
        it. Where no label has several makers, axes are divided by what all sounds differ in.

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
    units = ((units - mean) / scale).astype(np.float32)
    variances, axes = np.linalg.eigh(np.cov(units, rowvar=False).astype(np.float64))
    kept = np.argsort(-variances)[:N_DIMENSIONS]
    kept = kept[variances[kept] > 1e-9 * variances.max()]
    variances, axes = variances[kept], axes[:, kept]
    within = spread_within(units @ axes, sounds, makers)
    spread = np.diag(variances / variances.sum())
    if within is not None:
        spread = SHRINKAGE * spread + (1 - SHRINKAGE) * within / np.trace(within)
    widths, turn = np.linalg.eigh(spread)
    turn *= np.maximum(widths, 1e-9 * widths.max()) ** (-WHITENING / 2)
    turn /= np.sqrt((variances[:, None] * np.square(turn)).sum())
    weights = (axes @ turn / scale[:, None]).astype(np.float32)
    return Network((weights,), (-(mean @ weights).astype(np.float32),)).scaled(1.0)


def spread_within(points: Spread, sounds: Sequence[str], makers: Sequence[str]) -> Spread | None:
    """Compute the covariance of sounds of one label about its centre.

    Each maker of a label counts alike, in the centre too, however many rows there are of them.

    Parameters
    ----------
    points : ndarray of float64, shape (n_rows, n_dimensions)
    sounds, makers : sequence of str, length n_rows
        A row without a label is left out.

    Returns
    -------
    ndarray of float64, shape (n_dimensions, n_dimensions), or None
        None where no label has several makers.
    """
    _, label = np.unique(np.asarray(sounds), return_inverse=True)
    _, maker = np.unique(np.asarray(makers), return_inverse=True)
    pairs, pair = np.unique(np.stack([label, maker], axis=1), axis=0, return_inverse=True)
    pair = pair.reshape(-1)
    n_makers = np.bincount(pairs[:, 0])
    weight = 1.0 / np.bincount(pair)[pair]
    centres = np.zeros((len(n_makers), points.shape[1]))
    np.add.at(centres, label, weight[:, None] * points)
    told = (n_makers[label] > 1) & (np.asarray(sounds) != "")
    if not told.any():
        return None
    off = points[told] - (centres / n_makers[:, None])[label[told]]
    spread: Spread = (weight[told, None] * off).T @ off / weight[told].sum()
    return spread


def _layer_widths(ensemble: Ensemble) -> NDArray[np.float64]:
    """Tell, for each unit, how many are beside it in its layer."""
    widths = [len(network.weights[-1]) for network in ensemble.networks]
    if ensemble.student is not None:
        widths = [ensemble.student.n_outputs, len(ensemble.student.weights[-1]), *widths]
    if ensemble.n_codes:
        widths.append(ensemble.n_codes)
    return np.repeat(np.array(widths, dtype=np.float64), widths)
