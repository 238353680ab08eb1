"""The web application of a session: one page, and what it asks for.

Everything below the token of the address::

    GET  /                  the page
    GET  /stretches         some of the queue, ?first=N&count=N
    GET  /picture/N         waveform and spectrogram of a stretch
    GET  /sound/N           a stretch as WAV
    GET  /original/N        the recording of a stretch, where a browser may play it
    POST /answer            {"number": N, "labels": [...] or null, "asked": [...], "tab": "..."}
    POST /undo              {"tab": "..."}
    POST /label             {"name": "..."}
    POST /end               {}

Recordings are named by the number of a stretch of the session, never by path. Both kinds of sound
can be asked for by ranges of bytes. What goes wrong is told as ``{"error": "..."}``.
"""

from __future__ import annotations

import json
import re
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.responses import FileResponse, Response
from starlette.routing import Mount, Route

from asmr_classify.errors import AsmrClassifyError, MediaError, OpenError, UsageError
from asmr_classify.review.guard import Guard
from asmr_classify.review.page import render_review
from asmr_classify.review.sound import media_type

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from asmr_classify.review.session import Session
    from asmr_classify.review.sound import Sounds

USAGE, GONE, FAILED = 422, 404, 500
"""Statuses of what cannot be done: a wrong question, a recording, the catalogue."""

PARTIAL = 206
"""Status of a range of bytes."""


class Review:
    """Answers what the page asks.

    Parameters
    ----------
    session : Session
    sounds : Sounds
    end : callable
        Ends the server, once it has answered.

    Attributes
    ----------
    begun : threading.Event
        Set once a page has all that it needs of a stretch: what is not urgent waits for that.
    """

    def __init__(self, session: Session, sounds: Sounds, end: Callable[[], None]) -> None:
        self._session = session
        self._sounds = sounds
        self._end = end
        self.begun = threading.Event()

    def prepare(self) -> None:
        """Make what a page asks for first: itself, and sound and picture of its first stretch."""
        with suppress(AsmrClassifyError):  # which the page will tell
            start = self._session.start()
            render_review(start)  # its libraries are loaded thereby
            stretch = self._session.stretch(start["first"])
            if media_type(stretch) is None:
                self._sounds.wav(stretch)
            self._sounds.picture(stretch)

    def page(self, _request: Request) -> Response:
        """Give the page."""
        page, policy = render_review(self._session.start())
        headers = {"content-security-policy": policy}
        return Response(page.encode(), media_type="text/html; charset=utf-8", headers=headers)

    def stretches(self, request: Request) -> Response:
        """Give some stretches of the queue."""
        first, count = (_number(request.query_params.get(name)) for name in ("first", "count"))
        return _json({"stretches": self._session.page(first, count)})

    def picture(self, request: Request) -> Response:
        """Give what is drawn of a stretch."""
        stretch = self._session.stretch(_number(request.path_params["number"]))
        try:
            return _json(self._sounds.picture(stretch))
        finally:
            self.begun.set()

    def sound(self, request: Request) -> Response:
        """Give a stretch as WAV."""
        stretch = self._session.stretch(_number(request.path_params["number"]))
        return _by_range(self._sounds.wav(stretch), request.headers.get("range", ""))

    def original(self, request: Request) -> Response:
        """Give a recording as it is."""
        stretch = self._session.stretch(_number(request.path_params["number"]))
        kind, place = media_type(stretch), Path(stretch.path)
        if kind is None:
            raise UsageError(f"{stretch.path}: browsers do not play it as it is")
        if not place.is_file():
            raise OpenError(stretch.path, "is no longer there")
        return FileResponse(place, media_type=kind)

    async def answer(self, request: Request) -> Response:
        """Keep an answer."""
        asked = await _read(request)
        number, labels, tab = (asked.get(name) for name in ("number", "labels", "tab"))
        shown = asked.get("asked")
        if labels is not None and not _are_texts(labels):
            raise UsageError("labels must be names, or null")
        if shown is None or not _are_texts(shown):
            raise UsageError("an answer needs the labels that were asked about")
        if not isinstance(number, int) or not isinstance(tab, str):
            raise UsageError("an answer needs the number of a stretch, and a tab")
        return _json(await run_in_threadpool(self._answer, number, labels, tab, shown))

    def _answer(
        self, number: int, labels: list[str] | None, tab: str, asked: list[str]
    ) -> dict[str, Any]:
        return self._session.answer(number, labels, tab, asked=asked)

    async def undo(self, request: Request) -> Response:
        """Take back the last answer of a tab."""
        asked = await _read(request)
        return _json(await run_in_threadpool(self._session.undo, str(asked.get("tab"))))

    async def label(self, request: Request) -> Response:
        """Offer one more label."""
        asked = await _read(request)
        name = await run_in_threadpool(self._session.add_label, str(asked.get("name")))
        return _json({"name": name, "labels": self._session.labels()})

    async def end(self, _request: Request) -> Response:
        """End the session."""
        self._end()
        return _json({"ended": True})


def make_app(review: Review, *, token: str, port: int) -> Guard:
    """Make the application, and put a guard before it."""
    routes = [
        Route("/", review.page),
        Route("/stretches", review.stretches),
        Route("/picture/{number}", review.picture),
        Route("/sound/{number}", review.sound),
        Route("/original/{number}", review.original),
        *(
            Route(f"/{name}", getattr(review, name), methods=["POST"])
            for name in ("answer", "undo", "label", "end")
        ),
    ]
    handlers: Any = {AsmrClassifyError: _tell}
    application = Starlette(routes=[Mount(f"/{token}", routes=routes)], exception_handlers=handlers)
    return Guard(application, token=token, port=port)


async def _read(request: Request) -> dict[str, Any]:
    try:
        asked = json.loads(await request.body())
    except (ValueError, RecursionError) as exc:
        raise UsageError("this is no JSON") from exc
    if not isinstance(asked, dict):
        raise UsageError("this is no object of JSON")
    return asked


def _are_texts(values: object) -> bool:
    return isinstance(values, list) and all(isinstance(value, str) for value in values)


def _number(text: str | None) -> int:
    if text is None or not (text.isascii() and text.isdecimal()) or len(text) > 9:
        raise UsageError(f"{text!r} is no number")
    return int(text)


def _json(values: Any, *, status: int = 200) -> Response:
    """Write values; names that are not UTF-8 stay as they are, by escapes."""
    return Response(json.dumps(values), status, media_type="application/json")


def _by_range(wav: bytes, asked: str) -> Response:
    """Give the bytes of a WAV file that are asked for; all of them where that is not understood."""
    headers = {"accept-ranges": "bytes"}
    found = re.fullmatch(r"bytes=([0-9]{1,9})-([0-9]{0,9})", asked)
    first, last = (int(found[1]), int(found[2] or len(wav))) if found else (0, 0)
    end = min(last + 1, len(wav))
    if found is None or first >= end:
        return Response(wav, media_type="audio/wav", headers=headers)
    headers["content-range"] = f"bytes {first}-{end - 1}/{len(wav)}"
    return Response(wav[first:end], PARTIAL, media_type="audio/wav", headers=headers)


def _tell(_request: Request, error: AsmrClassifyError) -> Response:
    status = FAILED
    if isinstance(error, UsageError):
        status = USAGE
    elif isinstance(error, MediaError):
        status = GONE
    return _json({"error": str(error)}, status=status)
