"""Which sources, finer labels and clips of an evaluation did badly."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from asmr_classify.training.metrics import NONE, average_precision, main_classes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from asmr_classify.training.metrics import Measures
    from asmr_classify.training.record import EvaluationRecord, JudgedClip


N_COSTLIEST = 5
"""Groups that are shown as costing most."""

ABOUT_COSTLIEST = (
    "Average precision, every clip alike, without the groups that cost most, each row without "
    "those above it as well. These are no figures of the model; they tell which sounds it does "
    "not know."
)


LEAST_ALIKE = (0, 3, 10, 20)
"""How many clips of the same kind other groups hold, for :func:`familiar_rows`."""

ABOUT_FAMILIAR = (
    "Figures, every clip alike, of the clips whose kind, the finer label, so many clips of other "
    "groups hold: what no other source held could not be learnt."
)


LENGTHS = ((0.0, 1.5), (1.5, 5.0), (5.0, np.inf))
"""Seconds from which to which clips are taken together, for :func:`length_rows`."""

ABOUT_LENGTHS = (
    "Figures, every clip alike, by how long a clip is: a sound of under a second is often "
    "undecidable, for people too."
)

SIZES = ((1, 2), (3, 10), (11, np.inf))
"""Clips of a group from which to which groups are taken together, for :func:`size_rows`."""

ABOUT_SIZES = (
    "Figures, every clip alike, by how many clips there are of the same group: one large group may "
    "be easy or hard as a whole, and many small ones are nearest to what people will bring."
)


@dataclass(frozen=True, slots=True)
class SourceFigures:
    """How the clips of one group did.

    Parameters
    ----------
    group : str
    n_held, n_right : int
        Clips with a trigger, and those of them whose main tag is right.
    n_clear, n_false : int
        Clips without a trigger, and those of them that got a tag.
    """

    group: str
    n_held: int
    n_right: int
    n_clear: int
    n_false: int

    @property
    def n_clips(self) -> int:
        """All clips."""
        return self.n_held + self.n_clear

    @property
    def n_errors(self) -> int:
        """Clips whose main tag is wrong."""
        return self.n_held - self.n_right + self.n_false


@dataclass(frozen=True, slots=True)
class Mistake:
    """A clip whose main tag is wrong.

    Parameters
    ----------
    clip : JudgedClip
    expected, found : str
        A trigger or ``none``.
    distance : float
        Of the score that is furthest from the truth, in [0, 1]: how sure the error is.
    """

    clip: JudgedClip
    expected: str
    found: str
    distance: float


def source_figures(record: EvaluationRecord) -> list[SourceFigures]:
    """Count right and wrong main tags by group, those with most errors first.

    Parameters
    ----------
    record : EvaluationRecord

    Returns
    -------
    list of SourceFigures
    """
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for clip, expected, found in _classes(record):
        kind = "clear" if expected == NONE else "held"
        counts[clip.group].update([kind, f"{kind} {expected == found}"])
    figures = [
        SourceFigures(group, c["held"], c["held True"], c["clear"], c["clear False"])
        for group, c in counts.items()
    ]
    return sorted(figures, key=lambda f: (-f.n_errors, -f.n_clips, f.group))


@dataclass(frozen=True, slots=True)
class WithoutSource:
    """Figures of an evaluation without a group, and without those that cost more.

    Parameters
    ----------
    group : str
    n_clips : int
        Of the group.
    average_precision : mapping of str to float
        Per trigger, over the clips that are left.
    """

    group: str
    n_clips: int
    average_precision: Mapping[str, float]

    @property
    def mean_average_precision(self) -> float:
        """Mean over triggers."""
        return float(np.mean(list(self.average_precision.values())))


def costliest_sources(record: EvaluationRecord, limit: int) -> list[WithoutSource]:
    """Find the groups that mean average precision would be highest without.

    They tell what the figures hang on, and what to look at first; figures without them are no
    figures of the model.

    Parameters
    ----------
    record : EvaluationRecord
    limit : int
        Find no more groups.

    Returns
    -------
    list of WithoutSource
        The costliest first; each without those before it as well. A group is left out only where
        every trigger is held, and not held, by clips of others.
    """
    held = np.stack([record.holds(trigger) for trigger in record.triggers], axis=1)
    scores = np.stack([record.scores_of(trigger) for trigger in record.triggers], axis=1)
    groups = np.array([clip.group for clip in record.clips])

    def figures(kept: NDArray[np.bool_]) -> dict[str, float] | None:
        inside, weights = held[kept], np.ones(kept.sum())
        if not len(inside) or inside.all(axis=0).any() or not inside.any(axis=0).all():
            return None
        return {
            trigger: average_precision(inside[:, k], scores[kept, k], weights)
            for k, trigger in enumerate(record.triggers)
        }

    everything = np.ones(len(groups), dtype=bool)
    whole = figures(everything)
    if whole is None:
        return []
    gains = {}
    for source in source_figures(record):
        if source.n_errors and (alone := figures(groups != source.group)):
            gains[source.group] = sum(alone.values()) - sum(whole.values())
    costly = sorted((group for group in gains if gains[group] > 0), key=lambda g: (-gains[g], g))
    found: list[WithoutSource] = []
    kept = everything
    for group in costly:
        left = kept & (groups != group)
        if len(found) < limit and (rest := figures(left)):
            found.append(WithoutSource(group, int((groups == group).sum()), rest))
            kept = left
    return found


def familiar_rows(
    record: EvaluationRecord,
) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Write out figures by how many clips of the same kind others hold: a table's head and rows.

    Rows without a clip of some trigger, or without one that holds none, are left out.
    """
    kinds = Counter(clip.finer for clip in record.clips)
    own = Counter((clip.finer, clip.group) for clip in record.clips)
    alike = [kinds[clip.finer] - own[clip.finer, clip.group] for clip in record.clips]
    parts = [(f"{least} or more", np.array(alike) >= least) for least in LEAST_ALIKE]
    return _rows_of(record, "others hold", parts)


def length_rows(record: EvaluationRecord) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Write out figures by how long clips are: a table's head and rows.

    Rows without a clip of some trigger, or without one that holds none, are left out.
    """
    seconds = np.array([clip.seconds for clip in record.clips])
    parts = [
        (_range(least, most, "s"), (seconds >= least) & (seconds < most)) for least, most in LENGTHS
    ]
    return _rows_of(record, "length", parts)


def size_rows(record: EvaluationRecord) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Write out figures by how many clips there are of a group: a table's head and rows.

    Rows without a clip of some trigger, or without one that holds none, are left out.
    """
    counts = Counter(clip.group for clip in record.clips)
    sizes = np.array([counts[clip.group] for clip in record.clips])
    parts = [
        (_range(least, most, "clips"), (sizes >= least) & (sizes <= most)) for least, most in SIZES
    ]
    return _rows_of(record, "group of", parts)


def _range(low: float, high: float, unit: str) -> str:
    return f"{low:g} {unit} or more" if np.isinf(high) else f"{low:g} to {high:g} {unit}"


def _rows_of(
    record: EvaluationRecord, first: str, parts: Sequence[tuple[str, NDArray[np.bool_]]]
) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Write out figures of parts of the clips: a table's head and rows."""
    rows: list[tuple[str, ...]] = []
    for name, inside in parts:
        clips = tuple(clip for clip, kept in zip(record.clips, inside, strict=True) if kept)
        figures = _figures(replace(record, clips=clips).measures()) if clips else (np.nan,)
        if not np.isnan(figures).any():
            rows.append((name, str(len(clips)), *(f"{value:.3f}" for value in figures)))
    head = (first, "clips", "mean AP", "macro-F1", "false tags")
    return (*head, *(f"recall of {trigger}" for trigger in record.triggers)), rows


def _figures(measures: Measures) -> tuple[float, ...]:
    return (
        *(measures.mean_average_precision, measures.macro_f1, measures.false_tags),
        *measures.recall.values(),
    )


def costliest_rows(
    record: EvaluationRecord,
) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Write out what :func:`costliest_sources` finds, as the head and the rows of a table."""
    rows = [
        (
            *(source.group, str(source.n_clips), f"{source.mean_average_precision:.3f}"),
            *(f"{ap:.3f}" for ap in source.average_precision.values()),
        )
        for source in costliest_sources(record, N_COSTLIEST)
    ]
    return ("without", "its clips", "mean AP", *record.triggers), rows


@dataclass(frozen=True, slots=True)
class SourceTable:
    """A table that cards and pages show.

    Parameters
    ----------
    title, about : str
    head : tuple of str
    rows : list of tuple of str
    """

    title: str
    about: str
    head: tuple[str, ...]
    rows: list[tuple[str, ...]]


def source_tables(record: EvaluationRecord) -> list[SourceTable]:
    """Tell on which kinds of sounds, and on which sources, the figures hang."""
    return [
        SourceTable("By length", ABOUT_LENGTHS, *length_rows(record)),
        SourceTable("By size of the source", ABOUT_SIZES, *size_rows(record)),
        SourceTable("What it has heard of", ABOUT_FAMILIAR, *familiar_rows(record)),
        SourceTable("What the figures hang on", ABOUT_COSTLIEST, *costliest_rows(record)),
    ]


def worst_mistakes(record: EvaluationRecord) -> list[Mistake]:
    """List the clips whose main tag is wrong, the surest errors first.

    Parameters
    ----------
    record : EvaluationRecord

    Returns
    -------
    list of Mistake
    """
    mistakes = [
        Mistake(clip, expected, found, _distance(record, clip))
        for clip, expected, found in _classes(record)
        if expected != found
    ]
    return sorted(mistakes, key=lambda m: (-m.distance, m.clip.name))


def false_tags(record: EvaluationRecord) -> list[tuple[str, int, Mapping[str, int]]]:
    """Count false tags among clips without a trigger, by finer label.

    Parameters
    ----------
    record : EvaluationRecord

    Returns
    -------
    list of (finer label, number of its clips, clips by the main tag that they got)
        Those with most false tags first; finer labels without any are left out.
    """
    clear: Counter[str] = Counter()
    taken: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for clip, expected, found in _classes(record):
        if expected == NONE:
            clear[clip.finer] += 1
            if found != NONE:
                taken[clip.finer][found] += 1
    ordered = sorted(taken, key=lambda finer: (-taken[finer].total(), finer))
    return [(finer, clear[finer], dict(taken[finer].most_common())) for finer in ordered]


def _classes(record: EvaluationRecord) -> list[tuple[JudgedClip, str, str]]:
    expected, found = main_classes(record.truth(), record.main())
    return list(zip(record.clips, expected.tolist(), found.tolist(), strict=True))


def _distance(record: EvaluationRecord, clip: JudgedClip) -> float:
    return max(
        abs((label in clip.labels) - score)
        for label, score in zip(record.labels, clip.scores, strict=True)
        if label in record.triggers
    )


def legible(text: str) -> str:
    r"""Write a name so that it can stand on a page: what does not show is written as an escape.

    Examples
    --------
    >>> print(legible("a\x00b"), legible("caf\udce9"), legible("囁き"))
    a\x00b caf\udce9 囁き
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
