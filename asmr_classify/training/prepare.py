"""A corpus made ready to learn from: its folds, its rows, and what a teacher says of its sound."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from asmr_classify.config import WindowSpec
from asmr_classify.errors import UsageError
from asmr_classify.features.encoder import PATCH_SECONDS, suits
from asmr_classify.training.calibration import Truth
from asmr_classify.training.checkpoints import Checkpoints
from asmr_classify.training.fit import group_weights
from asmr_classify.training.kinds import kind_targets
from asmr_classify.training.patches import read_patches
from asmr_classify.training.splits import assign_folds, check_folds, folds_of_sounds
from asmr_classify.training.student import Lecture, found_school, make_lessons
from asmr_classify.training.takes import (
    SAVED,
    Take,
    TakeKind,
    clip_targets,
    compute_rows,
    plan_takes,
)
from asmr_classify.training.teacher import ask_teacher

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from asmr_classify.training.corpus import Corpus
    from asmr_classify.training.patches import Patches
    from asmr_classify.training.spec import TrainingSpec
    from asmr_classify.training.student import Lessons, School
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
