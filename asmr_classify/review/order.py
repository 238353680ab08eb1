"""Which stretches are asked first.

- **mixed**: those of which the model is unsure, but not many of one maker, of one recording or of
  one sound in a row: each further one of a kind counts for less, as it teaches less.
- **uncertain**: the least sure first.
- **diverse**: makers, recordings and sounds take turns, however sure the model is.
- **random**: any; what is answered so says how good the model is.
- **suspicious**: first what contradicts answers and folders given so far, see
  :mod:`~asmr_classify.review.suspicious`; then mixed.
- **label=X**: where a label may be heard, the least sure first; from the first answers on, what
  teaches it most, see :mod:`~asmr_classify.review.lesson`. So does the mixed order once a label is
  named that the model does not know.

The same stretches come in the same order whenever they are asked for.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from enum import StrEnum
from typing import TYPE_CHECKING

from asmr_classify.errors import UsageError
from asmr_classify.library.makers import creator_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from asmr_classify.review.stretches import Stretch

MAKER_RATE, SOUND_RATE = 0.8, 0.9
"""What a further stretch of one maker, or of the same labels, counts for, times that of the one
before: the third of a maker comes after another's that is two thirds as unsure."""

POSSIBLE = 0.05
"""Labels that are less sure than this are not looked for."""


class Order(StrEnum):
    """Which stretches are asked first."""

    MIXED = "mixed"
    UNCERTAIN = "uncertain"
    DIVERSE = "diverse"
    RANDOM = "random"
    SUSPICIOUS = "suspicious"
    LABEL = "label"


def parse_order(text: str, labels: Collection[str]) -> tuple[Order, str | None]:
    """Read an order.

    Parameters
    ----------
    text : str
        ``mixed``, ``uncertain``, ``diverse``, ``random``, ``suspicious`` or ``label=X``.
    labels : collection of str
        Those that X may be.

    Returns
    -------
    Order
    label : str or None

    Raises
    ------
    UsageError
        If it is none.

    Examples
    --------
    >>> order, label = parse_order("label=tap", ["tap"])
    >>> order.value, label
    ('label', 'tap')
    """
    name, equals, label = text.partition("=")
    if name == Order.LABEL and equals:
        if label not in labels:
            raise UsageError(
                f"--order {text}: {label!r} is no label of these recordings; known are "
                f"{', '.join(labels)}"
            )
        return Order.LABEL, label
    names = [order.value for order in Order if order is not Order.LABEL]
    if text not in names:
        raise UsageError(f"--order {text}: give {', '.join(names)}, or label=LABEL")
    return Order(text), None


def arrange(stretches: Iterable[Stretch], order: Order, label: str | None = None) -> list[Stretch]:
    """Put stretches in the order in which they are asked.

    Parameters
    ----------
    stretches : iterable of Stretch
    order : Order
        Suspicious ones are put before a mixed order by whoever knows what was answered.
    label : str, optional
        Of the order by label, which leaves out where it cannot be.

    Returns
    -------
    list of Stretch
    """
    if order is Order.RANDOM:
        return sorted(stretches, key=_lot)
    known = sorted(stretches, key=lambda x: (x.path, x.start, x.end))
    if label is not None and any(label in x.opinion for x in known):
        possible = [x for x in known if x.opinion.get(label, 0.0) >= POSSIBLE]
        return sorted(possible, key=lambda x: abs(x.opinion[label] - 0.5))
    uncertainty = [x.uncertainty for x in known]
    places = sorted(range(len(known)), key=lambda k: -uncertainty[k])
    unsure = [known[k] for k in places]
    if order is Order.UNCERTAIN:
        return unsure
    return _spread(unsure, None if order is Order.DIVERSE else [uncertainty[k] for k in places])


def _lot(stretch: Stretch) -> bytes:
    """Draw what a stretch is sorted by: whichever others there are, it is the same."""
    return hashlib.blake2b(repr(stretch.key).encode(), digest_size=8).digest()


def _spread(stretches: Sequence[Stretch], uncertainty: Sequence[float] | None) -> list[Stretch]:
    """Let each further stretch of a maker, and of the same labels, count for less.

    Of one maker, recordings take turns by the same rule.
    """
    once = [1.0] * len(stretches) if uncertainty is None else uncertainty
    recordings: Counter[str] = Counter()
    turns = []
    for k, stretch in enumerate(stretches):
        turns.append(once[k] * MAKER_RATE ** recordings[stretch.path])
        recordings[stretch.path] += 1
    in_turns = _by_worth(turns)
    makers: Counter[str] = Counter()
    maker_of = {path: creator_of(path) for path in recordings}
    sounds: Counter[tuple[str, ...]] = Counter()
    worth = []
    for k in in_turns:
        maker, sound = maker_of[stretches[k].path], stretches[k].heard
        worth.append(once[k] * MAKER_RATE ** makers[maker] * SOUND_RATE ** sounds[sound])
        makers[maker] += 1
        sounds[sound] += 1
    return [stretches[in_turns[place]] for place in _by_worth(worth)]


def _by_worth(worth: Sequence[float]) -> list[int]:
    return sorted(range(len(worth)), key=lambda k: -worth[k])
