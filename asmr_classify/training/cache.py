"""What is kept from run to run: files of arrays that appear whole or not at all."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from asmr_classify.errors import OutputError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


def save_arrays(path: Path, **arrays: NDArray[Any]) -> None:
    """Write arrays to an ``.npz`` file: beside its place, then renamed.

    Parameters
    ----------
    path : path
        Its folder is made if it is missing.
    **arrays : ndarray

    Raises
    ------
    OutputError
        If that fails.
    """
    scratch = path.with_name(f"{path.stem}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with scratch.open("wb") as file:
            np.savez(file, **cast("dict[str, Any]", arrays))
        scratch.replace(path)
    except OSError as exc:
        with suppress(OSError):
            scratch.unlink()
        raise OutputError(f"{path.parent}: cannot write the cache: {exc.strerror}") from exc
