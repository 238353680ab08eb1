"""Predictions for clips whose groups were never heard, and the figures they give.

For each fold, an ensemble is fitted on the others, and hears its clips. Calibration and
thresholds of a fold are then chosen on what was heard in the other folds, so that no clip has a
say in the scores and tags that it gets itself (cross-fitting). What was heard there comes from
fits that did include the fold; fitting anew without both folds costs three times as much and
calibrates worse, because fewer sources are left to learn from.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from asmr_classify.aggregate import summarise
from asmr_classify.config import SCORE_DIGITS, WindowSpec
from asmr_classify.errors import CorpusError, UsageError
from asmr_classify.estimators import Ensemble
from asmr_classify.evidence import Heard
from asmr_classify.features.encoder import PATCH_SECONDS, suits
from asmr_classify.features.windows import concatenate_rows, window_rows
from asmr_classify.threads import one_thread
from asmr_classify.training.calibration import Truth, Weighed, finish_model
from asmr_classify.training.checkpoints import Checkpoints
from asmr_classify.training.corrections import relabelled
from asmr_classify.training.embedding import fit_embedding
from asmr_classify.training.encoder import Coder, fit_encoder
from asmr_classify.training.fit import fit_ensemble, group_weights
from asmr_classify.training.kinds import judge_kinds, kind_targets, kinds_in_order
from asmr_classify.training.metrics import Measures, group_balance, measure
from asmr_classify.training.parallel import iter_results
from asmr_classify.training.patches import read_patches
from asmr_classify.training.splits import assign_folds, folds_of_sounds
from asmr_classify.training.student import Lecture, found_school, make_lessons
from asmr_classify.training.takes import (
    SAVED,
    Take,
    TakeKind,
    clip_sound,
    clip_targets,
    compute_rows,
    plan_takes,
)
from asmr_classify.training.teacher import ask_teacher

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from asmr_classify.aggregate import FileResult
    from asmr_classify.config import FeatureSpec
    from asmr_classify.features.encoder import Encoder
    from asmr_classify.features.windows import WindowRows
    from asmr_classify.model import Model
    from asmr_classify.training.corpus import Clip, Corpus
    from asmr_classify.training.kinds import KindFigures
    from asmr_classify.training.patches import Patches
    from asmr_classify.training.spec import TrainingSpec
    from asmr_classify.training.student import Lessons, School
    from asmr_classify.training.takes import TakeRows

    Progress = Callable[[str, int, int], None]


CLIPS_AT_ONCE = 64
"""That one process encodes: an encoder is a megabyte to hand over."""


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
    school : School or None
        Students of a teacher, if there is one.
    patches : Patches or None
        What encoders learn from, if there is a teacher.
    checkpoints : Checkpoints
        Fits that are done.
    """

    corpus: Corpus
    folds: NDArray[np.int64]
    rows: TakeRows
    originals: NDArray[np.int64]
    school: School | None = None
    patches: Patches | None = None
    checkpoints: Checkpoints = field(default_factory=Checkpoints)

    @property
    def truth(self) -> Truth:
        """What each clip holds."""
        return Truth(clip_targets(self.corpus), kind_targets(self.corpus))


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


def prepare(  # noqa: PLR0913 (options by name)
    corpus: Corpus,
    spec: TrainingSpec,
    *,
    teacher: Path | None = None,
    cache: Path | None = None,
    cache_needed: bool = True,
    jobs: int = -1,
    on_progress: Progress | None = None,
) -> Prepared:
    """Assign folds, compute the rows of a corpus, and make ready what a teacher teaches.

    Parameters
    ----------
    corpus : Corpus
    spec : TrainingSpec
    teacher : path, optional
        A network of which students and encoders are to learn, see
        :mod:`asmr_classify.training.teacher`.
    cache : path, optional
        Folder that keeps rows from run to run, and fits until the model is written.
    cache_needed : bool
        Whether it is an error if that cannot be written; else nothing is kept.
    jobs : int
    on_progress : callable, optional
        Called with a phase, the steps done and their total.

    Returns
    -------
    Prepared

    Raises
    ------
    CorpusError
        If folds share a group, a clip cannot be decoded, or there are fewer than three folds for
        students to leave out.
    OutputError
        If the cache is needed and cannot be written.
    UsageError, MissingExtraError
        If the teacher cannot teach.
    """
    folds = assign_folds(corpus, seed=spec.takes.seed)
    takes = plan_takes(corpus, folds, spec.takes)

    report = _phases(on_progress)

    kept: dict[str, Any] = {"cache": cache, "cache_needed": cache_needed, "jobs": jobs}
    rows = compute_rows(corpus, takes, spec.takes, **kept, on_progress=report("features"))
    originals = np.array([k for k, take in enumerate(takes) if take.kind is TakeKind.ORIGINAL])
    heard = [getattr(rows.rows, name) for name in SAVED]
    decided_by = [corpus, takes, folds, rows.offsets, rows.targets, *heard]
    checkpoints = partial(Checkpoints.of, cache, needed=cache_needed)
    prepared = Prepared(corpus, folds, rows, originals)
    if teacher is None:
        return replace(prepared, checkpoints=checkpoints(decided_by=decided_by))
    check_folds(folds)
    if not suits(spec.takes.features):
        raise UsageError("these features have no whole seconds in their windows to encode")
    lessons = read_lessons(prepared, spec, teacher, **kept, on_progress=on_progress)
    fits = checkpoints(decided_by=[*decided_by, lessons.X, lessons.targets, lessons.folds])
    school = found_school(
        rows, folds, lessons, spec, checkpoints=fits, jobs=jobs, on_progress=report("students")
    )
    patches = _read_patches(prepared, spec, teacher, **kept, on_progress=on_progress)
    return replace(prepared, school=school, patches=patches, checkpoints=fits)


def _phases(on_progress: Progress | None) -> Callable[[str], Callable[[int, int], None]]:
    """Make, for each phase, what it tells of its progress."""

    def of_phase(phase: str) -> Callable[[int, int], None]:
        return lambda done, total: on_progress and on_progress(phase, done, total)

    return of_phase


def read_lessons(  # noqa: PLR0913 (options by name)
    prepared: Prepared,
    spec: TrainingSpec,
    teacher: Path,
    *,
    cache: Path | None = None,
    cache_needed: bool = True,
    jobs: int = -1,
    on_progress: Progress | None = None,
) -> Lessons:
    """Ask a teacher about all sound of a corpus, and turn what it says to lessons.

    Parameters
    ----------
    prepared : Prepared
    spec : TrainingSpec
    teacher : path
    cache, cache_needed, jobs, on_progress
        As :func:`prepare` takes them, and raising what it raises.

    Returns
    -------
    Lessons
        Of the takes of clips in their order, then of sound without labels.
    """
    corpus, folds = prepared.corpus, prepared.folds
    kept: dict[str, Any] = {"cache": cache, "cache_needed": cache_needed, "jobs": jobs}

    report = _phases(on_progress)

    opinions = ask_teacher(
        (*corpus.clips, *corpus.sounds),
        teacher,
        spec.takes.features.windows,
        **kept,
        on_progress=report("teacher"),
    )
    of_clips, of_others = opinions[: len(folds)], opinions[len(folds) :]
    lectures = [Lecture(prepared.rows, folds, of_clips)]
    if corpus.sounds:
        plan = [Take(TakeKind.ORIGINAL, (index,)) for index in range(len(corpus.sounds))]
        unlabelled = replace(corpus, clips=corpus.sounds)
        sounds = compute_rows(unlabelled, plan, spec.takes, **kept, on_progress=report("sounds"))
        lectures.append(Lecture(sounds, folds_of_sounds(corpus, folds), of_others))
    return make_lessons(lectures, spec)


def _read_patches(
    prepared: Prepared,
    spec: TrainingSpec,
    teacher: Path,
    *,
    on_progress: Progress | None,
    **kept: Any,
) -> Patches:
    """Cut all sound of a corpus into seconds, and ask a teacher about each."""
    corpus, folds = prepared.corpus, prepared.folds
    report = _phases(on_progress)
    seconds = WindowSpec(duration=PATCH_SECONDS, hop=spec.encoder.step)
    every = (*corpus.clips, *corpus.sounds)
    opinions = ask_teacher(every, teacher, seconds, **kept, on_progress=report("teacher"))
    return read_patches(
        corpus,
        np.concatenate([folds, folds_of_sounds(corpus, folds)]),
        opinions,
        group_weights(corpus, np.ones(len(folds), dtype=bool), spec.fit.group_power),
        spec.takes.features.frames,
        step=spec.encoder.step,
        hints=spec.encoder.hints,
        jobs=kept["jobs"],
        on_progress=report("seconds"),
    )


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


def check_folds(folds: NDArray[np.int64]) -> None:
    """Check that there are enough folds for figures.

    Raises
    ------
    CorpusError
        If there are fewer than three.
    """
    n_folds = int(folds.max()) + 1
    if n_folds < 3:
        raise CorpusError(
            f"{n_folds} folds: figures need at least three, so that calibration and thresholds "
            "come from clips that neither fit nor figure uses; add recordings of more groups, "
            "three of a label or more"
        )


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
