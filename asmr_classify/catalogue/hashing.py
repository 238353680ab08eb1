"""What a file is known by: the hash of its content, which a move or another name leaves as it is.

The whole file is hashed, by BLAKE2b [1]_. A sample (size, head, middle, tail) would be quicker on
huge files, but takes two recordings of equal length for the same that differ in between, as the
two versions of a WAV do of which a cough was cut out by silence: hand-made corrections would be
given to the wrong file. It is not needed either. A file is hashed once, when it was labelled and
so was just read, at several times the speed of its labelling; and before labelling only if the
catalogue holds a file of just that size, which may have been moved here.

References
----------
.. [1] Saarinen and Aumasson (2015). The BLAKE2 cryptographic hash and message authentication code
   (MAC). RFC 7693.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

DIGEST_BYTES = 20
"""160 bits: two different files of one digest are not to be expected in any library."""

PIECE_BYTES = 1 << 22


def hash_file(
    path: str, *, size: int, mtime_ns: int, on_read: Callable[[], None] | None = None
) -> bytes | None:
    """Hash the content of a file.

    Parameters
    ----------
    path : str
    size, mtime_ns : int
        Bytes and time of change of the file that is meant.
    on_read : callable, optional
        Called with every :data:`PIECE_BYTES`.

    Returns
    -------
    bytes or None
        None if the file cannot be read, or is not, or no longer, the one that is meant.
    """
    try:
        with Path(path).open("rb") as file:
            digest = hashlib.blake2b(digest_size=DIGEST_BYTES)
            while piece := file.read(PIECE_BYTES):
                digest.update(piece)
                if on_read is not None:
                    on_read()
            status = os.fstat(file.fileno())
    except (OSError, ValueError):
        return None
    return digest.digest() if (status.st_size, status.st_mtime_ns) == (size, mtime_ns) else None
