"""How fast files are labelled, as ratios within one run."""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import av
import librosa

from asmr_classify import label_file, label_paths, load_model
from asmr_classify.config import ANALYSIS_SR
from asmr_classify.features.windows import window_rows
from asmr_classify.threads import one_thread
from tests.benchmarks import sounds
from tests.benchmarks.measure import median_ratio, one_core, run_python, seconds
from tests.benchmarks.report import COLD, FEATURES, OVER_DECODING, WORKERS, Table
from tests.conftest import DEMO

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ABOUT = """\
Ratios are medians of five, taken by turns within one process that is pinned to one core and has
done everything once before; seconds are medians too. The recording is ten minutes of 48 kHz stereo
unless said otherwise. Two workers use two cores; their rate is taken from the third result on, and
once more over the whole run. Cold means that the start of the process is included."""

REACH = {"AAC": (2.0, 1.6), "MP3": (2.0, 1.6), "Opus": (1.8, 1.5), "WAV": (5.0, 4.0)}


def decode_alone(path: Path) -> None:
    """Decode and resample with PyAV, and throw the samples away."""
    with av.open(str(path)) as container:
        resampler = av.AudioResampler(format="fltp", layout="mono", rate=ANALYSIS_SR)
        for frame in container.decode(container.streams.audio[0]):
            resampler.resample(frame)


def tutorial_features(y: NDArray[np.float32], sr: int) -> None:
    """Extract what tutorials do, each feature from the waveform."""
    feature = librosa.feature
    feature.mfcc(y=y, sr=sr)
    for extract in (
        feature.spectral_contrast,
        feature.spectral_centroid,
        feature.spectral_bandwidth,
        feature.spectral_rolloff,
        feature.chroma_stft,
    ):
        extract(y=y, sr=sr)
    feature.spectral_flatness(y=y)
    feature.zero_crossing_rate(y)
    feature.rms(y=y)
    librosa.onset.onset_strength(y=y, sr=sr)


def run() -> Table:
    """Measure all but memory and growth."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with one_core(), one_thread():
            rows = [*_codec_rows(folder), _small_clips_row(folder), _features_row()]
        rows += _worker_rows(folder)
        with one_core():
            rows += _start_rows(folder)
    head = ("what", "measured", "unit", "reach", "beyond", "seconds", "against")
    return Table("speed", ABOUT, head, tuple(rows))


def _codec_rows(folder: Path) -> list[tuple[object, ...]]:
    model, rows = load_model(), []
    for codec, (reach, beyond) in REACH.items():
        path = sounds.write_codec(folder, codec)
        ratio, ours, alone = median_ratio(
            lambda path=path: label_file(path, model=model), lambda path=path: decode_alone(path)
        )
        what = f"label {codec}, {OVER_DECODING}"
        rows.append((what, ratio, "times", f"≤ {reach}", f"≤ {beyond}", ours, alone))
    return rows


def _small_clips_row(folder: Path) -> tuple[object, ...]:
    model = load_model()
    paths = sounds.write_clips(folder / "clips", 400, 5.0)
    label_file(paths[0], model=model)
    took = statistics.median(
        seconds(lambda: [label_file(path, model=model) for path in paths]) for _ in range(5)
    )
    return ("clips of 5 s, one process", len(paths) / took, "a second", "≥ 70", "≥ 120", took, "")


def _features_row() -> tuple[object, ...]:
    y = librosa.resample(sounds.stereo(60.0)[0], orig_sr=sounds.SR, target_sr=ANALYSIS_SR)
    spec = load_model().features
    ratio, theirs, ours = median_ratio(
        lambda: tutorial_features(y, ANALYSIS_SR), lambda: window_rows(y, spec)
    )
    return (FEATURES, ratio, "times", "≥ 5", "≥ 10", theirs, ours)


def _worker_rows(folder: Path) -> list[tuple[object, ...]]:
    sounds.write_clips(folder / "minutes", 40, 60.0)
    model, rates, totals = load_model(), {1: [], 2: []}, {1: [], 2: []}
    for _ in range(3):
        for jobs in (1, 2):
            began = time.perf_counter()
            times = [
                time.perf_counter()
                for _ in label_paths([folder / "minutes"], model=model, jobs=jobs)
            ]
            rates[jobs].append((len(times) - 3) / (times[-1] - times[2]))
            totals[jobs].append(times[-1] - began)
    warm = statistics.median(two / one for one, two in zip(rates[1], rates[2], strict=True))
    whole = statistics.median(one / two for one, two in zip(totals[1], totals[2], strict=True))
    one, two = (statistics.median(totals[jobs]) for jobs in (1, 2))
    return [
        (WORKERS, warm, "times", "≥ 1.8", "≥ 1.9", two, one),
        ("the same, start of the workers included", whole, "times", "", "", two, one),
    ]


def _start_rows(folder: Path) -> list[tuple[object, ...]]:
    [clip] = sounds.write_clips(folder / "one", 1, 10.0)
    run_python("-m", "asmr_classify", "label", str(DEMO / "tap-wood.flac"))
    rows = []
    for what, arguments, reach, beyond in (
        ("--help, cold", ("--help",), "≤ 0.35", "≤ 0.2"),
        (COLD, ("label", str(clip), "-q"), "≤ 2.0", "≤ 1.2"),
    ):
        times = [run_python("-m", "asmr_classify", *arguments)[0] for _ in range(5)]
        took = statistics.median(times)
        rows.append((what, took, "seconds", reach, beyond, took, ""))
    return rows
