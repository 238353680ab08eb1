"""Predictions for clips whose groups were never heard, and the figures they give.

For each fold, an ensemble is fitted on the others, and hears its clips. Calibration and
thresholds of a fold are then chosen on what was heard in the other folds, so that no clip has a
say in the scores and tags that it gets itself (cross-fitting). What was heard there comes from
fits that did include the fold; fitting anew without both folds costs three times as much and
calibrates worse, because fewer sources are left to learn from.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from asmr_classify.aggregate import summarise
from asmr_classify.config import SCORE_DIGITS
from asmr_classify.estimators import Ensemble
from asmr_classify.evidence import Heard
from asmr_classify.features.windows import concatenate_rows, window_rows
from asmr_classify.threads import one_thread
from asmr_classify.training.calibration import Weighed, finish_model
from asmr_classify.training.corrections import relabelled
from asmr_classify.training.embedding import fit_embedding
from asmr_classify.training.encoder import Coder, fit_encoder
from asmr_classify.training.fit import fit_ensemble
from asmr_classify.training.kinds import judge_kinds, kinds_in_order
from asmr_classify.training.metrics import Measures, group_balance, measure
from asmr_classify.training.parallel import iter_results
from asmr_classify.training.splits import check_folds
from asmr_classify.training.takes import clip_sound

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from asmr_classify.aggregate import FileResult
    from asmr_classify.config import FeatureSpec
    from asmr_classify.features.encoder import Encoder
    from asmr_classify.features.windows import WindowRows
    from asmr_classify.model import Model
    from asmr_classify.training.corpus import Clip, Corpus
    from asmr_classify.training.kinds import KindFigures
    from asmr_classify.training.prepare import Prepared, Progress
    from asmr_classify.training.spec import TrainingSpec

CLIPS_AT_ONCE = 64
"""That one process encodes: an encoder is a megabyte to hand over."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Results for clips never heard, and their figures.

    Parameters
    ----------
    results : tuple of FileResult, one per clip
    by_clip, by_group : Measures
    corrected : Measures or None
        By clip, as it would be with the corrected labels; None where nothing is corrected.
    heard : tuple of Heard, one per clip
        Logits of networks that were fitted without the clip's fold.
    models : tuple of Model, one per fold
        Which labelled that fold, and never heard it; one alone where a model is judged as it is.
    thresholds : mapping of str to float
        Mean over the models of the folds.
    kinds : tuple of KindFigures
    whole : Ensemble or None
        Fitted on all clips beside the others, if that was asked for.
    """

    results: tuple[FileResult, ...]
    by_clip: Measures
    by_group: Measures
    corrected: Measures | None
    heard: tuple[Heard, ...]
    models: tuple[Model, ...]
    thresholds: Mapping[str, float]
    kinds: tuple[KindFigures, ...] = ()
    whole: Ensemble | None = None


def evaluate(
    prepared: Prepared,
    spec: TrainingSpec,
    *,
    whole: bool = False,
    jobs: int = -1,
    on_progress: Progress | None = None,
) -> Evaluation:
    """Label every clip with a model that never saw its fold.

    Parameters
    ----------
    prepared : Prepared
    spec : TrainingSpec
    whole : bool
        Whether to fit on all clips as well, side by side with the folds: :func:`train` takes that.
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
    check_folds(prepared.folds)
    fits = fit_folds(prepared, spec, whole=whole, jobs=jobs, on_progress=on_progress)
    of_all = fits.pop() if whole else None
    return replace(conclude(prepared, fits, spec, jobs=jobs), whole=of_all)


def conclude(
    prepared: Prepared, fits: Sequence[Ensemble], spec: TrainingSpec, *, jobs: int = -1
) -> Evaluation:
    """Let each fold be heard by the networks that were fitted without it, and measure.

    Parameters
    ----------
    prepared : Prepared
    fits : sequence of Ensemble, one per fold
    spec : TrainingSpec
    jobs : int
        Processes; -1 for one per core.

    Returns
    -------
    Evaluation
    """
    heard = hear_clips(prepared, fits, spec, jobs=jobs)
    weighed = Weighed.of_heard(heard, spec.decision, len(prepared.corpus.labels))
    models = tuple(
        _model_of_fold(prepared, fold, fits[fold], weighed, spec) for fold in range(len(fits))
    )
    results = tuple(
        _label(clip.path, sound, models[fold], prepared.corpus)
        for clip, sound, fold in zip(prepared.corpus.clips, heard, prepared.folds, strict=True)
    )
    return Evaluation(
        results,
        measure_results(prepared.corpus, results, by_group=False),
        measure_results(prepared.corpus, results, by_group=True),
        _corrected_measures(prepared.corpus, results),
        heard,
        models,
        {
            label: float(np.mean([model.thresholds[label] for model in models]))
            for label in prepared.corpus.labels
        },
        judge_kinds(
            prepared.corpus,
            weighed.evidence[:, len(prepared.corpus.labels) :],
            weighed.audible,
            spec.kinds.least_precision,
        ),
    )


def fit_folds(
    prepared: Prepared,
    spec: TrainingSpec,
    *,
    whole: bool = False,
    jobs: int = -1,
    on_progress: Progress | None = None,
) -> list[Ensemble]:
    """Fit ensembles without each of the folds, side by side.

    Parameters
    ----------
    prepared : Prepared
    spec : TrainingSpec
    whole : bool
        Whether to fit one on all clips, too.
    jobs : int
        Processes; -1 for one per core.
    on_progress : callable, optional

    Returns
    -------
    list of Ensemble, one per fold
        And behind them the one on all clips.
    """
    from joblib import delayed

    left_out = [frozenset({fold}) for fold in range(int(prepared.folds.max()) + 1)]
    if whole:
        left_out.append(frozenset())
    fits = []
    for fitted in iter_results((delayed(_fit)(prepared, spec, out) for out in left_out), jobs=jobs):
        fits.append(fitted)
        if on_progress is not None:
            on_progress("fits", len(fits), len(left_out))
    return fits


def _fit(prepared: Prepared, spec: TrainingSpec, left_out: frozenset[int]) -> Ensemble:
    """Fit all members on all other folds, or take what was fitted before an interruption."""
    inside = ~np.isin(prepared.folds, list(left_out))
    of = (prepared.rows, prepared.corpus, inside, spec, prepared.school, left_out)
    settings = (spec.fit, spec.student, spec.kinds, spec.decision)
    fitted = prepared.checkpoints.fitted
    ensemble = fitted(Ensemble, partial(fit_ensemble, *of), sorted(left_out), *settings)
    if prepared.patches is None:
        return ensemble
    seed = spec.fit.seed
    fit = partial(fit_encoder, prepared.patches, left_out, spec.encoder, seed=seed)
    of_weights = spec.fit.group_power
    coder = fitted(
        Coder, fit, sorted(left_out), spec.encoder, seed, of_weights, prepared.patches.opinions
    )
    return replace(
        ensemble,
        encoder=coder.encoder,
        coded=coder.coded,
        coded_kinds=coder.coded_kinds if prepared.corpus.kinds else None,
    )


def hear_clips(
    prepared: Prepared, fits: Sequence[Ensemble], spec: TrainingSpec, *, jobs: int = -1
) -> tuple[Heard, ...]:
    """Let each clip be heard by the networks that were fitted without its fold.

    Parameters
    ----------
    prepared : Prepared
    fits : sequence of Ensemble, one per fold
    spec : TrainingSpec
    jobs : int
        Processes; -1 for one per core.

    Returns
    -------
    tuple of Heard, one per clip
    """
    encoders = [fit.encoder for fit in fits]
    heard = []
    for k, rows in enumerate(clip_rows(prepared, encoders, prepared.folds, spec, jobs=jobs)):
        heard.append(Heard.of(rows, fits[prepared.folds[k]].predict_logits(rows.X)))
    return tuple(heard)


def clip_rows(
    prepared: Prepared,
    encoders: Sequence[Encoder | None],
    which: NDArray[np.int64],
    spec: TrainingSpec,
    *,
    jobs: int = -1,
) -> Iterator[WindowRows]:
    """Compute the rows of each clip, with the columns of one of some encoders, if there are any.

    Parameters
    ----------
    prepared : Prepared
    encoders : sequence of (Encoder or None)
    which : ndarray of int64, shape (n_clips,)
        Of the encoders, that of each clip.
    spec : TrainingSpec
    jobs : int
        Processes; -1 for one per core.

    Yields
    ------
    WindowRows
        Of each clip.
    """
    codes: dict[int, NDArray[np.float32]] = {}
    for k, encoder in enumerate(encoders):
        if encoder is not None:
            few = np.flatnonzero(which == k)
            clips = [prepared.corpus.clips[clip] for clip in few]
            told = clip_codes(clips, encoder, spec.takes.features, jobs=jobs)
            codes |= zip(few.tolist(), told, strict=True)
    for k, original in enumerate(prepared.originals):
        rows = prepared.rows.of(original)
        yield replace(rows, X=np.concatenate([rows.X, codes[k]], axis=1)) if k in codes else rows


def clip_codes(
    clips: Sequence[Clip], encoder: Encoder, features: FeatureSpec, *, jobs: int = -1
) -> Iterator[NDArray[np.float32]]:
    """Compute the columns that an encoder gives of the windows of clips.

    Parameters
    ----------
    clips : sequence of Clip
    encoder : Encoder
    features : FeatureSpec
    jobs : int
        Processes; -1 for one per core.

    Yields
    ------
    ndarray of float32, shape (n_windows, n_codes)
        Of each clip.
    """
    from joblib import delayed

    parts = [clips[first : first + CLIPS_AT_ONCE] for first in range(0, len(clips), CLIPS_AT_ONCE)]
    for told in iter_results((delayed(_codes)(x, encoder, features) for x in parts), jobs=jobs):
        yield from told


def _codes(
    clips: Sequence[Clip], encoder: Encoder, features: FeatureSpec
) -> list[NDArray[np.float32]]:
    with one_thread():
        every = (window_rows(clip_sound(c, features.frames.sr), features, encoder) for c in clips)
        return [rows.X[:, -encoder.width :] for rows in every]


def _model_of_fold(
    prepared: Prepared,
    fold: int,
    ensemble: Ensemble,
    weighed: Weighed,
    spec: TrainingSpec,
) -> Model:
    """Put together the model that labels a fold; calibration and thresholds are of the others."""
    others = np.flatnonzero(prepared.folds != fold)
    return finish_model(
        ensemble,
        weighed.of(others),
        prepared.truth.of(others),
        group_balance([prepared.corpus.clips[index].group for index in others]),
        prepared.corpus,
        spec,
    )


def _label(path: str, heard: Heard, model: Model, corpus: Corpus) -> FileResult:
    n_labels, seconds = len(corpus.labels), float(heard.intervals[-1, 1])
    of_kinds = [n_labels + k for k in kinds_in_order(corpus, model.kinds)]
    told = heard.only([*range(n_labels), *of_kinds])
    return summarise(path, told, model, duration=seconds, decoded=seconds)


def measure_results(corpus: Corpus, results: Sequence[FileResult], *, by_group: bool) -> Measures:
    """Measure what the clips of a corpus got, in their order."""
    return _measure(
        corpus, results, [clip.triggers for clip in corpus.clips], range(len(results)), by_group
    )


def _corrected_measures(corpus: Corpus, results: tuple[FileResult, ...]) -> Measures | None:
    if all(clip.fit_labels is None for clip in corpus.clips):
        return None
    kept, triggers = relabelled(corpus)
    return _measure(corpus, results, triggers, kept, by_group=False)


def _measure(
    corpus: Corpus,
    results: Sequence[FileResult],
    truth: Sequence[tuple[str, ...]],
    kept: Sequence[int],
    by_group: bool,  # noqa: FBT001 (private)
) -> Measures:
    """Measure the clips that are kept, of which the truth is given."""
    triggers = corpus.triggers
    groups = [corpus.clips[k].group for k in kept]
    weights = group_balance(groups) if by_group else np.ones(len(groups))
    # Of scores as they are written: who reads them back gets the same figures.
    scores = [
        [round(results[k].scores.get(label, 0.0), SCORE_DIGITS) for label in triggers] for k in kept
    ]
    return measure(
        list(truth), [results[k].trigger for k in kept], np.array(scores), triggers, weights
    )


def train(
    prepared: Prepared, evaluation: Evaluation, spec: TrainingSpec, *, jobs: int = -1
) -> Model:
    """Fit the model to ship on all clips; calibrate it on what cross-validation heard.

    Parameters
    ----------
    prepared : Prepared
    evaluation : Evaluation
        Of the same corpus and settings.
    spec : TrainingSpec
    jobs : int
        Processes; -1 for one per core.

    Returns
    -------
    Model
    """
    ensemble = evaluation.whole
    if ensemble is None:
        ensemble = _fit(prepared, spec, frozenset())
    return conclude_model(prepared, evaluation, ensemble, spec, jobs=jobs)


def conclude_model(
    prepared: Prepared,
    evaluation: Evaluation,
    ensemble: Ensemble,
    spec: TrainingSpec,
    *,
    jobs: int = -1,
) -> Model:
    """Calibrate what was fitted on all clips by what cross-validation heard."""
    everything = np.zeros(len(prepared.folds), dtype=np.int64)
    of_clips = list(clip_rows(prepared, [ensemble.encoder], everything, spec, jobs=jobs))
    rows = concatenate_rows(of_clips)
    heard = rows.levels_db >= spec.decision.silence_dbfs
    of_row = np.repeat(np.arange(len(of_clips)), [len(one.X) for one in of_clips])
    clips = [prepared.corpus.clips[k] for k in of_row[heard]]
    embedding = fit_embedding(
        ensemble, rows.X[heard], [clip.label for clip in clips], [clip.group for clip in clips]
    )
    return finish_model(
        replace(ensemble, embedding=embedding),
        Weighed.of_heard(evaluation.heard, spec.decision, len(prepared.corpus.labels)),
        prepared.truth,
        group_balance([clip.group for clip in prepared.corpus.clips]),
        prepared.corpus,
        spec,
    )
