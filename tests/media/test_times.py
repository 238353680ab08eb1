"""All times are those that a player shows: from the start of the container."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asmr_classify.media.decode import AudioStream
from asmr_classify.media.place import Axis, Placer
from tests.media.clicks import CLICKS, CODECS, SR, write_clicks

OUT_SR = 32000


def heard(path, **kwargs):
    with AudioStream.open(str(path), **kwargs) as stream:
        y = np.concatenate([block.y for block in stream.iter_blocks()])
    return stream, y


def clicks_of(y, sr=OUT_SR):
    loud = np.flatnonzero(np.abs(y) > 0.2)
    firsts = loud[np.concatenate([[True], np.diff(loud) > 0.2 * sr])]
    return firsts / sr


def container_duration(path):
    """What ffprobe tells as ``format=duration``."""
    with av.open(str(path)) as container:
        return container.duration / av.time_base


PRIMING = 0.09
"""Seconds that encoders put before the sound, where the container does not say so."""


@pytest.mark.parametrize("muxer", CODECS)
@pytest.mark.parametrize("sound_at", [0.0, 1.25, 4.087])
def test_sound_that_begins_late_is_late(tmp_path, muxer, sound_at):
    path = write_clicks(tmp_path / "a", muxer, sound_at=sound_at, pictures=(0.0, 9.0))
    stream, y = heard(path)
    assert stream.problem is None
    assert clicks_of(y) == pytest.approx(np.add(CLICKS, sound_at), abs=PRIMING)
    assert not np.any(y[: int(max(0.0, sound_at - 0.1) * OUT_SR)])
    assert stream.decoded == pytest.approx(sound_at + 4.0, abs=0.12)
    assert stream.duration == pytest.approx(container_duration(path), abs=0.1)
    if muxer not in {"asf", "mpeg"}:  # FFmpeg reckons otherwise in these
        assert stream.duration == pytest.approx(9.0, abs=0.1)


@pytest.mark.parametrize("muxer", CODECS)
def test_sound_that_begins_before_the_picture_is_not_moved(tmp_path, muxer):
    path = write_clicks(tmp_path / "a", muxer, pictures=(1.6, 6.0))
    _, y = heard(path)
    assert clicks_of(y) == pytest.approx(CLICKS, abs=PRIMING)


@pytest.mark.parametrize("muxer", ["mpegts", "mpeg", "matroska", "nut", "flv"])
def test_a_container_that_begins_late_begins_at_nought(tmp_path, muxer):
    path = write_clicks(tmp_path / "a", muxer, start=1.4 if muxer == "mpegts" else 40.0)
    stream, y = heard(path)
    assert stream.problem is None
    assert clicks_of(y) == pytest.approx(CLICKS, abs=PRIMING)
    assert stream.duration == pytest.approx(container_duration(path), abs=0.1)


@pytest.mark.parametrize("muxer", ["mpegts", "mpeg"])
def test_sound_that_begins_after_what_is_probed_is_found(tmp_path, muxer, monkeypatch):
    monkeypatch.setattr("asmr_classify.media.probe.PROBE_PACKETS", 1)
    path = write_clicks(tmp_path / "a", muxer, sound_at=12.0, pictures=(0.0, 17.0))
    stream, y = heard(path)
    assert stream.problem is None
    assert clicks_of(y) == pytest.approx(np.add(CLICKS, 12.0), abs=PRIMING)


@pytest.mark.parametrize("muxer", ["mp4", "mov"])
@pytest.mark.parametrize("sound_at", [-1.0, -0.021])
def test_edit_lists_that_trim_are_followed(tmp_path, muxer, sound_at):
    """Sound from before the start is kept in the file, and an edit list leaves it out."""
    path = write_clicks(tmp_path / "a", muxer, sound_at=sound_at, pictures=(0.0, 5.0))
    _, y = heard(path)
    expected = np.add(CLICKS, sound_at)
    assert clicks_of(y) == pytest.approx(expected[expected > 0], abs=PRIMING)


def test_priming_is_left_out_where_the_container_tells_of_it(tmp_path):
    for muxer in ("mp4", "webm", "ogg"):
        _, y = heard(write_clicks(tmp_path / muxer, muxer, pictures=None))
        assert clicks_of(y) == pytest.approx(CLICKS, abs=0.012)


@pytest.mark.parametrize("muxer", ["matroska", "mp4", "mpegts", "flv", "nut", "asf"])
def test_later_times_stay_where_packets_are_missing(tmp_path, muxer):
    path = write_clicks(tmp_path / "a", muxer, retime=lambda at: None if 1.9 < at < 3.1 else at)
    stream, y = heard(path)
    assert clicks_of(y) == pytest.approx([CLICKS[0], CLICKS[1], CLICKS[3]], abs=PRIMING)
    assert stream.decoded == pytest.approx(4.0, abs=0.12)


@pytest.mark.parametrize("muxer", ["matroska", "mp4", "mpegts", "flv", "nut"])
def test_pauses_are_kept(tmp_path, muxer):
    path = write_clicks(
        tmp_path / "a", muxer, retime=lambda at: at + 3 * (at > 2), pictures=(0.0, 7.0)
    )
    _, y = heard(path)
    assert clicks_of(y) == pytest.approx([0.6, 1.6, 5.6, 6.6], abs=PRIMING)


@pytest.mark.parametrize(("muxer", "sync"), [("adts", b"\xff\xf1"), ("mp3", b"\xff\xfb")])
def test_later_times_stay_where_packets_cannot_be_decoded(tmp_path, muxer, sync):
    path = write_clicks(tmp_path / "a", muxer, pictures=None)
    content = bytearray(path.read_bytes())
    frames = [at for at in range(len(content)) if content[at : at + 2] == sync]
    half = len(frames) // 2
    for start, end in zip(frames[half - 5 : half + 4], frames[half - 4 : half + 5], strict=True):
        content[start + 9 : end] = b"\xff" * (end - start - 9)
    path.write_bytes(content)
    stream, y = heard(path)
    assert "damaged packets were left out" in str(stream.problem)
    assert clicks_of(y) == pytest.approx(CLICKS, abs=0.04)
    assert stream.decoded == pytest.approx(4.0, abs=0.05)


def test_clocks_that_differ_do_not_add_up(tmp_path):
    """Stamps that run 4 % fast or slow, as no clock does: sound stays within a tenth."""
    for name, rate in (("fast", 1.04), ("slow", 0.99)):
        path = write_clicks(tmp_path / name, "matroska", retime=lambda at, rate=rate: at * rate)
        _, y = heard(path)
        assert clicks_of(y) == pytest.approx(np.multiply(CLICKS, rate), abs=0.13 + PRIMING)


@pytest.mark.parametrize(
    "retime",
    [
        pytest.param(lambda at: at + 50_000 * (2 < at < 2.02), id="one absurd stamp"),
        pytest.param(lambda at: at + 50_000 * (at > 2), id="hours ahead"),
        pytest.param(lambda at: 1000 * at, id="too fast"),
    ],
)
def test_stamps_that_cannot_be_right_neither_add_nor_cut(tmp_path, retime):
    path = write_clicks(tmp_path / "a", "mpegts", retime=retime, pictures=None)
    stream, y = heard(path)
    assert clicks_of(y) == pytest.approx(CLICKS, abs=0.15)
    assert stream.decoded == pytest.approx(4.0, abs=0.2)


def test_recordings_put_end_to_end_sound_one_after_the_other(tmp_path):
    one = write_clicks(tmp_path / "a", "mpegts", pictures=None).read_bytes()
    (tmp_path / "both").write_bytes(one + one)
    stream, y = heard(tmp_path / "both")
    twice = np.concatenate([CLICKS, np.add(CLICKS, 4.0)])
    assert clicks_of(y) == pytest.approx(twice, abs=0.2)
    assert stream.decoded == pytest.approx(8.0, abs=0.2)
    assert (stream.duration or stream.decoded) == pytest.approx(8.0, abs=0.2)


@settings(max_examples=10)
@given(st.floats(0.01, 5.0))
def test_block_size_changes_nothing_where_there_is_silence_between(tmp_path_factory, duration):
    path = tmp_path_factory.getbasetemp() / "gaps.mkv"
    if not path.exists():
        write_clicks(path, "matroska", sound_at=1.3, retime=lambda at: at + 0.7 * (at > 3))
    _, y = heard(path, block_duration=duration)
    assert np.array_equal(y, heard(path)[1])


def test_a_listener_is_given_the_same_silence(tmp_path):
    path = write_clicks(tmp_path / "a", "matroska", sound_at=1.3, retime=lambda at: at + (at > 3))
    native = []
    stream, y = heard(path, listener=native.append)
    samples = np.concatenate([block.y for block in native], axis=1)[0]
    assert len(samples) / SR == pytest.approx(stream.decoded, abs=1e-3)
    assert clicks_of(samples, SR) == pytest.approx(clicks_of(y), abs=1e-3)


def make_frame(at, *, n_samples=1000, sr=1000, kind="s16", layout="mono", sound=1):
    frame = av.AudioFrame(format=kind, layout=layout, samples=n_samples)
    for plane in frame.planes[: frame.layout.nb_channels if frame.format.is_planar else 1]:
        plane.update(bytes([sound]) * plane.buffer_size)
    frame.sample_rate, frame.time_base = sr, Fraction(1, sr)
    frame.pts = None if at is None else round(at * sr)
    return frame


def placed(frames, *, end=1000.0, origin=0.0, is_stamped=True, may_restart=False, is_exact=False):
    placer = Placer(Axis(1e-3, origin, end, is_stamped, may_restart, is_exact))
    given = []
    for frame in frames:
        given += [frame] if placer.follows(frame) else placer.place(frame)
    return placer, [*given, *placer.finish()]


@pytest.mark.parametrize("layout", ["mono", "stereo", "7.1", "12 channels"])
@pytest.mark.parametrize("kind", ["u8", "u8p", "s16", "s16p", "s32", "fltp", "dbl", "s64", "s64p"])
def test_silence_and_trimming_keep_the_format(kind, layout):
    placer, pieces = placed(
        [make_frame(2.0, kind=kind, layout=layout), make_frame(2.75, kind=kind, layout=layout)]
    )
    is_unlike = layout == "12 channels" and kind.endswith("p")  # PyAV gives eight of these
    assert [piece.samples for piece in pieces] == [1000] * 3 + [1000 if is_unlike else 750]
    assert {piece.layout.name for piece in pieces} == {layout}
    silence = bytes(pieces[0].planes[0])
    assert set(silence) == {128 if kind.startswith("u8") else 0}
    if not is_unlike:
        assert {piece.format.name for piece in pieces} == {kind}
        assert bytes(pieces[-1].planes[0])[:1] == b"\x01"
        assert placer.end == pytest.approx(3.75)


def test_sound_from_before_the_start_is_trimmed():
    _, pieces = placed([make_frame(4.4), make_frame(5.4)], origin=5.0)
    assert [piece.samples for piece in pieces] == [400, 1000]


def test_no_silence_reaches_beyond_the_end_of_the_container():
    placer, _ = placed([make_frame(0), make_frame(900), make_frame(901)], end=60.0)
    assert placer.end == 3.0
    assert placer.is_restarted
    placer, _ = placed([make_frame(900), make_frame(901)], end=60.0)
    assert placer.end == 2.0


def test_a_jump_that_the_next_frame_contradicts_is_none():
    placer, pieces = placed([make_frame(0), make_frame(30), make_frame(2), make_frame(3)])
    assert placer.end == 4.0
    assert len(pieces) == 4


@pytest.mark.parametrize("times", [(0, 2, 4), (0, 2, None, 5), (0, 2, None)])
def test_numbered_frames_between_lost_ones_stand_in_their_place(times):
    placer, pieces = placed([make_frame(at) for at in times], is_exact=True)
    last = times[-1] or times[-2] + 1
    assert placer.end == last + 1
    assert placer.missing == last + 1 - len(times)
    is_sound = [bytes(piece.planes[0])[0] for piece in pieces]
    assert is_sound == [1, 0, 1, *([1] if None in times else []), *([0, 1] if times[-1] else [])]


def test_numbers_that_begin_anew_are_of_another_recording():
    placer, pieces = placed([make_frame(at) for at in (0, 1, 0, 1)], is_exact=True)
    assert (placer.end, len(pieces)) == (4.0, 4)


def test_a_long_jump_is_no_gap_where_stamps_may_begin_anew():
    frames = [make_frame(at) for at in (0, 20, 21)]
    assert placed(frames)[0].end == 22.0
    assert placed(frames, may_restart=True)[0].end == 3.0


@pytest.mark.parametrize("step", [0.0, -0.1, 0.05], ids=["the same", "backwards", "too slow"])
def test_stamps_that_do_not_go_on_as_sound_does_lose_next_to_nothing(step):
    frames = [make_frame(50 + step * k, n_samples=100) for k in range(400)]
    placer, _ = placed(frames, origin=50.0)
    assert placer.n_samples >= (40 - 1.5) * 1000
    if step <= 0:
        assert placer.n_samples == 40_000


def test_what_cannot_be_decoded_keeps_its_place():
    for is_stamped in (True, False):
        placer = Placer(Axis(1e-3, 0.0, 100.0, is_stamped, may_restart=False))
        first = [*placer.place(make_frame(0, n_samples=50))]
        placer.lose(0.05)
        rest = [*placer.place(make_frame(0.1, n_samples=50))]
        assert [piece.samples for piece in first + rest] == [50, 50, 50]
        assert placer.missing == pytest.approx(0.05)


def test_what_cannot_be_decoded_at_the_beginning_keeps_its_place_too():
    placer = Placer(Axis(1e-3, 0.0, 100.0, is_stamped=False, may_restart=False))
    placer.lose(0.5)
    pieces = [*placer.place(make_frame(None))]
    assert [piece.samples for piece in pieces] == [500, 1000]
    assert placer.end == 1.5
