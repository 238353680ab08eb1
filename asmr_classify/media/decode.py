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
from asmr_classify.counts import counted
from asmr_classify.errors import DecodeError
from asmr_classify.media.downmix import mix_down
from asmr_classify.media.probe import EXACT_CODECS, close_container, describe, open_container
from asmr_classify.media.source import as_source
from asmr_classify.media.track import AMISS_SECONDS, SoundTrack
from asmr_classify.units import samples_to_seconds, seconds_to_samples

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

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

LEAST_WRECKED = 0.25
"""Seconds that are told to be missing where bytes are none that may have held them."""

EXACT_SHORTFALL = 0.02
"""Lossless files state the number of their samples: these lack no more than this, in seconds,
unless a frame of theirs was damaged, which FFmpeg leaves out without a word."""

BY_RATE = frozenset({"aiff", "avi", "mpeg", "mpegts", "swf", "w64", "wav"})
"""Formats whose duration FFmpeg may reckon from rates of bytes or blocks, or from stamps that
begin anew. Where the end of a whole file contradicts it, the end is right."""

OF_WHAT_IS_LEFT = frozenset({"asf", "avi", "caf", "w64"})
"""Formats whose duration FFmpeg reckons from what is left of them."""

OF_NO_STATED_LENGTH = frozenset({"ogg"})
"""Formats that show that they were cut, but not how long they were."""

BEYOND = 0.1
"""Seconds that sound may go on after the duration that is claimed: codecs pad so much."""


@dataclass(frozen=True, slots=True)
class Block:
    """A chunk of decoded samples.

    Parameters
    ----------
    start : int
        Place of the first sample in the file, in samples at the rate that was asked for.
    y : ndarray of float32, shape (n_samples,) for mono, else (n_channels, n_samples)
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
        Seconds given so far: the place in the file up to which it was heard.
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
        self._bad_samples = 0
        self._checked_until = 0.0
        self._track = SoundTrack(container, info)
        self._is_decoded = False

    @classmethod
    def open(
        cls,
        path: str,
        *,
        sr: int = ANALYSIS_SR,
        layout: Literal["mono", "stereo", "kept"] = "mono",
        block_duration: float = BLOCK_DURATION,
        listener: Listener | None = None,
    ) -> Self:
        """Open a file.

        Parameters
        ----------
        path : str
        sr : int
            Sampling rate of the blocks in Hz.
        layout : {"mono", "stereo", "kept"}
            Channels of the blocks; more than two are mixed to two by FFmpeg's rules (ITU-R
            BS.775), and these to one by :mod:`asmr_classify.media.downmix`. Or those of the
            recording, as its first frame has them.
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
        source = as_source(path)
        container = open_container(source)
        try:
            info = describe(container, str(source))
            return cls(container, info, sr, layout, block_duration, listener)
        except Exception:
            close_container(container)
            raise

    def close(self) -> None:
        """Close the file."""
        close_container(self._container)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def is_damaged(self, start: float, end: float) -> bool:
        """Tell whether, as far as was decoded, something between two times could not be.

        Also shortly after it, where codecs lack what they keep from packet to packet.
        """
        spans = self._track.damaged
        return any(first < end and start < last + AMISS_SECONDS for first, last in spans)

    @property
    def duration(self) -> float | None:
        """Seconds that the file lasts, or None where it does not say.

        What it claims, unless all of it was decoded and that says otherwise.
        """
        claim, track = self.info.duration, self._track
        if claim is None or not self._is_decoded:
            return claim
        if self._is_surely_cut():
            return self._before_cut()
        if track.placer.is_restarted and track.axis.may_restart:
            return None
        if self.info.container in BY_RATE and self.problem is None:
            end = self._reached()
            if end < claim - (BEYOND if track.is_alone else _tolerance(claim)):
                return end
        return claim if self.decoded <= claim + BEYOND else self.decoded

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
        self._is_decoded = True

    def _iter_clean(self) -> Iterator[list[Samples]]:
        """Yield the channels of decoded samples of any lengths, all finite."""
        resampler = _Resampler(self._sr, LAYOUTS[self._layout])
        native = _Resampler(None, None)
        for frame in chain(self._track.iter_frames(self._container), [None]):
            if self._listener is not None:
                self._tell(self._listener, native, frame)
            try:
                pieces = resampler.flush() if frame is None else resampler.resample(frame)
            except MemoryError:
                raise
            except (av.error.FFmpegError, ValueError):
                self._track.damaged_packets += 1
                self._track.note_damaged(self._track.placer.end, 0.0)
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
        start, seconds = self._checked_until, frame.samples / self._sr
        self._checked_until = start + seconds
        if all(np.isfinite(np.vdot(y, y)) for y in channels):  # faster than to ask each sample
            return channels
        y = np.stack(channels)
        self._bad_samples += int((~np.isfinite(y)).any(axis=0).sum())
        self._track.note_damaged(start, seconds)
        return [*np.nan_to_num(y, nan=0.0, posinf=0.0, neginf=0.0)]

    def _conclude(self) -> None:
        """Say what is missing, once all is decoded."""
        path = self.info.path
        total = self._track.placer.n_samples * self.info.n_channels
        self._bad_samples += self._track.bad_samples
        if self.decoded == 0:
            message = f"no sound could be decoded ({self._why_nothing()})"
            raise DecodeError(path, message, may_pass=self._track.may_pass)
        if self._bad_samples and self._bad_samples >= 0.99 * total:
            raise DecodeError(
                path, "all samples are NaN, infinite or absurdly large; export it again"
            )
        problems = [*self._iter_problems()]
        if problems:
            self.problem = DecodeError(path, "; ".join(problems), may_pass=self._track.may_pass)

    def _why_nothing(self) -> str:
        if self._track.broke_off is not None:
            return self._track.broke_off
        if self.info.is_cut:
            return "the file is cut short; fetch or copy it again"
        if not self._track.damaged_packets:
            return self._too_few()
        return "no packet of its sound track can be decoded: it may be protected; play it to see"

    def _too_few(self) -> str:
        n_samples = self._track.placer.n_samples
        if not n_samples:
            return "its sound track is empty"
        # Of so few, at another rate than that of the analysis, FFmpeg's resampler gives none.
        held = counted(n_samples, "sample")
        return f"it holds {held}, too few to be heard; record or export it again"

    def _iter_problems(self) -> Iterator[str]:
        if self._track.broke_off is not None:
            yield f"reading broke off after {self.decoded:.1f} s ({self._track.broke_off})"
        if self._track.damaged_packets:
            left = counted(
                self._track.damaged_packets, "damaged packet was", "damaged packets were"
            )
            yield f"{left} left out; what could be decoded is labelled"
        if self._is_short():
            is_whole = self.info.held == 1 and not (self._track.skipped or self._track.unread)
            to_do = "" if is_whole else "; fetch or copy it again"
            whole = self._before_cut()
            digits = 1 if whole - self.decoded >= 0.1 else 3
            yield (
                f"cut short: {self.decoded:.{digits}f} s of {whole:.{digits}f} s "
                f"could be decoded{to_do}"
            )
        elif self.info.container in OF_NO_STATED_LENGTH and self._lacks_its_end():
            yield f"cut short after {self.decoded:.1f} s; fetch or copy it again"
        if self._is_wrecked():
            yield (
                f"{self._track.placer.missing:.1f} s within it are missing, and silence stands "
                "there; fetch or copy it again"
            )
        if self._bad_samples:
            yield (
                f"{self._bad_samples} samples are NaN, infinite or absurdly large and were taken "
                "as silence; export it again"
            )

    def _is_short(self) -> bool:
        """Whether more is missing than codecs trim and containers round."""
        expected, duration, track = self.info.sound_end, self.info.duration, self._track
        if self._is_surely_cut():
            return True
        if duration is None:
            return False
        tolerance, reached = _tolerance(duration), self.decoded
        if self._lacks_wreckage(duration - max(reached, track.seen_until), tolerance):
            return True
        if expected is None:
            return False
        if self._is_exact():
            tolerance, reached = EXACT_SHORTFALL, track.placer.end
        if not track.is_alone and track.seen_until >= duration - tolerance:
            expected = min(expected, track.heard_until)  # they may well go on after the sound
        return reached < expected - tolerance

    def _is_exact(self) -> bool:
        """Whether the file states the number of its samples, of which none may be missing."""
        return self.info.codec in EXACT_CODECS and not self.info.has_video

    def _lacks_wreckage(self, missing: float, tolerance: float) -> bool:
        """Whether seconds are missing of all streams at the end, and bytes that may have held them.

        Without stamps, as in AVI, what lies behind wrecked bytes comes as early as they began.
        """
        unread, skipped = self._track.unread, self._track.skipped
        if self.info.container != "avi":
            skipped = 0.0
        if missing > LEAST_WRECKED and skipped > missing / 2:
            return True
        return missing > tolerance and unread + skipped > missing / 2

    def _lacks_its_end(self) -> bool:
        """Whether the last page is cut, or stands there whole but was refused as damaged."""
        is_refused = self.info.held == 1 and self._track.unread > LEAST_WRECKED
        return self.info.is_cut or is_refused

    def _is_wrecked(self) -> bool:
        """Whether sound within the file is missing, and bytes that may have held it were none.

        Else recorders left it out where nothing was to be heard.
        """
        missing, skipped = self._track.placer.missing, self._track.skipped
        if self._is_exact() and self.info.sound_end is not None:
            return missing > EXACT_SHORTFALL and not self._is_short()
        return missing > LEAST_WRECKED and skipped > missing / 2

    def _is_surely_cut(self) -> bool:
        """Whether bytes are missing that held sound, though FFmpeg claims no more than is left."""
        if not self.info.is_cut or self.info.container not in OF_WHAT_IS_LEFT:
            return False
        whole = self._before_cut()
        return whole - self._reached() > _tolerance(whole)

    def _before_cut(self) -> float:
        """Reckon what the file lasted before it was cut."""
        claim = self.info.duration or 0.0
        if self.info.container not in OF_WHAT_IS_LEFT:
            return claim
        return max(claim, self._reached() / (self.info.held or 1))

    def _reached(self) -> float:
        """Tell up to where the file was read, in seconds: pictures may go on after the sound."""
        return self.decoded if self._track.is_alone else max(self.decoded, self._track.seen_until)


def _tolerance(duration: float) -> float:
    return max(SHORTFALL[0], SHORTFALL[1] * duration)


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


LAYOUTS: dict[str, str | Callable[[av.AudioLayout], str] | None] = {
    "mono": _unmixed,
    "stereo": "stereo",
    "kept": None,
}
"""What sound is brought to, by the channels that blocks are to have."""


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


def duration_of(path: str) -> float:
    """Tell how long a recording is.

    Parameters
    ----------
    path : str

    Returns
    -------
    float
        Seconds that its headers claim, or, where these say nothing, to which it can be decoded.

    Raises
    ------
    OpenError, NoAudioError
        If the file cannot be opened or has no sound.
    DecodeError
        If nothing could be decoded that had to be.
    """
    with AudioStream.open(path) as stream:
        if stream.duration is not None:
            return stream.duration
        for _block in stream.iter_blocks():
            pass
        return stream.decoded
