"""How few answers teach a label, in the order in which `review` asks and in any.

Needs the shared corpus and the teacher beside it (``teacher/*.tflite``). Finer labels are taken out
of the corpus that the model is fitted on, and out of what its students hear; each is then taught as
a label of somebody's own.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from asmr_classify.labels import TRIGGERS
from asmr_classify.training.answers import MOST_OTHERS, Examples, Said, hear
from asmr_classify.training.ask import next_to_ask
from asmr_classify.training.corpus import read_corpus
from asmr_classify.training.embedding import fit_embedding
from asmr_classify.training.evaluate import clip_codes, conclude, fit_folds
from asmr_classify.training.metrics import average_precision
from asmr_classify.training.prepare import prepare
from asmr_classify.training.spec import FitSpec, TrainingSpec
from asmr_classify.training.takes import Take, TakeKind, TakeSpec, compute_rows
from asmr_classify.training.teach import teach
from tests.benchmarks.report import Table
from tests.conftest import shared_folder

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from asmr_classify.model import Model
    from asmr_classify.training.corpus import Clip, Corpus
    from asmr_classify.training.prepare import Prepared
    from asmr_classify.training.takes import TakeRows

LABELS = tuple("chew brush typing footsteps pour page_turn write breath".split())
MARKS = (5, 10, 20, 40)
SEEDS = (0, 1, 2)
RANDOM, ORDER = "random", "review"

SHARE = 0.1
"""Of the stretches of a library that hold the label."""

LEAST_TESTED = 3
"""Clips of a fold that hold a label, for it to be tested there."""

N_TIMED = 200

ABOUT = f"""\
A label is taught to a model that never heard it, by answers about a library in which a share of
{SHARE:g} of the stretches hold it and whose makers are not those that it is tested on. The user
knows one stretch that holds it, which is the first answer. Average precision (AP) on makers never
answered, of all their clips, mean over folds and seeds, after so many answers, chosen at random and
in the order in which `review` asks once a label is named; and by all answers. Beside answers, up to
{MOST_OTHERS} stretches of the library of which nothing was said are heard, as `teach` hears them.
"Share" is AP by that of all answers; "needed" is how many answers in order bring what {MARKS[-1]}
at random do, by {MARKS[-1]}. "Triggers lost" is the mean AP of the four triggers on the same clips,
before less after. The model is of two networks, with copies and a student, without trees and
scenes: the one that ships is larger."""

SPEC = TrainingSpec(
    takes=TakeSpec(copies=1, steady_copies=1, scenes=0, noises=0),
    fit=FitSpec(members=2, scene_shares=(1.0,), tree_rounds=0),
)


@dataclass(frozen=True, slots=True, eq=False)
class Fold:
    """A model that never heard a fold, and where it puts all clips."""

    model: Model
    clips: Sequence[Clip]
    examples: Examples
    held_out: NDArray[np.bool_]

    def holds(self, label: str) -> NDArray[np.bool_]:
        """Tell which clips are of a finer label."""
        return np.array([clip.label == label for clip in self.clips])


def run() -> Table:
    """Teach each label to models of the shared corpus."""
    shared = shared_folder()
    corpus = read_corpus(shared / "corpus" / "manifest.csv")
    (teacher,) = (shared / "teacher").glob("*.tflite")
    return compare(corpus, teacher, LABELS, MARKS, SEEDS)


def compare(
    corpus: Corpus,
    teacher: Path | None,
    labels: Sequence[str],
    marks: Sequence[int],
    seeds: Sequence[int],
    spec: TrainingSpec = SPEC,
    *,
    jobs: int = -1,
) -> Table:
    """Teach each label in both orders, with each seed."""
    told = [clip for clip in corpus.clips if clip.label not in labels]
    own = [clip for clip in corpus.clips if clip.label in labels]
    prepared = prepare(replace(corpus, clips=tuple(told)), spec, teacher=teacher, jobs=jobs)
    plan = [Take(TakeKind.ORIGINAL, (k,)) for k in range(len(own))]
    rows = compute_rows(replace(corpus, clips=tuple(own)), plan, spec.takes, jobs=jobs)
    folds = make_folds(prepared, rows, own, spec, jobs)
    head = ["label", "order", *(f"AP of {mark}" for mark in marks), "of all"]
    head += [*(f"share at {mark}" for mark in marks), "needed", "triggers lost"]
    table, found = [], []
    for label in labels:
        tested_in = [x for x in folds if (x.holds(label) & x.held_out).sum() >= LEAST_TESTED]
        if not tested_in:
            continue
        curves = {
            order: np.mean(
                [
                    curve(fold, label, marks, seed, in_order=order == ORDER)
                    for fold in tested_in
                    for seed in seeds
                ],
                axis=0,
            )
            for order in (RANDOM, ORDER)
        }
        found.append(curves)
        table += [[label, order, *_cells(curves, order, marks)] for order in curves]
    means = {order: np.mean([each[order] for each in found], axis=0) for order in (RANDOM, ORDER)}
    table += [["mean", order, *_cells(means, order, marks)] for order in means]
    clips, others = corpus.clips[:N_TIMED], corpus.clips[N_TIMED : N_TIMED + MOST_OTHERS]
    began = time.process_time()
    a_round(folds[0].model, clips, others, labels[0])
    spent = time.process_time() - began
    table.append([f"seconds for {len(clips)} answers", f"{spent:.1f}", *[""] * (len(head) - 2)])
    return Table("teach", ABOUT, head, table)


def make_folds(
    prepared: Prepared, rows: TakeRows, own: Sequence[Clip], spec: TrainingSpec, jobs: int
) -> list[Fold]:
    """Fit a model without each fold, and let it hear all clips."""
    fits = fit_folds(prepared, spec, jobs=jobs)
    models = conclude(prepared, fits, spec).models
    clips = [*prepared.corpus.clips, *own]
    numbers = sorted({clip.fold for clip in clips if clip.fold is not None})
    of_clip = np.array([numbers.index(clip.fold) for clip in clips if clip.fold is not None])
    windows = [prepared.rows.of(place) for place in prepared.originals]
    windows += [rows.of(place) for place in range(len(own))]
    folds = []
    for fold, (fitted, model) in enumerate(zip(fits, models, strict=True)):
        columns = [each.X for each in windows]
        if fitted.encoder is not None:
            codes = clip_codes(clips, fitted.encoder, spec.takes.features, jobs=jobs)
            columns = [np.hstack(pair) for pair in zip(columns, codes, strict=True)]
        inside = np.flatnonzero(prepared.folds != fold)
        of_row = np.repeat(inside, [len(columns[k]) for k in inside])
        embedding = fit_embedding(
            fitted,
            np.concatenate([columns[k] for k in inside]),
            [clips[k].label for k in of_row],
            [clips[k].group for k in of_row],
        )
        ensemble = replace(fitted, embedding=embedding)
        heard = [ensemble.listen(X) for X in columns]
        said = tuple(Said(clip.path, 0.0, 1.0, (), (), clip.group) for clip in clips)
        examples = Examples(
            said,
            np.stack([of_sound.mean(axis=0) for _, of_sound in heard if of_sound is not None]),
            np.stack([logits[:, : ensemble.n_told].mean(axis=0) for logits, _ in heard]),
        )
        folds.append(Fold(replace(model, ensemble=ensemble), clips, examples, of_clip == fold))
    return folds


def curve(
    fold: Fold, label: str, marks: Sequence[int], seed: int, *, in_order: bool
) -> list[float]:
    """Answer one by one; give AP at each mark and by all answers, and what the triggers lost."""
    rng = np.random.default_rng(seed)
    holds = fold.holds(label)
    inside = np.flatnonzero(holds & ~fold.held_out)
    others = rng.permutation(np.flatnonzero(~holds & ~fold.held_out))
    library = rng.permutation([*inside, *others[: round(len(inside) * (1 - SHARE) / SHARE)]])
    groups = [fold.examples.said[k].group for k in library]
    embedded, truth = fold.examples.embedded[library], holds[library]
    answered = [int(rng.choice(np.flatnonzero(truth)))]
    found, lost = [], 0.0
    while len(answered) < marks[-1]:
        if in_order:
            answered += next_to_ask(embedded, groups, answered, truth[answered])
        else:
            left = np.setdiff1d(np.arange(len(library)), answered)
            answered.append(int(rng.choice(left)))
        if len(answered) in marks:
            others = np.delete(library, answered)[:MOST_OTHERS]
            precision, lost = tested(fold, label, library[answered], others, holds)
            found.append(precision)
    return [*found, tested(fold, label, library, library[:0], holds)[0], lost]


def tested(
    fold: Fold,
    label: str,
    answered: NDArray[np.int64],
    others: NDArray[np.int64],
    holds: NDArray[np.bool_],
) -> tuple[float, float]:
    """Teach by some answers, beside some others; give AP on the fold, and what triggers lost."""
    ones = np.ones(int(fold.held_out.sum()))
    truth = holds[fold.held_out]
    if holds[answered].all() or not holds[answered].any():
        return float(truth.mean()), 0.0
    examples = fold.examples.of(np.concatenate([answered, others]))
    said = tuple(
        replace(x, labels=(label,) if holds[k] else (), asked=(label,)) if at < len(answered) else x
        for at, (k, x) in enumerate(zip([*answered, *others], examples.said, strict=True))
    )
    model, _ = teach(fold.model, replace(examples, said=said), name="taught")
    if model.ensemble.taught is None:
        raise AssertionError("a label that is new is always taught")
    logits = fold.examples.logits[fold.held_out]
    after = np.pad(logits, ((0, 0), (0, len(model.labels) - logits.shape[1])))
    after = after + model.ensemble.taught.predict_logits(fold.examples.embedded[fold.held_out])
    precision = average_precision(truth, after[:, model.labels.index(label)].astype(float), ones)
    return precision, _of_triggers(fold, logits) - _of_triggers(fold, after)


def _of_triggers(fold: Fold, logits: NDArray[np.float32]) -> float:
    """Mean AP of the triggers on the clips held out."""
    clips = [clip for clip, out in zip(fold.clips, fold.held_out, strict=True) if out]
    found = []
    for trigger in TRIGGERS:
        truth = np.array([trigger in clip.triggers for clip in clips])
        if truth.any():
            scores = logits[:, fold.model.labels.index(trigger)].astype(float)
            found.append(average_precision(truth, scores, np.ones(len(clips))))
    return float(np.mean(found))


def a_round(model: Model, clips: Sequence[Clip], others: Sequence[Clip], label: str) -> None:
    """Teach by answers about recordings, beside others, all heard for the first time."""
    said = [
        Said(clip.path, 0.0, 10.0, (label,) if k % 4 == 0 else (), (label,), clip.group)
        for k, clip in enumerate(clips)
    ]
    said += [Said(clip.path, 0.0, 10.0, (), (), clip.group) for clip in others]
    teach(model, hear(said, model)[0], name="taught")


def _cells(
    curves: Mapping[str, NDArray[np.float64]], order: str, marks: Sequence[int]
) -> list[str]:
    """Write what was found in one order."""
    *found, everything, lost = curves[order]
    needed = ""
    if order == ORDER:
        wanted = curves[RANDOM][len(marks) - 1]
        needed = f"{np.interp(wanted, np.maximum.accumulate(found), marks) / marks[-1]:.2f}"
    cells = [*found, everything, *(each / everything for each in found)]
    return [*(f"{cell:.3f}" for cell in cells), needed, f"{lost:.4f}"]
