"""Files: one pass for labels and figures, verdicts, and what cannot be measured."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from asmr_classify.aggregate import FileResult, Status
from asmr_classify.check import check_file
from asmr_classify.check.figures import SEEN, FigureName, labelled, talk_share
from asmr_classify.check.limits import Range, Verdict
from asmr_classify.check.record import check_to_record
from asmr_classify.classify import label_file
from asmr_classify.media import decode
from asmr_classify.timeline import Segment
from asmr_classify.visual.look import look
from asmr_classify.writers.jsonl import record_to_line, record_to_result
from tests.check.signals import clicks, noise, silence, sine
from tests.media.make_media import RECIPES, write_float_wav, write_media


@pytest.fixture
def wav(tmp_path):
    def write(y, sr=48000, name="a.wav"):
        return write_float_wav(tmp_path / name, y, sr)

    return write


@pytest.fixture
def check(tiny_model):
    def run(path, **options):
        return check_file(path, model=tiny_model, **options)

    return run


def value(result, name):
    return result.value(FigureName(name))


def test_a_sine_is_measured_in_the_pass_that_labels_it(wav, check, tiny_model):
    path = wav(sine(-23, 5))
    result = check(path)
    assert result.labels == dataclasses.replace(
        label_file(path, model=tiny_model), visual=look(path)
    )
    assert value(result, "integrated_loudness") == pytest.approx(-23, abs=0.1)
    assert value(result, "true_peak") == pytest.approx(-23, abs=0.1)
    assert value(result, "channels") == "dual_mono"
    assert value(result, "startle") == pytest.approx(0, abs=0.01)
    assert result.verdict is Verdict.WARN


def test_files_are_decoded_once(wav, check, monkeypatch):
    opened = []
    real = decode.open_container
    monkeypatch.setattr(decode, "open_container", lambda path: opened.append(path) or real(path))
    path = wav(sine(-23, 1))
    check(path)
    assert opened == [str(path)]


@pytest.mark.parametrize("piece", [1024, 7001, 96_000])
def test_block_size_does_not_change_a_check(wav, check, monkeypatch, piece, rng):
    y = noise(rng, -40, 4, sr=44100) + clicks(np.arange(0.2, 4, 0.3), 4, sr=44100, n_channels=2)
    path = wav(y, 44100)
    before = check(path)
    monkeypatch.setattr(decode, "PIECE_SAMPLES", piece)
    after = check(path)
    assert after.figures == before.figures
    assert after.startles == before.startles


@pytest.mark.parametrize("ending", ["mp3", "flac", "m4a", "opus", "mp4", "mkv", "webm", "avi"])
def test_containers_are_checked(tmp_path, check, ending):
    recipe = RECIPES[ending]
    y = sine(-20, 3, sr=recipe.sr)
    duration = 3.0 if recipe.video else None
    path = write_media(tmp_path / f"a.{ending}", y, recipe, video_duration=duration)
    assert value(check(path), "integrated_loudness") == pytest.approx(
        -20, abs=0.6
    )  # LAME scales by 0.95


def test_a_file_with_five_point_one_channels(wav, check):
    y = np.concatenate([sine(-23, 3, n_channels=1), silence(3, n_channels=5)])
    result = check(wav(y))
    assert value(result, "channels") == "surround"
    assert value(result, "integrated_loudness") == pytest.approx(-26, abs=0.1)
    assert value(result, "iacc") is None


def test_a_bang_fails_and_tells_where(wav, check, rng):
    y = np.concatenate([noise(rng, -50, 8), noise(rng, -25, 1), noise(rng, -50, 1)], axis=1)
    result = check(wav(y))
    [startle] = result.startles
    assert startle.start == pytest.approx(8, abs=0.11)
    assert result.verdict is Verdict.FAIL
    assert [judged.figure.name for judged in result.figures if judged.verdict is Verdict.FAIL] == [
        FigureName.STARTLE
    ]


def test_limits_decide(wav, check):
    path = wav(sine(-23, 2))
    strict = {FigureName.INTEGRATED_LOUDNESS: Range(fail_above=-24)}
    assert check(path, limits=strict).verdict is Verdict.FAIL
    assert check(path, limits={}).verdict is Verdict.OK


def test_a_file_that_cannot_be_read_has_no_verdict(tmp_path, check):
    path = tmp_path / "a.mp3"
    path.write_bytes(b"just words\n" * 90)
    result = check(path)
    assert result.verdict is None
    assert result.figures == ()
    assert result.labels.status is Status.FAILED


def test_a_video_without_sound_fails_by_its_channels(tmp_path, check):
    path = write_media(tmp_path / "a.mp4", None, RECIPES["mp4"], video_duration=1.0)
    result = check(path)
    assert value(result, "channels") == "none"
    assert result.verdict is Verdict.FAIL
    assert result.labels.status is Status.NO_AUDIO


@pytest.mark.parametrize("n_channels", [1, 2, 6])
def test_silence_fails_by_its_channels(wav, check, n_channels):
    result = check(wav(silence(2, n_channels=n_channels)))
    assert value(result, "channels") == "silent"
    assert value(result, "integrated_loudness") is None
    assert value(result, "true_peak") is None
    assert result.verdict is Verdict.FAIL


@pytest.mark.parametrize("n_samples", [50, 100, 10_000])
def test_clips_too_short_to_judge(wav, check, n_samples):
    result = check(wav(sine(-12, n_samples / 48000, n_channels=1, phase_degrees=90)))
    assert value(result, "channels") == "mono"
    assert value(result, "integrated_loudness") is None
    assert value(result, "true_peak") == pytest.approx(-12, abs=1.5)  # it is cut
    assert result.verdict is Verdict.OK


def test_nan_in_a_file_leaves_the_figures_sound(wav, check):
    y = sine(-23, 3)
    y[:, 1000] = np.nan
    y[:, 2000] = np.inf
    result = check(wav(y))
    assert result.labels.status is Status.PARTIAL
    assert value(result, "integrated_loudness") == pytest.approx(-23, abs=0.2)
    assert value(result, "true_peak") < 0


def test_the_record_is_plain_and_holds_the_labels(wav, check, rng):
    y = np.concatenate([noise(rng, -50, 8), noise(rng, -25, 1), noise(rng, -50, 1)], axis=1)
    result = check(wav(y))
    record = json.loads(record_to_line(check_to_record(result)))
    assert record["verdict"] == "fail"
    assert list(record["figures"]) == [x.value for x in FigureName if x not in SEEN]
    assert record["figures"]["true_peak"].keys() == {"value", "at", "verdict"}
    assert record["startles"][0]["start"] == pytest.approx(8, abs=0.11)
    assert record_to_result(record["labels"]).path == result.labels.path


def heard(*segments, duration=10.0, no_talking=False):
    return FileResult(
        "a.wav",
        Status.OK,
        "tiny@0.1",
        duration=duration,
        segments=tuple(Segment(*segment, 0.9) for segment in segments),
        no_talking=no_talking,
    )


def test_talk_counts_once_where_it_overlaps():
    result = heard((0, 4, "whisper"), (2, 5, "speech"), (7, 8, "speech"), (0, 10, "tap"))
    assert talk_share(result) == pytest.approx(0.6)
    assert labelled(result, {"speech", "whisper"}) == [(0, 5), (7, 8)]


def test_talk_is_unknown_where_nothing_was_heard():
    assert talk_share(heard(no_talking=None)) is None
    assert talk_share(heard(no_talking=True)) == 0


def test_taps_are_counted_where_they_are_labelled(wav, check, monkeypatch):
    y = clicks(np.arange(0.25, 10, 0.5), 10)
    real = label_file

    def tapped(path, **options):
        return dataclasses.replace(real(path, **options), segments=(Segment(0, 10, "tap", 0.9),))

    monkeypatch.setattr("asmr_classify.check.label_file", tapped)
    result = check(wav(y))
    assert value(result, "tap_rate") == pytest.approx(2)
    assert value(result, "tap_variation") == pytest.approx(0, abs=0.02)
    assert value(result, "tap_periodicity") == pytest.approx(1)
