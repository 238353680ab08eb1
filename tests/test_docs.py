"""Documents that the program writes are as it would write them now."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import xml.etree.ElementTree as ET

import pytest

from docs import make_scale
from tests.benchmarks.report import RESULTS
from tests.conftest import ROOT


def made_anew(script, tmp_path, name):
    subprocess.run(
        [sys.executable, ROOT / "docs" / script, "--output", tmp_path / name], check=True
    )
    return (tmp_path / name).read_text(encoding="utf-8")


def kept(name):
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def test_the_reference_of_commands_is_current(tmp_path):
    assert made_anew("make_commands.py", tmp_path, "commands.md") == kept("commands.md")


def test_the_page_of_arithmetic_is_current(tmp_path):
    command = [sys.executable, "-m", "docs.make_scale", "--output", tmp_path / "scale.md"]
    subprocess.run(command, cwd=ROOT, check=True)
    assert (tmp_path / "scale.md").read_text(encoding="utf-8") == kept("scale.md")


def changed(monkeypatch, tmp_path, name, what, value):
    """The page, had one figure of a table been another."""
    for path in RESULTS.glob("*.json"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    table = json.loads((tmp_path / f"{name}.json").read_text(encoding="utf-8"))
    [row] = [row for row in table["rows"] if row[0].startswith(what)]
    row[1] = value
    (tmp_path / f"{name}.json").write_text(json.dumps(table), encoding="utf-8")
    monkeypatch.setattr(make_scale, "RESULTS", tmp_path)
    return "\n".join(make_scale.iter_parts())


def test_the_page_of_arithmetic_follows_from_the_tables(tmp_path, monkeypatch):
    text = changed(monkeypatch, tmp_path, "cluster", "names a second", 1_000_000.0)
    assert "1,000,000 names a second, which is 1,000,000,000 in\n0.28 hours" in text
    assert "with clips of 2 s storage, 5,500 requests a second" in text
    text = changed(monkeypatch, tmp_path, "cluster", "throughput: 40 files of 60 s", 2.0)
    assert re.search(r"\| hours of one core \| [\d,]+ \| [23]\d0,000 \|", text)


def test_the_guide_to_features_is_current(tmp_path):
    assert made_anew("make_features.py", tmp_path, "features.md") == kept("features.md")


def without_figures(text):
    """Scores, which another machine may round otherwise, and the blanks that align them."""
    return re.sub(r"\d[\d.]*", "#", re.sub(r" +", " ", text))


def test_the_guide_to_formats_is_current(tmp_path):
    anew = made_anew("make_formats.py", tmp_path, "formats.md")
    assert without_figures(anew) == without_figures(kept("formats.md"))


def words(svg):
    """Words of the picture without figures, which another machine may round otherwise."""
    texts = ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")  # noqa: S314 (our own)
    return re.sub(r"[\d.]+", "#", " ".join(text.text or "" for text in texts)).split()


def test_the_picture_shows_what_the_program_prints(tmp_path):
    assert words(made_anew("make_picture.py", tmp_path, "label.svg")) == words(kept("label.svg"))


PAGES = sorted({ROOT / "README.md", *(ROOT / "docs").glob("*.md")})


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_row_of_a_table_has_the_cells_of_its_head(page):
    n_cells = None
    for line in page.read_text(encoding="utf-8").splitlines():
        cells = len(re.split(r"(?<!\\)\|", line)) if line.startswith("|") else None
        assert cells == n_cells or None in (cells, n_cells), line
        n_cells = cells
