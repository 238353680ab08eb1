"""What is seen in a scene does not depend on how it was filmed."""

from __future__ import annotations

from dataclasses import replace

import av
import numpy as np
import pytest
from av.video.reformatter import ColorRange, Colorspace

from asmr_classify.visual.look import look
from asmr_classify.visual.seen import LightLevel, MotionLevel, Picture
from tests.visual.scenes import (
    Film,
    barred,
    coloured,
    grainy,
    hand,
    interlaced,
    joined,
    lit,
    pan,
    plain,
    still,
    turn_display,
    turning,
    write_film,
    write_frames,
)

SHORT = Film(seconds=1.6)


@pytest.fixture
def film(tmp_path):
    def make(scene, film=SHORT, name="a.mp4", **options):
        write_film(tmp_path / name, scene, film)
        return look(tmp_path / name, **options)

    return make


def ticks(*steps):
    return tuple(np.cumsum([0.0, *steps]).tolist())


INTERLACED_MPEG = (("flags", "+ilme+ildct"),)

FILMS = {
    "180p": SHORT,
    "540p": replace(SHORT, size=(960, 540), seconds=1.1, rate=12),
    "upright": replace(SHORT, size=(180, 320)),
    "wide pixels": replace(SHORT, size=(160, 180), pixel_aspect=2),
    "stored on its side": replace(SHORT, rotation=90),
    "12 a second": replace(SHORT, rate=12),
    "60 a second": replace(SHORT, rate=60),
    "variable": replace(SHORT, times=ticks(*[0.02, 0.02, 0.06, 0.04, 0.11, 0.01] * 6)),
    "interlaced": replace(
        SHORT, is_interlaced=True, options=(("preset", "veryfast"), ("x264-params", "tff=1"))
    ),
    "interlaced MPEG-4": replace(
        SHORT, is_interlaced=True, codec="mpeg4", bit_rate=2_000_000, options=INTERLACED_MPEG
    ),
    "other codec": replace(SHORT, codec="mpeg4", bit_rate=2_000_000, options=()),
}


@pytest.mark.parametrize("scene", [hand(0.15), turning(0.8)], ids=lambda scene: scene.name)
@pytest.mark.parametrize("how", FILMS)
def test_motion_is_of_the_scene_and_not_of_the_file(film, scene, how):
    seen = film(scene, FILMS[how])
    # Optical flow is told to differ by a tenth; edges of what moves are half seen.
    assert seen.motion.median == pytest.approx(scene.motion, rel=0.2)
    assert seen.cuts_per_minute == 0


def test_a_picture_that_players_turn_is_seen_as_it_is_stored(tmp_path):
    path = tmp_path / "a.mp4"
    write_film(path, joined([hand(0.15), hand(0.3)], 0.8), SHORT)
    as_stored = look(path)
    turn_display(path, 1)
    with av.open(str(path)) as container:
        assert abs(next(container.decode(video=0)).rotation) == 90
    assert look(path) == as_stored
    assert as_stored.motion.median > 0
    stored_upright = replace(SHORT, rotation=90)
    write_film(path, joined([hand(0.15), hand(0.3)], 0.8), stored_upright)
    turn_display(path, 1)
    upright = look(path)
    assert upright.motion.median == pytest.approx(as_stored.motion.median, rel=0.1)
    assert upright.light.median == pytest.approx(as_stored.light.median, rel=0.02)
    assert upright.cuts_per_minute == as_stored.cuts_per_minute


@pytest.mark.parametrize("how", FILMS)
def test_light_is_of_the_scene_and_not_of_the_file(film, how):
    scene = plain(0.45)
    assert film(scene, FILMS[how]).light.median == pytest.approx(0.168, rel=0.1)


def test_a_clip_in_4k_is_seen_as_it_is_in_540p(tmp_path):
    small, large = tmp_path / "540p.mp4", tmp_path / "4K.mp4"
    film = Film(size=(960, 540), seconds=0.75, rate=12)
    write_film(small, hand(0.15), film)
    film = replace(film, size=(3840, 2160), matrix=Colorspace.ITU709, is_tagged=True)
    to_rgb = {"format": "rgb24", "dst_color_range": ColorRange.JPEG}
    with av.open(str(small)) as container:
        frames = (
            (frame.time, frame.reformat(*film.size, **to_rgb).to_ndarray())
            for frame in container.decode(video=0)
        )
        write_frames(large, frames, replace(film, options=(("preset", "ultrafast"),)))
    as_540p, as_4k = look(small), look(large)
    assert as_4k.seen == pytest.approx(as_540p.seen) == pytest.approx(0.75)
    assert as_4k.motion.median == pytest.approx(as_540p.motion.median, rel=0.1)
    assert as_4k.motion.median == pytest.approx(hand(0.15).motion, rel=0.2)
    # Each way to and from what is stored costs a step of 255: transcoding goes two more.
    assert as_4k.light.median == pytest.approx(as_540p.light.median, rel=0.05)
    assert as_4k.cuts_per_minute == as_540p.cuts_per_minute == 0


TAGS = [
    pytest.param(Colorspace.ITU601, True, id="tagged BT.601"),
    pytest.param(Colorspace.ITU709, True, id="tagged BT.709"),
    pytest.param(None, False, id="untagged"),
]


@pytest.mark.parametrize("height", [180, 360, 720, 1080])
@pytest.mark.parametrize(("matrix", "is_tagged"), TAGS)
def test_light_is_of_the_colours_that_the_file_tells_of(film, matrix, is_tagged, height):
    # What tells nothing is stored, and read, as its size has it.
    usual = Colorspace.ITU709 if height >= 720 else Colorspace.ITU601
    stored = Film(
        size=(height * 16 // 9, height), seconds=0.1, matrix=matrix or usual, is_tagged=is_tagged
    )
    rgb = np.array([0.8, 0.25, 0.5])
    linear = ((rgb + 0.055) / 1.055) ** 2.4  # IEC 61966-2-1
    light = film(coloured(*rgb), stored).light
    assert light.median == pytest.approx(linear @ [0.2126, 0.7152, 0.0722], rel=0.03)
    assert light.blue == pytest.approx(linear[2] / linear.sum(), rel=0.03)


@pytest.mark.parametrize("matrix", ["YCgCo", "bt2020c", "chroma-derived-nc", "ICtCp"])
def test_colours_that_cannot_be_converted_are_read_as_if_untagged(film, matrix):
    colour = coloured(0.8, 0.25, 0.5)
    told = replace(SHORT, seconds=0.1, options=(("x264-params", f"colormatrix={matrix}"),))
    assert film(colour, told) == film(colour, replace(SHORT, seconds=0.1))


@pytest.mark.parametrize(
    ("share", "speed"),
    [(0.01, 0.3), (0.02, 0.1), (0.02, 0.3), (0.02, 0.6), (0.05, 0.6), (0.05, 1.0)],
)
def test_what_is_small_has_its_speed_too(film, share, speed):
    scene = hand(speed, share=share)
    assert film(scene).motion.median == pytest.approx(scene.motion, rel=0.2)


def test_what_is_small_has_its_speed_in_a_little_grain(film):
    scene = grainy(hand(0.3, share=0.02), 0.02)
    assert film(scene).motion.median == pytest.approx(scene.motion, rel=0.2)


@pytest.mark.parametrize("speed", [0.02, 0.1, 0.4])
def test_a_pan_has_its_speed(film, speed):
    seen = film(pan(speed))
    assert seen.picture is Picture.VIDEO
    assert seen.motion.median == pytest.approx(speed, rel=0.15)


@pytest.mark.parametrize(
    "scene",
    [
        pytest.param(grainy(still()), id="grain"),
        pytest.param(lit(still(), lambda t: 0.3 + 0.3 * t, "ramp"), id="ramp"),
        pytest.param(
            lit(still(), lambda t: 0.7 + 0.3 * np.sign(np.sin(30 * t + 0.1)), "flicker"),
            id="flicker",
        ),
        pytest.param(joined([still(k) for k in range(3)], 0.5), id="slides"),
    ],
)
def test_what_only_changes_does_not_move(film, scene):
    assert film(scene).motion.level is MotionLevel.STILL


POOR = {
    "H.265": ("libx265", (("preset", "ultrafast"), ("x265-params", "log-level=none"))),
    "VP9": ("libvpx-vp9", (("deadline", "realtime"), ("cpu-used", "8"))),
}


@pytest.mark.parametrize(
    ("codec", "scene"),
    [
        pytest.param(
            "H.265",
            joined([lit(still(k), lambda _: 0.25, "dark") for k in range(5)], 0.8),
            id="dark slides",
        ),
        pytest.param(
            "VP9",
            lit(still(), lambda t: 0.75 + 0.25 * np.sign(np.sin(24 * np.pi * t + 0.05)), "12 Hz"),
            id="flicker",
        ),
    ],
)
def test_what_a_poor_encoder_makes_of_a_picture_does_not_move(film, codec, scene):
    encoder, options = POOR[codec]
    poor = Film(codec=encoder, bit_rate=150_000, options=options)
    assert film(scene, poor).motion.level is MotionLevel.STILL


@pytest.mark.parametrize("scene", [hand(0.05), hand(0.1)], ids=lambda scene: scene.name)
def test_what_moves_a_little_in_a_poor_dark_and_grainy_picture_is_seen(film, scene):
    dark = grainy(lit(scene, lambda _: 0.25, "dark"), 0.02)
    poor = replace(SHORT, bit_rate=150_000)
    assert film(dark, poor).motion.median == pytest.approx(scene.motion, rel=0.25)


def test_a_cut_between_the_fields_of_a_frame_is_one(film):
    scene = joined([pan(0.2, seed=k) for k in range(2)], 0.82)
    assert film(interlaced(scene)).cuts_per_minute == pytest.approx(60 / 1.6, rel=0.05)


def test_one_picture_is_still_and_slides_are_not(film):
    seen = film(still(), replace(SHORT, bit_rate=200_000))
    assert (seen.picture, seen.motion.level, seen.cuts_per_minute) == ("still", "still", 0)
    slides = film(joined([still(k) for k in range(4)], 0.4))
    assert slides.picture is Picture.VIDEO
    assert slides.cuts_per_minute == pytest.approx(3 / 1.6 * 60, rel=0.05)


@pytest.mark.parametrize("codec", [*POOR, "H.264", "MPEG-4"])
def test_one_picture_is_still_however_poor_its_encoder(film, codec):
    codecs = POOR | {"H.264": ("libx264", SHORT.options), "MPEG-4": ("mpeg4", ())}
    encoder, options = codecs[codec]
    poor = Film(codec=encoder, bit_rate=150_000, options=options)
    assert film(still(), poor).picture is Picture.STILL


def test_a_picture_that_slowly_gets_lighter_is_a_video(film):
    ramp = lit(still(), lambda t: 0.4 + 0.02 * t, "ramp")
    assert film(ramp, Film(bit_rate=400_000)).picture is Picture.VIDEO


def test_slides_of_one_frame_each_are_cut_between(film):
    slides = replace(SHORT, times=tuple(5.0 * k for k in range(9)))
    seen = film(joined([still(k) for k in range(9)], 5.0), slides, "a.mkv")
    assert (seen.picture, seen.motion) == ("video", None)
    assert seen.cuts_per_minute == pytest.approx(12, rel=0.05)


def test_nothing_is_seen_after_the_end(film):
    """However far frames lie apart in the mean."""
    seen = film(still(), replace(SHORT, times=(0.0, 60.0)))
    assert seen.seen == pytest.approx(60, abs=0.1)
    assert seen.lanes.duration == 62


def test_a_video_of_one_frame_is_still(film):
    seen = film(still(), replace(SHORT, seconds=1 / 25))
    assert (seen.picture, seen.motion.level) == ("still", "still")
    assert seen.flashes is None or seen.flashes == 0


def test_cuts_are_counted_while_all_moves(film):
    seen = film(joined([pan(0.3, seed=k) for k in range(4)], 0.4))
    assert seen.cuts_per_minute == pytest.approx(3 / 1.6 * 60, rel=0.05)
    assert seen.motion.level is MotionLevel.LIVELY


def test_fades_and_flashes_are_no_cuts(film):
    assert film(joined([still(0), still(1)], 0.8, fade=0.6)).cuts_per_minute == 0
    lamp = lit(still(), lambda t: 1.0 if 0.5 < t < 0.62 else 0.05, "flash")
    seen = film(lamp)
    assert seen.cuts_per_minute == 0
    assert seen.flashes == 1


def test_bars_are_no_part_of_the_picture(film):
    plainly, between = film(pan(0.1)), film(barred(pan(0.1)))
    assert between.light.median == pytest.approx(plainly.light.median, rel=0.1)
    assert between.motion.median == pytest.approx(plainly.motion.median, rel=0.15)


def test_a_dark_room_is_no_bar(film):
    def picture(time, size):
        image = still().picture(time, size) * 0.02
        image[: len(image) // 2] *= 4
        return image

    seen = film(replace(still(), picture=picture))
    assert (seen.light.level, seen.light.median < 0.01) == (LightLevel.DARK, True)


@pytest.mark.parametrize(
    ("grey", "level"),
    [(0.1, LightLevel.DARK), (0.33, LightLevel.DIM), (0.6, LightLevel.BRIGHT)],
)
def test_light_has_words(film, grey, level):
    assert film(plain(grey)).light.level is level


def test_blue_is_its_share_of_the_light(film):
    white = film(plain(0.5)).light.blue

    def picture(time, size):
        return plain(0.5).picture(time, size) * np.float32([0.1, 0.1, 1.0])

    blue = film(replace(plain(0.5), picture=picture)).light.blue
    assert white == pytest.approx(1 / 3, abs=0.05)
    assert blue > 0.9


def test_lanes_hold_a_value_each_two_seconds(film):
    scene = joined([still(), pan(0.3)], 2.0)
    lanes = film(scene, replace(SHORT, seconds=4.0)).lanes
    assert lanes.step == 2.0
    assert len(lanes.motion) == len(lanes.light) == 2
    assert lanes.motion[0] < 0.01
    assert lanes.motion[1] == pytest.approx(0.3, rel=0.2)


@pytest.mark.parametrize("seconds", [2.0, 2.5])
def test_a_cut_at_a_measured_frame_ends_fast_motion_there(film, seconds):
    scene = joined([still(0), pan(0.4), still(1)], seconds)
    lanes = film(scene, Film(size=(160, 90), seconds=3 * seconds, rate=12)).lanes
    begin, end = int(seconds // lanes.step), int(2 * seconds / lanes.step + 0.5)
    assert lanes.motion[begin] > 0.2
    assert lanes.motion[end:] == pytest.approx([0.0] * len(lanes.motion[end:]), abs=0.001)


def shown_again(scene, times):
    """Show each of twelve drawings a second so many times, and tell how that is filmed."""
    shown = np.repeat(np.arange(60), np.resize(times, 60)) / 12
    rate = 12 * float(np.mean(times))

    def picture(time, size):
        return scene.picture(shown[round(time * rate)], size)

    return replace(scene, picture=picture), Film(size=(160, 90), seconds=3.0, rate=rate)


AGAIN = pytest.mark.parametrize(
    "times", [(2,), (3,), (2, 3)], ids=["twice", "three times", "two and three times"]
)


@AGAIN
@pytest.mark.parametrize("codec", ["libx264", "mpeg4"])
def test_frames_that_are_shown_again_make_no_cuts_of_fast_motion(film, times, codec):
    """A poor encoder changes them a little each time."""
    scene, shown = shown_again(pan(0.4), times)
    seen = film(scene, replace(shown, codec=codec, bit_rate=600_000))
    assert seen.motion.level is MotionLevel.LIVELY
    assert seen.cuts_per_minute == 0


@AGAIN
def test_cuts_between_frames_that_are_shown_again_are_counted(film, times):
    seen = film(*shown_again(joined([pan(0.15, seed=k) for k in range(3)], 1.0), times))
    assert seen.cuts_per_minute == pytest.approx(2 / 3 * 60, rel=0.01)


def test_pictures_of_two_frames_each_are_cut_between(film):
    """Where these are shown for longer than drawings of what moves."""
    seen = film(joined([still(k) for k in range(8)], 0.25), Film(seconds=2.0, rate=8))
    assert seen.cuts_per_minute == pytest.approx(7 / 2 * 60, rel=0.1)
