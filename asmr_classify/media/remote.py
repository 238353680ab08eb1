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
import time
from collections import OrderedDict
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Self, TypeVar
from weakref import WeakValueDictionary

from asmr_classify.errors import MissingExtraError, OpenError, StorageError, UsageError
from asmr_classify.media.source import AZURE, WEB, Url, who_asks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")

BLOCK_BYTES = 4 << 20
"""Smaller blocks save nothing: of a video of 61 MB with a megabyte of pictures a second, blocks of
64 kB fetch 61.1 MB in 935 requests and these 63.3 MB in 17, as FFmpeg steps through all packets.
Larger ones only take more memory."""

BLOCKS_KEPT = 8

NOT_YET = -2
"""Stands for the block before the first: who reads the first of all may want the head alone."""

LAST_PLACE = 1 << 44
"""Damaged files claim to go on beyond; ext4 knows no such place, and FFmpeg stays where it was."""

WAITS = (0.5, 2.0)
"""Seconds between attempts, but for stores: their libraries try again by themselves."""

MAY_PASS_STATUSES = frozenset({408, 429, 500, 502, 503, 504})
"""Answers of web servers that are worth another attempt."""

NO_BUCKET = "NoSuchBucket"
"""What S3 calls it in its answers."""

SHORT = 3
"""What is no longer than this is no secret."""

REFUSED, GONE, CHANGED = frozenset({401, 403}), frozenset({404, 410}), 412

VERSIONS = (
    "ETag etag Content-MD5 content_md5 LastModified last_modified Last-Modified mtime updated "
    "created"
).split()
"""What stores call that which changes with the content of an object, the surest first."""

STORES = frozenset("abfs abfss adl az gcs gs s3 s3a".split())
"""Schemes whose libraries take no keys from addresses, and try again what may pass."""


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
        return f"{self.n_bytes} bytes in {self.n_requests} request{'s' * (self.n_requests != 1)}"


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


@dataclass(frozen=True, slots=True)
class Entry:
    """What storage tells of an object, or of the common beginning of many: a folder.

    Parameters
    ----------
    path : str
        Its name there, without the scheme.
    size : int
        In bytes; 0 where it is not told.
    version : str
        Changes with the content; empty if nothing is told that does.
    is_folder : bool
    """

    path: str
    size: int
    version: str
    is_folder: bool

    @classmethod
    def of(cls, info: dict[str, Any]) -> Self:
        """Read what fsspec tells."""
        version = next((info[name] for name in VERSIONS if info.get(name)), "")
        is_folder = info["type"] == "directory"
        return cls(info["name"].rstrip("/"), info["size"] or 0, str(version), is_folder)


def _class_of(scheme: str) -> Any:
    """Load what reads a scheme.

    Raises
    ------
    UsageError
        If the scheme is not known.
    MissingExtraError
        If a library is missing.
    """
    try:
        import fsspec
    except ImportError as exc:
        raise _missing(scheme, "fsspec") from exc
    if scheme not in {*fsspec.available_protocols(), *fsspec.registry}:
        if scheme in AZURE:  # one that only its library tells fsspec of
            raise _missing(scheme, "adlfs")
        raise UsageError(
            f"{scheme}://: no storage is addressed so; s3, gs, az, https and whatever else fsspec "
            "knows can be read"
        )
    try:
        return fsspec.get_filesystem_class(scheme)
    except ImportError as exc:
        raise _missing(scheme, _library_of(scheme)) from exc


def _file_system(url: Url) -> Any:
    """Give the file system of an address. Those that were given are kept by fsspec.

    Not by fsspec's own way from address to file system, which takes "::" in a name for a command.
    """
    cls = _class_of(url.scheme)
    options = cls._get_kwargs_from_urls(url.whole)
    return cls(use_listings_cache=False, **options)


def _library_of(scheme: str) -> str:
    from fsspec.registry import known_implementations

    library = str(known_implementations[scheme]["class"]).partition(".")[0]
    return "aiohttp" if scheme in WEB else library


def _missing(scheme: str, library: str) -> MissingExtraError:
    ours = library in {"fsspec", "s3fs", "aiohttp"}
    command = "pip install 'asmr-classify[cloud]'" if ours else f"pip install {library}"
    return MissingExtraError(f"{scheme}://: reading this storage needs {library}: {command}")


def connect(url: Url) -> tuple[Any, str]:
    """Give the file system of an address, and the name of its object there.

    Nothing is sent, but by libraries that log in at once, as that of FTP does.

    Raises
    ------
    UsageError
        If its scheme is not known, it lacks what that needs, or a key stands in it where it does
        not belong.
    MissingExtraError
        If a library is missing that reads it.
    StorageError
        If its server lets nobody in.
    """
    if set("/?#") & set(who_asks(url.whole)):
        raise UsageError(
            f"{url}: a slash or a question mark stands in the password of this address; write %2F "
            "and %3F"
        )
    if url.scheme in STORES and len(url) != len(url.whole):
        raise UsageError(
            f"{url}: a key stands in this address; give it by environment variables or the "
            "configuration of the storage instead, as docs/storage.md shows"
        )
    try:
        system = _file_system(url)
        return system, system._strip_protocol(url.whole)  # noqa: SLF001
    except (MissingExtraError, UsageError, MemoryError):
        raise
    except ImportError as exc:
        raise _missing(url.scheme, _library_of(url.scheme)) from exc
    except (
        AttributeError,
        TypeError,
        ValueError,
    ):  # whose text may tell parts of the whole address
        raise UsageError(
            f"{url}: does not tell all that such addresses have to, or tells it in another way; "
            f"look up in the documentation of fsspec how {url.scheme}:// is written"
        ) from None
    except Exception as exc:  # noqa: BLE001 (each library has its own; all are told)
        raise StorageError(str(url), _explain(exc, url)) from None


def look_at(url: Url) -> Entry | None:
    """Tell what lies at an address; None if nothing does.

    Raises
    ------
    StorageError
        If storage does not tell.
    """
    system, path = connect(url)
    info = ask(url, lambda: _info_or_none(url, system, path))
    return None if info is None else Entry.of(info)


def _info_or_none(url: Url, system: Any, path: str) -> dict[str, Any] | None:
    try:
        return dict(system.info(path))
    except FileNotFoundError as exc:
        if not _is_gone(exc):
            raise
    if url.scheme in STORES:
        _check_bucket(system, path)
    return None


def _check_bucket(system: Any, path: str) -> None:
    """Check that a bucket exists, as far as one may know."""
    is_there = True
    try:
        system.info(path.partition("/")[0])
    except FileNotFoundError:
        is_there = False
    except PermissionError:  # of what lies in it more may be known than of itself
        pass
    if not is_there:
        raise FileNotFoundError(NO_BUCKET)


def _is_gone(exc: BaseException) -> bool:
    """Whether it is known that nothing is there: fsspec says so too of web servers that fail."""
    status = _status(exc)
    return status in GONE if status is not None else exc.__cause__ is None or _is_aws(exc)


def iter_folder(url: Url) -> Iterator[Entry]:
    """List what lies in a folder, by name.

    S3 tells that in the order of names, a thousand at a time, and no more is held. Of other storage
    all is held that lies in the folder.

    Raises
    ------
    StorageError
        If storage does not tell.
    """
    system, path = connect(url)
    pages = _iter_pages(url, system, path) if hasattr(system, "call_s3") and path else None
    within = path.rstrip("/")
    for infos in pages or [ask(url, lambda: system.ls(path, detail=True))]:
        entries = [entry for entry in map(Entry.of, infos) if entry.path != within]
        yield from sorted(entries, key=lambda entry: entry.path)


def _iter_pages(url: Url, system: Any, path: str) -> Iterator[list[dict[str, Any]]]:
    """List a folder by the pages of S3; :func:`fsspec.AbstractFileSystem.ls` gathers them all."""
    bucket, key, _ = system.split_path(path)
    what = {"Bucket": bucket, "Prefix": f"{key.rstrip('/')}/" if key else "", "Delimiter": "/"}
    while what:
        page = ask(url, partial(system.call_s3, "list_objects_v2", **what, **system.req_kw))
        folders = page.get("CommonPrefixes", ())
        found = [{"Key": x["Prefix"], "type": "directory"} for x in folders]
        found += page.get("Contents", ())
        yield [
            {"type": "file", **x, "name": f"{bucket}/{x['Key']}", "size": x.get("Size")}
            for x in found
        ]
        token = page.get("NextContinuationToken")
        what = {**what, "ContinuationToken": token} if token else {}


def match_names(url: Url) -> list[Entry]:
    """List what matches an address with wildcards, by name.

    Raises
    ------
    StorageError
        If storage does not tell.
    """
    system, path = connect(url)
    infos = ask(url, lambda: system.glob(path, detail=True))
    return sorted(map(Entry.of, infos.values()), key=lambda entry: entry.path)


def read_head(url: Url, n_bytes: int) -> bytes:
    """Read the first bytes of an object that is not opened otherwise.

    Raises
    ------
    StorageError
        If it cannot be read.
    """
    system, path = connect(url)
    return bytes(ask(url, lambda: system.cat_file(path, start=0, end=n_bytes)))


class _Blocks:
    """An open object, and the blocks of it that were fetched last."""

    def __init__(self, url: Url) -> None:
        self.url = url
        self._blocks: OrderedDict[int, bytes] = OrderedDict()
        self._file: Any = None
        self._last = NOT_YET
        self._ahead: tuple[int, Future[bytes]] | None = None
        self._thread: ThreadPoolExecutor | None = None
        whole = ask(url, lambda: _take_small(url), error=OpenError)
        if whole is not None:
            self._blocks[0], self.size = whole, len(whole)
            return
        self._file = ask(url, lambda: _open(url), error=OpenError)
        _count(0)
        self.size = self._size()

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
            _check_bucket(system, path)
        return system.open(path, "rb", cache_type="none")
    info = system.info(path)
    headers = dict(system.kwargs.get("headers", {}))
    if info.get("ETag") and not info["ETag"].startswith("W/"):
        headers["If-Match"] = info["ETag"]
    return system.open(path, "rb", cache_type="none", size=info["size"], headers=headers)


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


def ask(
    url: Url,
    call: Callable[[], T],
    *,
    error: type[OpenError | StorageError] = StorageError,
    done: str = "read",
) -> T:
    """Call something that asks storage, more than once where another attempt may go well.

    Parameters
    ----------
    url : Url
        Of what it asks for.
    call : callable
    error : type
        Raised if no attempt goes well.
    done : str
        What was to be done with the object, as messages say it: it "cannot be read".

    Raises
    ------
    error
        Whatever came of it before is left out, as it may tell the whole address.
    """
    problem = ""
    for wait in (*(() if url.scheme in STORES else WAITS), None):
        try:
            return call()
        except (MissingExtraError, UsageError, MemoryError):
            raise
        except Exception as exc:  # noqa: BLE001 (each library has its own; all are told)
            problem = _explain(exc, url, done)
            if wait is None or not _may_pass_soon(exc):
                break
        time.sleep(wait)
    raise error(str(url), problem, may_pass=True) from None


def _status(exc: BaseException) -> int | None:
    """Give the status of a web server's answer, which fsspec hides behind other errors."""
    for error in (exc, exc.__cause__):
        status = getattr(error, "status", None)
        if isinstance(status, int):
            return status
    return None


def _is_aws(exc: BaseException) -> bool:
    return hasattr(exc.__cause__, "response")


def _may_pass_soon(exc: Exception) -> bool:
    status = _status(exc)
    if status is not None:
        return status in MAY_PASS_STATUSES
    is_settled = isinstance(exc, FileNotFoundError) and _is_gone(exc)
    is_refused = isinstance(exc, PermissionError | ValueError | NotImplementedError)
    is_invalid = isinstance(exc, OSError) and exc.errno == errno.EINVAL
    return not (is_settled or is_refused or is_invalid or _has_name(exc, "Credentials", "Expired"))


def _has_name(exc: Exception, *parts: str) -> bool:
    return any(part in type(exc).__name__ for part in parts)


def _explain(exc: Exception, url: Url, done: str = "read") -> str:
    """Say what is wrong and what to do, without what the address keeps secret."""
    if isinstance(exc, StorageError):
        return exc.message
    hidden = exc.__cause__ if isinstance(exc, FileNotFoundError) else None
    status, text = _status(exc), _scrub(_text_of(hidden or exc), url)
    is_gone = isinstance(exc, FileNotFoundError) and _is_gone(exc)
    known = {
        "no credentials are found; set them as docs/storage.md shows, or say that the bucket is "
        "public (FSSPEC_S3_ANON=true)": _has_name(exc, "Credentials"),
        "was replaced while it was read; run again": _has_name(exc, "FileExpired")
        or status == CHANGED,
        "there is no such bucket; check its name and the address of the storage": NO_BUCKET in text
        or "bucket does not exist" in text,
        f"may not be {done}; check the credentials and what they are allowed to do": isinstance(
            exc, PermissionError
        )
        or status in REFUSED,
        "no such object; it may have been moved or removed": status in GONE or is_gone,
        f"cannot be {done}: the server answers {status}; run again to try once more": status,
    }
    other = f"cannot be {done} ({text or type(exc).__name__}); run again to try once more"
    return next((message for message, is_so in known.items() if is_so), other)


def _text_of(exc: BaseException) -> str:
    return getattr(exc, "strerror", None) or str(exc)


def _scrub(text: str, url: Url) -> str:
    """Take out of a message what only the whole address holds."""
    text = text.replace(url.whole, url)
    _, _, query = url.whole.partition("?")
    who = who_asks(url.whole)
    secrets = [who, who.partition(":")[2]]
    if url.scheme in WEB and query:
        secrets += [query, *(part.partition("=")[2] for part in query.split("&"))]
    for secret in sorted(filter(lambda x: len(x) > SHORT, secrets), key=len, reverse=True):
        text = text.replace(secret, "…")
    return text
