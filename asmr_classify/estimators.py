"""What scikit-learn fitted, as plain arrays: networks and boosted trees, and their predictions.

Predictions need NumPy only, so labelling never loads scikit-learn, and a model file holds numbers
and no code. Networks and trees give one logit per label; :class:`Ensemble` averages them.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import lru_cache
from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np

from asmr_classify.features.encoder import Encoder

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    Array = NDArray[np.float32]
    Indices = NDArray[np.int32]

STANDARD_LIMIT = 4.0
"""Standardised features are cut off here: an outlier says no more than four deviations do."""

LOGIT_LIMIT = 8.0
"""Logits of each member are cut off here, so that one over-sure member cannot outvote the rest."""

CERTAIN = 60.0
"""Calibrated logits are cut off here: farther from nought nothing changes but that it overflows."""

MAX_DEPTH = 1000
"""Deeper trees are no trees but a way to keep a processor busy."""

PARTS = ("coded", "coded_kinds", "student", "kinds", "embedding", "taught")
"""Networks that an :class:`Ensemble` may have beside those that are averaged."""

ROWS_AT_ONCE = 32
"""Rows that walk down the trees together: their places fit the processor's cache."""


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """A multilayer perceptron: rectified hidden layers and one logit per label.

    Parameters
    ----------
    weights : tuple of ndarray of float32, each of shape (n_in, n_out)
    biases : tuple of ndarray of float32, each of shape (n_out,)
    """

    weights: tuple[Array, ...]
    biases: tuple[Array, ...]

    @property
    def n_outputs(self) -> int:
        """How many numbers it says of a row."""
        return len(self.biases[-1])

    def predict_logits(self, X: Array) -> Array:
        """Compute logits, shape (n_windows, n_labels), of standardised rows."""
        return self.conclude(self.units(X))

    def units(self, X: Array) -> Array:
        """Compute what the last hidden layer makes of standardised rows."""
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            X = np.maximum(X @ weight + bias, 0)
        return np.asarray(X)

    def conclude(self, units: Array) -> Array:
        """Compute logits from what the last hidden layer made of rows."""
        return np.asarray(units @ self.weights[-1] + self.biases[-1])

    def scaled(self, gain: Array | float) -> Network:
        """Copy the network with its outputs multiplied, each by its gain or all by one.

        All that it holds is rounded to what 16 bits hold, which halves model files.
        """
        *hidden, last = zip(self.weights, self.biases, strict=True)
        layers = [*hidden, (last[0] * gain, last[1] * gain)]
        return Network(
            tuple(rounded(weight) for weight, _ in layers),
            tuple(rounded(bias) for _, bias in layers),
        )

    def only(self, outputs: Sequence[int]) -> Network:
        """Copy the network with some of its outputs."""
        kept = list(outputs)
        return Network(
            (*self.weights[:-1], self.weights[-1][:, kept]),
            (*self.biases[:-1], self.biases[-1][kept]),
        )

    def fits(self, n_features: int, n_labels: int) -> bool:
        """Whether the arrays fit together and to the number of features and labels."""
        width = n_features
        if not self.weights:
            return False
        for weight, bias in zip(self.weights, self.biases, strict=True):
            if weight.ndim != 2 or weight.shape[0] != width or bias.shape != (weight.shape[1],):
                return False
            width = weight.shape[1]
        return width == n_labels


@dataclass(frozen=True, slots=True, eq=False)
class Trees:
    """Gradient-boosted trees, all nodes in common arrays.

    A row goes left where its feature is at most the threshold. A leaf is its own child on both
    sides, so that all rows can take as many steps as their tree is deep.

    Parameters
    ----------
    feature, left, right : ndarray of int32, shape (n_nodes,)
    threshold, value : ndarray of float32, shape (n_nodes,)
    roots : ndarray of int32, shape (n_labels, n_trees)
    baseline : ndarray of float32, shape (n_labels,)
    depth : ndarray of int32, shape (1,)
        Steps from a root to the farthest leaf.
    """

    feature: Indices
    left: Indices
    right: Indices
    threshold: Array
    value: Array
    roots: Indices
    baseline: Array
    depth: Indices

    def predict_logits(self, X: Array) -> Array:
        """Compute logits, shape (n_windows, n_labels), of rows that are not standardised."""
        walk = _walk(self)
        parts = [np.zeros((0, len(self.baseline)), np.float32)]
        for first in range(0, len(X), ROWS_AT_ONCE):
            columns = np.ascontiguousarray(X[first : first + ROWS_AT_ONCE].T)
            n_rows = columns.shape[1]
            starts, rows = walk.feature * n_rows, np.arange(n_rows)
            places = np.repeat(walk.roots[:, None], n_rows, axis=1)
            for n_trees in walk.n_trees:
                here = places[:n_trees]
                values = columns.take(starts.take(here) + rows)
                goes_right = values > self.threshold.take(here)
                places[:n_trees] = walk.children.take(2 * here + goes_right)
            sums = walk.labels @ self.value.take(places)
            parts.append(np.asarray(sums.T + self.baseline, dtype=np.float32))
        return np.concatenate(parts)

    def fits(self, n_features: int, n_labels: int) -> bool:
        """Whether the arrays fit together and to the number of features and labels."""
        n_nodes = self.feature.size
        per_node = (self.feature, self.left, self.right, self.threshold, self.value)
        if not n_nodes or any(array.shape != (n_nodes,) for array in per_node):
            return False
        if self.roots.ndim != 2 or len(self.roots) != n_labels or self.depth.shape != (1,):
            return False
        if self.baseline.shape != (n_labels,) or not 0 < self.depth[0] <= MAX_DEPTH:
            return False
        places = np.concatenate([self.left, self.right, self.roots.ravel()])
        return bool(
            ((places >= 0) & (places < n_nodes)).all()
            and ((self.feature >= 0) & (self.feature < n_features)).all()
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Walk:
    """What walks down trees need beside their thresholds and values.

    Indices have NumPy's own width, and children are in one table: both halve the time.

    Parameters
    ----------
    feature : ndarray of int, shape (n_nodes,)
    children : ndarray of int, shape (2 * n_nodes,)
        Left and right of each node.
    roots : ndarray of int, shape (n_trees,)
        The deepest tree first.
    n_trees : tuple of int
        How many trees are so deep that a row may not have arrived before this step.
    labels : ndarray of float32, shape (n_labels, n_trees)
        1 where a tree is of a label.
    """

    feature: NDArray[np.intp]
    children: NDArray[np.intp]
    roots: NDArray[np.intp]
    n_trees: tuple[int, ...]
    labels: Array


@lru_cache(maxsize=8)
def _walk(trees: Trees) -> _Walk:
    """Put trees in order of their depth; kept, as a clip takes no longer than this."""
    roots = trees.roots.astype(np.intp).ravel()
    depths = np.zeros(len(roots), dtype=np.intp)
    nodes, owners = roots, np.arange(len(roots))
    for step in range(int(trees.depth[0])):
        inner = trees.left[nodes] != nodes
        nodes, owners = nodes[inner], owners[inner]
        depths[owners] = step + 1
        nodes = np.concatenate([trees.left[nodes], trees.right[nodes]]).astype(np.intp)
        owners = np.concatenate([owners, owners])
        if len(nodes) > len(trees.feature):  # no trees, as ways meet again: take every step
            depths[:] = trees.depth[0]
            break
    order = np.argsort(-depths, kind="stable")
    labels = np.repeat(np.arange(len(trees.roots)), trees.roots.shape[1])[order]
    return _Walk(
        feature=trees.feature.astype(np.intp),
        children=np.stack([trees.left, trees.right], axis=1).astype(np.intp).ravel(),
        roots=roots[order],
        n_trees=tuple(int((depths > step).sum()) for step in range(int(depths.max(initial=0)))),
        labels=(labels == np.arange(len(trees.roots))[:, None]).astype(np.float32),
    )


@dataclass(frozen=True, slots=True, eq=False)
class Ensemble:
    """All that turns feature rows into logits, not yet calibrated.

    Parameters
    ----------
    mean, scale : ndarray of float32, shape (n_features,)
        Standardisation of the rows.
    networks : tuple of Network
        Of standardised rows; their logits are averaged.
    trees : Trees or None
        Of rows as they are; their logits weigh as much as those of all networks together.
    encoder : Encoder or None
        Gives the last columns of the rows, its *codes*, which are for these two and the embedding:
    coded : Network or None
        Of codes; one layer. Its logits weigh as much as those of all networks and trees together.
    coded_kinds : Network or None
        Of codes; one layer. Weighs as much as ``kinds``.
    student : Network or None
        What it says of a standardised row are further columns for all others, see
        :mod:`asmr_classify.training.student`.
    kinds : Network or None
        Of standardised rows; says which kind a sound is of, below and beside the labels.
    embedding : Network or None
        Of all units, see :meth:`embed`; one layer. Where it puts sounds, those that are alike lie
        near each other.
    taught : Network or None
        Of the embedding; one layer. What it says is added to the logits, of labels that others say
        nothing of as well: these are the last ones.
    """

    mean: Array
    scale: Array
    networks: tuple[Network, ...]
    trees: Trees | None = None
    encoder: Encoder | None = None
    coded: Network | None = None
    coded_kinds: Network | None = None
    student: Network | None = None
    kinds: Network | None = None
    embedding: Network | None = None
    taught: Network | None = None

    def __repr__(self) -> str:
        others = [name for name in ("trees", "encoder", *PARTS) if getattr(self, name) is not None]
        return f"<Ensemble {', '.join([f'{len(self.networks)} networks', *others])}>"

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Name all arrays, as files hold them."""
        named: dict[str, NDArray[Any]] = {"scaling.mean": self.mean, "scaling.scale": self.scale}
        members = {f"network.{k}": network for k, network in enumerate(self.networks)}
        parts = {name: getattr(self, name) for name in PARTS}
        for name, network in (members | parts).items():
            for layer in range(len(network.weights) if network else 0):
                named[f"{name}.weight.{layer}"] = network.weights[layer]
                named[f"{name}.bias.{layer}"] = network.biases[layer]
        if self.encoder is not None:
            named |= self.encoder.arrays()
        if self.trees is not None:
            named |= {f"trees.{f.name}": getattr(self.trees, f.name) for f in fields(Trees)}
        return named

    @classmethod
    def of_arrays(cls, named: Mapping[str, NDArray[Any]]) -> Ensemble:
        """Put an ensemble together again; names that are none of its own are passed over.

        Raises
        ------
        KeyError
            If an array is missing.
        """
        trees = any(name.startswith("trees.") for name in named)
        return cls(
            named["scaling.mean"],
            named["scaling.scale"],
            tuple(_members_of(named)),
            Trees(**{f.name: named[f"trees.{f.name}"] for f in fields(Trees)}) if trees else None,
            Encoder.of_arrays(named),
            **{name: _network_of(named, name) for name in PARTS},
        )

    def predict_logits(self, X: Array) -> Array:
        """Compute logits.

        Parameters
        ----------
        X : ndarray of float32, shape (n_windows, n_features + n_codes)

        Returns
        -------
        ndarray of float32, shape (n_windows, n_labels + n_kinds)
            In [-LOGIT_LIMIT, LOGIT_LIMIT]; labels first, then kinds.
        """
        return self.listen(X)[0]

    def embed(self, X: Array) -> Array:
        """Tell where windows lie among all sounds, shape (n_windows, n_dimensions).

        Sounds that lie near each other are alike to the ensemble: what its student and its networks
        have in their last hidden layers, the student's hints and the codes, turned to axes that
        part sounds.

        Parameters
        ----------
        X : ndarray of float32, shape (n_windows, n_features + n_codes)

        Raises
        ------
        ValueError
            If it has no embedding.
        """
        embedded = self.listen(X)[1]
        if embedded is None:
            raise ValueError("this ensemble has no embedding")
        return embedded

    def listen(self, X: Array) -> tuple[Array, Array | None]:
        """Compute logits, and the embedding where there is one.

        Parameters
        ----------
        X : ndarray of float32, shape (n_windows, n_features + n_codes)

        Returns
        -------
        logits : ndarray of float32, shape (n_windows, n_labels + n_kinds)
        embedded : ndarray of float32, shape (n_windows, n_dimensions), or None
        """
        X, codes = self._split(X)
        standard, X, units = self._columns(X)
        units += [network.units(standard) for network in self.networks]
        concluded = zip(self.networks, units[-len(self.networks) :], strict=True)
        logits = mean_logits([network.conclude(each) for network, each in concluded])
        if self.trees is not None:
            logits = mean_logits([logits, self.trees.predict_logits(X)])
        if self.coded is not None:
            logits = mean_logits([logits, self.coded.predict_logits(codes)])
            units.append(codes)
        embedded = None
        if self.embedding is not None:
            embedded = self.embedding.predict_logits(np.concatenate(units, axis=1))
        if self.taught is not None and embedded is not None:
            logits = np.pad(logits, ((0, 0), (0, self.taught.n_outputs - logits.shape[1])))
            logits = mean_logits([logits + self.taught.predict_logits(embedded)])
        if self.kinds is not None:
            of_kinds = mean_logits([self.kinds.predict_logits(standard)])
            if self.coded_kinds is not None:
                of_kinds = mean_logits([of_kinds, self.coded_kinds.predict_logits(codes)])
            logits = np.concatenate([logits, of_kinds], axis=1)
        return logits, embedded

    def units(self, X: Array) -> Array:
        """Compute all that :attr:`embedding` is made from, shape (n_windows, n_units)."""
        X, codes = self._split(X)
        standard, _, units = self._columns(X)
        units += [network.units(standard) for network in self.networks]
        return np.concatenate([*units, codes], axis=1)

    def _split(self, X: Array) -> tuple[Array, Array]:
        """Part the columns that somebody thought of from codes."""
        n_features = len(self.mean)
        if X.shape[1] != n_features + self.n_codes:
            raise ValueError(
                f"{X.shape[1]} columns; expected are {n_features} and {self.n_codes} of its encoder"
            )
        return X[:, :n_features], X[:, n_features:]

    def _columns(self, X: Array) -> tuple[Array, Array, list[Array]]:
        """Give standardised rows and rows as they are, both with hints, and what these rest on."""
        standard = standardise(X, self.mean, self.scale)
        if self.student is None:
            return standard, X, []
        units = self.student.units(standard)
        hints = self.student.conclude(units)
        return (
            np.concatenate([standard, hints], axis=1),
            np.concatenate([X, hints], axis=1),
            [hints, units],
        )

    @property
    def n_told(self) -> int:
        """How many labels it knows without what it was taught."""
        return self.networks[0].n_outputs

    @property
    def n_units(self) -> int:
        """How many numbers :attr:`embedding` is made from."""
        members = self.networks if self.student is None else (self.student, *self.networks)
        hints = 0 if self.student is None else self.student.n_outputs
        return hints + sum(len(network.weights[-1]) for network in members) + self.n_codes

    @property
    def n_kinds(self) -> int:
        """Columns of logits that follow those of labels."""
        return self.kinds.n_outputs if self.kinds else 0

    @property
    def n_codes(self) -> int:
        """How many columns its encoder gives."""
        return 0 if self.encoder is None else self.encoder.width

    def fits(self, n_features: int, n_labels: int, n_kinds: int = 0) -> bool:
        """Whether the parts fit together and to the number of features, labels and kinds."""
        n_hints = 0 if self.student is None else self.student.n_outputs
        n_columns = n_features + n_hints
        n_told = n_labels if self.taught is None or not self.networks else self.n_told
        return (
            self.mean.shape == self.scale.shape == (n_features,)
            and (self.student is None or self.student.fits(n_features, n_hints))
            and all(network.fits(n_columns, n_told) for network in self.networks)
            and (self.trees is None or self.trees.fits(n_columns, n_told))
            and (self.kinds.fits(n_columns, n_kinds) if self.kinds else not n_kinds)
            and self._coding_fits(n_told, n_kinds)
            and n_told <= n_labels
            and self._teaching_fits(n_labels)
        )

    def _coding_fits(self, n_told: int, n_kinds: int) -> bool:
        """Whether what is said of codes fits to the encoder and to the rest."""
        n_codes = self.n_codes
        return (self.coded.fits(n_codes, n_told) if self.coded else not n_codes) and (
            self.coded_kinds is None or self.coded_kinds.fits(n_codes, n_kinds)
        )

    def _teaching_fits(self, n_labels: int) -> bool:
        """Whether embedding and what was taught fit to the rest, which fits."""
        if self.embedding is None:
            return self.taught is None
        n_dimensions = self.embedding.n_outputs
        return self.embedding.fits(self.n_units, n_dimensions) and (
            self.taught is None or self.taught.fits(n_dimensions, n_labels)
        )


def _network_of(named: Mapping[str, NDArray[Any]], name: str) -> Network | None:
    """Read the network of a name; None if there is none."""
    n_layers = next(k for k in count() if f"{name}.weight.{k}" not in named)
    if not n_layers:
        return None
    return Network(
        tuple(named[f"{name}.weight.{layer}"] for layer in range(n_layers)),
        tuple(named[f"{name}.bias.{layer}"] for layer in range(n_layers)),
    )


def _members_of(named: Mapping[str, NDArray[Any]]) -> Iterator[Network]:
    """Read the networks that are averaged."""
    for k in count():
        network = _network_of(named, f"network.{k}")
        if network is None:
            return
        yield network


def rounded(array: Array) -> Array:
    """Round to what 16 bits hold, which halves model files."""
    return np.asarray(array.astype(np.float16).astype(np.float32))


def average_trees(parts: Sequence[Trees]) -> Trees:
    """Put ensembles of trees together into one that gives their mean logits.

    Parameters
    ----------
    parts : sequence of Trees
        At least one; all of the same labels and columns.

    Returns
    -------
    Trees
    """
    if len(parts) == 1:
        return parts[0]
    offsets = np.cumsum([0, *(part.feature.size for part in parts[:-1])]).astype(np.int32)
    placed = list(zip(parts, offsets, strict=True))
    return Trees(
        feature=np.concatenate([part.feature for part in parts]),
        left=np.concatenate([part.left + offset for part, offset in placed]),
        right=np.concatenate([part.right + offset for part, offset in placed]),
        threshold=np.concatenate([part.threshold for part in parts]),
        value=np.concatenate([part.value / np.float32(len(parts)) for part in parts]),
        roots=np.concatenate([part.roots + offset for part, offset in placed], axis=1),
        baseline=np.mean([part.baseline for part in parts], axis=0, dtype=np.float32),
        depth=np.max([part.depth for part in parts], axis=0),
    )


def standardise(X: Array, mean: Array, scale: Array) -> Array:
    """Centre and scale rows, and cut them off at ``STANDARD_LIMIT``."""
    return np.asarray(np.clip((X - mean) / scale, -STANDARD_LIMIT, STANDARD_LIMIT))


def mean_logits(members: list[Array]) -> Array:
    """Average the logits of members, each cut off at ``LOGIT_LIMIT``."""
    cut = [np.clip(member, -LOGIT_LIMIT, LOGIT_LIMIT) for member in members]
    return np.asarray(np.mean(cut, axis=0, dtype=np.float32))


def calibrate(logits: Array, calibration: Array) -> Array:
    """Turn logits into calibrated probabilities.

    Parameters
    ----------
    logits : ndarray of float32, shape (..., n_labels)
    calibration : ndarray of float32, shape (2, n_labels)
        Slopes and intercepts.

    Returns
    -------
    ndarray of float32, shape (..., n_labels), in [0, 1]
    """
    calibrated = np.clip(logits * calibration[0] + calibration[1], -CERTAIN, CERTAIN)
    return np.asarray(1 / (1 + np.exp(-calibrated)), np.float32)
