"""Students: networks that learn from the package's own columns what a teacher says of a sound.

What a student says are further columns, *hints*, for the networks and trees that tell labels. It
learns from all sound there is, whether anybody labelled it or not. Of clips that it was fitted on
it says too nearly what the teacher says, more than it can of any new sound; who learns from such
hints trusts them too much. So hints of the clips to fit on come from students that heard nothing
of their fold (cross-fitting), and there are several students: one without each two folds, one
without each, and one that heard all. To tell the teacher's opinions in few numbers, the principal
components of them are taken over all clips, which looks neither at labels nor at columns; and all
hints are scaled by how far those of the student that heard all are spread.

References
----------
.. [1] Hinton, Vinyals and Dean (2015). Distilling the knowledge in a neural network.
.. [2] Wolpert (1992). Stacked generalization. Neural Networks 5(2).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from asmr_classify.errors import CorpusError
from asmr_classify.estimators import Ensemble, Network, standardise
from asmr_classify.training.checkpoints import Checkpoints
from asmr_classify.training.networks import fit_network
from asmr_classify.training.parallel import iter_results
from asmr_classify.training.takes import OF_CLIPS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from asmr_classify.training.spec import TrainingSpec
    from asmr_classify.training.takes import TakeRows

    Array = NDArray[np.float32]
    Folds = frozenset[int]


LEAST_VARIANCE = 1e-6
"""Of the largest component; what is smaller is rounding."""

LEAST_SPREAD = 1e-3
"""Hints that hardly differ are not blown up to look as if they did."""


@dataclass(frozen=True, slots=True, eq=False)
class Student:
    """A fitted student.

    Parameters
    ----------
    mean, scale : ndarray of float32, shape (n_features,)
        Standardisation of its rows.
    network : Network
        Of standardised rows.
    """

    mean: Array
    scale: Array
    network: Network

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Name all arrays."""
        return Ensemble(self.mean, self.scale, (self.network,)).arrays()

    @classmethod
    def of_arrays(cls, named: Mapping[str, NDArray[Any]]) -> Student:
        """Put a student together again; KeyError if an array is missing."""
        whole = Ensemble.of_arrays(named)
        return cls(whole.mean, whole.scale, *whole.networks)

    def hints(self, X: Array) -> Array:
        """Say what the teacher might, shape (n_rows, n_hints)."""
        return self.network.predict_logits(standardise(X, self.mean, self.scale))

    def scaled(self, gain: Array) -> Student:
        """Let each hint be multiplied by its gain."""
        return replace(self, network=self.network.scaled(gain))


@dataclass(frozen=True, slots=True, eq=False)
class School:
    """Students by the folds that they heard nothing of.

    Parameters
    ----------
    folds : ndarray of int64, shape (n_takes,)
        Of each take.
    students : mapping of frozenset of int to Student
        Without no fold, each fold, and each two.
    """

    folds: NDArray[np.int64]
    students: Mapping[Folds, Student]

    def student(self, left_out: Folds) -> Student:
        """Get the student that heard all but some folds."""
        return self.students[left_out]

    def hints(self, rows: TakeRows, kept: NDArray[np.bool_], left_out: Folds) -> Array:
        """Give rows to fit on hints by students that heard neither their folds nor others.

        Parameters
        ----------
        rows : TakeRows
        kept : ndarray of bool, shape (n_rows,)
            Rows to fit on.
        left_out : frozenset of int
            Folds that the fit is to know nothing of: none, or one.

        Returns
        -------
        ndarray of float32, shape (n_kept, n_hints)
        """
        fold_of_row = self.folds[rows.take_of_row()][kept]
        X = rows.rows.X[kept]
        hints: Array | None = None
        for fold in np.unique(fold_of_row):
            inside = fold_of_row == fold
            told = self.students[left_out | {int(fold)}].hints(X[inside])
            if hints is None:
                hints = np.empty((len(X), told.shape[1]), dtype=np.float32)
            hints[inside] = told
        if hints is None:
            raise ValueError("no row to fit on")
        return hints


@dataclass(frozen=True, slots=True, eq=False)
class Lessons:
    """Rows to learn from, and what the teacher says of each.

    Parameters
    ----------
    X : ndarray of float32, shape (n_rows, n_features)
    targets : ndarray of float32, shape (n_rows, n_hints)
        In units of what all of them together deviate from their mean.
    folds : ndarray of int64, shape (n_rows,)
        -1 for sound that is in no fold.
    """

    X: Array
    targets: Array
    folds: NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Lecture:
    """Takes of clips, and the teacher's opinion of each clip.

    Parameters
    ----------
    rows : TakeRows
    folds : ndarray of int64, shape (n_clips,)
        -1 for a clip that is in no fold.
    opinions : sequence of ndarray of float32, each of shape (n_windows, n_classes)
        Of each clip, window by window.
    """

    rows: TakeRows
    folds: NDArray[np.int64]
    opinions: Sequence[Array]


def make_lessons(parts: Sequence[Lecture], spec: TrainingSpec) -> Lessons:
    """Turn the teacher's opinions of clips to what students are to say of rows.

    Of a copy, they are to say what the teacher says of the same place in the clip: copies may be a
    little longer or shorter. Silence teaches nothing but what axes opinions have.

    Parameters
    ----------
    parts : sequence of Lecture
    spec : TrainingSpec

    Returns
    -------
    Lessons
        Of all parts, end to end.
    """
    said = np.concatenate([opinion for part in parts for opinion in part.opinions])
    mean = said.mean(axis=0)
    covariance = np.cov((said - mean).T, dtype=np.float64)
    variances, axes = np.linalg.eigh(np.atleast_2d(covariance))
    known = variances[::-1] > LEAST_VARIANCE * max(variances[-1], 1e-9)
    axes = axes[:, ::-1][:, known][:, : spec.student.hints].astype(np.float32)
    axes /= np.float32(np.sqrt(variances.sum() / axes.shape[1]))
    X, targets, folds = [], [], []
    for part in parts:
        said_of = [(opinion - mean) @ axes for opinion in part.opinions]
        for index, take in enumerate(part.rows.takes):
            if take.kind not in OF_CLIPS:
                continue
            rows, (clip,) = part.rows.of(index), take.clips
            place = rows.intervals.mean(axis=1) / rows.intervals[-1, 1] * len(said_of[clip])
            told = said_of[clip][np.minimum(place.astype(int), len(said_of[clip]) - 1)]
            audible = rows.levels_db >= spec.decision.silence_dbfs
            X.append(rows.X[audible])
            targets.append(told[audible])
            folds.append(np.full(int(audible.sum()), part.folds[clip]))
    return Lessons(np.concatenate(X), np.concatenate(targets), np.concatenate(folds))


def found_school(  # noqa: PLR0913 (options by name)
    rows: TakeRows,
    folds: NDArray[np.int64],
    lessons: Lessons,
    spec: TrainingSpec,
    *,
    checkpoints: Checkpoints | None = None,
    jobs: int = -1,
    on_progress: Callable[[int, int], None] | None = None,
) -> School:
    """Fit all students that cross-validation and the model to ship need.

    Parameters
    ----------
    rows : TakeRows
        That are to get hints.
    folds : ndarray of int64, shape (n_clips,)
        Of their clips.
    lessons : Lessons
    spec : TrainingSpec
    checkpoints : Checkpoints, optional
        Where students are kept.
    jobs : int
        Processes; -1 for one per core.
    on_progress : callable, optional
        Called with the students fitted and their total.

    Returns
    -------
    School
    """
    from joblib import delayed

    numbers = range(int(folds.max()) + 1)
    left_out = [frozenset(few) for count in (0, 1, 2) for few in combinations(numbers, count)]
    fitted = (checkpoints or Checkpoints()).fitted
    tasks = (
        delayed(fitted)(
            Student,
            partial(fit_student, lessons, few, spec),
            sorted(few),
            spec.student,
            spec.fit.seed,
        )
        for few in left_out
    )
    students: dict[Folds, Student] = {}
    for few, student in zip(left_out, iter_results(tasks, jobs=jobs), strict=True):
        students[few] = student
        if on_progress is not None:
            on_progress(len(students), len(left_out))
    spread = np.maximum(students[frozenset()].hints(lessons.X).std(axis=0), LEAST_SPREAD)
    of_takes = np.array([folds[take.clips[0]] for take in rows.takes])
    return School(of_takes, {few: each.scaled(1 / spread) for few, each in students.items()})


def fit_student(lessons: Lessons, left_out: Folds, spec: TrainingSpec) -> Student:
    """Fit a student that hears nothing of some folds.

    Parameters
    ----------
    lessons : Lessons
    left_out : frozenset of int
    spec : TrainingSpec

    Returns
    -------
    Student

    Raises
    ------
    CorpusError
        If nothing is left to learn from.
    """
    inside = ~np.isin(lessons.folds, list(left_out))
    if not inside.any():
        raise CorpusError(
            f"no sound is left for a student without folds {', '.join(map(str, sorted(left_out)))}"
            ": all the rest is silent; add recordings"
        )
    X = lessons.X[inside]
    mean, scale = scaling(X)
    standard = standardise(X, mean, scale)
    targets = lessons.targets[inside]
    network = fit_network(standard, targets, None, spec.student, seed=spec.fit.seed)
    return Student(mean, scale, network)


def scaling(X: Array) -> tuple[Array, Array]:
    """Compute mean and deviation of columns, shape (n_features,) each."""
    mean = X.mean(axis=0, dtype=np.float64).astype(np.float32)
    scale = np.maximum(X.std(axis=0, dtype=np.float64), 1e-6).astype(np.float32)
    return mean, scale
