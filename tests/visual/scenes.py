"""Scenes with an exact truth, drawn at any size and at any time, and films made of them.

A scene is a function of time that gives a picture; places in it are shares of the diagonal, so that
it is the same at any size. Speeds are diagonals a second.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache, lru_cache
from typing import TYPE_CHECKING

import av
import numpy as np
from av.video.reformatter import Colorspace
from scipy.ndimage import gaussian_filter, map_coordinates

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

UNTAGGED = 2
"""FFmpeg's number for colours that a file says nothing of."""

TEXTURE = 512
"""Pixels along each side of a texture, which is a diagonal wide and goes on and on."""


@cache
def texture(seed: int = 0) -> np.ndarray:
    """Colours of several scales, as on cloth or wood: float32, shape (TEXTURE, TEXTURE, 3)."""
    rng = np.random.default_rng(seed)
    layers = [
        gaussian_filter(rng.standard_normal((TEXTURE, TEXTURE, 3)), (s, s, 0), mode="wrap") * s
        for s in (2, 5, 12, 30)
    ]
    mixed = sum(layers)
    tint = rng.uniform(0.35, 0.65, 3)
    return np.clip(tint + 0.13 * mixed / mixed.std(), 0, 1).astype(np.float32)


def draw(tex: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Take a texture at places that are shares of the diagonal."""
    at = [rows * TEXTURE, columns * TEXTURE]
    return np.stack(
        [map_coordinates(tex[..., c], at, order=1, mode="grid-wrap") for c in range(3)], axis=-1
    )


@lru_cache(maxsize=4)
def places(size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of the pixels of a width and a height, from the centre, in diagonals."""
    width, height = size
    diagonal = np.hypot(width, height)
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    return fixed((rows - height / 2 + 0.5) / diagonal), fixed(
        (columns - width / 2 + 0.5) / diagonal
    )


@lru_cache(maxsize=8)
def standing(seed: int, size: tuple[int, int]) -> np.ndarray:
    """Draw a texture that stands still: once, for all frames."""
    return fixed(draw(texture(seed), *places(size)))


def fixed(array: np.ndarray) -> np.ndarray:
    """Let nobody write into what is kept for others."""
    array.flags.writeable = False
    return array


@dataclass(frozen=True)
class Scene:
    """Something to film, and what is true of it.

    Parameters
    ----------
    name : str
    picture : callable
        Takes a time and a (width, height), gives float32 of 0 to 1, shape (height, width, 3).
    motion : float
        Root of the mean square speed, in diagonals a second.
    cuts : tuple of float
    is_still : bool
        Whether it is one picture.
    """

    name: str
    picture: Callable[[float, tuple[int, int]], np.ndarray]
    motion: float = 0.0
    cuts: tuple[float, ...] = ()
    is_still: bool = False


def still(seed: int = 0) -> Scene:
    return Scene("still", lambda _time, size: standing(seed, size), is_still=True)


def of_photograph(image: np.ndarray) -> np.ndarray:
    """Make a texture of a photograph: mirrored, so that it goes on and on."""
    half = TEXTURE // 2
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
    small = frame.reformat(half, half, interpolation="AREA").to_ndarray() / np.float32(255)
    wide = np.concatenate([small, small[:, ::-1]], axis=1)
    return np.concatenate([wide, wide[::-1]])


def pan(speed: float, *, seed: int = 0, angle: float = 0.4, tex: np.ndarray | None = None) -> Scene:
    """All of the picture goes past."""
    background = texture(seed) if tex is None else tex

    def picture(time, size):
        rows, columns = places(size)
        along = speed * time
        return draw(background, rows + along * np.sin(angle), columns + along * np.cos(angle))

    return Scene(f"pan {speed:g}", picture, speed)


def hand(speed: float, *, share: float = 0.12, turn: float = 1.6) -> Scene:
    """A textured ellipse goes back and forth at a steady speed before a still background."""
    ratio = 1.5

    def picture(time, size):
        rows, columns = places(size)
        reach = speed * turn / 4
        phase = time / turn % 1
        x = reach * (4 * abs(phase - 0.5) - 1)
        area = share * size[0] * size[1] / np.hypot(*size) ** 2
        b = np.sqrt(area / (np.pi * ratio))
        inside = ((columns - x) / (ratio * b)) ** 2 + (rows / b) ** 2 < 1
        front = draw(texture(7), rows, columns - x)
        return np.where(inside[..., None], front, standing(0, size))

    return Scene(f"hand {speed:g}", picture, speed * float(np.sqrt(share)))


def turning(rate: float, *, tex: np.ndarray | None = None) -> Scene:
    """All of the picture turns, at radians a second."""
    background = texture(1) if tex is None else tex

    def picture(time, size):
        rows, columns = places(size)
        c, s = np.cos(rate * time), np.sin(rate * time)
        return draw(background, c * rows - s * columns, s * rows + c * columns)

    # The mean square distance from the centre is a twelfth of the squared diagonal.
    return Scene(f"turning {rate:g}", picture, rate / float(np.sqrt(12)))


def zooming(rate: float, *, tex: np.ndarray | None = None) -> Scene:
    """All of the picture grows, by so much a second."""
    background = texture(2) if tex is None else tex

    def picture(time, size):
        rows, columns = places(size)
        scale = np.exp(-rate * time)
        return draw(background, scale * rows, scale * columns)

    return Scene(f"zooming {rate:g}", picture, rate / float(np.sqrt(12)))


def lit(scene: Scene, light: Callable[[float], float], name: str) -> Scene:
    """Light a scene as a lamp does whose strength, of 0 to 1, changes."""
    return replace(
        scene,
        name=f"{scene.name}, {name}",
        picture=lambda time, size: scene.picture(time, size) * np.float32(light(time)),
        is_still=False,
    )


def grainy(scene: Scene, sigma: float = 0.05) -> Scene:
    """Add grain that is new in each frame."""

    def picture(time, size):
        rng = np.random.default_rng(round(time * 1e6))
        clean = scene.picture(time, size)
        return np.clip(clean + rng.normal(0, sigma, (*clean.shape[:2], 1)), 0, 1)

    return replace(scene, name=f"{scene.name}, grain", picture=picture, is_still=False)


def barred(scene: Scene, share: float = 0.25) -> Scene:
    """Put black bars above and below, which take a share of the height together."""

    def picture(time, size):
        width, height = size
        bar = round(height * share / 2)
        inner = scene.picture(time, (width, height - 2 * bar))
        return np.pad(inner, ((bar, bar), (0, 0), (0, 0)))

    return replace(scene, name=f"{scene.name}, letterbox", picture=picture)


def interlaced(scene: Scene, rate: float = 25.0) -> Scene:
    """Weave each picture from two, half a frame apart, as a camera does that films by fields."""

    def picture(time, size):
        woven = scene.picture(time, size).copy()
        woven[1::2] = scene.picture(time + 0.5 / rate, size)[1::2]
        return woven

    return replace(scene, name=f"{scene.name}, interlaced", picture=picture)


def joined(scenes: Iterable[Scene], seconds: float, *, fade: float = 0.0) -> Scene:
    """Show one scene after the other: with cuts between, or with fades that are none."""
    scenes = list(scenes)

    def picture(time, size):
        k = min(int(time / seconds), len(scenes) - 1)
        left = (k + 1) * seconds - time
        shown = scenes[k].picture(time, size)
        if fade and left < fade and k + 1 < len(scenes):
            share = np.float32(1 - left / fade)
            shown = (1 - share) * shown + share * scenes[k + 1].picture(time, size)
        return shown

    cuts = () if fade else tuple(k * seconds for k in range(1, len(scenes)))
    motion = float(np.median([scene.motion for scene in scenes]))
    kind = "fades" if fade else "cuts"
    return Scene(f"{kind} every {seconds:g} s, {scenes[0].name}", picture, motion, cuts)


def coloured(*rgb: float) -> Scene:
    """One colour."""

    def picture(_time, size):
        return np.broadcast_to(np.float32(rgb), (size[1], size[0], 3))

    return Scene("colour", picture, is_still=True)


def plain(grey: float) -> Scene:
    """One grey of 0 to 1, with a little texture."""

    def picture(_time, size):
        return np.clip(grey * (0.8 + 0.4 * standing(0, size)), 0, 1)

    return Scene(f"grey {grey:g}", picture, is_still=True)


@dataclass(frozen=True)
class Film:
    """How a scene is filmed."""

    size: tuple[int, int] = (320, 180)
    seconds: float = 4.0
    rate: float = 25.0
    codec: str = "libx264"
    bit_rate: int | None = None
    options: tuple[tuple[str, str], ...] = (("preset", "veryfast"),)
    times: tuple[float, ...] | None = None
    """When frames are shown, where that is not regular."""
    rotation: int = 0
    is_interlaced: bool = False
    matrix: Colorspace = Colorspace.ITU601
    """By which red, green and blue become what is stored."""
    is_tagged: bool = False
    """Whether the file tells by which."""
    pixel_aspect: int = 1
    """How many times as wide as high pixels are shown: so much narrower is what is stored."""
    gop: int | None = None


def write_film(path: Path, scene: Scene, film: Film | None = None) -> None:
    """Film a scene."""
    film = film or Film()
    scene = interlaced(scene, film.rate) if film.is_interlaced else scene
    times = film.times or [k / film.rate for k in range(round(film.seconds * film.rate))]
    size = film.size[0] * film.pixel_aspect, film.size[1]
    images = (to_8_bit(scene.picture(time, size))[:, :: film.pixel_aspect] for time in times)
    write_frames(path, zip(times, images, strict=True), film)


def turn_display(path: Path, quarters: int) -> None:
    """Write into an MP4 file that players are to turn its picture clockwise, as phones do."""
    content = path.read_bytes()
    cos, sin = [(1, 0), (0, 1), (-1, 0), (0, -1)][quarters % 4]
    plain = struct.pack(">9i", 1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)
    turned = struct.pack(">9i", cos << 16, sin << 16, 0, -sin << 16, cos << 16, 0, 0, 0, 1 << 30)
    at = content.index(plain, content.index(b"tkhd"))
    path.write_bytes(content[:at] + turned + content[at + 36 :])


def to_8_bit(picture: np.ndarray) -> np.ndarray:
    return np.round(255 * picture).astype(np.uint8)


def write_frames(path: Path, frames: Iterable[tuple[float, np.ndarray]], film: Film) -> None:
    """Write pictures and their times as a video."""
    turns = film.rotation // 90
    width, height = film.size[::-1] if turns % 2 else film.size
    with av.open(str(path), "w") as container:
        stream = container.add_stream(film.codec, rate=Fraction(film.rate).limit_denominator(1001))
        stream.width, stream.height, stream.pix_fmt = width, height, pixel_format(film.codec)
        stream.codec_context.time_base = Fraction(1, 1200)
        if film.codec in {"mpeg4"}:
            stream.codec_context.time_base = 1 / Fraction(film.rate).limit_denominator(1001)
        stream.codec_context.thread_count = 1
        stream.codec_context.sample_aspect_ratio = Fraction(film.pixel_aspect)
        stream.options = dict(film.options)
        if film.is_tagged:
            stream.codec_context.colorspace = int(film.matrix)
        if film.bit_rate:
            stream.bit_rate = film.bit_rate
        if film.gop:
            stream.gop_size = film.gop
        for shown in iter_frames(frames, turns, stream):
            frame = shown.reformat(format=stream.pix_fmt, dst_colorspace=film.matrix)
            if not film.is_tagged:
                frame.colorspace = UNTAGGED
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def pixel_format(codec: str) -> str:
    return "yuvj420p" if codec == "mjpeg" else "yuv420p"


def iter_frames(frames, turns, stream) -> Iterator[av.VideoFrame]:
    base = stream.codec_context.time_base
    for time, image in frames:
        frame = av.VideoFrame.from_ndarray(
            np.ascontiguousarray(np.rot90(image, turns)), format="rgb24"
        )
        frame.pts, frame.time_base = round(time / base), base
        yield frame
