from __future__ import annotations

import os

import numpy as np
import pytest

from asmr_classify.aggregate import Status
from asmr_classify.report.waveforms import POINTS, compute_waveforms, draw_peaks
from tests.media.clicks import CLICKS, write_clicks
from tests.report.conftest import draw_here, heard, lost, write_wav


def compute(tmp_path, *results, **options):
    return compute_waveforms(results, work=draw_here, cache=tmp_path / "cache", **options)


@pytest.fixture
def recording(tmp_path):
    path = tmp_path / "a.wav"
    write_wav(path, duration=5.0)
    return path


def test_peaks_are_relative_to_the_highest_and_drawn_by_half_the_decibels():
    highest = np.zeros(POINTS * 10, dtype=np.float32)
    highest[0], highest[-1] = 0.001, 0.00025
    peaks = draw_peaks(highest)
    assert len(peaks) == POINTS
    assert peaks[0] == 255
    assert peaks[-1] == 128  # 12 dB lower, half as high
    assert not any(peaks[1:-1])


def test_every_piece_counts_in_one_point():
    for n_pieces in (1, 2, POINTS - 1, POINTS, POINTS + 1, 5000):
        for place in {0, n_pieces // 3, n_pieces - 1}:
            highest = np.zeros(n_pieces, dtype=np.float32)
            highest[place] = 0.5
            peaks = draw_peaks(highest)
            assert len(peaks) == min(n_pieces, POINTS)
            assert sum(peaks) == 255


def test_silence_is_flat():
    assert set(draw_peaks(np.full(1000, 1e-5, dtype=np.float32))) == {0}


def test_a_click_stands_where_it_is(tmp_path):
    import wave

    samples = np.zeros(80000, dtype="<i2")
    samples[40000:40080] = 20000
    with wave.open(str(tmp_path / "a.wav"), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", "NONE"))
        file.writeframes(samples.tobytes())
    peaks = compute(tmp_path, heard(str(tmp_path / "a.wav"))).contents[str(tmp_path / "a.wav")]
    assert np.argmax(np.frombuffer(peaks, np.uint8)) == POINTS // 2


def test_the_cache_gives_the_same_again(tmp_path, recording, monkeypatch):
    first = compute(tmp_path, heard(str(recording)))
    assert first.n_cached == 0
    monkeypatch.setattr("asmr_classify.report.waveforms._decode_peaks", None)  # not called again
    second = compute(tmp_path, heard(str(recording)))
    assert second.n_cached == 1
    assert second.contents == first.contents


def test_a_relative_name_finds_what_an_absolute_one_kept(tmp_path, recording, monkeypatch):
    compute(tmp_path, heard(str(recording)))
    monkeypatch.chdir(tmp_path)
    assert compute(tmp_path, heard("a.wav")).n_cached == 1


@pytest.mark.parametrize("change", ["size", "time"])
def test_a_changed_recording_is_heard_again(tmp_path, recording, change):
    before = compute(tmp_path, heard(str(recording)))
    if change == "size":
        write_wav(recording, duration=6.0, level=30)
    else:
        os.utime(recording, ns=(1, 1))
    after = compute(tmp_path, heard(str(recording)))
    assert after.n_cached == 0
    assert (after.contents == before.contents) == (change == "time")
    kept = [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    assert len(kept) == 1


@pytest.mark.parametrize("damage", [b"", b"nonsense" * 60, None])
def test_a_damaged_cache_is_made_anew(tmp_path, recording, damage):
    first = compute(tmp_path, heard(str(recording)))
    (kept,) = (path for path in (tmp_path / "cache").rglob("*") if path.is_file())
    kept.write_bytes(kept.read_bytes()[:-1] if damage is None else damage)
    again = compute(tmp_path, heard(str(recording)))
    assert (again.n_cached, again.contents) == (0, first.contents)
    assert compute(tmp_path, heard(str(recording))).n_cached == 1


def test_without_a_place_for_a_cache_waveforms_are_computed(tmp_path, recording):
    (tmp_path / "cache").write_text("in the way")
    assert len(compute(tmp_path, heard(str(recording))).contents) == 1


def test_what_is_gone_or_no_sound_has_no_waveform(tmp_path, recording):
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"RIFF----WAVE" + b"\0" * 50)
    os.mkfifo(tmp_path / "pipe.wav")
    results = [heard(str(tmp_path / name)) for name in ("gone.wav", "broken.wav", "pipe.wav")]
    mute = heard(str(recording), status=Status.NO_AUDIO)
    nameless = [heard("a\0b.wav"), heard("a\ud800b.wav")]
    assert compute(tmp_path, *results, *nameless, mute, lost(str(recording))).contents == {}


def test_progress_counts_up_to_all(tmp_path):
    results = []
    for k in range(5):
        write_wav(tmp_path / f"{k}.wav", duration=0.2)
        results.append(heard(str(tmp_path / f"{k}.wav")))
    seen = []
    compute(tmp_path, *results, on_progress=lambda *state: seen.append(state))
    assert seen == [(k, 5) for k in range(1, 6)]


def test_the_cache_is_the_users(monkeypatch, tmp_path, recording):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    compute_waveforms([heard(str(recording))], work=draw_here)
    assert len([*(tmp_path / "asmr-classify" / "waveforms").glob("*/*")]) == 1


def test_without_a_home_nothing_is_cached(monkeypatch, recording):
    monkeypatch.setattr("asmr_classify.report.kept.user_cache", lambda: None)
    for _ in range(2):
        waveforms = compute_waveforms([heard(str(recording))], work=draw_here)
        assert list(waveforms.contents) == [str(recording)]
        assert waveforms.n_cached == 0


def test_sound_that_begins_late_is_drawn_late(tmp_path):
    path = str(write_clicks(tmp_path / "a.mkv", "matroska", sound_at=4.0, pictures=(0.0, 9.0)))
    peaks = np.frombuffer(compute(tmp_path, heard(path)).contents[path], np.uint8)
    loud = np.flatnonzero(peaks > 128) / len(peaks) * 8.0  # of what was decoded
    first_of_each = loud[np.concatenate([[True], np.diff(loud) > 0.5])]
    assert first_of_each == pytest.approx(np.add(CLICKS, 4.0), abs=0.1)
