"""Where stretches lie among sounds, by the model, and orders by how far these places lie apart.

What counts is their direction, not their length. On clips of the corpus that a model never heard,
of labels that it was never told, this ranked those of the same label by other makers with a mean
average precision of 0.31; its standardised features alone with 0.20, or 0.18 by plain distance.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from asmr_classify.library.makers import creator_of
from asmr_classify.review.order import MAKER_RATE

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from asmr_classify.model import Model
    from asmr_classify.review.stretches import Key, Stretch

    Embed = Callable[[Key], NDArray[np.float32] | None]

MOST_HEARD = 200
"""Stretches that are listened to: more than a sitting, and half a minute's work."""


def embedder(model: Model) -> Embed | None:
    """Make what tells where a stretch lies among sounds, as ``teach`` will hear it.

    Parameters
    ----------
    model : Model

    Returns
    -------
    callable or None
        Gives None of a stretch that is silent or cannot be decoded. There is none of a model
        without an embedding.
    """
    if model.ensemble.embedding is None:
        return None

    @cache
    def embed(key: Key) -> NDArray[np.float32] | None:
        from asmr_classify.training.answers import Said, hear  # not before the page is there

        heard, _ = hear([Said(*key, labels=(), asked=(), group="")], model)
        return heard.embedded[0] if heard.said else None

    return embed


def hear_some(
    stretches: Sequence[Stretch], embed: Embed, stop: threading.Event
) -> dict[Key, NDArray[np.float32]] | None:
    """Find the places of the first :data:`MOST_HEARD` stretches; None if told to stop."""
    heard = {}
    for stretch in stretches[:MOST_HEARD]:
        if stop.is_set():
            return None
        place = embed(stretch.key)
        if place is not None:
            heard[stretch.key] = place
    return heard


def spread_out(
    stretches: Sequence[Stretch], places: NDArray[np.float32], *, by_uncertainty: bool
) -> list[Stretch]:
    """Begin with the first, and go on with what sounds least like any before, by turns.

    Parameters
    ----------
    stretches : sequence of Stretch
        At least one.
    places : ndarray of float32, shape (n_stretches, n_dimensions)
    by_uncertainty : bool
        Weigh how far a stretch lies from those before by how unsure the model is of it.

    Returns
    -------
    list of Stretch
        Each further one of a maker, and of a recording, counts for less.

    References
    ----------
    .. [1] Gonzalez (1985). Clustering to minimize the maximum intercluster distance. Theoretical
       Computer Science 38.
    """
    X = _directions(places)
    weights = np.array([x.uncertainty if by_uncertainty else 1.0 for x in stretches]) + 1e-9
    recordings = np.array([x.path for x in stretches])
    makers = np.array([creator_of(x.path) for x in stretches])
    order: list[int] = []
    nearest = np.full(len(stretches), np.inf)
    while len(order) < len(stretches):
        worth = weights * (nearest + 1e-9)
        worth[order] = -1
        chosen = int(worth.argmax()) if order else 0
        order.append(chosen)
        nearest = np.minimum(nearest, np.linalg.norm(X - X[chosen], axis=1))
        for of_each in (recordings, makers):
            weights[of_each == of_each[chosen]] *= MAKER_RATE
    return [stretches[k] for k in order]


def most_like(
    stretches: Sequence[Stretch], places: NDArray[np.float32], wanted: NDArray[np.float32]
) -> list[Stretch]:
    """Sort by how much stretches sound like one, the most first.

    Parameters
    ----------
    stretches : sequence of Stretch
    places : ndarray of float32, shape (n_stretches, n_dimensions)
    wanted : ndarray of float32, shape (n_dimensions,)

    Returns
    -------
    list of Stretch
    """
    near = _directions(places) @ _directions(wanted[None])[0]
    return [stretches[k] for k in np.argsort(-near, kind="stable")]


def _directions(places: NDArray[np.float32]) -> NDArray[np.float64]:
    X = np.asarray(places, dtype=np.float64)
    return np.asarray(X / np.maximum(np.linalg.norm(X, axis=1, keepdims=True), 1e-9))
