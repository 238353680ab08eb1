"""What a path is: a file of this machine, or an object in storage that has an address (a URL).

All else in the package takes paths as texts and asks here where that makes a difference. How what
they name is opened stands in :mod:`asmr_classify.media.opening`.

An address may hold what nobody else may read: a password, or a signature behind a question mark.
:class:`Url` is a text without these, so that records, logs and messages cannot tell them, and keeps
the whole address beside it for whoever opens it.
"""

from __future__ import annotations

import hashlib
import os
import re
from typing import Self, cast

SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")
"""How addresses begin. One letter alone is a drive of Windows."""

AUTHORITY = re.compile(r"[^/]*")
"""What stands behind the scheme: a host or a bucket, and who asks before an ``@``."""

LIKE_A_PORT = re.compile(r"(?!localhost:)[^/.:@[\]]+:\d*/.*@[^/@]*/.*", re.DOTALL)
"""A name with digits behind it, or none, and an ``@`` before a further folder. Nobody can tell the
password in ``me:12/34@host/a.mp3`` from the port in ``host:12/34@here/a.mp3``: so it is not to be
shown."""

HOST = re.compile(r"(\[[^]]*\]|[^:]*)(:\d*)?|arn:[\w-]+:s3.*")
"""A host or bucket with nobody before it. What else has a colon is a name, and a password that goes
on behind a slash, which should have been written ``%2F``."""

WEB = frozenset({"http", "https"})
"""Schemes whose addresses have a query behind a question mark, which elsewhere is part of a name,
and of which none is a folder."""

AZURE = frozenset({"abfs", "abfss", "adl", "az"})
"""Schemes of Azure, where a question mark is part of a name, or stands before a signature."""


SIGNING = re.compile(
    r"(x-(amz|goog)-[^=]*|signature|expires|policy|key-pair-id|awsaccesskeyid|googleaccessid)(=.*)?",
    re.IGNORECASE,
)
"""Parts of a query that sign an address, as Amazon and Google do: another time there are others,
and the object is the same."""

DIGEST = re.compile(r"[0-9a-f]{12}")
"""What is shown of a query: the beginning of its SHA-256, without the parts that sign. A hundred
thousand queries of one address have the same twice in one of fifty thousand cases."""


class Url(str):
    """The address of an object in storage, as it may be shown.

    Two that differ are shown differently: instead of a query a digest of it stands behind a ``#``.

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
        """Take a whole address, and show what may be shown of it; its scheme in small letters."""
        scheme, _, rest = whole.partition("://")
        whole = f"{scheme.lower()}://{rest}"
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

    @property
    def bare(self) -> str:
        """Without what stands for a query, so that it ends as its object is named."""
        return self.partition("#")[0] if self.scheme in WEB else str(self)


def who_asks(whole: str) -> str:
    """Give what stands before the host: a name and a password, or a token; empty if nothing does.

    Examples
    --------
    >>> who_asks("ftp://me:pass@host/a@b.mp3"), who_asks("ftp://me:pa/ss@host/a.mp3")
    ('me:pass', 'me:pa/ss')
    >>> who_asks("https://host:80/a@b.mp3"), who_asks("s3://bucket/a@b.mp3")
    ('', '')
    >>> who_asks("ftp://me:12/34@host/a.mp3"), who_asks("ftp://a.org:21/34@host/a.mp3")
    ('me:12/34', '')
    """
    scheme, _, rest = whole.partition("://")
    authority = cast("re.Match[str]", AUTHORITY.match(rest)).group()
    place = rest
    if scheme.lower() in WEB:
        authority, place = (re.split(r"[?#]", x, maxsplit=1)[0] for x in (authority, rest))
    if "@" in authority:
        return authority.rpartition("@")[0]
    for text in (place, rest):  # a query has an @ of its own, or a password a question mark
        if LIKE_A_PORT.fullmatch(text):
            return text.rpartition("@")[0]
    return "" if HOST.fullmatch(authority) else rest.rpartition("@")[0]


def _without_secrets(whole: str) -> str:
    scheme, _, rest = whole.partition("://")
    who, is_web = who_asks(whole), scheme.lower() in WEB
    if who and (is_web or ":" in who):  # else a container of Azure
        rest = rest[len(who) + 1 :]
    if is_web:
        rest = _without_query(rest)
    if scheme.lower() in AZURE and "sig=" in rest.partition("?")[2].lower():
        rest = rest.partition("?")[0]
    return f"{scheme}://{rest}"


def _without_query(rest: str) -> str:
    """Replace a query by its digest, which stays if it stands there already."""
    place, _, fragment = rest.partition("#")
    bare, _, query = place.partition("?")
    parts = [part for part in query.split("&") if part and not SIGNING.fullmatch(part)]
    if parts:
        fragment = hashlib.sha256("&".join(parts).encode(errors="surrogatepass")).hexdigest()[:12]
    return f"{bare}#{fragment}" if DIGEST.fullmatch(fragment) else bare


def as_source(path: str) -> str:
    """Give an address as :class:`Url`, and any other path as it is.

    A file that is on the disk under just that name is a file.

    Examples
    --------
    >>> as_source("a/b.mp3"), as_source("https://me:pw@host/a.mp3"), as_source("C://a.mp3")
    ('a/b.mp3', 'https://host/a.mp3', 'C://a.mp3')
    >>> as_source("S3://Bucket/A.mp3")
    's3://Bucket/A.mp3'
    >>> as_source("https://host/a.mp3?id=1"), as_source("https://host/a.mp3?id=2&Signature=1f0c")
    ('https://host/a.mp3#d9fc91d45c09', 'https://host/a.mp3#25d0c83ec3d0')
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
