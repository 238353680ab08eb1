"""The words that labels are made of: their kinds, the reserved ones, and what each of ours means.

A model brings its own labels and their order; this module only says which kind a label is and
defines those of the shipped model. ``silence`` is reserved: it is decided by level, never learnt.
"""

from __future__ import annotations

from difflib import get_close_matches
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

Word = TypeVar("Word", bound=StrEnum)

SILENCE = "silence"
"""Reserved context: nothing audible."""

SPEECH = "speech"
"""Context: voiced talk. With ``whisper`` it decides ``no_talking``."""

MUSIC = "music"
"""Context: any music."""

OTHER = "other"
"""Context: whatever no other label holds."""

WHISPER = "whisper"
"""Trigger: whispered talk. With ``speech`` it decides ``no_talking``."""

TAP = "tap"
"""Trigger: taps, whose rhythm can be measured."""

WHITE_NOISE = "white_noise"
"""Trigger: steady noise."""


class Kind(StrEnum):
    """Whether listeners seek a label (trigger) or not (context)."""

    TRIGGER = "trigger"
    CONTEXT = "context"


DEFINITIONS: Mapping[str, str] = MappingProxyType(
    {
        "whisper": "whispered, unvoiced speech, in any language, intelligible or not",
        "tap": "fingers or nails on a hard thing, knocking, typing, clicking, ticking, chopping",
        "crinkle": "paper, plastic, foil, wrappers, dry leaves, tearing, page turning",
        "white_noise": "white, pink and brown noise, fans, vacuums; steady rain, surf, wind",
        "speech": "voiced talk, soft-spoken included",
        "music": "any music",
        "other": "everything else: animals, traffic, brushing, scratching, chewing, writing",
        "silence": "nothing audible; decided by level, not learnt",
    }
)
"""What each label of the shipped model holds."""

TRIGGERS: tuple[str, ...] = ("whisper", "tap", "crinkle", "white_noise")
"""The triggers of the shipped model, in its order."""

CONTEXTS: tuple[str, ...] = ("speech", "music", "other")
"""The learnt contexts of the shipped model, in its order; a label of these names is a context in
any model."""


def word_of(words: type[Word], text: object, what: str) -> Word:
    """Find a word of a closed set in what others wrote.

    Parameters
    ----------
    words : type of StrEnum
    text : object
        Of any type, as JSON holds any.
    what : str
        What the word says, for the message.

    Raises
    ------
    ValueError
        If it is none; the message names all there are.

    Examples
    --------
    >>> word_of(Kind, "trigger", "kind").value
    'trigger'
    >>> word_of(Kind, "maybe", "kind")
    Traceback (most recent call last):
    ValueError: kind 'maybe' is none of trigger, context
    """
    if text not in list(words):
        raise ValueError(f"{what} {text!r} is none of {', '.join(words)}")
    return words(str(text))


def kind_of(label: str) -> Kind:
    """Tell whether a label is a trigger or a context.

    Parameters
    ----------
    label : str
        Any label, of the shipped model or of a user's own.

    Returns
    -------
    Kind
        ``CONTEXT`` for ``speech``, ``music``, ``other`` and ``silence``, else ``TRIGGER``.

    Examples
    --------
    >>> kind_of("crinkle").value, kind_of("speech").value
    ('trigger', 'context')
    """
    return Kind.CONTEXT if label in CONTEXTS or label == SILENCE else Kind.TRIGGER


def one_word(name: str) -> str:
    """Give a label as it is kept, however people write it: underscores stand for spaces.

    Examples
    --------
    >>> one_word(" soap  cutting ")
    'soap_cutting'
    """
    return "_".join(name.split())


def same_but_for_case(label: str, others: Iterable[str]) -> str | None:
    """Give the first label that differs from one in case only, or None.

    Examples
    --------
    >>> same_but_for_case("Tap", TRIGGERS), same_but_for_case("tap", TRIGGERS)
    ('tap', None)
    """
    folded = label.casefold()
    return next((x for x in others if x != label and x.casefold() == folded), None)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Guess what an unknown name was meant to be, to be added to a message; empty if like none.

    Examples
    --------
    >>> did_you_mean("Tapp", TRIGGERS), did_you_mean("white", TRIGGERS), did_you_mean("x", TRIGGERS)
    ('; did you mean tap?', '; did you mean white_noise?', '')
    """
    folded, names = name.casefold(), list(known)
    begun = [one for one in names if one.startswith((f"{folded}_", f"{folded}."))]
    close = begun or get_close_matches(folded, names, n=1)
    return f"; did you mean {close[0]}?" if close else ""


def letters_of(labels: Iterable[str]) -> dict[str, str]:
    """Give each label a letter, by which it is told from the others without colour.

    Parameters
    ----------
    labels : iterable of str
        Those of the shipped model get their letters first, so that these are always the same.

    Returns
    -------
    dict of str to str
        The initial of a word of the label, else any of its letters that is free, else ``?``;
        capital for triggers. ``silence`` has none.

    Examples
    --------
    >>> letters_of(["tap", "typing"])["tap"], letters_of(["tap", "typing"])["typing"]
    ('T', 'Y')
    """
    letters: dict[str, str] = {}
    for label in dict.fromkeys((*TRIGGERS, *CONTEXTS, *labels)):
        if label != SILENCE:
            letters[label] = _free_letter(label, letters.values())
    return letters


def _free_letter(label: str, taken: Collection[str]) -> str:
    initials = "".join(word[:1] for word in label.split("_"))
    used = {letter.lower() for letter in taken}
    letters = (x for x in (initials + label).lower() if x.isalnum() and x not in used)
    letter = next(letters, "?")
    return letter.upper() if kind_of(label) is Kind.TRIGGER else letter
