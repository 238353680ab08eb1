"""What ``docs/report.md`` says is true: its commands run, and its pictures are there."""

from __future__ import annotations

import re
import shutil

import pytest

from tests.conftest import ROOT
from tests.test_readme import shell

GUIDE = (ROOT / "docs" / "report.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"<!-- run -->\n```sh\n(.*?)```", GUIDE, re.DOTALL)
PICTURES = re.findall(r'\]\((\S+\.png)\)|src="(\S+\.png)"', GUIDE)


def test_every_command_is_run():
    assert len(BLOCKS) == GUIDE.count("```sh") == 2


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_its_commands_run(block, tmp_path):
    shutil.copytree(ROOT / "data" / "demo", tmp_path / "data" / "demo")
    done = shell(block, tmp_path)
    assert done.returncode == 0, done.stderr
    for name in re.findall(r"--output (\S+\.html)", block):
        assert (tmp_path / name).read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_its_pictures_are_kept_and_small():
    names = ["".join(groups) for groups in PICTURES]
    assert len(names) == 3
    for name in names:
        assert 10_000 < (ROOT / "docs" / name).stat().st_size < 300_000, name


def test_its_keys_are_those_of_the_page():
    page = (ROOT / "asmr_classify" / "report" / "assets" / "page.html.j2").read_text("utf-8")
    keys = set(re.findall(r"<kbd>(.*?)</kbd>", page))
    assert keys == set(re.findall(r"`([^`]+)`", GUIDE[GUIDE.index("| key |") :].split("##")[0]))
