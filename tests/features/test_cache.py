from __future__ import annotations

import os
import shutil
import tokenize
import zlib

import pytest

from asmr_classify import classify
from asmr_classify.classify import label_file, label_kept
from asmr_classify.config import FeatureSpec, WindowSpec
from asmr_classify.features.cache import KeptFeatures
from asmr_classify.model import load_model
from tests.conftest import DEMO

CLIPS = ["noise-fan.flac", "none-talk.flac", "tap-keys.flac", "whisper-slow.flac"]


@pytest.fixture
def kept(tmp_path):
    return KeptFeatures(tmp_path / "kept", 10**8)


@pytest.fixture
def keep(kept, tiny_model):
    """Labels a clip while its features are kept."""

    def label(name):
        entry = kept.of(name.encode(), tiny_model.features)
        return entry, label_file(DEMO / name, model=tiny_model, keep=entry)

    return label


@pytest.mark.parametrize("name", CLIPS)
def test_what_is_kept_gives_the_same_result_without_decoding(
    name, keep, kept, tiny_model, monkeypatch
):
    entry, result = keep(name)
    shipped = load_model()
    of_shipped = kept.of(name.encode(), shipped.features, shipped.encoder)
    heard = label_file(DEMO / name, model=shipped, keep=of_shipped)
    monkeypatch.setattr(classify, "AudioStream", None)
    assert label_kept(DEMO / name, entry, model=tiny_model) == result
    assert label_kept(DEMO / name, of_shipped, model=shipped) == heard


def test_a_recording_of_many_parts_comes_back_to_the_bit(kept, tiny_model, tmp_path):
    """Where rows are cut into parts decides about last bits."""
    import av
    import numpy as np

    path = tmp_path / "long.wav"
    rng = np.random.default_rng(5)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=16000, layout="mono")
        y = (rng.normal(0, 2000, (1, 16000 * 70)) * np.linspace(0.1, 1, 16000 * 70)).astype("<i2")
        frame = av.AudioFrame.from_ndarray(y, format="s16", layout="mono")
        frame.sample_rate = 16000
        container.mux([*stream.encode(frame), *stream.encode(None)])
    entry = kept.of(b"long", tiny_model.features)
    assert label_file(path, model=tiny_model, keep=entry) == label_kept(
        path, entry, model=tiny_model
    )
    with entry.reading() as reader:
        assert [len(rows.X) for rows in reader.rows()] == [32, 32, 5]


def test_other_contents_and_other_features_have_entries_of_their_own(kept):
    spec, other = FeatureSpec(), FeatureSpec(windows=WindowSpec(duration=3.0))
    places = {kept.of(digest, each).place for digest in (b"a", b"b") for each in (spec, other)}
    assert len(places) == 4


@pytest.mark.parametrize("share", [0, 0.01, 0.3, 0.6, 0.999])
def test_an_entry_that_is_damaged_or_cut_is_not_used(share, keep, tiny_model):
    entry, result = keep(CLIPS[0])
    path, content = DEMO / CLIPS[0], entry.place.read_bytes()
    at = int(share * len(content))
    entry.place.write_bytes(content[:at])
    assert label_kept(path, entry, model=tiny_model) is None
    changed = bytes([content[at] ^ 0xFF, content[at + 1] ^ 0x55])
    entry.place.write_bytes(content[:at] + changed + content[at + 2 :])
    # dates of the archive's members may change unnoticed
    assert label_kept(path, entry, model=tiny_model) in (None, result)
    assert share > 0.99 or label_kept(path, entry, model=tiny_model) is None


@pytest.mark.parametrize(
    "error", [tokenize.TokenError, RuntimeError, zlib.error, MemoryError, TypeError, OverflowError]
)
def test_whatever_reading_raises_an_entry_is_damaged_and_goes(error, keep, tiny_model, monkeypatch):
    entry, _ = keep(CLIPS[0])

    def fail(*_, **__):
        raise error("damaged")

    monkeypatch.setattr("numpy.lib.format.read_array", fail)
    assert label_kept(DEMO / CLIPS[0], entry, model=tiny_model) is None
    assert not entry.place.exists()


def test_no_flipped_bit_of_an_entry_fails_a_file(keep, tiny_model, rng):
    entry, result = keep(CLIPS[0])
    content = entry.place.read_bytes()
    headers = [at for at in range(len(content)) if content[at : at + 6] == b"\x93NUMPY"]
    places = [at + int(k) for at in headers for k in rng.integers(-60, 128, 12)]
    for at in places:
        flipped = bytes([content[at] ^ (1 << int(rng.integers(8)))])
        entry.place.write_bytes(content[:at] + flipped + content[at + 1 :])
        found = label_kept(DEMO / CLIPS[0], entry, model=tiny_model)
        assert found in (None, result)
        assert entry.place.exists() == (found is not None)


def test_what_goes_wrong_in_a_model_is_no_damage(keep, tiny_model, monkeypatch):
    entry, _ = keep(CLIPS[0])

    def fail(*_):
        raise ValueError("of the model")

    monkeypatch.setattr(type(tiny_model.ensemble), "predict_logits", fail)
    with pytest.raises(ValueError, match="of the model"):
        label_kept(DEMO / CLIPS[0], entry, model=tiny_model)
    assert entry.place.exists()


def test_nothing_is_kept_of_what_breaks_off(kept, tiny_model, tmp_path):
    path = tmp_path / "cut.flac"
    path.write_bytes((DEMO / CLIPS[0]).read_bytes()[:20000])
    entry = kept.of(b"cut", tiny_model.features)
    assert label_file(path, model=tiny_model, keep=entry).error is not None
    assert label_kept(path, entry, model=tiny_model) is None
    assert kept.count() == (0, 0)


def test_what_was_not_used_for_the_longest_goes_first(kept, keep, tiny_model):
    entries = [keep(name)[0] for name in CLIPS]
    for age, entry in enumerate(entries):
        os.utime(entry.place, (1000 + age, 1000 + age))
    label_kept("x", entries[0], model=tiny_model)  # used again
    sizes = [entry.place.stat().st_size for entry in entries]
    assert kept.count() == (4, sum(sizes))
    kept.most_bytes = sum(sizes) - 1
    kept.prune()
    assert [entry.place.exists() for entry in entries] == [True, False, True, True]
    kept.most_bytes = sizes[0]
    kept.prune()
    assert [entry.place.exists() for entry in entries] == [True, False, False, False]


def test_room_is_made_while_a_run_goes_on(keep, kept):
    keep(CLIPS[0])
    kept.most_bytes = kept.count()[1] + 100
    for name in CLIPS[1:]:
        keep(name)
        assert kept.count()[1] <= kept.most_bytes


def test_what_a_killed_run_left_counts_and_goes(kept, keep):
    keep(CLIPS[0])
    left = kept.folder / "1f.4711.recording.part"
    left.write_bytes(b"x" * 1000)
    os.utime(left, (1000, 1000))
    other = kept.folder / "of-training.npz"
    other.write_bytes(b"x")
    assert kept.count()[0] == 1
    kept.most_bytes = kept.count()[1] - 1
    kept.prune()
    assert not left.exists()
    assert other.exists()
    assert kept.count()[0] == 1


def test_where_nothing_can_be_written_all_is_labelled(kept, keep, tiny_model):
    kept.folder.write_text("in the way")
    _, result = keep(CLIPS[0])
    assert result == label_file(DEMO / CLIPS[0], model=tiny_model)


def test_a_full_disk_keeps_nothing_and_labels(kept, keep, tiny_model, monkeypatch):
    def fail(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("numpy.lib.format.write_array", fail)
    entry, result = keep(CLIPS[0])
    monkeypatch.undo()
    assert result == label_file(DEMO / CLIPS[0], model=tiny_model)
    assert not entry.place.exists()
    assert kept.count() == (0, 0)


def test_removing_the_folder_removes_all(kept, keep, tiny_model):
    entry, _ = keep(CLIPS[0])
    shutil.rmtree(kept.folder)
    assert kept.count() == (0, 0)
    assert label_kept("x", entry, model=tiny_model) is None
