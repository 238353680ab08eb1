"""The page in a real Chromium, asked of the program as its users start it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys

import pytest

from asmr_classify.catalogue import Catalogue
from asmr_classify.timeline import Segment
from tests.catalogue.results import SETTINGS, found, heard
from tests.conftest import DEMO
from tests.report.browser import wait_for, wait_until
from tests.review.conftest import short, write_wav
from tests.review.test_app import encode

PLAYED = "document.getElementById('picture').style.getPropertyValue('--played')"


@pytest.fixture
def start(library):
    """Starts the program, and gives its process and the address that it prints."""
    running = []

    def run(*arguments):
        command = [sys.executable, "-m", "asmr_classify", "review", "--catalogue", library.place]
        command += ["--no-browser", "--order", "uncertain", *arguments]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        running.append(process)
        return process, process.stdout.readline().strip()

    yield run
    for process in running:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.fixture
def show(browser):
    """Opens a page; at the end, nothing must have gone wrong and nothing foreign been asked for."""
    troubles, pages = [], []

    def open_page(address, **settings):
        page = browser.new_page(**settings)
        pages.append(page)
        page.on("console", lambda message: check_message(message, troubles))
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("dialog", lambda dialog: troubles.append(f"dialog: {dialog.message}"))
        page.on("request", lambda request: check_request(request, address, troubles))
        page.goto(address)
        at(page, None)
        return page

    yield open_page
    for page in pages:
        page.close()
    assert troubles == []


def check_request(request, address, troubles):
    if not request.url.startswith((address, "data:image/svg+xml")):
        troubles.append(f"request: {request.url}")


def check_message(message, troubles):
    if "422" not in message.text:  # a refusal, which the page tells
        troubles.append(message.text)


def at(page, number):
    """Wait until a stretch is shown and drawn."""
    wanted = "!== undefined" if number is None else f"=== '{number}'"
    wait_until(page, f"document.documentElement.dataset.shown {wanted}")
    wait_until(page, f"document.getElementById('picture').dataset.drawn {wanted}")


def press(page, key, said):
    page.keyboard.press(key)
    wait_until(page, f"document.getElementById('said').textContent === {said!r}")


def pressed(page):
    return page.locator("#labels [aria-pressed=true] :not(kbd):not(.letter)").all_text_contents()


def test_twenty_answers_by_keyboard_undo_reload_kill_and_go_on(library, start, show):
    for k in range(25):
        library.add(f"{k:02}.wav", **short(2.0 + k / 50))
    process, address = start()
    page = show(address)
    for k in range(20):
        at(page, k)
        press(
            page, *(("0", "kept: none of these"), ("1", "kept: whisper"), ("2", "kept: tap"))[k % 3]
        )
        page.evaluate("document.getElementById('said').textContent = ''")
        assert len(library.answers()) == k + 1
        page.keyboard.press("ArrowRight")
    at(page, 20)
    press(page, "u", "undone")
    at(page, 19)
    assert len(library.answers()) == 19
    page.reload()
    at(page, 19)
    press(page, "2", "kept: tap")
    press(page, "1", "kept: tap, whisper")
    assert pressed(page) == ["whisper", "tap"]
    assert "The model: tap 0.60" in page.locator("#opinion").text_content()
    before = library.answers()
    process.send_signal(signal.SIGKILL)
    process.wait()
    page.close()
    assert library.answers() == before
    assert len(before) == 20

    process, address = start()
    page = show(address)
    at(page, 0)
    assert page.locator("#total").text_content() == "5"
    page.get_by_role("button", name="End").click()
    page.get_by_text("The program has ended").wait_for()
    assert process.wait(20) == 0


def test_a_new_label_that_is_kept_under_another_name_is_told(library, start, show):
    library.add("a.wav", **short())
    _, address = start()
    page = show(address)
    for written, said in (
        ("  soap ", "kept: soap"),
        ("Soap Cutting!", "the label is called Soap_Cutting!: spaces in names are written as _"),
    ):
        page.locator("#new-label").fill(written)
        page.locator("#new-label").press("Enter")
        page.get_by_text(said, exact=True).wait_for()
    assert library.answers() == [(0.0, ("soap", "Soap_Cutting!"))]


def test_names_and_labels_with_markup_are_text(library, start, show):
    name = "<img src=x onerror=alert(1)>\u202e.wav"
    library.add(name, **short())
    library.add("other.wav", **short(5.0))
    library.answer("other.wav", 0.0, 5.0, "<b>soap</b>_1")
    _, address = start()
    page = show(address)
    assert page.locator("#name").text_content() == name.replace("\u202e", "\\u202e")
    page.get_by_role("button", name="<b>soap</b> 1").click()
    page.get_by_text("kept: <b>soap</b> 1", exact=True).wait_for()
    assert pressed(page) == ["<b>soap</b> 1"]
    assert library.answers() == [(0.0, ("<b>soap</b>_1",))] * 2
    assert page.locator("img, #labels b").count() == 0
    page.reload()
    at(page, 0)
    assert pressed(page) == ["<b>soap</b> 1"]


def test_all_that_is_decoded_is_heard(library, start, show, tmp_path):
    """A browser plays neither AIFF nor AC-3; FLAC it does."""
    write_wav(tmp_path / "source.wav", duration=3)
    encode(tmp_path / "source.wav", tmp_path / "a.aiff", "pcm_s16be")
    encode(tmp_path / "source.wav", tmp_path / "b.mkv", "ac3")
    (tmp_path / "c.flac").write_bytes((DEMO / "tap-wood.flac").read_bytes())
    for name, seconds in [("a.aiff", 3.0), ("b.mkv", 3.0), ("c.flac", 6.0)]:
        library.add(name, **short(seconds))
    library.add("d.wav", segments=(Segment(20, 24, "tap", 0.9),))
    _, address = start()
    page = show(address)
    requests = []
    page.on("request", lambda request: requests.append(request.url.removeprefix(address)))
    names = set()
    for number in range(4):
        at(page, number)
        names.add(page.locator("#name").text_content())
        if number == 0:
            page.locator("#play").click()
        wait_until(page, f"{PLAYED} > 0.02")
        assert page.locator("#trouble").is_hidden()
        page.keyboard.press("ArrowRight")
    assert {"a.aiff", "b.mkv", "c.flac", "d.wav"} == names
    # what the page fetched ahead, before it was listened to
    loaded = page.evaluate("performance.getEntriesByType('resource').map(x => x.name)")
    requests += [place.removeprefix(address) for place in loaded]
    assert {request.split("/")[0] for request in requests} > {"sound", "original"}


def test_the_next_stretch_is_fetched_before_it_is_asked_for(library, start, show):
    for k in range(3):
        library.add(f"{k}.wav", **short(2.0 + k))
    _, address = start()
    page = show(address)
    asked = []
    page.on("requestfinished", lambda request: asked.append(request.url.removeprefix(address)))
    page.reload()
    at(page, 0)
    wait_for(page, lambda: {"picture/1", "original/1"} <= set(asked), "the next one is fetched")


def test_the_next_stretch_of_a_long_recording_plays_at_once(library, start, show):
    library.add("a.wav", segments=(Segment(20, 24, "tap", 0.9),))
    _, address = start()
    page = show(address)
    place = f"{address}sound/1"
    fetched = "performance.getEntriesByType('resource').some(x => x.name === {!r} && x.responseEnd)"
    wait_until(page, fetched.format(place))
    asked = []
    press(page, "2", "kept: tap")
    page.locator("#play").click()
    page.on("request", lambda request: asked.append(request.url))
    page.keyboard.press("ArrowRight")
    at(page, 1)
    wait_until(page, f"{PLAYED} > 0.02")
    assert place not in asked
    assert page.locator("#said").text_content() == ""


def test_a_recording_that_vanished_is_named_when_it_is_to_be_played(library, start, browser):
    library.add("a.wav", **short())
    _, address = start()
    os.unlink(library.place.replace("library.sqlite", "a.wav"))  # noqa: PTH108 (a name)
    page = browser.new_page()
    page.goto(address)
    at(page, 0)  # what was drawn ahead is still seen
    page.locator("#play").click()
    wait_until(page, "!document.getElementById('trouble').hidden")
    assert "a.wav" in page.locator("#trouble").text_content()
    page.close()


def test_two_tabs_see_each_others_answers(library, start, show):
    library.add("a.wav", **short())
    _, address = start()
    one, other = show(address), show(address)
    press(one, "1", "kept: whisper")
    other.reload()
    at(other, 0)
    assert pressed(other) == ["whisper"]
    press(other, "2", "kept: whisper, tap")
    one.keyboard.press("u")
    one.get_by_text("answered anew elsewhere").wait_for()
    assert library.answers() == [(0.0, ("whisper", "tap"))]


def test_help_and_the_opinion_before_the_answer(library, start, show):
    library.add("a.wav", **short())
    _, address = start("--show-opinion")
    page = show(address)
    assert (
        page.locator("#opinion").text_content() == "The model: tap 0.60, speech 0.20, whisper 0.10."
    )
    page.keyboard.press("?")
    assert page.get_by_role("dialog", name="Keys").is_visible()
    page.keyboard.press("1")  # means nothing there
    page.keyboard.press("Escape")
    assert page.get_by_role("dialog").count() == 0
    assert pressed(page) == []
    assert library.answers() == []


def test_ten_thousand_stretches_are_not_in_the_page(library, start, show, tmp_path):
    write_wav(tmp_path / "a.wav", duration=20)
    segments = tuple(Segment(2.0 * k, 2.0 * k + 2, "tap", 0.7) for k in range(10_000))
    result = heard(tmp_path / "a.wav", duration=20_000.0, decoded=20_000.0, segments=segments)
    with Catalogue.open(library.place, create=True) as catalogue:
        catalogue.add(found(result.path), result, SETTINGS)
    _, address = start()
    page = show(address)
    assert page.locator("#total").text_content() == "10,000"
    assert len(page.content()) < 150_000
    press(page, "2", "kept: tap")
    page.keyboard.press("ArrowRight")
    at(page, 1)


def test_on_a_phone_nothing_is_cut_off(library, start, show):
    library.add("a rather long name of a recording without end " * 3 + ".wav", **short())
    _, address = start()
    page = show(address, viewport={"width": 360, "height": 740}, has_touch=True)
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    page.get_by_role("button", name="tap").tap()
    wait_until(page, "document.getElementById('said').textContent === 'kept: tap'")
    rows = {page.locator(f"#{name}").bounding_box()["y"] for name in ("back", "on", "undo")}
    rows.add(page.locator("#ask-help").bounding_box()["y"])
    assert len(rows) == 1
    for button in page.locator("#labels button").all():
        assert button.bounding_box()["height"] >= 44


CONTRASTS = """() => {
  const paint = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const parts = (colours) => {
    paint.clearRect(0, 0, 1, 1);
    for (const colour of colours) { paint.fillStyle = colour; paint.fillRect(0, 0, 1, 1); }
    return paint.getImageData(0, 0, 1, 1).data;
  };
  const light = ([r, g, b]) => [r, g, b].map((x) => x / 255)
    .map((x) => x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4)
    .reduce((sum, x, k) => sum + x * [0.2126, 0.7152, 0.0722][k], 0);
  const found = [];
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((x) => x.nodeType === 3 && x.textContent.trim());
    const unseen = element.closest("script, style, noscript, :disabled");
    if (!own || unseen || !element.checkVisibility()) continue;
    const grounds = [];
    for (let at = element; at; at = at.parentElement)
      grounds.unshift(getComputedStyle(at).backgroundColor);
    const ground = parts(grounds), text = parts([...grounds, getComputedStyle(element).color]);
    const [low, high] = [light(ground), light(text)].sort((a, b) => a - b);
    found.push([element.textContent.trim(), (high + 0.05) / (low + 0.05)]);
  }
  return found;
}"""
"""Gives each text that is seen, and its contrast with what is behind it (WCAG 2.1, 1.4.3)."""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_stand_out_from_their_ground(library, start, show, scheme):
    library.add("a folder/a.wav", **short())
    _, address = start()
    page = show(address, color_scheme=scheme)
    press(page, "2", "kept: tap")
    shown = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert shown == {"light": "rgb(245, 241, 233)", "dark": "rgb(16, 18, 27)"}[scheme]
    contrasts = page.evaluate(CONTRASTS)
    texts = {text for text, _ in contrasts}
    assert {"What do you hear?", "tap", "speech", "kept: tap", "Heard"} <= texts
    assert [(text, round(x, 2)) for text, x in contrasts if x < 4.5] == []


def test_a_screen_reader_is_told_all(library, start, show):
    """Every control has a name, and what changes is told where changes are listened for."""
    library.add("a.wav", **short())
    _, address = start()
    page = show(address, viewport={"width": 360, "height": 740})
    for control in page.locator("button, input, a, progress").all():
        if control.is_visible():
            tree = control.aria_snapshot()
            assert re.match(r"""- '?\w+ "[^"]+\"""", tree), tree
    for name in ("Play", "Undo", "tap", "none of these", "End"):
        assert page.get_by_role("button", name=name, exact=True).count() == 1, name
    assert page.get_by_role("progressbar", name="Stretches answered").count() == 1
    page.get_by_role("button", name="tap", exact=True).click()
    told = page.get_by_role("status")
    told.filter(has_text="kept: tap").wait_for()
    told.filter(has_text="1 of 1 stretches answered").wait_for()
    assert page.get_by_role("button", name="tap", pressed=True).count() == 1
    for live in told.all():
        assert live.get_attribute("aria-live") == "polite"
    page.keyboard.press("ArrowRight")
    told.filter(has_text="that was the last stretch").wait_for()


def test_a_page_says_nothing_of_labels_that_were_named_on_another(library, start, show):
    library.add("a.wav", **short())
    library.add("b.wav", **short(5.0))
    _, address = start()
    old, new = show(address), show(address)
    new.keyboard.press("n")
    new.keyboard.type("soap")
    new.keyboard.press("Enter")
    wait_until(new, "document.getElementById('said').textContent === 'kept: soap'")
    old.keyboard.press("ArrowRight")
    at(old, 1)
    press(old, "2", "kept: tap")
    with Catalogue.open(library.place) as catalogue:
        asked = {x.labels: x.asked for x in catalogue.answers()}
    assert asked == {
        ("soap",): ("whisper", "tap", "speech", "soap"),
        ("tap",): ("whisper", "tap", "speech"),
    }
