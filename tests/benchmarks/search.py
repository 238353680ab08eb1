"""Which families of models, and which columns beside spectra and textures, do best on new sources.

Nested, grouped cross-validation: each fold of the corpus is labelled by what was fitted on the
others, and what is chosen for it is chosen by how it does within those others, where each fold in
turn is left out as well. A fit without two folds serves both of them.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import partial
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
from joblib import delayed
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score

from asmr_classify.evidence import Heard, mean_of_best_stretch
from asmr_classify.features.modulation import modulation_statistics, normalised_statistics
from asmr_classify.features.schema import column_names
from asmr_classify.labels import TRIGGERS
from asmr_classify.threads import one_thread
from asmr_classify.training.fit import row_weights, training_rows
from asmr_classify.training.parallel import iter_results
from asmr_classify.training.prepare import prepare
from asmr_classify.training.spec import TrainingSpec
from asmr_classify.training.takes import TakeSpec, take_sound
from tests.benchmarks.candidates import CANDIDATES, Sound
from tests.benchmarks.families import SETTINGS, make_model
from tests.benchmarks.report import Table
from tests.benchmarks.scenes import read_shared_corpus

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from asmr_classify.training.corpus import Corpus
    from asmr_classify.training.prepare import Prepared
    from asmr_classify.training.takes import Take

    Array = NDArray[np.float32]
    Pooled = NDArray[np.float32]  # (n_clips, n_triggers), NaN where a clip was not left out

ABOUT = """\
Mean average precision over the four triggers, by clip, of clips whose sources were never heard:
each fold is labelled by a fit without it. "Within" is the same inside the other folds, by which
the choice for each fold is made: choosing by the first figure and then reporting it would flatter.
One changed copy a clip, neither scenes nor generated noise, small settings: the families are
compared here on equal terms, and the model that ships is larger. Cost is that of the columns and of
the prediction, in µs per second of audio on one core, beside what all columns cost.

Trees and networks, averaged, win, and are what is fitted without a teacher; beside an encoder,
which a teacher teaches, trees bring nothing (table "parts"). Columns are many and of uneven worth:
trees take those that split best, where ridge and kernels weigh all. Networks alone are behind, but
err on other clips, so that the average does better than either; weights that are learned, by
stacking, know too few sources to do better than equal ones. Of the additional columns the two that
cost least are in the package: within the other folds trees do best with both. The others cost many
times as much and bring less. Fitted as it ships, on copies and scenes, a model gains less from
columns than here."""

SPEC = TrainingSpec(takes=TakeSpec(copies=1, steady_copies=1, scenes=0, noises=0))

BASE, CONTEXT = "spectra, textures, impulses", "neighbouring windows"
PACKAGE, ALL = "those of the package", "all of these"

TAKEN: dict[str, tuple[str, Callable[[Array, float], Array]]] = {
    "per-channel energy normalisation": ("normalised_", normalised_statistics),
    "spectro-temporal modulation": ("modulation_", modulation_statistics),
}
"""Additions that the package took: how their columns' names begin, and what computes them."""

TRIED_WITH_COLUMNS = {"ridge": 1000.0, "trees": 15, "networks": 0.1}

COST_WINDOWS = 600


@dataclass(frozen=True, slots=True)
class Config:
    """A family, its setting and its columns."""

    family: str
    setting: float
    columns: str = BASE


@dataclass(frozen=True, slots=True)
class Material:
    """All that the fits share.

    Parameters
    ----------
    prepared : Prepared
        Of which the rows have the columns of the package only, those that it took included.
    X : ndarray of float32, shape (n_rows, n_columns)
        With all candidates.
    columns : mapping of str to ndarray of int64
        Which columns belong to each addition, those that are in all included.
    costs : mapping of str to float
        Of each addition, in µs per second of audio.
    """

    prepared: Prepared
    X: Array
    columns: Mapping[str, NDArray[np.int64]]
    costs: Mapping[str, float]


def gather(corpus: Corpus, spec: TrainingSpec = SPEC) -> Material:
    """Compute the rows of a corpus, and the columns of all candidates."""
    prepared = prepare(corpus, spec)
    rows = prepared.rows
    tasks = (
        delayed(_candidates)(corpus, take, rows.of(k).intervals, spec.takes)
        for k, take in enumerate(rows.takes)
    )
    parts = [
        rows.rows.X,
        _neighbours(prepared),
        *_join(list(iter_results(tasks, jobs=-1, batch_size=8))),
    ]
    names = column_names(SPEC.takes.features)
    base = _starting(names, tuple(start for start, _ in TAKEN.values()), inside=False)
    columns = {BASE: base}
    for addition, (start, _) in TAKEN.items():
        columns[addition] = np.concatenate([base, _starting(names, (start,))])
    columns[PACKAGE] = np.arange(len(names))
    edges = np.cumsum([part.shape[1] for part in parts])
    for addition, first, last in zip((CONTEXT, *CANDIDATES), edges[:-1], edges[1:], strict=True):
        columns[addition] = np.concatenate([base, np.arange(first, last)])
    columns[ALL] = np.arange(edges[-1])
    costs = _candidate_costs(spec)
    return Material(prepared, np.concatenate(parts, axis=1), columns, costs)


def _starting(
    names: Sequence[str], starts: tuple[str, ...], *, inside: bool = True
) -> NDArray[np.int64]:
    """Find the columns whose names begin so, or those whose names do not."""
    return np.flatnonzero([name.startswith(starts) == inside for name in names])


def _candidates(
    corpus: Corpus, take: Take, intervals: NDArray[np.float64], spec: TakeSpec
) -> list[Array]:
    with one_thread():
        sound = Sound(take_sound(corpus, take, spec), intervals, spec.features.frames)
        return [compute(sound) for compute in CANDIDATES.values()]


def _join(parts: Sequence[list[Array]]) -> list[Array]:
    return [np.concatenate(of_candidate) for of_candidate in zip(*parts, strict=True)]


def _neighbours(prepared: Prepared) -> Array:
    """Average what the windows before and after say, of all columns but single bands."""
    single = ("mel_", "texture_", *(start for start, _ in TAKEN.values()))
    wanted = _starting(column_names(SPEC.takes.features), single, inside=False)
    parts = []
    for k in range(len(prepared.rows.takes)):
        X = prepared.rows.of(k).X[:, wanted]
        padded = np.pad(X, ((2, 2), (0, 0)), mode="edge")
        shifted = [padded[first : first + len(X)] for first in (0, 1, 3, 4)]
        parts.append(np.mean(shifted, axis=0, dtype=np.float32))
    return np.concatenate(parts)


def _candidate_costs(spec: TrainingSpec) -> dict[str, float]:
    """Time each addition on a minute of sound, beside the frames that the package has anyway."""
    seconds = 60
    sr = spec.takes.features.frames.sr
    rng = np.random.default_rng(0)
    y = rng.standard_normal(seconds * sr) * np.exp(-(np.arange(seconds * sr) % 9000) / 700) / 10
    starts = np.arange(seconds - 1.0)
    sound = Sound(
        y.astype(np.float32), np.stack([starts, starts + 2], 1), spec.takes.features.frames
    )
    logmel = np.stack(list(sound.logmel()))
    rate = sr / spec.takes.features.frames.hop_length
    calls: dict[str, Callable[[], object]] = {
        name: partial(compute, logmel, rate) for name, (_, compute) in TAKEN.items()
    }
    calls |= {name: partial(compute, sound) for name, compute in CANDIDATES.items()}
    with one_thread():
        costs = {name: _seconds_of(call) / seconds * 1e6 for name, call in calls.items()}
    costs[PACKAGE] = sum(costs[name] for name in TAKEN)
    return {**costs, BASE: 0.0, CONTEXT: 0.0, ALL: sum(costs[name] for name in calls)}


def _seconds_of(call: Callable[[], object], rounds: int = 3) -> float:
    """Time a call by the processor's clock: the least of some rounds, after one that warms up."""
    call()
    spent = []
    for _ in range(rounds):
        before = time.process_time()
        call()
        spent.append(time.process_time() - before)
    return min(spent)


def fit_and_hear(
    material: Material, config: Config, left_out: tuple[int, ...]
) -> tuple[Pooled, float]:
    """Fit without some folds, and pool what is heard in their clips; with the cost of predicting.

    Returns
    -------
    tuple of ndarray and float
        Pooled logits, and µs per second of audio.
    """
    prepared = material.prepared
    corpus = prepared.corpus
    inside = ~np.isin(prepared.folds, left_out)
    kept = training_rows(prepared.rows, corpus, inside, SPEC)
    weights = row_weights(prepared.rows, corpus, inside, kept, SPEC)
    triggers = [corpus.labels.index(label) for label in TRIGGERS]
    X = np.ascontiguousarray(material.X[:, material.columns[config.columns]])
    model = make_model(config.family, config.setting)
    pooled = np.full((len(corpus.clips), len(TRIGGERS)), np.nan, dtype=np.float32)
    with one_thread():
        model.fit(X[kept], prepared.rows.targets[kept][:, triggers], weights)
        for clip in np.flatnonzero(~inside):
            rows = prepared.rows.of(prepared.originals[clip])
            first = prepared.rows.offsets[prepared.originals[clip]]
            logits = model.predict(X[first : first + len(rows.X)])
            heard = Heard.of(rows, logits)
            pooled[clip] = mean_of_best_stretch(heard, SPEC.decision.span)
        before = time.perf_counter()
        model.predict(X[:COST_WINDOWS])
        cost = (time.perf_counter() - before) / min(COST_WINDOWS, len(X)) * 1e6
    return pooled, cost


@dataclass(frozen=True, slots=True)
class Searched:
    """What a configuration said of every clip.

    Parameters
    ----------
    outer : ndarray of float32, shape (n_clips, n_triggers)
        Of each clip, by the fit without its fold.
    inner : ndarray of float32, shape (n_folds, n_clips, n_triggers)
        For each fold, what fits without it and without the clip's own fold say; NaN in the fold.
    cost : float
    """

    outer: Pooled
    inner: NDArray[np.float32]
    cost: float


def search(material: Material, configs: Sequence[Config], *, jobs: int = -1) -> list[Searched]:
    """Fit every configuration without each fold, and without each two."""
    folds = material.prepared.folds
    n_folds = int(folds.max()) + 1
    without = [*combinations(range(n_folds), 1), *combinations(range(n_folds), 2)]
    # The slowest first, so that no processor waits for the last one.
    order = sorted(range(len(configs)), key=lambda k: configs[k].family, reverse=True)
    tasks = [(k, left_out) for k in order for left_out in without]
    calls = (delayed(fit_and_hear)(material, configs[k], left_out) for k, left_out in tasks)
    found = list(iter_results(calls, jobs=jobs))
    heard = dict(zip(tasks, found, strict=True))
    return [_collect(k, heard, folds, n_folds) for k in range(len(configs))]


def _collect(
    k: int,
    heard: Mapping[tuple[int, tuple[int, ...]], tuple[Pooled, float]],
    folds: NDArray[np.int64],
    n_folds: int,
) -> Searched:
    outer = np.full_like(heard[k, (0,)][0], np.nan)
    inner = np.full((n_folds, *outer.shape), np.nan, dtype=np.float32)
    for fold in range(n_folds):
        outer[folds == fold] = heard[k, (fold,)][0][folds == fold]
        for other in set(range(n_folds)) - {fold}:
            pair = (min(fold, other), max(fold, other))
            inner[fold, folds == other] = heard[k, pair][0][folds == other]
    return Searched(outer, inner, heard[k, (0,)][1])


def precisions(truth: Array, scores: Array) -> list[float]:
    """Average precision of each trigger, over the clips that have scores."""
    known = ~np.isnan(scores[:, 0])
    return [
        float(average_precision_score(truth[known, k], scores[known, k]))
        for k in range(scores.shape[1])
    ]


def choose(searched: Sequence[Searched], truth: Array, fold: int) -> int:
    """Choose the configuration that does best within the other folds."""
    within = [np.mean(precisions(truth, one.inner[fold])) for one in searched]
    return int(np.argmax(within))


def stack(parts: Sequence[Searched], truth: Array, folds: NDArray[np.int64]) -> Pooled:
    """Learn, within the other folds, how to weigh families against each other."""
    stacked = np.full_like(parts[0].outer, np.nan)
    for fold in np.unique(folds):
        others = folds != fold
        inner = np.concatenate([part.inner[fold] for part in parts], axis=1)[others]
        outer = np.concatenate([part.outer for part in parts], axis=1)[~others]
        for k in range(stacked.shape[1]):
            model = LogisticRegression(C=0.1, max_iter=1000).fit(inner, truth[others, k])
            stacked[~others, k] = model.decision_function(outer)
    return stacked


def average(parts: Sequence[Searched]) -> Pooled:
    """Average families, each scaled to the same spread."""
    return np.mean([part.outer / np.nanstd(part.outer, axis=0) for part in parts], axis=0)


def tabulate(
    material: Material, configs: Sequence[Config], searched: Sequence[Searched]
) -> tuple[tuple[object, ...], ...]:
    """Put the figures of all configurations, and of what was chosen, into rows."""
    prepared = material.prepared
    truth = prepared.truth.labels[:, [prepared.corpus.labels.index(label) for label in TRIGGERS]]
    folds = prepared.folds
    rows: list[tuple[object, ...]] = []
    for config, one in zip(configs, searched, strict=True):
        outer = precisions(truth, one.outer)
        within = np.mean([np.mean(precisions(truth, inner)) for inner in one.inner])
        cost = one.cost + material.costs[config.columns]
        name = f"{config.family}, {config.setting:g}"
        rows.append((name, config.columns, np.mean(outer), *outer, within, cost))
    best = {}
    for family in dict.fromkeys(config.family for config in configs):
        pairs = zip(configs, searched, strict=True)
        parts = [one for config, one in pairs if config.family == family]
        best[family] = _chosen(parts, truth, folds)
    for family, one in best.items():
        rows.append(_row(f"{family}, chosen within", one.outer, truth))
    rows.append(_row("one of all, chosen within", _chosen(searched, truth, folds).outer, truth))
    pair = [best[family] for family in ("trees", "networks") if family in best]
    if len(pair) == 2:
        rows.append(_row("trees and networks, averaged", average(pair), truth))
    rows.append(_row("all families, averaged", average(list(best.values())), truth))
    rows.append(_row("all families, stacked", stack(list(best.values()), truth, folds), truth))
    return tuple(rows)


def _chosen(parts: Sequence[Searched], truth: Array, folds: NDArray[np.int64]) -> Searched:
    """For each fold take the configuration that does best within the others."""
    chosen = [choose(parts, truth, fold) for fold in range(int(folds.max()) + 1)]
    outer = np.stack([parts[chosen[fold]].outer[k] for k, fold in enumerate(folds)])
    inner = np.stack([parts[k].inner[fold] for fold, k in enumerate(chosen)])
    return replace(parts[0], outer=outer, inner=inner)


def _row(name: str, scores: Pooled, truth: Array) -> tuple[object, ...]:
    found = precisions(truth, scores)
    return (name, "chosen within", np.mean(found), *found, "", "")


def configurations() -> list[Config]:
    """List what is compared: all settings on the same columns, then additional ones."""
    plain = [Config(family, s) for family, settings in SETTINGS.items() for s in settings]
    names = (CONTEXT, *TAKEN, *CANDIDATES, PACKAGE, ALL)
    more = [Config(family, s, name) for name in names for family, s in TRIED_WITH_COLUMNS.items()]
    return plain + more


def run() -> Table:
    """Search; takes most of an hour on two cores."""
    material = gather(read_shared_corpus())
    configs = configurations()
    rows = tabulate(material, configs, search(material, configs))
    head = ("family", "columns", "mean AP", *TRIGGERS, "within", "cost")
    return Table("search", ABOUT, head, rows)
