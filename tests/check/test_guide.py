"""What the guide to ``check`` says is true: its commands run, its limits are the default ones."""

from __future__ import annotations

import re
import shutil

import pytest

from asmr_classify.check import binaural, loudness, rhythm, startle, truepeak
from asmr_classify.check.binaural import Channels
from asmr_classify.check.figures import FigureName
from asmr_classify.check.limits import default_limits_text
from asmr_classify.visual.seen import Picture
from tests.conftest import DEMO, ROOT
from tests.test_readme import shell

GUIDE = (ROOT / "docs" / "check.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"<!-- run -->\n```sh\n(.*?)```", GUIDE, re.DOTALL)


def test_every_command_is_run():
    assert GUIDE.count("```sh") == len(BLOCKS) > 0


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_its_commands_run(block, tmp_path):
    shutil.copytree(DEMO, tmp_path / "data" / "demo")
    done = shell(block, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout or (tmp_path / "checked.jsonl").exists()


def test_its_limits_are_those_of_the_program():
    shown = re.search(r"<!-- limits: begin -->\n```toml\n(.*?)```\n<!-- limits: end", GUIDE, re.S)
    assert shown[1] == default_limits_text()


@pytest.mark.parametrize("name", [*FigureName, *Channels, Picture.VIDEO, Picture.STILL])
def test_every_figure_and_kind_is_explained(name):
    assert f"`{name}`" in GUIDE


@pytest.mark.parametrize(
    ("sentence", "values"),
    [
        (r"below -(\d+) LUFS\) and of\nbackground \((\d+) LU", (-loudness.ABSOLUTE_GATE, 10)),
        (r"is (\d+) LU below the rest. Three", (-loudness.RANGE_GATE,)),
        (r"gives all of (\d+) LU", (startle.SUDDEN_LU,)),
        (r"more than (\d+) dB below the other", (binaural.DEAD_DB,)),
        (r"without delay of (-0\.\d) or less", (binaural.OUT_OF_PHASE,)),
        (r"lies (\d+) dB below the sound .* and (\d+) dB", [-x for x in binaural.DUAL_MONO_DB]),
        (r"between (0\.\d) and (0\.\d) ms", [1000 * x for x in binaural.EAR_DELAY]),
        (r"IACC of (0\.\d) or more", (binaural.EAR_IACC,)),
        (r"rises by (\d) dB over the", (rhythm.RISE_DB,)),
        (r"period between (0\.1) and (2) s", (rhythm.SHORTEST_PERIOD, rhythm.LONGEST_INTERVAL)),
    ],
)
def test_its_numbers_are_those_of_the_program(sentence, values):
    found = re.search(sentence, GUIDE)
    assert found, sentence
    assert [float(number) for number in found.groups()] == pytest.approx(list(values))


def test_it_says_how_finely_peaks_are_sought():
    assert truepeak.OVERSAMPLING == 8
    assert "interpolated eightfold" in GUIDE
