"""Which stretch to ask of next, so that few answers teach much.

Sounds that may hold the label take turns with those of which its head is least sure: the first
find examples of a label that is rare, the second mark where it ends (uncertainty sampling [1]_). In
both, what lies near a stretch that was answered, or is of a maker that was, counts for less: it
teaches little that is new.

Few answers say little of all that a label is not. Most of what nobody answered does not hold it, so
that the head which chooses learns from the rest as well, as if it held nothing, with a weight that
keeps answers from being drowned (learning from positive and unlabelled examples [2]_).

References
----------
.. [1] Lewis and Gale (1994). A sequential algorithm for training text classifiers. SIGIR.
.. [2] Liu, Dai, Li, Lee and Yu (2003). Building text classifiers using positive and unlabeled
   examples. ICDM.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from asmr_classify.training.teach import fit_head

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Array = NDArray[np.float32]

NEARNESS = 0.5
"""Deviations of worth that are lost by lying one deviation nearer to what was answered."""

SAME_MAKER = 1.0
"""Deviations of worth that are lost where something of the maker was answered."""

REST_WEIGHT = 0.5
"""All that was not answered weighs by so much of what all answers weigh."""

LIKELY_SHARE = 0.3
"""Of what was not answered, that which most likely holds the label; it is not taken for less."""


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
    worths = [_worth(embedded, list(answered), truth, turn=turn) for turn in range(2)]
    for _ in range(min(count, len(embedded) - len(asked))):
        left = np.ones(len(embedded), dtype=bool)
        left[asked] = False
        worth = _scaled(worths[len(asked) % 2], left)
        if asked:
            worth -= NEARNESS * _scaled((unit @ unit[asked].T).max(axis=1), left)
            worth -= SAME_MAKER * np.isin(makers, makers[asked])
        asked.append(int(np.where(left, worth, -np.inf).argmax()))
    return asked[len(answered) :]


def _worth(
    embedded: Array, answered: list[int], holds: NDArray[np.bool_], *, turn: int
) -> NDArray[np.float64]:
    """Tell what an answer may teach, without regard to the others."""
    is_odd = turn == 1
    if not holds.any() or len(answered) == len(embedded):  # nothing is known, or nothing is left
        return np.zeros(len(embedded))
    weights, bias = _fit_among_others(embedded, answered, holds)
    logits = np.asarray(embedded @ weights + bias, dtype=np.float64)
    return logits if is_odd else -np.abs(logits)


def _fit_among_others(
    embedded: Array, answered: list[int], holds: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], float]:
    """Fit a head on answers, of which some hold the label, and on what was not answered."""
    those = embedded[answered]
    if holds.all():
        likeness = embedded @ those.mean(axis=0)
    else:
        weights, bias = fit_head(those, holds)
        likeness = embedded @ weights + bias
    rest = np.setdiff1d(np.arange(len(embedded)), answered)
    rest = rest[np.argsort(likeness[rest], kind="stable")]
    rest = rest[: max(round(len(rest) * (1 - LIKELY_SHARE)), 1)]
    of_each = REST_WEIGHT * len(answered) / len(rest)
    return fit_head(
        np.concatenate([those, embedded[rest]]),
        np.pad(holds, (0, len(rest))),
        np.repeat([1.0, of_each], [len(answered), len(rest)]),
    )


def _scaled(values: NDArray[np.float64], among: NDArray[np.bool_]) -> NDArray[np.float64]:
    return np.asarray((values - values[among].mean()) / (values[among].std() + 1e-9))
