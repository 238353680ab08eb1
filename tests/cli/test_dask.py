"""``label --dask``."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.conftest import DEMO


def test_a_cluster_of_this_machine_writes_the_same_lines(place, model_file):
    def lines(name, *options):
        command = ["label", DEMO, "--model", model_file, "--output", name, *options]
        done = subprocess.run(
            [sys.executable, "-m", "asmr_classify", *map(str, command)],
            check=True,
            capture_output=True,
            text=True,
        )
        assert "12 files found" in done.stderr
        assert "distributed" not in done.stderr
        return sorted((place / name).read_text(encoding="utf-8").splitlines())

    here = lines("here.jsonl", "--jobs", "2")
    assert lines("there.jsonl", "--dask", "local") == here
    assert len(here) == 12


@pytest.mark.parametrize(
    ("options", "status", "said"),
    [
        (["--dask", "local", "--jobs", "2"], 2, "leave it out with --dask"),
        (["--dask", "nowhere"], 2, "no address such as tcp://host:8786"),
        (["--dask", "empty.json"], 2, "--dask empty.json: is no scheduler file"),
        (["--dask", "other.json"], 2, "--dask other.json: is no scheduler file"),
        (["--dask", "tls://127.0.0.1:1"], 1, "for tls:// that Dask is configured"),
        (["--dask", "tcp://127.0.0.1"], 1, "no Dask scheduler answers at tcp://127.0.0.1"),
        (["--dask", "ftp://host:1"], 1, "no Dask scheduler answers at ftp://host:1"),
    ],
)
def test_what_is_no_cluster_is_told(label, place, options, status, said):
    (place / "empty.json").touch()
    (place / "other.json").write_text('{"a": 1}')
    done = label(DEMO, "--output", "a.jsonl", *options)
    assert done.exit_code == status
    assert said in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert "fault of the program" not in done.stderr
    assert not (place / "a.jsonl").exists()
