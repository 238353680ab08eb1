"""How well ``label`` sees: levels, cuts and flashes of videos with an exact truth, and its cost."""

from __future__ import annotations

import math
import sys
import tempfile
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import partial
from itertools import islice, product
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np

from asmr_classify import label_file, load_model
from asmr_classify.threads import one_thread
from asmr_classify.visual.cuts import CutFinder, to_thumbnail
from asmr_classify.visual.film import BUDGETS, plan
from asmr_classify.visual.film import Film as Opened
from asmr_classify.visual.flashes import to_cells
from asmr_classify.visual.levels import light_level, motion_level
from asmr_classify.visual.light import from_lightness, to_lightness, to_linear, to_luminance
from asmr_classify.visual.look import look
from asmr_classify.visual.seen import Effort, Picture
from asmr_classify.visual.small import Shrinker
from tests.benchmarks.measure import median_ratio, one_core, run_python
from tests.benchmarks.report import Table
from tests.conftest import shared_folder
from tests.visual import scenes
from tests.visual.scenes import Film, write_film, write_frames
from tests.visual.test_flashes import brute_force

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from asmr_classify.visual.seen import Visual
    from tests.visual.scenes import Scene

    Row = tuple[object, ...]

ABOUT = """\
Scenes whose motion, light and cuts are known exactly (see `tests/visual/scenes.py`) are filmed at
320 x 180, four seconds each, in four codecs at three bit rates, and looked at with normal effort. A
level is right if it is that of the true motion or light; of scenes within a quarter of a threshold
it is not asked. The kind of picture is right if one picture is `still`, and what moves or is cut a
`video`; of what only changes, by light, fades or grain, it is not asked. Cuts, and what may be
taken for them (fades, flicker, fast pans), are told within 0.1 s; PySceneDetect's ContentDetector
and AdaptiveDetector are asked for those of the same files, with their own thresholds and scenes of
three frames and more, and the better one is told: nearly all of the cuts that they find and that
are none are flicker, which they are not made for. Flashes are compared with a count that follows
the definition cell by cell, over the decoded frames of what flickers or goes past fast. What is
interlaced is woven of two times in each frame, and cuts fall between them, too. Cost is the median
of `count` ratios, taken by turns in one process that is pinned to one core: a clip of 1080p at 4
Mbit/s, of a real scene where the shared media are there, with stereo AAC, repeated to half an hour.
Two passes over one is how long it takes to decode all sound and then to seek for what is seen of
the picture, over decoding both while all packets of the file go by once: what `label` does is
faster where that is below 1. Memory is what `label` of a 4K video of half an hour held at most over
what it held of its sound alone; of the sound of a minute it holds less, so that what the decoder of
the picture holds shows more. `python -m tests.benchmarks.visual VP9 AV1` measures cost and memory
of these codecs alone, and prints them."""

CODECS = {
    "H.264": ("libx264", (("preset", "veryfast"),)),
    "H.265": ("libx265", (("preset", "ultrafast"), ("x265-params", "log-level=none"))),
    "VP9": ("libvpx-vp9", (("deadline", "realtime"), ("cpu-used", "8"))),
    "MPEG-4": ("mpeg4", ()),
}
BIT_RATES = (150_000, 400_000, 1_500_000)

SMALL_SHARES, SMALL_SPEEDS, SMALL_BIT_RATE = (0.01, 0.02, 0.05), (0.1, 0.3, 0.6, 1.0), 400_000

SIZE, SECONDS = (320, 180), 4.0
RATE, FAST_RATE = 25.0, 50.0
"""Frames a second: at the lower one a flicker of 20 Hz cannot be told from one of 5."""

JUDGED = {"picture": "kind of picture", "motion": "level of motion", "light": "level of light"}

NEAR = 0.1
"""Seconds within which a cut is found."""

MARGIN = 1.25
HALF_HOUR = 1800.0
REPEATS = {"H.264": 3, "H.265": 1, "VP9": 1, "AV1": 1}
COST_CODECS = {
    "H.264": ("libx264", (("preset", "medium"),)),
    "H.265": ("libx265", (("preset", "fast"), ("x265-params", "log-level=none"))),
    "VP9": ("libvpx-vp9", (("deadline", "realtime"), ("cpu-used", "6"))),
    "AV1": ("libsvtav1", (("preset", "10"),)),
}


def run() -> Table:
    """Measure all."""
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows += _accuracy_rows(folder)
        rows += _small_rows(folder)
        with one_core(), one_thread():
            rows += _cost_rows(folder, COST_CODECS)
        rows += _memory_rows(folder, COST_CODECS)
    return Table("visual", ABOUT, ("what", "count", "value", "unit", "reach"), tuple(rows))


def make_scenes() -> list[Scene]:
    """List what is filmed; photographs too, where the shared media are there."""
    still, pan, hand, lit = scenes.still(), scenes.pan, scenes.hand, scenes.lit
    some = [
        still, scenes.grainy(still), scenes.plain(0.1), scenes.plain(0.33),
        pan(0.02), pan(0.2), pan(0.5), hand(0.05), hand(0.15), hand(0.8),
        scenes.turning(0.1), scenes.zooming(1.0), scenes.grainy(pan(0.05)), scenes.barred(pan(0.2)),
        lit(still, lambda t: 0.4 + 0.12 * t, "ramp"),
        *(lit(still, _flicker(hertz), f"{hertz} Hz") for hertz in (2, 5, 12, 20)),
        lit(pan(0.05), _flicker(4), "4 Hz"),
        scenes.joined([scenes.still(k) for k in range(10)], 0.4),
        scenes.joined([pan(0.2, seed=k) for k in range(5)], 0.8),
        scenes.joined([pan(0.05, seed=k) for k in range(4)], 1.0, fade=0.7),
        scenes.joined([scenes.grainy(pan(0.5, seed=k)) for k in range(4)], 1.0),
        scenes.joined([lit(scenes.still(k), lambda _: 0.25, "dark") for k in range(5)], 0.8),
        scenes.joined([scenes.still(k) for k in range(3)], 1.4, fade=0.5),
        *map(scenes.interlaced, (still, pan(0.05), pan(0.3), hand(0.15), scenes.turning(0.2))),
        scenes.interlaced(scenes.joined([pan(0.2, seed=k) for k in range(5)], 0.82)),
        scenes.interlaced(lit(pan(0.05), _flicker(5), "5 Hz")),
    ]  # fmt: skip
    photographs = [scenes.of_photograph(image) for image in _photographs()]
    some += [pan(0.04, tex=tex) for tex in photographs]
    some += [scenes.turning(0.2, tex=tex) for tex in photographs[:1]]
    some += [scenes.zooming(0.5, tex=tex) for tex in photographs[1:2]]
    if photographs:
        some.append(scenes.joined([pan(0.05, tex=tex) for tex in photographs], 1.0))
    return some


def _small_rows(folder: Path) -> Iterator[Row]:
    """Measure how fast what is small seems to move, over its true speed."""
    encoder, options = CODECS["H.264"]
    film, path = Film(SIZE, SECONDS, RATE, encoder, SMALL_BIT_RATE, options), folder / "small.mp4"
    for share, speed in product(SMALL_SHARES, SMALL_SPEEDS):
        scene = scenes.hand(speed, share=share)
        write_film(path, scene, film)
        motion = look(path).motion
        ratio = motion.median / scene.motion if motion else 0.0
        what = f"{share:.0%} of the picture moves {speed:g} diagonals a second, measured over true"
        yield what, 1, ratio, "times", ""


def _flicker(hertz: float):
    return lambda t: 0.75 + 0.25 * np.sign(np.sin(2 * np.pi * hertz * t + 0.05))


def _photographs() -> Iterator[np.ndarray]:
    names = ("cat-silent-sound.mp4", "soap-cutting.mp4", "frog.webm")
    for path in (shared_folder() / "media" / name for name in names):
        if path.is_file():
            with av.open(str(path)) as container:
                yield next(container.decode(video=0)).to_ndarray(format="rgb24")


@dataclass
class Tally:
    """What was right and wrong in the films of one codec and bit rate."""

    picture: list[bool] = field(default_factory=list)
    motion: list[bool] = field(default_factory=list)
    light: list[bool] = field(default_factory=list)
    flashes: list[bool] = field(default_factory=list)
    cuts: np.ndarray = field(default_factory=lambda: np.zeros(3))
    peers: np.ndarray = field(default_factory=lambda: np.zeros((2, 3)))


def _accuracy_rows(folder: Path) -> Iterator[Row]:
    tallies = {(codec, bit_rate): Tally() for codec in CODECS for bit_rate in BIT_RATES}
    for scene in make_scenes():
        rate = FAST_RATE if scene.name.endswith("20 Hz") else RATE
        times = [k / rate for k in range(round(rate * SECONDS))]
        images = [scenes.to_8_bit(scene.picture(time, SIZE)) for time in times]
        for (codec, bit_rate), tally in tallies.items():
            encoder, options = CODECS[codec]
            film = Film(SIZE, SECONDS, rate, encoder, bit_rate, options)
            path = folder / f"{codec}.mp4"
            write_frames(path, zip(times, images, strict=True), film)
            _judge(path, scene, tally)
    for judged, what in JUDGED.items():
        right = [x for tally in tallies.values() for x in getattr(tally, judged)]
        yield f"all films: {what} right", len(right), _mean(right), "share", ">= 0.97"
    for (codec, bit_rate), tally in tallies.items():
        yield from _rows_of(f"{codec}, {bit_rate // 1000} kbit/s", tally)


def _judge(path: Path, scene: Scene, tally: Tally) -> None:
    seen, shown = look(path), _frames(path)
    tally.picture += _is_picture_right(scene, seen)
    tally.motion += _is_motion_right(scene, seen)
    tally.light += _is_light_right(scene, seen)
    may_flash = " Hz" in scene.name or "0.5" in scene.name
    if may_flash:
        tally.flashes.append(seen.flashes == brute_force(*_cells(shown)))
    if not (scene.cuts or may_flash or "fades" in scene.name):
        return
    tally.cuts += _matches(scene.cuts, _find_cuts(shown))
    for k, found in enumerate(_peer_cuts(path)):
        tally.peers[k] += _matches(scene.cuts, found)


def _rows_of(name: str, tally: Tally) -> Iterator[Row]:
    n_cuts, best = int(tally.cuts[0] + tally.cuts[2]), max(map(_f1, tally.peers))
    for judged, what in JUDGED.items():
        right = getattr(tally, judged)
        yield f"{name}: {what} right", len(right), _mean(right), "share", ">= 0.97"
    yield f"{name}: cuts", n_cuts, _f1(tally.cuts), "F1", ">= 0.95"
    if best > 0:
        yield f"{name}: cuts by PySceneDetect", n_cuts, best, "F1", ""
    yield f"{name}: flashes as defined", len(tally.flashes), _mean(tally.flashes), "share", "1"


def _mean(right: list[bool]) -> float:
    return float(np.mean(right))


def _is_picture_right(scene: Scene, seen: Visual) -> list[bool]:
    if scene.is_still:
        return [seen.picture is Picture.STILL]
    return [seen.picture is Picture.VIDEO] if scene.motion or scene.cuts else []


def _is_motion_right(scene: Scene, seen: Visual) -> list[bool]:
    level = motion_level(scene.motion, scene.motion)
    sure = {motion_level(scene.motion * x, scene.motion * x) for x in (1 / MARGIN, MARGIN)}
    if sure != {level}:
        return []
    return [seen.motion is not None and seen.motion.level is level]


def _is_light_right(scene: Scene, seen: Visual) -> list[bool]:
    """Compare with the light of what was drawn, as far as that is clear."""
    lights = []
    for time in np.linspace(0, SECONDS - 0.04, 21):
        image = scenes.to_8_bit(scene.picture(float(time), (160, 90)))
        image = image[image.reshape(len(image), -1).max(axis=1) > 0]  # without bars
        lightness = to_lightness(to_luminance(to_linear(image))).mean()
        lights.append(from_lightness(float(lightness)))
    true = float(np.median(lights))
    if len({light_level(true * x) for x in (1 / MARGIN, MARGIN)}) > 1:
        return []
    return [seen.light is not None and seen.light.level is light_level(true)]


def _frames(path: Path):
    with Opened.open(str(path)) as film:
        return list(film.iter_frames(Effort.FULL))


def _cells(shown):
    cells = [to_cells(to_luminance(to_linear(x.image))) for x in shown]
    return [x.time for x in shown], np.stack(cells)


def _find_cuts(shown) -> list[float]:
    finder = CutFinder()
    for x in shown:
        finder.see(x.time, to_thumbnail(x.image), is_next=x.is_next)
    finder.finish()
    return finder.times


def _peer_cuts(path: Path) -> Iterator[list[float]]:
    try:
        import scenedetect
    except ImportError:
        return
    for detector in (scenedetect.ContentDetector, scenedetect.AdaptiveDetector):
        found = scenedetect.detect(str(path), detector(min_scene_len=3))
        yield [start.get_seconds() for start, _ in found[1:]]


def _matches(true: tuple[float, ...], found: list[float]) -> np.ndarray:
    """Count cuts that were found, that are none, and that were missed."""
    left = list(found)
    for cut in true:
        near = [x for x in left if abs(x - cut) <= NEAR]
        if near:
            left.remove(min(near, key=lambda x: abs(x - cut)))
    n_right = len(found) - len(left)
    return np.array([n_right, len(left), len(true) - n_right])


def _f1(counts: np.ndarray) -> float:
    right, wrong, missed = counts
    return float(2 * right / max(1, 2 * right + wrong + missed))


def _cost_rows(folder: Path, codecs: Iterable[str]) -> Iterator[Row]:
    model = load_model()
    for codec in codecs:
        path = _write_long(folder, codec, (1920, 1080), HALF_HOUR)
        label_file(path, model=model)

        def both(path=path):
            label_file(path, model=model)
            look(path)

        sound_alone = partial(label_file, path, model=model)
        ratio, ours, sound = median_ratio(both, sound_alone, REPEATS[codec])
        reach = "<= 1.5" if codec == "H.264" else ""
        what = f"{codec}, half an hour of 1080p"
        yield f"{what}, over its sound alone", REPEATS[codec], ratio, "times", reach
        yield f"{what}, picture alone", REPEATS[codec], ours - sound, "s", ""
        in_two, in_one = partial(_decode_in_two_passes, path), partial(_decode_in_one_pass, path)
        passes, *_ = median_ratio(in_two, in_one, REPEATS[codec])
        yield f"{what}, two passes over one", REPEATS[codec], passes, "times", ""
        path.unlink()


def _decode_in_two_passes(path: Path) -> int:
    """Decode all sound, then of the picture what normal effort asks for, by seeking."""
    with av.open(str(path)) as container:
        for _ in container.decode(audio=0):
            pass
    with Opened.open(str(path)) as film:
        return sum(1 for _ in film.iter_frames())


def _decode_in_one_pass(path: Path) -> int:
    """Decode as much while all packets go by: pictures from the keyframe after each place."""
    with Opened.open(str(path)) as film:
        duration, rate = film.duration or 0.0, film.rate
    n_frames, shrinker = 0, Shrinker()
    with av.open(str(path)) as container:
        video, sound = container.streams.video[0], container.streams.audio[0]
        video.codec_context.thread_count = 1
        places = plan(duration, rate, BUDGETS[Effort.NORMAL] / (video.width * video.height))
        is_begun, end = False, None
        for packet in container.demux(video, sound):
            if packet.stream == sound:
                packet.decode()
                continue
            if not is_begun and places and _is_keyframe_after(packet, places[0][0]):
                is_begun, end = True, None
            for frame in packet.decode() if is_begun else ():
                end = frame.time + places[0][1] if end is None else end
                n_frames += 1
                shrinker.shrink(frame)
                if frame.time + 1 / rate > end:
                    video.codec_context.flush_buffers()
                    is_begun, places = False, places[1:]
                    break
    return n_frames


def _is_keyframe_after(packet: av.Packet, start: float) -> bool:
    return packet.is_keyframe and float(packet.pts * packet.time_base) >= start


def _memory_rows(folder: Path, codecs: Iterable[str]) -> Iterator[Row]:
    for codec in codecs:
        for seconds, length, reach in (
            (HALF_HOUR, "half an hour", "<= 100"),
            (60.0, "a minute", ""),
        ):
            path = _write_long(folder, codec, (3840, 2160), seconds)
            label = ("-m", "asmr_classify", "label", str(path), "--json", "--quiet", "--jobs", "1")
            with_picture = run_python(*label)[1]
            without = run_python(*label, "--no-video")[1]
            path.unlink()
            what = f"{codec}, {length} of 4K, memory over its sound alone"
            yield what, 1, with_picture - without, "MB", reach


def _write_long(folder: Path, codec: str, size: tuple[int, int], seconds: float) -> Path:
    """Write ten seconds of video, and repeat them, with sound."""
    encoder, options = COST_CODECS[codec]
    clip, path = folder / f"clip-{size[1]}.mp4", folder / f"long-{codec}.mp4"
    film = Film(size, 5.0, 30.0, encoder, 4_000_000, options, gop=60)
    write_clip(clip, film)
    repeat(clip, path, seconds)
    return path


def write_clip(path: Path, film: Film) -> None:
    """Film a real scene where there is one, else one that is drawn."""
    real = shared_folder() / "media" / "cat-silent-sound.mp4"
    n_frames = round(film.seconds * film.rate)
    if real.is_file():
        with av.open(str(real)) as source:
            frames = list(islice(source.decode(video=0), n_frames))
        images = (frame.reformat(*film.size, format="rgb24").to_ndarray() for frame in frames)
        write_frames(path, ((k / film.rate, x) for k, x in enumerate(images)), film)
    else:
        write_film(path, scenes.grainy(scenes.hand(0.15), 0.01), replace(film, seconds=2.0))


def repeat(clip: Path, path: Path, seconds: float) -> None:
    """Repeat a clip by its packets, and add stereo sound."""
    with av.open(str(clip)) as source, av.open(str(path), "w") as target:
        stream = source.streams.video[0]
        packets = [packet for packet in source.demux(stream) if packet.size]
        begin = min(packet.dts for packet in packets)
        length = max(packet.dts + packet.duration for packet in packets) - begin
        kept = [(bytes(p), p.pts, p.dts, p.is_keyframe, p.duration) for p in packets]
        # AV1 has decoders that are no encoders, which are not looked for then.
        picture = target.add_stream_from_template(stream, opaque=True)
        sound = target.add_stream("aac", rate=44100, layout="stereo", bit_rate=128_000)
        noise = np.random.default_rng(0).normal(0, 0.05, (2, 44100)).astype(np.float32)
        tick = float(stream.time_base)
        n_heard = 0
        for turn in range(math.ceil(seconds / (length * tick))):
            for data, pts, dts, is_key, duration in kept:
                packet = av.Packet(data)
                packet.stream, packet.time_base = picture, Fraction(stream.time_base)
                packet.pts, packet.dts = pts + turn * length, dts + turn * length
                packet.duration, packet.is_keyframe = duration, is_key
                target.mux(packet)
            while n_heard < (turn + 1) * length * tick:
                frame = av.AudioFrame.from_ndarray(noise, "fltp", "stereo")
                frame.sample_rate, frame.pts = 44100, n_heard * 44100
                target.mux(sound.encode(frame))
                n_heard += 1
        target.mux(sound.encode(None))


def main() -> None:
    """Measure cost and memory of the codecs that are named, and print the rows."""
    codecs = sys.argv[1:]
    unknown = set(codecs).difference(COST_CODECS)
    if unknown or not codecs:
        sys.exit(f"name some of {', '.join(COST_CODECS)}")
    with tempfile.TemporaryDirectory() as name:
        with one_core(), one_thread():
            rows = [*_cost_rows(Path(name), codecs)]
        rows += _memory_rows(Path(name), codecs)
    for row in rows:
        print(*row, sep=" | ")  # noqa: T201


if __name__ == "__main__":
    main()
