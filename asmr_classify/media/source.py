"""What a path is: a file of this machine, or an object in storage that has an address (a URL).

All else in the package takes paths as texts and asks here where that makes a difference. Files are
opened as ever, and nothing that addresses need is loaded for them.

An address may hold what nobody else may read: a password, or a signature behind a question mark.
:class:`Url` is a text without these, so that records, logs and messages cannot tell them, and keeps
the whole address beside it for whoever opens it.
"""

from __future__ import annotations

import os
import re
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING, BinaryIO, Self, cast

from asmr_classify.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from contextlib import AbstractContextManager

    from av.container import InputContainer

SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")
"""How addresses begin. One letter alone is a drive of Windows."""

AUTHORITY = re.compile(r"[^/]*")
"""What stands behind the scheme: a host or a bucket, and who asks before an ``@``."""

WEB = frozenset({"http", "https"})
"""Schemes whose addresses have a query behind a question mark, which elsewhere is part of a name,
and of which none is a folder."""

AZURE = frozenset({"abfs", "abfss", "adl", "az"})
"""Schemes of Azure, where a question mark is part of a name, or stands before a signature."""


class Url(str):
    """The address of an object in storage, as it may be shown.

    Attributes
    ----------
    whole : str
        The address with all that it needs to be opened. It may hold secrets: never show it.
    size : int
        Bytes that the object had when it was found; 0 where unknown.
    """

    whole: str
    size: int

    def __new__(cls, whole: str, size: int = 0) -> Self:
        """Take a whole address, and show what may be shown of it."""
        self = super().__new__(cls, _without_secrets(whole))
        self.whole, self.size = whole, size
        return self

    def __reduce__(self) -> tuple[type[Url], tuple[str, int]]:
        """Cross into workers with all that is needed there."""
        return type(self), (self.whole, self.size)

    @property
    def scheme(self) -> str:
        """What stands before ``://``, in small letters."""
        return self.partition("://")[0].lower()


def _without_secrets(whole: str) -> str:
    scheme, _, rest = whole.partition("://")
    authority = cast("re.Match[str]", AUTHORITY.match(rest)).group()
    user, at, host = authority.rpartition("@")
    is_web = scheme.lower() in WEB
    if at and (is_web or ":" in user):  # else a container of Azure
        rest = host + rest[len(authority) :]
    if is_web:
        rest = re.split(r"[?#]", rest, maxsplit=1)[0]
    if scheme.lower() in AZURE and "sig=" in rest.partition("?")[2].lower():
        rest = rest.partition("?")[0]
    return f"{scheme}://{rest}"


def as_source(path: str) -> str:
    """Give an address as :class:`Url`, and any other path as it is.

    A file that is on the disk under just that name is a file.

    Examples
    --------
    >>> as_source("a/b.mp3"), as_source("https://me:pw@host/a.mp3?sig=1"), as_source("C://a.mp3")
    ('a/b.mp3', 'https://host/a.mp3', 'C://a.mp3')
    """
    if isinstance(path, Url) or SCHEME.match(path) is None or os.path.lexists(path):
        return path
    return Url(path)


def is_url(path: str) -> bool:
    """Tell whether a path is the address of an object in storage.

    Examples
    --------
    >>> is_url("s3://bucket/a.mp3"), is_url("bucket/a.mp3"), is_url("s3:/bucket/a.mp3")
    (True, False, False)
    """
    return isinstance(as_source(path), Url)


def check_sources(paths: Iterable[str]) -> None:
    """Check that addresses among paths can be read at all; nothing is asked for yet.

    Raises
    ------
    UsageError
        If a scheme is not known, or a key stands in an address where it does not belong.
    MissingExtraError
        If a library is missing that reads it.
    """
    for path in paths:
        source = as_source(path)
        if isinstance(source, Url):
            from asmr_classify.media.remote import connect

            with suppress(StorageError):  # which whoever reads it tells of this file
                connect(source)


def open_bytes(path: str) -> BinaryIO:
    """Open a file, or an object in storage, to read its bytes.

    An object that is open already is not asked for again: what was fetched of it is shared.

    Raises
    ------
    OSError
        If a file cannot be opened.
    OpenError, StorageError
        If an object cannot.
    """
    source = as_source(path)
    if isinstance(source, Url):
        from asmr_classify.media.remote import RemoteFile

        return cast("BinaryIO", RemoteFile.share(source))
    return open(path, "rb")  # noqa: PTH123 (any name; whoever asks closes it)


def held(path: str) -> AbstractContextManager[None]:
    """Keep what is fetched of an object in storage as long as it is worked on; else do nothing."""
    source = as_source(path)
    if isinstance(source, Url):
        from asmr_classify.media.remote import hold

        return hold(source)
    return nullcontext()


def close_container(container: InputContainer) -> None:
    """Close a container, and let go of what was fetched for it from storage."""
    path = container.name
    container.close()
    if SCHEME.match(path) is not None:
        from asmr_classify.media.remote import release

        release(path)
