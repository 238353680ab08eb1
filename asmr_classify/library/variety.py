"""In which order a playlist plays.

The order **variety** is for people who grow tolerant to a trigger. It is greedy; ties are broken by
the seed:

1. *Trigger.* An item of another trigger is always taken while there is one. The triggers take
   turns, but for one that makes up more than half of what is left: it is taken every second time,
   as it could not be spaced otherwise. Law: two neighbours share a trigger only if one trigger
   outnumbers all others by two or more, and then as seldom as can be.
2. *Recording.* Within a trigger, recordings take turns, and the stretches of one keep their order.
   The turns of creators are spread evenly, as dithering spreads dots [1]_.
3. *Creator.* Of these turns the next one is taken whose creator was not just heard; failing that,
   the next whose recording was not.

The order **want** plays all of the label that was wanted first, then of the next: a night that
begins with taps and ends with rain. Each is varied by 2 and 3.

The same seed gives the same order of the same items on every machine: they are sorted first, and
only ``random.Random.random`` is drawn from, which Python promises to keep as it is.

References
----------
.. [1] M. Fiedler, The art of shuffling music, 2007.
   https://keyj.emphy.de/balanced-shuffle/
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict, deque
from enum import StrEnum
from typing import TYPE_CHECKING, TypeVar

from asmr_classify.library.makers import creator_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from asmr_classify.library.playlist import Item

T = TypeVar("T")


class Order(StrEnum):
    """In which order a playlist plays."""

    VARIETY = "variety"
    SCORE = "score"
    PATH = "path"
    SHUFFLE = "shuffle"
    WANT = "want"


def iter_ordered(
    items: Iterable[Item], order: Order, *, seed: int = 0, want: Sequence[str] = ()
) -> Iterator[Item]:
    """Order items.

    Parameters
    ----------
    items : iterable of Item
        In any order.
    order : Order
        By variety, see the module; by score, highest first; by path; at random; or as wanted: all
        of a label before the next one, each by variety.
    seed : int
        Of all that is random.
    want : sequence of str
        The labels as wanted; items of other labels come last.

    Yields
    ------
    Item
        Each once.
    """
    items = sorted(items, key=lambda item: (item.path, item.start, item.end, item.label))
    rng = random.Random(seed)  # noqa: S311 (no secret)
    if order is Order.VARIETY:
        yield from _iter_varied(items, rng)
    elif order is Order.SHUFFLE:
        yield from _shuffled(items, rng)
    elif order is Order.SCORE:
        yield from sorted(items, key=lambda item: -item.score)
    elif order is Order.WANT:
        place = {label: n for n, label in enumerate(want)}
        labels = sorted({item.label for item in items}, key=lambda x: (place.get(x, len(place)), x))
        for label in labels:
            yield from _iter_varied([item for item in items if item.label == label], rng)
    else:
        yield from items


def _shuffled(values: Iterable[T], rng: random.Random) -> list[T]:
    return [value for _, _, value in sorted((rng.random(), i, x) for i, x in enumerate(values))]


def _iter_varied(items: Sequence[Item], rng: random.Random) -> Iterator[Item]:
    by_label: dict[str, list[Item]] = defaultdict(list)
    for item in items:
        by_label[item.label].append(item)
    shelves = {label: _Shelf(by_label[label], rng) for label in sorted(by_label)}
    turns = _shuffled(shelves, rng)
    last: Item | None = None
    for n_left in range(len(items), 0, -1):
        others = [label for label in turns if last is None or label != last.label] or turns
        label = next((label for label in others if 2 * len(shelves[label]) > n_left), others[0])
        turns.remove(label)
        last = shelves[label].take(last)
        if len(shelves[label]):
            turns.append(label)
        yield last


class _Shelf:
    """Items of one trigger, as recordings that take turns.

    Parameters
    ----------
    items : sequence of Item
        Sorted; those of one recording in the order in which they are to be played.
    rng : random.Random
    """

    def __init__(self, items: Sequence[Item], rng: random.Random) -> None:
        recordings: dict[str, deque[Item]] = defaultdict(deque)
        by_creator: dict[str, list[str]] = defaultdict(list)
        for item in items:
            if item.path not in recordings:
                by_creator[item.creator].append(item.path)
            recordings[item.path].append(item)
        places = [
            ((k + offset) / len(paths), path)
            for paths, offset in [(by_creator[name], rng.random()) for name in sorted(by_creator)]
            for k, path in enumerate(_shuffled(paths, rng))
        ]
        self._turns = deque(
            (creator_of(path), path, recordings[path]) for _, path in sorted(places)
        )
        self._n_items = len(items)
        self._n_creators = Counter(creator for creator, *_ in self._turns)

    def __len__(self) -> int:
        return self._n_items

    def take(self, last: Item | None) -> Item:
        """Take the item that is to follow another one."""
        place = 0 if last is None else self._place_after(last)
        creator, path, items = self._turns[place]
        del self._turns[place]
        item = items.popleft()
        self._n_items -= 1
        if items:
            self._turns.append((creator, path, items))
        else:
            self._n_creators[creator] -= 1
        return item

    def _place_after(self, last: Item) -> int:
        if self._n_creators[last.creator] < len(self._turns):
            return next(i for i, (name, *_) in enumerate(self._turns) if name != last.creator)
        return next((i for i, (_, path, _) in enumerate(self._turns) if path != last.path), 0)
