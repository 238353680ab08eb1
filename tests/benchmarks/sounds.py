"""Recordings to measure on: the demo clips end to end, with a little hiss, in several codecs."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from asmr_classify.media.decode import read_audio
from tests.conftest import DEMO
from tests.media.make_media import Recipe, write_media

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

SR = 48000
TEN_MINUTES = 600

CODECS = {
    "AAC": ("m4a", Recipe("ipod", "aac", sr=SR, options={"b": "128000"})),
    "MP3": ("mp3", Recipe("mp3", "libmp3lame", sr=SR, options={"b": "128000"})),
    "Opus": ("opus", Recipe("ogg", "libopus", sr=SR, options={"b": "96000"})),
    "WAV": ("wav", Recipe("wav", "pcm_s16le", sr=SR)),
}
ADTS = Recipe("adts", "aac", sr=SR, options={"b": "64000"})
"""AAC without a container: files of it can be put end to end."""


@cache
def stereo(duration: float) -> NDArray[np.float32]:
    """Sound of a given length in seconds at ``SR``, shape (2, n_samples)."""
    clips = [read_audio(str(path), sr=SR) for path in sorted(DEMO.glob("*.flac"))]
    y = np.resize(np.concatenate(clips), round(duration * SR))
    hiss = np.random.default_rng(0).standard_normal((2, len(y)), dtype=np.float32)
    return np.asarray(0.8 * y + np.float32(1e-3) * hiss, dtype=np.float32)


def write_codec(folder: Path, codec: str, duration: float = TEN_MINUTES) -> Path:
    """Write a recording in one of :data:`CODECS`."""
    ending, recipe = CODECS[codec]
    return write_media(folder / f"{duration:g}.{ending}", stereo(duration), recipe)


def write_clips(folder: Path, count: int, duration: float) -> list[Path]:
    """Write short WAV files, cut out one after the other."""
    folder.mkdir()
    n_samples = round(duration * SR)
    y = stereo(min(count * duration, TEN_MINUTES))
    paths = []
    for number in range(count):
        start = number * n_samples % (y.shape[1] - n_samples + 1)
        piece = y[:, start : start + n_samples]
        paths.append(write_media(folder / f"{number:04d}.wav", piece, CODECS["WAV"][1]))
    return paths
