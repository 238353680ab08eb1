"""Recordings in object storage: their labelling by that of files, and what is fetched for it."""

from __future__ import annotations

import os
import tempfile
from fractions import Fraction
from pathlib import Path
from unittest import mock

import av
import numpy as np

from asmr_classify.classify import label_file
from asmr_classify.media.discover import Found, discover
from asmr_classify.media.remote import take_fetched
from asmr_classify.model import load_model
from tests.benchmarks.measure import median_ratio
from tests.benchmarks.report import Table
from tests.media.make_media import RECIPES, write_media
from tests.storage import BUCKET, running

N_FILES, DURATION = 10, 60.0
N_CLIPS, CLIP_DURATION = 100, 2.0
VIDEO_DURATION, VIDEO_FPS, PICTURE_BYTES = 240, 25, 40_000

ABOUT = f"""\
The same recordings labelled from the disk and from an S3 server (that of moto, in a process beside
this one), by turns in one process: {N_FILES} AAC files of {DURATION:.0f} s, {N_CLIPS} clips of
{CLIP_DURATION:.0f} s, and a video of {VIDEO_DURATION} s with {VIDEO_FPS} pictures of
{PICTURE_BYTES // 1000} kB a second and its index at the end. The server takes its share of the
cores; a request to it takes some milliseconds. Fetched is what one labelling of all asks for."""


def run() -> Table:
    """Measure."""
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as name, running() as server:
        folder = Path(name)
        sets = {
            f"{N_FILES} files of {DURATION:.0f} s": [
                write_media(folder / f"{n}.m4a", _noise(rng, DURATION), RECIPES["m4a"])
                for n in range(N_FILES)
            ],
            f"{N_CLIPS} clips of {CLIP_DURATION:.0f} s": [
                write_media(folder / f"clip-{n}.wav", _noise(rng, CLIP_DURATION), RECIPES["wav"])
                for n in range(N_CLIPS)
            ],
            f"a video of {VIDEO_DURATION} s": [make_video(folder / "video.mov", rng)],
        }
        with mock.patch.dict(os.environ, server.environment):
            rows = tuple(_row(what, paths, server) for what, paths in sets.items())
    head = ("what", "storage over disk", "storage s", "disk s", "MB", "MB fetched", "requests")
    return Table("storage", ABOUT, head, rows)


def _row(what, paths, server):
    for path in paths:
        server.put(f"bench/{path.name}", path.read_bytes())
    model = load_model()

    def label(prefix):
        for found in discover([prefix], include=[path.name for path in paths]):
            if not isinstance(found, Found):
                continue
            result = label_file(found.path, model=model)
            if result.error is not None:
                raise RuntimeError(result.error.message)

    ratio, there, here = median_ratio(
        lambda: label(f"s3://{BUCKET}/bench"), lambda: label(str(paths[0].parent))
    )
    take_fetched()
    label(f"s3://{BUCKET}/bench")
    fetched = take_fetched()
    n_bytes = sum(path.stat().st_size for path in paths)
    return what, ratio, there, here, n_bytes / 1e6, fetched.n_bytes / 1e6, fetched.n_requests


def _noise(rng, duration):
    return (0.1 * rng.standard_normal((2, round(32000 * duration)))).astype(np.float32)


def make_video(path: Path, rng: np.random.Generator) -> Path:
    """Write a video with sound between pictures, which are never looked at and so are noise."""
    y = _noise(rng, float(VIDEO_DURATION))
    with av.open(str(path), "w") as container:
        sound = container.add_stream("aac", rate=32000)
        picture = container.add_stream("mjpeg", rate=VIDEO_FPS)
        picture.width, picture.height, picture.pix_fmt = 640, 360, "yuvj420p"
        for number in range(VIDEO_DURATION * VIDEO_FPS):
            packet = av.Packet(rng.bytes(PICTURE_BYTES))
            packet.stream, packet.is_keyframe = picture, True
            packet.time_base = Fraction(1, VIDEO_FPS)
            packet.pts = packet.dts = number
            container.mux(packet)
            first = number * 32000 // VIDEO_FPS
            frame = av.AudioFrame.from_ndarray(
                np.ascontiguousarray(y[:, first : first + 32000 // VIDEO_FPS]), "fltp", "stereo"
            )
            frame.sample_rate, frame.pts = 32000, first
            container.mux(sound.encode(frame))
        container.mux(sound.encode(None))
    return path
