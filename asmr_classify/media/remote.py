"""What storage tells, by fsspec: what lies at an address, what lies in a folder, and what is wrong.

Whatever is asked is tried again where that may help, and no message tells what an address keeps
secret. How objects are read stands in :mod:`asmr_classify.media.blocks`.
"""

from __future__ import annotations

import errno
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Self, TypeVar

from asmr_classify.errors import MissingExtraError, OpenError, StorageError, UsageError
from asmr_classify.media.source import AZURE, WEB, Url, who_asks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")

WAITS = (0.5, 2.0)
"""Seconds between attempts, but for stores: their libraries try again by themselves."""

MAY_PASS_STATUSES = frozenset({408, 429, 500, 502, 503, 504})
"""Answers of web servers that are worth another attempt."""

NO_BUCKET = "NoSuchBucket"
"""What S3 calls it in its answers."""

UNORDERED = "--x-s3", "--xa-s3"
"""How buckets of S3 are called, of its kind with folders, whose names come in no order."""

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
            "and %3F there, or %40 for an @ that is part of a name"
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
        if url.scheme in STORES and not path.strip("/"):
            system.ls(path)  # of all buckets nothing is asked otherwise
        return dict(system.info(path))
    except FileNotFoundError as exc:
        if not _is_gone(exc):
            raise
    if url.scheme in STORES:
        check_bucket(system, path)
    return None


def check_bucket(system: Any, path: str) -> None:
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


def is_ordered(url: Url) -> bool:
    """Tell whether storage lists a folder in the order of names, from any name on: S3 does."""
    system, path = connect(url)
    return hasattr(system, "call_s3") and not path.partition("/")[0].endswith(UNORDERED)


def iter_folder(url: Url, after: str = "") -> Iterator[Entry]:
    """List what lies in a folder, by name.

    S3 tells that in the order of names, a thousand at a time, and no more is held. Of other storage
    all is held that lies in the folder.

    Parameters
    ----------
    url : Url
    after : str
        S3 begins after the object of this path.

    Raises
    ------
    StorageError
        If storage does not tell.
    """
    system, path = connect(url)
    if hasattr(system, "call_s3") and path:
        pages = _iter_pages(url, system, path, after)
    else:
        listed = map(Entry.of, ask(url, lambda: system.ls(path, detail=True)))
        pages = iter([[entry for entry in listed if entry.path != path.rstrip("/")]])
    for entries in pages:
        yield from sorted(entries, key=lambda entry: entry.path)


def _iter_pages(url: Url, system: Any, path: str, after: str) -> Iterator[list[Entry]]:
    """List a folder by the pages of S3; :func:`fsspec.AbstractFileSystem.ls` gathers them all.

    Two slashes there have a folder without a name between them.
    """
    bucket, key, _ = system.split_path(path)
    slashes = url.whole[len(url.whole.rstrip("/")) :]
    prefix = key.rstrip("/") + (slashes or "/") if key else slashes[1:]
    what = {"Bucket": bucket, "Prefix": prefix, "Delimiter": "/"}
    if after:
        what["StartAfter"] = system.split_path(after)[1]
    while what:
        page = ask(url, partial(system.call_s3, "list_objects_v2", **what, **system.req_kw))
        yield [
            *(_entry_of_prefix(bucket, x["Prefix"]) for x in page.get("CommonPrefixes", ())),
            *(_entry_of_key(bucket, x) for x in page.get("Contents", ()) if x["Key"] != prefix),
        ]
        token = page.get("NextContinuationToken")
        what = {**what, "ContinuationToken": token} if token else {}


def _entry_of_prefix(bucket: str, prefix: str) -> Entry:
    return Entry(f"{bucket}/{prefix.removesuffix('/')}", 0, "", is_folder=True)


def _entry_of_key(bucket: str, told: dict[str, Any]) -> Entry:
    return Entry.of(
        {"type": "file", **told, "name": f"{bucket}/{told['Key']}", "size": told.get("Size")}
    )


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
        "its server gives no parts of files; fetch it and label the copy": "range requests" in text,
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
