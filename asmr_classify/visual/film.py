"""The picture of a file: which of its frames are decoded, and these made small.

A short video is decoded as a whole. Of a longer one there are *bursts* of neighbouring frames, long
enough to count flashes in, and *glimpses* of a few frames, all spread evenly, each from the
keyframe before its place: so nothing is decoded only to reach it. How much, an effort says, in
pixels, as these are what decoding takes its time for, down to :data:`LEAST_COST` a frame.

How a stream is read stands in :mod:`asmr_classify.visual.stream`, how frames are made small in
:mod:`asmr_classify.visual.small`.
"""

from __future__ import annotations

import math
import re
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

import av
import av.error
import av.logging

from asmr_classify.errors import DecodeError, OpenError
from asmr_classify.media.probe import (
    claimed_duration,
    close_container,
    is_cover,
    is_of_machine,
    open_container,
)
from asmr_classify.visual.seen import Effort, Picture
from asmr_classify.visual.small import Shrinker, pixel_aspect
from asmr_classify.visual.stream import (
    LATE_SECONDS,
    MAX_PIXELS,
    choose_guide,
    choose_stream,
    iter_packets,
    prepare_decoder,
    seek,
    time_of_packet,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Self

    import numpy as np
    from av.container import InputContainer
    from av.video.stream import VideoStream
    from numpy.typing import NDArray

    Decoded = tuple[int | None, NDArray[np.uint8]]

BUDGETS = {Effort.LOW: 2e8, Effort.NORMAL: 6e8, Effort.FULL: math.inf}
"""Pixels that are decoded of a video that is longer: at normal effort 290 frames of 1080p, which
take less than half of the time of the sound of half an hour."""

LEAST_COST = 640 * 360
"""Pixels that a frame counts as, however small it is: what is done with it once it is decoded takes
as long as that."""

BURST_SHARE = 0.6
"""Of the budget; the rest goes into glimpses."""

BURST_SECONDS = 1.1
"""Flashes are counted within one second."""

GLIMPSE_SECONDS = 0.13
"""The shortest time in which slow motion can be told from none."""

GLIMPSE_COST = 3
"""Frames whose time it takes to find a keyframe, which is the largest frame to decode."""

LEAST_BURSTS, MOST_BURSTS = 2, 24
LEAST_GLIMPSES, MOST_GLIMPSES = 8, 120

USUAL_RATE = 30.0
"""Frames a second, where none is told."""

RATES = (0.01, 1000.0)
"""Frames a second that are believed."""

PATIENCE_PACKETS = 600
"""Packets of a stream in which there must be a frame, after a seek or since the last one."""

LEAST_KEYFRAMES = 0.25
"""Where fewer of the places have keyframes of their own, seeking finds nothing new."""

UNKNOWN_CODEC = re.compile(r"\(Video: none \((\w+) /")
"""In what FFmpeg says of a codec that it does not know: its four letters."""


@dataclass(frozen=True, slots=True)
class Shown:
    """One frame, made small.

    Parameters
    ----------
    time : float
        Seconds from the start of the file.
    image : ndarray of uint8, shape (height, width, 3)
        Red, green and blue, of sRGB or BT.709.
    is_next : bool
        Whether no frame lies between it and the one before, which is of the same shape.
    """

    time: float
    image: NDArray[np.uint8]
    is_next: bool


class Film:
    """The picture of one file. Use :meth:`open` in a ``with`` statement.

    Parameters
    ----------
    path : str
    container : av.container.InputContainer

    Attributes
    ----------
    picture : Picture
        By what the file claims: ``video``, ``cover`` or ``none``.
    duration : float or None
        Seconds that the file claims to last.
    rate : float
        Frames a second, by what it claims.
    n_damaged : int
        Packets that could not be decoded so far.
    """

    def __init__(self, path: str, container: InputContainer) -> None:
        self._path = path
        self._container = container
        self._stream = choose_stream(container)
        self._origin = (container.start_time or 0) / av.time_base
        self.n_damaged = 0
        self.duration = claimed_duration(container, None)
        videos = container.streams.video
        self.picture = Picture.VIDEO if self._stream else Picture.NONE
        if videos and all(map(is_cover, videos)):
            self.picture = Picture.COVER
        elif videos and self._stream is None:
            raise OpenError(
                path, f"its picture is of a codec that is not known{_codec_tag(path)}; convert it"
            )
        self.rate = USUAL_RATE if self._stream is None else _rate(self._stream)
        if self._stream is not None:
            prepare_decoder(path, self._stream)

    @classmethod
    def open(cls, path: str) -> Self:
        """Open a file.

        Parameters
        ----------
        path : str

        Raises
        ------
        OpenError
            If it cannot be opened, or its picture cannot be decoded or has absurd dimensions.
        """
        container = open_container(path)
        try:
            return cls(path, container)
        except Exception:
            close_container(container)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        close_container(self._container)

    def iter_frames(
        self, effort: Effort = Effort.NORMAL, on_progress: Callable[[], None] | None = None
    ) -> Iterator[Shown]:
        """Decode what an effort asks for.

        Parameters
        ----------
        effort : Effort
        on_progress : callable, optional
            Called with each frame that is decoded, and while one is sought.

        Yields
        ------
        Shown
            By time.

        Raises
        ------
        DecodeError
            If there is not one frame, or reading breaks off by the fault of the machine.
        """
        if self._stream is None:
            return
        reader = _Reader(self._container, self._stream, self._origin, self.rate, on_progress)
        try:
            yield from self._iter_planned(reader, effort)
        except (av.error.FFmpegError, OSError, ValueError) as exc:
            if isinstance(exc, MemoryError):
                raise
            if is_of_machine(exc):
                raise DecodeError(self._path, f"reading broke off ({exc})", may_pass=True) from exc
        finally:
            self.n_damaged = reader.n_damaged
        if not reader.n_frames:
            why = "no packet of it can be decoded" if reader.n_damaged else "it is empty"
            raise DecodeError(self._path, f"no picture could be decoded ({why}); play it to see")

    def _iter_planned(self, reader: _Reader, effort: Effort) -> Iterator[Shown]:
        stream = self._stream
        pixels = 0 if stream is None else stream.width * stream.height
        n_frames = BUDGETS[effort] / max(LEAST_COST, pixels)
        duration = self.duration
        if duration is None or duration * self.rate <= n_frames:
            yield from islice(reader.iter_all(), None if math.isinf(n_frames) else int(n_frames))
            return
        places = plan(duration, self.rate, n_frames)
        yield from reader.iter_places(places)
        if reader.n_distinct < LEAST_KEYFRAMES * len(places):
            left = max(int(n_frames) - reader.n_frames, int(BURST_SECONDS * self.rate))
            yield from reader.iter_beyond(left)


def plan(duration: float, rate: float, n_frames: float) -> list[tuple[float, float]]:
    """Spread bursts and glimpses over a video.

    Parameters
    ----------
    duration : float
    rate : float
        Frames a second.
    n_frames : float
        How many may be decoded.

    Returns
    -------
    list of tuple of float
        When each begins, and how long it is, by time.
    """
    per_burst = BURST_SECONDS * rate + GLIMPSE_COST
    per_glimpse = GLIMPSE_SECONDS * rate + GLIMPSE_COST
    n_bursts = _within(LEAST_BURSTS, BURST_SHARE * n_frames / per_burst, MOST_BURSTS)
    rest = n_frames - n_bursts * per_burst
    n_glimpses = _within(LEAST_GLIMPSES, rest / per_glimpse, MOST_GLIMPSES)
    n_places = n_bursts + n_glimpses
    long = {int((k + 0.5) * n_places / n_bursts) for k in range(n_bursts)}
    step = duration / n_places
    return [
        ((k + 0.5) * step, BURST_SECONDS if k in long else GLIMPSE_SECONDS) for k in range(n_places)
    ]


def _within(least: int, number: float, most: int) -> int:
    return int(min(max(least, number), most))


class _Reader:
    """Reads frames of a stream from wherever it is sought."""

    def __init__(
        self,
        container: InputContainer,
        stream: VideoStream,
        origin: float,
        rate: float,
        on_progress: Callable[[], None] | None,
    ) -> None:
        self.n_frames = 0
        self.n_damaged = 0
        self.n_distinct = 0
        self._container = container
        self._stream = stream
        self._guide = choose_guide(container, stream)
        self._shrinker = Shrinker(pixel_aspect(stream))
        self._origin = origin
        self._tick = float(stream.time_base or 0)
        self._frame_seconds = 1 / rate
        self._on_progress = on_progress
        self._last = -math.inf
        self._last_place = -LATE_SECONDS
        self._last_begun = -math.inf
        self._shape: tuple[int, ...] = ()

    def iter_all(self) -> Iterator[Shown]:
        """Read from where the file stands to its end."""
        is_next = False
        for pts, image in self._iter_decoded(self._iter_packets(), math.inf):
            yield self._show(self._time_of(pts), image, is_next=is_next)
            is_next = True

    def iter_beyond(self, n_frames: int) -> Iterator[Shown]:
        """Decode some frames from the last place that had any, when seeking finds nothing new."""
        _ = self._seek(self._last_place) or self._seek(0.0)
        last, is_next = self._last, False
        decoded = self._iter_decoded(self._iter_packets(), math.inf)
        for pts, image in islice(decoded, n_frames):
            time = self._time_of(pts)
            if time > last:
                yield self._show(time, image, is_next=is_next)
                is_next = True

    def iter_places(self, places: list[tuple[float, float]]) -> Iterator[Shown]:
        """Read at each place, from the keyframe before it, what has not been read."""
        last_begin = self._find_begin(*places[-1])
        for start, length in places:
            self._tell()
            if self._last_begun >= last_begin:  # and so do all that follow
                return
            if not self._seek(start):
                continue
            first, before = None, self._last
            packets = self._iter_place_packets(length)
            for pts, image in self._iter_decoded(packets, PATIENCE_PACKETS):
                time = self._time_of(pts)
                first = time if first is None else first
                if first <= before:
                    break
                yield self._show(time, image, is_next=time > first)
                if time - first + self._frame_seconds > length:  # the next would be too much
                    break
            if self._last > before:
                self.n_distinct += 1
                self._last_place = start

    def _find_begin(self, start: float, length: float) -> float:
        """Find when a place begins: in Matroska each seek after the last keyframe reads all."""
        if self._seek(start):
            packets = self._iter_place_packets(length)
            next((x for x in packets if x is not None and x.stream == self._stream), None)
        begun, self._last_begun = self._last_begun, -math.inf
        return math.inf if math.isinf(begun) else begun

    def _seek(self, seconds: float) -> bool:
        with suppress(av.error.FFmpegError, OSError, ValueError):
            seek(self._container, seconds, self._guide)
            return True
        return False

    def _iter_decoded(self, packets: Iterator[Any], patience: float) -> Iterator[Decoded]:
        """Decode packet by packet, and make frames small; what cannot be decoded is left out."""
        context, n_fruitless = self._stream.codec_context, 0
        for packet in packets:
            if packet is not None and packet.stream != self._stream:
                continue
            n_fruitless += 1
            if n_fruitless > patience:
                return
            try:
                frames = context.decode(packet)
            except MemoryError:
                raise
            except (av.error.FFmpegError, ValueError):
                self.n_damaged += 1
                self._tell()
                continue
            while frames:
                # No frame is kept while the next is decoded: at 4K that would take 12 MB.
                small = _let_go(frames.pop(0), self._shrinker)
                n_fruitless = 0
                self._tell()
                if small is not None:
                    yield small

    def _iter_place_packets(self, length: float) -> Iterator[Any]:
        """Yield the packets of a place, and at last None; none where a place began before."""
        is_begun = False
        for packet in self._iter_packets(length + LATE_SECONDS):
            time = None if packet is None else time_of_packet(packet)
            if time is not None and packet.stream == self._stream and not is_begun:
                if time <= self._last_begun:
                    return
                self._last_begun, is_begun = time, True
            yield packet

    def _iter_packets(self, patience: float = math.inf) -> Iterator[Any]:
        return iter_packets(self._container, self._stream, self._tell, patience=patience)

    def _time_of(self, pts: int | None) -> float:
        if pts is None:
            return max(0.0, self._last + self._frame_seconds)
        # Frames that come when the decoder is flushed know no time of their own.
        return float(pts * self._tick - self._origin)

    def _show(self, time: float, image: NDArray[np.uint8], *, is_next: bool) -> Shown:
        time = max(time, self._last)
        self._last = time
        self.n_frames += 1
        is_alike, self._shape = image.shape == self._shape, image.shape
        return Shown(time, image, is_next and is_alike)

    def _tell(self) -> None:
        if self._on_progress is not None:
            self._on_progress()


def _let_go(frame: av.VideoFrame, shrinker: Shrinker) -> Decoded | None:
    """Keep of a frame what it is when made small; None of one of absurd dimensions."""
    if 0 < frame.width * frame.height <= MAX_PIXELS:
        return frame.pts, shrinker.shrink(frame)
    return None


def _codec_tag(path: str) -> str:
    """Tell what a file calls the codec of a picture that FFmpeg does not know, in brackets.

    PyAV tells nothing of such a stream; FFmpeg's log does, for most containers.
    """
    level, skips = av.logging.get_level(), av.logging.get_skip_repeated()
    av.logging.set_level(av.logging.WARNING)
    # What it says of this file it may have said of the one before, and would hold back.
    av.logging.set_skip_repeated(False)
    try:
        with av.logging.Capture() as said:
            close_container(open_container(path))
    finally:
        av.logging.set_level(level)
        av.logging.set_skip_repeated(skips)
    tags = (UNKNOWN_CODEC.search(message) for _, _, message in said)
    return next((f" ({tag[1]})" for tag in tags if tag), "")


def _rate(stream: VideoStream) -> float:
    rates = [float(x) for x in (stream.average_rate, stream.guessed_rate) if x]
    return next((x for x in rates if RATES[0] <= x <= RATES[1]), USUAL_RATE)
