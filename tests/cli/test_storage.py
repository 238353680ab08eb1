"""Commands over addresses in storage: what they say and what they never tell."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from asmr_classify.cli.app import app
from asmr_classify.media.source import Url
from tests.conftest import DEMO, ROOT
from tests.storage import BUCKET, KEY, SECRET

WOOD = (DEMO / "tap-wood.flac").read_bytes()


def run(*arguments):
    return CliRunner().invoke(app, [*map(str, arguments)])


def program(*arguments, cwd, **environment):
    """Run the program as people do."""
    return subprocess.run(
        [sys.executable, "-m", "asmr_classify", *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.fixture
def folder(storage):
    """A folder of the bucket with two clips and a text."""
    for name in ("tap-wood.flac", "whisper-slow.flac"):
        storage.put(f"clips/{name}", (DEMO / name).read_bytes())
    storage.put("clips/notes.txt", b"words")
    return f"s3://{BUCKET}/clips"


@pytest.mark.usefixtures("place", "in_this_process")
def test_label_names_recordings_by_their_addresses_and_goes_on(folder, model_file, place, storage):
    done = run("label", folder, "-o", "out.jsonl", "-v", "--model", model_file)
    assert done.exit_code == 0
    assert "2 files found: 2 ok; ignored 1 (1 not media)" in done.stderr
    assert f"{folder}/tap-wood.flac: {len(WOOD)} bytes in 1 request" in done.stderr
    lines = [json.loads(line) for line in (place / "out.jsonl").read_text().splitlines()]
    assert [line["path"] for line in lines] == [
        f"{folder}/tap-wood.flac",
        f"{folder}/whisper-slow.flac",
    ]
    storage.recover()
    again = run("label", folder, "-o", "out.jsonl", "--model", model_file)
    assert "(2 known already)" in again.stderr
    assert not [line for line in storage.log() if "flac" in line[1]]


@pytest.mark.usefixtures("place", "in_this_process")
def test_patterns_and_globs_choose(folder, model_file):
    done = run("label", f"{folder}/tap-*", "--json", "--model", model_file)
    assert [json.loads(line)["path"] for line in done.stdout.splitlines()] == [
        f"{folder}/tap-wood.flac"
    ]
    done = run("label", folder, "--exclude", "tap*", "--json", "--model", model_file)
    assert json.loads(done.stdout)["path"] == f"{folder}/whisper-slow.flac"


@pytest.mark.usefixtures("place")
def test_check_measures_what_lies_in_a_bucket(folder, model_file):
    name = "tap-wood.flac"
    here = json.loads(run("check", DEMO / name, "--json", "--model", model_file).stdout)
    done = run("check", f"{folder}/{name}", "--json", "-v", "--model", model_file)
    there = json.loads(done.stdout)
    for record, path in ((here, str(DEMO / name)), (there, f"{folder}/{name}")):
        assert (record.pop("path"), record["labels"].pop("path")) == (path, path)
    assert there == here
    assert f"{folder}/{name}: {len(WOOD)} bytes in 1 request" in done.stderr  # sound and look


@pytest.mark.usefixtures("in_this_process")
def test_features_come_from_a_bucket(folder, place):
    done = run("features", folder, "--by", "file", "-o", "f.csv")
    assert done.exit_code == 0
    rows = (place / "f.csv").read_text().splitlines()
    assert [row.partition(",")[0] for row in rows[1:]] == [
        f"{folder}/tap-wood.flac",
        f"{folder}/whisper-slow.flac",
    ]


@pytest.mark.usefixtures("place", "in_this_process")
def test_nothing_in_a_folder_is_nothing_to_do(folder, model_file):
    for path in (f"s3://{BUCKET}/none/", f"s3://{BUCKET}/none", f"{folder}/*.mp3"):
        done = run("label", path, "--model", model_file)
        assert done.exit_code == 4
        assert "ignored 1 (1 nothing at this address)" in done.stderr
        assert run("check", path, "--model", model_file).exit_code == 4


@pytest.mark.usefixtures("place", "in_this_process", "storage")
def test_a_bucket_that_does_not_exist_is_told(model_file):
    done = run("label", "s3://no-such-bucket/a/", "--json", "--model", model_file)
    assert done.exit_code == 3
    assert "there is no such bucket; check its name" in done.stderr


@pytest.mark.usefixtures("place")
@pytest.mark.parametrize(
    ("path", "status", "message"),
    [
        ("nope://bucket/a.mp3", 2, "nope://: no storage is addressed so; s3, gs, az, https"),
        ("gs://bucket/a.mp3", 1, "gs://: reading this storage needs gcsfs: pip install gcsfs"),
        ("s3://AKIAKEY:hushhush@bucket/a", 2, "s3://bucket/a: a key stands in this address"),
        ("abfs://a@b/a.mp3?sig=hushhush", 2, "abfs://a@b/a.mp3: a key stands in this address"),
        ("ftp://me:hushhush@host:no/a.mp3", 2, "does not tell all that such addresses have to"),
    ],
)
@pytest.mark.parametrize("command", ["label", "check", "features"])
def test_addresses_that_cannot_be_read_are_told_at_once(command, path, status, message):
    done = run(command, path)
    assert done.exit_code == status
    assert message in done.stderr
    assert "hush" not in done.output


@pytest.mark.usefixtures("place")
@pytest.mark.parametrize(
    "command",
    [
        ("tag", "--dry-run"),
        ("tag", "--remove", "--dry-run"),
        ("organise", "--dry-run", "--to", "{stem}.{ext}", "--root", "."),
        ("playlist",),
        ("report",),
        ("extract", "--to", "clips", "--dry-run"),
        ("label", "--per-file", "."),
        ("label", "--catalogue", "c.sqlite"),
    ],
    ids=" ".join,
)
def test_what_works_on_files_of_this_machine_refuses_addresses(command, place):
    name, *options = command
    done = run(name, "https://me:hush@host/a.mp3?sig=hush", *options)
    assert done.exit_code == 2, done.output
    assert f"{Url('https://host/a.mp3?sig=hush')}: " in done.stderr
    assert "of this machine" in done.stderr
    assert "hush" not in done.output
    assert not [*place.iterdir()]


def test_secrets_are_in_no_record_log_or_message(folder, storage, place, model_file):
    url = storage.sign("clips/tap-wood.flac")
    gone = storage.sign("clips/gone.flac")
    (place / "list.txt").write_text(f"{url}\n{gone}\n{folder}\n")
    done = program(
        *("label", "--files-from", "list.txt", "-o", "out.jsonl", "--log-file", "log.txt", "-v"),
        *("--jobs", "1", "--model", model_file),
        cwd=place,
    )
    assert done.returncode == 3
    bare, missing = url.partition("?")[0], gone.partition("?")[0]
    lines = [json.loads(line) for line in (place / "out.jsonl").read_text().splitlines()]
    statuses = {line["path"]: line["status"] for line in lines}
    assert (statuses[bare], statuses[missing], len(statuses)) == ("ok", "failed", 4)
    assert f"{missing}: no such object" in done.stderr
    texts = [done.stdout, done.stderr]
    texts += [path.read_text() for path in place.iterdir() if path.name != "list.txt"]
    assert sum("clips/tap-wood.flac" in text for text in texts) >= 3
    values = [part.partition("=")[2] for part in url.partition("?")[2].split("&")]
    for secret in (KEY, SECRET, "Signature", *values):
        assert len(secret) > 3
        assert not any(secret in text for text in texts), secret


def test_missing_credentials_are_told(folder, place, model_file):
    nobody = {"AWS_EC2_METADATA_DISABLED": "true", "HOME": str(place)}
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        nobody[name] = ""
    done = program("check", folder, "--json", "--model", model_file, cwd=place, **nobody)
    assert done.returncode == 3
    assert f"{folder}: no credentials are found; set them as docs/storage.md" in done.stdout
    shown = program(
        "check", f"{folder}/none.mp3", "--json", cwd=place, **nobody, FSSPEC_S3_ANON="1"
    )
    assert "no credentials" not in shown.stdout
