"""One stretch of a recording, without decoding all that lies before it where that can be helped.

Law: a stretch is what the whole decode holds between the same two times, to the sample. Two things
are less exact: stretches of Matroska and WebM may lie a millisecond off, and AAC fills some bands
with noise that differs from decode to decode.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import av
import av.error
import numpy as np

from asmr_classify.config import ANALYSIS_SR
from asmr_classify.errors import DecodeError
from asmr_classify.media.decode import AudioStream
from asmr_classify.media.downmix import mix_down
from asmr_classify.media.place import DRIFT, TOLERANCE, Axis
from asmr_classify.media.probe import audio_stream, describe, opened
from asmr_classify.units import seconds_to_samples

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Samples = NDArray[np.float32]

NEAR = 60.0
"""Seconds that are decoded from the start of a file: a twentieth of a second's work."""

LEAD = 1.0
"""Seconds before the stretch at which decoding begins: codecs need some frames to settle."""

SEEKABLE = frozenset("aiff caf flac matroska,webm mov,mp4,m4a,3gp,3g2,mj2 mp3 ogg w64 wav".split())
"""Formats, by FFmpeg's names, in which it finds a time: to the sample, but for Matroska, which
counts milliseconds. In MP3 it walks along the packets, whatever their rate. Elsewhere it guesses by
bytes: there the file is decoded from its start."""


def read_stretch(
    path: str,
    start: float,
    end: float,
    *,
    sr: int = ANALYSIS_SR,
    layout: Literal["mono", "stereo"] = "mono",
) -> Samples:
    """Decode a stretch of a file.

    Parameters
    ----------
    path : str
    start, end : float
        Seconds, as a player shows them.
    sr : int
        Sampling rate of the result in Hz.
    layout : {"mono", "stereo"}

    Returns
    -------
    ndarray of float32, shape (n_samples,) for mono, (2, n_samples) for stereo
        Shorter than asked for where the file ends before.

    Raises
    ------
    OpenError, NoAudioError
        If the file cannot be opened or has no sound.
    DecodeError
        If nothing is there.
    """
    y = _seek(path, start, end, sr) if start > NEAR else None
    if y is None:
        return _from_the_start(path, (start, end), sr, layout)
    return y if layout == "stereo" else np.concatenate([*mix_down(iter([[*y]]))], axis=-1)[0]


def _from_the_start(
    path: str, span: tuple[float, float], sr: int, layout: Literal["mono", "stereo"]
) -> Samples:
    first, last = (seconds_to_samples(seconds, sr) for seconds in span)
    held = []
    with AudioStream.open(path, sr=sr, layout=layout) as stream:
        for block in stream.iter_blocks():
            part = block.y[..., max(0, first - block.start) : max(0, last - block.start)]
            if part.shape[-1]:
                held.append(part)
            if block.start + block.y.shape[-1] >= last:
                break
    if not held:
        raise DecodeError(path, f"holds no sound at {span[0]:.1f} s; label it anew")
    return np.concatenate(held, axis=-1)


def _seek(path: str, start: float, end: float, sr: int) -> Samples | None:
    """Decode from shortly before a stretch; None where that is not to be relied on."""
    with opened(path) as container:
        if container.format.name not in SEEKABLE:
            return None
        stream = audio_stream(container, path)
        axis = Axis.of(container, stream, describe(container, path).duration)
        first_stamp = float((stream.start_time or 0) * (stream.time_base or 0))
        origin = axis.origin if axis.is_stamped else first_stamp
        try:
            container.seek(int((start + origin - LEAD) * av.time_base))
            frames = _contiguous(container.decode(stream), origin, (start, end))
            return None if frames is None else _cut(*frames, (start, end), sr)
        except (av.error.FFmpegError, ValueError):
            return None


def _contiguous(
    frames: Iterator[Any], origin: float, span: tuple[float, float]
) -> tuple[float, list[av.AudioFrame]] | None:
    """Gather the frames of a stretch, and tell when they begin; None if any is missing."""
    held: list[av.AudioFrame] = []
    first = until = 0.0
    for frame in frames:
        if frame.time is None:
            return None
        at = frame.time - origin
        if at >= span[1]:
            break
        if not held:
            first = until = at
        if abs(at - until) > DRIFT:
            return None
        held.append(frame)
        until += frame.samples / frame.sample_rate
    return (first, held) if held and first <= span[0] + TOLERANCE < until else None


def _cut(first: float, frames: list[av.AudioFrame], span: tuple[float, float], sr: int) -> Samples:
    resampler = av.AudioResampler(format="fltp", layout="stereo", rate=sr)
    pieces = []
    for frame in [*frames, None]:
        if frame is not None:
            frame.pts = None  # gaps are none: they were looked for
        pieces += [piece.to_ndarray() for piece in resampler.resample(frame)]
    begin = max(0, seconds_to_samples(span[0] - first, sr)) if span[0] > first else 0
    y = np.concatenate(pieces, axis=-1)[:, begin:][:, : seconds_to_samples(span[1] - span[0], sr)]
    return np.asarray(np.nan_to_num(y, nan=0.0, posinf=0.0, neginf=0.0), dtype=np.float32)
