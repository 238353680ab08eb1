"""What the guide to clusters says is true of what its shell commands do not run."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import trustme
import yaml

from tests import clusters
from tests.conftest import DEMO, ROOT
from tests.test_readme import shell

GUIDE = (ROOT / "docs" / "cluster.md").read_text(encoding="utf-8")
CLIPS = sorted(path.name for path in DEMO.glob("*.flac"))

SBATCH = f"""#!{sys.executable}
import subprocess, sys
null = subprocess.DEVNULL
job = subprocess.Popen(["bash", sys.argv[-1]], stdout=null, stderr=null, start_new_session=True)
print("Submitted batch job", job.pid)
"""
"""Stands in for Slurm's: runs a job at once."""

SCANCEL = """#!/bin/sh
kill -- "-$1"
"""

SMALLER = {
    "cores=8, processes=8": "cores=2, processes=2",
    "minimum_jobs=20, maximum_jobs=20": "minimum_jobs=1, maximum_jobs=1",
    '"/archive"': '"data/demo"',
}
"""What is otherwise in the program for Slurm as it runs here."""


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL)


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "demo").symlink_to(DEMO)
    return tmp_path


def run_python(text, folder):
    """Run a program as a user would, from a file of its own."""
    (folder / "program.py").write_text(text)
    done = subprocess.run(
        [sys.executable, "program.py"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def labelled(path):
    results = map(json.loads, Path(path).read_text(encoding="utf-8").splitlines())
    return sorted(Path(result["path"]).name for result in results)


def test_the_command_with_an_address(place):
    [block] = re.findall(
        r"<!-- run: with a scheduler of the test's -->\n```sh\n(.*?)```", GUIDE, re.DOTALL
    )
    with clusters.running(place) as (file, _):
        address = json.loads(file.read_text())["address"]
        done = shell(block.replace("tcp://127.0.0.1:8786", address), place)
    assert done.returncode == 0, done.stderr
    assert labelled(place / "labels.jsonl") == CLIPS


def test_the_program_that_writes_a_table(place, storage):
    import s3fs

    text, _ = blocks("python")
    buckets = s3fs.S3FileSystem()
    for bucket in ("labels", "archive"):
        buckets.mkdir(bucket)
    buckets.put_file(str(DEMO / "tap-wood.flac"), "archive/tap-wood.flac")
    with clusters.running(place, **storage.environment) as (file, _):
        address = json.loads(file.read_text())["address"]
        assert text.count("tcp://scheduler:8786") == 1
        told = run_python(text.replace("tcp://scheduler:8786", address), place)
    assert told == "s3://archive/tap-wood.flac tap\n"
    frame = pd.read_parquet("s3://labels/2026/", storage_options={"endpoint_url": storage.url})
    assert [*frame.path] == ["s3://archive/tap-wood.flac"]


def test_the_program_for_slurm(place, monkeypatch):
    programs = place / "bin"
    programs.mkdir()
    for name, text in (("sbatch", SBATCH), ("scancel", SCANCEL)):
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    _, text = blocks("python")
    for shown, here in SMALLER.items():
        assert text.count(shown) == 1
        text = text.replace(shown, here)
    run_python(text, place)
    assert labelled(place / "labels.jsonl") == CLIPS
    assert len((place / "labels.jsonl.journal").read_text().splitlines()) == 1 + len(CLIPS)


def test_the_manifest_for_kubernetes(place):
    """Its commands work together, as the operator starts them."""
    [text] = blocks("yaml")
    manifest = yaml.safe_load(text)
    worker, scheduler = (manifest["spec"][part] for part in ("worker", "scheduler"))
    [serving], [working] = (part["spec"]["containers"] for part in (scheduler, worker))
    assert serving["image"] == working["image"]
    assert serving["command"] == ["dask", "scheduler"]
    [named] = serving["ports"]
    [offered] = scheduler["service"]["ports"]
    assert (offered["targetPort"], offered["port"]) == (named["name"], named["containerPort"])
    name = manifest["metadata"]["name"]
    assert scheduler["service"]["selector"]["dask.org/cluster-name"] == name
    program, *command = working["command"]
    assert program == "dask"
    command = [part.replace("$(DASK_WORKER_NAME)", "asmr-worker-1") for part in command]
    [shown] = re.findall(r"from a pod of the same image: `(.*?)`", GUIDE)
    assert f"tcp://{name}-scheduler:{offered['port']} " in shown
    with clusters.running(place, worker=command) as (file, _):
        address = json.loads(file.read_text())["address"]
        given = shown.replace(f"tcp://{name}-scheduler:{offered['port']}", address)
        done = shell(given.replace("/recordings", "data/demo"), place)
    assert done.returncode == 0, done.stderr
    assert labelled(place / "labels.jsonl") == CLIPS


def test_all_sides_prove_who_they_are_by_tls(place, monkeypatch):
    authority = trustme.CA()
    authority.cert_pem.write_to_path(place / "ca.pem")
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(place / "us.pem")
    options = [f"--tls-{what}={place / name}" for what, name in TLS_FILES.items()]
    assert all(f"`--tls-{what}`" in GUIDE for what in TLS_FILES)
    variables = re.findall(r"`(DASK_\w*TLS\w*)`", GUIDE)
    assert len(variables) == len(TLS_FILES)
    command = "asmr-classify label data/demo --dask scheduler.json --output labels.jsonl"
    with clusters.running(place, "--protocol=tls", *options) as (file, _):
        assert json.loads(file.read_text())["address"].startswith("tls://")
        refused = shell(command, place)
        for variable, name in zip(variables, TLS_FILES.values(), strict=True):
            monkeypatch.setenv(variable, str(place / name))
        done = shell(command, place)
    assert refused.returncode == 1
    assert "for tls:// that Dask is configured with the certificates" in refused.stderr
    assert done.returncode == 0, done.stderr
    assert labelled(place / "labels.jsonl") == CLIPS


TLS_FILES = {"ca-file": "ca.pem", "cert": "us.pem", "key": "us.pem"}
