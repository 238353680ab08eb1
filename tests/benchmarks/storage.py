"""Recordings in object storage: their labelling by that of files, and what is fetched for it."""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import av
import numpy as np

from asmr_classify import label_paths
from asmr_classify.classify import label_file
from asmr_classify.media.blocks import BLOCK_BYTES, take_fetched
from asmr_classify.media.discover import discover
from asmr_classify.media.found import Found
from asmr_classify.media.opening import open_bytes
from tests.benchmarks.measure import REPEATS, seconds
from tests.benchmarks.report import Table
from tests.media.make_media import RECIPES, write_media
from tests.storage import BUCKET, running

if TYPE_CHECKING:
    from collections.abc import Iterator

N_FILES, DURATION = 10, 60.0
N_CLIPS, CLIP_DURATION = 100, 2.0
VIDEO_DURATION, VIDEO_FPS, PICTURE_BYTES = 240, 25, 40_000

FILES = f"{{}} files of {DURATION:.0f} s"
CLIPS = f"{{}} clips of {CLIP_DURATION:.0f} s"
VIDEO = "a video of {} s"
"""Names of rows."""

ABOUT = f"""\
The same recordings labelled from the disk and from an S3 server (that of moto, in a process beside
this one), by turns, each time by one worker (`--jobs 1`) once it is at work: {N_FILES} AAC files of
{DURATION:.0f} s, {N_CLIPS} clips of {CLIP_DURATION:.0f} s, and a video of {VIDEO_DURATION} s with
{VIDEO_FPS} pictures of {PICTURE_BYTES // 1000} kB a second and its index at the end, which is
listened to only. The worker and the server have a core each. What it takes to fetch the same and do
nothing with it stands beside that. Fetched is what one labelling of all asks for. `reach` is what
is aimed at."""

HEAD = (
    "what",
    "storage over disk",
    "reach",
    "storage s",
    "disk s",
    "fetching alone s",
    "MB",
    "MB fetched",
    "requests",
    "files",
)

FIRST = "0.wav"
"""What the worker labels before the clock is started."""


def run(n_files: int = N_FILES, n_clips: int = N_CLIPS, video: int = VIDEO_DURATION) -> Table:
    """Measure."""
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as name, running() as server:
        folder = Path(name)
        write_media(folder / FIRST, _noise(rng, CLIP_DURATION), RECIPES["wav"])
        sets = {
            FILES.format(n_files): [
                write_media(folder / f"{n}.m4a", _noise(rng, DURATION), RECIPES["m4a"])
                for n in range(n_files)
            ],
            CLIPS.format(n_clips): [
                write_media(folder / f"clip-{n}.wav", _noise(rng, CLIP_DURATION), RECIPES["wav"])
                for n in range(n_clips)
            ],
            VIDEO.format(video): [make_video(folder / "video.mov", rng, video)],
        }
        with mock.patch.dict(os.environ, server.environment), _asking_anew():
            for path in folder.iterdir():
                server.put(f"bench/{path.name}", path.read_bytes())
            rows = tuple(_row(what, paths) for what, paths in sets.items())
    return Table("storage", ABOUT, HEAD, rows)


@contextmanager
def _asking_anew() -> Iterator[None]:
    """Ask the server of this environment, and afterwards whichever is told then."""
    from s3fs import S3FileSystem

    S3FileSystem.clear_instance_cache()
    try:
        yield
    finally:
        S3FileSystem.clear_instance_cache()


def _row(what: str, paths: list[Path]) -> tuple[Any, ...]:
    include, there, here = [path.name for path in paths], f"s3://{BUCKET}/bench", paths[0].parent
    pairs = [(_label(here, include), _label(there, include)) for _ in range(REPEATS)]
    finds = [find for find in discover([there], include=include) if isinstance(find, Found)]
    alone = seconds(lambda: [_fetch(found.path) for found in finds])
    take_fetched()
    for found in finds:
        label_file(found.path)
    fetched = take_fetched()
    return (
        what,
        statistics.median(ours / other for other, ours in pairs),
        "1.3",
        statistics.median(ours for _, ours in pairs),
        statistics.median(other for other, _ in pairs),
        alone,
        sum(path.stat().st_size for path in paths) / 1e6,
        fetched.n_bytes / 1e6,
        fetched.n_requests,
        len(paths),
    )


def _label(folder: str | Path, include: list[str]) -> float:
    """Label what is included; tell how long it took after the first, which is not."""
    results = label_paths([folder], jobs=1, include=[FIRST, *include], video=None)
    next(results)
    began = time.perf_counter()
    problems = [result.error for result in results]
    if problems != [None] * len(include):
        raise RuntimeError(problems)
    return time.perf_counter() - began


def _fetch(path: str) -> None:
    file = open_bytes(path)
    while file.read(BLOCK_BYTES):
        pass
    file.let_go()


def _noise(rng: np.random.Generator, duration: float) -> np.ndarray:
    return (0.1 * rng.standard_normal((2, round(32000 * duration)))).astype(np.float32)


def make_video(path: Path, rng: np.random.Generator, duration: int = VIDEO_DURATION) -> Path:
    """Write a video with sound between pictures, which are never looked at and so are noise."""
    y = _noise(rng, float(duration))
    with av.open(str(path), "w") as container:
        sound = container.add_stream("aac", rate=32000)
        picture = container.add_stream("mjpeg", rate=VIDEO_FPS)
        picture.width, picture.height, picture.pix_fmt = 640, 360, "yuvj420p"
        for number in range(duration * VIDEO_FPS):
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
