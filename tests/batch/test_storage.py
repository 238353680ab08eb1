"""Runs over a bucket of a real S3 server, which fails where it is told to."""

from __future__ import annotations

import logging
import pickle

import pytest

from asmr_classify.aggregate import Problem, Status
from asmr_classify.batch import Journal, Parts, extract_paths, label_paths
from asmr_classify.batch.extraction import FeatureTask
from asmr_classify.batch.labelling import LabelTask
from asmr_classify.classify import label_file
from asmr_classify.config import FeatureSpec
from asmr_classify.features.table import By
from asmr_classify.media import blocks
from asmr_classify.media.source import Url
from asmr_classify.writers.jsonl import result_to_record
from tests.batch.tasks import WAYS
from tests.conftest import DEMO, shared_folder
from tests.media.hostile import make_hostile
from tests.storage import BUCKET

WOOD = (DEMO / "tap-wood.flac").read_bytes()


def records(model, path, prefix, **options):
    """The records of a run as text, by name, without what stands before it."""
    results = label_paths([path], model=model, **options)
    return sorted(str(result_to_record(result)).replace(prefix, "") for result in results)


def put_folder(storage, folder, name):
    for path in folder.rglob("*"):
        if path.is_file():
            storage.put(f"{name}/{path.relative_to(folder)}", path.read_bytes())


def test_workers_give_the_same_records_from_a_bucket(storage, tiny_model, tmp_path):
    for seed in range(12):
        name, data = make_hostile(seed)
        (tmp_path / name).write_bytes(data)
    for path in DEMO.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "empty.mp3").touch()
    put_folder(storage, tmp_path, "same")
    expected = records(tiny_model, str(tmp_path), f"{tmp_path}/", jobs=2)
    got = records(tiny_model, f"s3://{BUCKET}/same", f"s3://{BUCKET}/same/", jobs=2)
    assert got == expected
    assert len(got) == 25


@pytest.mark.usefixtures("in_this_process")
def test_media_of_the_wild_gives_the_same_records_from_a_bucket(storage, tiny_model):
    folder = shared_folder() / "media"
    if not folder.is_dir():
        pytest.skip("no shared media beside the project")
    put_folder(storage, folder, "media")
    for how in WAYS:
        expected = records(tiny_model, str(folder), f"{folder}/", **how)
        got = records(tiny_model, f"s3://{BUCKET}/media", f"s3://{BUCKET}/media/", **how)
        assert got == expected
        assert len(got) > 1


def labelled(storage, model, name, journal=None):
    """Label an object, and give its result and the requests that it took."""
    [result] = label_paths([f"s3://{BUCKET}/{name}"], model=model, journal=journal)
    return result, storage.log()


@pytest.mark.usefixtures("in_this_process")
def test_what_has_not_changed_is_not_read_again(storage, tiny_model, tmp_path):
    name = "resume/a.flac"
    storage.put(name, WOOD)
    for attempt, n_read in enumerate((1, 0)):
        storage.recover()
        with Journal.open(str(tmp_path / "j"), tiny_model) as journal:
            result, log = labelled(storage, tiny_model, name, journal)
        assert (result.status, attempt) == (Status.OK, attempt)
        assert sum(method == "GET" for method, *_ in log) == n_read
    storage.put(name, (DEMO / "tap-keys.flac").read_bytes())
    with Journal.open(str(tmp_path / "j"), tiny_model) as journal:
        changed, _ = labelled(storage, tiny_model, name, journal)
    assert changed.scores != result.scores


@pytest.mark.usefixtures("in_this_process")
def test_addresses_that_differ_in_their_query_have_places_of_their_own(
    storage, tiny_model, tmp_path
):
    storage.put("query/a.flac", WOOD)
    urls = [storage.sign("query/a.flac", ResponseContentLanguage=x) for x in ("de", "en")]
    bare = urls[0].partition("?")[0]
    for n_read in (2, 0):
        storage.recover()
        with Journal.open(str(tmp_path / "j"), tiny_model) as journal:
            again = urls[0].replace("Signature=", "Signature=0")
            results = [*label_paths([*urls, again], model=tiny_model, journal=journal)]
        assert len({result.path for result in results}) == len(results) == 2
        assert all(result.path.startswith(f"{bare}#") for result in results)
        assert {result.status for result in results} == {Status.OK}
        n_whole = sum(method == "GET" and asked != "" for method, _, asked in storage.log())
        assert n_whole == n_read
    kept = (tmp_path / "j").read_text()
    assert "Signature" not in kept
    assert "language" not in kept


@pytest.mark.usefixtures("in_this_process")
def test_rows_of_features_come_from_a_bucket_and_are_kept(storage, tmp_path):
    storage.put("rows/a.flac", WOOD)
    paths, output = [f"s3://{BUCKET}/rows/"], str(tmp_path / "f.csv")
    with Parts.open(output, FeatureSpec(), By.FILE) as parts:
        [result] = extract_paths(paths, parts)
        [rows] = parts.iter_rows(result)
        [here] = extract_paths([str(DEMO / "tap-wood.flac")], parts)
        assert [rows] == [*parts.iter_rows(here)]
    storage.fail(do=403)
    with Parts.open(output, FeatureSpec(), By.FILE) as parts:
        storage.fail(do=403, path=".*flac")
        [again] = extract_paths(paths, parts)
        assert (again.path, again.status) == (f"s3://{BUCKET}/rows/a.flac", Status.OK)


@pytest.mark.usefixtures("in_this_process")
@pytest.mark.parametrize("do", [503, "reset"])
def test_a_server_that_fails_for_a_moment_costs_nothing(do, storage, tiny_model):
    storage.put("faults/a.flac", WOOD)
    storage.fail(do=do, path=".*flac", times=2)
    result, log = labelled(storage, tiny_model, "faults/a.flac")
    assert (result.status, result.error) == (Status.OK, None)
    assert sum(method == "GET" for method, *_ in log) == 3


@pytest.mark.usefixtures("in_this_process")
@pytest.mark.parametrize(
    ("do", "message"),
    [
        (503, "cannot be read (so told); run again to try once more"),
        ("reset", "cannot be read ("),
        (403, "may not be read; check the credentials"),
        (404, "no such object; it may have been moved or removed"),
    ],
)
def test_a_server_that_fails_in_the_middle_fails_the_file(
    do, message, storage, tiny_model, monkeypatch, tmp_path
):
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 32768)
    storage.put("faults/a.flac", WOOD)
    storage.fail(do=do, path=".*flac", after=2)
    with Journal.open(str(tmp_path / "j"), tiny_model) as journal:
        result, _ = labelled(storage, tiny_model, "faults/a.flac", journal)
        assert result.status is Status.FAILED
        assert (result.error.kind, result.error.may_pass) == ("StorageError", True)
        assert result.error.message.startswith(f"s3://{BUCKET}/faults/a.flac: {message}")
        storage.recover()
        result, _ = labelled(storage, tiny_model, "faults/a.flac", journal)
        assert result.status is Status.OK


@pytest.mark.parametrize("is_web", [False, True], ids=["s3", "https"])
def test_an_object_that_is_replaced_while_it_is_read_fails(
    is_web, storage, tiny_model, monkeypatch
):
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 32768)
    storage.put("faults/a.flac", WOOD)
    real = blocks._Blocks._fetch

    def fetch(self, number):
        if number == 2:
            storage.put("faults/a.flac", (DEMO / "tap-keys.flac").read_bytes())
        return real(self, number)

    monkeypatch.setattr(blocks._Blocks, "_fetch", fetch)
    url = storage.sign("faults/a.flac") if is_web else f"s3://{BUCKET}/faults/a.flac"
    error = label_file(url, model=tiny_model).error
    shown = url.partition("?")[0]
    assert error.message == f"{shown}: was replaced while it was read; run again"
    assert error.may_pass


@pytest.mark.usefixtures("in_this_process")
@pytest.mark.parametrize("where", ["no-such-bucket", "no-such-bucket/a/", "no-such-bucket/a.mp3"])
def test_a_bucket_that_does_not_exist_is_told(where, storage, tiny_model):
    assert storage.log() == []
    [result] = label_paths([f"s3://{where}"], model=tiny_model)
    assert result.error.message == (
        f"s3://{where}: there is no such bucket; check its name and the address of the storage"
    )


@pytest.mark.usefixtures("in_this_process")
def test_a_part_of_a_bucket_that_may_not_be_listed_is_told(storage, tiny_model):
    storage.put("faults/a.flac", WOOD)
    storage.fail(do=403, path="/asmr")
    [result] = label_paths([f"s3://{BUCKET}/faults"], model=tiny_model)
    assert "may not be read; check the credentials" in result.error.message


@pytest.mark.usefixtures("in_this_process")
def test_buckets_that_may_not_be_listed_are_told(storage, tiny_model):
    storage.fail(do=403, path="/")
    [result] = label_paths(["s3://"], model=tiny_model)
    assert (result.path, result.status) == ("s3://", Status.FAILED)
    assert result.error.message.startswith("s3://: cannot be read")


@pytest.mark.usefixtures("in_this_process")
def test_bytes_and_requests_are_told(storage, tiny_model, caplog):
    storage.put("told/a.flac", WOOD)
    with caplog.at_level(logging.INFO, logger="asmr_classify"):
        labelled(storage, tiny_model, "told/a.flac")
    assert f"s3://{BUCKET}/told/a.flac: {len(WOOD)} bytes in 1 request" in caplog.text


@pytest.mark.usefixtures("in_this_process")
def test_no_result_of_a_failed_object_holds_its_whole_address(tiny_model, tmp_path):
    url = Url("https://me:hush@host/a.mp3?sig=hush")
    problem = Problem("OpenError", "gone", may_pass=True)
    with Parts.open(str(tmp_path / "f.csv"), FeatureSpec(), By.FILE) as parts:
        for task in (LabelTask(tiny_model), FeatureTask(parts)):
            result = task.fail(url, problem)
            assert type(result.path) is str
            assert result.path == str(url)
            assert b"hush" not in pickle.dumps(result)
