"""Which frames are decoded, and what becomes of files that cannot be."""

from __future__ import annotations

import gc
import io
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from asmr_classify.errors import DecodeError, OpenError
from asmr_classify.visual import film as film_module
from asmr_classify.visual import stream as stream_module
from asmr_classify.visual.film import Film as Opened
from asmr_classify.visual.film import plan
from asmr_classify.visual.look import look
from asmr_classify.visual.seen import Effort, Picture
from asmr_classify.visual.small import Shrinker
from tests.conftest import DEMO
from tests.visual.scenes import Film, joined, pan, still, write_film

TINY = Film(size=(64, 36), rate=10, options=(("preset", "ultrafast"),), gop=10)


def write_clip(path, scene=None, **changes):
    write_film(path, scene or pan(0.1), replace(TINY, **changes))
    return path


def damaged(path, *, keep, every=97):
    content = bytearray(path.read_bytes())
    start = content.find(b"mdat") + 8 + keep
    end = content.find(b"moov") - 4
    content[start:end:every] = b"\xff" * len(content[start:end:every])
    path.write_bytes(content)


def test_places_are_spread_over_the_whole_video():
    places = plan(1800.0, 30.0, 400.0)
    starts = [start for start, _ in places]
    assert starts == sorted(starts)
    assert starts[0] < 60
    assert starts[-1] > 1740
    bursts = [length for _, length in places if length >= 1]
    assert 4 <= len(bursts) <= 8
    cost = sum(length * 30 + film_module.GLIMPSE_COST for _, length in places)
    assert cost <= 450


@pytest.fixture
def small_budget(monkeypatch):
    """As if a tiny video of a minute were a large one of half an hour."""
    budgets = {Effort.LOW: 2e5, Effort.NORMAL: 5e5, Effort.FULL: np.inf}
    monkeypatch.setattr(film_module, "BUDGETS", budgets)
    monkeypatch.setattr(film_module, "LEAST_COST", 1)
    monkeypatch.setattr(film_module, "LEAST_GLIMPSES", 4)


@pytest.fixture(scope="module")
def minute(tmp_path_factory):
    return write_clip(tmp_path_factory.mktemp("film") / "minute.mp4", pan(0.1), seconds=60.0)


@pytest.mark.usefixtures("small_budget")
def test_little_of_a_long_video_is_decoded_and_tells_the_same(minute):
    low, normal, full = (look(minute, effort=effort) for effort in Effort)
    assert low.seen < normal.seen < full.seen / 2
    assert full.seen == pytest.approx(60, abs=0.2)
    for seen in (low, normal):
        assert seen.motion.median == pytest.approx(full.motion.median, rel=0.15)
        assert seen.light.median == pytest.approx(full.light.median, rel=0.1)
        assert (seen.motion.level, seen.light.level) == (full.motion.level, full.light.level)
        assert seen.lanes.light[0] is not None
        assert seen.lanes.light[-1] is not None
        assert len(seen.lanes.light) * seen.lanes.step >= 60


def write_repeated(path, *, seconds, rate=2):
    """Write one tiny frame, encoded once, again and again."""
    frame = av.VideoFrame.from_ndarray(np.full((36, 64, 3), 90, np.uint8), format="rgb24")
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", rate=rate)
        stream.width, stream.height, stream.pix_fmt = 64, 36, "yuvj420p"
        (content,) = map(bytes, [*stream.encode(frame), *stream.encode(None)])
        for k in range(seconds * rate):
            packet = av.Packet(content)
            packet.stream, packet.time_base = stream, Fraction(1, rate)
            packet.pts = packet.dts = k
            packet.is_keyframe = True
            container.mux(packet)
    return path


@pytest.mark.parametrize("effort", [Effort.LOW, Effort.NORMAL])
def test_of_ten_hours_few_frames_are_decoded_however_small_they_are(tmp_path, effort):
    hours, most = 10 * 3600, film_module.BUDGETS[effort] / (640 * 360)
    path = write_repeated(tmp_path / "a.mov", seconds=hours)
    with Opened.open(str(path)) as opened:
        assert opened.duration == pytest.approx(hours)
        times = [shown.time for shown in opened.iter_frames(effort)]
    assert 100 < len(times) <= most
    assert times[0] < 600
    assert times[-1] > hours - 600


@pytest.mark.usefixtures("small_budget")
def test_cuts_of_a_long_video_are_estimated(tmp_path):
    scene = joined([still(k) for k in range(4)], 15.0)
    path = write_clip(tmp_path / "a.mp4", scene, seconds=60.0)
    assert look(path).cuts_per_minute == pytest.approx(3.0, abs=1.0)
    assert look(path, effort=Effort.FULL).cuts_per_minute == pytest.approx(3.0, abs=0.05)


@pytest.mark.usefixtures("small_budget")
def test_a_long_video_without_keyframes_is_seen_from_its_beginning(tmp_path):
    path = write_clip(tmp_path / "a.mp4", pan(0.1), seconds=60.0, gop=1000)
    seen = look(path)
    assert 1 < seen.seen < 30
    assert seen.motion.median == pytest.approx(0.1, rel=0.25)


class Counting:
    """Counts in a container what is read, and what of it is read without a word."""

    def __init__(self, container):
        self.container = container
        self.n_seeks = self.n_ends = self.n_packets = self.n_silent = self.most_silent = 0

    def __getattr__(self, name):
        return getattr(self.container, name)

    def demux(self, *streams):
        # All streams are read, whichever are asked for.
        asked = {stream.index for stream in streams}
        for packet in self.container.demux():
            self.n_packets += 1
            self.n_silent += 1
            self.most_silent = max(self.most_silent, self.n_silent)
            if packet.stream.index in asked:
                yield packet
        self.n_ends += 1

    def seek(self, offset, **options):
        self.n_seeks += 1
        self.container.seek(offset, **options)

    def told(self):
        self.n_silent = 0


def shown_and_counted(path):
    with Opened.open(str(path)) as opened:
        opened._container = counting = Counting(opened._container)
        shown = list(opened.iter_frames(on_progress=counting.told))
        opened._container = counting.container
    return shown, counting


def write_picture_and_sound(path, *, n_frames, seconds, codec="libx264"):
    with av.open(str(path), "w") as container:
        video = container.add_stream(codec, rate=10)
        video.width, video.height, video.pix_fmt = 64, 36, "yuv420p"
        sound = container.add_stream("aac", rate=16000, layout="mono")
        for k in range(n_frames):
            grey = np.full((36, 64, 3), 90, np.uint8)
            frame = av.VideoFrame.from_ndarray(grey, format="rgb24")
            frame.pts, frame.time_base = k, Fraction(1, 10)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        for k in range(seconds):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 16000), np.float32), "fltp", "mono")
            frame.sample_rate, frame.pts = 16000, k * 16000
            container.mux(sound.encode(frame))
        container.mux(sound.encode(None))


@pytest.mark.usefixtures("small_budget")
@pytest.mark.parametrize("n_frames", [1, 25])
@pytest.mark.parametrize("kind", ["mp4", "mkv", "ts"])
def test_sound_that_goes_on_after_the_picture_is_read_once(tmp_path, kind, n_frames):
    path = tmp_path / f"a.{kind}"
    write_picture_and_sound(path, n_frames=n_frames, seconds=300)
    with av.open(str(path)) as container:
        n_packets = sum(1 for _ in container.demux())
    shown, counting = shown_and_counted(path)
    assert 1 <= len(shown) <= n_frames
    assert counting.n_ends <= 3  # the last place may lie near it
    assert counting.n_packets < 3 * n_packets
    if kind == "mkv":  # where a seek beyond the last keyframe reads all
        assert counting.n_seeks <= 3
    assert counting.most_silent <= stream_module.TOLD_PACKETS


class CountedFile(io.FileIO):
    """A file that tells how many bytes were read."""

    n_read = 0

    def read(self, size=-1):
        content = super().read(size)
        self.n_read += len(content)
        return content

    def let_go(self):
        """Be closed by whoever opened it, as files in storage are."""


@pytest.mark.usefixtures("small_budget")
def test_a_stream_whose_picture_ends_early_is_not_read_again_and_again(tmp_path, monkeypatch):
    """Without an index, FFmpeg looks for the picture up to the end wherever it seeks."""
    path = tmp_path / "a.ts"
    write_picture_and_sound(path, n_frames=25, seconds=300)
    with CountedFile(path) as file:
        monkeypatch.setattr(film_module, "open_container", lambda _: av.open(file))
        shown, _ = shown_and_counted(path)
    assert len(shown) == 25
    assert file.n_read < 8 * path.stat().st_size


def write_unknown_codec(path):
    """Sound, and a picture of a codec that nobody knows."""
    write_picture_and_sound(path, n_frames=5, seconds=1, codec="mpeg4")
    content = path.read_bytes()
    for known, unknown in ((b"FMP4", b"QQQQ"), (b"V_MPEG4/ISO/ASP", b"V_QQQQQ/ISO/ASP")):
        content = content.replace(known, unknown)
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("name", "told"), [("a.avi", r" \(QQQQ\); convert"), ("a.mkv", "; convert")]
)
def test_a_codec_that_is_not_known_is_named_where_the_file_tells(tmp_path, name, told):
    write_unknown_codec(tmp_path / name)
    before = av.logging.get_level(), av.logging.get_skip_repeated()
    for _ in range(3):
        with pytest.raises(OpenError, match=f"a codec that is not known{told}"):
            look(tmp_path / name)
    assert (av.logging.get_level(), av.logging.get_skip_repeated()) == before


@pytest.mark.usefixtures("small_budget")
def test_nothing_is_decoded_only_to_get_to_the_last_frame_seen(tmp_path):
    path = write_clip(tmp_path / "a.mp4", seconds=100.0, gop=700)
    shown, counting = shown_and_counted(path)
    assert shown[0].time < 1
    assert 70 < shown[-1].time < 95
    assert [x.time for x in shown] == sorted({x.time for x in shown})
    assert counting.n_packets < 1.2 * film_module.BUDGETS[Effort.NORMAL] / (64 * 36)
    assert counting.most_silent < 20


def test_lanes_of_a_very_long_video_are_bounded():
    from asmr_classify.visual.look import MOST_VALUES, _draw_lanes

    lanes = _draw_lanes([(1.0, 0.5)], [(1.0, 0.5), (36000.0, 0.1)], 36000.0, 1)
    assert len(lanes.motion) <= MOST_VALUES
    assert len(lanes.motion) * lanes.step >= 36000
    assert lanes.light[-1] == 0.1


def test_files_without_a_picture_are_told_from_covers(tmp_path):
    assert look(DEMO / "noise-pink.flac").picture is Picture.NONE
    path = tmp_path / "a.m4a"
    write_covered(path)
    seen = look(path)
    assert seen.picture is Picture.COVER
    assert (seen.motion, seen.light, seen.flashes, seen.lanes) == (None, None, None, None)


def write_covered(path):
    from mutagen.mp4 import MP4, MP4Cover

    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=16000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 4096), np.float32), "fltp", "mono")
        frame.sample_rate = 16000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    tags = MP4(path)
    tags["covr"] = [MP4Cover(jpeg(), MP4Cover.FORMAT_JPEG)]
    tags.save()


def jpeg():
    context = av.CodecContext.create("mjpeg", "w")
    context.width, context.height, context.pix_fmt = 32, 32, "yuvj420p"
    context.time_base = Fraction(1, 25)
    frame = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")
    return b"".join(map(bytes, context.encode(frame.reformat(format="yuvj420p"))))


def test_of_two_pictures_the_first_is_looked_at(tmp_path):
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        streams = [container.add_stream("mpeg4", rate=10) for _ in range(2)]
        for stream in streams:
            stream.width, stream.height, stream.pix_fmt = 64, 36, "yuv420p"
        for k in range(10):
            for grey, stream in zip((20, 250), streams, strict=True):
                image = np.full((36, 64, 3), grey, np.uint8)
                frame = av.VideoFrame.from_ndarray(image, format="rgb24")
                frame.pts, frame.time_base = k, Fraction(1, 10)
                container.mux(stream.encode(frame))
        for stream in streams:
            container.mux(stream.encode(None))
    assert look(path).light.level == "dark"


def test_a_damaged_picture_is_seen_where_it_is_whole(tmp_path):
    path = write_clip(tmp_path / "a.mp4", seconds=6.0)
    damaged(path, keep=path.stat().st_size // 2, every=40)
    seen = look(path)
    assert 0 < seen.seen <= 6.1


def test_a_picture_that_cannot_be_decoded_is_an_error(tmp_path):
    path = write_clip(tmp_path / "a.mp4", seconds=2.0)
    damaged(path, keep=0, every=1)
    with pytest.raises(DecodeError, match="no picture could be decoded"):
        look(path)


def test_absurd_dimensions_are_refused_before_anything_is_decoded(tmp_path, monkeypatch):
    path = write_clip(tmp_path / "a.mp4", seconds=1.0)
    monkeypatch.setattr(stream_module, "MAX_PIXELS", 2000)
    with pytest.raises(OpenError, match=r"claims 64 x 36 pixels.*damaged"):
        look(path)


def test_a_missing_file_is_an_error(tmp_path):
    with pytest.raises(OpenError, match="no such file"):
        look(tmp_path / "a.mp4")


def test_progress_is_told_often(minute):
    told = []
    look(minute, on_progress=lambda: told.append(1))
    assert len(told) >= 600


@pytest.mark.parametrize("budgets", [{}, {Effort.NORMAL: 5e5}], ids=["whole", "places"])
def test_no_frame_is_kept_while_others_are_decoded(tmp_path, monkeypatch, budgets):
    path = write_clip(tmp_path / "a.mp4", seconds=3.0, size=(72, 40))
    monkeypatch.setattr(film_module, "BUDGETS", film_module.BUDGETS | budgets)

    def n_frames():
        # Of this width are none but those of this film: small ones are 128 pixels wide.
        return sum(type(x) is av.VideoFrame and x.width == 72 for x in gc.get_objects())

    kept = []
    with av.open(str(path)) as container:
        held = next(container.decode(video=0))
        assert n_frames() == 1
        del held
    with Opened.open(str(path)) as opened:
        shown = [*opened.iter_frames(on_progress=lambda: kept.append(n_frames()))]
    assert len(shown) > 10
    assert {*kept} == {0}


def test_small_pictures_of_any_shape_are_seen(tmp_path):
    for size in ((16, 16), (480, 16), (16, 480), (2000, 16), (16, 2000)):
        path = write_clip(tmp_path / "a.mkv", still(), seconds=1.0, size=size, codec="mpeg4")
        seen = look(path)
        assert (seen.picture, seen.motion.level, seen.cuts_per_minute) == ("still", "still", 0)


def test_frames_come_with_their_times(tmp_path):
    path = write_clip(tmp_path / "a.mp4", seconds=3.0)
    with Opened.open(str(path)) as opened:
        shown = list(opened.iter_frames())
    assert [round(x.time, 2) for x in shown] == [round(k / 10, 2) for k in range(30)]
    assert [x.is_next for x in shown] == [False] + [True] * 29


def test_nothing_heavy_is_loaded_for_sound():
    code = (
        "import sys; from asmr_classify.visual.look import look; "
        f"assert look({str(DEMO / 'noise-pink.flac')!r}).picture == 'none'; "
        "print(*sys.modules)"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not {"scipy", "librosa", "sklearn", "asmr_classify.visual.motion"} & set(loaded)


@pytest.mark.skipif(sys.platform != "linux", reason="threads are counted in /proc")
def test_frames_are_made_small_on_one_thread():
    """Each thread more would hold a scaler of its own, on each of the cores."""
    threads, shrinker = Path("/proc/self/task"), Shrinker()
    before = len([*threads.iterdir()])
    image = shrinker.shrink(av.VideoFrame(1280, 720, "yuv420p"))
    assert image.shape == (72, 128, 3)
    assert len([*threads.iterdir()]) == before
