"""One sitting: the queue of stretches, the labels on offer, and what was answered.

Every answer goes to the catalogue before anything else is told of it; the session keeps only what
can be made anew. Others may write into the same catalogue meanwhile: what was answered is read from
there whenever stretches are shown.
"""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from asmr_classify.catalogue import Catalogue
from asmr_classify.catalogue.answers import check_new_label
from asmr_classify.errors import UsageError
from asmr_classify.labels import SILENCE, one_word
from asmr_classify.report.data import looks_of_labels

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from asmr_classify.catalogue import Answer
    from asmr_classify.report.data import LabelLook
    from asmr_classify.review.stretches import Key, Stretch

MOST_LABELS = 40
"""On one page: more cannot be looked through for each stretch."""

MOST_AT_ONCE = 50
"""Stretches that are given at a time."""

AT_FIRST = 4
"""Stretches that are in the page as it is given: that at hand, and what is fetched ahead."""

MOST_STEPS = 1000
"""Answers of a tab that can be undone."""


@dataclass(frozen=True, slots=True)
class Step:
    """What undo takes back: the answers of a stretch before and after a key."""

    number: int
    before: Answer | None
    after: tuple[str, ...] | None


class Session:
    """A queue of stretches, and the answers to them. Threads may share it.

    Parameters
    ----------
    catalogue : str
        The file that answers go to.
    stretches : sequence of Stretch
        In the order in which they are asked; at least one.
    labels : iterable of str
        What is offered; those of answers given so far are offered too.
    shows_opinion : bool
        Tell what the model thinks before the answer, not after it.

    Attributes
    ----------
    n_given : int
        How many stretches were answered in this sitting.
    """

    def __init__(
        self,
        catalogue: str,
        stretches: Sequence[Stretch],
        labels: Iterable[str],
        *,
        shows_opinion: bool = False,
    ) -> None:
        self.shows_opinion = shows_opinion
        self._catalogue = catalogue
        self._stretches = list(stretches)
        self._by_key = {x.key: x for x in self._stretches}
        self._n_shown = 0
        self._steps: dict[str, list[Step]] = {}
        self._lock = threading.RLock()
        with Catalogue.open(catalogue) as known:
            answers = known.answers()
        self._answered: dict[Key, tuple[str, ...]] = {}
        told = tuple(labels)
        offered = dict.fromkeys([*told, *(x for answer in answers for x in answer.asked)])
        self._named: list[str] = []
        self._labels = [look.name for look in looks_of_labels(offered) if look.name != SILENCE]
        self.n_given = 0

    def __len__(self) -> int:
        return len(self._stretches)

    def stretch(self, number: int) -> Stretch:
        """Give one stretch of the queue.

        Raises
        ------
        UsageError
            If there is none of this number.
        """
        with self._lock:
            if not 0 <= number < len(self._stretches):
                raise UsageError(f"there is no stretch {number} in this session; reload the page")
            return self._stretches[number]

    def looks(self) -> list[LabelLook]:
        """Tell how labels are shown, in the order of their keys."""
        with self._lock:
            looks = {look.name: look for look in looks_of_labels(self._labels)}
            return [looks[label] for label in self._labels]

    def add_label(self, name: str) -> str:
        """Offer one more label.

        Returns
        -------
        str
            As it is kept: spaces at its ends are gone, those within are underscores.

        Raises
        ------
        UsageError
            If it is none, or there are too many.
        """
        label = one_word(name)
        if label == SILENCE:
            raise UsageError("silence is decided by level; answer 0 where nothing is heard")
        with self._lock:
            if label not in self._labels:
                check_new_label(label, self._labels)
                if len(self._labels) >= MOST_LABELS:
                    raise UsageError(f"there are {MOST_LABELS} labels already; use one of these")
                self._labels.append(label)
                self._named.append(label)
        return label

    def start(self) -> dict[str, Any]:
        """Tell what a page needs when it is opened: labels, where to begin, and some stretches."""
        with self._lock:
            self._look_up(self._stretches)
            open_ = (k for k, x in enumerate(self._stretches) if x.key not in self._answered)
            first = next(open_, len(self._stretches) - 1)
            return {
                "labels": self.labels(),
                "total": len(self._stretches),
                "first": first,
                "stretches": self.page(first, AT_FIRST),
                "progress": self.progress(),
            }

    def labels(self) -> list[dict[str, Any]]:
        """Give the labels as a page shows them."""
        return [
            {
                "name": x.name,
                "letter": x.letter,
                "colour": x.colour,
                "trigger": x.is_trigger,
                "definition": x.definition,
            }
            for x in self.looks()
        ]

    def page(self, first: int, count: int) -> list[dict[str, Any]]:
        """Give some stretches with what was answered of them.

        Parameters
        ----------
        first, count : int
            Beyond the end there are none.
        """
        last = min(first + min(count, MOST_AT_ONCE), len(self))
        with self._lock:
            shown = self._stretches[max(0, first) : last]
            if shown:
                self._n_shown = max(self._n_shown, last)
        self._look_up(shown)
        return [self._describe(first + k, x) for k, x in enumerate(shown)]

    def answer(
        self,
        number: int,
        labels: Sequence[str] | None,
        tab: str,
        *,
        asked: Sequence[str] | None = None,
    ) -> dict[str, Any]:
        """Keep what is heard in a stretch.

        Parameters
        ----------
        number : int
        labels : sequence of str or None
            What is heard, of the labels that are offered; none of them if empty. None takes back
            what was answered.
        tab : str
            Which page says so: each undoes its own answers.
        asked : sequence of str, optional
            Labels that the page showed; of others, which may have been named elsewhere meanwhile,
            nothing is said. All by default.

        Raises
        ------
        UsageError
            If there is no such stretch or label, or the recording has changed.
        CatalogueError
            If the catalogue cannot be written: then nothing was kept.
        """
        stretch = self.stretch(number)
        with self._lock, Catalogue.open(self._catalogue) as known:
            unknown = [label for label in labels or () if label not in self._labels]
            if unknown:
                raise UsageError(f"{unknown[0]!r} is not offered; name it as a new label first")
            before = _find(known, stretch)
            after = None if labels is None else tuple(dict.fromkeys(labels))
            shown = [x for x in self._labels if asked is None or x in asked]
            self._write(known, stretch, after, shown)
            steps = self._steps.setdefault(tab, [])
            steps.append(Step(number, before, after))
            self.n_given += (after is not None) - (before is not None)
            del steps[:-MOST_STEPS]
        return self._told(number)

    def undo(self, tab: str) -> dict[str, Any]:
        """Take back the last answer of a page.

        Raises
        ------
        UsageError
            If there is none, or its stretch was answered anew elsewhere.
        CatalogueError
            If the catalogue cannot be written: then it can be tried again.
        """
        with self._lock, Catalogue.open(self._catalogue) as known:
            steps = self._steps.get(tab)
            if not steps:
                raise UsageError("there is nothing to undo")
            step = steps[-1]
            stretch = self.stretch(step.number)
            now = _find(known, stretch)
            if step.after != (None if now is None else now.labels):
                steps.pop()
                raise UsageError("this was answered anew elsewhere since, and stays as it is")
            before = step.before
            labels = None if before is None else before.labels
            self._write(known, stretch, labels, () if before is None else before.asked)
            steps.pop()  # not before: what cannot be written may be tried again
            self.n_given += (before is not None) - (now is not None)
        return self._told(step.number)

    def _write(
        self,
        known: Catalogue,
        stretch: Stretch,
        labels: Sequence[str] | None,
        asked: Sequence[str],
    ) -> None:
        if labels is None:
            known.take_back(*stretch.key)
            self._answered.pop(stretch.key, None)
        else:
            known.answer(*stretch.key, labels, asked)
            self._answered[stretch.key] = tuple(labels)

    def _told(self, number: int) -> dict[str, Any]:
        with self._lock:
            stretch = self._stretches[number]
            return {"stretch": self._describe(number, stretch), "progress": self.progress()}

    def progress(self) -> dict[str, Any]:
        """Tell how many were answered, and for each label how often it was and was not heard."""
        with self._lock:
            heard: Counter[str] = Counter()
            against: Counter[str] = Counter()
            for key, labels in self._answered.items():
                heard.update(labels)
                stretch = self._by_key[key]
                against.update((set(labels) ^ {*stretch.heard}) & {*stretch.opinion})
            return {
                "answered": len(self._answered),
                "tally": [
                    {"label": x, "heard": heard[x], "against": against[x]}
                    for x in self._labels
                    if heard[x] or against[x]
                ],
            }

    def _describe(self, number: int, stretch: Stretch) -> dict[str, Any]:
        from asmr_classify.review.sound import media_type

        labels = self._answered.get(stretch.key)
        is_told = self.shows_opinion or labels is not None
        return {
            "number": number,
            "path": stretch.path,
            "start": stretch.start,
            "end": stretch.end,
            "duration": stretch.duration,
            "type": media_type(stretch),
            "labels": None if labels is None else list(labels),
            "opinion": {k: round(p, 2) for k, p in stretch.opinion.items()} if is_told else None,
        }

    def _look_up(self, stretches: Sequence[Stretch]) -> None:
        """Read from the catalogue what was answered, here or by others."""
        paths = dict.fromkeys(x.path for x in stretches)
        with self._lock, Catalogue.open(self._catalogue) as known:
            found = {(x.path, x.start, x.end): x.labels for x in known.answers([*paths])}
            for stretch in stretches:
                if stretch.key in found:
                    self._answered[stretch.key] = found[stretch.key]
                else:
                    self._answered.pop(stretch.key, None)

    def rearrange(self, better: Callable[[list[Stretch]], list[Stretch]]) -> None:
        """Put the stretches that no page has shown yet into another order.

        Parameters
        ----------
        better : callable
            Given them, gives them all, in the order that is wanted.
        """
        with self._lock:
            shown, rest = self._stretches[: self._n_shown], self._stretches[self._n_shown :]
            self._stretches = [*shown, *better(rest)]

    def newest_label(self) -> str | None:
        """Give the label that was named last in this sitting; None for none."""
        with self._lock:
            return self._named[-1] if self._named else None

    def said_of(self, label: str) -> dict[Key, bool]:
        """Tell of which stretches it is known whether a label is heard there, and whether."""
        with Catalogue.open(self._catalogue) as known:
            answers = known.answers(replaced=False)
        return {(x.path, x.start, x.end): label in x.labels for x in answers if label in x.asked}

    def unseen(self) -> list[Stretch]:
        """Give the stretches that no page has shown yet."""
        with self._lock:
            return self._stretches[self._n_shown :]


def _find(known: Catalogue, stretch: Stretch) -> Answer | None:
    answers = known.answers([stretch.path])
    return next((x for x in answers if (x.path, x.start, x.end) == stretch.key), None)
