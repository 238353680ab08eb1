"""What a catalogue holds of what people said, to teach from."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from asmr_classify.catalogue import parse_query
from asmr_classify.training.answers import (
    MOST_OTHERS,
    Said,
    others_beside,
    said_of_correction,
    settle,
    spread,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from asmr_classify.aggregate import FileResult
    from asmr_classify.catalogue import Catalogue


@dataclass(frozen=True, slots=True)
class Gathered:
    """What people said, and what of it is not learnt from.

    Parameters
    ----------
    said : list of Said
        And stretches beside, of which nothing was said.
    against : list of Said
        Of what was set of whole recordings, what answers speak against.
    changed : list of str
        Recordings that have changed since; what was said of them is left out.
    unplaced : list of (str, str)
        Recordings, and the labels that they were set to hold but that are heard nowhere in them.
    set_without : list of (str, str)
        Recordings, and the labels that were answered there, without which the recording was set,
        and which the model does not tell.
    """

    said: list[Said]
    against: list[Said]
    changed: list[str]
    unplaced: list[tuple[str, str]]
    set_without: list[tuple[str, str]]


def gather(
    known: Catalogue,
    triggers: Sequence[str],
    maker_of: Callable[[str], str],
    *,
    beside: Sequence[Said] = (),
) -> Gathered:
    """Gather what people said of recordings, by answers and by corrections.

    Parameters
    ----------
    known : Catalogue
    triggers : sequence of str
        Of the model that is to be taught.
    maker_of : callable
        Gives the maker of the recording at a path.
    beside : sequence of Said
        What was said elsewhere; no further stretches are taken of those recordings.

    Returns
    -------
    Gathered
    """
    answered = [
        Said(x.path, x.start, x.end, x.labels, x.asked, maker_of(x.path))
        for x in known.answers(replaced=False)
    ]
    held = {(each.path, label) for each in answered for label in each.labels}
    corrected, unplaced, were_set = [], [], {}
    for result in _iter_corrected(known):
        # Who set a file may not have known yet of a label that the model does not tell.
        spoken_of = filter(result.speaks_of, dict.fromkeys([*triggers, *result.tags]))
        said = said_of_correction(result, spoken_of, maker_of(result.path))
        corrected += said
        placed = {label for each in said for label in each.labels}
        there = filter(result.is_set, result.tags)
        unplaced += [(result.path, tag) for tag in there if tag not in placed]
        were_set[result.path] = result
    settled, against = settle(answered, corrected)
    paths = dict.fromkeys(each.path for each in settled)
    changed = dict.fromkeys(x for x in paths if os.path.lexists(x) and not known.is_current(x))
    some = (result for result in known.some(MOST_OTHERS) if known.is_current(result.path))
    others = others_beside(some, [*beside, *settled]) if settled else []
    return Gathered(
        [*spread(each for each in settled if each.path not in changed), *others],
        against,
        [*changed],
        [each for each in unplaced if each not in held],
        [
            (path, label)
            for path, label in sorted(held)
            if label not in triggers
            and path in were_set
            and were_set[path].speaks_of(label)
            and not were_set[path].is_set(label)
        ],
    )


def _iter_corrected(known: Catalogue) -> Iterator[FileResult]:
    """Give files that were set, without those that are gone and of which a copy was set, too."""
    for result in known.find(parse_query("corrected")):
        copies = [] if os.path.lexists(result.path) else known.copies_of([result.path])
        if not any(map(known.is_current, copies)):
            yield result
