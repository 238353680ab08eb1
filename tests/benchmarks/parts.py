"""What each part of a model brings: networks, trees, the encoder.

Needs the shared corpus and the teacher beside it (``teacher/*.tflite``).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from asmr_classify.estimators import mean_logits
from asmr_classify.evidence import Heard
from asmr_classify.training.evaluate import clip_rows, fit_folds
from asmr_classify.training.spec import TrainingSpec
from tests.benchmarks.report import Table
from tests.benchmarks.scenes import prepare_shared
from tests.benchmarks.student import precisions

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from asmr_classify.estimators import Ensemble
    from asmr_classify.training.prepare import Prepared

    Array = NDArray[np.float32]

ABOUT = """\
Mean average precision over the four triggers, by clip, of clips of makers never heard, if only some
parts of a model had a say: each fold is heard by the fit without it. Networks and trees take the
hints of a student beside the features; the encoder is a small convolutional network that sees the
spectrogram of each second. Networks and the encoder are what ships."""

PARTS: Mapping[str, Callable[[Ensemble, Array], Array]] = {
    "networks": lambda fit, X: replace(fit, trees=None, coded=None).predict_logits(X),
    "networks and trees": lambda fit, X: replace(fit, coded=None).predict_logits(X),
    "the encoder": lambda fit, X: mean_logits([fit.coded.predict_logits(X[:, -fit.n_codes :])]),
    "networks and the encoder": lambda fit, X: replace(fit, trees=None).predict_logits(X),
    "all": lambda fit, X: fit.predict_logits(X),
}
"""What they say of rows."""


def run() -> Table:
    """Fit without each fold of the corpus, and compare."""
    spec = TrainingSpec()
    prepared = prepare_shared(spec)
    return compare(prepared, fit_folds(prepared, spec), spec)


def compare(
    prepared: Prepared, fits: Sequence[Ensemble], spec: TrainingSpec, *, jobs: int = -1
) -> Table:
    """Hear all clips once, and let each choice of parts tell of them."""
    heard: dict[str, list[Heard]] = {name: [] for name in PARTS}
    encoders = [fit.encoder for fit in fits]
    for k, rows in enumerate(clip_rows(prepared, encoders, prepared.folds, spec, jobs=jobs)):
        for name, said in PARTS.items():
            heard[name].append(Heard.of(rows, said(fits[prepared.folds[k]], rows.X)))
    table = []
    for name, of_clips in heard.items():
        whole, long = precisions(prepared, of_clips, spec)
        table.append([name, f"{whole:.3f}", f"{long:.3f}"])
    return Table("parts", ABOUT, ["parts", "mean AP", "of clips of 1.5 s and more"], table)
