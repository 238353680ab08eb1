"""Where the time goes: decoding, resampling, spectra, features, model, writing."""

from __future__ import annotations

import io
import statistics
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import av

from asmr_classify import label_file, load_model
from asmr_classify.features import frames
from asmr_classify.features.windows import window_rows
from asmr_classify.media.decode import read_audio
from asmr_classify.threads import one_thread
from asmr_classify.writers.jsonl import JsonlWriter
from tests.benchmarks import sounds
from tests.benchmarks.measure import one_core, seconds
from tests.benchmarks.report import Table

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from asmr_classify.config import FrameSpec

ABOUT = """\
µs per second of audio, for ten minutes of 48 kHz stereo AAC on one core: medians of five rounds.
Each stage is run alone on what the one before gives; resampling is decoding with it less decoding
without, and features are all that makes rows out of sound less the two short-time spectra."""


def decode_only(path: Path) -> None:
    """Decode, and throw the samples away."""
    with av.open(str(path)) as container:
        for _ in container.decode(container.streams.audio[0]):
            pass


def spectra(y: NDArray[np.float32], spec: FrameSpec) -> None:
    """Compute both short-time spectra."""
    bases = frames._bases(spec)
    for n_fft, hop, window in (
        (spec.n_fft, spec.hop_length, bases.window),
        (spec.texture_n_fft, spec.texture_hop_length, bases.texture_window),
    ):
        for piece in frames._pieces(y, n_fft, hop):
            frames._power_spectrum(piece, n_fft, hop, window)


def run() -> Table:
    """Measure each stage."""
    model = load_model()
    with tempfile.TemporaryDirectory() as name, one_core(), one_thread():
        path = sounds.write_codec(Path(name), "AAC")
        y, result = read_audio(str(path)), label_file(path, model=model)
        X = window_rows(y, model.features, model.encoder).X
        stages = {
            "decode": lambda: decode_only(path),
            "decode and resample": lambda: read_audio(str(path)),
            "short-time spectra": lambda: spectra(y, model.features.frames),
            "all features": lambda: window_rows(y, model.features, model.encoder),
            "model": lambda: model.ensemble.predict_logits(X),
            "writing": lambda: JsonlWriter(io.StringIO()).write(result),
            "label the file": lambda: label_file(path, model=model),
        }
        rounds = [
            {stage: seconds(function) for stage, function in stages.items()} for _ in range(5)
        ]
    scale = 1e6 / sounds.TEN_MINUTES
    took = {stage: scale * statistics.median(times[stage] for times in rounds) for stage in stages}
    took["resample"] = took.pop("decode and resample") - took["decode"]
    took["features"] = took.pop("all features") - took["short-time spectra"]
    total = took.pop("label the file")
    order = ("decode", "resample", "short-time spectra", "features", "model", "writing")
    rows = [(stage, took[stage], took[stage] / total) for stage in order]
    rest = total - sum(took.values())
    rows += [("timeline, and whatever else", rest, rest / total), ("all", total, 1.0)]
    return Table("stages", ABOUT, ("stage", "µs per second of audio", "share"), tuple(rows))
