from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asmr_classify.library.tags.patch import BLOCK_BYTES, Patch, apply_patch, make_patch


def back_and_forth(folder, wanted, source):
    """Make a patch, send it through JSON, apply it."""
    places = [str(Path(folder) / name) for name in ("wanted", "source", "made")]
    Path(places[0]).write_bytes(wanted)
    Path(places[1]).write_bytes(source)
    patch = make_patch(places[0], places[1])
    patch = Patch.from_record(json.loads(json.dumps(patch.to_record())))
    assert apply_patch(patch, places[1], places[2])
    assert Path(places[2]).read_bytes() == wanted
    return patch


@pytest.fixture
def noise(rng):
    return rng.integers(0, 256, 3 * BLOCK_BYTES + 777, dtype="uint8").tobytes()


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(wanted=st.binary(max_size=200), source=st.binary(max_size=200))
def test_any_file_can_be_made_from_any_other(tmp_path, wanted, source):
    back_and_forth(tmp_path, wanted, source)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_edits_anywhere_can_be_taken_back(tmp_path, noise, data):
    source = bytearray(noise)
    for _ in range(data.draw(st.integers(0, 4))):
        start = data.draw(st.integers(0, len(source)))
        end = min(len(source), start + data.draw(st.sampled_from([0, 1, 30, 5000, 70_000])))
        source[start:end] = data.draw(st.binary(max_size=300))
    back_and_forth(tmp_path, noise, bytes(source))


@pytest.mark.parametrize(
    ("edit", "most"),
    [
        pytest.param(lambda old: old, 0, id="nothing"),
        pytest.param(lambda old: b"ID3" + b"\0" * 1000 + old, 0, id="a tag in front"),
        pytest.param(lambda old: old[:4] + b"1234" + old[8:] + b"chunk" * 50, 4, id="at the end"),
        pytest.param(lambda old: old[:9000] + b"x" * 777 + old[9100:], 9100, id="near the head"),
        pytest.param(
            lambda old: b"size" + old[4:-500] + b"y" * 100 + old[-500:],
            BLOCK_BYTES,
            id="near the end",
        ),
    ],
)
def test_few_bytes_are_kept(tmp_path, noise, edit, most):
    assert back_and_forth(tmp_path, noise, edit(noise)).n_bytes <= most


def test_another_source_is_found_out(tmp_path, noise):
    patch = back_and_forth(tmp_path, noise, noise[1000:])
    (tmp_path / "source").write_bytes(noise[1000:-1] + b"!")
    assert not apply_patch(patch, str(tmp_path / "source"), str(tmp_path / "made"))


def test_writing_is_told_of(tmp_path, noise):
    patch = back_and_forth(tmp_path, noise, noise)
    told = []
    apply_patch(patch, str(tmp_path / "source"), str(tmp_path / "made"), on_bytes=told.append)
    assert sum(told) == len(noise)
