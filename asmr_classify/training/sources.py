"""Which sources, finer labels and clips of an evaluation did badly."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from asmr_classify.training.metrics import NONE, main_classes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from asmr_classify.training.record import EvaluationRecord, JudgedClip


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
