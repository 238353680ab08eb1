"""Videos that were damaged on purpose, each made anew from its seed, in several codecs."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from functools import cache
from pathlib import Path

import av
import numpy as np

from tests.media import hostile
from tests.visual.scenes import Film, pan, write_film

CODECS = {
    "h264.mp4": ("libx264", (("preset", "ultrafast"), ("bf", "2"))),
    "h264.mkv": ("libx264", (("preset", "ultrafast"),)),
    "vp9.webm": ("libvpx-vp9", (("deadline", "realtime"), ("cpu-used", "8"))),
    "mpeg4.avi": ("mpeg4", ()),
    "mjpeg.mov": ("mjpeg", ()),
    "hevc.mp4": ("libx265", (("preset", "ultrafast"), ("x265-params", "log-level=none"))),
}


@cache
def videos() -> dict[str, bytes]:
    """A short video with sound in each codec, by codec and ending."""
    files = {}
    film = Film(size=(96, 64), seconds=1.5, rate=12, gop=6)
    with tempfile.TemporaryDirectory() as folder:
        for name, (codec, options) in CODECS.items():
            silent, path = Path(folder) / f"silent.{name}", Path(folder) / name
            write_film(silent, pan(0.2), replace(film, codec=codec, options=options))
            _add_sound(silent, path)
            files[name] = path.read_bytes()
    return files


def _add_sound(silent: Path, path: Path) -> None:
    codec = "libopus" if path.suffix == ".webm" else "aac"
    y = np.random.default_rng(0).normal(0, 0.05, (1, 48000)).astype(np.float32)
    with av.open(str(silent)) as source, av.open(str(path), "w") as target:
        picture = target.add_stream_from_template(source.streams.video[0])
        sound = target.add_stream(codec, rate=48000, layout="mono")
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = picture
                target.mux(packet)
        frame = av.AudioFrame.from_ndarray(
            y if codec == "aac" else (y * 32767).astype(np.int16),
            "fltp" if codec == "aac" else "s16",
            "mono",
        )
        frame.sample_rate = 48000
        target.mux(sound.encode(frame))
        target.mux(sound.encode(None))


def make_hostile_video(seed: int) -> tuple[str, bytes]:
    """Make the damaged file of a seed: its name, and what it holds."""
    rng = np.random.default_rng(seed)
    names = list(videos())
    name = names[rng.integers(len(names))]
    content = bytearray(videos()[name])
    damages = [hostile._flip, hostile._cut, hostile._splice, hostile._claim]
    for _ in range(1 + (rng.random() < 0.3)):
        content = damages[rng.integers(len(damages))](content, rng)
    return f"{seed:05d}-{name}", bytes(content)
