from __future__ import annotations

import asyncio
import wave
from types import SimpleNamespace

import httpx
import numpy as np
import pytest

from asmr_classify.catalogue import Catalogue
from asmr_classify.review import Session, cut_stretches
from asmr_classify.review.app import Review, make_app
from asmr_classify.review.sound import Sounds
from asmr_classify.timeline import Segment
from tests.catalogue.results import SETTINGS, found, heard

TOKEN, PORT = "t" * 32, 8000
HOST = f"127.0.0.1:{PORT}"
LABELS = ("tap", "whisper", "speech")


def write_wav(path, duration=40.0, sr=8000, tone=200):
    """A tone that rises, so that each stretch has its own samples."""
    t = np.arange(round(sr * duration)) / sr
    y = 0.5 * np.sin(2 * np.pi * (tone * t + 10 * t**2))
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, sr, 0, "NONE", "NONE"))
        file.writeframes(np.round(32767 * y).astype("<i2").tobytes())


@pytest.fixture
def library(tmp_path):
    """A catalogue with recordings that can be heard."""
    place = tmp_path / "library.sqlite"

    def add(name, **changes):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            write_wav(path, duration=changes.get("decoded", 40.0))
        result = heard(path, **changes)
        with Catalogue.open(str(place), create=True) as catalogue:
            catalogue.add(found(path), result, SETTINGS)
        return result

    def answers():
        with Catalogue.open(str(place)) as catalogue:
            return [(x.start, x.labels) for x in catalogue.answers()]

    def answer(name, start, end, *labels):
        with Catalogue.open(str(place)) as catalogue:
            catalogue.answer(str(tmp_path / name), start, end, labels, labels)

    return SimpleNamespace(place=str(place), add=add, answers=answers, answer=answer)


def short(seconds=4.0, **changes):
    """What a recording of one stretch gives."""
    scores = {"tap": 0.6, "whisper": 0.1, "speech": 0.2}
    timeline = (Segment(0, seconds, "tap", 0.6),)
    fields = {"duration": seconds, "decoded": seconds, "scores": scores, "segments": timeline}
    return {**fields, **changes}


@pytest.fixture
def open_session(library):
    def make(*results, **settings):
        stretches = [stretch for result in results for stretch in cut_stretches(result)]
        return Session(library.place, stretches, LABELS, **settings)

    return make


@pytest.fixture
def serve_app():
    """Asks the application, as the page does unless told otherwise."""

    def start(session):
        ended = []
        app = make_app(
            Review(session, Sounds(), lambda: ended.append(True)), token=TOKEN, port=PORT
        )

        async def send(method, place, headers, body):
            transport = httpx.ASGITransport(app=app)
            async with httpx.AsyncClient(transport=transport) as client:
                request = client.build_request(method, f"http://{HOST}{place}", **body)
                for name, value in headers.items():
                    request.headers.pop(name, None)
                    if value is not None:
                        request.headers[name] = value
                return await client.send(request)

        def ask(method, place, *, under=f"/{TOKEN}", headers=None, **body):
            own = {"origin": f"http://{HOST}"} if method == "POST" else {}
            return asyncio.run(send(method, f"{under}{place}", {**own, **(headers or {})}, body))

        ask.ended = ended
        return ask

    return start
