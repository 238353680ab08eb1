"""What a student of a pretrained network brings, by its size and by how much sound it learns from.

Needs the shared corpus, a teacher beside it (``teacher/*.tflite``), and may use further sound: a
folder named by ``ASMR_SOUNDS``.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from asmr_classify.training.calibration import Weighed
from asmr_classify.training.corpus import read_corpus
from asmr_classify.training.evaluate import fit_folds, hear_clips
from asmr_classify.training.layouts import with_sounds
from asmr_classify.training.metrics import average_precision
from asmr_classify.training.prepare import Prepared, prepare, read_lessons
from asmr_classify.training.spec import FitSpec, StudentSpec, TrainingSpec
from asmr_classify.training.student import Lessons, found_school
from asmr_classify.training.takes import OF_CLIPS, TakeSpec
from tests.benchmarks.report import Table
from tests.conftest import shared_folder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from asmr_classify.evidence import Heard
    from asmr_classify.training.corpus import Corpus
    from asmr_classify.training.student import School

ABOUT = """\
Mean average precision over the four triggers, by clip, of clips of makers never heard, with hints
of a student and without: one network of the shipped model's size a fold, fitted on clips and one
changed copy of each; mean and standard deviation over seeds, of student and network. "Explained" is
the share of the variance of the teacher's opinions, in its principal components, that the student's
hints explain in folds that it never heard. "Seconds" are those of sound that it learns from. An
encoder, scenes and more networks come on top in the model that ships.

The last two rows are no students. One network gets what the teacher itself says in place of hints,
which is what a perfect student would bring, and the other gets nothing but that: the teacher with a
trained head, as one would use it without this package."""

SEEDS = (0, 1, 2)
LONG = 1.5
"""Seconds from which on clips are no one-shots."""

SPEC = TrainingSpec(
    takes=TakeSpec(copies=1, steady_copies=1, scenes=0, noises=0),
    fit=FitSpec(members=1, scene_shares=(1.0,), tree_rounds=0),
)


@dataclass(frozen=True, slots=True)
class Config:
    """A student to try.

    Parameters
    ----------
    name : str
    hidden : tuple of int or None
        Widths of its hidden layers; None for no student.
    share : float
        Of the groups whose sound it learns from.
    with_others : bool
        Whether it learns from sound without labels, too.
    asked : bool
        Whether the teacher itself gives the hints.
    alone : bool
        Whether there is nothing but its hints.
    """

    name: str
    hidden: tuple[int, ...] | None
    share: float = 1.0
    with_others: bool = True
    asked: bool = False
    alone: bool = False


SHIPPED = StudentSpec().hidden
CONFIGS = (
    Config("no student", None),
    Config("as shipped, of a quarter of the makers", SHIPPED, 0.25, with_others=False),
    Config("as shipped, of half of the makers", SHIPPED, 0.5, with_others=False),
    Config("as shipped, without other sound", SHIPPED, with_others=False),
    Config("of one layer of 256", (256,)),
    Config("of one layer of 1024", (1024,)),
    Config("as shipped", SHIPPED),
    Config("the teacher itself", None, asked=True),
    Config("the teacher alone", None, asked=True, alone=True),
)


def run() -> Table:
    """Compare students on the shared corpus."""
    shared = shared_folder()
    corpus = read_corpus(shared / "corpus" / "manifest.csv")
    sounds = os.environ.get("ASMR_SOUNDS")
    if sounds:
        corpus = with_sounds(corpus, [Path(sounds)])
    (teacher,) = (shared / "teacher").glob("*.tflite")
    return compare(corpus, teacher, CONFIGS, SEEDS)


def compare(
    corpus: Corpus,
    teacher: Path,
    configs: Sequence[Config],
    seeds: Sequence[int],
    spec: TrainingSpec = SPEC,
    *,
    jobs: int = -1,
) -> Table:
    """Fit each student and the networks that take its hints, with each seed."""
    prepared = prepare(corpus, spec, jobs=jobs)
    lessons = read_lessons(prepared, spec, teacher, jobs=jobs)
    rows = [_row(prepared, lessons, config, seeds, spec, jobs) for config in configs]
    head = ["student", "seconds", "explained", "mean AP", "of clips of 1.5 s and more"]
    return Table("student", ABOUT, head, rows)


def _row(
    prepared: Prepared,
    lessons: Lessons,
    config: Config,
    seeds: Sequence[int],
    spec: TrainingSpec,
    jobs: int,
) -> list[object]:
    explained, figures, n_seconds = [], [], 0
    if config.asked:
        prepared = with_opinions(prepared, lessons, spec, alone=config.alone)
    for seed in seeds:
        seeded = replace(spec, fit=replace(spec.fit, seed=seed))
        school = None
        if config.hidden is not None:
            seeded = replace(seeded, student=replace(spec.student, hidden=config.hidden))
            groups = groups_of(prepared, lessons, spec)
            few = thinned(lessons, groups, config.share, with_others=config.with_others, seed=seed)
            school = found_school(prepared.rows, prepared.folds, few, seeded, jobs=jobs)
            explained.append(explained_variance(lessons, school))
            n_seconds = len(few.X)
        taught = replace(prepared, school=school)
        heard = hear_clips(taught, fit_folds(taught, seeded, jobs=jobs), seeded, jobs=jobs)
        figures.append(precisions(taught, heard, seeded))
    whole, long = (f"{np.mean(x):.3f} ± {np.std(x):.3f}" for x in zip(*figures, strict=True))
    told = f"{np.mean(explained):.3f}" if explained else ""
    return [config.name, n_seconds or "", told, whole, long]


def groups_of(prepared: Prepared, lessons: Lessons, spec: TrainingSpec) -> NDArray[np.str_]:
    """Tell the group of each lesson; empty for sound without labels."""
    groups = []
    for index, take in enumerate(prepared.rows.takes):
        if take.kind in OF_CLIPS:
            audible = prepared.rows.of(index).levels_db >= spec.decision.silence_dbfs
            groups += [prepared.corpus.clips[take.clips[0]].group] * int(audible.sum())
    return np.array(groups + [""] * (len(lessons.X) - len(groups)))


def thinned(
    lessons: Lessons, groups: NDArray[np.str_], share: float, *, with_others: bool, seed: int
) -> Lessons:
    """Keep the lessons of a share of the groups, and of sound without labels only if asked for."""
    rng = np.random.default_rng(seed)
    names = np.unique(groups[groups != ""])
    kept = np.isin(groups, names[rng.permutation(len(names)) < share * len(names)])
    kept |= with_others & (groups == "")
    return Lessons(lessons.X[kept], lessons.targets[kept], lessons.folds[kept])


def with_opinions(
    prepared: Prepared, lessons: Lessons, spec: TrainingSpec, *, alone: bool
) -> Prepared:
    """Give the rows of clips what the teacher says of them as columns, further ones or the only."""
    rows = prepared.rows
    of_clips = np.array([take.kind in OF_CLIPS for take in rows.takes])
    kept = of_clips[rows.take_of_row()]
    audible = rows.rows.levels_db[kept] >= spec.decision.silence_dbfs
    told = np.zeros((len(audible), lessons.targets.shape[1]), dtype=np.float32)
    told[audible] = lessons.targets[: int(audible.sum())]
    windows = rows.rows.where(kept)
    X = told if alone else np.concatenate([windows.X, told], axis=1)
    counts = np.diff(rows.offsets)[of_clips]
    few = replace(
        rows,
        takes=tuple(take for take, kept in zip(rows.takes, of_clips, strict=True) if kept),
        offsets=np.concatenate([[0], np.cumsum(counts)]),
        rows=replace(windows, X=X),
        targets=rows.targets[kept],
    )
    return replace(prepared, rows=few, originals=(np.cumsum(of_clips) - 1)[prepared.originals])


def explained_variance(lessons: Lessons, school: School) -> float:
    """Compute the share of the variance of targets that hints explain, each at its best scale."""
    explained = total = 0.0
    for fold in range(int(lessons.folds.max()) + 1):
        inside = lessons.folds == fold
        targets = lessons.targets[inside] - lessons.targets[inside].mean(axis=0)
        hints = school.students[frozenset({fold})].hints(lessons.X[inside])
        hints = hints - hints.mean(axis=0)
        both = (hints * targets).sum(axis=0)
        explained += float((both**2 / np.maximum((hints**2).sum(axis=0), 1e-9)).sum())
        total += float((targets**2).sum())
    return explained / total


def precisions(
    prepared: Prepared, heard: Sequence[Heard], spec: TrainingSpec
) -> tuple[float, float]:
    """Compute mean average precision of all clips, and of those that are no one-shots."""
    scores = Weighed.of_heard(heard, spec.decision, len(prepared.corpus.labels)).evidence
    long = np.array([each.intervals[-1, 1] for each in heard]) >= LONG
    truth = prepared.truth
    everything = np.ones(len(heard), dtype=bool)

    def mean(kept: NDArray[np.bool_]) -> float:
        triggers = [prepared.corpus.labels.index(name) for name in prepared.corpus.triggers]
        return float(
            np.mean(
                [
                    average_precision(
                        truth.labels[kept, k] > 0,
                        scores[kept, k].astype(np.float64),
                        np.ones(int(kept.sum())),
                    )
                    for k in triggers
                ]
            )
        )

    return mean(everything), mean(long)
