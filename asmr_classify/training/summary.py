"""What a model is and how it does, as plain values."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asmr_classify.labels import kind_of
from asmr_classify.training.metrics import average_precision
from asmr_classify.training.record import label_counts

if TYPE_CHECKING:
    from asmr_classify.model import Model
    from asmr_classify.training.metrics import Measures
    from asmr_classify.training.record import EvaluationRecord

DIGITS = 4


def model_summary(model: Model, record: EvaluationRecord | None) -> dict[str, Any]:
    """Sum a model up.

    Parameters
    ----------
    model : Model
        As it was loaded from its file.
    record : EvaluationRecord or None
        Of its evaluation.

    Returns
    -------
    dict
        Plain values. ``evaluation`` is None without a record; a figure is None where nothing was
        there to compute it of.
    """
    ensemble = model.ensemble
    trees, student, encoder = ensemble.trees, ensemble.student, ensemble.encoder
    return {
        "name": model.name,
        "version": model.version,
        "file": model.source,
        "bytes": Path(model.source).stat().st_size if model.source else None,
        "digest": model.digest(),
        "features": {"fingerprint": model.fingerprint, "columns": int(ensemble.mean.size)},
        "networks": [[len(bias) for bias in network.biases[:-1]] for network in ensemble.networks],
        "trees": 0 if trees is None else int(trees.roots.size),
        "student": None if student is None else [len(bias) for bias in student.biases],
        "encoder": None if encoder is None else [len(layer.bias) for layer in encoder.layers],
        "labels": [
            {
                "label": label,
                "kind": kind_of(label).value,
                "threshold": round(model.thresholds[label], DIGITS),
            }
            for label in model.labels
        ],
        "kinds": {kind: round(value, DIGITS) for kind, value in model.kinds.items()},
        "evaluation": None if record is None else evaluation_summary(record),
    }


def evaluation_summary(record: EvaluationRecord) -> dict[str, Any]:
    """Sum an evaluation up: the clips it was made on, and the figures.

    Parameters
    ----------
    record : EvaluationRecord

    Returns
    -------
    dict
        Plain values.
    """
    clips, groups = label_counts(record)
    return {
        "clips": len(record.clips),
        "groups": len({clip.group for clip in record.clips}),
        "clips_by_label": {label: clips[label] for label in record.labels},
        "groups_by_label": {label: groups[label] for label in record.labels},
        "average_precision": {
            label: _figure(
                average_precision(record.holds(label), record.scores_of(label), record.weights())
            )
            for label in record.labels
        },
        "kinds": [
            {
                "kind": each.kind,
                "told": each.told,
                "average_precision": _figure(each.average_precision),
                "clips": each.clips,
                "groups": each.groups,
                "taken_for": list(each.taken_for),
            }
            for each in record.kinds
        ],
        "by_clip": _measures(record.measures()),
        "by_group": _measures(record.measures(by_group=True)),
    }


def _measures(measures: Measures) -> dict[str, Any]:
    return {
        "mean_average_precision": _figure(measures.mean_average_precision),
        "macro_f1": _figure(measures.macro_f1),
        "false_tags": _figure(measures.false_tags),
        "calibration_error": _figure(measures.calibration_error),
        "average_precision": {k: _figure(v) for k, v in measures.average_precision.items()},
        "f1": {k: _figure(v) for k, v in measures.f1.items()},
        "recall": {k: _figure(v) for k, v in measures.recall.items()},
    }


def _figure(value: float) -> float | None:
    return None if math.isnan(value) else round(value, DIGITS)
