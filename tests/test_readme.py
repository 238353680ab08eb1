"""What the README says is true: its commands run, its links lead somewhere."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from asmr_classify import label_file, load_model
from asmr_classify.labels import DEFINITIONS
from asmr_classify.visual.seen import Picture, Visual, visual_to_record
from asmr_classify.writers.jsonl import result_to_record
from tests.conftest import DEMO, ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"<!-- run -->\n```sh\n(.*?)```", README, re.DOTALL)


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    folder = tmp_path_factory.mktemp("readme")
    shutil.copytree(ROOT / "data" / "demo", folder / "data" / "demo")
    return folder


def shell(command, folder):
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "XDG_CACHE_HOME": str(folder / "cache"),
        "ASMR_CLASSIFY_CATALOGUE": str(folder / "catalogue.sqlite"),
        "ASMR_CLASSIFY_STATE": str(folder / "state"),
    }
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_its_commands_run(block, workplace):
    done = shell(block, workplace)
    assert done.returncode == 0, done.stderr
    assert done.stdout or (workplace / "labels.jsonl").exists()


def test_every_shell_command_is_run_here_or_as_a_whole_by_ci():
    shown = re.findall(r"(<!-- [\w: ]+ -->\n)?```sh\n", README)
    assert all(shown)
    marks = set(re.findall(r"<!-- command: (\w+) -->", README))
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert marks == set(re.findall(r"readme_command\.py (\w+)", script))


def test_the_set_up_commands_do_what_they_say(workplace):
    """What follows the set-up in the command for the demo, in this environment."""
    command = re.search(r"<!-- command: demo -->\n```sh\n(.*?)```", README, re.DOTALL)[1]
    done = shell(command.rsplit("&&", 1)[1].replace(".venv/bin/", ""), workplace)
    assert done.returncode == 0, done.stderr
    assert "tap-wood" in done.stdout


def test_a_pipeline_is_fitted_on_features_in_ten_lines(workplace):
    command, code = re.search(
        r"```sh\n(asmr-classify features .*?)```\n\n```python\n(.*?)```", README, re.DOTALL
    ).groups()
    assert len(code.replace("\n\n", "\n").splitlines()) == 10
    (workplace / "example.py").write_text(code)
    done = shell(f"{command}\npython -W error example.py", workplace)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "['tap']"


def test_its_links_lead_somewhere():
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert target.startswith("http") or (ROOT / target).exists(), target


def test_its_labels_are_defined_as_in_the_program():
    for label in ("whisper", "tap", "crinkle", "white_noise"):
        assert f"| `{label}` | trigger | {DEFINITIONS[label]} |" in README


def test_its_record_has_what_the_program_writes():
    shown = json.loads(re.search(r"```json\n(.*?)```", README, re.DOTALL)[1])
    model = load_model()
    written = result_to_record(label_file(DEMO / "tap-wood.flac", model=model))
    assert list(shown) == list(written)
    assert list(shown["scores"]) == list(written["scores"])
    assert list(shown["shares"]) == list(written["shares"])
    assert list(shown["segments"][0]) == list(written["segments"][0])
    assert shown["model"] == model.id
    assert {segment["label"] for segment in shown["segments"]} == set(shown["tags"])
    for label in shown["tags"]:
        seconds = sum(x["end"] - x["start"] for x in shown["segments"] if x["label"] == label)
        assert shown["shares"][label] == pytest.approx(seconds / shown["duration"], abs=0.005)
    seen = visual_to_record(Visual(Picture.NONE), rounded=False)
    assert {**shown["visual"], "timeline": None}.keys() == seen.keys()
    assert shown["visual"]["version"] == seen["version"]
