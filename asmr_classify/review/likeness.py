"""How stretches sound: feature rows of each, and orders by how far these lie apart.

Each feature is scaled by its spread over the stretches at hand, so that all weigh the same.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np

from asmr_classify.config import FeatureSpec
from asmr_classify.errors import MediaError
from asmr_classify.media.stretch import read_stretch

if TYPE_CHECKING:
    import threading
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from asmr_classify.review.stretches import Key, Stretch

logger = logging.getLogger(__name__)

MOST_HEARD = 200
"""Stretches of which features are computed: more than a sitting, and half a minute's work."""


def hear(stretch: Stretch) -> NDArray[np.float32] | None:
    """Compute the mean feature row of a stretch; None where it cannot be decoded."""
    from asmr_classify.features.windows import window_rows

    try:
        y = read_stretch(stretch.path, stretch.start, stretch.end)
    except MediaError as exc:
        logger.info("not compared: %s", exc)
        return None
    return np.asarray(window_rows(y, FeatureSpec()).X.mean(axis=0), dtype=np.float32)


def hear_some(
    stretches: Sequence[Stretch], stop: threading.Event
) -> dict[Key, NDArray[np.float32]] | None:
    """Compute features of the first :data:`MOST_HEARD` stretches; None if told to stop."""
    heard = {}
    for stretch in stretches[:MOST_HEARD]:
        if stop.is_set():
            return None
        row = hear(stretch)
        if row is not None:
            heard[stretch.key] = row
    return heard


def spread_out(
    stretches: Sequence[Stretch], rows: NDArray[np.float32], *, by_uncertainty: bool
) -> list[Stretch]:
    """Begin with the first, and go on with what sounds least like any before.

    Parameters
    ----------
    stretches : sequence of Stretch
        At least one.
    rows : ndarray of float32, shape (n_stretches, n_features)
    by_uncertainty : bool
        Weigh how far a stretch lies from those before by how unsure the model is of it.

    Returns
    -------
    list of Stretch

    References
    ----------
    .. [1] Gonzalez (1985). Clustering to minimize the maximum intercluster distance. Theoretical
       Computer Science 38.
    """
    X = _scaled(rows)
    weights = np.array([x.uncertainty if by_uncertainty else 1.0 for x in stretches]) + 1e-9
    order = [0]
    nearest = np.linalg.norm(X - X[0], axis=1)
    while len(order) < len(stretches):
        worth = weights * (nearest + 1e-9)
        worth[order] = -1
        order.append(int(worth.argmax()))
        nearest = np.minimum(nearest, np.linalg.norm(X - X[order[-1]], axis=1))
    return [stretches[k] for k in order]


def most_like(
    stretches: Sequence[Stretch], rows: NDArray[np.float32], wanted: NDArray[np.float32]
) -> list[Stretch]:
    """Sort by how much stretches sound like one, the most first.

    Parameters
    ----------
    stretches : sequence of Stretch
    rows : ndarray of float32, shape (n_stretches, n_features)
    wanted : ndarray of float32, shape (n_features,)

    Returns
    -------
    list of Stretch
    """
    X = _scaled(np.vstack([wanted, rows]))
    away = np.linalg.norm(X[1:] - X[0], axis=1)
    return [stretches[k] for k in np.argsort(away, kind="stable")]


def _scaled(rows: NDArray[np.float32]) -> NDArray[np.float64]:
    X = np.asarray(rows, dtype=np.float64)
    return np.asarray((X - X.mean(axis=0)) / (X.std(axis=0) + 1e-6))
