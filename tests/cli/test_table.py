"""``label --output FOLDER/``: a table in parts."""

from __future__ import annotations

import pandas as pd
import pytest
from typer.testing import CliRunner

from asmr_classify.batch import Table, table
from asmr_classify.cli.app import app
from asmr_classify.errors import StorageError
from asmr_classify.media import listing
from asmr_classify.media.remote import Entry
from asmr_classify.visual.seen import Picture, Visual
from tests.conftest import DEMO
from tests.storage import BUCKET, KEY, SECRET

TABLE = ("--output", "out/", "--format", "parquet")


@pytest.fixture
def unseen(monkeypatch):
    """Files whose sound is all that there is."""
    monkeypatch.setattr("asmr_classify.visual.look.look", lambda *_, **__: Visual(Picture.NONE))


@pytest.mark.usefixtures("unseen")
def test_a_folder_takes_rows_and_a_second_run_finds_nothing_new(label, labelling, touch, place):
    touch("a.wav", "b.wav", "fail.wav")
    done = label(".", *TABLE)
    assert done.exit_code == 3
    assert "out/: 3 rows in 1 part\n" in done.stderr
    assert "failed: fail.wav: no such file" in done.stderr
    frame = pd.read_parquet("out").set_index("path")
    assert [*frame.status] == ["ok", "ok", "failed"]
    (place / "fail.wav").unlink()
    again = label(".", *TABLE)
    assert again.exit_code == 0
    assert "out/: nothing new; it is whole, 3 rows in 1 part; 1 of recordings that were not" in (
        again.stderr
    )
    assert "2 files found: 2 ok (2 known already)" in again.stderr
    assert sorted(labelling) == ["a.wav", "b.wav", "fail.wav"]
    quiet = label(".", "--quiet", *TABLE)
    assert (quiet.exit_code, quiet.output) == (0, "")


@pytest.mark.usefixtures("unseen")
def test_fresh_begins_anew(label, labelling, touch, place):
    touch("a.wav", "b.wav")
    label(".", *TABLE)
    (place / "a.wav").unlink()
    done = label(".", "--fresh", *TABLE)
    assert "out/: 1 row in" in done.stderr
    assert "note:" not in done.stderr
    assert sorted(labelling) == ["a.wav", "b.wav", "b.wav"]
    assert [*pd.read_parquet("out").path] == ["b.wav"]


@pytest.mark.usefixtures("unseen")
def test_what_stops_a_run_leaves_its_rows_and_no_manifest(label, touch, place):
    touch("a.wav", "fail.wav", "z.wav")
    assert label(".", "--strict", *TABLE).exit_code == 1
    assert not (place / "out" / "_manifest.json").exists()
    assert [*pd.read_parquet("out").path] == ["a.wav", "fail.wav"]
    touch("interrupt.wav")
    done = label(".", *TABLE)
    assert done.exit_code == 130
    assert "interrupted: what was finished is saved; the same command goes on" in done.stderr
    assert not (place / "out" / "_manifest.json").exists()


def test_nothing_to_label_leaves_no_manifest(label, place):
    (place / "in").mkdir()
    assert label("in", *TABLE).exit_code == 4
    assert [path.name for path in (place / "out").iterdir()] == ["_lock"]


def test_who_goes_on_with_a_run_that_lacked_its_end_alone_ends_it(label, place, monkeypatch):
    """Nothing is listed any more, since all before the end was done."""
    (place / "in").mkdir()

    def course(self, _):
        self.goes_on = True

    monkeypatch.setattr(Table, "course", course)
    done = label("in", *TABLE)
    assert done.exit_code == 0
    assert "out/: 0 rows in 0 parts; 0 of what was not listed again" in done.stderr
    assert (place / "out" / "_manifest.json").exists()


@pytest.mark.usefixtures("unseen")
def test_a_part_of_other_settings_beside_a_whole_table_is_named(label, touch, place):
    touch("a.wav")
    label(".", *TABLE, "--threshold", "tap=0.9")
    [late] = (place / "out").glob("part-*")
    content = late.read_bytes()
    label(".", *TABLE, "--fresh")
    late.write_bytes(content)
    done = label(".", *TABLE)
    assert done.exit_code == 0
    assert f"note: out/{late.name}: is left out, as it holds" in " ".join(done.stderr.split())
    assert "out/: nothing new; it is whole, 1 row in 1 part" in done.stderr
    assert late.read_bytes() == content


@pytest.fixture
def bucket(monkeypatch):
    """Names in folders of a bucket, told in order; ``lost`` are folders that are not told."""

    class Bucket:
        names, lost = (), frozenset()

        def iter_folder(self, url, after=""):
            folder = url.removeprefix("s3://b").strip("/")
            if folder in self.lost:
                raise StorageError(url, "busy", may_pass=True)
            if not folder:
                folders = sorted({name.partition("/")[0] for name in self.names})
                yield from (Entry(f"b/{name}", 0, "", is_folder=True) for name in folders)
            for name in sorted(self.names):
                if folder and name.startswith(f"{folder}/") and f"b/{name}" > after:
                    yield Entry(f"b/{name}", 10, "v1", is_folder=False)

    made = Bucket()
    monkeypatch.setattr(listing, "iter_folder", made.iter_folder)
    monkeypatch.setattr(listing, "look_at", lambda _: Entry("b", 0, "", is_folder=True))
    monkeypatch.setattr(listing, "is_ordered", lambda _: True)
    monkeypatch.setattr(listing, "MARK_EVERY", 1)
    monkeypatch.setattr(table, "LISTED_SECONDS", 0)
    return made


@pytest.mark.usefixtures("unseen")
@pytest.mark.parametrize(("second", "status"), [("a/2.mp3", 0), ("a/fail.mp3", 3)])
def test_who_goes_on_ends_as_all_went_and_not_before_all_was_listed(
    second, status, label, labelling, bucket, place
):
    bucket.names = ["a/1.mp3", second, "b/1.mp3", "b/interrupt.mp3", "c/1.mp3"]
    assert label("s3://b/", *TABLE).exit_code == 130
    before = (place / "out" / "_listed.json").read_text()
    bucket.lost = {"b", "c"}
    done = label("s3://b/", "--quiet", *TABLE)
    assert done.exit_code == 3
    said = " ".join(done.stderr.split())
    assert "error: out/: is not whole, as a folder could not be listed; run again" in said
    assert (place / "out" / "_listed.json").read_text() == before
    assert not (place / "out" / "_manifest.json").exists()
    bucket.lost = frozenset()
    labelling.clear()
    done = label("s3://b/", *TABLE)
    assert (done.exit_code, labelling) == (status, ["s3://b/c/1.mp3"])
    assert sorted(pd.read_parquet("out").path) == [f"s3://b/{name}" for name in bucket.names]
    assert (place / "out" / "_manifest.json").exists()


def test_other_results_are_left_alone(label, touch):
    touch("a.wav")
    label(".", *TABLE)
    done = label(".", *TABLE, "--threshold", "tap=0.9")
    assert done.exit_code == 2
    assert "out/: holds results of another model" in done.stderr


@pytest.mark.parametrize(
    ("options", "status", "said"),
    [
        (["-o", "out/"], 2, "out/: what ends in / becomes a table in parts; give --format parquet"),
        (["-o", ".", "-f", "parquet"], 2, "--output .: is a folder; put a / behind it for a table"),
        (["-o", "."], 2, "is a folder; name a file in it, or put a / behind it and give --format"),
        (["-o", "out/", "--json"], 2, "give --format parquet, or name a file"),
        (["-o", "s3://b/a.jsonl"], 2, "s3://b/a.jsonl: storage takes tables in parts; put a /"),
        (["-o", "s3://b/a.parquet"], 2, "or write a file here and copy it there"),
        ([*TABLE, "--catalogue", "c.sqlite"], 2, "leave --catalogue out, or name a file"),
        ([*TABLE, "--per-file", "x"], 2, "--output and --per-file exclude each other"),
        (["-o", "https://me:hush@host/a/?hush", "-f", "parquet"], 2, "put a / behind it"),
        (["-o", "https://me:hush@host/a/", "-f", "parquet"], 2, "https://host/a/: nothing can"),
        (["-o", "nope://b/out/", "-f", "parquet"], 2, "nope://: no storage is addressed so"),
        (["-o", "gs://b/out/", "-f", "parquet"], 1, "needs gcsfs: pip install gcsfs"),
        (["-o", "s3://AKIAKEY:hush@b/o/", "-f", "parquet"], 2, "s3://b/o/: a key stands in"),
        (["-o", "none/out/", "-f", "parquet"], 1, "none/out/: cannot be written; its folder"),
        (["-o", "a.jsonl", "--dask", "local", "--keep-features", "2GB"], 2, "leave it out with"),
    ],
)
def test_what_cannot_be_had_is_told(label, touch, place, options, status, said):
    touch("a.wav")
    done = label("a.wav", *options)
    assert done.exit_code == status, done.output
    assert said in " ".join(done.stderr.split())
    assert "hush" not in done.output
    assert [path.name for path in place.iterdir()] == ["a.wav"]


@pytest.mark.usefixtures("place", "in_this_process")
def test_recordings_of_a_bucket_become_a_table_in_a_bucket(storage, model_file):
    for name in ("tap-wood.flac", "whisper-slow.flac"):
        storage.put(f"to-table/{name}", (DEMO / name).read_bytes())
    source, output = f"s3://{BUCKET}/to-table", f"s3://{BUCKET}/tables/one/"

    def label(*options):
        storage.recover()
        command = ["label", source, "-o", output, "-f", "parquet", *options]
        done = CliRunner().invoke(app, [*command, "--model", str(model_file)])
        log = [(method, path) for method, path, _ in storage.log()]
        return done, log, [path.rpartition("/")[2] for method, path in log if method == "PUT"]

    done, _, puts = label()
    assert done.exit_code == 0, done.output
    assert f"{output}: 2 rows in 1 part\n" in done.stderr
    assert puts[-1] == "_manifest.json"
    assert (len(puts), puts[0].startswith("part-000001-")) == (2, True)
    frame = pd.read_parquet(output, storage_options={"endpoint_url": storage.url})
    assert [*frame.path] == [f"{source}/tap-wood.flac", f"{source}/whisper-slow.flac"]
    again, log, puts = label()
    assert (again.exit_code, puts) == (0, [])
    assert f"{output}: nothing new; it is whole, 2 rows in 1 part\n" in again.stderr
    assert not [path for _, path in log if path.endswith("flac")]
    assert sum(method == "GET" and "/part-" in path for method, path in log) == 1
    for secret in (KEY, SECRET):
        assert secret not in done.output + again.output


@pytest.mark.usefixtures("place", "in_this_process")
@pytest.mark.parametrize(
    ("do", "said"),
    [
        (403, "may not be written; check the credentials and what they are allowed to do"),
        (503, "cannot be written (so told); run again to try once more"),
    ],
)
def test_a_bucket_that_takes_nothing_ends_the_run(do, said, storage, model_file):
    storage.put("to-table/tap-wood.flac", (DEMO / "tap-wood.flac").read_bytes())
    storage.fail(do=do, method="PUT")
    command = ["label", f"s3://{BUCKET}/to-table/tap-wood.flac", "--model", str(model_file)]
    command += ["-o", f"s3://{BUCKET}/tables/{do}/", "-f", "parquet"]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 1
    said_there = " ".join(done.stderr.split())
    assert f"error: s3://{BUCKET}/tables/{do}/part-000001-" in said_there
    assert said in said_there
    storage.recover()
    assert CliRunner().invoke(app, command).exit_code == 0


@pytest.mark.usefixtures("place", "in_this_process", "storage")
def test_a_bucket_that_is_not_there_is_told_before_anything_is_labelled(model_file, labelling):
    command = ["label", str(DEMO), "--model", str(model_file), "-o", "s3://no-such-bucket/out/"]
    done = CliRunner().invoke(app, [*command, "-f", "parquet"])
    assert done.exit_code == 1
    assert "s3://no-such-bucket/out/: there is no such bucket" in " ".join(done.stderr.split())
    assert labelling == []
