"""The stream of pictures in an open file: chosen, made ready to decode, sought in and read on."""

from __future__ import annotations

import math
from itertools import count
from typing import TYPE_CHECKING, Any

import av
import av.error

from asmr_classify.errors import OpenError
from asmr_classify.media.probe import is_cover
from asmr_classify.visual.small import SMALL_PIXELS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from av.audio.stream import AudioStream
    from av.container import InputContainer
    from av.video.stream import VideoStream

MAX_PIXELS = 2**26
"""Of a frame: twice 8K. What claims more is damaged, or would take gigabytes."""

LATE_SECONDS = 10.0
"""How far apart a file may hold what belongs together: sound that goes on so long after the last
packet of a picture tells that no frame of the place is to come."""

TOLD_PACKETS = 200
"""Packets after which progress is told, where there is no frame among them."""

LOWRES_CODECS = frozenset({"mjpeg", "mpeg1video", "mpeg2video", "mpeg4"})
"""FFmpeg decodes these at a half or a quarter of their size, and faster."""


def choose_stream(container: InputContainer) -> VideoStream | None:
    """Choose the stream to look at: the first that is no cover, as players do.

    Parameters
    ----------
    container : av.container.InputContainer

    Returns
    -------
    VideoStream or None
        None if there is none of a known codec.
    """
    streams = [x for x in container.streams.video if not is_cover(x)]
    return next((x for x in streams if x.codec_context is not None), None)


def prepare_decoder(path: str, stream: VideoStream) -> None:
    """Set the decoder of a stream up for small pictures, before it allocates anything.

    Parameters
    ----------
    path : str
    stream : VideoStream

    Raises
    ------
    OpenError
        If the picture claims absurd dimensions.
    """
    context = stream.codec_context
    pixels = context.width * context.height
    if pixels > MAX_PIXELS:
        raise OpenError(
            path,
            f"its picture claims {context.width} x {context.height} pixels; "
            f"the header is damaged, or convert it to {MAX_PIXELS} at most",
        )
    # One thread: each core has a file of its own, and frames in flight take memory.
    context.thread_count = 1
    options = {"max_pixels": str(MAX_PIXELS)}
    halvings = int(math.log2(max(1.0, pixels / (4 * SMALL_PIXELS))) / 2)
    if context.name in LOWRES_CODECS and halvings:
        options["lowres"] = str(min(halvings, 2))
    context.options = options


def choose_guide(container: InputContainer, stream: VideoStream) -> AudioStream | None:
    """Choose the sound to seek by, where that lasts to the end and the picture does not.

    A transport stream has no index: to seek there by a picture that ended early is to read the rest
    of the file again and again.

    Parameters
    ----------
    container : av.container.InputContainer
    stream : VideoStream

    Returns
    -------
    AudioStream or None
        None where the picture itself can be sought.
    """
    if stream.duration is not None:
        return None
    return next((x for x in container.streams.audio if x.duration is not None), None)


def seek(container: InputContainer, seconds: float, guide: AudioStream | None) -> None:
    """Seek to the keyframe before a time.

    Parameters
    ----------
    container : av.container.InputContainer
    seconds : float
        From the start of the file.
    guide : AudioStream or None
        As :func:`choose_guide` gives it.
    """
    if seconds <= 0:  # where the picture is sure to begin
        guide = None
    tick = 1 / av.time_base if guide is None else float(guide.time_base or 1)
    origin = (container.start_time or 0) / av.time_base
    container.seek(round((origin + seconds) / tick), stream=guide)


def iter_packets(
    container: InputContainer,
    stream: VideoStream,
    on_progress: Callable[[], None],
    *,
    patience: float = math.inf,
) -> Iterator[Any]:
    """Read on from where a file stands, until its picture is over.

    Parameters
    ----------
    container : av.container.InputContainer
    stream : VideoStream
    on_progress : callable
        Called now and then.
    patience : float
        Seconds for which sound may go on after the last packet of the picture.

    Yields
    ------
    av.Packet or None
        Those of the picture and of all sound, and at last None.
    """
    packets = container.demux(stream, *container.streams.audio)
    latest = None
    for n_packets in count(1):
        if n_packets % TOLD_PACKETS == 0:
            on_progress()
        try:
            packet = next(packets)
        except (StopIteration, av.error.EOFError, av.error.InvalidDataError, IndexError):
            break
        if not packet.size:
            continue
        time = time_of_packet(packet)
        if time is not None:
            if latest is None or packet.stream == stream:
                latest = time
            if time > latest + patience:
                break
        yield packet
    yield None


def time_of_packet(packet: Any) -> float | None:
    """Tell when a packet is shown, else decoded, in seconds of its container; None if unknown."""
    stamp = packet.dts if packet.pts is None else packet.pts
    if stamp is None or packet.time_base is None:
        return None
    return float(stamp * packet.time_base)
