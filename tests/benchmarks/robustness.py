"""How often the main tag stays what it is when a recording is changed.

It is turned down, coded, resampled, and made stereo: as two ears hear it from one side, and with
channels that are out of phase, wholly or above 1 kHz.
"""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import librosa
import numpy as np
from joblib import Parallel, delayed

from asmr_classify import label_file, load_model
from asmr_classify.media.decode import read_audio
from asmr_classify.training.corpus import read_corpus
from tests.benchmarks.report import Table
from tests.conftest import shared_folder
from tests.media.make_media import Recipe, write_float_wav, write_media

if TYPE_CHECKING:
    from numpy.typing import NDArray

SR = 48000
CODECS = {
    "MP3 64 kbit/s": ("mp3", Recipe("mp3", "libmp3lame", sr=SR, options={"b": "64000"})),
    "Opus 48 kbit/s": ("opus", Recipe("ogg", "libopus", sr=SR, options={"b": "48000"})),
}
REACH = {
    "-30 dB": 0.97,
    "MP3 64 kbit/s": 0.95,
    "Opus 48 kbit/s": 0.95,
    "16 kHz": 0.95,
    "binaural": 0.95,
    "out of phase": 0.97,
    "partly out of phase": 0.97,
}
ITD = 0.0006
"""Seconds by which a sound from the side reaches the ears apart, of at most 0.7 ms."""

ILD_DB = 6.0
PARTLY_FROM_HZ = 1000
ABOUT = """\
Share of the corpus's clips whose main tag (or none) by the shipped model is the same for the clip
at 48 kHz and for a changed copy of it. Binaural is 0.6 ms later and 6 dB softer in one ear; partly
out of phase is so above 1 kHz."""

_shipped = cache(load_model)  # once a process


def _turned_down(folder: Path, y: NDArray[np.float32]) -> Path:
    return write_float_wav(folder / "quiet.wav", y[None] * np.float32(10**-1.5), SR)


def _resampled(folder: Path, y: NDArray[np.float32]) -> Path:
    low = librosa.resample(y, orig_sr=SR, target_sr=16000)
    return write_float_wav(folder / "low.wav", low[None], 16000)


def _coded(folder: Path, y: NDArray[np.float32], name: str) -> Path:
    ending, recipe = CODECS[name]
    return write_media(folder / f"coded.{ending}", y[None], recipe)


def _stereo(folder: Path, y: NDArray[np.float32]) -> dict[str, Path]:
    frequencies = np.fft.rfftfreq(2 * len(y), 1 / SR)
    later = np.exp(-2j * np.pi * frequencies * ITD) * 10 ** (-ILD_DB / 20)
    turned = {
        "binaural": later,
        "out of phase": -np.ones_like(frequencies),
        "partly out of phase": np.where(frequencies < PARTLY_FROM_HZ, 1, -1),
    }
    spectrum = np.fft.rfft(y, 2 * len(y))
    files = {}
    for change, response in turned.items():
        right = np.fft.irfft(spectrum * response)[: len(y)].astype(np.float32)
        files[change] = write_float_wav(folder / f"{change}.wav", np.stack([y, right]), SR)
    return files


def main_tags(path: str) -> dict[str, str | None]:
    """Label a clip and its changed copies."""
    model = _shipped()
    y = read_audio(path, sr=SR)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = {"plain": write_float_wav(folder / "plain.wav", y[None], SR)}
        files["-30 dB"] = _turned_down(folder, y)
        files |= {codec: _coded(folder, y, codec) for codec in CODECS}
        files["16 kHz"] = _resampled(folder, y)
        files |= _stereo(folder, y)
        return {change: label_file(file, model=model).trigger for change, file in files.items()}


def run() -> Table:
    """Measure on all clips of the corpus."""
    corpus = read_corpus(shared_folder() / "corpus" / "manifest.csv")
    tags = Parallel(n_jobs=-1)(delayed(main_tags)(clip.path) for clip in corpus.clips)
    same = {
        change: float(np.mean([tag[change] == tag["plain"] for tag in tags])) for change in REACH
    }
    rows = tuple((change, same[change], reach) for change, reach in REACH.items())
    return Table("robustness", ABOUT, ("change", "same main tag", "reach"), rows)
