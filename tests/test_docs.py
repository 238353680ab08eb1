"""Documents that the program writes are as it would write them now."""

from __future__ import annotations

import re
import subprocess
import sys
import xml.etree.ElementTree as ET

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
