"""How well timelines fit: scenes of clips never heard, mixed, with exact truth of what sounds when.

A scene is made of the clips of one fold and labelled by the model that was fitted without it, as
the shipped one is. Needs the shared corpus and the teacher beside it (``teacher/*.tflite``).

References
----------
.. [1] Mesaros, Heittola and Virtanen (2016). Metrics for polyphonic sound event detection. Applied
   Sciences 6(6).
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, replace
from itertools import chain, product
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from joblib import Parallel, delayed
from scipy.optimize import linear_sum_assignment

from asmr_classify.aggregate import summarise
from asmr_classify.cli.fitting import training_spec, with_all
from asmr_classify.evidence import Heard
from asmr_classify.features.windows import window_rows
from asmr_classify.labels import TRIGGERS, WHISPER, WHITE_NOISE
from asmr_classify.threads import one_thread
from asmr_classify.timeline import join_spans
from asmr_classify.training.corpus import read_corpus
from asmr_classify.training.evaluate import evaluate
from asmr_classify.training.prepare import prepare
from asmr_classify.training.scenes import make_scene
from asmr_classify.training.takes import palette_of
from tests.benchmarks.report import Table
from tests.conftest import ROOT, shared_folder

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from numpy.typing import NDArray

    from asmr_classify.aggregate import FileResult
    from asmr_classify.model import Model
    from asmr_classify.training.corpus import Corpus
    from asmr_classify.training.prepare import Prepared
    from asmr_classify.training.scenes import Scene
    from asmr_classify.training.spec import TrainingSpec
    from asmr_classify.training.takes import TakeSpec

    Events = list[tuple[float, float, str]]

N_SCENES = 300
SEED = 20261
"""Another than any that scenes to fit on are made with."""

SHARE_MATCHED = 0.5
"""Of the shorter of two spans, at least this much lies in both where they count as matched."""

LEAST_SECONDS = 3.0
"""Of a trigger in a scene, for a tag to be expected."""

FLOOR_DBFS = (-80.0, -55.0)
"""Level of the noise that rooms and microphones leave under a scene."""

ABOUT = f"""\
{N_SCENES} scenes of 30 s: up to four events over speech, music, steady noise or room tone at -5 to
+20 dB, and all that over the noise of a room at {FLOOR_DBFS[0]:g} to {FLOOR_DBFS[1]:g} dBFS, made
of clips whose groups the labelling model never heard. F1 by segments of 1 s;
onset errors of events that were found, backgrounds left out. In gaps, where nothing sounds but that
noise and room tone, the share of the time with a trigger. Of the triggers that sound for
{LEAST_SECONDS:g} s or more, backgrounds too, the share that are among the tags of the scene; of the
tags, the share whose trigger does sound; and of the scenes with whispers as well as steady noise,
the share with both tags."""


@dataclass(frozen=True, slots=True)
class Heldout:
    """A scene's sound and truth."""

    fold: int
    duration: float
    y: NDArray[np.float32]
    reference: Events
    events: Events
    gaps: list[tuple[float, float]]


def make_held_out(corpus: Corpus, folds: NDArray[np.int64], spec: TakeSpec) -> list[Heldout]:
    """Make scenes of every fold in turn."""
    n_folds = int(folds.max()) + 1
    jobs = (delayed(_make)(corpus, folds, spec, k % n_folds, k) for k in range(N_SCENES))
    return list(Parallel(n_jobs=-1)(jobs))


def _make(
    corpus: Corpus, folds: NDArray[np.int64], spec: TakeSpec, fold: int, number: int
) -> Heldout:
    rng = np.random.default_rng([SEED, number])
    palette = palette_of(corpus, spec)
    over_noise = replace(spec.scene, floor_dbfs=FLOOR_DBFS)
    scene = make_scene(palette, folds == fold, spec.features.frames.sr, rng, over_noise)
    reference = [(*span, label) for label in TRIGGERS for span in scene.truth(label)]
    events = [
        (event.start, event.end, label)
        for event in scene.events
        for label in event.labels
        if label in TRIGGERS
    ]
    return Heldout(fold, spec.scene.duration, scene.y, reference, events, find_gaps(scene))


def find_gaps(scene: Scene) -> list[tuple[float, float]]:
    """Find when nothing sounds but the noise of the room, between events; alone it is the sound."""
    if scene.background.clip is not None or not scene.events:
        return []
    duration = scene.background.end
    sounding = join_spans((event.start, event.end) for event in scene.events)
    edges = [0.0, *chain.from_iterable(sounding), duration]
    return [(start, end) for start, end in zip(edges[::2], edges[1::2], strict=True) if start < end]


def label_scene(scene: Heldout, model: Model) -> FileResult:
    """Label a scene as a file."""
    with one_thread():
        rows = window_rows(scene.y, model.features, model.encoder)
    heard = Heard.of(rows, model.ensemble.predict_logits(rows.X))
    seconds = scene.duration
    return summarise("scene", heard, model, duration=seconds, decoded=seconds)


def find_events(result: FileResult) -> Events:
    """Give the timeline of the triggers."""
    return [(s.start, s.end, s.label) for s in result.segments if s.label in TRIGGERS]


def tag_figures(
    references: Sequence[Events],
    tags: Sequence[Collection[str]],
) -> dict[str, float]:
    """Count which triggers of scenes are tagged, and which tags are right.

    Parameters
    ----------
    references : sequence of Events
        Of one label none overlap.
    tags : sequence of collection of str
    """
    heard = np.zeros((len(references), len(TRIGGERS)))
    for row, reference in zip(heard, references, strict=True):
        for start, end, label in reference:
            row[TRIGGERS.index(label)] += end - start
    tagged = np.array([[label in found for label in TRIGGERS] for found in tags])
    expected = heard >= LEAST_SECONDS
    two = [TRIGGERS.index(label) for label in (WHISPER, WHITE_NOISE)]
    layered = expected[:, two].all(axis=1)
    return {
        **{
            f"tagged {label}": float(tagged[expected[:, k], k].mean())
            for k, label in enumerate(TRIGGERS)
        },
        "right tags": float((heard > 0)[tagged].mean()),
        "both tags of whispers over noise": float(tagged[layered][:, two].all(axis=1).mean()),
    }


def gap_figures(
    gaps: Sequence[Sequence[tuple[float, float]]], estimates: Sequence[Events]
) -> dict[str, float]:
    """Tell which share of the time in gaps each trigger is found in.

    Parameters
    ----------
    gaps : sequence of sequence of (float, float)
        Of each scene; at least one gap in all.
    estimates : sequence of Events
    """
    total = sum(end - start for each in gaps for start, end in each)
    found = dict.fromkeys(TRIGGERS, 0.0)
    for each, events in zip(gaps, estimates, strict=True):
        for (first, last), (start, end, label) in product(each, events):
            found[label] += max(0.0, min(last, end) - max(first, start))
    return {f"{label} in gaps": seconds / total for label, seconds in found.items()}


def segment_f1(
    references: Sequence[Events], estimates: Sequence[Events], duration: float
) -> dict[str, float]:
    """F1 of each trigger by segments of one second, and their mean [1]_."""
    n_segments = math.ceil(duration)
    known, found = (
        np.concatenate([_in_segments(events, n_segments) for events in each])
        for each in (references, estimates)
    )
    both, either = (known & found).sum(axis=0), known.sum(axis=0) + found.sum(axis=0)
    f1 = dict(zip(TRIGGERS, 2 * both / np.maximum(either, 1), strict=True))
    return {**f1, "macro_average": float(np.mean([*f1.values()]))}


def _in_segments(events: Events, n_segments: int) -> NDArray[np.bool_]:
    """Tell in which seconds anything of each trigger is; shape (n_segments, n_triggers)."""
    inside = np.zeros((n_segments, len(TRIGGERS)), dtype=bool)
    for start, end, label in events:
        inside[math.floor(start) : math.ceil(end), TRIGGERS.index(label)] = True
    return inside


def onset_errors(reference: Events, estimate: Events) -> list[float]:
    """Match events of a label one to one by overlap; give the errors of their onsets, in s."""
    errors: list[float] = []
    for label in TRIGGERS:
        known = np.array([event[:2] for event in reference if event[2] == label]).reshape(-1, 2)
        found = np.array([event[:2] for event in estimate if event[2] == label]).reshape(-1, 2)
        shared = np.minimum(known[:, None, 1], found[None, :, 1]) - np.maximum(
            known[:, None, 0], found[None, :, 0]
        )
        lengths = np.minimum(np.diff(known), np.diff(found).T)
        for i, j in zip(*linear_sum_assignment(-shared), strict=True):
            if shared[i, j] >= SHARE_MATCHED * lengths[i, j]:
                errors.append(abs(known[i, 0] - found[j, 0]))
    return errors


def measure(scenes: Sequence[Heldout], models: Sequence[Model]) -> dict[str, float]:
    """Label all scenes, and measure."""
    results = [label_scene(scene, models[scene.fold]) for scene in scenes]
    estimates = [find_events(result) for result in results]
    references = [scene.reference for scene in scenes]
    figures = segment_f1(references, estimates, scenes[0].duration)
    errors = [
        error
        for scene, estimate in zip(scenes, estimates, strict=True)
        for error in onset_errors(scene.events, estimate)
    ]
    figures["median onset error"] = float(np.median(errors))
    figures["events matched"] = len(errors) / sum(len(scene.events) for scene in scenes)
    figures |= gap_figures([scene.gaps for scene in scenes], estimates)
    return figures | tag_figures(references, [result.tags for result in results])


def read_shared_corpus(kinds: Path | None = None, sounds: Sequence[Path] = ()) -> Corpus:
    """Read the corpus with the corrections that fits may use."""
    manifest = shared_folder() / "corpus" / "manifest.csv"
    return with_all(read_corpus(manifest), ROOT / "data" / "corrections.csv", kinds, sounds)


def prepare_shared(spec: TrainingSpec) -> Prepared:
    """Prepare for fits as those of the shipped model, taught by the teacher beside the corpus.

    Sound without labels is that of the folder named by ``ASMR_SOUNDS``.
    """
    sounds = os.environ.get("ASMR_SOUNDS")
    corpus = read_shared_corpus(ROOT / "data" / "kinds.csv", [Path(sounds)] if sounds else ())
    (teacher,) = (shared_folder() / "teacher").glob("*.tflite")
    return prepare(corpus, spec, teacher=teacher)


def run() -> Table:
    """Fit without each fold of the corpus, and measure on scenes of it."""
    spec = training_spec(
        seed=0, members=None, copies=None, scenes=None, rounds=None, is_taught=True
    )
    prepared = prepare_shared(spec)
    models = evaluate(prepared, spec).models
    figures = measure(make_held_out(prepared.corpus, prepared.folds, spec.takes), models)
    return Table("scenes", ABOUT, ("figure", "value"), tuple(figures.items()))
