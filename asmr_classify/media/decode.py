"""Media files to blocks of samples, in bounded memory whatever their length.

Law: the blocks of a file, put end to end, are the whole decode sample for sample, whatever the
block size.

One decode can feed two: the blocks at the analysis rate, and a listener that is handed the same
frames as they were recorded, with their own rate and channels, before they are mixed down.

Damage does not end a file: a packet that cannot be decoded is left out and counted, and what was
decoded is given. :attr:`AudioStream.problem` then says what is missing; a short decode is never
passed over in silence.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any, Literal, Self

import av
import av.error
import numpy as np
from av.filter import Graph

from asmr_classify.config import ANALYSIS_SR
from asmr_classify.errors import DecodeError
from asmr_classify.media.downmix import mix_down
from asmr_classify.media.probe import audio_stream, describe, is_of_machine, open_container
from asmr_classify.units import samples_to_seconds, seconds_to_samples

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

    from av.container import InputContainer
    from numpy.typing import NDArray

    from asmr_classify.media.probe import MediaInfo

    Samples = NDArray[np.float32]
    Listener = Callable[["NativeBlock"], None]

BLOCK_DURATION = 8.0
"""Seconds in a block: long enough that the cost per call does not show, short enough for memory."""

PIECE_SAMPLES = 32000
"""Resampled samples are taken from FFmpeg so many at a time: each call costs microseconds, and a
packet of AAC holds but 21 ms."""

GATHERED_SAMPLES = 8192
"""Samples are handed to FFmpeg before it is asked what became of them: few enough for its cache."""

SHORTFALL = (0.5, 0.01)
"""A decode is short if it lacks more than this many seconds and this share of the claim: codecs
pad and trim up to 0.1 s, and containers round."""

EXACT_CODECS = frozenset({"flac", "alac", "wavpack", "tta", "ape"})
EXACT_SHORTFALL = 0.02
"""Lossless files state the number of their samples: these lack no more than this, in seconds,
unless a frame of theirs was damaged, which FFmpeg leaves out without a word."""

LOUDEST = 1000.0
"""Samples beyond this many times full scale are no sound but damage."""


@dataclass(frozen=True, slots=True)
class Block:
    """A chunk of decoded samples.

    Parameters
    ----------
    start : int
        Place of the first sample in the file, in samples at the rate that was asked for.
    y : ndarray of float32, shape (n_samples,) for mono, (2, n_samples) for stereo
    """

    start: int
    y: Samples


@dataclass(frozen=True, slots=True)
class NativeBlock:
    """A chunk of decoded samples at the rate and with the channels of the recording.

    Parameters
    ----------
    y : ndarray of float32, shape (n_channels, n_samples), finite
    sr : int
        Sampling rate in Hz; that of the first block in all blocks of a file.
    channels : tuple of str
        FFmpeg's names of the channels (``FL``, ``FR``, ``FC``, ``LFE`` …), those of the first block
        in all blocks of a file; ``?`` for a channel whose place is not stated.
    """

    y: Samples
    sr: int
    channels: tuple[str, ...]


class AudioStream:
    """The sound of one file, as an iterator of blocks.

    Use :meth:`open` in a ``with`` statement. After the last block, :attr:`decoded` and
    :attr:`problem` say how much there was and what is missing.

    Attributes
    ----------
    info : MediaInfo
        What the file claims to be.
    decoded : float
        Seconds given so far.
    problem : DecodeError or None
        What went wrong though something was decoded; complete after the last block.
    """

    def __init__(
        self,
        container: InputContainer,
        info: MediaInfo,
        sr: int,
        layout: str,
        block_duration: float,
        listener: Listener | None = None,
    ) -> None:
        self.info = info
        self.decoded = 0.0
        self.problem: DecodeError | None = None
        self._container = container
        self._sr = sr
        self._layout = layout
        self._listener = listener
        self._block_samples = max(1, seconds_to_samples(block_duration, sr))
        self._damaged_packets = 0
        self._bad_samples = 0
        self._broke_off: str | None = None
        self._may_pass = False
        self._heard_until = 0.0
        self._seen_until = 0.0

    @classmethod
    def open(
        cls,
        path: str,
        *,
        sr: int = ANALYSIS_SR,
        layout: Literal["mono", "stereo"] = "mono",
        block_duration: float = BLOCK_DURATION,
        listener: Listener | None = None,
    ) -> Self:
        """Open a file.

        Parameters
        ----------
        path : str
        sr : int
            Sampling rate of the blocks in Hz.
        layout : {"mono", "stereo"}
            Channels of the blocks; more than two are mixed to two by FFmpeg's rules (ITU-R
            BS.775), and these to one by :mod:`asmr_classify.media.downmix`.
        block_duration : float
            Seconds in each block but the last.
        listener : callable, optional
            Called with each :class:`NativeBlock`, of any length, while the blocks are iterated.

        Returns
        -------
        AudioStream

        Raises
        ------
        OpenError
            If the file is missing, unreadable, empty, or no media file.
        NoAudioError
            If it has no audio stream.
        """
        container = open_container(path)
        try:
            info = describe(container, path)
            return cls(container, info, sr, layout, block_duration, listener)
        except Exception:
            container.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._container.close()

    @property
    def duration(self) -> float | None:
        """Seconds that the audio claims to last, or None."""
        return self.info.duration

    def iter_blocks(self) -> Iterator[Block]:
        """Decode the file.

        Yields
        ------
        Block
            Contiguous from 0; all but the last of the same length.

        Raises
        ------
        DecodeError
            If there is an audio stream but not one usable sample.
        """
        start = 0
        pieces = self._iter_clean()
        mixed = mix_down(pieces) if self._layout == "mono" else map(np.stack, pieces)
        for y in _regroup(mixed, self._block_samples):
            self.decoded = samples_to_seconds(start + y.shape[-1], self._sr)
            yield Block(start, y[0] if self._layout == "mono" else y)
            start += y.shape[-1]
        self._conclude()

    def _iter_clean(self) -> Iterator[list[Samples]]:
        """Yield the channels of decoded samples of any lengths, all finite."""
        resampler = _Resampler(self._sr, _unmixed if self._layout == "mono" else self._layout)
        native = _Resampler(None, None)
        for frame in chain(self._iter_frames(), [None]):
            if self._listener is not None:
                self._tell(self._listener, native, frame)
            try:
                pieces = resampler.flush() if frame is None else resampler.resample(frame)
            except MemoryError:
                raise
            except (av.error.FFmpegError, ValueError):
                self._damaged_packets += 1
                continue
            for piece in pieces:
                yield self._checked(piece)

    @staticmethod
    def _tell(listener: Listener, native: _Resampler, frame: av.AudioFrame | None) -> None:
        """Hand a frame to the listener; what cannot be converted is counted by the analysis."""
        try:
            pieces = native.flush() if frame is None else native.resample(frame)
        except (av.error.FFmpegError, ValueError):
            return
        for piece in pieces:
            y = np.stack(_channels(piece))
            if not np.isfinite(y).all():
                y = np.nan_to_num(y, nan=0.0, posinf=0.0, neginf=0.0)
            listener(NativeBlock(y, piece.sample_rate, _channel_names(piece.layout)))

    def _checked(self, frame: av.AudioFrame) -> list[Samples]:
        channels = _channels(frame)
        if all(np.isfinite(np.vdot(y, y)) for y in channels):  # faster than to ask each sample
            return channels
        y = np.stack(channels)
        self._bad_samples += int((~np.isfinite(y)).any(axis=0).sum())
        return [*np.nan_to_num(y, nan=0.0, posinf=0.0, neginf=0.0)]

    def _iter_frames(self) -> Iterator[av.AudioFrame]:
        """Yield decoded frames; packets that cannot be decoded are counted and left out."""
        is_float_pcm = self.info.codec.startswith("pcm_f")
        for packet in self._iter_packets():
            try:
                frames = packet.decode()
            except MemoryError:
                raise
            except (av.error.FFmpegError, ValueError):
                self._damaged_packets += 1
                continue
            for frame in frames:
                yield self._mend(frame) if is_float_pcm else frame

    def _iter_packets(self) -> Iterator[Any]:
        """Yield packets of the audio stream; a video's are read too, to see where the file ends."""
        index = audio_stream(self._container, self.info.path).index
        ticks = [float(stream.time_base or 0) for stream in self._container.streams]
        packets = self._container.demux()
        while True:
            try:
                packet = next(packets)
            except (StopIteration, av.error.EOFError):
                return
            except MemoryError:
                raise
            except (av.error.FFmpegError, OSError, ValueError) as exc:
                self._may_pass = is_of_machine(exc)
                self._broke_off = getattr(exc, "strerror", None) or str(exc)
                return
            of = packet.stream_index
            tick = ticks[of] if of < len(ticks) else 0.0  # streams may turn up later
            end = ((packet.pts or 0) + (packet.duration or 0)) * tick
            self._seen_until = max(self._seen_until, end)
            if of == index:
                self._heard_until = max(self._heard_until, end)
                yield packet

    def _mend(self, frame: av.AudioFrame) -> av.AudioFrame:
        """Replace samples that are no sound before resampling spreads them."""
        y: NDArray[Any] = frame.to_ndarray()
        with np.errstate(invalid="ignore"):
            bad = ~(np.abs(y) <= LOUDEST)
        if not bad.any():
            return frame
        self._bad_samples += int(bad.sum())
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

    def _conclude(self) -> None:
        """Say what is missing, once all is decoded."""
        path = self.info.path
        total = self.decoded * self.info.sr * self.info.n_channels
        if self.decoded == 0:
            reason = self._broke_off or "no packet of its sound track can be decoded"
            message = f"no sound could be decoded ({reason}); fetch it again"
            raise DecodeError(path, message, may_pass=self._may_pass)
        if self._bad_samples and self._bad_samples >= 0.99 * total:
            raise DecodeError(
                path, "all samples are NaN, infinite or absurdly large; export it again"
            )
        problems = [*self._iter_problems()]
        if problems:
            self.problem = DecodeError(path, "; ".join(problems), may_pass=self._may_pass)

    def _iter_problems(self) -> Iterator[str]:
        if self._broke_off is not None:
            yield f"reading broke off after {self.decoded:.1f} s ({self._broke_off})"
        if self._damaged_packets:
            were = "packet was" if self._damaged_packets == 1 else "packets were"
            yield (
                f"{self._damaged_packets} damaged {were} left out; "
                "what could be decoded is labelled"
            )
        if self._is_short():
            yield (
                f"cut short: {self.decoded:.1f} s of {self.duration:.1f} s could be decoded; "
                "fetch or copy it again"
            )
        if self._bad_samples:
            yield (
                f"{self._bad_samples} samples are NaN, infinite or absurdly large and were taken "
                "as silence; export it again"
            )

    def _is_short(self) -> bool:
        """Whether more is missing than codecs trim and containers round."""
        if self.duration is None:
            return False
        tolerance = max(SHORTFALL[0], SHORTFALL[1] * self.duration)
        if self.info.codec in EXACT_CODECS and not self.info.has_video:
            tolerance = EXACT_SHORTFALL
        expected = self.duration
        if self.info.has_video and self._seen_until >= self.duration - tolerance:
            expected = self._heard_until  # the video goes on: its sound may well be shorter
        return self.decoded < expected - tolerance


def _channels(frame: av.AudioFrame) -> list[Samples]:
    """Give the channels of a planar float frame as they lie in its memory, which they keep."""
    # Buffers, with padding at their ends; PyAV takes what lies behind the eighth for a ninth.
    planes: tuple[Any, ...] = frame.planes[: frame.layout.nb_channels]
    return [np.frombuffer(plane, np.float32)[: frame.samples] for plane in planes]


def _channel_names(layout: av.AudioLayout) -> tuple[str, ...]:
    names = tuple(channel.name for channel in layout.channels)
    return ("?",) * len(names) if "NONE" in names else names


def _unmixed(layout: av.AudioLayout) -> str:
    """Give the layout to which sound is brought that is mixed to one channel afterwards."""
    return "mono" if layout.nb_channels == 1 else "stereo"


class _Resampler:
    """FFmpeg's resampler, made anew when rate or layout change within a file.

    Without a rate or layout, those of the first frame are kept to the end. A layout may also be
    chosen by that of the sound, each time that it changes. Frames are gathered, as asking FFmpeg
    after each for what is not there yet takes as long as to resample it.
    """

    def __init__(
        self, sr: int | None, layout: str | Callable[[av.AudioLayout], str] | None
    ) -> None:
        self._sr, self._layout = sr, layout
        self._graph: Graph | None = None
        self._kind: tuple[str, av.AudioLayout, int] | None = None
        self._n_gathered = 0

    def _new(self, like: av.AudioFrame) -> Graph:
        self._sr, self._layout = self._sr or like.sample_rate, self._layout or like.layout.name
        layout = self._layout(like.layout) if callable(self._layout) else self._layout
        graph = Graph()
        source = graph.add(
            "abuffer",
            sample_rate=str(like.sample_rate),
            sample_fmt=like.format.name,
            channel_layout=like.layout.name,
        )
        wanted = graph.add(
            "aformat", sample_rates=str(self._sr), sample_fmts="fltp", channel_layouts=layout
        )
        sink = graph.add("abuffersink")
        source.link_to(wanted)
        wanted.link_to(sink)
        graph.configure()
        graph.set_audio_frame_size(PIECE_SAMPLES)
        return graph

    def resample(self, frame: av.AudioFrame) -> list[av.AudioFrame]:
        """Take a frame in, and give what is ready."""
        frame.pts = None  # samples are counted, not stamped: gaps must not be filled or cut
        kind = (frame.format.name, frame.layout, frame.sample_rate)
        before = [] if kind == self._kind else self.flush()
        if self._graph is None:
            self._graph, self._kind, self._n_gathered = self._new(frame), kind, 0
        self._graph.push(frame)
        self._n_gathered += frame.samples
        if self._n_gathered < GATHERED_SAMPLES:
            return before
        self._n_gathered = 0
        return [*before, *_iter_ready(self._graph)]

    def flush(self) -> list[av.AudioFrame]:
        """Give what is still held back, and begin anew."""
        last, self._graph, self._kind = self._graph, None, None
        if last is None:
            return []
        last.push(None)
        return [*_iter_ready(last)]


def _iter_ready(graph: Graph) -> Iterator[av.AudioFrame]:
    while True:
        try:
            frame = graph.pull()
        except (av.error.BlockingIOError, av.error.EOFError):
            return
        if isinstance(frame, av.AudioFrame):
            yield frame


def _regroup(pieces: Iterator[Samples], n_samples: int) -> Iterator[Samples]:
    """Cut pieces of any lengths into arrays of ``n_samples`` and a rest."""
    held: list[Samples] = []
    count = 0
    for piece in pieces:
        held.append(piece)
        count += piece.shape[-1]
        if count < n_samples:
            continue
        joined = np.concatenate(held, axis=-1)
        whole = count // n_samples * n_samples
        yield from (joined[:, k : k + n_samples] for k in range(0, whole, n_samples))
        held, count = [joined[:, whole:]], count - whole
    if count:
        yield np.concatenate(held, axis=-1)


def read_audio(
    path: str, *, sr: int = ANALYSIS_SR, layout: Literal["mono", "stereo"] = "mono"
) -> Samples:
    """Decode a whole file; for clips that fit in memory.

    Parameters
    ----------
    path : str
    sr : int
        Sampling rate of the result in Hz.
    layout : {"mono", "stereo"}

    Returns
    -------
    ndarray of float32, shape (n_samples,) for mono, (2, n_samples) for stereo

    Raises
    ------
    OpenError, NoAudioError
        If the file cannot be opened or has no sound.
    DecodeError
        If nothing could be decoded, or less than the file claims.
    """
    with AudioStream.open(path, sr=sr, layout=layout) as stream:
        blocks = [block.y for block in stream.iter_blocks()]
        if stream.problem is not None:
            raise stream.problem
    return np.concatenate(blocks, axis=-1)
