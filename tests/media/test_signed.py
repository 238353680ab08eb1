"""Blocks of objects in S3 come from signed addresses, and from the library where that fails."""

from __future__ import annotations

import socket
import threading
from contextlib import closing

import fsspec
import pytest

from asmr_classify.batch.pool import Limits
from asmr_classify.errors import StorageError
from asmr_classify.media import blocks
from asmr_classify.media.opening import open_bytes
from asmr_classify.media.signed import CONNECTING, PATIENCE, Signed
from asmr_classify.media.source import Url
from tests.storage import BUCKET, SECRET

DATA = bytes(range(256)) * 20
URL = Url(f"s3://{BUCKET}/signed/a b+ä?.wav")
"""A name of which much has to be written otherwise in an address."""


@pytest.fixture
def by_library(storage, monkeypatch):
    """An object of five blocks; gives which of them its library was asked for."""
    import s3fs

    monkeypatch.setattr(blocks, "BLOCK_BYTES", 1024)
    monkeypatch.setattr(blocks._Blocks, "_get_ready", lambda *_: None)
    storage.put(URL.removeprefix(f"s3://{BUCKET}/"), DATA)
    storage.recover()
    asked, fetch = [], s3fs.S3File._fetch_range

    def spy(self, start, end):
        asked.append(start // 1024)
        return fetch(self, start, end)

    monkeypatch.setattr(s3fs.S3File, "_fetch_range", spy)
    return asked


@pytest.fixture
def reading(by_library):  # noqa: ARG001 (makes it)
    """The object, opened; it is let go of at the end."""
    file = open_bytes(URL)
    yield file
    file.let_go()


def parts(storage):
    """What was asked for with a range, as far as the server saw it."""
    return [span for method, _, span in storage.log() if method == "GET" and span]


def test_all_blocks_are_read_without_the_library(storage, by_library, reading):
    assert reading.read() == DATA
    reading.seek(2000)
    assert reading.read(100) == DATA[2000:2100]
    assert by_library == []
    assert parts(storage) == [f"bytes={k}-{k + 1023}" for k in range(0, 5120, 1024)]


@pytest.mark.parametrize("do", [503, 403, 404, "reset"])
def test_what_goes_wrong_is_left_to_the_library(do, storage, by_library, reading):
    storage.fail(do=do, path=".*wav", after=2, times=2 if do == "reset" else 1)
    assert reading.read() == DATA
    assert by_library == [2, 3, 4]
    assert len(parts(storage)) == (7 if do == "reset" else 6)


def test_an_object_that_was_replaced_is_not_read_on(storage, by_library, reading):
    assert reading.read(1024) == DATA[:1024]
    storage.put(URL.removeprefix(f"s3://{BUCKET}/"), DATA[::-1])
    with pytest.raises(StorageError, match="was replaced while it was read") as caught:
        reading.read()
    assert SECRET not in str(caught.value)
    assert "ignature" not in str(caught.value)
    assert by_library == [1]


@pytest.fixture
def server():
    """A server that says what it is told to whoever asks, and then nothing more."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        answers = []

        def serve():
            while answers:
                connection, _ = listening.accept()
                with connection:
                    connection.recv(65536)
                    connection.sendall(answers.pop(0))

        def read(*told, times=1):
            answers[:] = told
            threading.Thread(target=serve, daemon=True).start()
            signed = Signed(f"http://127.0.0.1:{listening.getsockname()[1]}/a.wav?s=1", '"1"')
            with closing(signed):
                return [signed.read(0, 4) for _ in range(times)]

        yield read


PARTIAL = (
    b"HTTP/1.1 206 Partial Content\r\n"
    b'Content-Length: 4\r\nContent-Range: bytes 0-3/9\r\nETag: "1"\r\n\r\n'
)


@pytest.mark.parametrize(
    "answer",
    [
        PARTIAL + b"abc",
        PARTIAL.replace(b"4", b"3") + b"abc",
        PARTIAL.replace(b"Content-Length: 4\r\n", b"") + b"abcd",
        PARTIAL.replace(b"0-3", b"4-7") + b"abcd",
        PARTIAL.replace(b'"1"', b'"2"') + b"abcd",
        b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabcd",
        b"HTTP/1.1 307 Temporary Redirect\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n",
        b"nothing that is known\r\n\r\n",
        b"",
    ],
    ids=[
        "cut",
        "short",
        "of any length",
        "another",
        "replaced",
        "whole",
        "elsewhere",
        "no HTTP",
        "closed",
    ],
)
def test_what_is_not_the_part_that_was_asked_for_is_not_taken(answer, server):
    assert server(answer) == [None]


def test_a_connection_that_was_closed_meanwhile_is_opened_anew(server):
    answers = PARTIAL + b"abcd", PARTIAL + b"efgh"
    assert server(*answers, times=2) == [b"abcd", b"efgh"]


def test_only_what_its_address_opens_is_read_so(storage, monkeypatch):
    storage.put("signed/a.wav", DATA)

    def opened(**options):
        system = fsspec.filesystem("s3", use_listings_cache=False, **options)
        return system.open(f"{BUCKET}/signed/a.wav", cache_type="none")

    file = opened()
    assert Signed.of(file) is not None
    assert Signed.of(opened(requester_pays=True)) is None
    assert Signed.of(opened(s3_additional_kwargs={"RequestPayer": "requester"})) is None
    assert Signed.of(fsspec.filesystem("file").open(__file__, "rb")) is None
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    assert Signed.of(file) is not None
    monkeypatch.setenv("no_proxy", "example.org")
    assert Signed.of(file) is None


def test_who_may_not_sign_asks_the_library(storage, monkeypatch):
    storage.put("signed/a.wav", DATA)
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 1024)

    def sign(*_, **__):
        raise ValueError(SECRET)

    monkeypatch.setattr("s3fs.S3FileSystem.sign", sign)
    with open_bytes(f"s3://{BUCKET}/signed/a.wav") as file:
        assert file.read() == DATA
        assert file._blocks._signed is None


def test_a_server_that_says_nothing_is_given_up(monkeypatch):
    # Before a worker that says nothing is given up, the library has its turn, too.
    assert Limits().patience > 2 * (CONNECTING + PATIENCE)
    monkeypatch.setattr("asmr_classify.media.signed.PATIENCE", 0.1)
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        signed = Signed(f"http://127.0.0.1:{server.getsockname()[1]}/a?b=c", '"1"')
        assert signed.read(0, 10) is None


class _Open:
    """An object that is open, of a bucket that nobody asks for it."""

    def __init__(self, **options):
        self.fs = fsspec.filesystem("s3", key="key", secret=SECRET, **options)
        self.path, self.details = "bucket/a b.wav", {"ETag": '"1"'}


@pytest.mark.parametrize(
    ("region", "server"),
    [
        ("eu-west-1", "bucket.s3.eu-west-1.amazonaws.com"),
        ("us-east-1", "bucket.s3.amazonaws.com"),
        ("cn-north-1", "bucket.s3.cn-north-1.amazonaws.com.cn"),
    ],
)
def test_addresses_at_amazon_are_of_the_region_and_signed_in_the_newest_way(
    region, server, monkeypatch
):
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.delenv(name, raising=False)
    signed = Signed.of(_Open(client_kwargs={"region_name": region}))
    assert signed._address.netloc == server
    assert "X-Amz-Signature=" in signed._address.query


@pytest.mark.parametrize(
    "options",
    [
        {"config_kwargs": {"proxies": {"https": "http://proxy:3128"}}},
        {"client_kwargs": {"region_name": "eu-west-1", "verify": "ours.pem"}},
        {"requester_pays": True},
    ],
)
def test_what_only_the_library_knows_leaves_all_to_it(options):
    assert Signed.of(_Open(**{"client_kwargs": {"region_name": "eu-west-1"}, **options})) is None
