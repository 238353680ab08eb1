"""Predictions for clips whose groups were never heard, and the figures they give.

Cross-validation is nested. For each fold, networks are fitted on the others; their calibration and
thresholds come from further networks, fitted without that fold and without the fold whose clips
they are calibrated on. So nothing that labels a clip has seen its fold, in any role. A model
that leaves out two folds serves both, so five folds cost fifteen fits.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from asmr_classify.aggregate import summarise
from asmr_classify.errors import CorpusError
from asmr_classify.training.fit import finish_model, fit_networks
from asmr_classify.training.metrics import Measures, group_balance, measure
from asmr_classify.training.splits import assign_folds
from asmr_classify.training.takes import compute_rows, plan_takes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from asmr_classify.aggregate import FileResult, Heard
    from asmr_classify.model import Model
    from asmr_classify.training.corpus import Corpus
    from asmr_classify.training.fit import Fitted, TrainingSpec
    from asmr_classify.training.takes import TakeRows

    Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Prepared:
    """A corpus with its folds and rows.

    Parameters
    ----------
    corpus : Corpus
    folds : ndarray of int64, shape (n_clips,)
    rows : TakeRows
    originals : ndarray of int64, shape (n_clips,)
        Index of the take that is the clip itself.
    """

    corpus: Corpus
    folds: NDArray[np.int64]
    rows: TakeRows
    originals: NDArray[np.int64]

    @property
    def truth(self) -> NDArray[np.float32]:
        """Labels that each clip holds, shape (n_clips, n_labels)."""
        return self.rows.targets[self.originals]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Results for clips never heard, and their figures.

    Parameters
    ----------
    results : tuple of FileResult, one per clip
    by_clip, by_group : Measures
    heard : tuple of Heard, one per clip
        Logits of networks that were fitted without the clip's fold.
    """

    results: tuple[FileResult, ...]
    by_clip: Measures
    by_group: Measures
    heard: tuple[Heard, ...]


def prepare(
    corpus: Corpus,
    spec: TrainingSpec,
    *,
    cache: Path | None = None,
    jobs: int = -1,
    on_progress: Progress | None = None,
) -> Prepared:
    """Assign folds and compute the rows of a corpus.

    Parameters
    ----------
    corpus : Corpus
    spec : TrainingSpec
    cache : path, optional
        Folder that keeps rows from run to run.
    jobs : int
    on_progress : callable, optional
        Called with a phase, the steps done and their total.

    Returns
    -------
    Prepared

    Raises
    ------
    CorpusError
        If folds share a group, or a clip cannot be decoded.
    """
    folds = assign_folds(corpus, seed=spec.takes.seed)
    takes = plan_takes(corpus, spec.takes)

    def report(done: int, total: int) -> None:
        if on_progress is not None:
            on_progress("features", done, total)

    rows = compute_rows(corpus, takes, spec.takes, cache=cache, jobs=jobs, on_progress=report)
    originals = np.array([k for k, take in enumerate(takes) if take.version == 0])
    return Prepared(corpus, folds, rows, originals)


def evaluate(
    prepared: Prepared,
    spec: TrainingSpec,
    *,
    jobs: int = -1,
    on_progress: Progress | None = None,
) -> Evaluation:
    """Label every clip with a model that never saw its fold.

    Parameters
    ----------
    prepared : Prepared
    spec : TrainingSpec
    jobs : int
        Processes; -1 for one per core.
    on_progress : callable, optional

    Returns
    -------
    Evaluation

    Raises
    ------
    CorpusError
        If there are fewer than three folds.
    """
    n_folds = int(prepared.folds.max()) + 1
    if n_folds < 3:
        raise CorpusError(
            f"{n_folds} folds: figures need at least three, so that calibration and thresholds "
            "come from clips that neither fit nor figure uses; add recordings of more groups"
        )
    left_out = [*((k,) for k in range(n_folds)), *combinations(range(n_folds), 2)]
    fits = _fit_without(prepared, left_out, spec, jobs=jobs, on_progress=on_progress)
    results: list[FileResult | None] = [None] * len(prepared.folds)
    heard: list[Heard | None] = [None] * len(prepared.folds)
    for fold in range(n_folds):
        for index, result, sound in _label_fold(prepared, fold, fits, spec):
            results[index], heard[index] = result, sound
    done = tuple(result for result in results if result is not None)
    return Evaluation(
        done,
        _measures(prepared.corpus, done, by_group=False),
        _measures(prepared.corpus, done, by_group=True),
        tuple(sound for sound in heard if sound is not None),
    )


def _fit_without(
    prepared: Prepared,
    left_out: list[tuple[int, ...]],
    spec: TrainingSpec,
    *,
    jobs: int,
    on_progress: Progress | None,
) -> dict[tuple[int, ...], Fitted]:
    """Fit networks without each of several sets of folds, side by side."""
    from joblib import Parallel, delayed

    pool = Parallel(n_jobs=jobs, return_as="generator")
    tasks = (
        delayed(fit_networks)(
            prepared.rows,
            prepared.corpus,
            ~np.isin(prepared.folds, folds),
            spec,
        )
        for folds in left_out
    )
    fits = {}
    for done, (folds, fitted) in enumerate(zip(left_out, pool(tasks), strict=True), start=1):
        fits[folds] = fitted
        if on_progress is not None:
            on_progress("fits", done, len(left_out))
    return fits


def _label_fold(
    prepared: Prepared,
    fold: int,
    fits: Mapping[tuple[int, ...], Fitted],
    spec: TrainingSpec,
) -> list[tuple[int, FileResult, Heard]]:
    """Label the clips of one fold; calibration and thresholds come from the others."""
    others = np.flatnonzero(prepared.folds != fold)
    calibration = []
    for index in others:
        other = int(prepared.folds[index])
        inner = fits[min(fold, other), max(fold, other)]
        calibration.append(inner.hear(prepared.rows.of(prepared.originals[index])))
    model = finish_model(
        fits[(fold,)],
        calibration,
        prepared.truth[others],
        group_balance([prepared.corpus.clips[index].group for index in others]),
        prepared.corpus.labels,
        spec,
    )
    labelled = []
    for index in np.flatnonzero(prepared.folds == fold):
        heard = fits[(fold,)].hear(prepared.rows.of(prepared.originals[index]))
        seconds = float(heard.intervals[-1, 1])
        path = prepared.corpus.clips[index].path
        result = summarise(path, heard, model, duration=seconds, decoded=seconds)
        labelled.append((int(index), result, heard))
    return labelled


def _measures(corpus: Corpus, results: tuple[FileResult, ...], *, by_group: bool) -> Measures:
    triggers = [label for label in corpus.labels if any(label in c.triggers for c in corpus.clips)]
    groups = [clip.group for clip in corpus.clips]
    weights = group_balance(groups) if by_group else np.ones(len(groups))
    scores = np.array([[r.scores.get(label, 0.0) for label in triggers] for r in results])
    return measure(
        [clip.triggers for clip in corpus.clips],
        [result.trigger for result in results],
        scores,
        triggers,
        weights,
    )


def train(
    prepared: Prepared,
    evaluation: Evaluation,
    spec: TrainingSpec,
) -> Model:
    """Fit the model to ship on all clips; calibrate it on what cross-validation heard.

    Parameters
    ----------
    prepared : Prepared
    evaluation : Evaluation
        Of the same corpus and settings.
    spec : TrainingSpec

    Returns
    -------
    Model
    """
    everything = np.ones(len(prepared.folds), dtype=bool)
    fitted = fit_networks(prepared.rows, prepared.corpus, everything, spec)
    return finish_model(
        fitted,
        evaluation.heard,
        prepared.truth,
        group_balance([clip.group for clip in prepared.corpus.clips]),
        prepared.corpus.labels,
        spec,
    )
