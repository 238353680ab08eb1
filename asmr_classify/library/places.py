"""Files change their places, and nothing is ever overwritten.

:func:`rename_exclusive` gives a file another name unless that name is taken. To look first and to
rename then would leave a moment in which another program may take the name, and ``rename`` of
POSIX would destroy its file. So the system is asked to look and rename in one call, by the first
of these that the system and the disk know:

1. ``renameat2`` with ``RENAME_NOREPLACE`` (Linux), ``renamex_np`` with ``RENAME_EXCL`` (macOS),
   ``rename`` of Windows, which never replaces. One call, which happens or does not.
2. ``link`` and ``unlink``: ``link`` never replaces. A kill between them leaves two names of one
   file; the step's settling takes the new one away.
3. Where there are no hard links either: an empty file is created at the target with ``O_EXCL``,
   which never replaces, and the file renamed over it. Only who writes into that empty file, which
   is a moment old, could lose by it; a kill between the two calls leaves it empty, and settling
   takes it away.

Where case does not count, two spellings may be one entry of a folder (:func:`is_same_entry`); the
new spelling is then no obstacle, and a plain rename changes it.
"""

from __future__ import annotations

import ctypes
import errno
import functools
import hashlib
import os
import shutil
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from asmr_classify.errors import StepError

if TYPE_CHECKING:
    from collections.abc import Callable

CHUNK_BYTES = 1 << 20
"""So much is copied at a time."""

AT_FDCWD, RENAME_NOREPLACE = -100, 1
"""Of Linux: fcntl.h, linux/fs.h."""

RENAME_EXCL = 4
"""Of macOS: sys/stdio.h."""

UNKNOWN_TO_DISK = {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP}
"""How system and disk say that they do not know a way to rename."""

NO_LINKS = {*UNKNOWN_TO_DISK, errno.EPERM, errno.EMLINK, errno.EACCES}
"""How a disk says that it has no hard links, or no more of them for this file."""


def rename_exclusive(source: str, target: str, *, note: Callable[..., None] | None = None) -> None:
    """Give a file another name on the same disk, unless it is taken.

    Parameters
    ----------
    source, target : str
    note : callable, optional
        Is told ``placeholder=True`` before an empty file is created at the target, and
        ``placeholder=False`` if it could not be.

    Raises
    ------
    FileExistsError
        If the name is taken.
    OSError
        If the file cannot be renamed; ``EXDEV`` if the target is on another disk.
    """
    if _rename_at_once(source, target):
        return
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError as exc:
        if exc.errno not in NO_LINKS:
            raise
        _rename_over_placeholder(source, target, note or (lambda **_: None))
    else:
        os.unlink(source)


def _rename_at_once(source: str, target: str) -> bool:
    """Rename in one call that never replaces; False where there is none."""
    if sys.platform == "win32":
        os.rename(source, target)
        return True
    call = _exclusive_call()
    if call is None:
        return False
    if call(os.fsencode(source), os.fsencode(target)) == 0:
        return True
    number = ctypes.get_errno()
    if number in UNKNOWN_TO_DISK:
        return False
    raise OSError(number, os.strerror(number), source, None, target)


@functools.cache
def _exclusive_call() -> Callable[[bytes, bytes], int] | None:
    """Find the system's call that renames without replacing."""
    libc = ctypes.CDLL(None, use_errno=True)
    if sys.platform == "darwin":
        if not hasattr(libc, "renamex_np"):
            return None
        return lambda source, target: int(libc.renamex_np(source, target, RENAME_EXCL))
    if not hasattr(libc, "renameat2"):
        return None
    return lambda source, target: int(
        libc.renameat2(AT_FDCWD, source, AT_FDCWD, target, RENAME_NOREPLACE)
    )


def _rename_over_placeholder(source: str, target: str, note: Callable[..., None]) -> None:
    note(placeholder=True)
    try:
        os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except OSError:
        note(placeholder=False)
        raise
    try:
        os.replace(source, target)
    except OSError:
        os.unlink(target)
        note(placeholder=False)
        raise


def is_below(path: str, top: str) -> bool:
    """Tell whether a path is a folder's or, by its name, lies in it.

    Examples
    --------
    >>> is_below("/in/a.mp3", "/in"), is_below("/inn", "/in")
    (True, False)
    """
    return path == top or path.startswith(os.path.join(top, ""))


def is_same_entry(source: str, target: str) -> bool:
    """Tell whether two paths are one entry of one folder, spelt twice.

    They are where case or the form of Unicode does not count, or where a folder is reached in two
    ways. Two names of one file (hard links) are two entries.

    Parameters
    ----------
    source : str
        Exists.
    target : str
    """
    if source == target:
        return True
    try:
        one, other = os.lstat(source), os.lstat(target)
    except OSError:
        return False
    if not os.path.samestat(one, other):
        return False
    if one.st_nlink == 1:
        return True
    folder, name = os.path.split(target)
    return name not in os.listdir(folder or ".")


def check_folder(folder: str) -> None:
    """Check that files can get names in a folder, or lose them.

    Raises
    ------
    StepError
        With the nearest folder that is there, if that may not be written, so that all files that
        cannot be touched for one cause tell the same.
    """
    place = folder
    while not os.path.isdir(place) and place != os.path.dirname(place):
        place = os.path.dirname(place)
    if not os.access(place, os.W_OK | os.X_OK):
        raise StepError(place, _why_not_writable(place))
    if place != folder:
        raise StepError(folder, "this folder is not there; make it, and give the command again")


def _why_not_writable(folder: str) -> str:
    is_read_only = hasattr(os, "statvfs") and os.statvfs(folder).f_flag & os.ST_RDONLY
    if is_read_only:
        return "this folder is on a disk that is read-only: mount it so that it can be written"
    return "this folder may not be written: change its permissions"


def copy_verified(source: str, part: str, on_bytes: Callable[[int], None]) -> str:
    """Copy a file to a new one, have it on the disk, and read it back to compare.

    Times and permissions are kept.

    Parameters
    ----------
    source : str
    part : str
        Must not exist.
    on_bytes : callable
        Is told how many more bytes were copied.

    Returns
    -------
    str
        BLAKE2b digest of the content, in hexadecimal.

    Raises
    ------
    StepError
        If what is read back is not what was written.
    OSError
        If something cannot be read or written; ``part`` is left to the caller then.
    """
    digest = hashlib.blake2b()
    with Path(source).open("rb") as reader, open_private(part) as writer:
        while chunk := reader.read(CHUNK_BYTES):
            writer.write(chunk)
            digest.update(chunk)
            on_bytes(len(chunk))
        writer.flush()
        os.fsync(writer.fileno())
        _forget_cached(writer)
    shutil.copystat(source, part)
    if digest_of(part) != digest.hexdigest():
        raise StepError(source, "its copy does not read back as it was written: check the disk")
    return digest.hexdigest()


def open_private(path: str) -> BinaryIO:
    """Make a file that nobody else may read until it has the permissions that it should have."""
    return open(path, "xb", opener=lambda name, flags: os.open(name, flags, 0o600))


def _forget_cached(file: BinaryIO) -> None:
    """Let what is read next come from the disk, and not from memory, where that can be asked."""
    if sys.platform == "linux":
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def is_being_written(path: str, twin: str) -> bool:
    """Tell whether another program has a file open to write, where that can be told.

    What such a program writes after the file was replaced is lost with the old one. Linux grants no
    lease to read such a file. Some disks of networks grant none of any file.

    Parameters
    ----------
    path : str
    twin : str
        A file of the same disk that nobody has open, which tells whether leases are granted.
    """
    return _is_lease_refused(path) and not _is_lease_refused(twin)


def _is_lease_refused(path: str) -> bool:
    if sys.platform != "linux":
        return False
    import fcntl
    import signal

    with Path(path).open("rb") as file:
        try:
            # Should somebody open it just now: the signal that tells it is one that ends nothing.
            fcntl.fcntl(file, fcntl.F_SETSIG, signal.SIGURG)
            fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        except OSError as exc:
            return exc.errno == errno.EAGAIN
        fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    return False


def digest_of(path: str) -> str:
    """Give the BLAKE2b digest of a file, in hexadecimal."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "blake2b").hexdigest()


def sync_folder(path: str) -> None:
    """Have the entries of a folder on the disk, where the system can do that."""
    if sys.platform == "win32":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        with suppress(OSError):  # some network disks cannot
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_if_there(path: str) -> None:
    """Remove a file that may or may not exist."""
    with suppress(FileNotFoundError):
        os.unlink(path)
