"""What is asked next where a label is to be learnt: each answer about it decides.

Where stretches lie among sounds is heard ahead, and :mod:`~asmr_classify.training.ask` chooses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from asmr_classify.library.makers import creator_of

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from numpy.typing import NDArray

    from asmr_classify.review.likeness import Embed
    from asmr_classify.review.session import Session
    from asmr_classify.review.stretches import Key, Stretch

MOST_HEARD = 300
"""Stretches that are listened to: more than a sitting."""

AT_ONCE = 10
"""Stretches that are heard before answers are looked at again."""

PATIENCE = 0.3
"""Seconds between two looks at the answers."""

AHEAD = 20
"""Stretches that are put into order at a time."""


def follow(
    session: Session,
    label: Callable[[], str | None],
    embed: Embed,
    stop: threading.Event,
    *,
    patience: float = PATIENCE,
) -> None:
    """Put what no page has shown yet into the order that teaches a label most, again and again.

    Parameters
    ----------
    session : Session
    label : callable
        Tells which; None as long as there is none.
    embed : callable
        Tells where a stretch lies among sounds.
    stop : threading.Event
        Ends it.
    patience : float
        Seconds between two looks at the answers.
    """
    places: dict[Key, NDArray[np.float32] | None] = {}
    last: object = None
    while not stop.is_set():
        wanted = label()
        said = {} if wanted is None else session.said_of(wanted)
        unheard = [] if wanted is None else _unheard(session, said, places)
        for key in unheard:
            if stop.is_set():
                return
            places[key] = embed(key)
        if unheard or (wanted, said) != last:
            last = (wanted, said)
            if wanted is not None:
                session.rearrange(lambda rest, said=said: _ordered(rest, said, places))  # type: ignore[misc]
        if not unheard:
            stop.wait(patience)


def _unheard(
    session: Session, said: dict[Key, bool], places: dict[Key, NDArray[np.float32] | None]
) -> list[Key]:
    """Give some stretches to listen to: those that were answered, then what comes next."""
    if len(places) >= MOST_HEARD:
        return []
    keys = dict.fromkeys([*said, *(stretch.key for stretch in session.unseen())])
    return [key for key in keys if key not in places][:AT_ONCE]


def _ordered(
    rest: list[Stretch], said: dict[Key, bool], places: dict[Key, NDArray[np.float32] | None]
) -> list[Stretch]:
    """Put stretches in order; those that were not heard, or were answered elsewhere, come last."""
    from asmr_classify.training.ask import next_to_ask  # not before the page is there

    known = [key for key in said if places.get(key) is not None]
    heard = [x for x in rest if x.key not in said and places.get(x.key) is not None]
    if not heard:
        return rest
    keys = [*known, *(stretch.key for stretch in heard)]
    chosen = next_to_ask(
        np.stack([place for key in keys if (place := places[key]) is not None]),
        [creator_of(path) for path, *_ in keys],
        range(len(known)),
        [said[key] for key in known],
        AHEAD,
    )
    first = [heard[k - len(known)] for k in chosen]
    taken = {stretch.key for stretch in first}
    return [*first, *(stretch for stretch in rest if stretch.key not in taken)]
