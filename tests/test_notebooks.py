"""Notebooks are committed executed, small, and tell nothing of a machine; nbmake runs them."""

from __future__ import annotations

import json
import re

import pytest

from tests.conftest import ROOT

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_executed_answered_and_small(path):
    content = json.loads(path.read_text(encoding="utf-8"))
    first, *rest = content["cells"]
    assert re.match(r"# .+\?\n\n\*\*Answer:\*\* ", "".join(first["source"]))
    counts = [cell["execution_count"] for cell in rest if cell["cell_type"] == "code"]
    assert counts == list(range(1, len(counts) + 1))
    outputs = [output for cell in rest for output in cell.get("outputs", ())]
    assert any("image/png" in output.get("data", {}) for output in outputs)
    assert not [output for output in outputs if output.get("name") == "stderr"]
    assert path.stat().st_size < 500_000


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_names_no_place_on_a_disk(path):
    assert not re.search(r"/(home|root|tmp|Users|work|var)/|[A-Z]:\\\\", path.read_text())
