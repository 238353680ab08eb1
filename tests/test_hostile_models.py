"""Model files from a stranger: refused with the reason, or harmless; no code of theirs runs."""

from __future__ import annotations

import gzip
import io
import json
import os
import pickle
import struct
import sys
import tarfile
import time
import zipfile
from dataclasses import replace
from pathlib import Path

import joblib
import numpy as np
import pytest
from safetensors.numpy import save

from asmr_classify.errors import ModelFormatError
from asmr_classify.model import (
    METADATA_KEY,
    _description,
    _digest,
    _tensors,
    load_model,
    save_model,
    shipped_model_path,
)
from tests.benchmarks.measure import run_python
from tests.conftest import ROOT, sample_of

N_MUTATIONS = sample_of(1000, 150)
EXTREMES = (None, True, -1, 0, 1, 2**31, 1e308, -1e308, float("nan"), "", "x", [], {}, [[]], 7.5)


class Bomb:
    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return (os.mkdir, (str(self.marker),))


def with_header(header: bytes, body: bytes = b"") -> bytes:
    return struct.pack("<Q", len(header)) + header + body


def claiming(shape, *, n_bytes=16, name="scaling.mean"):
    """A file of the right kind whose one array claims a shape."""
    entry = {"dtype": "F32", "shape": shape, "data_offsets": [0, n_bytes]}
    header = {"__metadata__": {METADATA_KEY: '{"sha256": "", "model": {}}'}, name: entry}
    return with_header(json.dumps(header).encode(), bytes(n_bytes))


def zipped(name: str, content: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return buffer.getvalue()


def tarred(name: str, content: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        info = tarfile.TarInfo(name)
        info.size = len(content)
        archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def dumped(thing) -> bytes:
    buffer = io.BytesIO()
    joblib.dump(thing, buffer)
    return buffer.getvalue()


def saved_array(thing) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.array([thing], dtype=object), allow_pickle=True)
    return buffer.getvalue()


CRAFTED = {
    "pickle": pickle.dumps,
    "joblib": dumped,
    "npy": saved_array,
    "zip that climbs out": lambda _: zipped("../../evil.py", b"print(1)"),
    "tar that climbs out": lambda _: tarred("../../evil.py", b"print(1)"),
    "zip bomb": lambda _: zipped("model", bytes(50_000_000)),
    "gzip bomb": lambda _: gzip.compress(bytes(50_000_000)),
    "huge shape": lambda _: claiming([2**40, 2**20]),
    "shape that overflows": lambda _: claiming([2**63, 2]),
    "negative shape": lambda _: claiming([-4]),
    "shape of strings": lambda _: claiming(["4"]),
    "a million dimensions": lambda _: claiming([1] * 300_000),
    "deep nesting": lambda _: with_header(b"[" * 500_000),
    "deep description": lambda _: with_header(
        json.dumps({"__metadata__": {METADATA_KEY: "[" * 400_000}}).encode()
    ),
    "endless header": lambda _: struct.pack("<Q", 2**63) + b"{}",
    "long header": lambda _: with_header(b" " * 30_000_000),
    "empty": lambda _: b"",
    "seven bytes": lambda _: bytes(7),
    "text": lambda _: b"import os; os.system('true')\n",
}

JUDGE = """
import sys, time
from asmr_classify.model import load_model
from asmr_classify.errors import ModelFormatError
import numpy, safetensors, asmr_classify.features.schema
began = time.process_time()
try:
    load_model(sys.argv[1])
except ModelFormatError as exc:
    assert sys.argv[1] in str(exc), exc
else:
    sys.exit("it was accepted")
took = time.process_time() - began
assert took < 1, took
"""


@pytest.mark.skipif(sys.platform != "linux", reason="memory is measured as Linux counts it")
@pytest.mark.parametrize("kind", CRAFTED)
def test_what_is_crafted_is_refused_at_once_and_in_little_memory(tmp_path, kind):
    marker = tmp_path / "it ran"
    path = tmp_path / "model.safetensors"
    path.write_bytes(CRAFTED[kind](Bomb(marker)))
    _, peak_mb = run_python("-c", JUDGE, str(path))
    assert peak_mb < 300
    assert not marker.exists()
    assert sorted(tmp_path.rglob("*")) == [path]


def resigned(description, tensors) -> bytes:
    """A file whose digest is right, whatever it holds: what a careful stranger would make."""
    text = json.dumps({"sha256": _digest(description, tensors), "model": description})
    return save(tensors, metadata={METADATA_KEY: text})


def mutate_bytes(rng, content: bytes) -> bytes:
    changed = bytearray(content)
    kind = rng.integers(4)
    head = min(len(changed), 4000)
    for _ in range(rng.integers(1, 6)):
        changed[rng.integers(head if kind else len(changed))] = rng.integers(256)
    if kind == 2:
        changed = changed[: rng.integers(len(changed))]
    if kind == 3:
        changed += bytes(rng.integers(256, size=rng.integers(1, 100), dtype=np.uint8))
    return bytes(changed)


def mutate_description(rng, model) -> bytes:
    description = json.loads(json.dumps(_description(model)))
    place = description
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = keys[rng.integers(len(keys))]
        if not isinstance(place[key], dict | list) or rng.random() < 0.2:
            break
        place = place[key]
    place[key] = EXTREMES[rng.integers(len(EXTREMES))]
    return resigned(description, _tensors(model))


def mutate_arrays(rng, model) -> bytes:
    tensors = {name: array.copy() for name, array in _tensors(model).items()}
    name = list(tensors)[rng.integers(len(tensors))]
    array = tensors[name]
    kind = rng.integers(5)
    if kind == 0:
        values = (np.nan, np.inf, -np.inf, 3e38, -3e38, 0, 1e-45)
        is_index = np.issubdtype(array.dtype, np.integer)
        values = (-1, 2**31 - 1, -(2**31), 10**6) if is_index else values
        with np.errstate(over="ignore"):
            array.reshape(-1)[rng.integers(array.size)] = values[rng.integers(len(values))]
    elif kind == 1:
        tensors[name] = array.reshape(-1)[: array.size // 2]
    elif kind == 2:
        dtypes = (np.float64, np.float16, np.int8, np.bool_, np.int64)
        with np.errstate(all="ignore"):
            tensors[name] = array.astype(dtypes[rng.integers(len(dtypes))])
    elif kind == 3:
        tensors[name] = rng.permutation(array.reshape(-1)).reshape(array.shape)
    else:
        del tensors[name]
    return resigned(_description(model), tensors)


def test_mutations_of_the_shipped_model_are_refused_or_make_sense(tmp_path):
    content, model = shipped_model_path().read_bytes(), load_model()
    n_columns = model.ensemble.mean.size + model.ensemble.n_codes
    X = np.random.default_rng(3).normal(0, 30, (4, n_columns)).astype(np.float32)
    expected = model.predict_proba(X)
    path, outcomes = tmp_path / "model.safetensors", {"refused": 0, "the same": 0, "another": 0}
    for seed in range(N_MUTATIONS):
        rng = np.random.default_rng(seed)
        kind = seed % 3
        if kind == 0:
            path.write_bytes(mutate_bytes(rng, content))
        else:
            path.write_bytes((mutate_description if kind == 1 else mutate_arrays)(rng, model))
        began = time.process_time()
        try:
            loaded = load_model(path)
        except ModelFormatError:
            outcome = "refused"
        else:
            p = loaded.predict_proba(X)
            assert p.shape == (4, len(loaded.labels)), seed
            assert np.isfinite(p).all(), seed
            assert ((p >= 0) & (p <= 1)).all(), seed
            assert kind or np.array_equal(p, expected), seed
            outcome = "the same" if np.array_equal(p, expected) else "another"
        assert time.process_time() - began < 1, seed
        outcomes[outcome] += 1
    assert outcomes["refused"] > N_MUTATIONS / 2
    assert outcomes["another"] > 0  # a careful stranger may of course make a model of their own


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"span": float("nan")}, "its setting span is nan"),
        ({"release": 2.0}, "its setting release is 2.0"),
        ({"silence_dbfs": "low"}, "damaged"),
    ],
)
def test_settings_that_make_no_sense_are_refused(tiny_model, tmp_path, changes, message):
    path = tmp_path / "model.safetensors"
    save_model(replace(tiny_model, decision=replace(tiny_model.decision, **changes)), path)
    with pytest.raises(ModelFormatError, match=message):
        load_model(path)


def test_no_part_of_the_program_unpickles_a_file():
    """Only what workers and those who send them work tell each other is a pickle."""
    users = [
        path.relative_to(ROOT).as_posix()
        for path in Path(ROOT / "asmr_classify").rglob("*.py")
        if "pickle.load" in path.read_text() or "joblib.load" in path.read_text()
    ]
    apart = ["dask.py", "process.py", "worker.py"]
    assert sorted(users) == [f"asmr_classify/batch/{name}" for name in apart]
