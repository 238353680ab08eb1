"""Which stretch to ask of next, so that few answers teach much.

Sounds that may hold the label take turns with those of which its head is least sure: the first
find examples of a label that is rare, the second mark where it ends (uncertainty sampling [1]_). In
both, what lies near a stretch that was answered, or is of a maker that was, counts for less: it
teaches little that is new.

What was not answered has a say in that, see :mod:`asmr_classify.training.teach`.

References
----------
.. [1] Lewis and Gale (1994). A sequential algorithm for training text classifiers. SIGIR.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from asmr_classify.training.heads import fit_head

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Array = NDArray[np.float32]

NEARNESS = 0.5
"""Deviations of worth that are lost by lying one deviation nearer to what was answered."""

SAME_MAKER = 3.0
"""Deviations of worth that are lost where something of the maker was answered. Of 0.5 to 4, that by
which twenty answers taught most."""


def next_to_ask(
    embedded: Array,
    groups: Sequence[str],
    answered: Sequence[int],
    holds: Sequence[bool],
    count: int = 1,
) -> list[int]:
    """Choose the next stretches to ask of, for one label.

    Parameters
    ----------
    embedded : ndarray of float32, shape (n_stretches, n_dimensions)
    groups : sequence of str, length n_stretches
        Makers.
    answered : sequence of int
        Those that were answered.
    holds : sequence of bool, as long as that
        Whether each holds the label.
    count : int
        How many, as long as there are some: what is asked before the first of them is answered.

    Returns
    -------
    list of int
        The most telling first.
    """
    truth = np.array(holds, dtype=bool)
    unit = embedded / np.maximum(np.linalg.norm(embedded, axis=1, keepdims=True), 1e-9)
    makers = np.array(groups)
    asked = list(answered)
    logits = _evidence(embedded, list(answered), truth, makers[asked])
    worths = (-np.abs(logits), logits)  # what is unsure, and what is likely, by turns
    for _ in range(min(count, len(embedded) - len(asked))):
        left = np.ones(len(embedded), dtype=bool)
        left[asked] = False
        worth = _scaled(worths[len(asked) % 2], left)
        if asked:
            worth -= NEARNESS * _scaled((unit @ unit[asked].T).max(axis=1), left)
            worth -= SAME_MAKER * np.isin(makers, makers[asked])
        asked.append(int(np.where(left, worth, -np.inf).argmax()))
    return asked[len(answered) :]


def _evidence(
    embedded: Array,
    answered: list[int],
    holds: NDArray[np.bool_],
    makers: NDArray[np.str_],
) -> NDArray[np.float64]:
    """Tell how much speaks for the label in each stretch, as logits."""
    if not holds.any() or len(answered) == len(embedded):  # nothing is known, or nothing is left
        return np.zeros(len(embedded))
    rest = np.delete(embedded, answered, axis=0)
    weights, bias = fit_head(embedded[answered], holds, makers, rest)
    return np.asarray(embedded @ weights + bias, dtype=np.float64)


def _scaled(values: NDArray[np.float64], among: NDArray[np.bool_]) -> NDArray[np.float64]:
    return np.asarray((values - values[among].mean()) / (values[among].std() + 1e-9))
