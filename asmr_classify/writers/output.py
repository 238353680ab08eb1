"""Where results go: a file or standard output, as UTF-8, one whole write after the other.

Law: a file holds only whole writes. One that fails half-way, on a full disk say, is cut off again,
and :class:`~asmr_classify.errors.OutputError` says what to do. A file that holds media is never
written over; by results, only earlier results are.
"""

from __future__ import annotations

import errno
import filecmp
import os
import secrets
import stat
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import IO, TYPE_CHECKING, Self

from asmr_classify.errors import OutputError, UsageError
from asmr_classify.media.recognise import MEDIA_EXTENSIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import TracebackType

PARQUET_START = b"PAR1"

LOOK_AT_BYTES = 4096
"""So much of an existing file is looked at to tell text from media."""

PAGE_MARK = b'<meta name="generator" content="asmr-classify '
"""Stands in the head of each page that this program writes."""

SCRATCH = ".asmr-classify.write-"
"""How files beside their place are called; `organise` has other names, which live longer."""

REMEDIES = {
    errno.ENOENT: "its folder does not exist: create it, or write elsewhere",
    errno.ENOTDIR: "a part of its path is a file: write elsewhere",
    errno.EISDIR: "it is a folder: name a file",
    errno.EACCES: "no permission: write elsewhere, or change the permissions",
    errno.EPERM: "no permission: write elsewhere, or change the permissions",
    errno.EROFS: "the disk is read-only: write elsewhere",
    errno.ENOSPC: "the disk is full: make room, or write elsewhere",
    errno.EDQUOT: "your disk quota is used up: make room, or write elsewhere",
    errno.EFBIG: "the file got larger than is allowed here: raise the limit, or write elsewhere",
}
"""What is wrong and what to do about it, by the system's number of the error."""


class Output:
    """A text stream whose writes are whole, flushed, and never fail without the name of the file.

    Parameters
    ----------
    raw : binary file
        Unbuffered, or flushed after each write.
    name : str
        How messages call it.
    size : int
        Bytes that it holds already.
    """

    def __init__(self, raw: IO[bytes], name: str, size: int = 0) -> None:
        self._raw = raw
        self._name = name
        self._size = size

    @property
    def closed(self) -> bool:
        """Whether nothing can be written any more."""
        return self._raw.closed

    def tell(self) -> int:
        """Bytes that were written."""
        return self._size

    def write(self, content: str | bytes) -> int:
        """Write a text or bytes whole, or not at all.

        Raises
        ------
        OutputError
            If it cannot be written.
        BrokenPipeError
            If nobody reads any more.
        """
        data = content.encode("utf-8", "backslashreplace") if isinstance(content, str) else content
        try:
            self._write_all(data)
        except BrokenPipeError:
            raise
        except OSError as exc:
            self._cut_off()
            raise OutputError(explain(self._name, exc)) from exc
        self._size += len(data)
        return len(content)

    def _write_all(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            rest = rest[self._raw.write(rest) :]
        self._raw.flush()

    def _cut_off(self) -> None:
        # Not every output can be cut: a terminal or a pipe cannot.
        with suppress(OSError, ValueError):
            self._raw.truncate(self._size)

    def flush(self) -> None:
        """Do nothing: every write is flushed."""

    def close(self) -> None:
        """Close the file."""
        try:
            self._raw.close()
        except OSError as exc:
            raise OutputError(explain(self._name, exc)) from exc

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class Replacement(Output):
    """A file that is written beside its place and moved there when it is whole.

    Use it in a ``with`` statement. If nothing is written, a write fails, or the block ends with an
    error, what stood in the place before stays; an interrupt is no error. Each has a file beside
    of its own, so that two at a time do not mix. A process that is killed leaves at most that file,
    which the next one takes away.

    Parameters
    ----------
    path : str
    keeps : bool
        Leave an earlier file alone that holds anything else, which then is an error at the end.

    Raises
    ------
    OutputError
        If no file can be made there, or written.
    UsageError
        At the end, if an earlier file is kept and holds anything else.
    """

    def __init__(self, path: str, *, keeps: bool = False) -> None:
        self._keeps = keeps
        self._target = Path(os.path.realpath(path))
        self._is_written = self._is_spoilt = False
        if self._target.is_dir():
            raise OutputError(f"{path}: cannot be written; {REMEDIES[errno.EISDIR]}")
        check_not_read_only(path)
        try:
            self._scratch, raw = _open_scratch(self._target)
        except OSError as exc:
            raise OutputError(explain(path, exc)) from exc
        super().__init__(raw, path)
        if self._target.exists():
            keep_access(self._target, self._scratch)

    def write(self, content: str | bytes) -> int:
        """Write a text or bytes whole; one that fails spoils the file."""
        self._is_written = True
        try:
            return super().write(content)
        except BaseException:
            self._is_spoilt = True
            raise

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        is_good = self._is_written and not (self._is_spoilt or isinstance(exc, Exception))
        try:
            if is_good:
                os.fsync(self._raw.fileno())  # or a power cut might leave a name without content
            self.close()
            if is_good and not (self._keeps and self._is_there()):
                self._scratch.replace(self._target)
        except OSError as failure:
            raise OutputError(explain(self._name, failure)) from failure
        finally:
            self._scratch.unlink(missing_ok=True)

    def _is_there(self) -> bool:
        """Tell whether the target holds the same already.

        Raises
        ------
        UsageError
            If it holds something else.
        """
        if not self._target.exists() or self._target.stat().st_size == 0:
            return False
        if filecmp.cmp(self._scratch, self._target, shallow=False):
            return True
        raise UsageError(
            f"{self._name}: exists and holds other than what is to be written, by hand perhaps, so "
            "it is left alone; remove it, or name another file"
        )


def _open_scratch(target: Path) -> tuple[Path, IO[bytes]]:
    """Open a file beside a target that nobody else writes to; it is locked while it is open."""
    _remove_leftovers(target.parent)
    while True:
        name = f"{SCRATCH}{os.getpid()}-{secrets.token_hex(4)}.part"
        scratch = target.with_name(name)
        raw = scratch.open("xb", buffering=0)
        _lock(raw, wait=True)
        if scratch.exists():  # nobody took it for a leftover before it was locked
            return scratch, raw
        raw.close()


@cache
def _remove_leftovers(folder: Path) -> None:
    """Remove what killed processes left in a folder; once is enough."""
    for path in folder.glob(f"{SCRATCH}*.part"):
        with suppress(OSError):
            with path.open("rb") as file:
                is_left = _lock(file)
                if is_left and os.name != "nt":
                    path.unlink()
            if os.name == "nt":  # which removes no file that is open
                path.unlink()


def _lock(file: IO[bytes], *, wait: bool = False) -> bool:
    """Lock a file until it is closed; False if another process has it, or there are no locks."""
    try:
        import fcntl
    except ImportError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        return False
    return True


def open_replacement(path: str, *, keeps: bool = False) -> Output:
    """Open a file that keeps what it holds until the new content is whole.

    What is no regular file, such as ``/dev/null`` or a named pipe, is written as it is.

    Parameters
    ----------
    path : str
    keeps : bool
        See :class:`Replacement`.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    if Path(path).exists() and not Path(path).is_file():
        return open_output(path)
    return Replacement(path, keeps=keeps)


def open_output(path: str) -> Output:
    """Open a file for results; an earlier one of that name is replaced.

    Parameters
    ----------
    path : str

    Returns
    -------
    Output

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    try:
        return Output(Path(path).open("wb", buffering=0), path)
    except OSError as exc:
        raise OutputError(explain(path, exc)) from exc


def explain(name: str, exc: OSError) -> str:
    """Say what kept a file from being written, and what to do."""
    remedy = REMEDIES.get(exc.errno or 0, f"{exc.strerror or exc}: write elsewhere")
    return f"{name}: cannot be written; {remedy}"


def keep_access(path: str | Path, new: str | Path) -> None:
    """Give a file that takes the place of another its owner, group and permissions.

    Only the administrator may give files away; a group of one's own can be kept.

    Parameters
    ----------
    path, new : str or path
    """
    status = Path(path).stat()
    for owner in (status.st_uid, -1) if hasattr(os, "chown") else ():
        with suppress(OSError):
            os.chown(new, owner, status.st_gid)
            break
    with suppress(OSError):  # a disk may have none
        Path(new).chmod(status.st_mode & 0o777)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file whole, or leave what was there as it was.

    Parameters
    ----------
    path : path
    content : bytes

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    with open_replacement(str(path)) as output:
        output.write(content)


def check_output(path: str, inputs: Iterable[str] = ()) -> None:
    """Check that writing to a path destroys no recording and no input.

    Parameters
    ----------
    path : str
        A file to be written; it may exist.
    inputs : iterable of str
        What is read.

    Raises
    ------
    UsageError
        If the path is named like media, is one of the inputs, or is a file that holds neither text
        nor Parquet.
    """
    if Path(path).suffix.lstrip(".").lower() in MEDIA_EXTENSIONS:
        raise UsageError(f"{path}: is named like a recording; name a .jsonl, .csv or .txt file")
    try:
        status = Path(path).stat()
    except (OSError, ValueError):
        return
    if not stat.S_ISREG(status.st_mode):
        return
    if any(_is_same(status, other) for other in inputs):
        raise UsageError(f"{path}: is an input and would be written over; name another file")
    if not _holds_results(path):
        raise UsageError(f"{path}: exists and holds no text, so it is left alone; name another")


def check_not_read_only(path: str) -> None:
    """Check that a file, if there is one, may be written: a move to its place would not ask.

    Parameters
    ----------
    path : str

    Raises
    ------
    OutputError
        If it may not.
    """
    if Path(path).exists() and not os.access(path, os.W_OK):
        raise OutputError(f"{path}: is read-only: write elsewhere, or change its permissions")


def check_replaceable(path: str, is_own: Callable[[str], bool]) -> None:
    """Check that a file may be replaced by results: there is none, it is empty, or holds such.

    Parameters
    ----------
    path : str
        A file to be written; it may exist.
    is_own : callable
        Tells whether the file at a path is of the format that will be written.

    Raises
    ------
    OutputError
        If the file may not be written.
    UsageError
        If it holds anything else.
    """
    try:
        status = Path(path).stat()
        if not stat.S_ISREG(status.st_mode) or status.st_size == 0 or is_own(path):
            check_not_read_only(path)
            return
    except OSError:  # there is none; or opening it to write will say what is wrong
        return
    raise UsageError(
        f"{path}: exists and was not written by this program in the format asked for, so it is "
        "left alone; remove it, or name another file"
    )


def holds_page(path: str) -> bool:
    """Tell whether a file is a page of this program, by the mark in its head."""
    with Path(path).open("rb") as file:
        return PAGE_MARK in file.read(LOOK_AT_BYTES)


def _is_same(status: os.stat_result, other: str) -> bool:
    try:
        return os.path.samestat(status, Path(other).stat())
    except (OSError, ValueError):
        return False


def _holds_results(path: str) -> bool:
    """Whether a file begins as text or Parquet; one that cannot be read is left to be opened."""
    try:
        with Path(path).open("rb") as file:
            head = file.read(LOOK_AT_BYTES)
    except OSError:
        return True
    if head.startswith(PARQUET_START):
        return True
    try:
        text = head.decode()
    except UnicodeDecodeError as exc:
        # The last character may be cut in two.
        return exc.start > len(head) - 4 and len(head) == LOOK_AT_BYTES
    return "\0" not in text
