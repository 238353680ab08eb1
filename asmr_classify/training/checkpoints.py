"""Fits that are done, kept until the model is, so that training goes on where it was interrupted.

They lie in the cache, by the digest of all that decides them: the corpus and its rows, settings,
and the code that fits. Who changes any of these gets other fits, and who changes nothing the same.
Those of a training that was given up are removed by any later one, after :data:`MOST_DAYS`.
"""

from __future__ import annotations

import hashlib
import shutil
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar

import numpy as np

from asmr_classify import estimators
from asmr_classify.checksums import file_sha256
from asmr_classify.errors import OutputError
from asmr_classify.features import encoder
from asmr_classify.features.cache import kept_arrays, save_arrays

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from numpy.typing import NDArray


class Fitted(Protocol):
    """What can be kept: it gives its arrays by name, and is made of them."""

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Name all arrays."""
        ...

    @classmethod
    def of_arrays(cls, named: Mapping[str, NDArray[Any]]) -> Self:
        """Put it together again; KeyError if an array is missing."""
        ...


F = TypeVar("F", bound=Fitted)

DIGEST = "digest"
"""Of all other arrays in a file."""

MOST_DAYS = 30
"""For which fits are kept of a training that is not gone on with."""


@dataclass(frozen=True, slots=True)
class Checkpoints:
    """A folder of what one training has fitted so far.

    Parameters
    ----------
    folder : path or None
        None to keep nothing.
    needed : bool
        Whether it is an error if nothing can be written there.
    """

    folder: Path | None = None
    needed: bool = False

    @classmethod
    def of(cls, cache: Path | None, *, needed: bool, decided_by: Iterable[object]) -> Checkpoints:
        """Find those of a training in a cache, and remove those of trainings given up.

        Parameters
        ----------
        cache : path or None
        needed : bool
        decided_by : iterable
            What all its fits are made from: arrays, and things whose representation tells all.
        """
        if cache is None:
            return cls()
        folder = cache / "fits" / _digest([_code(), *decided_by])
        _remove_given_up(folder)
        return cls(folder, needed)

    def fitted(self, kind: type[F], fit: Callable[[], F], *decided_by: object) -> F:
        """Read a fit if it is kept and whole, else make and keep it.

        Parameters
        ----------
        kind : type
            What the fit gives.
        fit : callable
            Makes it.
        *decided_by
            What decides it beside that of which all fits are made: settings, folds left out.

        Raises
        ------
        OutputError
            If it must be kept and cannot be.
        """
        if self.folder is None:
            return fit()
        place = self.folder / f"{_digest([kind.__name__, *decided_by])}.npz"
        kept = kept_arrays(place) or {}
        if str(kept.pop(DIGEST, "")) == _digest([*kept, *kept.values()]):
            return kind.of_arrays(kept)
        made = fit()
        arrays = made.arrays()
        digest = np.array(_digest([*arrays, *arrays.values()]))
        try:
            save_arrays(place, **arrays, **{DIGEST: digest})
        except OutputError:
            if self.needed:
                raise
        return made

    def forget(self) -> None:
        """Remove all of them: the model that they were for is written."""
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)


def _remove_given_up(folder: Path) -> None:
    """Remove what lies beside a folder of fits and was not written to for long."""
    oldest = time.time() - MOST_DAYS * 24 * 3600
    with suppress(OSError):  # there is none, or others remove it too
        for other in folder.parent.iterdir():
            if other != folder and other.stat().st_mtime < oldest:
                shutil.rmtree(other, ignore_errors=True)


def _code() -> str:
    """Tell by which code is fitted."""
    import sklearn

    modules = (estimators, encoder)
    paths = [*sorted(Path(__file__).parent.glob("*.py")), *(Path(str(m.__file__)) for m in modules)]
    return f"{sklearn.__version__} {[file_sha256(path) for path in paths]}"


def _digest(things: Iterable[object]) -> str:
    digest = hashlib.sha256()
    for thing in things:
        if isinstance(thing, np.ndarray):
            digest.update(f"{thing.dtype}{thing.shape}".encode())
            digest.update(np.ascontiguousarray(thing).data)
        else:
            digest.update(f"{thing!r}\n".encode())
    return digest.hexdigest()[:32]
