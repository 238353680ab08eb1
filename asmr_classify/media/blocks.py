"""Objects in storage as files that are read in blocks, by fsspec, as FFmpeg asks for them.

Nothing is written to the disk. A recording is fetched block by block, each with one request, and
the last few are kept in memory: FFmpeg reads most files from one end to the other, looks at the end
of some first, and steps back and forth in videos whose sound lies apart from the picture. While it
works on a block that follows another, the next is fetched.

The cache is our own since those of fsspec hold their blocks until the garbage is collected, tens of
megabytes a file, or a single stretch only, which stepping back and forth fetches over and over.
"""

from __future__ import annotations

import errno
import io
import os
import threading
from collections import OrderedDict
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self
from weakref import WeakValueDictionary

from asmr_classify.counts import counted
from asmr_classify.errors import OpenError
from asmr_classify.media.remote import STORES, ask, check_bucket, connect
from asmr_classify.media.source import WEB, Url

if TYPE_CHECKING:
    from collections.abc import Iterator

    from asmr_classify.media.signed import Signed

BLOCK_BYTES = 8 << 20
"""Smaller blocks save nothing: of a video of 61 MB with a megabyte of pictures a second, blocks of
64 kB fetch 61.1 MB in 935 requests and those of four megabytes 63.3 MB in 17, as FFmpeg steps
through all packets. A request is made by Python, as what waits for it is, which four megabytes hold
up by a tenth more than eight. Larger ones only take more memory."""

BLOCKS_KEPT = 4

NOT_YET = -2
"""Stands for the block before the first: who reads the first of all may want the head alone."""

LAST_PLACE = 1 << 44
"""Damaged files claim to go on beyond; ext4 knows no such place, and FFmpeg stays where it was."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """What was read from storage.

    Parameters
    ----------
    n_bytes, n_requests : int
    """

    n_bytes: int = 0
    n_requests: int = 0

    def __str__(self) -> str:
        return f"{self.n_bytes} bytes in {counted(self.n_requests, 'request')}"


_fetched = Fetched()
_meter = threading.Lock()


def take_fetched() -> Fetched:
    """Tell what this process read from storage since this was last asked."""
    global _fetched
    with _meter:
        taken, _fetched = _fetched, Fetched()
    return taken


def _count(n_bytes: int) -> None:
    global _fetched  # noqa: PLW0603 (a meter: whatever reads, it runs on)
    with _meter:
        _fetched = Fetched(_fetched.n_bytes + n_bytes, _fetched.n_requests + 1)


class _Blocks:
    """An open object, and the blocks of it that were fetched last."""

    def __init__(self, url: Url) -> None:
        self.url = url
        self._blocks: OrderedDict[int, bytes] = OrderedDict()
        self._file: Any = None
        self._last = NOT_YET
        self._ahead: tuple[int, Future[bytes]] | None = None
        self._thread: ThreadPoolExecutor | None = None
        self._signed: Signed | None = None
        whole = ask(url, lambda: _take_small(url), error=OpenError)
        if whole is not None:
            self._blocks[0], self.size = whole, len(whole)
            return
        self._file = ask(url, lambda: _open(url), error=OpenError)
        _count(0)
        self.size = self._size()
        self._signed = _sign(self._file)

    def _size(self) -> int:
        """Tell how long it is."""
        size = self._file.size
        if size is None:
            raise OpenError(
                self.url, "its server does not tell how long it is; fetch it and label the copy"
            )
        if not size and getattr(self._file, "details", {}).get("type") == "directory":
            raise OpenError(self.url, "is no recording, but has others below it; put a / behind it")
        return int(size)

    def read(self, start: int, n_bytes: int) -> bytes:
        end = min(start + n_bytes, self.size)
        pieces = []
        while start < end:
            number, offset = divmod(start, BLOCK_BYTES)
            piece = self._block(number)[offset : offset + end - start]
            pieces.append(piece)
            start += len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def drop(self) -> None:
        """Forget what was fetched; nobody reads on."""
        self._blocks.clear()
        self._ahead = None
        if self._thread is not None:
            self._thread.shutdown(cancel_futures=True)
            self._thread = None
        if self._signed is not None:
            self._signed.close()

    def _block(self, number: int) -> bytes:
        if number in self._blocks:
            self._blocks.move_to_end(number)
        else:
            self._keep(number, ask(self.url, lambda: self._get(number)))
            if number == self._last + 1:
                self._get_ready(number + 1)
        self._last = number
        return self._blocks[number]

    def _keep(self, number: int, block: bytes) -> None:
        self._blocks[number] = block
        if len(self._blocks) > BLOCKS_KEPT:
            self._blocks.popitem(last=False)

    def _get(self, number: int) -> bytes:
        """Fetch a block, unless that was done ahead; what nobody asked for is the first to go."""
        ahead, self._ahead = self._ahead, None
        if ahead is not None and ahead[0] == number:
            return ahead[1].result()
        if ahead is not None and ahead[1].exception() is None:
            self._keep(ahead[0], ahead[1].result())
            self._blocks.move_to_end(ahead[0], last=False)
        return self._fetch(number)

    def _get_ready(self, number: int) -> None:
        """Fetch a block in a thread, if there is one and it is not at hand."""
        if number in self._blocks or number * BLOCK_BYTES >= self.size:
            return
        self._thread = self._thread or ThreadPoolExecutor(1)
        self._ahead = number, self._thread.submit(self._fetch, number)

    def _fetch(self, number: int) -> bytes:
        if self._file is None:  # it was read at once, and let go of since
            self._file = _open(self.url)
        start = number * BLOCK_BYTES
        n_bytes = min(BLOCK_BYTES, self.size - start)
        if self._signed is not None:
            part = self._signed.read(start, n_bytes)
            _count(len(part or b""))
            if part is not None:
                return part
            self._signed = None
        self._file.seek(start)
        data = bytes(self._file.read(n_bytes))
        _count(len(data))
        if len(data) < n_bytes:
            raise ConnectionError(f"{len(data)} bytes of {n_bytes} came")
        return data


def fits_a_block(path: str) -> bool:
    """Tell whether an object was found to be so small that a single request fetches it."""
    return isinstance(path, Url) and path.scheme not in WEB and 0 < path.size <= BLOCK_BYTES


_soon: dict[str, Future[bytes]] = {}
"""Small objects that were fetched before they are opened, by whole address."""


def fetch_ahead(path: str) -> None:
    """Fetch an object that is worked on next, if it is small; an error waits for who opens it.

    It is kept until then, and no longer than somebody holds it, see :func:`hold`.
    """
    if not isinstance(path, Url) or not fits_a_block(path):
        return
    coming: Future[bytes] = Future()
    try:
        coming.set_result(_read_small(path))
    except Exception as exc:  # noqa: BLE001 (raised again where it is opened)
        coming.set_exception(exc)
    _soon[path.whole] = coming


def _take_small(url: Url) -> bytes | None:
    """Give a small object whole, by a single request; None for others.

    One that was replaced since it was found is given as it is now, unless it has become longer.
    """
    if not fits_a_block(url):
        return None
    ahead = _soon.pop(url.whole, None)
    data = _read_small(url) if ahead is None else ahead.result()
    _count(len(data))
    return data if len(data) <= url.size else None


def _read_small(url: Url) -> bytes:
    system, path = connect(url)
    return bytes(system.cat_file(path, start=0, end=url.size + 1))


def _open(url: Url) -> Any:
    system, path = connect(url)
    if url.scheme not in WEB:
        if url.scheme in STORES and "/" not in path:  # which libraries do not even try
            check_bucket(system, path)
        return system.open(path, "rb", cache_type="none")
    info = system.info(path)
    headers = dict(system.kwargs.get("headers", {}))
    if info.get("ETag") and not info["ETag"].startswith("W/"):
        headers["If-Match"] = info["ETag"]
    elif info.get("Last-Modified"):
        headers["If-Unmodified-Since"] = info["Last-Modified"]
    return system.open(path, "rb", cache_type="none", size=info["size"], headers=headers)


def _sign(file: Any) -> Signed | None:
    from asmr_classify.media.signed import Signed

    return Signed.of(file)


_at_hand: WeakValueDictionary[str, _Blocks] = WeakValueDictionary()
"""Objects that are open, by address, so that who asks for more of one shares its blocks."""


def release(path: str) -> None:
    """Let go of the blocks of an object that was open."""
    if path in _held:
        _held[path] = _at_hand.get(path)
        return
    blocks = _at_hand.pop(path, None)
    if blocks is not None:
        blocks.drop()


_held: dict[str, _Blocks | None] = {}
"""Objects that somebody will open again, by address, with their blocks once they were closed."""


@contextmanager
def hold(url: Url) -> Iterator[None]:
    """Keep what is fetched of an object for whoever opens it next, until this ends."""
    _held[str(url)] = None
    try:
        yield
    finally:
        del _held[str(url)]
        release(str(url))
        _soon.pop(url.whole, None)


class RemoteFile(io.RawIOBase):
    """An object in storage as a file that is read, with a place of its own.

    Errors are :class:`~asmr_classify.errors.StorageError`, which FFmpeg hands through.

    Attributes
    ----------
    name : str
        Its address, without secrets and without a query; its ending tells FFmpeg of the format.
    """

    def __init__(self, blocks: _Blocks) -> None:
        self.name = blocks.url.bare
        self._blocks = blocks
        self._place = 0

    @classmethod
    def open(cls, url: Url) -> Self:
        """Open an object as it is now.

        Raises
        ------
        OpenError
            If there is none, or it cannot be read.
        """
        blocks = _held.get(str(url)) or _Blocks(url)
        _at_hand[str(url)] = blocks
        return cls(blocks)

    @classmethod
    def share(cls, url: Url) -> Self:
        """Open an object; if it is open already, read from the same blocks.

        Raises
        ------
        OpenError
            If there is none, or it cannot be read.
        """
        blocks = _at_hand.get(url)
        if blocks is None or blocks.url.whole != url.whole != str(url):
            return cls.open(url)
        return cls(blocks)

    @property
    def size(self) -> int:
        """Bytes that it has."""
        return self._blocks.size

    @property
    def address(self) -> str:
        """Where it lies, as it may be shown; who opens that meanwhile reads the same blocks."""
        return str(self._blocks.url)

    def let_go(self) -> None:
        """Let go of what was fetched.

        PyAV's containers are freed only when garbage is collected, and what they read from with
        them.
        """
        release(self.address)

    def readable(self) -> bool:
        """Tell that it can be read."""
        return True

    def seekable(self) -> bool:
        """Tell that it can be read from anywhere."""
        return True

    def tell(self) -> int:
        """Give the place that is read from next."""
        return self._place

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place; one that no file has is refused as the system does it, by its number.

        An exception would reach the user, though FFmpeg tries such places in damaged files and goes
        on where they do not exist.
        """
        place = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self.size}[whence]
        if not 0 <= place <= LAST_PLACE:
            return -errno.EINVAL
        self._place = place
        return place

    def read(self, n_bytes: int = -1) -> bytes:
        """Read so many bytes, fewer at the end only; all that is left if none are asked for."""
        data = self._blocks.read(self._place, self.size if n_bytes < 0 else n_bytes)
        self._place += len(data)
        return data
