"""The model: feature rows to calibrated probabilities, and the file that holds it.

A model is data only: labels, thresholds, settings, and the arrays of standardisation, networks
and calibration. Its file is in the safetensors format, a JSON header and plain arrays; loading
runs no code from the file, whoever made it::

    metadata["asmr-classify"]    JSON: {"sha256": digest of the rest, "model": {…}}
    scaling.mean, scaling.scale  (n_features,)
    network.<i>.weight.<j>       (n_in, n_out) of layer j in member i
    network.<i>.bias.<j>         (n_out,)
    student.weight.<j>, student.bias.<j>  likewise; may be missing
    encoder.bands, encoder.weight.<j>, encoder.bias.<j>
                                 see :mod:`asmr_classify.features.encoder`; may be missing
    coded.weight.0, coded.bias.0          as those of networks; may be missing
    coded_kinds.weight.0, coded_kinds.bias.0  likewise; may be missing
    kinds.weight.<j>, kinds.bias.<j>      likewise; may be missing
    embedding.weight.0, embedding.bias.0  likewise; may be missing
    taught.weight.0, taught.bias.0        likewise; may be missing
    trees.<array>                see :class:`~asmr_classify.estimators.Trees`; may be missing
    calibration                  (2, n_labels + n_kinds): slope and intercept on logits

All are 32-bit numbers, or 16-bit ones where those hold the same values.

The shipped model lies in ``models/`` of a checkout and inside the installed package.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from asmr_classify.config import SCORE_DIGITS, DecisionSpec, FeatureSpec, FrameSpec, WindowSpec
from asmr_classify.errors import ModelFormatError, ModelNotFoundError, OutputError, UsageError
from asmr_classify.estimators import Ensemble, Network, calibrate
from asmr_classify.labels import SILENCE, Kind, kind_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from asmr_classify.features.encoder import Encoder

    Array = NDArray[np.float32]

FORMAT_VERSION = 7
EARLIER_FORMATS = (4, 5, 6)
"""Of models without the parts that came since: earlier versions of this program read them, too.
With 5 came what is taught, with 6 the encoder, with 7 the rivalry of kinds."""

LAYERS = {"student": "student", "kinds": "kinds_network"}
TAUGHT_LAYERS = {"embedding": "embedding", "taught": "taught"}
CODED_LAYERS = {"encoder": "encoder", "coded": "coded", "coded_kinds": "coded_kinds"}
"""Networks that an ensemble may have beside those that are averaged, and what the description calls
their number of layers."""
SHIPPED_NAME = "asmr-4.safetensors"
METADATA_KEY = "asmr-classify"

MAX_FILE_BYTES = 64 * 1024 * 1024
"""Larger files are refused unread: the shipped model has under 12 MB."""

MAX_HEADER_BYTES = 1024 * 1024
"""Longer headers are refused unread: that of the shipped model has 3 KB."""

MAX_LABELS = 1000
LARGEST = 1e6
"""Larger numbers are no weights, and would overflow to what is no number."""

INDEX_ARRAYS = {"encoder.bands"} | {
    f"trees.{name}" for name in ("feature", "left", "right", "roots", "depth")
}

SETTINGS_RANGES = {
    "sr": (8000, 192000),
    "n_fft": (64, 65536),
    "hop_length": (8, 65536),
    "texture_n_fft": (64, 65536),
    "texture_hop_length": (8, 65536),
    "n_mels": (16, 512),
    "fmin_hz": (1, 20000),
    "fmax_hz": (1000, 96000),
    "duration": (0.1, 60),
    "hop": (0.1, 60),
    "span": (0.1, 600),
    "brief": (0, 100),
    "context": (0, 1),
    "layered": (0, 100),
    "release": (1e-6, 1),
    "min_duration": (0, 3600),
    "max_gap": (0, 3600),
    "told_seconds": (0, 36000),
    "told_share": (0, 1),
    "background_db": (0, 1000),
    "background_dbfs": (-200, 0),
    "floor_db": (0, 1000),
    "surroundings": (0, 600),
    "silence_dbfs": (-200, 0),
    "rivalry": (0, 1),
}
"""Least and greatest value of each setting that makes sense."""


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """A fitted model with all that is needed to label a file.

    Parameters
    ----------
    name, version : str
    labels : tuple of str
        Triggers and learnt contexts, in the order of the columns.
    thresholds : mapping of str to float
        Probability from which on a label is in the timeline, and score from which on it counts as
        present in a file, in (0, 1), one per label.
    features : FeatureSpec
        Settings of the features that the model was fitted on.
    fingerprint : str
        Name of those features, see :func:`asmr_classify.features.schema.fingerprint`.
    decision : DecisionSpec
    ensemble : Ensemble
        What was fitted.
    own_thresholds : mapping of str to float, optional
        Those that the model was fitted with, where others are asked for.
    calibration : ndarray of float32, shape (2, n_labels + n_kinds)
        Slopes and intercepts that turn evidence into calibrated logits [1]_.
    kinds : mapping of str to float, optional
        Score from which on a file holds a kind, in (0, 1), in the order of the ensemble's. Those
        that it has more are not told well enough, and are there as rivals only.
    rivalry : float
        Of kinds, in [0, 1], see :func:`asmr_classify.evidence.against_rivals`.

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
    ensemble: Ensemble
    calibration: Array
    own_thresholds: Mapping[str, float] | None = None
    kinds: Mapping[str, float] = field(default_factory=dict)
    rivalry: float = 0.0
    source: str | None = field(default=None)

    def __repr__(self) -> str:
        n_kinds = len(self.kinds)
        return f"<Model {self.id}: labels {', '.join(self.labels)}; {n_kinds} kinds>"

    @property
    def id(self) -> str:
        """Name and version, as results state them."""
        return f"{self.name}@{self.version}"

    @property
    def triggers(self) -> tuple[str, ...]:
        """The labels that are triggers, in the model's order."""
        return tuple(label for label in self.labels if kind_of(label) is Kind.TRIGGER)

    @property
    def n_columns(self) -> int:
        """How many labels and kinds the ensemble tells of each window, with those told to it."""
        return len(self.labels) + self.ensemble.n_kinds

    @property
    def encoder(self) -> Encoder | None:
        """What gives the last columns of the rows that it is given."""
        return self.ensemble.encoder

    def digest(self) -> str:
        """Compute the SHA-256 of all that decides what the model says, in hexadecimal digits."""
        return _digest(_description(self), _tensors(self))

    def with_thresholds(self, thresholds: Mapping[str, float]) -> Model:
        """Replace the thresholds of some labels.

        Parameters
        ----------
        thresholds : mapping of str to float
            Label to score, in (0, 1), rounded to as many digits as scores have.

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
            if not 0 < round(value, SCORE_DIGITS) < 1:
                raise UsageError(
                    f"threshold for {label!r} is {value:g}: give a number between 0 and 1"
                )
        told = {label: round(value, SCORE_DIGITS) for label, value in thresholds.items()}
        return replace(
            self,
            thresholds={**self.thresholds, **told},
            own_thresholds=self.own_thresholds or self.thresholds,
        )

    def predict_proba(self, X: Array) -> Array:
        """Compute the calibrated probability of each label in each window, taken by itself.

        Parameters
        ----------
        X : ndarray of float32, shape (n_windows, n_features + n_codes)
            Rows with its encoder's columns.

        Returns
        -------
        ndarray of float32, shape (n_windows, n_labels), in [0, 1]
        """
        n_labels = len(self.labels)
        logits = self.ensemble.predict_logits(X)[:, :n_labels]
        return calibrate(logits, self.calibration[:, :n_labels])


def as_model(model: Model | str | os.PathLike[str] | None) -> Model:
    """Give a model as it is, or load it by the path of its file; the shipped one by default.

    Raises
    ------
    ModelError
        If it cannot be loaded.
    """
    return model if isinstance(model, Model) else load_model(model)


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
    path = Path(os.fsdecode(source)) if source is not None else shipped_model_path()
    if not path.is_file():
        name = str(path) if source is None else os.fsdecode(source) or "''"
        raise ModelNotFoundError(f"{name}: no such model file; leave it out for the shipped one")
    try:
        return _model_from(*_read(path), source=str(path))
    except (
        LookupError,
        TypeError,
        ValueError,
        AttributeError,
        ArithmeticError,
        RecursionError,
    ) as exc:
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
    text = json.dumps({"sha256": model.digest(), "model": description}, sort_keys=True)
    content = save(tensors, metadata={METADATA_KEY: text})
    target = Path(os.path.realpath(path))  # a link stays one
    # A name that nothing has: nobody's file is written over.
    scratch = target.with_name(f".{target.name[:100]}-{secrets.token_hex(8)}.part")
    try:
        scratch.touch(exist_ok=False)
        scratch.write_bytes(content)
        scratch.replace(target)
    except OSError as exc:
        scratch.unlink(missing_ok=True)
        raise OutputError(f"{path}: cannot write the model: {exc.strerror}") from exc


def _tensors(model: Model) -> dict[str, NDArray[Any]]:
    """Name all arrays, as they are stored."""
    return {name: _stored(array) for name, array in _arrays(model).items()}


def _arrays(model: Model) -> dict[str, NDArray[Any]]:
    return {**model.ensemble.arrays(), "calibration": model.calibration}


def _stored(array: NDArray[Any]) -> NDArray[Any]:
    """Halve an array where that loses nothing."""
    if array.dtype == np.float32:
        with np.errstate(over="ignore"):
            half = array.astype(np.float16)
        if np.array_equal(half.astype(np.float32), array):
            return np.ascontiguousarray(half)
    return np.ascontiguousarray(array)


def _description(model: Model) -> dict[str, Any]:
    parts = _described_parts(model.ensemble)
    return {
        "format": _format_of(model, parts),
        "name": model.name,
        "version": model.version,
        "labels": list(model.labels),
        "thresholds": dict(model.thresholds),
        "own_thresholds": dict(model.own_thresholds or model.thresholds),
        "features": asdict(model.features),
        "fingerprint": model.fingerprint,
        "decision": asdict(model.decision),
        "kinds": list(model.kinds.items()),
        **({"rivalry": model.rivalry} if model.rivalry else {}),
        **parts,
    }


def _format_of(model: Model, parts: Mapping[str, Any]) -> int:
    """Tell the first format that has all that a model has."""
    if model.rivalry:
        return FORMAT_VERSION
    return EARLIER_FORMATS[2 if "encoder" in parts else "taught" in parts]


def _described_parts(ensemble: Ensemble) -> dict[str, Any]:
    """Tell how many layers each network has, and whether there are trees."""

    def layers(names: Mapping[str, str]) -> dict[str, int]:
        found = {key: getattr(ensemble, name) for name, key in names.items()}
        return {key: n_layers(network) if network else 0 for key, network in found.items()}

    def n_layers(network: Network | Encoder) -> int:
        return len(network.weights if isinstance(network, Network) else network.layers)

    later = [layers(names) for names in (TAUGHT_LAYERS, CODED_LAYERS)]
    return {
        "networks": [len(network.weights) for network in ensemble.networks],
        **layers(LAYERS),
        **{key: told for of in later if any(of.values()) for key, told in of.items()},
        "trees": ensemble.trees is not None,
    }


def _digest(description: dict[str, Any], tensors: Mapping[str, NDArray[Any]]) -> str:
    digest = hashlib.sha256(json.dumps(description, sort_keys=True).encode())
    for name in sorted(tensors):
        digest.update(f"{name}{tensors[name].dtype}{tensors[name].shape}".encode())
        digest.update(tensors[name].tobytes())
    return digest.hexdigest()


def _read(path: Path) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Read description and arrays, and verify that they are what was written."""
    from safetensors import SafetensorError, safe_open

    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise ModelFormatError(f"{path}: larger than any model of this program")
        with path.open("rb") as raw:
            if int.from_bytes(raw.read(8), "little") > MAX_HEADER_BYTES:
                raise ModelFormatError(f"{path}: not a model file (its header is too long)")
        with safe_open(path, framework="numpy") as file:
            text = (file.metadata() or {}).get(METADATA_KEY)
            if text is None:
                raise ModelFormatError(f"{path}: not a model of asmr-classify")
            stored = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no dict)
    except (SafetensorError, OSError) as exc:
        raise ModelFormatError(f"{path}: not a model file ({exc})") from exc
    content = json.loads(text)
    if content["sha256"] != _digest(content["model"], stored):
        raise ModelFormatError(f"{path}: the model is damaged; fetch or train it again")
    return content["model"], {
        name: array.astype(np.float32) if array.dtype == np.float16 else array
        for name, array in stored.items()
    }


def _model_from(
    description: dict[str, Any], tensors: dict[str, NDArray[Any]], *, source: str
) -> Model:
    if description["format"] not in (*EARLIER_FORMATS, FORMAT_VERSION):
        raise ModelFormatError(
            f"{source}: model format {description['format']}, this version reads {FORMAT_VERSION}; "
            "train it again with this version"
        )
    features = FeatureSpec(
        frames=FrameSpec(**description["features"]["frames"]),
        windows=WindowSpec(**description["features"]["windows"]),
    )
    ensemble = Ensemble.of_arrays(tensors)
    layers = dict.fromkeys((LAYERS | TAUGHT_LAYERS | CODED_LAYERS).values(), 0)
    described, found = layers | description, layers | _described_parts(ensemble)
    if any(described[key] != told for key, told in found.items()):
        raise ModelFormatError(f"{source}: its arrays are not those that it describes")
    model = Model(
        name=str(description["name"]),
        version=str(description["version"]),
        labels=tuple(description["labels"]),
        thresholds=_thresholds_from(description["thresholds"]),
        features=features,
        fingerprint=str(description["fingerprint"]),
        decision=DecisionSpec(**description["decision"]),
        ensemble=ensemble,
        calibration=tensors["calibration"],
        own_thresholds=_thresholds_from(description["own_thresholds"]),
        kinds=_thresholds_from(dict(description["kinds"])),
        rivalry=float(description.get("rivalry", 0.0)),
        source=source,
    )
    check_model(model)
    return model


def _thresholds_from(content: Mapping[str, Any]) -> dict[str, float]:
    return {str(label): float(value) for label, value in content.items()}


def check_model(model: Model) -> None:
    """Check that the parts of a model fit together and its features are those of this version.

    Raises
    ------
    ModelFormatError
        With the part that does not fit.
    """
    name = model.source or model.id
    for check in (_label_problem, _settings_problem, _feature_problem, _shape_problem):
        problem = check(model)
        if problem:
            raise ModelFormatError(f"{name}: {problem}")


def _label_problem(model: Model) -> str | None:
    labels = model.labels
    if not 0 < len(labels) <= MAX_LABELS or not all(isinstance(x, str) and x for x in labels):
        return f"between 1 and {MAX_LABELS} labels are expected, each with a name"
    if len(set(labels)) != len(labels) or SILENCE in labels:
        return f"labels must differ, and {SILENCE!r} is decided by level, not learnt"
    if len(model.kinds) > MAX_LABELS or not all(model.kinds):
        return f"at most {MAX_LABELS} kinds are expected, each with a name"
    for thresholds in (model.thresholds, model.own_thresholds or model.thresholds):
        if set(thresholds) != set(labels):
            return "one threshold for each label is expected"
    for thresholds in (model.thresholds, model.own_thresholds or {}, model.kinds):
        if not all(0 < value < 1 for value in thresholds.values()):
            return "thresholds must lie between 0 and 1"
    return None


def _settings_problem(model: Model) -> str | None:
    frames, windows = asdict(model.features.frames), asdict(model.features.windows)
    others = {**asdict(model.decision), "rivalry": model.rivalry}
    for name, value in {**frames, **windows, **others}.items():
        low, high = SETTINGS_RANGES[name]
        if isinstance(value, bool) or not low <= value <= high:
            return f"its setting {name} is {value!r}, which makes no sense"
    if any(not isinstance(v, int) for k, v in frames.items() if k not in {"fmin_hz", "fmax_hz"}):
        return "its settings of frames are no whole numbers"
    if not frames["fmin_hz"] < frames["fmax_hz"] <= frames["sr"] / 2:
        return "its band lies outside what the sampling rate holds"
    return None


def _feature_problem(model: Model) -> str | None:
    from asmr_classify.features.schema import column_names, fingerprint

    expected = fingerprint(model.features)
    if model.fingerprint != expected:
        return (
            f"made for other features ({model.fingerprint}, this version computes {expected}); "
            "train it again with this version"
        )
    if model.ensemble.mean.shape != (len(column_names(model.features)),):
        return "its arrays do not fit together, nor to its features"
    if model.encoder is not None and not model.encoder.fits(model.features):
        return "its encoder does not fit to its features"
    return None


def _shape_problem(model: Model) -> str | None:
    ensemble, n_labels, n_kinds = model.ensemble, len(model.labels), len(model.kinds)
    if not ensemble.networks:
        return "no network in it"
    most = MAX_LABELS if model.rivalry else n_kinds
    if (
        not n_kinds <= ensemble.n_kinds <= most
        or model.calibration.shape != (2, n_labels + n_kinds)
        or not ensemble.fits(ensemble.mean.size, n_labels, ensemble.n_kinds)
    ):
        return "its arrays do not fit together"
    for name, array in _arrays(model).items():
        if array.dtype != (np.int32 if name in INDEX_ARRAYS else np.float32):
            return f"its array {name} is of {array.dtype}, which no model has"
        if not (np.abs(array) <= LARGEST).all():
            return "its arrays hold values that are not finite, or too large for weights"
    if not (ensemble.scale > 0).all():
        return "its scale is not positive"
    return None
