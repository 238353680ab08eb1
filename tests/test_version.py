"""One version, wherever it is told."""

from __future__ import annotations

from importlib import metadata

import asmr_classify
from asmr_classify.version import own_version
from tests.conftest import ROOT


def test_it_is_that_of_the_installed_package():
    assert own_version() == metadata.version("asmr-classify") == asmr_classify.__version__


def test_it_is_looked_up_in_one_place():
    asking = [
        path.relative_to(ROOT).as_posix()
        for path in sorted((ROOT / "asmr_classify").rglob("*.py"))
        if 'version("asmr-classify")' in path.read_text(encoding="utf-8")
    ]
    assert asking == ["asmr_classify/version.py"]
