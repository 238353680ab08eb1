"""Who may ask, for what, and what comes back; nobody else gets anything, or changes anything."""

from __future__ import annotations

import io
import json
import wave
from pathlib import Path

import av
import numpy as np
import pytest

from tests.review.conftest import HOST, LABELS, TOKEN, short, write_wav

ANSWER = {"number": 0, "labels": ["tap"], "asked": [*LABELS], "tab": "a"}


@pytest.fixture
def ask(library, open_session, serve_app):
    return serve_app(open_session(library.add("a.wav", **short()), library.add("long.wav")))


def test_the_page_is_given_with_a_strict_policy_and_is_not_kept(ask):
    response = ask("GET", "/")
    assert response.status_code == 200
    policy = dict(
        rule.split(" ", 1) for rule in response.headers["content-security-policy"].split("; ")
    )
    assert policy["default-src"] == "'none'"
    assert policy["script-src"].startswith("'sha256-")
    assert policy["style-src"].startswith("'sha256-")
    assert policy["connect-src"] == policy["media-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["form-action"] == policy["base-uri"] == "'none'"
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["referrer-policy"] == "no-referrer"
    assert "http://" not in response.text.replace("http://www.w3.org/2000/svg", "")


@pytest.mark.parametrize(
    "place", ["/", "/stretches?first=0&count=1", "/sound/0", "/original/0", "/picture/0"]
)
@pytest.mark.parametrize(
    ("under", "headers", "status"),
    [
        pytest.param("", {}, 404, id="no token"),
        pytest.param(f"/{TOKEN[:-1]}x", {}, 404, id="wrong token"),
        pytest.param(f"/{TOKEN[:-1]}", {}, 404, id="half a token"),
        pytest.param(f"/{TOKEN}", {"host": "evil.example:8000"}, 403, id="rebound name"),
        pytest.param(f"/{TOKEN}", {"host": "127.0.0.1:9"}, 403, id="another port"),
        pytest.param(f"/{TOKEN}", {"host": "127.0.0.1"}, 403, id="no port"),
        pytest.param(f"/{TOKEN}", {"origin": "http://evil.example"}, 403, id="foreign origin"),
        pytest.param(f"/{TOKEN}", {"origin": "null"}, 403, id="sandboxed origin"),
    ],
)
def test_others_read_nothing(ask, place, under, headers, status):
    response = ask("GET", place, under=under, headers=headers)
    assert response.status_code == status
    assert "a.wav" not in response.text
    assert b"RIFF" not in response.content


@pytest.mark.parametrize(
    ("method", "changes", "status"),
    [
        pytest.param("POST", {"under": "/x"}, 404, id="wrong token"),
        pytest.param("POST", {"headers": {"origin": None}}, 403, id="no origin"),
        pytest.param("POST", {"headers": {"origin": "http://evil.example"}}, 403, id="foreign"),
        pytest.param("POST", {"headers": {"origin": f"https://{HOST}"}}, 403, id="scheme"),
        pytest.param("POST", {"headers": {"host": "evil.example"}}, 403, id="rebound"),
        pytest.param("POST", {"headers": {"content-type": "text/plain"}}, 403, id="a form"),
        pytest.param("POST", {"json": {**ANSWER, "tab": "x" * 70000}}, 413, id="too much"),
        pytest.param("PUT", {"headers": {"origin": f"http://{HOST}"}}, 403, id="PUT"),
        pytest.param("GET", {}, 405, id="GET"),
    ],
)
def test_others_change_nothing(ask, library, method, changes, status):
    assert ask(method, "/answer", **{"json": ANSWER, **changes}).status_code == status
    assert library.answers() == []


@pytest.mark.parametrize(
    "place",
    [
        "/sound/../../../../etc/passwd",
        "/sound/%2e%2e%2f%2e%2e%2fetc%2fpasswd",
        "/original//etc/passwd",
        "/original/%2Fetc%2Fpasswd",
        "/original/-1",
        "/original/99",
        "/original/0.0",
        "/original/²",
        "/picture/1e0",
        "/assets/review.js",
        "/stretches?first=-1&count=1",
        "/stretches?first=0",
    ],
)
def test_only_numbers_of_the_session_are_served(ask, place):
    response = ask("GET", place)
    assert response.status_code in {404, 422}
    assert b"root:" not in response.content


def test_an_answer_is_in_the_catalogue_when_it_is_told(ask, library):
    told = ask("POST", "/answer", json=ANSWER).json()
    assert told["stretch"]["labels"] == ["tap"]
    assert told["progress"]["answered"] == 1
    assert library.answers() == [(0.0, ("tap",))]
    ask("POST", "/answer", json={**ANSWER, "labels": []})
    assert library.answers() == [(0.0, ())]
    ask("POST", "/undo", json={"tab": "a"})
    assert library.answers() == [(0.0, ("tap",))]
    ask("POST", "/answer", json={**ANSWER, "labels": None})
    assert library.answers() == []


@pytest.mark.parametrize(
    ("body", "message"),
    [
        pytest.param({"json": []}, "no object", id="list"),
        pytest.param(
            {"content": b"{", "headers": {"content-type": "application/json"}},
            "no JSON",
            id="broken",
        ),
        pytest.param({"json": {**ANSWER, "labels": "tap"}}, "labels must be names", id="text"),
        pytest.param({"json": {**ANSWER, "labels": [1]}}, "labels must be names", id="number"),
        pytest.param(
            {"json": {**ANSWER, "labels": ["fizz"]}}, "is not offered", id="unknown label"
        ),
        pytest.param({"json": {**ANSWER, "asked": None}}, "were asked about", id="not asked"),
        pytest.param({"json": {**ANSWER, "number": "0"}}, "needs the number", id="no number"),
        pytest.param({"json": {**ANSWER, "number": 99}}, "there is no stretch 99", id="beyond"),
        pytest.param({"json": {**ANSWER, "tab": None}}, "and a tab", id="no tab"),
    ],
)
def test_what_is_no_answer_is_refused(ask, library, body, message):
    response = ask("POST", "/answer", **body)
    assert response.status_code == 422
    assert message in response.json()["error"]
    assert library.answers() == []


def test_new_labels_are_named_and_offered(ask, library):
    told = ask("POST", "/label", json={"name": " soap  cutting "}).json()
    assert told["name"] == "soap_cutting"
    assert [x["name"] for x in told["labels"]] == ["whisper", "tap", "speech", "soap_cutting"]
    ask("POST", "/answer", json={**ANSWER, "labels": ["soap_cutting"]})
    assert library.answers() == [(0.0, ("soap_cutting",))]
    for name, message in [
        ("", "cannot be a label"),
        ("silence", "decided by level"),
        ("a\n\0b", "cannot"),
        ("Tap", "'Tap' cannot be a label: it differs in case only from tap, which is one"),
        ("SOAP cutting", "differs in case only from soap_cutting"),
        ("no talking", "'no_talking' cannot be a label: it has another meaning in queries"),
        ("soap:cutting", "leave out commas and : = < >"),
    ]:
        refused = ask("POST", "/label", json={"name": name})
        assert refused.status_code == 422
        assert message in refused.json()["error"]


@pytest.mark.parametrize("asked", ["/sound/0", "/original/0"])
def test_sound_is_given_by_ranges(ask, asked):
    whole = ask("GET", asked)
    assert (whole.status_code, whole.headers["content-type"]) == (200, "audio/wav")
    assert whole.headers["accept-ranges"] == "bytes"
    part = ask("GET", asked, headers={"range": "bytes=100-199"})
    assert (part.status_code, part.content) == (206, whole.content[100:200])
    size = len(whole.content)
    assert part.headers["content-range"] == f"bytes 100-199/{size}"
    rest = ask("GET", asked, headers={"range": f"bytes=44-{size + 5}"})
    assert (rest.status_code, rest.content) == (206, whole.content[44:])
    rest = ask("GET", asked, headers={"range": "bytes=0-"})
    assert (rest.status_code, rest.content) == (206, whole.content)
    assert rest.headers["content-range"] == f"bytes 0-{size - 1}/{size}"


@pytest.mark.parametrize("meant", ["bytes=999999999-", "bytes=5-2", "bytes=a-b", "seconds=1-2"])
def test_of_a_stretch_all_is_given_where_no_range_can_be(ask, meant):
    whole = ask("GET", "/sound/0", headers={"range": meant})
    assert (whole.status_code, whole.content[:4]) == (200, b"RIFF")


def test_a_stretch_is_what_lies_there(ask):
    stretches = ask("GET", "/stretches?first=0&count=9").json()["stretches"]
    last = stretches[-1]
    with wave.open(io.BytesIO(ask("GET", f"/sound/{last['number']}").content)) as file:
        sr, y = file.getframerate(), np.frombuffer(file.readframes(10**6), "<i2")
        assert file.getnchannels() == 1
    with wave.open(last["path"]) as file:
        whole = np.frombuffer(file.readframes(10**7), "<i2")
    expected = whole[round(sr * last["start"]) : round(sr * last["end"])]
    assert y.size == expected.size
    assert np.abs(y - expected.astype(int)).max() <= 1  # by rounding


def test_what_browsers_do_not_play_is_decoded(library, open_session, serve_app, tmp_path):
    write_wav(tmp_path / "a.wav", duration=3)
    for name, codec in [("a.aiff", "pcm_s16be"), ("b.mkv", "ac3")]:
        encode(tmp_path / "a.wav", tmp_path / name, codec)
    ask = serve_app(open_session(*(library.add(x, **short(3.0)) for x in ("a.aiff", "b.mkv"))))
    for number, shown in enumerate(ask("GET", "/stretches?first=0&count=2").json()["stretches"]):
        assert shown["type"] is None
        assert ask("GET", f"/original/{number}").status_code == 422
        with wave.open(io.BytesIO(ask("GET", f"/sound/{number}").content)) as file:
            assert 2.9 < file.getnframes() / file.getframerate() < 3.1


def encode(source, target, codec):
    with av.open(str(source)) as given, av.open(str(target), "w") as made:
        stream = made.add_stream(codec, rate=48000 if codec == "ac3" else 8000)
        resampler = av.AudioResampler(stream.format, "mono", stream.rate)
        stream.layout = "mono"
        for frame in given.decode(audio=0):
            for piece in resampler.resample(frame):
                made.mux(stream.encode(piece))
        made.mux(stream.encode(None))


def test_pictures_are_compact_numbers(ask):
    picture = ask("GET", "/picture/0").json()
    assert set(picture) == {"peaks", "mel", "bands"}
    assert len(json.dumps(picture)) < 100_000


def test_what_vanished_or_changed_is_told_and_nothing_is_lost(ask, library, tmp_path):
    ask("POST", "/answer", json=ANSWER)
    Path(tmp_path / "a.wav").unlink()
    for asked in ("/sound/0", "/original/0", "/picture/0"):
        response = ask("GET", asked)
        assert response.status_code == 404
        assert "a.wav" in response.json()["error"]
    write_wav(tmp_path / "long.wav", duration=2)
    refused = ask("POST", "/answer", json={**ANSWER, "number": 1})
    assert refused.status_code == 422
    assert "changed" in refused.json()["error"]
    assert library.answers() == [(0.0, ("tap",))]


def test_names_are_never_markup(library, open_session, serve_app):
    evil = "<script>alert(1)<|script>.wav"
    added = library.add(evil, **short())
    library.answer(evil, 0.0, 1.0, "</script><img src=x>")
    ask = serve_app(open_session(added))
    page = ask("GET", "/")
    assert "<img" not in page.text
    assert "\\u003cimg" in page.text
    told = ask("GET", "/stretches?first=0&count=1")
    assert told.headers["content-type"] == "application/json"
    assert told.json()["stretches"][0]["path"].endswith(evil)


def test_the_end_is_told_before_it_comes(ask):
    assert ask("POST", "/end", json={}).json() == {"ended": True}
    assert ask.ended == [True]
