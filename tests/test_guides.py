"""What the guides for three kinds of users say is true: their commands run, one after the other."""

from __future__ import annotations

import re
import shutil

import pytest

from tests.conftest import ROOT
from tests.test_readme import shell

GUIDES = ("tagging", "uploads", "dataset")
TEXTS = {name: (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8") for name in GUIDES}


@pytest.mark.parametrize("name", GUIDES)
def test_its_commands_run_in_order(name, tmp_path):
    blocks = re.findall(r"<!-- run -->\n```sh\n(.*?)```", TEXTS[name], re.DOTALL)
    assert len(blocks) == TEXTS[name].count("```sh") > 3
    shutil.copytree(ROOT / "data" / "demo", tmp_path / "data" / "demo")
    for block in blocks:
        done = shell(block, tmp_path)
        assert done.returncode == 0, f"{block}\n{done.stdout}\n{done.stderr}"
    check_outcome(name, tmp_path)


def check_outcome(name, place):
    """What the guide promises is there at its end."""
    if name == "tagging":
        assert (place / "music" / "tap" / "tap-wood [tap].flac").exists()
        assert not (place / "music" / "tap-wood.flac").exists()
        assert "tap-wood" in (place / "tonight.m3u8").read_text()
        assert (place / "library.html").stat().st_size > 10_000
    elif name == "uploads":
        assert len(list((place / "subtitles").rglob("*.vtt"))) == 12
        assert list((place / "uploads").rglob("tap/tap-wood (*, no talking).flac"))
        assert (place / "data" / "demo" / "tap-wood.flac").exists()
    else:
        assert (place / "all.parquet").exists()
        assert (place / "taps.csv").read_text().count("tap-") == 2
        assert list((place / "dataset").rglob("tap-wood.flac"))
        parts = {path.parent.name for path in (place / "published").glob("*/metadata.csv")}
        assert parts == {"train", "validation", "test"}
        assert (place / "like-esc50" / "meta" / "esc50.csv").exists()
        assert list((place / "for-jams" / "jams").glob("*.jams"))
        assert not (place / "by-label").exists()
        assert not (place / "clips").exists()


@pytest.mark.parametrize("name", GUIDES)
def test_its_links_lead_somewhere(name):
    for target in re.findall(r"\]\(([^)#]+)", TEXTS[name]):
        assert (ROOT / "docs" / target).exists(), target
