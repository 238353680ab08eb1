"""The page in a real Chromium, opened from the disk as its users open it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from asmr_classify.aggregate import Problem, Status
from asmr_classify.report import compute_waveforms
from asmr_classify.report.films import pack_jpeg
from asmr_classify.timeline import Segment
from asmr_classify.visual.seen import Light, LightLevel, Motion, MotionLevel, Picture, Visual
from tests.catalogue.results import seen
from tests.report.browser import PATIENCE, wait_for, wait_until
from tests.report.conftest import HOSTILE, draw_here, heard, lost, write_wav

MEDIA = "document.querySelector('#stage audio, #stage video')"


@pytest.fixture
def show(browser):
    """Opens a report; at the end, nothing must have gone wrong and nothing been asked for."""
    troubles, pages = [], []

    def open_page(path: Path, **settings):
        page = browser.new_page(**settings)
        pages.append(page)
        page.on("console", lambda message: troubles.append(message.text))
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("dialog", lambda dialog: troubles.append(f"dialog: {dialog.message}"))
        page.on("request", lambda request: check_request(request, path, troubles))
        page.goto(path.as_uri())
        wait_until(page, "document.documentElement.dataset.ready === 'yes'")
        return page

    yield open_page
    for page in pages:
        page.close()
    assert troubles == []


def check_request(request, path, troubles):
    own = path.as_uri().rpartition("/")[0]
    if not request.url.startswith(own) or request.resource_type not in {"document", "media"}:
        troubles.append(f"request: {request.resource_type} {request.url}")


LIBRARY = (
    heard("b/Take 10.wav"),
    heard("a/Take 2.wav", duration=400.0, decoded=400.0, longest_talk=1.0),
    heard(
        "a/quiet.wav",
        trigger="whisper",
        tags=("whisper", "tap"),
        scores={"whisper": 0.8, "tap": 0.6, "speech": 0.0},
        segments=(Segment(2, 4, "tap", 0.6), Segment(6, 19, "whisper", 0.8)),
        no_talking=None,
        longest_talk=None,
    ),
    heard(
        "a/music.wav",
        trigger=None,
        tags=(),
        duration=40.0,
        decoded=40.0,
        scores={"tap": 0.0, "whisper": 0.0, "speech": 0.0},
        segments=(),
        no_talking=True,
        longest_talk=0.0,
    ),
    lost("z/broken.wav"),
)
NAMES = ["music.wav", "quiet.wav", "Take 2.wav", "Take 10.wav", "broken.wav"]


@pytest.fixture
def library(make_page, tmp_path):
    for folder in "ab":
        (tmp_path / folder).mkdir()
    for result in LIBRARY[:3]:
        write_wav(tmp_path / result.path)
    waveforms = compute_waveforms(LIBRARY, work=draw_here, cache=tmp_path / "cache")
    assert len(waveforms.contents) == 3
    return make_page(LIBRARY, waveforms.contents)


def names(page):
    return page.locator("#rows .words > bdi:last-child").all_text_contents()


def heading(page, name):
    return page.get_by_role("columnheader", name=name)


@pytest.mark.parametrize(
    ("column", "upwards", "downwards"),
    [
        ("File", "M Q 2 10 B", "B 10 2 Q M"),
        ("Triggers", "Q 2 10 M B", "M B 2 10 Q"),
        ("Timeline", "M B 2 Q 10", "Q 10 2 M B"),
        ("Length", "B Q 10 M 2", "2 M Q 10 B"),
        ("Talking", "M 2 10 Q B", "Q B 10 2 M"),
        ("Status", "M Q 2 10 B", "B M Q 2 10"),
    ],
)
def test_each_column_sorts_both_ways(show, library, column, upwards, downwards):
    page = show(library)
    assert names(page) == NAMES
    header = heading(page, column)
    orders = {}
    for _ in range(2):
        header.get_by_role("button").click()
        orders[header.get_attribute("aria-sort")] = names(page)
    short = {NAMES[place]: letter for place, letter in enumerate("M Q 2 10 B".split())}
    found = {way: " ".join(short[name] for name in order) for way, order in orders.items()}
    assert found == {"ascending": upwards, "descending": downwards}  # ties by path
    others = page.locator("th[aria-sort]:not([aria-sort=none])")
    assert others.count() == 1


def fill(page, label, text):
    page.get_by_label(label, exact=True).fill(text)


FILTERS = {
    "words": (lambda page: fill(page, "Find in path", "TAKE wav"), ["Take 2.wav", "Take 10.wav"]),
    "folder": (lambda page: fill(page, "Find in path", "b/"), ["Take 10.wav"]),
    "trigger": (
        lambda page: page.get_by_role("button", name="whisper").click(),
        ["quiet.wav"],
    ),
    "no trigger": (
        lambda page: page.locator("#tagged").select_option("none"),
        ["music.wav", "broken.wav"],
    ),
    "without talking": (
        lambda page: page.get_by_label("Talking").select_option("without"),
        ["music.wav"],
    ),
    "with talking": (
        lambda page: page.locator("#talking").select_option("with"),
        ["Take 2.wav", "Take 10.wav"],
    ),
    "at least": (
        lambda page: fill(page, "Shortest, in minutes", "0.5"),
        ["music.wav", "Take 2.wav"],
    ),
    "at most": (
        lambda page: fill(page, "Longest, in minutes", "0.5"),
        ["quiet.wav", "Take 10.wav"],
    ),
    "status": (lambda page: page.locator("#status").select_option("failed"), ["broken.wav"]),
}


@pytest.mark.parametrize("name", FILTERS)
def test_filters_narrow_the_list_and_clear(show, library, name):
    page = show(library)
    narrow, left = FILTERS[name]
    narrow(page)
    assert names(page) == left
    status = page.locator("#count")
    assert status.text_content().startswith(f"{len(left)} of 5 recordings")
    assert status.get_attribute("aria-live") == "polite"
    page.get_by_role("button", name="Clear").click()
    wait_until(page, "document.querySelectorAll('#rows tr').length === 5")
    assert status.text_content() == "5 recordings, 8 min"
    assert page.locator("[aria-pressed=true]").count() == 0


def test_filters_work_together_and_may_leave_nothing(show, library):
    page = show(library)
    page.get_by_role("button", name="tap").click()
    assert names(page) == ["quiet.wav", "Take 2.wav", "Take 10.wav"]
    page.get_by_role("button", name="whisper").click()
    assert names(page) == ["quiet.wav"]
    fill(page, "Find in path", "take")
    assert names(page) == []
    assert page.get_by_text("No recording is like that").is_visible()


def playing_from(page, seconds):
    wait_until(page, f"{MEDIA}?.currentTime > {seconds} && !{MEDIA}.paused")
    assert page.evaluate(f"{MEDIA}.currentTime") < seconds + 3


def test_clicking_a_segment_seeks_and_plays(show, library):
    page = show(library)
    assert page.locator("audio, video").count() == 0
    page.get_by_role("button", name="Play a/quiet.wav").click()
    playing_from(page, 0)
    page.get_by_role("button", name="Play whisper, 0:06.0 to 0:19.0, score 0.80").click()
    playing_from(page, 6)
    page.get_by_role("button", name="Play tap").click()
    playing_from(page, 2)
    page.get_by_role("button", name="Next segment").click()
    playing_from(page, 6)
    page.get_by_role("button", name="Pause", exact=True).click()
    wait_until(page, f"{MEDIA}.paused")
    page.get_by_role("button", name="Play a/quiet.wav").click()
    playing_from(page, 6)
    page.get_by_role("button", name="Pause a/quiet.wav").click()
    wait_until(page, f"{MEDIA}.paused")
    assert page.locator("audio").count() == 1


def test_clicking_a_timeline_in_the_table_plays_the_segment_there(show, library):
    page = show(library)
    strip = page.locator("#rows tr", has_text="quiet.wav").locator(".strip")
    box = strip.bounding_box()
    strip.click(position={"x": box["width"] * 0.6, "y": 20})  # 12 s of 20: whispers from 6 s on
    playing_from(page, 6)
    assert page.locator("[aria-current=true]").text_content().startswith("a/quiet.wav")
    strip.hover(position={"x": box["width"] * 0.15, "y": 20})
    assert strip.get_attribute("title") == "tap, 0:02.0 to 0:04.0, score 0.60"


def test_clicking_the_waveform_plays_from_there(show, library):
    page = show(library)
    page.get_by_role("button", name="Play b/Take 10.wav").click()
    wave = page.get_by_role("slider", name="Position")
    box = wave.bounding_box()
    wave.click(position={"x": box["width"] * 0.75, "y": 10})
    playing_from(page, 14.8)


def test_all_can_be_done_by_keyboard(show, library):
    page = show(library)
    focused = "document.activeElement.getAttribute('aria-label') ?? document.activeElement.id"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the recordings"
    page.keyboard.press("/")
    assert page.evaluate(focused) == "text"
    page.keyboard.type("a/")
    assert len(names(page)) == 3
    page.get_by_role("button", name="Play a/music.wav").focus()
    page.keyboard.press("ArrowDown")
    assert page.evaluate(focused) == "Play a/quiet.wav"
    page.keyboard.press("Enter")
    playing_from(page, 0)
    page.get_by_role("slider", name="Position").focus()
    page.keyboard.press("ArrowRight")
    playing_from(page, 5)
    page.keyboard.press("Space")
    wait_until(page, f"{MEDIA}.paused")
    page.keyboard.press("Tab")
    assert page.evaluate(focused).startswith("Play whisper")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    assert page.evaluate(focused).startswith("Play tap")
    page.keyboard.press("Enter")
    playing_from(page, 2)
    page.keyboard.press("Escape")
    assert not page.locator("#player").is_visible()
    assert page.locator("audio").count() == 0
    assert page.evaluate(focused) == "Play a/quiet.wav"


def test_focus_is_seen(show, library):
    page = show(library)
    page.keyboard.press("/")
    for _ in range(9):
        page.keyboard.press("Tab")
        style = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert style != "none"


def test_a_recording_that_is_gone_is_told(browser, library):
    page = browser.new_page()
    page.goto(library.as_uri())
    Path("a/quiet.wav").unlink()
    page.get_by_role("button", name="Play a/quiet.wav").click()
    page.get_by_role("alert").wait_for(timeout=1000 * PATIENCE)
    assert "This browser cannot play it" in page.get_by_role("alert").text_content()
    page.close()


def test_problems_stand_in_the_row_and_in_a_list(show, library):
    page = show(library)
    row = page.get_by_role("row").filter(has_text="broken.wav")
    assert "not a media file; fetch it again" in row.text_content()
    page.get_by_text("1 file failed").click()
    assert page.locator("#reasons").is_visible()
    assert "z/broken.wav" in page.locator("#reasons").text_content()


def test_a_video_gets_a_picture(show, make_page, tmp_path):
    for name in ("a.mp4", "b.mp3"):
        write_wav(tmp_path / name)
    page = show(make_page([heard("a.mp4"), heard("b.mp3")]))
    for name, tag in (("a.mp4", "VIDEO"), ("b.mp3", "AUDIO")):
        page.get_by_role("button", name=f"Play {name}").click()
        assert page.evaluate(f"{MEDIA}.tagName") == tag


def test_names_do_nothing_and_play(show, make_page, tmp_path):
    """Not as text, not as a title, not as an address; and each leads to its recording."""
    evil = "<img src=x onerror=alert(2)>"
    for name in (*HOSTILE, f"{evil}.wav"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        write_wav(tmp_path / name, duration=1.0)
    segments = (Segment(0, 1, evil, 0.9),)
    results = [
        heard(
            name,
            duration=1.0,
            decoded=1.0,
            model=evil,
            tags=(evil,),
            trigger=evil,
            scores={evil: 0.9},
            segments=segments,
        )
        for name in HOSTILE
    ]
    page = show(make_page([*results, lost(f"{evil}.wav", evil)]))
    opened = page.locator("#rows button.opener")
    assert opened.count() == len(HOSTILE) + 1
    for k in range(opened.count()):
        opened.nth(k).click()
        wait_until(page, f"{MEDIA}?.readyState > 1 && !{MEDIA}.error")
    page.locator("#problems summary").click()
    assert page.locator("img, script:not([type]) ~ script, b:not(header b, .amount b)").count() == 0
    shown = page.locator("#rows").inner_text()
    assert "\u202e" not in shown
    assert "\\u202egnp.vaw" in shown
    assert "caf\\xe9.wav" in shown
    assert evil in shown


def test_the_policy_refuses_what_gets_in_all_the_same(browser, library):
    page = browser.new_page()
    refused, asked = [], []
    page.on("console", lambda message: refused.append(message.text))
    page.on("request", lambda x: asked.append(x))  # noqa: PLW0108 (no builtin can be given)
    page.goto(library.as_uri())
    page.evaluate(
        """() => {
            document.body.insertAdjacentHTML("beforeend",
                "<img src='http://127.0.0.1:9/x.png' onerror='document.title = 1'>"
                + "<iframe src='http://127.0.0.1:9/'></iframe><style>body { color: red }</style>");
            const script = document.createElement("script");
            script.textContent = "document.title = 2";
            document.body.append(script);
        }"""
    )
    named = "Content Security Policy"
    wait_for(page, lambda: sum(named in text for text in refused) >= 4, "four refusals")
    page.wait_for_timeout(200)  # what is not refused has had its time
    assert page.title() == "What 5 recordings hold"
    outside = [request for request in asked if request.url.startswith("http")]
    assert {request.failure for request in outside} <= {"csp"}
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_follow_the_system_until_chosen(show, library, scheme):
    page = show(library, color_scheme=scheme)
    lightness = """(() => {
        const [r, g, b] = getComputedStyle(document.body).backgroundColor.match(/\\d+/g);
        return (Number(r) + Number(g) + Number(b)) / 765;
    })()"""
    assert (page.evaluate(lightness) > 0.5) == (scheme == "light")
    toggle = page.get_by_role("button", name="Colours")
    toggle.click()
    assert toggle.text_content() == "Colours: light"
    assert page.evaluate(lightness) > 0.5
    page.reload()
    assert page.evaluate(lightness) > 0.5
    toggle.click()
    assert page.evaluate(lightness) < 0.5
    toggle.click()
    assert toggle.text_content() == "Colours: as the system"


def test_the_waveform_is_drawn_in_the_colour_of_its_label(show, library):
    page = show(library, color_scheme="dark")
    drawn = (
        page.locator("#rows tr", has_text="Take 10.wav")
        .locator("canvas")
        .evaluate(
            """(canvas) => {
            const { width, height } = canvas;
            const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
            const seen = new Map();
            for (let k = 0; k < data.length; k += 4) {
                if (data[k + 3] < 255) continue;
                const colour = [data[k], data[k + 1], data[k + 2]].join();
                seen.set(colour, (seen.get(colour) ?? 0) + 1);
            }
            return [...seen].sort((a, b) => b[1] - a[1]).slice(0, 2).map(([colour]) => colour);
        }"""
        )
    )
    assert drawn == ["247,220,130", "35,152,90"]  # --tap and --speech by night


@pytest.mark.parametrize("width", [320, 390, 820])
def test_it_fits_a_phone(show, library, width):
    page = show(library, viewport={"width": width, "height": 700})
    page.get_by_role("button", name="Play a/quiet.wav").click()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.get_by_role("table").get_by_role("row").count() == 6
    heading(page, "Length").get_by_role("button").click()
    assert names(page)[0] == "Take 2.wav"
    assert page.locator("#player").bounding_box()["height"] < 700 * 0.65


SET_BY_HAND = (
    heard("a.wav", tags=("whisper", "tap"), trigger="whisper", corrected=("trigger",)),
    heard(
        "b.wav",
        tags=(),
        trigger=None,
        no_talking=True,
        kinds={"rain": 1.0},
        corrected=("trigger", "no_talking", "kinds"),
    ),
    heard("c.wav"),
    heard("d.wav", tags=("whisper",), trigger="whisper", scores={"whisper": 0.9}),
)


def test_what_was_set_by_hand_says_so_and_has_no_score(show, make_page, tmp_path):
    for result in SET_BY_HAND:
        write_wav(tmp_path / result.path)
    page = show(make_page(SET_BY_HAND))
    cells = {
        column: page.locator(f"#rows td.at-{column}").all_inner_texts()
        for column in ("tags", "talk")
    }
    tags = [" ".join(text.split()) for text in cells["tags"]]
    assert tags == [
        "W whisper T tap set by hand",
        "none set by hand rain set by hand",
        "T tap 0.90",
        "W whisper 0.90",
    ]
    assert [text.split() for text in cells["talk"]][1] == ["none", "set", "by", "hand"]
    assert not any("hand" in text for k, text in enumerate(cells["talk"]) if k != 1)
    heading(page, "Triggers").get_by_role("button").click()
    assert names(page) == ["a.wav", "d.wav", "c.wav", "b.wav"]  # what a person says is surest
    for name, about, lane in (
        ("b.wav", "set by hand: triggers: none; talking: none; kinds: rain", "T tap 0.90"),
        ("a.wav", "set by hand: triggers: whisper, tap", "T tap set by hand"),
    ):
        page.get_by_role("button", name=f"Play {name}", exact=True).click()
        assert about in page.locator("#now-about").inner_text()
        shown = page.locator("#lanes .lane-name").first.inner_text()
        assert " ".join(shown.split()) == lane


OF_KINDS = (
    heard("a.wav", kinds={"typing": 0.934, "running_water": 0.7}),
    heard("b.wav", kinds={"running_water": 0.8, "<b>\u202ex": 0.6}),
    heard("c.wav"),
)


def test_kinds_stand_below_the_triggers_and_narrow_the_list(show, make_page, tmp_path):
    for result in OF_KINDS:
        write_wav(tmp_path / result.path)
    page = show(make_page(OF_KINDS))
    lines = page.locator("#rows .kinds")
    assert lines.all_text_contents() == [
        "typing 0.93, running water 0.70",
        "running water 0.80, <b>\\u202ex 0.60",
    ]
    options = page.locator("#kind option").all_text_contents()
    assert options == ["any", "<b>\\u202ex (1)", "running water (2)", "typing (1)"]
    page.get_by_label("Kind of sound").select_option("running water (2)")
    assert names(page) == ["a.wav", "b.wav"]
    page.get_by_label("Kind of sound").select_option("typing (1)")
    assert names(page) == ["a.wav"]
    page.get_by_role("button", name="Clear").click()
    wait_until(page, "document.querySelectorAll('#rows tr').length === 3")
    assert page.get_by_text("Kinds of sound, in small letters").count() == 1


def lively_and_bright(path, **changes):
    motion, light = Motion(MotionLevel.LIVELY, 0.4, 0.9), Light(LightLevel.BRIGHT, 0.6, 0.9, 0.3)
    return heard(path, visual=seen(motion=motion, light=light, flashes=5), **changes)


LOOKS = (
    heard("a.mp4", visual=seen()),
    lively_and_bright("b.mp4"),
    heard("c.mp4", status=Status.NO_AUDIO, duration=None, decoded=0.0, segments=(), visual=seen()),
    heard("d.mp4", visual=Visual(Picture.STILL, light=Light(LightLevel.DARK, 0.01, 0.02, 0.1))),
    heard("e.mp4", visual_error=Problem("DecodeError", "e.mp4: <b>damaged</b>")),
    heard("f.mp3"),
)


@pytest.fixture
def looks(make_page, tmp_path):
    for name in ("a.mp4", "c.mp4"):
        write_wav(tmp_path / name)
    film = pack_jpeg(np.full((36, 384, 3), 200, np.uint8))
    return make_page(LOOKS, films={"a.mp4": film, "c.mp4": film})


def test_looks_stand_below_the_triggers_and_narrow_the_list(show, looks):
    page = show(looks)
    lines = page.locator("#rows .looks")
    assert lines.all_text_contents() == [
        "motion slow, light dark",
        "motion lively, light bright",
        "motion slow, light dark",
        "still picture, light dark",
        "picture not seen",
    ]
    told = "motion lively (0.4), light bright (0.6), 0.5 cuts a minute, most flashes in a second: 5"
    assert lines.nth(1).get_attribute("title") == told
    assert lines.nth(4).get_attribute("title") == "<b>damaged</b>"
    options = page.locator("#light option").all_text_contents()
    assert options == ["any", "dark (3)", "bright (1)"]
    for label, option, left in (
        ("Light", "dark (3)", ["a.mp4", "c.mp4", "d.mp4"]),
        ("Motion", "slow (2)", ["a.mp4", "c.mp4"]),
        ("Picture", "still (1)", []),
    ):
        page.get_by_label(label).select_option(option)
        assert names(page) == left
    page.get_by_role("button", name="Clear").click()
    wait_until(page, "document.querySelectorAll('#rows tr').length === 6")


def test_filmstrips_are_shown_above_the_timeline(show, looks):
    page = show(looks)
    films = page.locator("#rows img.film")
    assert films.count() == 2
    is_shown = "(image) => image.complete && image.naturalWidth === 384"
    wait_until(page, f"[...document.querySelectorAll('img.film')].every({is_shown})")
    strip = page.locator("#rows tr", has_text="a.mp4").locator(".strip").bounding_box()
    film = films.first.bounding_box()
    assert film["width"] == strip["width"]
    assert film["y"] + film["height"] <= strip["y"]


def test_motion_and_light_are_lanes_of_the_player(show, looks):
    page = show(looks)
    page.get_by_role("button", name="Play c.mp4").click()
    lanes = page.locator("#lanes .of-looks")
    assert [" ".join(text.split()) for text in lanes.all_inner_texts()] == [
        "motion slow",
        "light dark",
    ]
    assert page.locator("#clock").text_content().endswith("/ 0:40")
    track = page.get_by_role("img", name="motion over time: slow")
    for what, title in (("motion", "motion 0.030 at 0:30"), ("light", "light not seen at 0:30")):
        lane = page.get_by_role("img", name=f"{what} over time")
        box = lane.bounding_box()
        page.mouse.move(box["x"] + box["width"] * 0.75, box["y"] + 5)
        assert lane.get_attribute("title") == title
    drawn = track.locator("canvas").evaluate(
        """(canvas) => {
            const { width, height } = canvas;
            const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
            const tall = (share) => {
                const x = Math.round(share * width);
                const at = (y) => data[4 * (y * width + x) + 3];
                const rows = [...Array(height).keys()];
                return rows.filter((y) => at(y) === 255).length / height;
            };
            return [tall(0.25), tall(0.75)];
        }"""
    )
    assert drawn == pytest.approx([0.447, 0.548], abs=0.06)  # roots of 0.02 and 0.03 of 0.1


def test_without_looks_nothing_speaks_of_them(show, library):
    page = show(library)
    assert not page.get_by_label("Light").is_visible()
    assert page.locator("#rows .looks, #rows .film").count() == 0
    assert page.get_by_text("Motion and light of videos").count() == 0


@pytest.mark.parametrize("width", [320, 390, 820, 1100])
def test_looks_fit_any_width(show, looks, width):
    page = show(looks, viewport={"width": width, "height": 700})
    page.get_by_role("button", name="Play a.mp4").click()
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_without_kinds_nothing_speaks_of_them(show, library):
    page = show(library)
    assert not page.get_by_label("Kind of sound").is_visible()
    assert page.locator("#rows .kinds").count() == 0
    assert page.get_by_text("Kinds of sound").count() == 0


def test_readers_hear_a_table(show, library):
    page = show(library)
    assert page.get_by_role("table", name="Recordings").get_attribute("aria-rowcount") == "6"
    assert page.get_by_role("columnheader").count() == 6
    row = page.get_by_role("row").filter(has_text="Take 10.wav")
    assert row.get_attribute("aria-rowindex") == "5"
    assert "tap 75 %, speech 50 %" in row.text_content()
    unnamed = page.evaluate(
        """[...document.querySelectorAll("button, input, select, a")].filter((element) =>
            !element.textContent.trim() && !element.getAttribute("aria-label")
            && !element.labels?.length).length"""
    )
    assert unnamed == 0


def test_motion_is_spared_whoever_asks(show, library):
    duration = "getComputedStyle(document.getElementById('theme')).transitionDuration"
    assert show(library, reduced_motion="reduce").evaluate(duration) in {"0s", ""}
    assert show(library, reduced_motion="no-preference").evaluate(duration) != "0s"


def test_five_thousand_files_stay_usable(show, make_page):
    segments = tuple(Segment(10 * k, 10 * k + 8, ("tap", "speech")[k % 2], 0.7) for k in range(40))
    model = heard("", duration=400.0, decoded=400.0, segments=segments)
    results = [
        replace(model, path=f"some folder/recording {k}.mp3", duration=400.0 + k)
        for k in range(5000)
    ]
    path = make_page(results, {result.path: bytes(range(180)) * 2 for result in results})
    assert path.stat().st_size < 15e6
    page = show(path)
    heading(page, "Length").get_by_role("button").click()
    assert names(page)[0] == "recording 4999.mp3"
    assert len(names(page)) == 50
    page.get_by_role("button", name="Next", exact=True).click()
    assert names(page)[0] == "recording 4949.mp3"
    page.locator("#page").fill("100")
    page.keyboard.press("Enter")
    assert names(page)[-1] == "recording 0.mp3"
    fill(page, "Find in path", "recording 42")
    n_named = sum("42" in str(k) for k in range(5000))
    assert page.locator("#count").text_content().startswith(f"{n_named} of 5,000 recordings")
    assert page.locator("#rows *").count() < 3000


def test_arrow_keys_go_on_to_the_next_page(show, make_page):
    page = show(make_page([heard(f"{k}.mp3") for k in range(60)]))
    page.get_by_role("button", name="Play 49.mp3").focus()
    page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement.textContent") == "50.mp3"
    page.keyboard.press("ArrowUp")
    assert page.evaluate("document.activeElement.textContent") == "49.mp3"
