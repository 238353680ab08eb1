"""Thousands of damaged files: each gets a status, none crashes, hangs or fills the memory."""

from __future__ import annotations

import json
import struct
from collections import Counter
from itertools import product

import pytest

from asmr_classify.batch import Limits, label_paths
from asmr_classify.classify import label_file
from asmr_classify.model import load_model
from tests.conftest import ROOT, sample_of
from tests.media.hostile import make_hostile
from tests.media.make_media import RECIPES

SEEDS = json.loads((ROOT / "data" / "hostile-media.json").read_text())
EXPECTED_ERRORS = {None, "OpenError", "DecodeError", "NoAudioError"}
PART = 500
"""So many files are made and labelled at a time; the first part has each kind of damage in it."""
N_PARTS = sample_of(SEEDS["count"] // PART, 1)


def test_a_seed_always_makes_the_same_file():
    assert make_hostile(7) == make_hostile(7)
    assert len({make_hostile(seed)[1] for seed in range(50)}) == 50
    endings = {make_hostile(seed)[0].rpartition(".")[2] for seed in range(300)}
    assert endings == set(RECIPES)


def test_the_first_part_has_every_damage_of_every_container():
    names = [make_hostile(seed)[0].partition("-")[2].rpartition(".") for seed in range(PART)]
    done = {(ending, damage) for damages, _, ending in names for damage in damages.split("-")}
    assert done == {*product(RECIPES, ("flip", "cut", "splice", "claim"))}


@pytest.mark.parametrize("part", range(N_PARTS))
def test_every_damaged_file_gets_a_status(tmp_path, part):
    seeds = [*range(part * PART, (part + 1) * PART), *(SEEDS["found"] if part == 0 else ())]
    for seed in seeds:
        name, content = make_hostile(seed)
        (tmp_path / name).write_bytes(content)
    limits = Limits(patience=30, max_memory=1_500_000_000)
    results = list(label_paths([tmp_path], model=load_model(), jobs=1, limits=limits))
    assert len({result.path for result in results}) == len(results) == len(seeds)
    errors = {result.path: result.error for result in results if result.error}
    unexpected = {
        path: error
        for path, error in errors.items()
        if error.kind not in EXPECTED_ERRORS and "needs more memory" not in error.message
    }
    assert not unexpected  # no crash, no hang
    statuses = Counter(result.status.value for result in results)
    assert min(statuses[status] for status in ("ok", "partial", "failed")) > len(seeds) / 10


def wav(*, sr=8000, n_channels=1, bits=16, data_size=None, samples=b"\x10\x20" * 4000):
    """A WAV file that may claim anything."""
    block = max(1, n_channels * bits // 8) & 0xFFFF
    head = struct.pack("<HHIIHH", 1, n_channels, sr, (sr * block) & 0xFFFFFFFF, block, bits)
    size = len(samples) if data_size is None else data_size
    body = b"WAVEfmt " + struct.pack("<I", len(head)) + head + b"data" + struct.pack("<I", size)
    return b"RIFF" + struct.pack("<I", 36 + len(samples)) + body + samples


@pytest.mark.parametrize(
    ("claims", "message"),
    [
        pytest.param({"sr": 0}, "", id="no rate"),
        pytest.param({"sr": 2_000_000}, "sampling rate of 2000000 Hz", id="an absurd rate"),
        pytest.param({"sr": 5}, "sampling rate of 5 Hz", id="a rate of beats"),
        pytest.param({"n_channels": 60000, "bits": 8}, "channels", id="60,000 channels"),
        pytest.param({"n_channels": 0}, "", id="no channel"),
        pytest.param({"sr": 3_000_000_000}, "", id="a rate below zero, read as signed"),
        pytest.param({"data_size": 0x7FFFFFFE}, "cut short", id="37 hours"),
    ],
)
def test_absurd_claims_are_bounded(tmp_path, tiny_model, claims, message):
    path = tmp_path / "claims.wav"
    path.write_bytes(wav(**claims))
    result = label_file(path, model=tiny_model)
    assert result.status in {"failed", "partial"}
    assert message in result.error.message
    assert result.decoded < 5
