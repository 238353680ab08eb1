"""The model: feature rows to calibrated probabilities, and the file that holds it.

A model is data only: labels, thresholds, settings, and the arrays of standardisation, networks
and calibration. Its file is in the safetensors format, a JSON header and plain arrays; loading
runs no code from the file, whoever made it::

    metadata["asmr-classify"]    JSON: {"sha256": digest of the rest, "model": {…}}
    scaling.mean, scaling.scale  (n_features,)
    network.<i>.weight.<j>       (n_in, n_out) of layer j in member i
    network.<i>.bias.<j>         (n_out,)
    calibration.windows, calibration.files   (2, n_labels): slope and intercept on logits

The shipped model lies in ``models/`` of a checkout and inside the installed package.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from asmr_classify.config import DecisionSpec, FeatureSpec, FrameSpec, WindowSpec
from asmr_classify.errors import ModelFormatError, ModelNotFoundError, OutputError, UsageError
from asmr_classify.labels import SILENCE, Kind, kind_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Array = NDArray[np.float32]

FORMAT_VERSION = 1
SHIPPED_NAME = "asmr-4.safetensors"
METADATA_KEY = "asmr-classify"

MAX_FILE_BYTES = 64 * 1024 * 1024
"""Larger files are refused unread: the shipped model has under 8 MB."""

MAX_LABELS = 1000

STANDARD_LIMIT = 4.0
"""Standardised features are cut off here: an outlier says no more than four deviations do."""

LOGIT_LIMIT = 8.0
"""Logits of each network are cut off here, so that one over-sure member cannot outvote the rest."""


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """A fitted multilayer perceptron: rectified hidden layers and one logit per label."""

    weights: tuple[Array, ...]
    biases: tuple[Array, ...]

    def predict_logits(self, X: Array) -> Array:
        """Compute logits, shape (n_windows, n_labels), of standardised rows."""
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            X = np.maximum(X @ weight + bias, 0)
        return X @ self.weights[-1] + self.biases[-1]


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """A fitted model with all that is needed to label a file.

    Parameters
    ----------
    name, version : str
    labels : tuple of str
        Triggers and learnt contexts, in the order of the columns.
    thresholds : mapping of str to float
        Score from which on a label counts as present, in (0, 1), one per label.
    features : FeatureSpec
        Settings of the features that the model was fitted on.
    fingerprint : str
        Name of those features, see :func:`asmr_classify.features.schema.fingerprint`.
    decision : DecisionSpec
    mean, scale : ndarray of float32, shape (n_features,)
        Standardisation of the rows.
    networks : tuple of Network
        Members of the ensemble; their logits are averaged.
    window_calibration, file_calibration : ndarray of float32, shape (2, n_labels)
        Slope and intercept that turn mean logits into calibrated ones [1]_.

    References
    ----------
    .. [1] Platt (1999). Probabilistic outputs for support vector machines. Advances in large
       margin classifiers.
    """

    name: str
    version: str
    labels: tuple[str, ...]
    thresholds: Mapping[str, float]
    features: FeatureSpec
    fingerprint: str
    decision: DecisionSpec
    mean: Array
    scale: Array
    networks: tuple[Network, ...]
    window_calibration: Array
    file_calibration: Array
    source: str | None = field(default=None)

    @property
    def id(self) -> str:
        """Name and version, as results state them."""
        return f"{self.name}@{self.version}"

    @property
    def triggers(self) -> tuple[str, ...]:
        """The labels that are triggers, in the model's order."""
        return tuple(label for label in self.labels if kind_of(label) is Kind.TRIGGER)

    def with_thresholds(self, thresholds: Mapping[str, float]) -> Model:
        """Replace the thresholds of some labels.

        Parameters
        ----------
        thresholds : mapping of str to float
            Label to score, in (0, 1).

        Returns
        -------
        Model

        Raises
        ------
        UsageError
            If the model has no such label, or a threshold is outside (0, 1).
        """
        for label, value in thresholds.items():
            if label not in self.labels:
                known = ", ".join(self.labels)
                raise UsageError(f"threshold for {label!r}: the model's labels are {known}")
            if not 0 < value < 1:
                raise UsageError(
                    f"threshold for {label!r} is {value:g}: give a number between 0 and 1"
                )
        return replace(self, thresholds={**self.thresholds, **thresholds})

    def predict_logits(self, X: Array) -> Array:
        """Compute the mean logits of the ensemble, not yet calibrated.

        Parameters
        ----------
        X : ndarray of float32, shape (n_windows, n_features)

        Returns
        -------
        ndarray of float32, shape (n_windows, n_labels), in [-LOGIT_LIMIT, LOGIT_LIMIT]
        """
        standard = standardise(X, self.mean, self.scale)
        return mean_logits([network.predict_logits(standard) for network in self.networks])

    def predict_proba(self, X: Array) -> Array:
        """Compute the calibrated probability of each label in each window.

        Parameters
        ----------
        X : ndarray of float32, shape (n_windows, n_features)

        Returns
        -------
        ndarray of float32, shape (n_windows, n_labels), in [0, 1]
        """
        return calibrate(self.predict_logits(X), self.window_calibration)


def standardise(X: Array, mean: Array, scale: Array) -> Array:
    """Centre and scale rows, and cut them off at ``STANDARD_LIMIT``."""
    return np.clip((X - mean) / scale, -STANDARD_LIMIT, STANDARD_LIMIT)


def mean_logits(members: list[Array]) -> Array:
    """Average the logits of an ensemble's members, each cut off at ``LOGIT_LIMIT``."""
    cut = [np.clip(member, -LOGIT_LIMIT, LOGIT_LIMIT) for member in members]
    return np.mean(cut, axis=0, dtype=np.float32)


def calibrate(logits: Array, calibration: Array) -> Array:
    """Turn logits into calibrated probabilities.

    Parameters
    ----------
    logits : ndarray of float32, shape (..., n_labels)
    calibration : ndarray of float32, shape (2, n_labels)
        Slope and intercept per label.

    Returns
    -------
    ndarray of float32, shape (..., n_labels), in [0, 1]
    """
    return np.asarray(1 / (1 + np.exp(-(logits * calibration[0] + calibration[1]))), np.float32)


def load_model(source: str | os.PathLike[str] | None = None) -> Model:
    """Load and verify a model.

    Parameters
    ----------
    source : path, optional
        A model file; the shipped model by default.

    Returns
    -------
    Model

    Raises
    ------
    ModelNotFoundError
        If there is no such file.
    ModelFormatError
        If the file is not a model of this program, is damaged, or is of another version.

    Examples
    --------
    >>> load_model().triggers
    ('whisper', 'tap', 'crinkle', 'white_noise')
    """
    path = Path(source) if source is not None else shipped_model_path()
    if not path.is_file():
        raise ModelNotFoundError(
            f"{path}: no such model file; leave --model out for the shipped one"
        )
    try:
        return _model_from(*_read(path), source=str(path))
    except (KeyError, TypeError, ValueError, AttributeError) as exc:
        raise ModelFormatError(f"{path}: the model's description is damaged ({exc!r})") from exc


def shipped_model_path() -> Path:
    """Find the shipped model, in the installed package or beside it in a checkout.

    Raises
    ------
    ModelNotFoundError
        If it is in neither place.
    """
    package = Path(__file__).parent
    for folder in (package / "models", package.parent / "models"):
        if (folder / SHIPPED_NAME).is_file():
            return folder / SHIPPED_NAME
    raise ModelNotFoundError(
        f"the shipped model {SHIPPED_NAME} is missing from {package}: install the package again"
    )


def save_model(model: Model, path: str | os.PathLike[str]) -> None:
    """Write a model file; the same model gives the same bytes.

    Raises
    ------
    OutputError
        If the file cannot be written; an earlier file of that name is then left as it was.
    """
    from safetensors.numpy import save

    tensors = _tensors(model)
    description = _description(model)
    text = json.dumps(
        {"sha256": _digest(description, tensors), "model": description}, sort_keys=True
    )
    content = save(tensors, metadata={METADATA_KEY: text})
    target = Path(path)
    scratch = target.with_name(target.name + ".part")
    try:
        scratch.write_bytes(content)
        scratch.replace(target)
    except OSError as exc:
        scratch.unlink(missing_ok=True)
        raise OutputError(f"{target}: cannot write the model: {exc.strerror}") from exc


def _tensors(model: Model) -> dict[str, Array]:
    tensors = {
        "scaling.mean": model.mean,
        "scaling.scale": model.scale,
        "calibration.windows": model.window_calibration,
        "calibration.files": model.file_calibration,
    }
    for i, network in enumerate(model.networks):
        for j, (weight, bias) in enumerate(zip(network.weights, network.biases, strict=True)):
            tensors[f"network.{i}.weight.{j}"] = weight
            tensors[f"network.{i}.bias.{j}"] = bias
    return {name: np.ascontiguousarray(array, np.float32) for name, array in tensors.items()}


def _description(model: Model) -> dict[str, Any]:
    return {
        "format": FORMAT_VERSION,
        "name": model.name,
        "version": model.version,
        "labels": list(model.labels),
        "thresholds": dict(model.thresholds),
        "features": asdict(model.features),
        "fingerprint": model.fingerprint,
        "decision": asdict(model.decision),
        "networks": [len(network.weights) for network in model.networks],
    }


def _digest(description: dict[str, Any], tensors: Mapping[str, Array]) -> str:
    digest = hashlib.sha256(json.dumps(description, sort_keys=True).encode())
    for name in sorted(tensors):
        digest.update(f"{name}{tensors[name].shape}".encode())
        digest.update(tensors[name].tobytes())
    return digest.hexdigest()


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Array]]:
    """Read description and arrays, and verify that they are what was written."""
    from safetensors import SafetensorError, safe_open

    if path.stat().st_size > MAX_FILE_BYTES:
        raise ModelFormatError(f"{path}: larger than any model of this program")
    try:
        with safe_open(path, framework="numpy") as file:
            text = (file.metadata() or {}).get(METADATA_KEY)
            if text is None:
                raise ModelFormatError(f"{path}: not a model of asmr-classify")
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no dict)
    except (SafetensorError, OSError) as exc:
        raise ModelFormatError(f"{path}: not a model file ({exc})") from exc
    content = json.loads(text)
    if content["sha256"] != _digest(content["model"], tensors):
        raise ModelFormatError(f"{path}: the model is damaged; fetch or train it again")
    return content["model"], tensors


def _model_from(description: dict[str, Any], tensors: dict[str, Array], *, source: str) -> Model:
    if description["format"] != FORMAT_VERSION:
        raise ModelFormatError(
            f"{source}: model format {description['format']}, this version reads {FORMAT_VERSION}"
        )
    features = FeatureSpec(
        frames=FrameSpec(**description["features"]["frames"]),
        windows=WindowSpec(**description["features"]["windows"]),
    )
    networks = tuple(
        Network(
            weights=tuple(tensors[f"network.{i}.weight.{j}"] for j in range(depth)),
            biases=tuple(tensors[f"network.{i}.bias.{j}"] for j in range(depth)),
        )
        for i, depth in enumerate(description["networks"])
    )
    model = Model(
        name=str(description["name"]),
        version=str(description["version"]),
        labels=tuple(description["labels"]),
        thresholds={str(k): float(v) for k, v in description["thresholds"].items()},
        features=features,
        fingerprint=str(description["fingerprint"]),
        decision=DecisionSpec(**description["decision"]),
        mean=tensors["scaling.mean"],
        scale=tensors["scaling.scale"],
        networks=networks,
        window_calibration=tensors["calibration.windows"],
        file_calibration=tensors["calibration.files"],
        source=source,
    )
    check_model(model)
    return model


def check_model(model: Model) -> None:
    """Check that the parts of a model fit together and its features are those of this version.

    Raises
    ------
    ModelFormatError
        With the part that does not fit.
    """
    name = model.source or model.id
    for problem in (_label_problem(model), _feature_problem(model), _shape_problem(model)):
        if problem:
            raise ModelFormatError(f"{name}: {problem}")


def _label_problem(model: Model) -> str | None:
    labels = model.labels
    if not 0 < len(labels) <= MAX_LABELS or not all(isinstance(x, str) and x for x in labels):
        return f"between 1 and {MAX_LABELS} labels are expected, each with a name"
    if len(set(labels)) != len(labels) or SILENCE in labels:
        return f"labels must differ, and {SILENCE!r} is decided by level, not learnt"
    if set(model.thresholds) != set(labels):
        return "one threshold for each label is expected"
    if not all(0 < value < 1 for value in model.thresholds.values()):
        return "thresholds must lie between 0 and 1"
    return None


def _feature_problem(model: Model) -> str | None:
    from asmr_classify.features.schema import fingerprint

    if model.features.frames.sr <= 0 or not math.isfinite(model.features.windows.duration):
        return "the settings of its features make no sense"
    expected = fingerprint(model.features)
    if model.fingerprint != expected:
        return (
            f"made for other features ({model.fingerprint}, this version computes {expected}); "
            "train it again with this version"
        )
    return None


def _shape_problem(model: Model) -> str | None:
    n_labels, n_features = len(model.labels), model.mean.size
    if not model.networks:
        return "no network in it"
    shapes_fit = (
        model.mean.shape == model.scale.shape == (n_features,)
        and model.window_calibration.shape == model.file_calibration.shape == (2, n_labels)
        and all(_network_fits(network, n_features, n_labels) for network in model.networks)
    )
    if not shapes_fit:
        return "its arrays do not fit together"
    arrays = _tensors(model).values()
    if not all(np.isfinite(array).all() for array in arrays) or not (model.scale > 0).all():
        return "its arrays hold values that are not finite, or no positive scale"
    return None


def _network_fits(network: Network, n_features: int, n_labels: int) -> bool:
    width = n_features
    for weight, bias in zip(network.weights, network.biases, strict=True):
        if weight.ndim != 2 or weight.shape[0] != width or bias.shape != (weight.shape[1],):
            return False
        width = weight.shape[1]
    return width == n_labels
