"""What is drawn of recordings, made once and then kept in the cache until a recording changes.

Layout of a cache, a folder in the user's: a file per recording, named by a hash of its absolute
path, holds :data:`HEADER` and the content. The header repeats size and time of change of the
recording; where they differ, or the length is not what the header says, the content is made anew.
Files are written beside and moved into place, so that one that was broken off is never read.
"""

from __future__ import annotations

import hashlib
import os
import stat
import struct
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from asmr_classify.folders import user_cache

HEADER = struct.Struct("<4sHqq")
"""Magic, number of bytes, and size and mtime_ns of the recording."""


@dataclass(frozen=True, slots=True)
class Cache:
    """Where one kind of content is kept.

    Parameters
    ----------
    folder : Path or None
        None keeps nothing.
    magic : bytes
        Four, which tell the kind; changed when it is made otherwise.
    """

    folder: Path | None
    magic: bytes

    @classmethod
    def of_user(cls, name: str, magic: bytes) -> Cache:
        """Give the cache of this name in the user's, if the user has one."""
        folder = user_cache()
        return cls(None if folder is None else folder / name, magic)


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording as it is now, and the place of its content in the cache."""

    path: str
    size: int
    mtime_ns: int
    magic: bytes
    kept: Path | None

    @classmethod
    def find(cls, path: str, cache: Cache) -> Recording | None:
        """Find a recording; None if it is gone or no regular file."""
        try:
            status = Path(path).stat()
            name = hashlib.sha256(os.fsencode(Path(path).absolute())).hexdigest()
        except (OSError, ValueError):  # ValueError: what no path can hold, NUL say
            return None
        if not stat.S_ISREG(status.st_mode):
            return None
        kept = None if cache.folder is None else cache.folder / name[:2] / name[2:]
        return cls(path, status.st_size, status.st_mtime_ns, cache.magic, kept)

    def read(self) -> bytes | None:
        """Read from the cache; None if nothing is there of the recording as it is now."""
        if self.kept is None:
            return None
        try:
            held = self.kept.read_bytes()
            known = HEADER.unpack_from(held)
        except (OSError, struct.error):
            return None
        content = held[HEADER.size :]
        return content if known == self._header(content) else None

    def keep(self, content: bytes) -> None:
        """Write into the cache, or do without where that is not possible."""
        if self.kept is None:
            return
        scratch = self.kept.with_suffix(f".{os.getpid()}.part")
        try:
            self.kept.parent.mkdir(parents=True, exist_ok=True)
            scratch.write_bytes(HEADER.pack(*self._header(content)) + content)
            scratch.replace(self.kept)
        except OSError:
            with suppress(OSError):
                scratch.unlink()

    def _header(self, content: bytes) -> tuple[bytes, int, int, int]:
        return self.magic, len(content), self.size, self.mtime_ns
