"""What is asked, in which order: first by what is known, and then better, once it was heard.

A page should be there at once, so that a queue is made of timelines and names alone. Orders that go
by sound put what no page has shown yet into a better order as soon as some of it was decoded.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from asmr_classify.errors import UsageError
from asmr_classify.labels import SILENCE
from asmr_classify.review.lesson import follow
from asmr_classify.review.likeness import hear_some, most_like, spread_out
from asmr_classify.review.order import Order, arrange
from asmr_classify.review.stretches import (
    by_path,
    cut_stretches,
    stretch_around,
    without_answered,
)
from asmr_classify.review.suspicious import claims_of, find_suspicious
from asmr_classify.units import time_to_seconds

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterable

    from asmr_classify.aggregate import FileResult
    from asmr_classify.catalogue import Answer
    from asmr_classify.review.likeness import Embed
    from asmr_classify.review.session import Session
    from asmr_classify.review.stretches import Stretch
    from asmr_classify.review.suspicious import Claim


MOST = 50_000
"""Stretches of a queue: more than are answered in one sitting, by far, and 50 MB. Those that are
left out, of which a library of long recordings has millions, are asked in later ones."""

BEFORE_SORTED = 4
"""Times as many are gathered before those that come last are dropped, as sorting takes its time."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be asked first.

    Parameters
    ----------
    order : Order
    label : str or None
        Of the order by label.
    like : Stretch or None
        What others are to sound like, whatever the order.
    """

    order: Order = Order.MIXED
    label: str | None = None
    like: Stretch | None = None


def read_place(text: str) -> tuple[str, float]:
    """Read a place in a recording.

    Raises
    ------
    UsageError
        If it is none.

    Examples
    --------
    >>> read_place("me@home.mkv@12.5"), read_place("night.mkv@1:02:03")
    (('me@home.mkv', 12.5), ('night.mkv', 3723.0))
    """
    path, _, seconds = text.rpartition("@")
    try:
        at = time_to_seconds(seconds)
    except ValueError:
        at = math.nan
    if not path or not (math.isfinite(at) and at >= 0):
        raise UsageError(
            f"--similar {text}: give a file and a time from its start, as rain.mp3@12.5 or "
            "rain.mp3@1:02:03"
        )
    return path, at


def place_like(result: FileResult, at: float) -> Stretch:
    """Give the stretch around a time of a recording.

    Raises
    ------
    UsageError
        If nothing is heard there.
    """
    if at >= result.decoded:
        raise UsageError(
            f"{result.path}: holds no sound at {at:g} s; it ends at {result.decoded:.1f} s"
        )
    like = stretch_around(result, at)
    silent = (s for s in result.segments if s.label == SILENCE)
    if any(s.start <= like.start and like.end <= s.end for s in silent):
        raise UsageError(
            f"{result.path}: is silent around {at:g} s, and nothing sounds like silence; give a "
            "time at which something is heard"
        )
    return like


def make_queue(
    results: Iterable[FileResult], answers: Iterable[Answer], wish: Wish, *, most: int = MOST
) -> list[Stretch]:
    """Cut recordings into stretches, and put these in the order in which they are asked.

    Parameters
    ----------
    results : iterable of FileResult
        By absolute paths; none is kept.
    answers : iterable of Answer
        What was answered is not asked again, unless it is suspicious.
    wish : Wish
    most : int
        Of the stretches, as many as come first.

    Returns
    -------
    list of Stretch
    """
    given = by_path(answers)
    found: list[Stretch] = []
    claims: list[Claim] = []
    for result in results:
        own = given.get(result.path, [])
        if wish.like is None and wish.order is Order.SUSPICIOUS:
            claims += claims_of(result, own)
        found += without_answered(cut_stretches(result), own)
        if len(found) > BEFORE_SORTED * most:
            found = _in_order(found, wish)[:most]
    suspicious = find_suspicious(claims)
    keys = {x.key for x in suspicious}
    return [*suspicious, *(x for x in _in_order(found, wish)[:most] if x.key not in keys)]


def _in_order(stretches: Iterable[Stretch], wish: Wish) -> list[Stretch]:
    if wish.like is None:
        return arrange(stretches, wish.order, wish.label)
    like = wish.like
    return sorted(stretches, key=lambda x: (_unlike(x, like), x.path, x.start))


def refine(session: Session, wish: Wish, stop: threading.Event, embed: Embed) -> None:
    """Listen to what comes next, and put it into a better order, where the order goes by sound.

    Parameters
    ----------
    session : Session
    wish : Wish
    stop : threading.Event
        Ends it.
    embed : callable
        Tells where stretches lie among sounds. In the order by label, and in the mixed one once a
        label is named that the model does not know, each answer then decides what is asked next.
    """
    _spread_by_sound(session, wish, embed, stop)
    if wish.like is None and wish.order in {Order.MIXED, Order.LABEL}:
        follow(session, lambda: wish.label or session.newest_label(), embed, stop)


def _spread_by_sound(session: Session, wish: Wish, embed: Embed, stop: threading.Event) -> None:
    if wish.like is None and wish.order not in {Order.MIXED, Order.DIVERSE}:
        return
    wanted = None if wish.like is None else embed(wish.like.key)
    places = hear_some(session.unseen(), embed, stop)
    if not places or (wish.like is not None and wanted is None):
        return

    def better(stretches: list[Stretch]) -> list[Stretch]:
        heard = [x for x in stretches if x.key in places]
        if not heard:
            return stretches
        X = np.stack([places[x.key] for x in heard])
        if wanted is not None:
            heard = most_like(heard, X, wanted)
        else:
            heard = spread_out(heard, X, by_uncertainty=wish.order is Order.MIXED)
        return [*heard, *(x for x in stretches if x.key not in places)]

    session.rearrange(better)


def _unlike(one: Stretch, other: Stretch) -> float:
    """Tell how far the model's opinions of two stretches differ."""
    labels = {*one.opinion, *other.opinion}
    return sum(abs(one.opinion.get(x, 0.0) - other.opinion.get(x, 0.0)) for x in labels)
