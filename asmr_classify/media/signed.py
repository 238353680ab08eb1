"""Parts of an object of S3, read by plain HTTP from an address that its library signs.

That library reads by an event loop of Python and copies what comes three times: eight megabytes
take it 16 ms of a core, and whoever decodes meanwhile waits for its turns. This takes less than
half of that, and waits in the system. Objects that are read in many blocks are read so.

It asks for what it is told once and never explains itself. Whatever is wrong, it gives nothing, and
the library is asked, which tries again and tells what it is. An address that is signed opens its
object for whoever has it: it is kept in memory, and nothing here writes it anywhere.
"""

from __future__ import annotations

import os
import ssl
from functools import cache
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any, Self
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

VALID = 3600
"""Seconds for which an address is signed: ten hours of sound are read in some minutes."""

CONNECTING, PATIENCE = 5.0, 15.0
"""Seconds after which a connection, and an answer of which no byte comes, are given up, as the
library does it by itself. Both are well below what a worker that says nothing is waited for."""


class Signed:
    """An object of S3 whose parts are read from a signed address.

    Parameters
    ----------
    address : str
    version : str
        The object's ETag: one that was replaced is not read on.
    """

    def __init__(self, address: str, version: str) -> None:
        self._address = urlsplit(address)
        self._version = version
        self._connection: HTTPConnection | None = None

    @classmethod
    def of(cls, file: Any) -> Self | None:
        """Sign the address of an open object.

        Parameters
        ----------
        file : fsspec's file

        Returns
        -------
        Signed or None
            None unless it lies in S3, on the server that its library asks, and can be asked for
            without what only that library has or sends along: who pays, a key of its own, a proxy,
            whom to trust.
        """
        system: Any = getattr(file, "fs", None)
        if not hasattr(system, "call_s3") or system.req_kw or system.s3_additional_kwargs:
            return None
        if system.config_kwargs.get("proxies") or "verify" in system.client_kwargs:
            return None
        version = file.details.get("ETag")
        try:
            server = urlsplit(system.s3.meta.endpoint_url).netloc
            address = _signer(system, server).sign(file.path, expiration=VALID)
            signed = cls(address, version)
            is_there = f".{urlsplit(address).netloc}".endswith(f".{server}")
            return signed if version and is_there and not signed.has_proxy() else None
        except MemoryError:
            raise
        except Exception:  # noqa: BLE001 (what is wrong is told when the library is asked)
            return None

    def has_proxy(self) -> bool:
        """Whether the system tells to ask somebody else for it."""
        proxies, where = getproxies(), self._address
        is_proxied = where.scheme in proxies or "all" in proxies
        return is_proxied and not proxy_bypass(where.netloc)

    def read(self, start: int, n_bytes: int) -> bytes | None:
        """Read a part; None if it cannot be had."""
        while True:
            is_new = self._connection is None
            try:
                return self._ask(start, n_bytes)
            except (OSError, HTTPException):
                self.close()
            if is_new:  # else the server may have closed one that waited for too long
                return None

    def _ask(self, start: int, n_bytes: int) -> bytes | None:
        if self._connection is None:
            self._connection = self._connect()
        what, span = self._address, f"{start}-{start + n_bytes - 1}"
        headers = {"If-Match": self._version, "Range": f"bytes={span}"}
        self._connection.request("GET", f"{what.path}?{what.query}", headers=headers)
        with self._connection.getresponse() as answer:
            is_part = answer.status == HTTPStatus.PARTIAL_CONTENT and answer.length == n_bytes
            is_asked_for = answer.getheader("Content-Range", "").startswith(f"bytes {span}/")
            if is_part and is_asked_for and answer.getheader("ETag") == self._version:
                return answer.read()
        self.close()
        return None

    def _connect(self) -> HTTPConnection:
        where = self._address.netloc
        if self._address.scheme == "http":
            connection = HTTPConnection(where, timeout=CONNECTING)
        else:
            connection = HTTPSConnection(where, timeout=CONNECTING, context=_trusted())
        connection.connect()
        connection.sock.settimeout(PATIENCE)
        return connection

    def close(self) -> None:
        """Close the connection, if there is one; reading on opens another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _signer(system: Any, server: str) -> Any:
    """Give what signs as today's servers want it: the library itself signs in an older way.

    At Amazon, addresses that are signed so would be of another server if the bucket were part of
    the path. fsspec keeps what is made here as it keeps the system.
    """
    if system.anon:  # nothing is signed
        return system
    config: dict[str, Any] = {"signature_version": "s3v4"}
    if ".amazonaws.com" in server:
        config["s3"] = {"addressing_style": "virtual"}
    options = {**system.storage_options, "config_kwargs": {**config, **system.config_kwargs}}
    return type(system)(*system.storage_args, **options)


@cache
def _trusted() -> ssl.SSLContext:
    """Give whom to trust: it takes some hundredths of a second to read."""
    return ssl.create_default_context(cafile=os.environ.get("AWS_CA_BUNDLE") or None)
