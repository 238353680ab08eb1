"""A model, taught what people said: new labels, and better ones, on top of what it knows.

Nothing of the model changes but one layer that is added, from its embedding to logits. A label that
is new has a linear head on the embedding (:mod:`asmr_classify.training.heads`). A label that the
model knows keeps its own logit, to which such a head adds; and only where that tells held-out
examples better. Whatever nobody spoke of stays as it is, to the bit.

How well a label is told is found on makers that were held out. Few examples tell little of that,
and then the figures say so.

References
----------
.. [1] Clopper and Pearson (1934). The use of confidence or fiducial limits illustrated in the case
   of the binomial. Biometrika 26.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from asmr_classify.catalogue.answers import check_new_label
from asmr_classify.counts import counted
from asmr_classify.errors import CorpusError, ModelError, UsageError
from asmr_classify.estimators import Network, calibrate
from asmr_classify.labels import SILENCE
from asmr_classify.training.calibration import F1_TOLERANCE, THRESHOLD_GRID, fit_calibration
from asmr_classify.training.heads import fit_head, fit_known
from asmr_classify.training.metrics import average_precision, group_interval

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from numpy.typing import NDArray

    from asmr_classify.model import Model
    from asmr_classify.training.answers import Examples

    Array = NDArray[np.float32]

N_FOLDS = 5

LEAST_EXAMPLES, LEAST_GROUPS = 5, 3
"""With fewer examples that hold a label, or that do not, or of fewer makers, no figure is told: it
would say more of the maker than of the label."""

LEAST_TO_CHOOSE = 2
"""With fewer examples that hold a new label, or that do not, none is left to be held out, so that
no threshold can be chosen: it is one half, which a head of so few hardly ever reaches."""

LEAST_SLOPE = 0.5
"""Of the calibration of a new label: heads of few examples are not sure of much as it is."""

LEAST_PRECISION = 0.5
"""Of what is found at the threshold of a new label, among examples held out."""


@dataclass(frozen=True, slots=True)
class Taught:
    """How well one label is told after it was taught.

    Parameters
    ----------
    label : str
    is_new : bool
        Whether the model did not know it.
    n_held, n_not_held : int
        Examples that hold it and that do not.
    n_groups : int
        Makers of those that hold it.
    average_precision : float
        Of examples of makers held out; nan if they are too few to tell.
    interval : tuple of float
        95 % interval of that, over makers.
    before : float
        Average precision by what the model said before; nan for a new label.
    is_used : bool
        Whether the head is in the model: not where the model told its own label better without.
    n_held_out : tuple of int
        Examples that hold it and that do not, of those that were held out in turn.
    n_found : int or None
        Of the examples that hold a new label, those in which it is then found; None for a label
        that the model knew.
    n_false : int or None
        Of the examples held out that do not hold a new label, those in which it is found all the
        same; None for a label that the model knew.
    """

    label: str
    is_new: bool
    n_held: int
    n_not_held: int
    n_groups: int
    average_precision: float
    interval: tuple[float, float]
    before: float
    is_used: bool
    n_held_out: tuple[int, int]
    n_found: int | None = None
    n_false: int | None = None

    @property
    def can_tell(self) -> bool:
        """Whether there are enough examples for a figure."""
        return not np.isnan(self.average_precision)

    @property
    def lacks_threshold(self) -> bool:
        """Whether too few examples of a new label were held out to choose its threshold."""
        return self.is_new and not can_choose(*self.n_held_out)

    @property
    def finds_none(self) -> bool:
        """Whether a new label is found in none of its own examples, though it has a threshold."""
        return self.n_found == 0 and not self.lacks_threshold

    @property
    def most_false(self) -> float:
        """Which share of all that does not hold a new label may be tagged, in [0, 1]; nan if none.

        The upper end of the one-sided 95 % interval [1]_: of few examples it is high, though none
        of them is tagged.
        """
        from scipy.special import betaincinv

        if self.n_false is None or self.lacks_threshold:
            return float("nan")
        n_right = self.n_held_out[1] - self.n_false
        return float(betaincinv(self.n_false + 1, n_right, 0.95)) if n_right else 1.0


def can_choose(n_held: int, n_not_held: int) -> bool:
    """Tell whether a threshold can be chosen by so many examples."""
    return min(n_held, n_not_held) >= LEAST_TO_CHOOSE


@dataclass(frozen=True, slots=True, eq=False)
class _Head:
    """A column of what is added, and what goes with it."""

    weights: NDArray[np.float64]
    bias: float
    calibration: tuple[float, float] | None
    threshold: float | None


def check_teachable(model: Model) -> None:
    """Check that a model can be taught.

    Raises
    ------
    ModelError
    """
    if model.ensemble.embedding is None:
        raise ModelError(
            f"{model.source or model.id}: has no embedding, so it cannot be taught; leave --model "
            "out for the shipped one, or train it again with this version"
        )


def check_names(labels: Iterable[str], model: Model) -> None:
    """Check the names of what is to be taught, as far as a model does not know it.

    Raises
    ------
    UsageError
        If queries could not ask for a label by its name.
    """
    known = list(model.labels)
    for label in labels:
        if label in {*known, SILENCE}:
            continue
        try:
            known.append(check_new_label(label, known))
        except UsageError as exc:
            raise UsageError(f"{exc}; rename it, or teach other labels by --only") from exc


def check_only(only: Iterable[str], asked: Collection[str]) -> None:
    """Check that something was said of each label that is to be taught.

    Raises
    ------
    UsageError
        If nothing was said of one.
    """
    for label in only:
        if label not in asked:
            raise UsageError(f"--only {label}: nothing was said of it; there is {', '.join(asked)}")


def teach(
    model: Model,
    examples: Examples,
    *,
    name: str,
    only: Sequence[str] = (),
    needed: Iterable[str] = (),
) -> tuple[Model, list[Taught]]:
    """Teach a model.

    Parameters
    ----------
    model : Model
        With an embedding. What it was taught before stays, but for labels that are taught now.
    examples : Examples
        Those that were not asked for a new label are what most of a library is like.
    name : str
        Of the taught model.
    only : sequence of str
        Labels to teach; all that were asked by default.
    needed : iterable of str
        Of these, labels that must not be left out, though others can be taught. All of ``only``
        are such.

    Returns
    -------
    Model
    taught : list of Taught
        By label, in the order in which they were first asked.

    Raises
    ------
    ModelError
        If the model cannot be taught.
    CorpusError
        If there is no example; or all examples of what is needed hold it, or none; or those of
        all labels.
    UsageError
        If a label of ``only`` was never asked, or one cannot be called so.
    """
    check_teachable(model)
    labels = _labels_to_teach(examples, only, {*only} if only else {*needed})
    check_names(labels, model)
    heads, taught = {}, []
    for label in labels:
        head, figures = _teach_label(model, examples, label)
        taught.append(figures)
        if figures.is_used:
            heads[label] = head
    return _with_heads(model, heads, name), taught


def _labels_to_teach(examples: Examples, only: Sequence[str], needed: Collection[str]) -> list[str]:
    if not examples.labels:
        raise CorpusError(
            "nothing was said of any recording: answer some stretches by 'asmr-classify review', "
            "set files by 'asmr-classify set', or name a folder with a folder per label"
        )
    check_only(only, examples.labels)
    told, reasons = [], {}
    for label in only or dict.fromkeys([*examples.labels, *needed]):
        reason = _why_not(label, examples.of_label(label)[1])
        if reason:
            reasons[label] = reason
        else:
            told.append(label)
    lacking = [label for label in reasons if label in needed or not told]
    if lacking:
        shown = "; ".join(f"{label}: {reasons[label]}" for label in lacking)
        beside = "" if only or not told else "; or name what is to be taught by --only"
        raise CorpusError(f"nothing can be learnt of {shown}{beside}")
    return told


def _why_not(label: str, holds: NDArray[np.bool_]) -> str:
    """Say why nothing can be learnt of a label, if so."""
    if label == SILENCE:
        return "is decided by level, and cannot be taught"
    if not len(holds):
        return "nothing can be heard in what holds it"
    if holds.all():
        there = counted(len(holds), "example, which holds it", "examples, which all hold it")
        return f"{there}: add some that do not"
    if not holds.any():
        there = counted(len(holds), "example, which lacks it", "examples, which all lack it")
        return f"{there}: add some that hold it"
    return ""


def _teach_label(model: Model, examples: Examples, label: str) -> tuple[_Head, Taught]:
    places, holds = examples.of_label(label)
    these = examples.of(places)
    groups = np.array([each.group for each in these.said])
    known = list(model.labels[: model.ensemble.n_told])
    is_new = label not in known
    if is_new:
        own = np.zeros(len(places))
        slope = 1.0
        rest = examples.embedded[_beside(examples, label)]

        def fit(inside: NDArray[np.bool_]) -> tuple[NDArray[np.float64], float]:
            return fit_head(these.embedded[inside], holds[inside], groups[inside], rest)
    else:
        column = known.index(label)
        slope, intercept = map(float, model.calibration[:, column])
        own = these.logits[:, column].astype(np.float64) * slope + intercept

        def fit(inside: NDArray[np.bool_]) -> tuple[NDArray[np.float64], float]:
            return fit_known(these.embedded[inside], own[inside], holds[inside])

    held_out = np.full(len(places), np.nan)
    for inside in _split_by_maker(groups, holds):
        if holds[inside].any() and not holds[inside].all():
            weights, bias = fit(inside)
            held_out[~inside] = own[~inside] + these.embedded[~inside] @ weights + bias
    heard = ~np.isnan(held_out)
    weights, bias = fit(np.ones(len(places), dtype=bool))
    figures = _figures(label, is_new, held_out, own, holds, groups)
    if is_new:
        (slope, intercept), threshold = _calibrated(held_out[heard], holds[heard])
        told = slope * (these.embedded[holds] @ weights + bias) + intercept
        others = slope * held_out[heard & ~holds] + intercept
        n_found, n_false = (
            int((1 / (1 + np.exp(-logits)) >= threshold).sum()) for logits in (told, others)
        )
        head = _Head(weights, bias, (slope, intercept), threshold)
        return head, replace(figures, n_found=n_found, n_false=n_false)
    # Of many makers, if one alone has it, nothing that holds it was held out.
    is_told = len(np.unique(groups)) == 1 or len(np.unique(groups[holds])) > 1
    better = is_told and _ranks_better(held_out[heard], own[heard], holds[heard])
    # Answers are no fair sample: what is added moves a label to neither side as a whole. It counts
    # before calibration, and so is divided by its slope.
    added = these.embedded @ weights
    bias = -(added[holds].mean() + added[~holds].mean()) / 2
    return _Head(weights / slope, bias / slope, None, None), replace(figures, is_used=better)


def _beside(examples: Examples, label: str) -> list[int]:
    """Find the examples that were not asked for a label, but for those of recordings that hold it.

    What is heard in one place of a recording may be everywhere in it.
    """
    holding = {each.path for each in examples.said if label in each.labels}
    return [
        place
        for place, each in enumerate(examples.said)
        if label not in each.asked and each.path not in holding
    ]


def _ranks_better(
    after: NDArray[np.float64], before: NDArray[np.float64], holds: NDArray[np.bool_]
) -> bool:
    """Tell whether examples that were held out are enough to tell, and now in better order.

    Their likelihood would not do: they are no fair sample, so that it rises where all of a label
    is only made likelier.
    """
    if min(int(holds.sum()), int((~holds).sum())) < LEAST_EXAMPLES:
        return False
    ones = np.ones(len(holds))
    return average_precision(holds, after, ones) > average_precision(holds, before, ones)


def _split_by_maker(groups: NDArray[np.str_], holds: NDArray[np.bool_]) -> list[NDArray[np.bool_]]:
    """Split examples by maker; by example where there is one maker only. Each as those inside."""
    from sklearn.model_selection import StratifiedGroupKFold

    makers = groups if len(np.unique(groups)) > 1 else np.arange(len(groups)).astype(np.str_)
    fewest = min(int(holds.sum()), int((~holds).sum()))
    n_folds = min(N_FOLDS, len(np.unique(makers)), fewest)
    if n_folds < 2:
        return []
    splitter = StratifiedGroupKFold(n_splits=n_folds, shuffle=True, random_state=0)
    inside = []
    for _, held_out in splitter.split(holds, holds.astype(np.int64), makers):
        fold = np.ones(len(groups), dtype=bool)
        fold[held_out] = False
        inside.append(fold)
    return inside


def _calibrated(
    logits: NDArray[np.float64], holds: NDArray[np.bool_]
) -> tuple[tuple[float, float], float]:
    """Fit calibration and threshold of a new label on what was held out."""
    if not can_choose(int(holds.sum()), int((~holds).sum())):
        return (1.0, 0.0), 0.5
    told = logits[:, None].astype(np.float32)
    calibration = fit_calibration(told, holds[:, None].astype(np.float32))
    if calibration[0, 0] < LEAST_SLOPE:
        calibration[0, 0] = LEAST_SLOPE
        calibration[1, 0] = _intercept(LEAST_SLOPE * logits, float(holds.mean()))
    threshold = _choose_threshold(calibrate(told, calibration)[:, 0], holds)
    return (float(calibration[0, 0]), float(calibration[1, 0])), threshold


def _intercept(logits: NDArray[np.float64], share: float) -> float:
    """Find what to add to logits so that probabilities are a share on average."""
    from scipy.optimize import brentq

    def excess(added: float) -> float:
        return float(np.mean(1 / (1 + np.exp(-np.clip(logits + added, -30, 30))))) - share

    return float(brentq(excess, -60, 60))


def _choose_threshold(scores: Array, holds: NDArray[np.bool_]) -> float:
    """Choose the threshold of the best F1 of those at which most of what is found holds the label.

    One half where there is none such: a label that cannot be told is to be found seldom, and not
    everywhere.
    """
    best, threshold = 0.0, 0.5
    for candidate in sorted(THRESHOLD_GRID, key=lambda t: abs(t - 0.5)):
        found = scores >= candidate
        right = int((found & holds).sum())
        if right and right >= LEAST_PRECISION * found.sum():
            f1 = 2 * right / (found.sum() + holds.sum())
            if f1 > best + F1_TOLERANCE:
                best, threshold = f1, float(candidate)
    return threshold


def _figures(
    label: str,
    is_new: bool,  # noqa: FBT001 (private)
    held_out: NDArray[np.float64],
    own: NDArray[np.float64],
    holds: NDArray[np.bool_],
    groups: NDArray[np.str_],
) -> Taught:
    heard = ~np.isnan(held_out)
    n_groups = len(np.unique(groups[holds]))
    enough = (
        n_groups >= LEAST_GROUPS
        and min(int((holds & heard).sum()), int((~holds & heard).sum())) >= LEAST_EXAMPLES
    )
    found, interval, before = float("nan"), (float("nan"), float("nan")), float("nan")
    if enough:
        ones = np.ones(int(heard.sum()))
        found = average_precision(holds[heard], held_out[heard], ones)
        before = before if is_new else average_precision(holds[heard], own[heard], ones)
        interval = group_interval(
            [str(group) for group in groups[heard]],
            lambda weights: _drawn(holds[heard], held_out[heard], weights),
        )
    return Taught(
        label,
        is_new,
        int(holds.sum()),
        int((~holds).sum()),
        n_groups,
        found,
        interval,
        before,
        is_used=True,
        n_held_out=(int((holds & heard).sum()), int((~holds & heard).sum())),
    )


def _drawn(
    holds: NDArray[np.bool_], scores: NDArray[np.float64], weights: NDArray[np.float64]
) -> float:
    """Average precision of a draw of makers; nan where none in it holds the label."""
    drawn = weights > 0
    return average_precision(holds[drawn], scores[drawn], weights[drawn])


def _with_heads(model: Model, heads: dict[str, _Head], name: str) -> Model:
    ensemble = model.ensemble
    labels = (*model.labels, *(label for label in heads if label not in model.labels))
    n_before, n_dimensions = (
        len(model.labels),
        (ensemble.embedding or ensemble.networks[0]).n_outputs,
    )
    weights = np.zeros((n_dimensions, len(labels)))
    biases = np.zeros(len(labels))
    if ensemble.taught is not None:
        weights[:, :n_before] = ensemble.taught.weights[0]
        biases[:n_before] = ensemble.taught.biases[0]
    calibration = np.ones((2, len(labels)))
    calibration[1] = 0
    calibration[:, :n_before] = model.calibration[:, :n_before]
    thresholds = dict(model.thresholds)
    own = dict(model.own_thresholds or model.thresholds)
    for label, head in heads.items():
        k = labels.index(label)
        weights[:, k], biases[k] = head.weights, head.bias
        if head.calibration is not None:
            calibration[:, k] = head.calibration
        if head.threshold is not None:
            thresholds[label] = own[label] = head.threshold
    added = Network((weights.astype(np.float32),), (biases.astype(np.float32),))
    of_kinds = model.calibration[:, n_before:]
    return replace(
        model,
        name=name,
        version="1.0.0",
        labels=labels,
        thresholds=thresholds,
        own_thresholds=own if model.own_thresholds else None,
        ensemble=replace(ensemble, taught=added if heads or ensemble.taught else None),
        calibration=np.concatenate([calibration, of_kinds], axis=1).astype(np.float32),
        source=None,
    )
