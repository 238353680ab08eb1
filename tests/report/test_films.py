from __future__ import annotations

import random
import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from asmr_classify.aggregate import Status
from asmr_classify.report import films
from asmr_classify.report.films import (
    CELL,
    FRAMES,
    MAX_BYTES,
    MOST,
    make_films,
    pack_jpeg,
)
from asmr_classify.visual.seen import Picture, Visual
from tests.catalogue.results import seen
from tests.media.make_media import RECIPES, tone, write_media
from tests.report.conftest import draw_here, heard, lost, write_wav
from tests.visual.scenes import Film, coloured, turn_display, write_film
from tests.visual.test_film import CountedFile, write_picture_and_sound

SECONDS, RATE = 6, 5


def write_video(path, draw, size=(64, 36), codec="mpeg4"):
    """A video of which ``draw`` gives the picture at each second, all of them keyframes."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=RATE)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        stream.codec_context.gop_size = 1
        for k in range(SECONDS * RATE):
            frame = av.VideoFrame.from_ndarray(draw(k / RATE), format="rgb24")
            frame.pts, frame.time_base = k, Fraction(1, RATE)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return str(path)


def greys(seconds, size=(64, 36)):
    """Lighter from second to second."""
    return np.full((size[1], size[0], 3), 20 + 40 * int(seconds), np.uint8)


def top_white(_seconds):
    image = np.zeros((36, 64, 3), np.uint8)
    image[:18] = 255
    return image


def films_of(tmp_path, *results, **options):
    return make_films(results, work=draw_here, cache=tmp_path / "cache", **options)


def film_of(tmp_path, path):
    """The pictures of a filmstrip, shape (frames, height, width, 3)."""
    (jpeg,) = films_of(tmp_path, heard(path)).contents.values()
    with av.open(str(write_bytes(tmp_path / "film.jpg", jpeg))) as container:
        image = next(container.decode(video=0)).to_ndarray(format="rgb24")
    width, height = CELL
    assert image.shape == (height, FRAMES * width, 3)
    return image.reshape(height, FRAMES, width, 3).swapaxes(0, 1)


def write_bytes(path, content):
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("name", "codec"), [("a.mp4", "mpeg4"), ("a.mkv", "libx264"), ("a.webm", "libvpx")]
)
def test_pictures_stand_where_they_are_in_time(tmp_path, name, codec):
    film = film_of(tmp_path, write_video(tmp_path / name, greys, codec=codec))
    assert film.mean(axis=(1, 2, 3)) == pytest.approx([20, 60, 100, 140, 180, 220], abs=6)


def test_other_shapes_stand_in_the_middle(tmp_path):
    def draw(_seconds):
        return np.full((64, 32, 3), 255, np.uint8)

    picture = film_of(tmp_path, write_video(tmp_path / "a.mp4", draw, size=(32, 64)))[0]
    columns = np.flatnonzero(picture.mean(axis=(0, 2)) > 128)
    assert (len(columns), columns.mean()) == (18, (CELL[0] - 1) / 2)


def test_wide_pixels_stand_as_they_are_shown(tmp_path):
    square = Film(size=(32, 64), seconds=1, pixel_aspect=2)
    write_film(tmp_path / "a.mp4", coloured(1, 1, 1), square)
    picture = film_of(tmp_path, str(tmp_path / "a.mp4"))[0]
    assert len(np.flatnonzero(picture.mean(axis=(0, 2)) > 128)) == CELL[1]


@pytest.mark.parametrize(("quarter", "lit"), [(0, "top"), (1, "right"), (2, "bottom"), (3, "left")])
def test_pictures_stand_upright(tmp_path, quarter, lit):
    path = Path(write_video(tmp_path / "a.mp4", top_white))
    turn_display(path, quarter)
    picture = film_of(tmp_path, str(path))[2].mean(axis=2)
    rows, columns = np.nonzero(picture > 128)
    middle = rows.mean() / CELL[1] - 0.49, columns.mean() / CELL[0] - 0.49
    sides = {"top": -middle[0], "bottom": middle[0], "left": -middle[1], "right": middle[1]}
    assert max(sides, key=sides.__getitem__) == lit


def test_what_is_gone_damaged_or_no_video_has_none(tmp_path):
    good = write_video(tmp_path / "good.mp4", greys)
    write_bytes(tmp_path / "empty.mp4", b"")
    write_bytes(tmp_path / "text.mp4", b"no video at all" * 100)
    write_wav(tmp_path / "sound.mp4", duration=0.5)
    write_wav(tmp_path / "sound.wav", duration=0.5)
    names = ("gone.mp4", "empty.mp4", "text.mp4", "sound.mp4", "sound.wav")
    results = [heard(str(tmp_path / name)) for name in names]
    unseen = heard(good, visual=Visual(Picture.NONE))
    assert films_of(tmp_path, *results, unseen, lost(good)).contents == {}


def test_what_was_seen_has_one_whatever_its_name_and_sound(tmp_path):
    path = Path(write_video(tmp_path / "a.mp4", greys)).rename(tmp_path / "a.bin")
    mute = heard(str(path), status=Status.NO_AUDIO)
    assert films_of(tmp_path, mute).contents == {}
    assert [*films_of(tmp_path, heard(str(path), visual=seen())).contents] == [str(path)]


def test_damage_never_breaks_a_report(tmp_path):
    rng = random.Random(3)  # noqa: S311 (no secret)
    for ext in ("mp4", "mkv", "webm", "avi"):
        recipe = RECIPES[ext]
        path = tmp_path / f"a.{ext}"
        write_media(path, tone(1.0, recipe.sr, n_channels=2), recipe, video_duration=2.0)
        whole = path.read_bytes()
        for k in range(40):
            content = bytearray(whole)
            for _ in range(rng.randrange(1, 60)):
                content[rng.randrange(len(content))] = rng.randrange(256)
            damaged = write_bytes(
                tmp_path / f"{k}.{ext}", content[: rng.randrange(1, 2 * len(content))]
            )
            for film in films_of(tmp_path, heard(str(damaged))).contents.values():
                assert len(film) <= MAX_BYTES


def test_absurd_sizes_are_refused(tmp_path):
    path = Path(write_video(tmp_path / "a.avi", greys, codec="ffv1"))  # has no size of its own
    assert films_of(tmp_path, heard(str(path))).contents
    content = path.read_bytes()
    size = struct.pack("<ii", 64, 36)
    assert size in content
    path.write_bytes(content.replace(size, struct.pack("<ii", 60_000, 60_000)))
    assert films_of(tmp_path, heard(str(path))).contents == {}


def test_a_picture_that_ends_early_is_shown_without_reading_on(tmp_path, monkeypatch):
    """Without an index, FFmpeg looks for the picture up to the end wherever it seeks."""
    path = tmp_path / "a.ts"
    write_picture_and_sound(path, n_frames=25, seconds=200)
    told = []
    with CountedFile(path) as file:
        monkeypatch.setattr(films, "open_container", lambda _: av.open(file))
        jpeg = films._make(str(path), lambda _: told.append(file.n_read))
    with av.open(str(write_bytes(tmp_path / "film.jpg", jpeg))) as container:
        image = next(container.decode(video=0)).to_ndarray(format="rgb24")
    shown = image.reshape(CELL[1], FRAMES, CELL[0], 3).mean(axis=(0, 2, 3))
    assert shown == pytest.approx([90, 0, 0, 0, 0, 0], abs=6)
    assert file.n_read < 4 * path.stat().st_size
    assert max(np.diff(told)) < 0.5 * path.stat().st_size


def test_even_noise_is_packed_small(rng):
    noise = rng.integers(0, 256, (CELL[1], FRAMES * CELL[0], 3), dtype=np.uint8)
    assert 1000 < len(pack_jpeg(noise)) <= MAX_BYTES
    assert pack_jpeg(np.tile(noise, (4, 4, 1))) is None


def test_filmstrips_are_kept_until_a_video_changes(tmp_path):
    path = Path(write_video(tmp_path / "a.mp4", greys))
    first = films_of(tmp_path, heard(str(path)))
    again = films_of(tmp_path, heard(str(path)))
    assert (again.n_cached, again.contents) == (1, first.contents)
    path.write_bytes(path.read_bytes() + b"\0" * 8)
    assert films_of(tmp_path, heard(str(path))).n_cached == 0


def test_the_cache_is_the_users(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    make_films([heard(write_video(tmp_path / "a.mp4", greys))], work=draw_here)
    assert len([*(tmp_path / "asmr-classify" / "films").glob("*/*")]) == 1


def test_only_so_many_get_one(tmp_path):
    first = write_video(tmp_path / "a.mp4", greys)
    last = write_video(tmp_path / "b.mp4", greys)
    gone = [heard(f"gone-{k}.mp4") for k in range(MOST - 1)]
    assert [*films_of(tmp_path, heard(first), *gone, heard(last)).contents] == [first]
