"""How videos look, from the files to each command that tells of it or asks for it."""

from __future__ import annotations

import json
import re
from fractions import Fraction

import av
import numpy as np
import pytest
from typer.testing import CliRunner

from asmr_classify.cli.app import app
from tests.library.reading import read_m3u8

RATE, SECONDS, SIZE = 24, 4, (160, 90)


@pytest.fixture
def run(place, in_this_process, model_file, monkeypatch):  # noqa: ARG001 (where it works)
    monkeypatch.setenv("XDG_CACHE_HOME", str(place / "cache"))
    monkeypatch.setenv("ASMR_CLASSIFY_CATALOGUE", str(place / "library.sqlite"))

    def run(*arguments):
        done = CliRunner().invoke(app, [*map(str, arguments)])
        assert done.exit_code == 0, done.stderr
        return done.stdout

    return run


def write_mute(path, draw):
    """A video without sound."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        for k in range(RATE * SECONDS):
            frame = av.VideoFrame.from_ndarray(draw(k / RATE), format="rgb24")
            frame.pts, frame.time_base = k, Fraction(1, RATE)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def panned(level, pixels_a_second):
    """Soft waves around a grey level, that go past."""
    y, x = np.mgrid[: SIZE[1], : SIZE[0]]

    def draw(seconds):
        moved = x + pixels_a_second * seconds
        waves = np.sin(moved / 11) + np.sin(moved / 7 + y / 9) + np.sin(y / 13 - moved / 17)
        grey = (level + level / 4 * waves).clip(0, 255).astype(np.uint8)
        return np.repeat(grey[:, :, None], 3, axis=2)

    return draw


@pytest.fixture
def library(run, place, model_file):
    """A dark video in which nothing moves, and a bright one in which all does."""
    write_mute(place / "calm.mp4", panned(30, 0))
    write_mute(place / "fast.mp4", panned(140, 90))
    run("label", ".", "--catalogue", "--model", model_file, "-q", "-o", "labels.jsonl")
    return run


def test_what_is_seen_is_found_sorted_and_played(library, place):
    def found(*query):
        lines = library("find", *query, "--json").splitlines()
        return [json.loads(line)["path"].rpartition("/")[2] for line in lines]

    assert found("no_sound", "visual:still", "light:dark") == ["calm.mp4"]
    assert found("picture:still") == ["calm.mp4"]
    assert found("visual:lively", "light:bright", "flashes:1..3") == ["fast.mp4"]
    assert found("--sort", "light-") == found("--sort", "motion-") == ["fast.mp4", "calm.mp4"]
    played = read_m3u8(library("playlist", "--visual", "still,slow", "--light", "dark"), ".")
    assert [entry.title for entry in played] == ["calm · still"]
    library("playlist", "--light", "dark,bright", "--order", "path", "-o", "all.m3u8")
    assert (place / "all.m3u8").read_text().count("#EXTINF:4,") == 2


def test_what_is_seen_names_files_and_is_written_into_them(library, place):
    library("organise", "picture:still,visual:lively", "--root", ".", "--to",
            "{light}/{visual} {picture}.{ext}", "--yes")  # fmt: skip
    assert (place / "dark" / "still still.mp4").exists()
    assert (place / "bright" / "lively video.mp4").exists()
    library("tag", "light:dark", "--yes")
    with av.open(str(place / "dark" / "still still.mp4")) as container:
        assert container.metadata["ASMR_VISUAL"] == "picture=still motion=still light=dark"


def test_what_is_seen_is_in_the_report_and_its_files(library, place):
    library("report", "labels.jsonl", "-q")
    page = (place / "report.html").read_text()
    data = json.loads(re.search(r'id="data">(.*)</script>\n', page)[1])
    calm, fast = data["files"]
    assert (calm["seen"]["picture"], calm["seen"]["light"][0]) == ("still", "dark")
    assert (fast["seen"]["motion"][0], fast["seen"]["light"][0]) == ("lively", "bright")
    assert all({"film", "lanes"} <= set(file) for file in data["files"])
    assert len(list((place / "cache").rglob("films/*/*"))) == 2
