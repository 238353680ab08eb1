from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asmr_classify.errors import OutputError
from asmr_classify.report import render_page, report_data, write_page
from asmr_classify.report.films import MAX_BYTES, pack_jpeg
from asmr_classify.report.page import SCRIPTS, escape_json
from asmr_classify.report.waveforms import POINTS
from asmr_classify.timeline import Segment
from asmr_classify.visual.seen import Lanes
from tests.catalogue.results import seen
from tests.report.conftest import HOSTILE, MADE, heard, lost

TEXTS = st.text(st.characters(codec=None))


class Elements(HTMLParser):
    """What a parser finds: tags with attributes, and the content of scripts and styles."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.raw, self._into = [], [], None
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._into = (tag, []) if tag in {"script", "style"} else None
        if self._into:
            self.raw.append(self._into)

    def handle_endtag(self, tag):
        if self._into and tag == self._into[0]:
            self._into = None

    def handle_data(self, data):
        if self._into:
            self._into[1].append(data)

    def content(self, tag):
        return ["".join(parts) for name, parts in self.raw if name == tag]


def page_of(*results):
    return render_page(report_data(results, folder="/page", made=MADE))


@given(st.recursive(TEXTS, lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner)))
def test_json_in_a_page_is_read_back_as_it_was_and_holds_no_markup(values):
    text = escape_json(values)
    assert json.loads(text) == values
    assert not set(text) & set("<>&\u2028\u2029\ufeff")
    text.encode()


def test_numbers_that_json_lacks_are_refused():
    with pytest.raises(ValueError, match="not JSON compliant"):
        escape_json([float("nan")])


def test_names_make_no_elements():
    plain = Elements(page_of(heard("a.wav"), lost("b.wav")))
    hostile = Elements(page_of(*map(heard, HOSTILE), lost(HOSTILE[0]), lost(HOSTILE[1])))
    assert [tag for tag, _ in hostile.tags] == [tag for tag, _ in plain.tags]
    data = json.loads(hostile.content("script")[0])
    assert {file["path"] for file in data["files"]} == set(HOSTILE)


def test_labels_and_models_make_no_elements_either():
    """They are the user's own, and stand in the template."""
    evil = "<img src=x onerror=alert(1)>\"'\u202e\udce9\n"
    fields = {"scores": {evil: 0.9}, "shares": {}, "segments": (), "tags": (evil,), "trigger": evil}
    page = page_of(heard("a.wav", model=evil, **fields))
    page.encode()
    assert "<img" not in page
    assert "\u202e" not in page
    names = {name for _, attrs in Elements(page).tags for name in attrs}
    assert not any(name.startswith("on") for name in names)


def test_the_policy_allows_what_stands_in_the_page_and_recordings():
    elements = Elements(page_of(heard("a.wav")))
    metas = [attrs for tag, attrs in elements.tags if tag == "meta"]
    policy = next(x["content"] for x in metas if "http-equiv" in x)
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))

    def hashed(text):
        return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"

    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == hashed(elements.content("script")[1])
    assert rules["style-src"] == hashed(elements.content("style")[0])
    assert rules["media-src"] == "'self' file:"
    assert "unsafe" not in policy


def test_the_page_is_alone():
    """No address but those of recordings; no attribute that holds style or script."""
    page = page_of(heard("/pages/a.wav"))
    outside = re.findall(r"(?:https?:)?//[\w.]+", page.replace("http://www.w3.org/2000/svg", ""))
    assert outside == ["//pages"]  # of file:///pages/a.wav
    for tag, attrs in Elements(page).tags:
        assert not {name for name in attrs if name == "style" or name.startswith("on")}, tag
        assert "src" not in attrs


def test_the_script_writes_text_and_never_markup():
    script = Elements(page_of(heard("a.wav"))).content("script")[1]
    for way in (
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        "fetch(",
    ):
        assert way not in script
    assert len(SCRIPTS) == len(set(SCRIPTS))


def test_the_head_tells_how_much_by_what_and_when():
    page = page_of(heard("a.wav"), heard("b.wav", duration=7180.0), lost("c.wav"))
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", page.split("<body>")[1]))
    assert "3 recordings, 2.0 h of sound" in text
    assert "Labelled by tiny@0.1 · made 2 January 2026, 03:04" in text
    assert "2 files 30 s" in text


def test_one_recording_is_called_one():
    assert "1 recording, 20 s of sound" in page_of(heard("a.wav"))


def test_a_page_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    target = tmp_path / "report.html"
    target.write_text("earlier")
    with pytest.raises(OutputError, match=r"none.report\.html: cannot be written; its folder"):
        write_page("new", str(tmp_path / "none" / "report.html"))
    monkeypatch.setattr("pathlib.Path.replace", lambda *_: (_ for _ in ()).throw(OSError(28, "")))
    with pytest.raises(OutputError, match=r"report\.html: cannot be written; the disk is full"):
        write_page("new", str(target))
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
    assert target.read_text() == "earlier"


def test_a_page_of_five_hundred_videos_stays_below_5_mb(rng):
    """The most that a video can take: filmstrips of noise, long timelines, changing motion."""
    noise = rng.integers(0, 256, (36, 384, 3), dtype=np.uint8)
    film = pack_jpeg(noise).ljust(MAX_BYTES, b"\0")
    lanes = Lanes(2.0, tuple(rng.random(3600)), tuple(rng.random(3600)))
    segments = tuple(Segment(30 * k, 30 * k + 25, "tap", 0.7) for k in range(60))
    results = [
        heard(
            f"a folder of videos/{k} of a creator.mp4", segments=segments, visual=seen(lanes=lanes)
        )
        for k in range(500)
    ]
    paths = [result.path for result in results]
    waveforms = dict.fromkeys(paths, bytes(rng.integers(0, 256, POINTS, dtype=np.uint8)))
    options = {"waveforms": waveforms, "films": dict.fromkeys(paths, film)}
    page = render_page(report_data(results, folder="/pages", made=MADE, **options))
    assert len(page.encode()) < 5_000_000
