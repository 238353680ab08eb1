from __future__ import annotations

import json
import os
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.numpy import save_file

from asmr_classify import model as model_module
from asmr_classify.errors import (
    ModelFormatError,
    ModelNotFoundError,
    OutputError,
    UsageError,
)
from asmr_classify.model import METADATA_KEY, load_model, save_model


@pytest.fixture
def saved(tiny_model, tmp_path):
    path = tmp_path / "tiny.safetensors"
    save_model(tiny_model, path)
    return path


def test_write_and_read_give_the_same_model(tiny_model, saved, rng):
    again = load_model(saved)
    X = rng.standard_normal((5, tiny_model.ensemble.mean.size)).astype(np.float32)
    assert np.array_equal(again.predict_proba(X), tiny_model.predict_proba(X))
    assert (again.labels, again.thresholds) == (tiny_model.labels, tiny_model.thresholds)
    assert (again.features, again.decision) == (tiny_model.features, tiny_model.decision)
    assert again.source == str(saved)


def test_a_link_to_a_model_stays_one(tiny_model, saved, tmp_path):
    link = tmp_path / "link.safetensors"
    link.symlink_to(saved)
    before = saved.read_bytes()
    saved.write_bytes(b"earlier")
    save_model(tiny_model, link)
    assert link.is_symlink()
    assert saved.read_bytes() == before


def test_the_same_model_gives_the_same_bytes(tiny_model, saved, tmp_path):
    save_model(tiny_model, tmp_path / "twin.safetensors")
    assert (tmp_path / "twin.safetensors").read_bytes() == saved.read_bytes()


def test_probabilities_are_probabilities(tiny_model, rng):
    X = 100 * rng.standard_normal((50, tiny_model.ensemble.mean.size)).astype(np.float32)
    p = tiny_model.predict_proba(X)
    assert p.shape == (50, 3)
    assert ((p >= 0) & (p <= 1)).all()


def test_the_shipped_model_loads_and_is_small():
    model = load_model()
    assert model.triggers == ("whisper", "tap", "crinkle", "white_noise")
    assert Path(model.source).stat().st_size <= 12 * 1024 * 1024


def test_a_model_is_shown_in_a_line(coded_model):
    model = replace(coded_model, kinds={"rain": 0.5, "keys": 0.5})
    assert repr(model) == "<Model tiny@0.1: labels tap, whisper, speech; 2 kinds>"
    assert repr(model.ensemble) == "<Ensemble 1 networks, encoder, coded>"
    assert repr(model.encoder) == f"Encoder(n_mels={model.features.frames.n_mels})"


def test_a_file_crafted_to_run_code_is_refused(tmp_path):
    marker = tmp_path / "it ran"

    class Bomb:
        def __reduce__(self):
            return (os.mkdir, (str(marker),))

    path = tmp_path / "model.safetensors"
    path.write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(ModelFormatError, match="not a model file"):
        load_model(path)
    assert not marker.exists()
    pickle.loads(path.read_bytes())  # noqa: S301 (shows that the file does run code if unpickled)
    assert marker.exists()


def test_every_changed_byte_of_the_arrays_is_noticed(saved):
    content = bytearray(saved.read_bytes())
    content[-100] ^= 1
    saved.write_bytes(content)
    with pytest.raises(ModelFormatError, match="damaged"):
        load_model(saved)


@settings(max_examples=60)
@given(data=st.data())
def test_a_mutated_file_is_refused_or_the_same(tiny_model, tmp_path_factory, data):
    path = tmp_path_factory.mktemp("mutated") / "model.safetensors"
    save_model(tiny_model, path)
    content = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1) | st.integers(0, 4000))
    content[place] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(0, len(content)) | st.just(len(content)))])
    try:
        model = load_model(path)
    except ModelFormatError:
        return
    assert np.array_equal(model.ensemble.mean, tiny_model.ensemble.mean)
    assert model.thresholds == tiny_model.thresholds


def test_a_stranger_of_the_same_format_is_refused(tmp_path):
    save_file({"x": np.zeros(3, dtype=np.float32)}, tmp_path / "x.safetensors")
    with pytest.raises(ModelFormatError, match="not a model of asmr-classify"):
        load_model(tmp_path / "x.safetensors")


def test_metadata_that_is_no_description_is_refused(tmp_path):
    path = tmp_path / "x.safetensors"
    save_file({"x": np.zeros(3, dtype=np.float32)}, path, metadata={METADATA_KEY: "[1, 2]"})
    with pytest.raises(ModelFormatError, match="description is damaged"):
        load_model(path)


def test_no_such_model(tmp_path):
    with pytest.raises(ModelNotFoundError, match="no such model file"):
        load_model(tmp_path / "none.safetensors")
    with pytest.raises(ModelNotFoundError, match=r"^'': no such model file"):
        load_model("")


def test_a_model_may_be_named_in_bytes(saved):
    assert load_model(os.fsencode(saved)).id == load_model(saved).id


def test_too_large_a_file_is_refused_unread(monkeypatch, saved):
    monkeypatch.setattr(model_module, "MAX_FILE_BYTES", 10)
    with pytest.raises(ModelFormatError, match="larger than any model"):
        load_model(saved)


def test_a_model_with_an_encoder_is_of_a_format_that_others_refuse(
    coded_model, tiny_model, tmp_path
):
    path = tmp_path / "coded.safetensors"
    save_model(coded_model, path)
    again = load_model(path)
    assert again.digest() == coded_model.digest() != tiny_model.digest()
    assert again.encoder.digest() == coded_model.encoder.digest()
    with safe_open(path, framework="numpy") as file:
        described = json.loads(file.metadata()[METADATA_KEY])["model"]
    assert (described["format"], described["encoder"], described["coded"]) == (6, 11, 1)


@pytest.mark.parametrize(("told", "rivalry"), [(1, 0.0), (3, 0.6)])
def test_kinds_that_do_not_fit_are_refused(tiny_model, tmp_path, told, rivalry):
    """Kinds that are not told are there as rivals, or not at all; and none is told without."""
    hidden = tiny_model.ensemble.networks[0]
    two = replace(hidden, weights=(hidden.weights[0], hidden.weights[1][:, :2]))
    two = replace(two, biases=(hidden.biases[0], hidden.biases[1][:2]))
    ensemble = replace(tiny_model.ensemble, kinds=two)

    def saved(told, rivalry):
        kinds = {f"kind {k}": 0.5 for k in range(told)}
        straight = np.tile(np.array([[1.0], [0.0]], np.float32), (1, len(tiny_model.labels) + told))
        model = replace(tiny_model, ensemble=ensemble, calibration=straight)
        path = tmp_path / "odd.safetensors"
        save_model(replace(model, kinds=kinds, rivalry=rivalry), path)
        return path

    assert load_model(saved(1, 0.6)).n_columns == len(tiny_model.labels) + 2
    assert load_model(saved(2, 0.0)).rivalry == 0
    with pytest.raises(ModelFormatError, match="do not fit together"):
        load_model(saved(told, rivalry))


@pytest.mark.parametrize("what", ["layer", "bands", "head", "missing"])
def test_an_encoder_that_does_not_fit_is_refused(coded_model, tmp_path, what):
    encoder, coded = coded_model.encoder, coded_model.ensemble.coded
    changes = {
        "layer": {"encoder": replace(encoder, layers=(encoder.layers[1], *encoder.layers[1:]))},
        "bands": {"encoder": replace(encoder, n_mels=47)},
        "head": {"coded": replace(coded, weights=(coded.weights[0][1:],))},
        "missing": {"coded": None},
    }
    broken = replace(coded_model.ensemble, **changes[what])
    save_model(replace(coded_model, ensemble=broken), tmp_path / "odd.safetensors")
    with pytest.raises(ModelFormatError, match=r"encoder does not fit|do not fit together"):
        load_model(tmp_path / "odd.safetensors")


OF_ENSEMBLE = {"mean", "scale", "networks", "trees", "student"}


def other(tiny_model, **changes):
    inner = {name: changes.pop(name) for name in OF_ENSEMBLE & set(changes)}
    return replace(tiny_model, ensemble=replace(tiny_model.ensemble, **inner), **changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param({"fingerprint": "0" * 16}, "made for other features", id="other features"),
        pytest.param({"labels": ("tap", "tap", "speech")}, "labels must differ", id="doubled"),
        pytest.param({"labels": ("tap", "x", "silence")}, "decided by level", id="silence"),
        pytest.param({"labels": ()}, "between 1 and", id="no labels"),
        pytest.param({"thresholds": {"tap": 0.5}}, "one threshold for each", id="few thresholds"),
        pytest.param(
            {"thresholds": {"tap": 0.5, "whisper": 1.5, "speech": 0.5}},
            "between 0 and 1",
            id="threshold out of range",
        ),
        pytest.param({"rivalry": 1.5}, "setting rivalry is 1.5", id="rivalry out of range"),
        pytest.param(
            {"rivalry": float("nan")}, "setting rivalry is nan", id="rivalry is no number"
        ),
        pytest.param({"networks": ()}, "no network", id="no networks"),
        pytest.param({"mean": np.zeros(3, np.float32)}, "do not fit together", id="shapes"),
    ],
)
def test_parts_that_do_not_fit_are_refused(tiny_model, tmp_path, changes, message):
    path = tmp_path / "odd.safetensors"
    save_model(other(tiny_model, **changes), path)
    with pytest.raises(ModelFormatError, match=message):
        load_model(path)


@pytest.mark.parametrize("value", [np.nan, np.inf, 0.0, -1.0])
def test_scales_that_are_no_scales_are_refused(tiny_model, tmp_path, value):
    scale = tiny_model.ensemble.scale.copy()
    scale[7] = value
    save_model(other(tiny_model, scale=scale), tmp_path / "odd.safetensors")
    with pytest.raises(ModelFormatError, match=r"not finite|not positive"):
        load_model(tmp_path / "odd.safetensors")


def test_a_newer_format_is_refused(tiny_model, tmp_path, monkeypatch):
    monkeypatch.setattr(model_module, "EARLIER_FORMATS", (99, 99))
    save_model(tiny_model, tmp_path / "new.safetensors")
    monkeypatch.undo()
    with pytest.raises(ModelFormatError, match="model format 99"):
        load_model(tmp_path / "new.safetensors")


def test_thresholds_can_be_replaced(tiny_model):
    model = tiny_model.with_thresholds({"tap": 0.9})
    assert model.thresholds == {"tap": 0.9, "whisper": 0.5, "speech": 0.5}
    assert tiny_model.thresholds["tap"] == 0.5
    assert model.with_thresholds({"tap": 0.7}).own_thresholds == tiny_model.thresholds


def test_its_own_thresholds_are_kept_with_others(tiny_model, tmp_path):
    asked = tiny_model.with_thresholds({"tap": 0.9})
    save_model(asked, tmp_path / "asked.safetensors")
    again = load_model(tmp_path / "asked.safetensors")
    assert again.digest() == asked.digest() != tiny_model.digest()
    assert again.own_thresholds == tiny_model.thresholds


def test_a_model_of_an_earlier_format_is_refused_with_what_to_do(tiny_model, tmp_path, monkeypatch):
    monkeypatch.setattr(model_module, "EARLIER_FORMATS", (2, 2))
    save_model(tiny_model, tmp_path / "old.safetensors")
    monkeypatch.undo()
    with pytest.raises(ModelFormatError, match=r"model format 2, .*; train it again"):
        load_model(tmp_path / "old.safetensors")


@pytest.mark.parametrize(
    ("thresholds", "message"),
    [({"nap": 0.5}, "the model's labels are tap, whisper"), ({"tap": 1.2}, "between 0 and 1")],
    ids=["unknown label", "out of range"],
)
def test_wrong_thresholds_are_refused(tiny_model, thresholds, message):
    with pytest.raises(UsageError, match=message):
        tiny_model.with_thresholds(thresholds)


def test_a_failed_write_leaves_the_earlier_file(tiny_model, saved, monkeypatch):
    before = saved.read_bytes()

    def full(*_args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(model_module.Path, "write_bytes", full)
    with pytest.raises(OutputError, match="No space left"):
        save_model(tiny_model, saved)
    assert saved.read_bytes() == before


def test_the_description_is_readable_json(saved):
    with safe_open(saved, framework="numpy") as file:
        content = json.loads(file.metadata()[METADATA_KEY])
    assert content["model"]["labels"] == ["tap", "whisper", "speech"]
