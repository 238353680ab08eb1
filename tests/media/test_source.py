from __future__ import annotations

import pickle
import re
import subprocess
import sys

import pytest

from asmr_classify.media.opening import check_sources
from asmr_classify.media.source import Url, as_source, is_url
from tests.conftest import DEMO, ROOT


@pytest.mark.parametrize(
    ("whole", "shown"),
    [
        ("s3://bucket/a b.mp3", "s3://bucket/a b.mp3"),
        ("s3://key:secret@bucket/a.mp3", "s3://bucket/a.mp3"),
        ("s3://bucket/me@home:1.mp3", "s3://bucket/me@home:1.mp3"),
        ("s3://bucket/what?.mp3", "s3://bucket/what?.mp3"),
        ("abfs://files@account.dfs.core.windows.net/a", "abfs://files@account.dfs.core.windows.net/a"),
        ("abfs://box@a.dfs.core.windows.net/a.mp3?sig=1f", "abfs://box@a.dfs.core.windows.net/a.mp3"),
        ("AZ://box/a.mp3?sv=2&SIG=1f0c", "az://box/a.mp3"),
        ("abfss://box/what?.mp3", "abfss://box/what?.mp3"),
        ("s3://bucket/what?sig=1.mp3", "s3://bucket/what?sig=1.mp3"),
        ("https://host/a.mp3?X-Amz-Signature=1f0c#t=3", "https://host/a.mp3"),
        ("HTTPS://token@host/a.mp3", "https://host/a.mp3"),
        ("sftp://me:word@host:22/a.mp3", "sftp://host:22/a.mp3"),
        ("ftp://me:pa/ss@host/a.mp3", "ftp://host/a.mp3"),
        ("ftp://me:12/34@host/a.mp3", "ftp://host/a.mp3"),
        ("https://me:12/3@4@host/a.mp3", "https://host/a.mp3"),
        ("ftp://me:/34secret@host/a.mp3", "ftp://host/a.mp3"),
        ("ftp://me:12/34@host/a@b.mp3", "ftp://b.mp3"),
        ("https://me:12/34@host/a.mp3?token=a@b", "https://host/a.mp3#ef44300929f2"),
        ("https://me:12/3?4@host/a.mp3", "https://host/a.mp3"),
        ("https://a.org:80/b@c/d.mp3", "https://a.org:80/b@c/d.mp3"),
        ("http://localhost:80/b@c/d.mp3", "http://localhost:80/b@c/d.mp3"),
        ("ftp://me:pa?s/s@w@host:21/a.mp3", "ftp://host:21/a.mp3"),
        ("https://me:pa/ss@host/a.mp3?x=1&Signature=s", "https://host/a.mp3#1f206b11c23e"),
        ("s3://KEY:sec/ret+@bucket/a.mp3", "s3://bucket/a.mp3"),
        ("https://a.org:8080/@me/a@home.mp3", "https://a.org:8080/@me/a@home.mp3"),
        ("https://host:8080/a@home.mp3?to=a@b", "https://host:8080/a@home.mp3#9f718a1a7aaf"),
        ("https://[::1]:80/a@b.mp3", "https://[::1]:80/a@b.mp3"),
        ("https://host?to=a@b", "https://host#9f718a1a7aaf"),
        ("s3://arn:aws:s3:eu-west-1:123456789012:accesspoint/a/b@c.mp3",) * 2,
    ],
)  # fmt: skip
def test_an_address_is_shown_without_what_it_keeps_secret(whole, shown):
    url = as_source(whole)
    assert isinstance(url, Url)
    scheme, _, rest = whole.partition("://")
    whole = f"{scheme.lower()}://{rest}"
    assert (str(url), f"{url}", repr(url), url.whole) == (shown, shown, repr(shown), whole)
    crossed = pickle.loads(pickle.dumps(url))  # noqa: S301 (as workers do)
    assert (crossed, crossed.whole, crossed.size) == (shown, whole, 0)
    assert as_source(url) is url
    assert str(as_source(shown)) == shown


SIGNED = (
    "X-Amz-Algorithm=AWS4&X-Amz-Credential=K%2F1&X-Amz-Date={0}&X-Amz-Signature={0}f0",
    "x-goog-signature={0}ab&X-Goog-Expires=3600",
    "Expires={0}&Signature=q{0}%3D&Key-Pair-Id=APKA",
    "AWSAccessKeyId=AKIA&Signature=s{0}&Expires={0}",
)


def test_addresses_that_differ_in_their_query_have_names_of_their_own():
    queries = [
        "",
        "?id=1",
        "?id=2",
        "?token=hush",
        "?id=1&token=hush",
        "?versionId=Signature",
    ]
    shown = [str(as_source(f"https://host/a.mp3{query}")) for query in queries]
    assert len({*shown}) == len(queries)
    assert shown[0] == "https://host/a.mp3"
    for name in shown[1:]:
        assert re.fullmatch(r"https://host/a\.mp3#[0-9a-f]{12}", name)
    assert as_source("https://host/a.mp3?id=1").bare == "https://host/a.mp3"


@pytest.mark.parametrize("signed", SIGNED)
def test_the_same_object_signed_anew_keeps_its_name(signed):
    first, second = (as_source(f"https://host/a.mp3?{signed.format(n)}") for n in (1, 2))
    assert first == second == "https://host/a.mp3"
    assert first.whole != second.whole
    one, two = (as_source(f"https://host/a?{signed.format(n)}&versionId={n}") for n in (1, 2))
    assert one != two


@pytest.mark.parametrize(
    "path", ["a.mp3", "/a/b.mp3", "C:\\a.mp3", "C://a.mp3", "s3:/a", "-://a", "://a", "a\0b"]
)
def test_paths_are_no_addresses(path):
    assert not is_url(path)
    assert as_source(path) is path
    check_sources([path])


def test_what_is_on_the_disk_under_the_very_name_is_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert is_url("s3://bucket")
    (tmp_path / "s3:" / "bucket").mkdir(parents=True)
    assert not is_url("s3://bucket")
    assert is_url("s3://bucket/a.mp3")


def test_a_run_over_files_loads_nothing_that_storage_or_a_cluster_needs():
    code = (
        "import sys; from asmr_classify.batch import label_paths\n"
        "from asmr_classify.cli.check import check\n"
        "from asmr_classify.classify import label_file\n"
        "from asmr_classify.media.discover import discover\n"
        f"files = [found.path for found in discover([{str(DEMO)!r}])]\n"
        "assert label_file(files[0]).status == 'ok'\n"
        "packages = {'fsspec', 's3fs', 'aiohttp', 'botocore', 'dask', 'distributed'}\n"
        "print(packages & sys.modules.keys())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "set()\n"
