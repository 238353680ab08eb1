"""What ``check`` costs over ``label``, its memory over ten hours, and how its loudness agrees."""

from __future__ import annotations

import csv
import statistics
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from asmr_classify import label_file, load_model
from asmr_classify.check import check_file
from asmr_classify.check.loudness import (
    ABSOLUTE_GATE,
    MOMENTARY_STEPS,
    SHORT_TERM_STEPS,
    find_loudest,
    integrated_loudness,
)
from asmr_classify.media.decode import read_audio
from asmr_classify.threads import one_thread
from tests.benchmarks import sounds
from tests.benchmarks.growth import iter_recordings
from tests.benchmarks.measure import median_ratio, one_core, run_python
from tests.benchmarks.report import Table
from tests.check.meters import read_ebur128, read_pyloudnorm
from tests.check.signals import measure
from tests.check.test_meters import near_a_gate
from tests.conftest import shared_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

    Row = tuple[object, ...]

ABOUT = """\
Cost is the median of five ratios, taken by turns in one process that is pinned to one core, on ten
minutes of 48 kHz stereo. Memory is what the process held at most. Loudness is compared over all
clips of the corpus, mono at 48 kHz, with FFmpeg's ebur128 filter and with pyloudnorm (with its own
filters, and with those of the standard); pyloudnorm is given whole steps of 100 ms, because of
others it counts a last block that is not there in full. At a gate a block may count for one meter
and not for another, where FFmpeg rounds to 0.01 LU and pyloudnorm's own filters differ by 0.04 dB:
such clips, with a block within 0.05 LU of a gate, are told apart. Peaks are compared as amplitudes,
which FFmpeg writes with three digits."""

HOURS_TENTHS = (1, 60)
"""Lengths whose memory is measured, in tens of minutes."""


def run() -> Table:
    """Measure all, the corpus only where there is one."""
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with one_core(), one_thread():
            rows += _cost_rows(folder)
        rows += _memory_rows(folder)
    corpus = shared_folder() / "corpus"
    if (corpus / "manifest.csv").is_file():
        rows += _agreement_rows(corpus)
    head = ("what", "count", "median", "largest", "unit", "reach")
    return Table("check", ABOUT, head, tuple(rows))


def _cost_rows(folder: Path) -> Iterator[Row]:
    model = load_model()
    for codec in sounds.CODECS:
        path = sounds.write_codec(folder, codec)
        ratio, _, _ = median_ratio(
            lambda path=path: check_file(path, model=model),
            lambda path=path: label_file(path, model=model),
        )
        yield (f"check {codec}, over label alone", 5, ratio, "", "times", "")


def _memory_rows(folder: Path) -> Iterator[Row]:
    for length, path in iter_recordings(HOURS_TENTHS):
        limits = folder / "none.toml"  # a loud moment would be an error of the program's exit
        limits.write_text("")
        arguments = ("check", "--quiet", "--limits", str(limits), str(path))
        took, peak = run_python("-m", "asmr_classify", *arguments)
        yield (f"check {length * 10} minutes", 1, took, "", "seconds", "")
        yield (f"check {length * 10} minutes, memory", 1, "", peak, "MB", "")


def _agreement_rows(corpus: Path) -> list[Row]:
    with (corpus / "manifest.csv").open(encoding="utf-8", newline="") as file:
        paths = [corpus / row["path"] for row in csv.DictReader(file)]
    compared: dict[str, list[float]] = {}
    for path in paths:
        for what, difference in _compare(path):
            compared.setdefault(what, []).append(difference)
    return [
        (what, len(found), statistics.median(found), max(found), unit(what), reach(what))
        for what, found in sorted(compared.items())
    ]


def unit(what: str) -> str:
    """Give the unit of a difference."""
    return "of full scale" if what.startswith("true peak") else "LU"


def reach(what: str) -> str:
    """Give what a difference is to be held under."""
    return "≤ 0.1" if what.startswith("integrated") and "gate" not in what else ""


def _compare(path: Path) -> Iterator[tuple[str, float]]:
    sr = 48000
    y = read_audio(str(path), sr=sr)[None]
    measured, theirs = measure(y, sr), read_ebur128(y, sr)
    powers = measured.powers
    yield "true peak, to FFmpeg", abs(measured.peak - theirs.peak)
    ours = integrated_loudness(powers)
    if ours is None:
        silent = theirs.integrated == ABSOLUTE_GATE
        yield "no loudness, and none by FFmpeg", 0.0 if silent else np.inf
        return
    where = ", a block at a gate" if near_a_gate(powers) else ""
    yield f"integrated, to FFmpeg{where}", abs(ours - theirs.integrated)
    yield f"integrated, to pyloudnorm{where}", abs(ours - read_pyloudnorm(y, sr))
    stated = read_pyloudnorm(y, sr, "DeMan")
    yield "integrated, to pyloudnorm with the standard's filters", abs(ours - stated)
    momentary = find_loudest(powers, MOMENTARY_STEPS)
    if momentary:
        yield "loudest 0.4 s, to FFmpeg", abs(momentary.value - theirs.momentary)
    short_term = find_loudest(powers, SHORT_TERM_STEPS)
    if short_term:
        yield "loudest 3 s, to FFmpeg", abs(short_term.value - theirs.short_term)
