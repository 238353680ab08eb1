"""Videos to the filmstrips that a page shows.

A filmstrip is one small JPEG of :data:`FRAMES` pictures side by side, evenly spread over the
recording, so that it lies over the waveform in time. It takes :data:`MAX_BYTES` at most: what is
too rich in detail is packed more coarsely. Each picture is the keyframe before its time, found by
seeking, so that nothing else is decoded; where none of these places has one, as in a transport
stream whose picture ends early, the first shows how the picture begins. Only :data:`MOST` videos of
a page get one; both bounds together keep a page of 500 videos below 5 MB.

Filmstrips are kept below ``films/`` in the user's cache, see :mod:`asmr_classify.report.kept`.
"""

from __future__ import annotations

import math
from fractions import Fraction
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

import av
import numpy as np
from av.video.reformatter import Interpolation

from asmr_classify.aggregate import Status
from asmr_classify.errors import DecodeError
from asmr_classify.media.probe import open_container
from asmr_classify.report.data import is_video
from asmr_classify.report.drawing import draw_all
from asmr_classify.report.kept import Cache
from asmr_classify.visual.small import Shrinker, pixel_aspect
from asmr_classify.visual.stream import (
    LATE_SECONDS,
    MAX_PIXELS,
    choose_guide,
    choose_stream,
    iter_packets,
    prepare_decoder,
    seek,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from av.container import InputContainer
    from av.video.stream import VideoStream
    from numpy.typing import NDArray

    from asmr_classify.aggregate import FileResult
    from asmr_classify.report.drawing import Drawn, Work

FRAMES = 6
CELL = (64, 36)
"""Width and height of each picture in pixels: 16 to 9, in which others stand with black beside."""

MAX_BYTES = 4500
MOST = 600
"""With the third that base64 adds, all filmstrips of a page are 3.6 MB at most."""

QUALITIES = (5, 10, 18, 31)
"""Quantisers of JPEG, from good to poor; the last packs plain noise into 3200 bytes."""

MAX_PACKETS = 400
"""In which a keyframe must come after a seek."""

MAGIC = b"fil2"
"""Changed when filmstrips are made otherwise."""


def make_films(
    results: Iterable[FileResult],
    *,
    work: Work,
    cache: Path | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Drawn:
    """Make the filmstrips of videos, or take them from the cache.

    Parameters
    ----------
    results : iterable of FileResult
        Of more than :data:`MOST` videos, the first get one.
    work : callable
        Who decodes, see :mod:`asmr_classify.report.drawing`.
    cache : Path, optional
        A folder; by default that of the user. Where it cannot be written, nothing is kept.
    on_progress : callable, optional
        Called with the number of videos done and of all.

    Returns
    -------
    Drawn
        Of each a JPEG. Of what is gone, damaged or shows nothing, there is none.
    """
    videos = (x.path for x in results if _may_be_shown(x))
    kept = Cache.of_user("films", MAGIC) if cache is None else Cache(cache, MAGIC)
    return draw_all(islice(videos, MOST), _make, kept, work=work, on_progress=on_progress)


def _may_be_shown(result: FileResult) -> bool:
    """Tell videos, but for those whose picture could not be seen: it may crash whoever tries."""
    is_damaged = result.status is Status.FAILED or result.visual_error is not None
    return not is_damaged and is_video(result)


def _make(path: str, on_progress: Callable[[float], None]) -> bytes | None:
    """Make the filmstrip of a video; None if there is none."""
    try:
        with open_container(path) as container:
            pictures = _pictures(path, container, on_progress)
        return pack_jpeg(np.hstack(pictures)) if pictures else None
    except (av.FFmpegError, ValueError) as exc:  # ValueError: sizes that FFmpeg cannot scale
        raise DecodeError(path, f"its picture is damaged ({exc}); play it to see") from exc


def _pictures(
    path: str, container: InputContainer, on_progress: Callable[[float], None]
) -> list[NDArray[np.uint8]]:
    """Find the pictures of a filmstrip; none if nothing is seen."""
    stream = choose_stream(container)
    if stream is None:
        return []
    prepare_decoder(path, stream)
    stream.codec_context.skip_frame = "NONKEY"
    guide, length = choose_guide(container, stream), (container.duration or 0) / av.time_base
    tell = partial(on_progress, 0.0)

    def picture_at(seconds: float, patience: float = LATE_SECONDS) -> NDArray[np.uint8] | None:
        tell()
        seek(container, seconds, guide)
        return _next_picture(iter_packets(container, stream, tell, patience=patience), stream)

    pictures = [picture_at((2 * k + 1) * length / (2 * FRAMES)) for k in range(FRAMES)]
    if all(picture is None for picture in pictures):
        pictures[0] = picture_at(-LATE_SECONDS, math.inf)  # a seek to the start may pass it
    blank = np.zeros((CELL[1], CELL[0], 3), np.uint8)
    seen = any(picture is not None for picture in pictures)
    return [blank if picture is None else picture for picture in pictures] if seen else []


def _next_picture(packets: Iterator[Any], stream: VideoStream) -> NDArray[np.uint8] | None:
    """Decode the keyframe that comes next; None if none does."""
    own = (packet for packet in packets if packet is None or packet.stream == stream)
    for packet in islice(own, MAX_PACKETS):
        try:
            frame = next(iter(stream.codec_context.decode(packet)), None)
        except av.error.InvalidDataError:
            continue  # what is damaged may be followed by what is not
        if frame is not None and frame.width * frame.height <= MAX_PIXELS:
            return _fit(frame, Shrinker(pixel_aspect(stream)))
    return None


def _fit(frame: av.VideoFrame, shrinker: Shrinker) -> NDArray[np.uint8]:
    """Make a frame as small as its place in the filmstrip, upright, with black beside it."""
    image = np.rot90(shrinker.shrink(frame), round(frame.rotation / 90))
    height, width = image.shape[:2]
    scale = min(CELL[0] / width, CELL[1] / height)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    upright = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
    small = upright.reformat(*size, interpolation=Interpolation.AREA)
    cell = np.zeros((CELL[1], CELL[0], 3), np.uint8)
    top, left = (CELL[1] - size[1]) // 2, (CELL[0] - size[0]) // 2
    cell[top : top + size[1], left : left + size[0]] = small.to_ndarray()
    return cell


def pack_jpeg(image: NDArray[np.uint8]) -> bytes | None:
    """Pack a picture into a JPEG, as well as :data:`MAX_BYTES` allow.

    Parameters
    ----------
    image : ndarray of uint8, shape (height, width, 3), red, green, blue

    Returns
    -------
    bytes or None
        None if no quality is poor enough.
    """
    packed = (_jpeg(image, quality) for quality in QUALITIES)
    return next((jpeg for jpeg in packed if len(jpeg) <= MAX_BYTES), None)


def _jpeg(image: NDArray[np.uint8], quality: int) -> bytes:
    context = av.CodecContext.create("mjpeg", "w")
    context.height, context.width = image.shape[:2]
    context.pix_fmt, context.time_base = "yuvj420p", Fraction(1, 25)
    context.qmin = context.qmax = quality
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
    packets = [*context.encode(frame.reformat(format="yuvj420p")), *context.encode(None)]
    return b"".join(map(bytes, packets))
