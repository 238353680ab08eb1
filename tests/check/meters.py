"""Other people's loudness meters, to compare with."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np

LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1"}


@dataclass(frozen=True, slots=True)
class Reading:
    """What FFmpeg's ebur128 filter says; loudness in LUFS, the peak as an amplitude.

    It writes loudness with two digits or three, and the peak with three.
    """

    integrated: float
    range: float
    momentary: float
    short_term: float
    peak: float


def read_ebur128(y, sr):
    """Measure a signal, shape (n_channels, n_samples), by FFmpeg.

    For its peak half a second of silence is added: what follows the last 100 ms is not told.
    """
    told = _tell(y, sr, "metadata=1")
    ended = np.concatenate([y, np.zeros((len(y), sr // 2), dtype=np.float32)], axis=1)
    return Reading(
        integrated=told[-1]["I"] if told else -70.0,
        range=told[-1]["LRA"] if told else 0.0,
        momentary=max((reading["M"] for reading in told), default=-np.inf),
        short_term=max((reading["S"] for reading in told), default=-np.inf),
        peak=_tell(ended, sr, "metadata=1:peak=true")[-1]["true_peak"],
    )


def _tell(y, sr, options):
    """Run the filter, and give what it says each 100 ms."""
    layout, tick = LAYOUTS[len(y)], Fraction(1, sr)
    graph = av.filter.Graph()
    source = graph.add_abuffer(sample_rate=sr, format="fltp", layout=layout, time_base=tick)
    meter, sink = graph.add("ebur128", options), graph.add("abuffersink")
    source.link_to(meter)
    meter.link_to(sink)
    graph.configure()
    told = []
    for start in range(0, y.shape[1], sr):
        piece = np.ascontiguousarray(y[:, start : start + sr])
        frame = av.AudioFrame.from_ndarray(piece, format="fltp", layout=layout)
        frame.sample_rate, frame.pts, frame.time_base = sr, start, tick
        graph.push(frame)
        told += _pull(graph)
    graph.push(None)
    return told + _pull(graph)


def _pull(graph):
    told = []
    while True:
        try:
            metadata = graph.pull().metadata
        except (av.error.BlockingIOError, av.error.EOFError):
            return told
        if metadata:
            prefix = "lavfi.r128."
            told.append({k.removeprefix(prefix): float(v) for k, v in metadata.items()})


def read_pyloudnorm(y, sr, filters="K-weighting"):
    """Measure integrated loudness by pyloudnorm, as -inf where it has none.

    It knows no low-frequency channel, which does not count anyway. It is given whole steps of
    100 ms: of others it takes a last block that is not there in full.
    ``K-weighting`` are its own filters, ``DeMan`` those of the standard.
    """
    import pyloudnorm

    whole = y.shape[1] * 10 // sr * sr // 10
    if whole < 0.4 * sr:
        return -np.inf
    counted = y[[0, 1, 2, 4, 5]] if len(y) == 6 else y
    meter = pyloudnorm.Meter(sr, filter_class=filters)
    with np.errstate(divide="ignore"):
        return float(meter.integrated_loudness(counted[:, :whole].T.astype(float)))
