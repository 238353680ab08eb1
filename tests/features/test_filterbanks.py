from __future__ import annotations

import zipfile

import librosa
import numpy as np
import pytest

from asmr_classify.features.filterbanks import mel_filterbank

SETTINGS = {"sr": 32000, "n_fft": 512, "n_mels": 20, "fmin": 100.0, "fmax": 15000.0}


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """Where filterbanks are kept."""
    folder = tmp_path / "filterbanks"
    monkeypatch.setattr("platformdirs.user_cache_path", lambda _name: tmp_path)
    return folder


@pytest.fixture
def made(monkeypatch):
    """Counts how often librosa makes a filterbank."""
    calls = []
    mel = librosa.filters.mel

    def counted(**settings):
        calls.append(settings)
        return mel(**settings)

    monkeypatch.setattr(librosa.filters, "mel", counted)
    return calls


def test_it_is_librosas_and_is_made_once(cache, made):
    expected = librosa.filters.mel(**SETTINGS)
    made.clear()
    for _ in range(3):
        assert np.array_equal(mel_filterbank(**SETTINGS), expected)
    assert len(made) == 1
    mel_filterbank(**{**SETTINGS, "n_mels": 21})
    assert len(made) == 2
    assert len(list(cache.iterdir())) == 2


@pytest.mark.parametrize(
    "damage",
    [
        "cut",
        "turned",
        "text",
        "empty",
        "other shape",
        "compression",
        "encryption",
        "header",
        "no array",
    ],
)
def test_one_that_is_damaged_is_made_anew(cache, made, damage):
    expected = mel_filterbank(**SETTINGS)
    [path] = cache.iterdir()
    content = path.read_bytes()
    turned = bytearray(content)
    turned[len(content) // 2] ^= 16
    if damage == "other shape":
        np.savez(path, bank=expected[1:])
    elif damage == "header":  # which Python's tokenizer refuses
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("bank.npy", b"\x93NUMPY\x01\x00\x08\x00{'descr'")
    elif damage == "no array":
        with path.open("wb") as file:
            np.save(file, expected)
    elif damage in {"compression", "encryption"}:
        entry = bytearray(content)
        offset = content.index(b"PK\x01\x02") + (10 if damage == "compression" else 8)
        entry[offset] |= 99 if damage == "compression" else 1
        path.write_bytes(entry)
    else:
        path.write_bytes(
            {"cut": content[:-40], "turned": bytes(turned), "text": b"no", "empty": b""}[damage]
        )
    assert np.array_equal(mel_filterbank(**SETTINGS), expected)
    assert np.array_equal(mel_filterbank(**SETTINGS), expected)
    assert len(made) == 2


def test_a_folder_that_may_not_be_written_is_no_obstacle(cache, made):
    cache.parent.joinpath("filterbanks").write_text("a file where the folder should be")
    for _ in range(2):
        assert np.array_equal(mel_filterbank(**SETTINGS), librosa.filters.mel(**SETTINGS))
    assert cache.read_text().startswith("a file")
    assert len(made) == 4
