"""Which families of models, and which columns beside those of the package, do best on new sources.

Nested, grouped cross-validation: each fold of the corpus is labelled by what was fitted on the
others, and what is chosen for it is chosen by how it does within those others, where each fold in
turn is left out as well. A fit without two folds serves both of them.
"""

from __future__ import annotations

import time
import warnings
from dataclasses import dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
from joblib import delayed
from sklearn.exceptions import ConvergenceWarning
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import average_precision_score
from sklearn.neural_network import MLPRegressor

from asmr_classify.aggregate import Heard, pool_logits
from asmr_classify.estimators import standardise
from asmr_classify.features.schema import column_names
from asmr_classify.labels import TRIGGERS
from asmr_classify.threads import one_thread
from asmr_classify.training.boosting import fit_trees
from asmr_classify.training.evaluate import prepare
from asmr_classify.training.fit import FitSpec, TrainingSpec, row_weights, training_rows
from asmr_classify.training.parallel import iter_results
from asmr_classify.training.takes import TakeSpec, take_sound
from tests.benchmarks.candidates import CANDIDATES, Sound
from tests.benchmarks.report import Table
from tests.benchmarks.scenes import read_shared_corpus

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from asmr_classify.training.corpus import Corpus
    from asmr_classify.training.evaluate import Prepared
    from asmr_classify.training.takes import Take

    Array = NDArray[np.float32]
    Pooled = NDArray[np.float32]  # (n_clips, n_triggers), NaN where a clip was not left out

ABOUT = """\
Mean average precision over the four triggers, by clip, of clips whose sources were never heard:
each fold is labelled by a fit without it. "Within" is the same inside the other folds, by which
the choice for each fold is made: choosing by the first figure and then reporting it would flatter.
One changed copy a clip, no scenes, small settings: the families are compared here on equal terms,
and the model that ships is larger. Cost is that of the columns and of the prediction, in µs per
second of audio on one core; the columns of the package themselves cost the same for all."""

SPEC = TrainingSpec(takes=TakeSpec(copies=1, steady_copies=1, scenes=0))

PACKAGE, CONTEXT, ALL = "those of the package", "neighbouring windows", "all of these"

SETTINGS: dict[str, tuple[float, ...]] = {
    "ridge": (100.0, 1000.0, 10000.0),
    "kernel": (0.25, 1.0),
    "trees": (7, 15),
    "networks": (0.1, 0.4),
}
"""Of each family: penalty of the weights, coefficient of the kernel times the number of columns,
leaves of a tree, penalty of the weights."""

TRIED_WITH_COLUMNS = {"ridge": 1000.0, "trees": 15, "networks": 0.1}

COST_WINDOWS = 600


@dataclass(frozen=True, slots=True)
class Config:
    """A family, its setting and its columns."""

    family: str
    setting: float
    columns: str = PACKAGE


@dataclass(frozen=True, slots=True)
class Material:
    """All that the fits share.

    Parameters
    ----------
    prepared : Prepared
        Of which the rows have the columns of the package only.
    X : ndarray of float32, shape (n_rows, n_columns)
        With all candidates.
    columns : mapping of str to ndarray of int64
        Which columns belong to each addition, those of the package included.
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
    names = [PACKAGE, CONTEXT, *CANDIDATES]
    widths = np.cumsum([0, *(part.shape[1] for part in parts)])
    own = np.arange(widths[1])
    columns = {
        name: np.concatenate([own, np.arange(first, last)]) if first else own
        for name, first, last in zip(names, widths[:-1], widths[1:], strict=True)
    }
    columns[ALL] = np.arange(widths[-1])
    costs = _candidate_costs(spec)
    return Material(prepared, np.concatenate(parts, axis=1), columns, costs)


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
    names = column_names(SPEC.takes.features)
    wanted = [k for k, name in enumerate(names) if not name.startswith(("mel_", "texture_"))]
    parts = []
    for k in range(len(prepared.rows.takes)):
        X = prepared.rows.of(k).X[:, wanted]
        padded = np.pad(X, ((2, 2), (0, 0)), mode="edge")
        shifted = [padded[first : first + len(X)] for first in (0, 1, 3, 4)]
        parts.append(np.mean(shifted, axis=0, dtype=np.float32))
    return np.concatenate(parts)


def _candidate_costs(spec: TrainingSpec) -> dict[str, float]:
    """Time each candidate on a minute of sound, beside the frames that the package has anyway."""
    seconds = 60
    sr = spec.takes.features.frames.sr
    rng = np.random.default_rng(0)
    y = rng.standard_normal(seconds * sr) * np.exp(-(np.arange(seconds * sr) % 9000) / 700) / 10
    starts = np.arange(seconds - 1.0)
    sound = Sound(
        y.astype(np.float32), np.stack([starts, starts + 2], 1), spec.takes.features.frames
    )
    costs = {PACKAGE: 0.0, CONTEXT: 0.0}
    with one_thread():
        sound.frames  # noqa: B018 (computed once)
        for name, compute in CANDIDATES.items():
            compute(sound)
            before = time.perf_counter()
            compute(sound)
            costs[name] = (time.perf_counter() - before) / seconds * 1e6
    costs[ALL] = sum(costs.values())
    return costs


class Regression:
    """Ridge regression on standardised columns, linear or through a kernel, or networks."""

    def __init__(self, config: Config) -> None:
        self._config = config

    def fit(self, X: Array, targets: Array, weights: NDArray[np.float64]) -> Regression:
        """Fit plus and minus one."""
        self._mean = X.mean(axis=0)
        self._scale = np.maximum(X.std(axis=0), 1e-6)
        standard = standardise(X, self._mean, self._scale)
        self._map, self._regressor = self._make(X.shape[1])
        if self._map is not None:
            standard = self._map.fit_transform(standard)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            self._regressor.fit(standard, 2 * targets - 1, sample_weight=weights)
        return self

    def _make(self, n_columns: int) -> tuple[Any, Any]:
        setting = self._config.setting
        if self._config.family == "kernel":
            kernel = Nystroem(gamma=setting / n_columns, n_components=1000, random_state=0)
            return kernel, Ridge(alpha=1.0)
        if self._config.family == "ridge":
            return None, Ridge(alpha=setting)
        network = MLPRegressor(
            hidden_layer_sizes=(256,),
            alpha=setting,
            batch_size=256,
            max_iter=10,
            random_state=0,
        )
        return None, network

    def predict(self, X: Array) -> Array:
        """Predict, shape (n_rows, n_triggers)."""
        standard = standardise(X, self._mean, self._scale)
        if self._map is not None:
            standard = self._map.transform(standard)
        return np.asarray(self._regressor.predict(standard), dtype=np.float32)


class Boosters:
    """Gradient-boosted trees, as the package fits them."""

    def __init__(self, config: Config) -> None:
        self._spec = FitSpec(tree_rounds=40, tree_rate=0.2, tree_leaves=int(config.setting))

    def fit(self, X: Array, targets: Array, weights: NDArray[np.float64]) -> Boosters:
        """Fit each trigger."""
        self._trees = fit_trees(X, targets, weights, self._spec)
        return self

    def predict(self, X: Array) -> Array:
        """Predict, shape (n_rows, n_triggers)."""
        return np.clip(self._trees.predict_logits(X), -8, 8)


def make_model(config: Config) -> Regression | Boosters:
    """Make what is to be fitted."""
    return (Boosters if config.family == "trees" else Regression)(config)


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
    model = make_model(config)
    pooled = np.full((len(corpus.clips), len(TRIGGERS)), np.nan, dtype=np.float32)
    with one_thread():
        model.fit(X[kept], prepared.rows.targets[kept][:, triggers], weights)
        for clip in np.flatnonzero(~inside):
            rows = prepared.rows.of(prepared.originals[clip])
            first = prepared.rows.offsets[prepared.originals[clip]]
            logits = model.predict(X[first : first + len(rows.X)])
            heard = Heard(rows.intervals, logits, rows.levels_db)
            pooled[clip] = pool_logits(heard, SPEC.decision)
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
    truth = prepared.truth[:, [prepared.corpus.labels.index(label) for label in TRIGGERS]]
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
    """List what is compared: all settings on the package's columns, then additional columns."""
    plain = [Config(family, s) for family, settings in SETTINGS.items() for s in settings]
    names = (CONTEXT, *CANDIDATES, ALL)
    more = [Config(family, s, name) for name in names for family, s in TRIED_WITH_COLUMNS.items()]
    return plain + more


def run() -> Table:
    """Search; takes most of an hour on two cores."""
    material = gather(read_shared_corpus())
    configs = configurations()
    rows = tabulate(material, configs, search(material, configs))
    head = ("family", "columns", "mean AP", *TRIGGERS, "within", "cost")
    return Table("search", ABOUT, head, rows)
