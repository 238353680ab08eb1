"""What people set by hand, kept apart from what the model said.

Law: a corrected result never both is tagged with whispering and holds no talking. What is set by
hand stands; what the model said of the other gives way. Scores, shares and the timeline stay the
model's; what is written without a word of what was set leaves out labels that are set as absent
(:func:`~asmr_classify.writers.documents.without_ruled_out`).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

from asmr_classify.errors import UsageError
from asmr_classify.labels import WHISPER, Kind, kind_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from asmr_classify.aggregate import FileResult

TRIGGER, NO_TALKING = "trigger", "no_talking"
"""What can be set."""

NONE = "none"
"""In place of a trigger: there is none."""

TRUTHS = {"true": True, "yes": True, "false": False, "no": False}


@dataclass(frozen=True, slots=True)
class Correction:
    """What was set by hand of one file; None where nothing was.

    Parameters
    ----------
    tags : tuple of str or None
        The main trigger first.
    no_talking : bool or None
    """

    tags: tuple[str, ...] | None = None
    no_talking: bool | None = None

    @classmethod
    def from_json(cls, text: str | None) -> Self:
        """Read what :meth:`to_json` wrote."""
        if text is None:
            return cls()
        values = json.loads(text)
        tags = values[TRIGGER]
        return cls(None if tags is None else tuple(tags), values[NO_TALKING])

    def to_json(self) -> str | None:
        """Write as text; None if nothing was set."""
        if self == Correction():
            return None
        return json.dumps({TRIGGER: self.tags, NO_TALKING: self.no_talking})

    def then(self, later: Correction) -> Correction:
        """Set more, or again.

        Raises
        ------
        UsageError
            If the two contradict each other.
        """
        both = Correction(
            self.tags if later.tags is None else later.tags,
            self.no_talking if later.no_talking is None else later.no_talking,
        )
        if both.no_talking and WHISPER in (both.tags or ()):
            raise UsageError(
                "trigger=whisper and no_talking=true contradict each other: whispering is talk; "
                "set both anew, as in trigger=tap no_talking=true"
            )
        return both

    def apply(self, result: FileResult) -> FileResult:
        """Put what was set in the place of what the model said."""
        tags, no_talking = result.tags, result.no_talking
        corrected = []
        if self.tags is not None:
            corrected.append(TRIGGER)
            tags = self.tags
            no_talking = False if WHISPER in tags else no_talking
        if self.no_talking is not None:
            corrected.append(NO_TALKING)
            no_talking = self.no_talking
            if no_talking and self.tags is None:
                tags = tuple(tag for tag in tags if tag != WHISPER)
        if not corrected:
            return result
        return replace(
            result,
            trigger=tags[0] if tags else None,
            tags=tags,
            no_talking=no_talking,
            longest_talk=0.0 if no_talking else result.longest_talk,
            corrected=tuple(corrected),
        )


def parse_correction(settings: Iterable[str], labels: Iterable[str]) -> Correction:
    """Read what is to be set.

    Parameters
    ----------
    settings : iterable of str
        Each ``trigger=LABEL[,LABEL]``, ``trigger=none`` or ``no_talking=true|false``.
    labels : iterable of str
        Those that are known.

    Returns
    -------
    Correction

    Raises
    ------
    UsageError
        If something else is to be set, the same is twice, or a trigger is unknown.

    Examples
    --------
    >>> parse_correction(["trigger=tap,whisper"], ["tap", "whisper"])
    Correction(tags=('tap', 'whisper'), no_talking=None)
    """
    triggers = [label for label in labels if kind_of(label) is Kind.TRIGGER]
    correction, seen = Correction(), set[str]()
    for setting in settings:
        name, _, value = setting.partition("=")
        if name in seen:
            lists = f", with all triggers in a list: {TRIGGER}=LABEL,LABEL" * (name == TRIGGER)
            raise UsageError(f"{setting}: {name} is set twice; give it once{lists}")
        seen.add(name)
        if name == TRIGGER:
            one = Correction(tags=_parse_tags(setting, value, triggers))
        elif name == NO_TALKING and value.lower() in TRUTHS:
            one = Correction(no_talking=TRUTHS[value.lower()])
        else:
            raise UsageError(
                f"{setting}: cannot be set; give trigger=LABEL,…, trigger=none, no_talking=true "
                "or no_talking=false"
            )
        correction = correction.then(one)
    return correction


def _parse_tags(setting: str, value: str, triggers: list[str]) -> tuple[str, ...]:
    if value == NONE:
        return ()
    if not value:
        raise UsageError(f"{setting}: names nothing; give {TRIGGER}=LABEL,… or {TRIGGER}={NONE}")
    tags = tuple(dict.fromkeys(value.split(",")))
    if NONE in tags:
        raise UsageError(
            f"{setting}: {NONE} means that there is no trigger, so it stands alone: give "
            f"{TRIGGER}={NONE}, or leave it out"
        )
    unknown = [tag for tag in tags if tag not in triggers]
    if unknown:
        raise UsageError(
            f"{setting}: {unknown[0]!r} is no trigger; known are {', '.join(triggers)}, and none; "
            "a label of your own is given to stretches in 'asmr-classify review', for 'teach'"
        )
    return tags
