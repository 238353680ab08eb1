"""What the guides for users say is true: their commands run, one after the other."""

from __future__ import annotations

import configparser
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import textwrap

import pytest
import soundfile

from asmr_classify.media.remote import read_head
from asmr_classify.media.source import Url
from tests.conftest import DEMO, ROOT
from tests.test_readme import shell

GUIDES = ("tagging", "uploads", "dataset", "watching", "cluster", "storage", "playlists")
TEXTS = {name: (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8") for name in GUIDES}


@pytest.mark.parametrize("name", GUIDES)
def test_its_commands_run_in_order(name, tmp_path, request):
    blocks = re.findall(r"<!-- run -->\n```sh\n(.*?)```", TEXTS[name], re.DOTALL)
    n_others = len(re.findall(r"<!-- run: .* -->\n```sh", TEXTS[name]))  # which run elsewhere
    assert len(blocks) + n_others == TEXTS[name].count("```sh") > 2
    shutil.copytree(ROOT / "data" / "demo", tmp_path / "data" / "demo")
    if name == "storage":
        storage = request.getfixturevalue("storage")
        for path in DEMO.iterdir():
            storage.put(f"sleep/{path.name}", path.read_bytes())
    for block in blocks:
        done = shell(block, tmp_path)
        assert done.returncode == 0, f"{block}\n{done.stdout}\n{done.stderr}"
    check_outcome(name, tmp_path)


@pytest.mark.skipif(shutil.which("jq") is None, reason="jq is not installed")
def test_what_check_finds_good_is_played(tmp_path):
    shutil.copytree(ROOT / "data" / "demo", tmp_path / "data" / "demo")
    [recipe] = re.findall(r"^    printf .*?(?=^\S)", TEXTS["playlists"], re.DOTALL | re.MULTILINE)
    done = shell(textwrap.dedent(recipe), tmp_path)
    assert done.returncode == 0, done.stderr
    assert "tap-wood" in (tmp_path / "calm.m3u8").read_text()
    assert "whisper-slow" not in (tmp_path / "calm.m3u8").read_text()


def check_outcome(name, place):
    """What the guide promises is there at its end."""
    if name == "tagging":
        assert (place / "music" / "tap" / "tap-wood [tap].flac").exists()
        assert not (place / "music" / "tap-wood.flac").exists()
        assert "<tag>ASMR: tap</tag>" in (place / "videos" / "tapping.nfo").read_text()
        assert "tap-wood" in (place / "tonight.m3u8").read_text()
        assert (place / "whispers" / "whisper-slow.flac").exists()
        assert (place / "library.html").stat().st_size > 10_000
    elif name == "uploads":
        assert len(list((place / "subtitles").rglob("*.vtt"))) == 12
        assert list((place / "uploads").rglob("tap/tap-wood (*, no talking).flac"))
        assert (place / "data" / "demo" / "tap-wood.flac").exists()
    elif name == "playlists":
        assert "tap-wood" in (place / "talkless.m3u8").read_text()
        assert "stop-time=" in (place / "taps.m3u8").read_text()
        assert "edl://" in (place / "taps-mpv.m3u8").read_text()
    elif name == "watching":
        copies = [path.relative_to(place) for path in (place / "sorted").rglob("*.flac")]
        assert len(copies) == 1
        assert copies[0].name == "whisper-over-rain.flac"
    elif name == "cluster":
        by_one, by_many = (
            sorted((place / f"{name}.jsonl").read_text(encoding="utf-8").splitlines())
            for name in ("labels", "labels-of-cluster")
        )
        assert len(by_one) == 12
        assert by_many == by_one
        assert json.loads((place / "table" / "_manifest.json").read_text())["rows"] == 12
    elif name == "storage":
        lines = (place / "labels.jsonl").read_text().splitlines()
        assert sorted(json.loads(line)["path"] for line in lines) == [
            f"s3://asmr/sleep/{path.name}"
            for path in sorted(DEMO.glob("*.flac"))
            if not path.name.startswith("none-")
        ]
        assert (place / "features.csv").read_text().count("s3://asmr/sleep/whisper-") == 3
        manifest = json.loads(read_head(Url("s3://asmr/labels/_manifest.json"), 4096))
        assert (manifest["rows"], len(manifest["parts"])) == (12, 2)
    else:
        assert (place / "all.parquet").exists()
        assert (place / "taps.csv").read_text().count("tap-") == 2
        assert list((place / "dataset").rglob("tap-wood.flac"))
        parts = {path.parent.name for path in (place / "published").glob("*/metadata.csv")}
        assert parts == {"train", "validation", "test"}
        assert (place / "like-esc50" / "meta" / "esc50.csv").exists()
        assert list((place / "for-jams" / "jams").glob("*.jams"))
        (clip,) = (place / "for-a-model").rglob("tap-wood*.wav")
        info = soundfile.info(clip)
        assert (info.samplerate, info.channels) == (16_000, 1)
        assert not (place / "by-label").exists()
        assert len(list((place / "cache").rglob("*.recording.npz"))) == 12
        assert not (place / "clips").exists()


@pytest.mark.parametrize("name", GUIDES)
def test_its_links_lead_somewhere(name):
    for target in re.findall(r"\]\((?!https://)([^)#]+)", TEXTS[name]):
        assert (ROOT / "docs" / target).exists(), target


@pytest.mark.skipif(os.name != "posix", reason="services of systemd")
def test_the_command_of_the_service_runs_until_it_is_ended(tmp_path):
    unit = re.search(r"```ini\n(.*?)```", TEXTS["watching"], re.DOTALL)[1]
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(unit)
    assert parser["Service"]["KillMode"] == "mixed"
    program, *arguments = shlex.split(parser["Service"]["ExecStart"].replace("%h", str(tmp_path)))
    assert program.endswith("/asmr-classify")
    shown = re.search(r"for a while -->\n```sh\n(.*)\n```", TEXTS["watching"])[1]
    watch_and_end(tmp_path, arguments)
    watch_and_end(tmp_path, shlex.split(shown)[1:])


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd")
def test_systemd_knows_all_that_the_service_says(tmp_path):
    program = tmp_path / ".local/bin/asmr-classify"
    program.parent.mkdir(parents=True)
    program.symlink_to(sys.executable)
    unit = tmp_path / "asmr-classify.service"
    unit.write_text(re.search(r"```ini\n(.*?)```", TEXTS["watching"], re.DOTALL)[1])
    done = subprocess.run(
        ["systemd-analyze", "--user", "--man=no", "verify", str(unit)],
        env={**os.environ, "HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def watch_and_end(place, arguments):
    """Start the program, wait until it watches, and end it as systemd does."""
    with subprocess.Popen(
        [sys.executable, "-m", "asmr_classify", *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=place,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        for line in process.stderr:
            if "labelled already" in line:
                break
        process.send_signal(signal.SIGTERM)
        assert process.wait(120) == 0
        assert process.stderr.read().endswith("0 labelled, 0 failed\n")
