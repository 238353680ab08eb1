"""What a catalogue knows by one model, for a run that labels with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asmr_classify.aggregate import results_key

if TYPE_CHECKING:
    from collections.abc import Callable

    from asmr_classify.aggregate import FileResult
    from asmr_classify.catalogue.store import Catalogue
    from asmr_classify.media.found import Found
    from asmr_classify.model import Model


class KnownResults:
    """The results of one model in a catalogue; a run asks it first and tells it what is new.

    Parameters
    ----------
    catalogue : Catalogue
    model : Model
        Results of another model, or of other thresholds, are not given.
    fresh : bool
        Give none at all.
    of_any : bool
        Give those of other models and thresholds too.
    on_other : callable, optional
        Told of each result, without corrections, that is to give way to that of ``model`` though
        a model of another name made it: it is no earlier version.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        model: Model,
        *,
        fresh: bool = False,
        of_any: bool = False,
        on_other: Callable[[FileResult], None] | None = None,
    ) -> None:
        self._catalogue = catalogue
        self._settings = results_key(model)
        self._name = model.name
        self._on_other = on_other
        self._of_any = of_any
        self._fresh = fresh
        self._of_others: set[str] = set()

    def recall(self, found: Found) -> FileResult | None:
        """Give the result of a file, wherever it lay when it was labelled."""
        if self._fresh:
            return None
        result = self._catalogue.recall(found, self._settings)
        if result is None and self._of_any:
            result = self._catalogue.recall(found, None)
            if result is not None:
                self._of_others.add(found.path)
        return result

    def recall_other(self, found: Found) -> FileResult | None:
        """Give what another model, or one with other thresholds, said of a file."""
        other = self._catalogue.recall(found, None)
        if other is not None and self._on_other and name_of(other) != self._name:
            self._on_other(other)
        return None if self._fresh else other

    def has_failed(self, found: Found) -> bool:
        """Tell whether a file could not be labelled by its own fault, and has not changed since."""
        return self._catalogue.has_failed(found, self._settings)

    def record(self, found: Found, result: FileResult) -> None:
        """Keep a result; one that was recalled, and added to, as that of whose it was."""
        settings = None if found.path in self._of_others else self._settings
        self._catalogue.add(found, result, settings)


def name_of(result: FileResult) -> str:
    """Tell the name of the model that made a result, whatever its version."""
    return result.model.rpartition("@")[0]
