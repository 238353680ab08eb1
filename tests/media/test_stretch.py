from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from asmr_classify.errors import DecodeError, OpenError
from asmr_classify.media import stretch
from asmr_classify.media.decode import read_audio
from asmr_classify.media.stretch import read_stretch
from tests.media.make_media import RECIPES, write_media

SR = 44100
SECONDS = 66.0


@pytest.fixture(scope="module")
def sound():
    """Clicks at each full second, each louder than the one before, over faint noise."""
    rng = np.random.default_rng(3)
    y = rng.normal(0, 0.001, round(SECONDS * SR))
    for second in range(1, int(SECONDS)):
        y[second * SR : second * SR + 160] += 0.1 + 0.008 * second
    return y[None].astype(np.float32)


BOUNDS = {
    **dict.fromkeys(("wav", "aiff", "flac", "m4a", "mp4", "ogg", "opus"), 0),
    **dict.fromkeys(("mp3", "vbr.mp3", "bare.mp3"), 0),
    **dict.fromkeys(("mkv", "webm"), SR // 1000),  # Matroska counts milliseconds
}
"""By how many samples a stretch may lie off."""

RECIPES_OF_MP3 = {
    "vbr.mp3": {"codec_options": {"flags": "+qscale", "global_quality": "472"}},
    "bare.mp3": {"options": {"write_xing": "0"}},  # no header tells of its length
}


@pytest.fixture(scope="module")
def written(sound, tmp_path_factory):
    """Gives files of a kind, which hold the sound."""
    folder = tmp_path_factory.mktemp("kinds")

    def write(kind):
        path = folder / f"a.{kind}"
        y = np.repeat(sound, 2, axis=0) if kind == "ogg" else sound  # its encoder wants two
        how = RECIPES_OF_MP3.get(kind, {})
        recipe = RECIPES[kind.rpartition(".")[2]]
        return str(path if path.exists() else write_media(path, y, recipe, **how))

    return write


def lag(one, other):
    """How many samples the first lies behind the second."""
    spectrum = np.fft.rfft(one, 2 * one.size) * np.conj(np.fft.rfft(other, 2 * one.size))
    found = int(np.argmax(np.fft.irfft(spectrum)))
    return found - 2 * one.size if found > one.size else found


def check_stretch(path, start, bound=0):
    whole = read_audio(path, sr=SR)
    expected = whole[round(start * SR) :][: 2 * SR]
    y = read_stretch(path, start, start + 2, sr=SR)
    assert abs(y.size - expected.size) <= 1
    late = lag(y[: expected.size], expected[: y.size])
    assert abs(late) <= bound
    assert np.corrcoef(np.roll(y, -late)[: expected.size], expected[: y.size])[0, 1] > 0.98
    return y, expected


@pytest.mark.parametrize(("kind", "bound"), BOUNDS.items())
def test_a_stretch_is_what_the_whole_holds_there(kind, bound, written, monkeypatch):
    monkeypatch.setattr(stretch, "NEAR", 0.0)
    y, expected = check_stretch(written(kind), 31.3, bound)
    if kind.endswith(("wav", "aiff", "flac", "ogg", "mp3")):
        np.testing.assert_allclose(y, expected, atol=1e-5)


def test_so_is_one_near_the_start(written):
    check_stretch(written("flac"), 3.3)


def test_so_is_one_of_flac_of_which_an_early_frame_is_damaged(written, tmp_path):
    """FFmpeg stamps its first packet with the time of a later one."""
    content = bytearray(Path(written("flac")).read_bytes())
    with av.open(written("flac")) as container:
        third = [packet.pos for _, packet in zip(range(3), container.demux(), strict=False)][-1]
    content[third + 100] ^= 1
    path = tmp_path / "a.flac"
    path.write_bytes(content)
    expected = read_stretch(written("flac"), 61, 64, sr=SR)
    np.testing.assert_array_equal(read_stretch(str(path), 61, 64, sr=SR), expected)


def test_channels_are_kept_on_request(written):
    assert read_stretch(written("flac"), 1, 2, sr=SR, layout="stereo").shape == (2, SR)
    assert read_stretch(written("flac"), 61, 62, sr=SR, layout="stereo").shape == (2, SR)


@pytest.mark.parametrize("kind", ["flac", "mp3", "vbr.mp3", "bare.mp3", "m4a", "mkv"])
def test_what_lies_far_from_the_start_is_found_without_decoding_all(kind, written, monkeypatch):
    path = written(kind)
    monkeypatch.setattr(stretch.AudioStream, "open", None)
    assert read_stretch(path, 62, 65, sr=SR).size == 3 * SR


def test_a_stretch_ends_with_the_file(written):
    path = written("wav")
    assert read_stretch(path, 64, 71, sr=SR).size == 2 * SR
    with pytest.raises(DecodeError, match=r"a\.wav: holds no sound at 67.0 s"):
        read_stretch(path, 67, 71, sr=SR)


def test_a_file_that_is_gone_is_told(tmp_path):
    with pytest.raises(OpenError, match=r"gone\.wav"):
        read_stretch(str(tmp_path / "gone.wav"), 1, 2)
