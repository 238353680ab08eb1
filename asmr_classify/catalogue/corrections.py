"""What people set by hand, kept apart from what the model said.

Law: a corrected result never both is tagged with whispering and holds no talking. What is set by
hand stands; what the model said of the other gives way. Scores, shares and the timeline stay the
model's; what is written without a word of what was set leaves out labels that are set as absent
(:func:`~asmr_classify.writers.documents.without_ruled_out`).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Self

from asmr_classify.errors import UsageError
from asmr_classify.labels import WHISPER, Kind, kind_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from asmr_classify.aggregate import FileResult

TRIGGER, NO_TALKING, KINDS = "trigger", "no_talking", "kinds"
"""What can be set."""

ASKED = "asked"
"""Beside them: the triggers that were known then."""

SETTINGS = "trigger=LABEL,…, trigger=none, kinds=KIND,…, kinds=none, no_talking=true|false"
"""How that is written where it is explained."""

NONE = "none"
"""In place of a trigger, or of kinds: there is none."""

NAMED = {TRIGGER: ("trigger", "LABEL"), KINDS: ("kind", "KIND")}
"""What lists are of, and how that is written where it is explained."""

OWN = "; a label of your own is given to stretches in 'asmr-classify review', for 'teach'"

SET_SCORE = 1.0
"""Of a kind that was set and that the model does not tell."""

TRUTHS = {"true": True, "yes": True, "false": False, "no": False}


@dataclass(frozen=True, slots=True)
class Correction:
    """What was set by hand of one file; None where nothing was.

    Parameters
    ----------
    tags : tuple of str or None
        The main trigger first.
    no_talking : bool or None
    kinds : tuple of str or None
    asked : tuple of str or None
        The triggers that there were when ``tags`` was set: of others it says nothing. None for all.
    """

    tags: tuple[str, ...] | None = None
    no_talking: bool | None = None
    kinds: tuple[str, ...] | None = None
    asked: tuple[str, ...] | None = field(default=None, compare=False)

    @classmethod
    def from_json(cls, text: str | None) -> Self:
        """Read what :meth:`to_json` wrote."""
        if text is None:
            return cls()
        values = json.loads(text)
        tags, kinds, asked = (
            None if names is None else tuple(names)
            for names in (values[TRIGGER], values.get(KINDS), values.get(ASKED))
        )
        return cls(tags, values[NO_TALKING], kinds, asked)

    def to_json(self) -> str | None:
        """Write as text; None if nothing was set."""
        if self == Correction():
            return None
        values = {TRIGGER: self.tags, NO_TALKING: self.no_talking, KINDS: self.kinds}
        return json.dumps(values | {ASKED: self.asked})

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
            self.kinds if later.kinds is None else later.kinds,
            self.asked if later.tags is None else later.asked,
        )
        if both.no_talking and WHISPER in (both.tags or ()):
            raise UsageError(
                "trigger=whisper and no_talking=true contradict each other: whispering is talk; "
                "set both anew, as in trigger=tap no_talking=true"
            )
        return both

    def apply(self, result: FileResult) -> FileResult:
        """Put what was set in the place of what the model said."""
        tags, no_talking, kinds = result.tags, result.no_talking, result.kinds
        asked = None if self.asked is None else (*self.asked, *(self.tags or ()))
        corrected = []
        if self.tags is not None:
            corrected.append(TRIGGER)
            unasked = () if asked is None else (tag for tag in tags if tag not in asked)
            tags = (*self.tags, *unasked)
            no_talking = False if WHISPER in tags else no_talking
        if self.no_talking is not None:
            corrected.append(NO_TALKING)
            no_talking = self.no_talking
            if no_talking:
                tags = tuple(tag for tag in tags if tag != WHISPER)
        if self.kinds is not None:
            corrected.append(KINDS)
            scores = {kind: result.kinds.get(kind, SET_SCORE) for kind in self.kinds}
            kinds = dict(sorted(scores.items(), key=lambda item: -item[1]))
        if not corrected:
            return result
        return replace(
            result,
            trigger=tags[0] if tags else None,
            tags=tags,
            no_talking=no_talking,
            longest_talk=0.0 if no_talking else result.longest_talk,
            corrected=tuple(corrected),
            asked=asked,
            kinds=kinds,
        )


def parse_correction(
    settings: Iterable[str], labels: Iterable[str], kinds: Iterable[str] = ()
) -> Correction:
    """Read what is to be set.

    Parameters
    ----------
    settings : iterable of str
        Each ``trigger=LABEL[,LABEL]``, ``trigger=none``, ``kinds=KIND[,KIND]``, ``kinds=none`` or
        ``no_talking=true|false``.
    labels, kinds : iterable of str
        Those that are known.

    Returns
    -------
    Correction

    Raises
    ------
    UsageError
        If something else is to be set, the same is twice, or a trigger or kind is unknown.

    Examples
    --------
    >>> parse_correction(["trigger=tap,whisper"], ["tap", "whisper"]).tags
    ('tap', 'whisper')
    """
    triggers = [label for label in labels if kind_of(label) is Kind.TRIGGER]
    correction, seen = Correction(), set[str]()
    for setting in settings:
        name, _, value = setting.partition("=")
        if name in seen:
            what, word = NAMED.get(name, ("", ""))
            lists = f", with all {what}s in a list: {name}={word},{word}" if what else ""
            raise UsageError(f"{setting}: {name} is set twice; give it once{lists}")
        seen.add(name)
        if name == TRIGGER:
            one = Correction(_parse_names(setting, triggers, OWN), asked=tuple(triggers))
        elif name == KINDS:
            one = Correction(kinds=_parse_names(setting, tuple(kinds)))
        elif name == NO_TALKING and value.lower() in TRUTHS:
            one = Correction(no_talking=TRUTHS[value.lower()])
        else:
            raise UsageError(f"{setting}: cannot be set; give {SETTINGS}")
        correction = correction.then(one)
    return correction


def _parse_names(setting: str, known: Sequence[str], hint: str = "") -> tuple[str, ...]:
    """Read a list of labels or kinds, or that there is none."""
    name, _, value = setting.partition("=")
    what, word = NAMED[name]
    if value == NONE:
        return ()
    if not value:
        raise UsageError(f"{setting}: names nothing; give {name}={word},… or {name}={NONE}")
    names = tuple(dict.fromkeys(value.split(",")))
    if NONE in names:
        raise UsageError(
            f"{setting}: {NONE} means that there is no {what}, so it stands alone: give "
            f"{name}={NONE}, or leave it out"
        )
    unknown = [x for x in names if x not in known]
    if unknown:
        listed = f"{', '.join(known)}, and {NONE}"
        raise UsageError(f"{setting}: {unknown[0]!r} is no {what}; known are {listed}{hint}")
    return names
