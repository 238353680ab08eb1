"""Window probabilities to segments."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Segment:
    """A labelled span.

    Parameters
    ----------
    start, end : float
        Seconds from the beginning of the file, ``0 <= start < end <= duration``.
    label : str
        A trigger or context of the model, or ``silence``.
    score : float
        Mean probability over the span, in [0, 1].
    """

    start: float
    end: float
    label: str
    score: float
