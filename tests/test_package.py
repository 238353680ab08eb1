"""The package as a whole: what importing it costs, and what it offers."""

from __future__ import annotations

import subprocess
import sys

import pytest

import asmr_classify
from tests.conftest import DEMO

HEAVY = ("librosa", "sklearn", "pandas", "matplotlib", "numba", "scipy", "av", "joblib")


def modules_after(code: str) -> set[str]:
    script = f"{code}\nimport sys; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True
    )
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "code",
    [
        pytest.param("import asmr_classify", id="import"),
        pytest.param("import asmr_classify.cli.app", id="command line"),
        pytest.param(
            "import sys; sys.argv = ['asmr-classify', '--help']\n"
            "from asmr_classify.cli.app import main\n"
            "try: main()\nexcept SystemExit: pass",
            id="--help",
        ),
    ],
)
def test_nothing_heavy_is_loaded(code):
    assert not modules_after(code) & set(HEAVY)


def test_labelling_loads_neither_librosa_nor_scikit_learn():
    clip = str(DEMO / "tap-wood.flac")
    code = f"from asmr_classify import label_file; assert label_file({clip!r}).tags == ('tap',)"
    assert not modules_after(code) & {"librosa", "numba", "sklearn"}


@pytest.mark.parametrize("name", asmr_classify.__all__)
def test_public_names_exist(name):
    assert getattr(asmr_classify, name).__doc__
    assert name in dir(asmr_classify)


def test_unknown_names_are_refused():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        asmr_classify.nothing  # noqa: B018 (the access is the test)


def test_results_are_frozen():
    result = asmr_classify.label_file("none.wav")
    with pytest.raises(AttributeError):
        result.path = "other.wav"
