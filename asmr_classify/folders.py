"""Where the program keeps what is the user's own, if the user has a place for that.

Users of containers and services have none, or one that they may not write to. So whoever wants to
keep something says what is to be done then: a cache is done without; a catalogue and the journals
of runs must lie somewhere, and an environment variable can say where.
"""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

APP = "asmr-classify"


def user_cache() -> Path | None:
    """Give the folder of what can be computed anew; None for a user without a home."""
    from platformdirs import user_cache_path

    return _absolute(user_cache_path)


def user_data() -> Path | None:
    """Give the folder of what the user made; None for a user without a home."""
    from platformdirs import user_data_path

    return _absolute(user_data_path)


def user_state() -> Path | None:
    """Give the folder of what the program must remember; None for a user without a home."""
    from platformdirs import user_state_path

    return _absolute(user_state_path)


def _absolute(find: Callable[[str], Path]) -> Path | None:
    try:
        path = find(APP)
    except RuntimeError:  # platformdirs cannot tell the home
        return None
    # Earlier versions give ~/.cache as it stands, which would be a folder in the working directory.
    return path if path.is_absolute() else None


def why_not_writable(folder: Path) -> OSError | None:
    """Make a folder if need be, and try to write a file in it.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    OSError or None
        What the system says; None if it can be written to.

    Notes
    -----
    A full disk takes an empty file, so that some bytes are written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder, buffering=0) as file:  # of a name that nothing has
            file.write(bytes(4096))
    except OSError as exc:
        return exc
    return None
