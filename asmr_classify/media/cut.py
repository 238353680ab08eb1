"""Stretches of recordings, cut out sample by sample or packet by packet.

Positions are a player's, as everywhere: sample 0 is the start of the container. What is written
is what was decoded: whole numbers of up to 24 bits as they are, and floating point numbers in WAV.
FLAC has no such numbers, and holds them with 24 bits, cut off at full scale.

A cut in the middle of a sound clicks, so the first and last milliseconds of a clip rise and fall
(:func:`fade_edges`), but for those where the recording itself begins or ends.

Packets are copied as they are (:func:`copy_packets`), so nothing is lost by encoding once more, and
a clip begins and ends where packets do. What a codec keeps from packet to packet is missing before
the first: in MP3 and AAC some ten milliseconds begin amiss.
"""

from __future__ import annotations

from collections import deque
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from enum import StrEnum
from fractions import Fraction
from io import BytesIO
from typing import TYPE_CHECKING, Self

import av
import av.error
import numpy as np

from asmr_classify.errors import DecodeError
from asmr_classify.media.decode import AudioStream
from asmr_classify.media.place import TOLERANCE, Axis
from asmr_classify.media.probe import EXACT_CODECS, audio_stream, claimed_duration, open_container
from asmr_classify.units import seconds_to_samples

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator
    from typing import IO, Any

    from numpy.typing import NDArray

    from asmr_classify.media.probe import MediaInfo

    Samples = NDArray[np.float32]

FADE_SECONDS = 0.005
"""Of the rise and fall at the edges of a clip: long enough that no click is heard, and short
enough that the attack of a tap stays."""

MID_TO_MEAN = np.float32(np.sqrt(0.5))
"""Brings the mid of two channels, which may be louder than either, back to their mean."""

LACKING_SECONDS = 0.01
"""A clip at the end of a recording may lack so much: containers round their durations."""

HELD_BLOCKS = 4
"""Seconds that are kept for a clip that begins before the last one ended."""

MOST_CHANNELS = 8
"""Of FLAC and Opus."""

LAYOUTS = ("mono", "stereo", "3.0", "quad", "5.0", "5.1", "6.1", "7.1")
"""Channels that are usual, by their number."""

OPUS_RATES_HZ = (8000, 12000, 16000, 24000, 48000)
"""RFC 6716, section 2.1.3, has no others."""


class Form(StrEnum):
    """How a clip is written."""

    FLAC = "flac"
    WAV = "wav"
    OPUS = "opus"


CODECS = {
    (Form.FLAC, "s16"): "flac",
    (Form.FLAC, "s32"): "flac",
    (Form.WAV, "s16"): "pcm_s16le",
    (Form.WAV, "s32"): "pcm_s24le",
    (Form.WAV, "flt"): "pcm_f32le",
    (Form.OPUS, "flt"): "libopus",
}
"""Encoders by form and kind of sample; ``s32`` holds 24 bits."""

COPIED_AS = {
    "aac": ("ipod", "m4a"),
    "mp3float": ("mp3", "mp3"),
    "opus": ("opus", "opus"),
    "vorbis": ("ogg", "ogg"),
    **dict.fromkeys(
        "pcm_u8 pcm_s16le pcm_s24le pcm_s32le pcm_f32le pcm_f64le pcm_alaw pcm_mulaw".split(),
        ("wav", "wav"),
    ),
    **dict.fromkeys("wmav1 wmav2 wmapro wmavoice".split(), ("asf", "wma")),
}
"""Containers, by FFmpeg's names, and endings for copied packets of a codec, as FFmpeg calls its
decoder."""

MP3_SILENT_SAMPLES = 529
"""What an MP3 decoder lags behind its packets. Players leave so much out at the start of a file
with a Xing header, which FFmpeg writes."""

MOST_SILENT = 8
"""Packets at the start that may not be heard: those of Opus can be as short as 2.5 ms."""

OPUS_TICK = 0.0025
"""Seconds that the shortest packet of Opus lasts (RFC 6716, section 2.1.4)."""

ROUNDING_SECONDS = 0.001
"""In Matroska, times of packets are whole milliseconds."""

COPIED_ELSE = ("matroska", "mka")
"""Holds nearly every codec."""


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of a recording, and how its sound is written.

    Parameters
    ----------
    start, stop : int
        In samples at ``sr``, from the start of the container.
    sr : int
        Sampling rate of the clip in Hz.
    form : Form
    sample : {"s16", "s32", "flt"}
        Kind of sample, see :data:`CODECS`.
    mono : bool
        Mix down to one channel; else the channels of the recording are kept.
    rises, falls : bool
        Whether the beginning and the end are faded.
    """

    start: int
    stop: int
    sr: int
    form: Form
    sample: str
    mono: bool = False
    rises: bool = True
    falls: bool = True


def sample_kind(form: Form, info: MediaInfo) -> str:
    """Choose the kind of sample that holds a recording without loss, as far as a form has one."""
    kind = info.sample_format.removesuffix("p")
    if form is Form.OPUS:
        return "flt"
    if kind in {"u8", "s16"}:
        return "s16"
    return "flt" if form is Form.WAV and kind in {"flt", "dbl"} else "s32"


def rate_of(form: Form, sr: int) -> int:
    """Give the sampling rate in Hz with which a form holds sound of one: Opus has but five."""
    return next((rate for rate in OPUS_RATES_HZ if rate >= sr), 48000) if form is Form.OPUS else sr


class SpanReader:
    """Reads stretches of one recording, in one pass where each begins after the one before.

    Parameters
    ----------
    path : str
    sr : int
        Sampling rate in Hz of what is given.
    mono : bool
        Mix down to one channel; else the channels of the recording are kept.

    Raises
    ------
    OpenError, NoAudioError
        If the file cannot be opened or has no sound.
    """

    def __init__(self, path: str, *, sr: int, mono: bool) -> None:
        self.path, self._sr, self._mono = path, sr, mono
        self._open()

    def _open(self) -> None:
        layout = "mono" if self._mono else "kept"
        self._stream = AudioStream.open(
            self.path,
            sr=self._sr,
            layout=layout,  # type: ignore[arg-type]  # one of the three
            block_duration=1.0,
        )
        self._blocks = self._stream.iter_blocks()
        self._held: deque[tuple[int, Samples]] = deque(maxlen=HELD_BLOCKS)
        is_mixed = self._mono and self._stream.info.n_channels > 1
        self._gain = MID_TO_MEAN if is_mixed else np.float32(1)

    def close(self) -> None:
        """Close the file."""
        self._stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def iter_span(self, start: int, stop: int) -> Iterator[Samples]:
        """Read a stretch.

        Parameters
        ----------
        start, stop : int
            In samples.

        Yields
        ------
        ndarray of float32, shape (n_channels, n_samples)
            End to end the stretch.

        Raises
        ------
        DecodeError
            If some of it is damaged, or the recording ends before it does.
        """
        if self._held and start < self._held[0][0]:
            self.close()
            self._open()
        given = start
        for first, y in self._iter_from(start):
            piece = y[:, max(0, start - first) : max(0, stop - first)]
            if piece.shape[1]:
                yield piece
                given += piece.shape[1]
            if given >= stop:
                break
        if self._stream.is_damaged(start / self._sr, given / self._sr):
            raise DecodeError(self.path, "is damaged there: fetch or copy the file again")
        if stop - given > seconds_to_samples(LACKING_SECONDS, self._sr):
            lacking = (stop - given) / self._sr
            raise DecodeError(self.path, f"ends {lacking:.3f} s before the stretch does")

    def _iter_from(self, start: int) -> Iterator[tuple[int, Samples]]:
        """Give the blocks that are held, and those that follow."""
        yield from [block for block in self._held if block[0] + block[1].shape[1] > start]
        for block in self._blocks:
            self._held.append((block.start, np.atleast_2d(block.y) * self._gain))
            if block.start + block.y.shape[-1] > start:
                yield self._held[-1]


def fade_edges(
    pieces: Iterable[Samples], n_samples: int, n_fade: int, *, rises: bool, falls: bool
) -> Iterator[Samples]:
    """Let the edges of a sound rise and fall as half a cosine does.

    Parameters
    ----------
    pieces : iterable of ndarray of float32, shape (n_channels, any)
    n_samples : int
        Of all pieces together.
    n_fade : int
        Samples at each edge; all between stay as they are.
    rises, falls : bool
        Which edges.

    Yields
    ------
    ndarray of float32, shape (n_channels, any)
    """
    done = 0
    for y in pieces:
        place = np.arange(done, done + y.shape[1])
        done += y.shape[1]
        gain = np.ones(y.shape[1], dtype=np.float32)
        for is_faded, depth in ((rises, place), (falls, n_samples - 1 - place)):
            edge = depth < n_fade if is_faded else np.zeros(len(place), dtype=bool)
            gain[edge] *= 0.5 - 0.5 * np.cos(np.pi * (depth[edge] + 0.5) / n_fade)
        yield y if (gain == 1).all() else y * gain


def write_span(reader: SpanReader, span: Span, file: IO[bytes]) -> int:
    """Cut a stretch out of a recording.

    Parameters
    ----------
    reader : SpanReader
        Of the sampling rate and channels of the stretch.
    span : Span
    file : binary file
        Empty, open for reading and writing.

    Returns
    -------
    int
        Samples that were written, of each channel.

    Raises
    ------
    MediaError
        If the recording cannot be decoded there.
    OSError
        If the file cannot be written.
    """
    pieces = fade_edges(
        reader.iter_span(span.start, span.stop),
        span.stop - span.start,
        seconds_to_samples(FADE_SECONDS, span.sr),
        rises=span.rises,
        falls=span.falls,
    )
    with _open_output(file, span.form.value, reader.path) as output:
        stream, n_samples = None, 0
        for y in pieces:
            if stream is None:
                codec, layout = CODECS[span.form, span.sample], LAYOUTS[len(y) - 1]
                stream = output.add_stream(codec, rate=span.sr, layout=layout)
                stream.codec_context.format = av.AudioFormat(span.sample)
            frame = av.AudioFrame.from_ndarray(
                _packed(y, span.sample), format=span.sample, layout=stream.layout.name
            )
            frame.sample_rate, frame.pts = span.sr, n_samples
            output.mux(stream.encode(frame))
            n_samples += y.shape[1]
        if stream is not None:
            output.mux(stream.encode(None))
    return n_samples


class _Disk:
    """A file that keeps the first error of the system, of which FFmpeg only says that it was."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.seek, self.tell = file.seek, file.tell
        self.error: OSError | None = None

    def write(self, data: bytes) -> int:
        try:
            return self._file.write(data)
        except OSError as exc:
            self.error = self.error or exc
            raise


@contextmanager
def _open_output(file: IO[bytes], muxer: str, path: str) -> Generator[Any]:
    """Open a container to be written; the path is that of the recording, for errors."""
    disk = _Disk(file)
    options = {"rf64": "auto"} if muxer == "wav" else {"fflags": "+bitexact"}
    try:
        with av.open(disk, "w", format=muxer, options=options) as output:
            yield output
    except (av.error.FFmpegError, ValueError) as exc:
        if disk.error is not None:
            raise disk.error from None
        if isinstance(exc, MemoryError):
            raise
        message = f"cannot be written as {muxer}: {getattr(exc, 'strerror', None) or exc}"
        raise DecodeError(path, message) from exc


def _packed(y: Samples, sample: str) -> NDArray[Any]:
    """Give the samples of all channels in turn, shape (1, n_channels * n_samples)."""
    turns = np.ascontiguousarray(y.T).reshape(1, -1)
    if sample == "flt":
        return turns
    full = 2.0 ** (15 if sample == "s16" else 23)
    whole = np.clip(np.round(turns * full), -full, full - 1)
    return whole.astype(np.int16) if sample == "s16" else whole.astype(np.int32) << 8


def is_exact(info: MediaInfo) -> bool:
    """Whether a recording is of a lossless codec whose frames tell their own place.

    Its packets cannot be moved to another place, and need not: FLAC holds its sound without loss.
    """
    return info.codec in EXACT_CODECS


def copied_as(codec: str) -> tuple[str, str]:
    """Give the container, by FFmpeg's name, and the ending for copied packets of a codec."""
    return COPIED_AS.get(codec, COPIED_ELSE)


@dataclass(frozen=True, slots=True)
class Borders:
    """Where the packets lie that hold a stretch, and from where on they are heard.

    Parameters
    ----------
    start, end : float
        Of the first packet and of the last, in seconds.
    heard : float
        Seconds from which on the copied packets sound; ``start`` or later.
    """

    start: float
    end: float
    heard: float


def packet_borders(path: str, spans: Iterable[tuple[float, float]]) -> list[Borders]:
    """Find where the packets begin and end that hold stretches of a recording.

    Parameters
    ----------
    path : str
    spans : iterable of tuple of float
        Start and end in seconds.

    Returns
    -------
    list of Borders
        For each stretch of packets that cover it, as far as there are any. All are 0 where there
        are none.

    Raises
    ------
    MediaError
        If the file cannot be read, or no container is known that holds its packets.
    """
    spans = list(spans)
    borders = [Borders(0.0, 0.0, 0.0)] * len(spans)
    waiting = deque(sorted(range(len(spans)), key=lambda index: spans[index]))
    begun: list[int] = []
    recent: deque[tuple[float, float]] = deque(maxlen=MOST_SILENT)
    with open_container(path) as container:
        source = audio_stream(container, path)
        muxer, _ = copied_as(source.codec_context.name)
        with _open_output(BytesIO(), muxer, path) as output:
            output.add_stream_from_template(source)
        for _, start, end in _iter_packets(container, path):
            recent.append((start, end))
            begun = [index for index in begun if spans[index][1] > start]
            while waiting and spans[waiting[0]][0] < end - ROUNDING_SECONDS:
                index = waiting.popleft()
                borders[index] = _begin(source.codec_context, recent, spans[index][0])
                begun.append(index)
            for index in begun:
                if spans[index][1] > start:
                    borders[index] = replace(borders[index], end=end)
    return borders


def _begin(context: Any, packets: Iterable[tuple[float, float]], wanted: float) -> Borders:
    """Choose the packet to begin with: of those up to a time, the last from which it is heard.

    Where several are heard from the same time on, the earliest is best: codecs need some to settle.
    """
    begins = [Borders(start, end, _heard_from(context, start, end)) for start, end in packets]
    fit = [b for b in begins if b.heard <= wanted + ROUNDING_SECONDS] or begins[:1]
    best = max(fit, key=lambda b: (b.heard, -b.start))
    return replace(best, heard=max(0.0, best.heard))


def _heard_from(context: Any, start: float, end: float) -> float:
    """Tell from when on packets are heard if the one between these times is their first."""
    if context.name == "mp3float":
        silent: float = MP3_SILENT_SAMPLES / context.sample_rate
    elif context.name == "opus":
        silent = _pre_skip(context) / OPUS_RATES_HZ[-1]
    elif context.name == "vorbis":  # a packet is heard with the one before it
        silent = end - start
    else:
        return start
    return max(0.0, start + silent)  # what lies before the recording is marked so


def copy_packets(path: str, start: float, end: float, file: IO[bytes]) -> None:
    """Copy the packets between two borders, as they are.

    Parameters
    ----------
    path : str
    start, end : float
        In seconds, those of :class:`Borders`.
    file : binary file
        Empty, open for reading and writing.

    Raises
    ------
    MediaError
        If the recording cannot be read.
    OSError
        If the file cannot be written.
    """
    with open_container(path) as container:
        source = audio_stream(container, path)
        muxer, _ = copied_as(source.codec_context.name)
        with _open_output(file, muxer, path) as output:
            stream, first, reached = output.add_stream_from_template(source), None, start
            for packet, begins, ends in _iter_packets(container, path):
                middle = (begins + ends) / 2
                if middle >= end:
                    break
                if middle < start:
                    continue
                first = packet.pts if first is None else first
                packet.pts = packet.dts = packet.pts - first
                if source.codec_context.name == "opus":
                    _stamp_by_samples(packet, source.codec_context)
                packet.stream = stream
                output.mux(packet)
                reached = ends
            if reached < end - LACKING_SECONDS:
                raise DecodeError(path, "cannot be read there: fetch or copy the file again")


def _stamp_by_samples(packet: Any, context: Any) -> None:
    """Stamp a packet of Opus as Ogg has it: in samples, those that are not heard before 0.

    Its packets last multiples of 2.5 ms, of which Matroska keeps whole milliseconds only. Where
    stamps and packets do not add up, some programs refuse the file (RFC 7845, section 4).
    """
    sr = OPUS_RATES_HZ[-1]
    ticks = float(packet.time_base) / OPUS_TICK
    at, n_ticks = round(packet.pts * ticks), round(packet.duration * ticks)
    n_tick = round(sr * OPUS_TICK)
    packet.time_base = Fraction(1, sr)
    packet.pts = packet.dts = at * n_tick - _pre_skip(context)
    packet.duration = n_ticks * n_tick


def _pre_skip(context: Any) -> int:
    """Tell how many samples at the start of an Opus file are not heard (RFC 7845, section 5.1)."""
    return int.from_bytes((context.extradata or b"")[10:12], "little")


def _iter_packets(container: Any, path: str) -> Iterator[tuple[Any, float, float]]:
    """Give the packets of the sound track with start and end in seconds, in their order."""
    stream = audio_stream(container, path)
    axis = Axis.of(container, stream, claimed_duration(container, None))
    context, origin = stream.codec_context, _origin_of(axis, stream)
    usual = context.frame_size / context.sample_rate if context.sample_rate else 0.0
    with suppress(av.error.FFmpegError):  # what can be read is given; the decoder told of the rest
        for packet in container.demux(stream):
            if not packet.size or packet.pts is None:
                continue
            at = packet.pts * axis.tick
            origin = at if origin is None else origin
            length = (packet.duration or 0) * axis.tick or usual
            yield packet, at - origin, at - origin + length


def _origin_of(axis: Axis, stream: Any) -> float | None:
    """Give the stamp of what a player shows as 0, as the decoder has it; None for the first one."""
    begins = None if stream.start_time is None else stream.start_time * axis.tick
    if axis.is_stamped and (begins is None or abs(begins - axis.origin) > TOLERANCE):
        return axis.origin
    return begins
