"""A stretch as it is heard and drawn.

A recording that is no longer than a stretch is given as it is, where browsers play it. Of all else
the stretch is cut out, and given as WAV: every browser plays it, to the sample and at once, while
one that is to find a time in an hour of sound asks for piece after piece of it first.
"""

from __future__ import annotations

import base64
import io
import threading
import wave
from concurrent.futures import Future
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

import numpy as np

from asmr_classify.media.probe import probe
from asmr_classify.media.stretch import read_stretch
from asmr_classify.review.stretches import LONGEST

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from asmr_classify.review.stretches import Key, Stretch

T = TypeVar("T")

TYPES = {
    "flac": "audio/flac",
    "m4a": "audio/mp4",
    "mp3": "audio/mpeg",
    "mp4": "audio/mp4",
    "oga": "audio/ogg",
    "ogg": "audio/ogg",
    "opus": "audio/ogg",
    "wav": "audio/wav",
    "weba": "audio/webm",
    "webm": "audio/webm",
}
"""Media types, by extension, that browsers may play."""

HIGHEST_SR = 48000
"""In Hz: what loudspeakers play."""

KEPT = 32
"""Stretches of which sound and picture are kept, in memory: a sound has 2.3 MB at most, a picture a
twentieth of that. No file is made of them, as it would be left behind by whatever ends the program
at once: the closing of its terminal, or a request of the system."""

COLUMNS = 400
"""Columns of a spectrogram at most: two pixels each on a wide screen."""

RANGE_DB = 70.0
"""From the darkest to the brightest of a spectrogram, below its highest."""


def media_type(stretch: Stretch) -> str | None:
    """Tell as what a browser may play the recording itself; None where it should not try."""
    if stretch.duration > LONGEST:
        return None
    return TYPES.get(PurePath(stretch.path).suffix.lstrip(".").lower())


def make_wav(stretch: Stretch) -> bytes:
    """Decode a stretch to a WAV file of 16 bits; one channel stays one, as loud as it is.

    Raises
    ------
    MediaError
        If it cannot be decoded.
    """
    info = probe(stretch.path)
    sr = min(info.sr, HIGHEST_SR)
    layout: Literal["mono", "stereo"] = "mono" if info.n_channels == 1 else "stereo"
    y = np.atleast_2d(read_stretch(stretch.path, stretch.start, stretch.end, sr=sr, layout=layout))
    content = io.BytesIO()
    with wave.open(content, "wb") as file:
        file.setparams((len(y), 2, sr, 0, "NONE", "NONE"))
        file.writeframes(np.round(32767 * y.T.clip(-1, 1)).astype("<i2").tobytes())
    return content.getvalue()


def draw(stretch: Stretch) -> dict[str, Any]:
    """Compute the waveform and the mel spectrogram of a stretch.

    Returns
    -------
    dict
        ``peaks`` as :func:`~asmr_classify.report.waveforms.draw_peaks` gives them, and ``mel``, a
        byte a band and column with the lowest band first, both in base64; ``bands``.

    Raises
    ------
    MediaError
        If it cannot be decoded.
    """
    from asmr_classify.config import ANALYSIS_SR, FrameSpec
    from asmr_classify.features.frames import analyse
    from asmr_classify.report.waveforms import PIECE, draw_peaks
    from asmr_classify.units import seconds_to_samples

    spec = FrameSpec()
    y = read_stretch(stretch.path, stretch.start, stretch.end)
    step = seconds_to_samples(PIECE, ANALYSIS_SR)
    peaks = draw_peaks(np.maximum.reduceat(np.abs(y), np.arange(0, y.size, step)))
    logmel = analyse(np.pad(y, (0, max(0, spec.n_fft - y.size))), spec).logmel
    mel = _brightness(logmel)
    return {"peaks": _base64(peaks), "mel": _base64(mel.tobytes()), "bands": spec.n_mels}


def _brightness(logmel: NDArray[np.float32]) -> NDArray[np.uint8]:
    columns = min(len(logmel), COLUMNS)
    drawn = np.maximum.reduceat(logmel, np.arange(columns) * len(logmel) // columns)
    level = 1 + (drawn - drawn.max()) / RANGE_DB
    return np.asarray(np.round(255 * level.clip(0, 1)), dtype=np.uint8)


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()


class Sounds:
    """Sounds and pictures of stretches, each made once; the last few are kept.

    Of what is longer than stretches that are cut, as answers of files may be, one sound is.
    """

    def __init__(self) -> None:
        self._wavs: Once[bytes] = Once()
        self._long: Once[bytes] = Once(1)
        self._pictures: Once[dict[str, Any]] = Once()

    def wav(self, stretch: Stretch) -> bytes:
        """Give the WAV file of a stretch.

        Raises
        ------
        MediaError
            If it cannot be decoded.
        """
        wavs = self._wavs if stretch.end - stretch.start <= LONGEST else self._long
        return wavs.get(stretch.key, lambda: make_wav(stretch))

    def picture(self, stretch: Stretch) -> dict[str, Any]:
        """Give what is drawn of a stretch.

        Raises
        ------
        MediaError
            If it cannot be decoded.
        """
        return self._pictures.get(stretch.key, lambda: draw(stretch))


class Once(Generic[T]):
    """What is made once of a stretch, whoever asks meanwhile.

    Parameters
    ----------
    kept : int
        As many are kept, the last.
    """

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self._made: dict[Key, Future[T]] = {}
        self._lock = threading.Lock()

    def get(self, key: Key, make: Callable[[], T]) -> T:
        """Give what is kept, or make it; what cannot be made is tried again by whoever asks next.

        Raises
        ------
        Exception
            Whatever making it raises.
        """
        with self._lock:
            known = self._made.get(key)
            future = self._made.setdefault(key, Future())
        if known is not None:
            return known.result()
        try:
            made = make()
        except BaseException as exc:
            with self._lock:
                del self._made[key]
            future.set_exception(exc)
            raise
        future.set_result(made)
        with self._lock:
            done = [old for old, one in self._made.items() if one.done()]
            for old in done[: -self._kept]:
                del self._made[old]
        return made
