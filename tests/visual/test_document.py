"""What the document says of looks is what the program does."""

from __future__ import annotations

import json
import re

import pytest

from asmr_classify.visual import film, levels
from asmr_classify.visual.look import look
from asmr_classify.visual.seen import Effort, LightLevel, MotionLevel, visual_to_record
from tests.conftest import ROOT
from tests.visual.scenes import Film, pan, write_film

DOCUMENT = (ROOT / "docs" / "visual.md").read_text(encoding="utf-8")


def row(name):
    """What the tables say of a word, as one text."""
    return re.search(rf"^\| `{name}` \|(.*)$", DOCUMENT, re.MULTILINE)[1]


def numbers(text):
    return [float(x) for x in re.findall(r"\d*\.\d+", text)]


@pytest.mark.parametrize(
    ("row_of", "thresholds"),
    [
        pytest.param("still", [levels.STILL, levels.STILL_P95], id="still"),
        pytest.param("lively", [levels.LIVELY], id="lively"),
        pytest.param("dark", [levels.DARK], id="dark"),
        pytest.param("bright", [levels.BRIGHT], id="bright"),
    ],
)
def test_thresholds_are_those_of_the_program(row_of, thresholds):
    table = DOCUMENT[DOCUMENT.index("## `motion`") :]
    cell = re.search(rf"^\| `{row_of}` \|([^|]*)\|", table, re.MULTILINE)[1]
    assert numbers(cell) == thresholds


def test_levels_and_efforts_have_rows():
    for word in (*MotionLevel, *LightLevel, *Effort):
        assert row(word)
    for effort in (Effort.LOW, Effort.NORMAL):
        assert numbers(row(effort))[0] * 1e9 == film.BUDGETS[effort]


def test_the_example_is_like_a_record(tmp_path):
    write_film(tmp_path / "a.mp4", pan(0.1), Film(size=(64, 36), seconds=2.5, rate=10))
    record = visual_to_record(look(tmp_path / "a.mp4"))
    example = json.loads("{" + re.search(r"```json\n(.*?)```", DOCUMENT, re.DOTALL)[1] + "}")
    assert shape(example["visual"]) == shape(record)
    assert example["visual"]["version"] == record["version"]
    assert example["visual"]["timeline"]["step"] == record["timeline"]["step"]


def shape(value):
    """The keys, in their order, and the types."""
    if isinstance(value, dict):
        return [(key, shape(inner)) for key, inner in value.items()]
    return [type(x) for x in value][:1] if isinstance(value, list) else type(value)
