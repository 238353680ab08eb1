"""The packets of a file to the frames of its sound track, whatever else there is in it.

Streams that are not needed are stepped over: pictures, covers, chapters, subtitles, data. A packet
that cannot be decoded is left out and counted, and silence stands in its place.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any

import av
import av.error
import numpy as np

from asmr_classify.media.flac import LONGEST_HEADER, first_sample
from asmr_classify.media.place import Axis, Placer
from asmr_classify.media.probe import audio_stream, is_of_machine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from av.container import InputContainer
    from numpy.typing import NDArray

    from asmr_classify.media.probe import MediaInfo

PADDING_BYTES = 8
"""Zeros that fill up the last element of a file are fewer than this."""

RESYNCHRONISED = frozenset({"avi", "flv", "matroska,webm", "ogg"})
"""Formats in which bytes lie in the order of time, nothing stuffs what lies between packets, and
wrecked bytes are passed over up to the next packet that is whole."""

SKIPPED_SECONDS, SKIPPED_BYTES = 0.25, 1024
"""What lies between two packets does not but wrap them if so much sounds in as many bytes, and
they are so many: headers of pages and clusters are shorter."""

INDEX_BYTES = {"avi": 16}
"""Bytes of each packet in the index at the end of a file: of quiet sound, a tenth of the whole."""

AMISS_SECONDS = 0.25
"""What follows a packet that cannot be decoded may sound amiss for so long."""

CHECKED = {"err_detect": "crccheck+explode"}
"""Has FFmpeg refuse frames that their checksums belie. It else gives them, with noise in them."""

SELF_CHECKING = frozenset({"flac", "tta", "wavpack"})
"""Codecs of which each frame bears a checksum. Of Monkey's Audio FFmpeg gives most of a frame
before it comes to its checksum."""

LOUDEST = 1000.0
"""Samples beyond this many times full scale are no sound but damage."""


class SoundTrack:
    """The sound track of an open file, as frames.

    Attributes
    ----------
    axis : Axis
    placer : Placer
    damaged_packets : int
        How many could not be decoded.
    bad_samples : int
        How many were no sound and were replaced.
    damaged : list of [float, float]
        From which second to which something could not be decoded so far, by time.
    broke_off : str or None
        Why reading ended before the file did.
    may_pass : bool
        Whether that comes from the machine.
    is_alone : bool
        Whether it is the only stream of the file.
    skipped, unread : float
        Seconds that nearly sound in as many bytes as were passed over between packets, and as lie
        behind the last one.
    heard_until, seen_until : float
        Seconds from the start to the end of the last packet of the track, and of any stream.
    """

    def __init__(self, container: InputContainer, info: MediaInfo) -> None:
        self.axis = Axis.of(container, audio_stream(container, info.path), info.duration)
        self.placer = Placer(self.axis)
        self.damaged_packets = 0
        self.bad_samples = 0
        self.damaged: list[list[float]] = []
        self.broke_off: str | None = None
        self.may_pass = False
        self.heard_until = 0.0
        self.seen_until = 0.0
        self.is_alone = len(container.streams) == 1
        self.skipped = self.unread = 0.0
        self._info = info
        self._n_bytes, self._n_packets, self._page, self._read_until = 0, 0, -1, 0
        self._skipped_before = 0.0

    def iter_frames(self, container: InputContainer) -> Iterator[av.AudioFrame]:
        """Decode the sound track.

        Parameters
        ----------
        container : av.container.InputContainer

        Yields
        ------
        av.AudioFrame
            At the times that a player shows, with silence where there is no sound.
        """
        stream = audio_stream(container, self._info.path)
        if self._info.codec in SELF_CHECKING:
            stream.codec_context.options = CHECKED
        is_float_pcm = self._info.codec.startswith("pcm_f")
        placer, decode = self.placer, stream.codec_context.decode
        packets = self._iter_packets(container, stream.index)
        if self.axis.is_exact and self._info.container == "flac":
            packets = _iter_numbered(packets, stream.codec_context.extradata or b"")
        for packet in chain(packets, [None]):
            try:
                frames = decode(packet)
            except MemoryError:
                raise
            except (av.error.FFmpegError, ValueError):
                self._note_damage(packet)
                continue
            for frame in map(self._mend, frames) if is_float_pcm else frames:
                if placer.follows(frame):
                    yield frame
                else:
                    yield from self._place(frame)
        yield from placer.finish()

    def _place(self, frame: av.AudioFrame) -> Iterator[av.AudioFrame]:
        """Place a frame, and note the silence before it where it stands for what is lost."""
        end, missing = self.placer.end, self.placer.missing
        for placed in self.placer.place(frame):
            seconds, missing = self.placer.missing - missing, self.placer.missing
            is_loss = self.axis.is_exact or self.skipped > self._skipped_before
            if seconds > 0 and is_loss:
                self._skipped_before = self.skipped
                self.note_damaged(end, seconds)
            yield placed

    def _note_damage(self, packet: Any) -> None:
        """Count a packet that cannot be decoded, or the end of them (None)."""
        if packet is None or (packet.size < PADDING_BYTES and not any(bytes(packet))):
            return
        seconds = float((packet.duration or 0) * (packet.time_base or 0))
        self.damaged_packets += 1
        self.note_damaged(self.placer.end, seconds)
        self.placer.lose(seconds)

    def note_damaged(self, start: float, seconds: float) -> None:
        """Note where something could not be decoded; what lies close together is one span."""
        if not self.damaged or start > self.damaged[-1][1] + AMISS_SECONDS:
            self.damaged.append([start, start])
        self.damaged[-1][1] = max(self.damaged[-1][1], start) + seconds

    def _iter_packets(self, container: InputContainer, index: int) -> Iterator[Any]:
        """Yield the packets of a stream; others are read too, to see where the file ends."""
        ticks = [float(stream.time_base or 0) for stream in container.streams]
        may_skip = self._info.container in RESYNCHRONISED
        packets = container.demux()
        while True:
            try:
                packet = next(packets)
            except (StopIteration, av.error.EOFError, IndexError):
                if may_skip:
                    self.unread = self._seconds_up_to(container.size - self._index_bytes())
                return  # IndexError: PyAV at the end of a file in which a stream turned up later
            except MemoryError:
                raise
            except (av.error.FFmpegError, OSError, ValueError) as exc:
                self.may_pass = is_of_machine(exc)
                self.broke_off = getattr(exc, "strerror", None) or str(exc)
                return
            if not packet.size:
                # At the end PyAV gives one for each stream, which only some can decode and none
                # needs: the decoder is flushed by name. Others hold nothing but a header anew.
                continue
            if may_skip:
                self._note_place(packet)
            of = packet.stream_index
            end = self._note_end(packet, ticks[of] if of < len(ticks) else 0.0)  # a late stream
            if of == index:
                self.heard_until = max(self.heard_until, end)
                yield packet

    def _note_end(self, packet: Any, tick: float) -> float:
        """Note up to when the file goes on; stamps from behind its end are of damaged headers."""
        start = (packet.pts or 0) * tick - self.axis.origin
        end = start + (packet.duration or 0) * tick
        if start <= self.axis.end:
            self.seen_until = max(self.seen_until, end)
        return end

    def _note_place(self, packet: Any) -> None:
        """Note where the bytes of a packet lie; those of one page of Ogg share its place."""
        place, size = packet.pos, packet.size
        if place is None:
            return
        self._n_bytes += size
        self._n_packets += 1
        if place == self._page:
            self._read_until += size
            return
        self.skipped += self._seconds_up_to(place)
        self._page, self._read_until = place, max(self._read_until, place + size)

    def _index_bytes(self) -> int:
        """Tell how long the index is with which the file ends, if it has one of all packets."""
        return INDEX_BYTES.get(self._info.container, 0) * self._n_packets

    def _seconds_up_to(self, place: int) -> float:
        """Tell what sounds in as many bytes as lie before a place and behind all that was read."""
        n_bytes = place - self._read_until
        if n_bytes <= SKIPPED_BYTES or not self.seen_until or not self._n_bytes:
            return 0.0
        seconds = n_bytes * self.seen_until / self._n_bytes
        return seconds if seconds > SKIPPED_SECONDS else 0.0

    def _mend(self, frame: av.AudioFrame) -> av.AudioFrame:
        """Replace samples that are no sound before resampling spreads them."""
        y: NDArray[Any] = frame.to_ndarray()
        with np.errstate(invalid="ignore"):
            bad = ~(np.abs(y) <= LOUDEST)
        if not bad.any():
            return frame
        self.bad_samples += int(bad.sum())
        self.note_damaged(self.placer.end, frame.samples / frame.sample_rate)
        mended = av.AudioFrame.from_ndarray(
            np.where(bad, y.dtype.type(0), y),
            format=frame.format.name,
            layout=frame.layout.name,
        )
        mended.sample_rate, mended.pts, mended.time_base = (
            frame.sample_rate,
            frame.pts,
            frame.time_base,
        )
        return mended


def _iter_numbered(packets: Iterator[Any], streaminfo: bytes) -> Iterator[Any]:
    """Stamp packets of FLAC with the numbers that they bear.

    Near a damaged end FFmpeg gives a frame twice.
    """
    last = 0
    for packet in packets:
        number = first_sample(memoryview(packet)[:LONGEST_HEADER], streaminfo)
        if number is not None:
            if number == last > 0:
                continue
            packet.pts = last = number
        yield packet
