from __future__ import annotations

import json

from tests.benchmarks.__main__ import write_table
from tests.benchmarks.report import Table
from tests.benchmarks.robustness import REACH, main_tags
from tests.conftest import DEMO


def test_every_change_is_labelled():
    tags = main_tags(str(DEMO / "tap-wood.flac"))
    assert set(tags) == {"plain", *REACH}
    assert tags["plain"] == tags["-30 dB"] == "tap"


def test_a_table_is_written_for_people_and_for_programs(tmp_path):
    write_table(Table("speed", "Of things.", ("what", "x"), (("a", 1.23456), ("b", 2))), tmp_path)
    text = (tmp_path / "speed.md").read_text()
    assert "| what | x |\n| --- | --- |\n| a | 1.235 |\n| b | 2 |\n" in text
    record = json.loads((tmp_path / "speed.json").read_text())
    assert record["rows"] == [["a", 1.23456], ["b", 2]]
    assert record["machine"] in text
