"""Small synthetic media files, encoded and muxed with PyAV.

A format is named by its extension; each has the codecs that people use it with. Signals are
arrays of float32, shape (n_channels, n_samples), in [-1, 1].
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING

import av
import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a kind of file is made; ``video`` is None where it holds no pictures."""

    muxer: str
    audio: str
    sr: int = 44100
    video: str | None = None
    options: dict[str, str] = field(default_factory=dict)


RECIPES = {
    "wav": Recipe("wav", "pcm_s16le"),
    "flac": Recipe("flac", "flac"),
    "mp3": Recipe("mp3", "libmp3lame"),
    "m4a": Recipe("ipod", "aac"),
    "aac": Recipe("adts", "aac"),
    "ogg": Recipe("ogg", "vorbis", options={"strict": "experimental"}),
    "opus": Recipe("ogg", "libopus", sr=48000),
    "aiff": Recipe("aiff", "pcm_s16be"),
    "wma": Recipe("asf", "wmav2"),
    "mp4": Recipe("mp4", "aac", video="mpeg4"),
    "m4v": Recipe("mp4", "aac", video="mpeg4"),
    "mov": Recipe("mov", "aac", video="mpeg4"),
    "mkv": Recipe("matroska", "aac", video="mpeg4"),
    "webm": Recipe("webm", "libopus", sr=48000, video="libvpx"),
    "avi": Recipe("avi", "libmp3lame", video="mpeg4"),
}
"""The containers that must be read, by extension."""

LOSSLESS = frozenset({"wav", "flac", "aiff"})

LAYOUTS = {1: "mono", 2: "stereo", 3: "3.0", 4: "quad", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}

VIDEO_RATE = 10


def tone(
    duration: float,
    sr: int,
    *,
    frequency: float = 1000.0,
    amplitude: float = 0.25,
    n_channels: int = 1,
) -> NDArray[np.float32]:
    """The same sine on each channel."""
    t = np.arange(round(duration * sr)) / sr
    y = amplitude * np.sin(2 * np.pi * frequency * t)
    return np.tile(y, (n_channels, 1)).astype(np.float32)


def write_media(
    path: Path,
    y: NDArray[np.float32] | None,
    recipe: Recipe,
    *,
    video_duration: float | None = None,
    options: dict[str, str] | None = None,
    codec_options: dict[str, str] | None = None,
) -> Path:
    """Write one file; without ``y`` there is no audio stream, and pictures only on request."""
    with av.open(str(path), "w", format=recipe.muxer, options=options or {}) as container:
        video = None
        if video_duration is not None and recipe.video is not None:
            video = container.add_stream(recipe.video, rate=VIDEO_RATE)
            video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        audio = None
        if y is not None:
            audio = container.add_stream(
                recipe.audio,
                rate=recipe.sr,
                layout=LAYOUTS[len(y)],
                options={**recipe.options, **(codec_options or {})},
            )
        if video is not None:
            _encode_video(container, video, video_duration or 0.0)
        if audio is not None:
            _encode_audio(container, audio, y, recipe.sr)
    return path


def write_damaged(path: Path, *, seconds: int) -> Path:
    """Write noise of which some packets in the middle cannot be decoded."""
    recipe = RECIPES[path.suffix[1:]]
    y = np.random.default_rng(4).normal(0, 0.1, (2, seconds * recipe.sr)).astype(np.float32)
    content = bytearray(write_media(path, y, recipe).read_bytes())
    middle = len(content) // 2
    content[middle : middle + 3000] = bytes(range(256))[:250] * 12
    path.write_bytes(content)
    return path


def _encode_video(container, stream, duration: float) -> None:
    for k in range(max(1, round(duration * VIDEO_RATE))):
        image = np.full((48, 64, 3), (k * 8) % 256, dtype=np.uint8)
        frame = av.VideoFrame.from_ndarray(image, format="rgb24")
        frame.pts, frame.time_base = k, Fraction(1, VIDEO_RATE)
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def _encode_audio(container, stream, y: NDArray[np.float32], sr: int) -> None:
    context = stream.codec_context
    if stream.name.startswith("wma"):
        context.bit_rate = 128_000  # its encoder has no default that it accepts
    if not context.is_open:
        context.open()  # the frame size is known only then
    resampler = av.AudioResampler(
        format=context.format.name,
        layout=context.layout.name,
        rate=sr,
        frame_size=0 if stream.name.startswith("pcm") else context.frame_size or 1024,
    )
    frame = av.AudioFrame.from_ndarray(
        np.ascontiguousarray(y), format="fltp", layout=LAYOUTS[len(y)]
    )
    frame.sample_rate, frame.pts, frame.time_base = sr, 0, Fraction(1, sr)
    for piece in [*resampler.resample(frame), *resampler.resample(None)]:
        container.mux(stream.encode(piece))
    container.mux(stream.encode(None))


def write_float_wav(path: Path, y: NDArray[np.float32], sr: int) -> Path:
    """Write 32-bit float PCM sample by sample as given, whatever the values; by hand.

    Shape (n_channels, n_samples); the channel layout is left open, as in a plain WAVE header.
    """
    data = np.ascontiguousarray(y.T).astype("<f4").tobytes()
    return write_wav_bytes(path, data, sr, n_channels=len(y), width=4, tag=3)


def write_wav_bytes(
    path: Path,
    data: bytes,
    sr: int,
    *,
    n_channels: int = 1,
    width: int = 2,
    tag: int = 1,
    claimed: int | None = None,
) -> Path:
    """Write a plain RIFF file; ``claimed`` is the data size that its header states."""
    size = len(data) if claimed is None else claimed
    block = n_channels * width
    fields = [
        (tag, 2), (n_channels, 2), (sr, 4), (sr * block & 0xFFFFFFFF, 4), (block & 0xFFFF, 2),
        (8 * width, 2),
    ]  # fmt: skip
    fmt = b"".join(value.to_bytes(n, "little") for value, n in fields)
    head = b"RIFF" + min(36 + size, 0xFFFFFFFF).to_bytes(4, "little") + b"WAVEfmt "
    head += len(fmt).to_bytes(4, "little") + fmt + b"data" + size.to_bytes(4, "little")
    path.write_bytes(head + data)
    return path
