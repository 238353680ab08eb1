"""Linear heads on an embedding, fitted on a few examples by penalised likelihood.

Few examples, asked for since they may hold a label, say little of all that the label is not; but
most of a library does not hold it. So stretches of which nobody said whether they do count a
little, as if they did not [1]_; and those few that a first head finds likeliest as if they did
[2]_. The more examples are of one maker, the less each counts.

References
----------
.. [1] Liu, Dai, Li, Lee and Yu (2003). Building text classifiers using positive and unlabeled
   examples. ICDM.
.. [2] Yarowsky (1995). Unsupervised word sense disambiguation rivaling supervised methods. ACL.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float32]

PENALTY = 1.0
"""Inverse strength of the penalty on heads: of 0.3, 1 and 3, that by which labels of 20 examples
were told best."""

KNOWN_PENALTY = 0.1
"""The same where a head only adds to what a model says of a label that it knows."""

MAKER_POWER = 0.5
"""An example weighs the number of those that its maker has on its side of a label to the power of
minus this: by all answers about a library, in which few makers have most, labels were told better
than where all weigh the same, and by few as well."""

REST_WEIGHT = 0.5
"""All stretches of which nobody said whether they hold a new label weigh by so much of what those
do of which somebody did, and each no more than one of these."""

LIKELY_SHARE = 0.3
"""Of them, those that most likely hold it, which are not taken for stretches that do not."""

LIKELIEST_SHARE = 0.05
"""Of them, those that are taken for stretches that do: the likeliest by a head that was fitted
without them."""

LIKELIEST_WEIGHT = 0.2
"""All of these weigh by so much of what the examples that hold it do, and each no more than one of
them. From 0.15 to 0.6, labels that a tenth of the rest holds were told alike, and better than
without; where nothing of the rest holds them, they were told worse by 0.3."""

LARGEST_GAIN = 4.0
"""By which a head may be multiplied when it is brought to the scale of the model's own logit."""


def fit_head(
    embedded: Array,
    holds: NDArray[np.bool_],
    makers: NDArray[np.str_],
    rest: Array | None = None,
) -> tuple[NDArray[np.float64], float]:
    """Fit a linear head of a label that is new.

    Parameters
    ----------
    embedded : ndarray of float32, shape (n_examples, n_dimensions)
    holds : ndarray of bool, shape (n_examples,)
        Some, and not all, unless there is a rest.
    makers : ndarray of str, shape (n_examples,)
    rest : ndarray of float32, shape (n_others, n_dimensions), optional
        Where there is no telling, but few are likely to hold it.

    Returns
    -------
    weights : ndarray of float64, shape (n_dimensions,)
    bias : float
    """
    counts = weigh_makers(makers, holds)
    if rest is None or not len(rest):
        return _fit_logistic(embedded, holds, counts)
    if holds.all():
        likeness = rest @ embedded.mean(axis=0)
    else:
        weights, bias = _fit_logistic(embedded, holds, counts)
        likeness = rest @ weights + bias
    weights, bias = _fit_beside(embedded, holds, counts, rest, likeness, n_likeliest=0)
    likeness = rest @ weights + bias
    n_likeliest = round(len(rest) * LIKELIEST_SHARE)
    return _fit_beside(embedded, holds, counts, rest, likeness, n_likeliest)


def weigh_makers(makers: NDArray[np.str_], holds: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Weigh examples so that one maker with many that hold a label, or that do not, rules less.

    Returns
    -------
    ndarray of float64, shape (n_examples,)
        With a mean of one.

    Examples
    --------
    >>> weigh_makers(np.array(list("aaaab")), np.array([True, True, True, True, True]))
    array([0.83333333, 0.83333333, 0.83333333, 0.83333333, 1.66666667])
    """
    _, maker = np.unique(makers, return_inverse=True)
    _, side, n_alike = np.unique(2 * maker + holds, return_inverse=True, return_counts=True)
    weights = n_alike[side] ** -MAKER_POWER
    return np.asarray(weights / weights.mean())


def _fit_beside(
    embedded: Array,
    holds: NDArray[np.bool_],
    counts: NDArray[np.float64],
    rest: Array,
    likeness: NDArray[np.float64],
    n_likeliest: int,
) -> tuple[NDArray[np.float64], float]:
    """Fit a head beside a rest, the least likely as if it did not, the likeliest as if it did."""
    order = np.argsort(likeness, kind="stable")
    n_less = max(round(len(rest) * (1 - LIKELY_SHARE)), 1)
    less, likeliest = rest[order[:n_less]], rest[order[len(rest) - n_likeliest :]]
    of_less = min(REST_WEIGHT * len(holds) / n_less, 1.0)
    of_likeliest = min(LIKELIEST_WEIGHT * holds.sum() / max(n_likeliest, 1), 1.0)
    return _fit_logistic(
        np.concatenate([embedded, less, likeliest]),
        np.concatenate([holds, np.repeat([False, True], [n_less, n_likeliest])]),
        np.concatenate([counts, np.repeat([of_less, of_likeliest], [n_less, n_likeliest])]),
    )


def _fit_logistic(
    embedded: Array, holds: NDArray[np.bool_], weights: NDArray[np.float64]
) -> tuple[NDArray[np.float64], float]:
    from sklearn.linear_model import LogisticRegression

    fitted = LogisticRegression(C=PENALTY, max_iter=1000).fit(embedded, holds, weights)
    return fitted.coef_[0], float(fitted.intercept_[0])


def fit_known(
    embedded: Array, logits: NDArray[np.float64], holds: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], float]:
    """Fit a head that adds to calibrated logits of a label that is known."""
    from sklearn.linear_model import LogisticRegression

    # The logit goes in large, so that the penalty is on the rest.
    large = 10.0
    columns = np.column_stack([large * logits, np.sqrt(KNOWN_PENALTY) * embedded])
    fitted = LogisticRegression(C=PENALTY, max_iter=1000).fit(columns, holds)
    own = max(large * fitted.coef_[0, 0], 1 / LARGEST_GAIN)
    return np.sqrt(KNOWN_PENALTY) * fitted.coef_[0, 1:] / own, float(fitted.intercept_[0] / own)
