"""Every feature column has one definition, and keeps to its range."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pytest

from asmr_classify import features
from asmr_classify.config import FeatureSpec
from asmr_classify.features.definitions import CHAPTERS
from tests.conftest import DEMO, ROOT

FAMILIES = [family for chapter in CHAPTERS for family in chapter.families]
SPEC = FeatureSpec()


def test_every_column_is_defined_once():
    defined = [name for family in FAMILIES for name in family.columns(SPEC)]
    assert sorted(defined) == sorted(features.names())


def test_the_guide_names_every_column():
    guide = (ROOT / "docs" / "features.md").read_text(encoding="utf-8")
    listed = re.search(r"## All columns.*?```\n(.*?)```", guide, re.DOTALL)[1].split()
    assert listed == features.names()
    for family in FAMILIES:
        columns = family.columns(SPEC)
        [line] = [row for row in guide.splitlines() if f"| {family.definition} |" in row
                  and row.startswith(f"| `{columns[0]}`")]  # fmt: skip
        assert f"`{columns[-1]}`" in line
        assert f"| {len(columns)} |" in line
        assert f"| {family.unit} |" in line


@pytest.fixture(scope="module")
def measured():
    return np.concatenate([features.read(path) for path in sorted(DEMO.glob("*.flac"))])


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.columns(SPEC)[0])
def test_values_lie_in_the_range_that_is_told(measured, family):
    places = [features.names().index(name) for name in family.columns(SPEC)]
    values = measured[:, places]
    assert values.min() >= family.low - 1e-4
    assert values.max() <= family.high + 1e-4
    assert np.ptp(values) > 0


def test_no_pattern_takes_columns_of_another():
    for one, other in itertools.combinations(FAMILIES, 2):
        assert not set(one.columns(SPEC)) & set(other.columns(SPEC))
