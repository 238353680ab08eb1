"""Who may ask the server: the page that this program opened, and nobody else.

- The server listens on the loopback address alone.
- Every address begins with a random token, which no other page can guess. Without it there is
  nothing.
- ``Host`` must name this machine, else a page of a foreign name that was pointed at this machine
  (DNS rebinding) would count as ours.
- ``Origin``, where a browser tells it, must be the server itself, and must be told by whatever
  changes something, which is a POST of JSON: forms of foreign pages cannot send that.
- A content security policy lets the page run its own style and script, by their hashes, and ask
  this server alone.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    Scope = dict[str, Any]
    Receive = Callable[[], Awaitable[Any]]
    Send = Callable[[Any], Awaitable[None]]
    Application = Callable[[Any, Receive, Send], Awaitable[None]]

HOST = "127.0.0.1"
"""Loopback: no other machine can ask."""

NAMES = (HOST, "localhost")

LARGEST_BODY = 65536
"""Bytes of a request; answers are far shorter."""

HEADERS = {
    "cache-control": "no-store",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
"""Of every response: nothing is kept, sent on, guessed at, or shown within another page."""


def make_token() -> str:
    """Make what every address begins with: 192 random bits."""
    return secrets.token_urlsafe(24)


class Guard:
    """Stands before an application, and lets through what may ask it.

    Parameters
    ----------
    application : ASGI application
        Sees addresses with the token.
    token : str
    port : int
        On which the server listens.
    """

    def __init__(self, application: Application, *, token: str, port: int) -> None:
        self._application = application
        self._prefix = f"/{token}/".encode()
        self._hosts = {f"{name}:{port}" for name in NAMES}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":  # no other kind is served
            return
        refusal = self._refusal(scope)
        if refusal is None:
            await self._application(scope, receive, _with_headers(send))
        else:
            await _refuse(_with_headers(send), *refusal)

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        headers = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }
        host, origin = headers.get("host"), headers.get("origin")
        if host not in self._hosts:
            return 403, "this is not the address of the server"
        begin = str(scope["path"]).encode("utf-8", "replace")[: len(self._prefix)]
        if not secrets.compare_digest(begin, self._prefix):
            return 404, "nothing is here; open the address that the program printed"
        if origin is not None and origin != f"http://{host}":
            return 403, "another page may not ask this"
        is_reading = scope["method"] in {"GET", "HEAD"}
        return None if is_reading else _refusal_to_change(scope["method"], headers)


def _refusal_to_change(method: str, headers: Mapping[str, str]) -> tuple[int, str] | None:
    if method != "POST" or "origin" not in headers:
        return 403, "only the page itself may change anything"
    if headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        return 403, "only JSON is understood"
    length = headers.get("content-length", "")
    is_short = length.isdecimal() and int(length) <= LARGEST_BODY
    return None if is_short else (413, "that is too much")


def _with_headers(send: Send) -> Send:
    async def send_more(message: Any) -> None:
        if message["type"] == "http.response.start":
            own = {name for name, _ in message["headers"]}
            more = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
            message["headers"] = [*message["headers"], *(x for x in more if x[0] not in own)]
        await send(message)

    return send_more


async def _refuse(send: Send, status: int, reason: str) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": reason.encode()})
