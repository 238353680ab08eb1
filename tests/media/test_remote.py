"""Objects in storage, read as files are: those of memory, and of servers that fail as told."""

from __future__ import annotations

import itertools
import re
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise

import fsspec
import numpy as np
import pytest
from fsspec.implementations.ftp import FTPFileSystem
from fsspec.implementations.memory import MemoryFileSystem

from asmr_classify.errors import MediaError, MissingExtraError, OpenError, StorageError, UsageError
from asmr_classify.media import blocks, remote
from asmr_classify.media.blocks import Fetched, RemoteFile, take_fetched
from asmr_classify.media.decode import AudioStream, read_audio
from asmr_classify.media.discover import discover
from asmr_classify.media.opening import check_sources, held, open_bytes
from asmr_classify.media.probe import probe
from asmr_classify.media.remote import connect, look_at
from asmr_classify.media.source import Url, as_source
from asmr_classify.media.stretch import read_stretch
from asmr_classify.media.whole import held_share
from tests.conftest import DEMO, ROOT
from tests.media.hostile import make_hostile, sound_files
from tests.media.make_media import RECIPES, write_media

WOOD = (DEMO / "tap-wood.flac").read_bytes()


@pytest.fixture
def memory():
    """Storage in this process' memory; ``memory("a.flac", data)`` puts data there."""
    system = fsspec.filesystem("memory")

    def put(name, data):
        system.pipe_file(f"/asmr/{name}", data)
        return f"memory://asmr/{name}"

    yield put
    system.store.clear()
    system.pseudo_dirs[:] = [""]


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 16384)


def hear(path):
    """Everything that is known of a file after it was decoded, but its name."""
    try:
        with AudioStream.open(path) as stream:
            y = np.concatenate([block.y for block in stream.iter_blocks()])
            facts = {**{name: getattr(stream.info, name) for name in stream.info.__slots__}}
            problem = None if stream.problem is None else stream.problem.message
            return facts | {"path": ""}, stream.decoded, stream.duration, problem, y.tobytes()
    except MediaError as exc:
        return type(exc), exc.message, exc.may_pass


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("ending", RECIPES)
def test_every_container_sounds_the_same_from_storage(ending, tmp_path, memory):
    data = sound_files()[ending]
    path = tmp_path / f"a.{ending}"
    path.write_bytes(data)
    url = memory(f"a.{ending}", data)
    assert hear(url) == hear(str(path))
    assert held_share(url) == held_share(str(path))


@pytest.mark.usefixtures("small_blocks")
def test_damaged_files_fail_or_sound_the_same_from_storage(tmp_path, memory):
    for seed in [*range(60), 748]:  # one that claims to go on where no disk does
        name, data = make_hostile(seed)
        (tmp_path / name).write_bytes(data)
        assert hear(memory(name, data)) == hear(str(tmp_path / name)), name


def test_a_stretch_and_the_whole_are_read_from_storage(memory):
    url, path = memory("a.flac", WOOD), str(DEMO / "tap-wood.flac")
    assert np.array_equal(read_audio(url), read_audio(path))
    assert np.array_equal(read_stretch(url, 1.0, 2.0), read_stretch(path, 1.0, 2.0))
    assert probe(url).path == url


def test_a_file_of_this_machine_has_an_address_too():
    assert hear(f"file://{DEMO}/tap-wood.flac") == hear(str(DEMO / "tap-wood.flac"))


def test_an_object_reads_like_a_file(tmp_path, memory):
    data = bytes(range(256)) * 64
    (tmp_path / "a").write_bytes(data)
    with (tmp_path / "a").open("rb") as file, open_bytes(memory("a", data)) as other:
        for offset, whence in [(0, 0), (100, 0), (5, 1), (-7, 2), (3, 2), (99999, 0), (0, 2)]:
            assert other.seek(offset, whence) == file.seek(offset, whence)
            assert other.read(9) == file.read(9)
            assert other.tell() == file.tell()
        assert other.seek(-1) < 0  # as FFmpeg wants it; a file raises
        assert other.seek(1 << 55) < 0
        other.seek(300)
        assert other.read() == data[300:]
        assert (other.readable(), other.seekable(), other.writable()) == (True, True, False)


def test_blocks_are_fetched_once_and_the_oldest_are_dropped(memory, monkeypatch):
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 100)
    monkeypatch.setattr(blocks, "BLOCKS_KEPT", 2)
    take_fetched()
    file = RemoteFile.open(as_source(memory("a", bytes(950))))
    assert take_fetched() == Fetched(0, 1)
    for place, n_bytes, fetched in [
        (250, 20, Fetched(100, 1)),
        (299, 1, Fetched()),
        (940, 100, Fetched(50, 1)),
        (210, 1, Fetched()),
        (410, 1, Fetched(100, 1)),
        (940, 1, Fetched(50, 1)),
    ]:
        file.seek(place)
        assert len(file.read(n_bytes)) == min(n_bytes, 950 - place)
        assert take_fetched() == fetched


@pytest.fixture
def fetches(monkeypatch):
    """The blocks of a hundred bytes that are fetched, and whether ahead of who asks for them."""
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 100)
    asked = []
    real = blocks._Blocks._fetch

    def fetch(self, number):
        asked.append((number, threading.current_thread() is not threading.main_thread()))
        return real(self, number)

    monkeypatch.setattr(blocks._Blocks, "_fetch", fetch)
    return asked


def test_who_reads_on_finds_the_next_block_fetched(memory, fetches):
    data = bytes(range(256)) * 4
    url = as_source(memory("a", data))
    file = RemoteFile.open(url)
    assert b"".join(iter(lambda: file.read(30), b"")) == data
    assert fetches == [(0, False), (1, False), *((number, True) for number in range(2, 11))]
    blocks.release(url)
    assert file.seek(120) == 120
    assert file.read(5) == data[120:125]


def test_what_was_fetched_ahead_is_kept_for_who_comes_back(memory, fetches):
    file = RemoteFile.open(as_source(memory("a", bytes(1000))))
    for place in (0, 100, 900, 200):
        file.seek(place)
        assert len(file.read(10)) == 10
    assert fetches == [(0, False), (1, False), (2, True), (9, False)]


def test_no_more_than_one_block_is_fetched_in_vain(memory, fetches):
    file = RemoteFile.open(as_source(memory("a", bytes(2000))))
    for place in (0, 100, 900, 400, 1500, 300):
        file.seek(place)
        file.read(100)
    assert fetches == [(0, False), (1, False), (2, True), *((k, False) for k in (9, 4, 15, 3))]


def test_an_error_ahead_is_told_to_who_asks_for_the_block(unsteady, monkeypatch):
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 100)
    file = RemoteFile.open(as_source("memory://asmr/a.flac"))
    file.read(100)
    errors = [ConnectionResetError("peer"), ConnectionResetError("peer")]
    real = file._blocks._get_ready

    def get_ready(number):
        Unsteady.errors = errors
        real(number)

    monkeypatch.setattr(file._blocks, "_get_ready", get_ready)
    assert file.read(100) == WOOD[100:200]
    assert unsteady == []
    monkeypatch.undo()
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 100)
    assert file.read(100) == WOOD[200:300]
    assert not errors
    file.let_go()  # its thread counts what it fetches


def test_who_opens_an_object_again_shares_its_blocks_but_not_its_place(memory):
    url = as_source(memory("a", b"0123456789"))
    first = RemoteFile.open(url)
    assert first.read(4) == b"0123"
    take_fetched()
    second = RemoteFile.share(url)
    assert second.read(2) == b"01"
    assert first.read(2) == b"45"
    assert take_fetched() == Fetched()
    RemoteFile.open(url)  # as it is now
    assert take_fetched() == Fetched(0, 1)


def test_nothing_of_an_object_is_held_once_it_was_read(memory):
    with AudioStream.open(memory("a.flac", WOOD)) as stream:
        [*stream.iter_blocks()]
        [held_here] = blocks._at_hand.values()
        assert len(held_here._blocks) == 1
    assert not held_here._blocks
    assert not blocks._at_hand


def test_what_was_found_to_be_small_takes_one_request(memory, tmp_path):
    url = memory("a.flac", WOOD)
    [found] = discover([url])
    take_fetched()
    assert hear(found.path) == hear(str(DEMO / "tap-wood.flac"))
    assert take_fetched() == Fetched(len(WOOD), 1)
    longer = (DEMO / "tap-keys.flac").read_bytes()
    assert len(longer) > len(WOOD)
    memory("a.flac", longer)
    assert hear(found.path) == hear(str(DEMO / "tap-keys.flac"))
    memory("a.flac", WOOD[:50_000])
    (tmp_path / "a.flac").write_bytes(WOOD[:50_000])
    assert hear(found.path) == hear(str(tmp_path / "a.flac"))


def test_a_small_object_is_fetched_before_it_is_opened(memory):
    memory("a.flac", WOOD)
    [found] = discover(["memory://asmr/a.flac"])
    blocks.fetch_ahead(found.path)
    take_fetched()
    memory("a.flac", bytes(len(WOOD)))
    with held(found.path):
        assert hear(found.path) == hear(str(DEMO / "tap-wood.flac"))
    assert take_fetched() == Fetched(len(WOOD), 1)  # told of who uses it
    with held(found.path), pytest.raises(OpenError):
        probe(found.path)


def test_what_was_fetched_ahead_in_vain_is_let_go_of(memory):
    memory("a.flac", WOOD)
    [found] = discover(["memory://asmr/a.flac"])
    blocks.fetch_ahead(found.path)
    assert blocks._soon
    with held(found.path):
        pass
    assert not blocks._soon


def test_an_error_of_what_is_fetched_ahead_is_told_once_it_is_opened(memory, monkeypatch):
    memory("a.flac", WOOD)
    [found] = discover(["memory://asmr/a.flac"])

    def refuse(_):
        raise PermissionError("denied")

    with monkeypatch.context() as refusing:
        refusing.setattr(blocks, "_read_small", refuse)
        blocks.fetch_ahead(found.path)
    with pytest.raises(OpenError, match="may not be read; check the credentials"):
        probe(found.path)
    assert probe(found.path).duration == pytest.approx(6.0)


def test_only_small_objects_that_were_found_are_fetched_ahead(memory, monkeypatch):
    path = str(DEMO / "tap-wood.flac")
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 1000)
    small = as_source(memory("s", bytes(1000)))
    for other in (path, small, Url(small, 1001), Url("https://host/a.mp3", 10)):
        blocks.fetch_ahead(other)
    assert not blocks._soon


def test_an_index_at_the_end_costs_two_seeks_and_few_bytes_twice(tmp_path, memory, monkeypatch):
    y = np.random.default_rng(0).standard_normal((2, 32000 * 20)).astype(np.float32) * 0.1
    path = tmp_path / "a.mp4"
    write_media(path, y, RECIPES["mp4"], video_duration=20)
    data = path.read_bytes()
    assert data.index(b"moov") > data.index(b"mdat")
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 34000)  # FFmpeg asks for 32 kB at a time
    assert len(data) > 7 * 34000
    url = memory("a.mp4", data)
    take_fetched()
    asked = []
    real = blocks._Blocks._fetch
    monkeypatch.setattr(
        blocks._Blocks, "_fetch", lambda self, number: asked.append(number) or real(self, number)
    )
    assert hear(url) == hear(str(path))
    jumps = [after for before, after in pairwise(asked) if after != before + 1]
    # To the end and back; and after all samples FFmpeg looks whether more began at the start.
    assert len(jumps) <= 3
    # The opening, and what was dropped in between, or fetched ahead in vain before a jump.
    assert take_fetched().n_requests <= len(set(asked)) + 3


def test_ffmpeg_opens_nothing_by_itself(tmp_path, memory):
    sound = tmp_path / "secret.flac"
    sound.write_bytes(WOOD)
    lists = {
        "a.m3u8": f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile://{sound}\n#EXT-X-ENDLIST\n",
        "a.ffconcat": f"ffconcat version 1.0\nfile '{sound}'\n",
        "a.mp3": f"ffconcat version 1.0\nfile '{sound}'\n",
    }
    for name, text in lists.items():
        with pytest.raises(OpenError, match="not an audio or video file"):
            probe(memory(name, text.encode()))


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("none.mp3", None, "no such object; it may have been moved or removed"),
        ("empty.mp3", b"", "the file is empty; fetch or record it again"),
        ("text.mp3", b"words " * 99, "not an audio or video file"),
    ],
)
def test_what_is_no_recording_is_told(name, data, message, memory):
    url = f"memory://asmr/{name}" if data is None else memory(name, data)
    with pytest.raises(OpenError, match=f"^{url}: {message}"):
        probe(url)


class Unsteady(MemoryFileSystem):
    """Raises what is in ``errors``, one a read, before it reads."""

    errors: list[Exception] = []  # noqa: RUF012 (set by each test)

    def open(self, path, *args, **kwargs):
        file = super().open(path, *args, **kwargs)
        real = type(file).read

        class Reader:
            size = file.size

            def seek(self, place):
                file.seek(place)

            def read(self, n_bytes):
                if Unsteady.errors:
                    raise Unsteady.errors.pop(0)
                return real(file, n_bytes)

        return Reader()


@pytest.fixture
def unsteady(memory, monkeypatch):
    monkeypatch.setattr(remote, "_file_system", lambda *_: Unsteady())
    waited = []
    monkeypatch.setattr(remote.time, "sleep", waited.append)
    memory("a.flac", WOOD)
    return waited


def test_what_may_pass_is_tried_again_after_a_while(unsteady):
    Unsteady.errors = [ConnectionResetError("peer"), TimeoutError()]
    assert hear("memory://asmr/a.flac")[1] == pytest.approx(6.0)
    assert unsteady == [*remote.WAITS]


@pytest.mark.parametrize(
    ("error", "message", "n_waits"),
    [
        (ConnectionResetError("peer"), r"cannot be read \(peer\); run again", 2),
        (TimeoutError(), r"cannot be read \(TimeoutError\); run again", 2),
        (PermissionError("denied"), "may not be read; check the credentials", 0),
        (FileNotFoundError("a"), "no such object", 0),
        (ValueError("no ranges"), r"cannot be read \(no ranges\)", 0),
    ],
)
def test_what_does_not_pass_fails_the_file_and_may_pass_later(error, message, n_waits, unsteady):
    Unsteady.errors = [error] * 3
    kind, told, may_pass = hear("memory://asmr/a.flac")
    assert (kind, may_pass) == (StorageError, True)
    assert told.startswith(message.replace("\\", "").split(";")[0])
    assert len(unsteady) == n_waits
    Unsteady.errors = []


class Plain(BaseHTTPRequestHandler):
    """A server that tells no ETag, and of parts of a file what ``gives_parts`` says."""

    gives_parts = True
    age = itertools.repeat(0)
    """Of the file, at each request, in days."""

    def do_HEAD(self):
        changed = format_datetime(
            datetime(2026, 1, 1, tzinfo=UTC) + timedelta(next(self.age)), True
        )
        start, end = map(int, re.findall(r"\d+", self.headers.get("Range", "0-999999")))
        part = WOOD[start : end + 1] if self.gives_parts else WOOD
        status = 206 if len(part) < len(WOOD) else 200
        if self.headers.get("If-Unmodified-Since", changed) != changed:
            status, part = 412, b""
        self.send_response(status)
        self.send_header("Last-Modified", changed)
        self.send_header("Content-Length", str(len(part)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(part)

    do_GET = do_HEAD  # noqa: N815 (the server's)

    def log_message(self, *_):
        """Write nothing."""


@pytest.fixture
def plain(monkeypatch):
    """The address of a file on such a server, as ``plain(gives_parts=False)`` says."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Plain) as server:

        def be(**how):
            for name, value in how.items():
                monkeypatch.setattr(Plain, name, value)
            return f"http://127.0.0.1:{server.server_port}/wood.flac"

        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield be
        server.shutdown()
        thread.join()


@pytest.mark.usefixtures("small_blocks")
def test_a_server_without_tags_tells_by_time_what_was_replaced(plain):
    assert hear(plain(age=itertools.repeat(0))) == hear(str(DEMO / "tap-wood.flac"))
    ages = itertools.chain([0] * 3, itertools.repeat(1))
    with pytest.raises(StorageError, match="was replaced while it was read; run again"):
        read_audio(plain(age=ages))


@pytest.mark.usefixtures("small_blocks")
def test_a_server_that_gives_no_parts_is_told(plain):
    with pytest.raises(StorageError, match="gives no parts of files; fetch it and label the copy"):
        read_audio(plain(gives_parts=False))


def test_an_unknown_scheme_and_a_missing_library_are_told():
    with pytest.raises(UsageError, match="nope://: no storage is addressed so; s3, gs, az, https"):
        connect(Url("nope://bucket/a.mp3"))
    with pytest.raises(MissingExtraError, match=r"gs://: .* needs gcsfs: pip install gcsfs"):
        connect(Url("gs://bucket/a.mp3"))


@pytest.fixture
def loaded():
    """The file systems that fsspec has loaded, by scheme."""
    return sys.modules["fsspec.registry"]._registry


@pytest.mark.parametrize(
    ("scheme", "library"),
    [("gs", "gcsfs"), ("gcs", "gcsfs"), ("az", "adlfs"), ("abfs", "adlfs"), ("abfss", "adlfs")],
)
def test_the_package_of_a_store_is_named_where_it_is_missing(scheme, library, monkeypatch, loaded):
    monkeypatch.setitem(sys.modules, library, None)
    monkeypatch.delitem(loaded, scheme, raising=False)
    with pytest.raises(MissingExtraError) as caught:
        check_sources([f"{scheme}://box/a.mp3"])
    assert str(caught.value) == (
        f"{scheme}://: reading this storage needs {library}: pip install {library}"
    )


@pytest.mark.parametrize("scheme", ["gs", "gcs", "az", "abfs", "abfss"])
def test_stores_that_cannot_be_reached_here_are_chosen_by_name(scheme, monkeypatch, loaded):
    """By a package that stands in for theirs: what is found there is heard by its address."""

    class Store(MemoryFileSystem):
        protocol = scheme
        store, pseudo_dirs = {}, [""]

        @classmethod
        def _strip_protocol(cls, path):
            return super()._strip_protocol(path.removeprefix(f"{scheme}://"))

    monkeypatch.setitem(loaded, scheme, Store)
    Store().pipe_file("/box/sleep/a.flac", WOOD)
    [found] = discover([f"{scheme}://box/sleep"])
    assert found.path == f"{scheme}://box/sleep/a.flac"
    take_fetched()
    assert hear(found.path) == hear(str(DEMO / "tap-wood.flac"))
    assert take_fetched() == Fetched(len(WOOD), 1)


@pytest.mark.parametrize("library", ["fsspec", "s3fs"])
def test_the_extra_is_named_where_it_is_missing(library):
    code = (
        f"import sys; sys.modules[{library!r}] = None\n"
        "from asmr_classify.media.opening import check_sources\n"
        "check_sources(['s3://bucket/a.mp3'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.stderr.splitlines()[-1] == (
        "asmr_classify.errors.MissingExtraError: s3://: reading this storage needs "
        f"{library}: pip install 'asmr-classify[cloud]'"
    )


def test_keys_in_addresses_of_stores_are_refused_unseen():
    with pytest.raises(UsageError, match=r"^s3://bucket/a.mp3: a key stands in") as caught:
        connect(as_source("s3://AKIAKEY:hushhush@bucket/a.mp3"))
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    "whole",
    [
        "ftp://me:hush/hash@host/a.mp3",
        "ftp://me:12/hush@host/a.mp3",
        "https://me:hush/hash@host/a.mp3",
        "https://me:hush?hash@host/a.mp3",
        "https://hush:hash/@host/a.mp3",
        "s3://me:hush/hash@host/a.mp3",
    ],
)
def test_a_password_with_a_slash_is_refused_unseen(whole):
    with pytest.raises(UsageError, match=r"^\w+://host/a\.mp3: a slash or .* write %2F") as caught:
        check_sources([whole])
    for part in ("hush", "hash", "me:"):
        assert part not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("port 'hush/hash' of me:hush/hash@host", "port '…' of …@host"),
        ("GET https://me:hush/hash@host/a.mp3?token=word5", "GET https://host/a.mp3#32e030b181ab"),
        ("?token=word5 and word5", "?… and …"),
    ],
)
def test_no_message_tells_what_an_address_keeps_secret(text, told):
    url = Url("https://me:hush/hash@host/a.mp3?token=word5")
    assert remote._scrub(text, url) == told


@pytest.fixture
def ftp(monkeypatch):
    """What is said to FTP servers; none answers."""
    said = []
    monkeypatch.setattr("ftplib.FTP.connect", lambda _, *where: said.append(where))
    monkeypatch.setattr("ftplib.FTP.login", lambda _, *who: said.append(who))
    FTPFileSystem.clear_instance_cache()
    yield said
    FTPFileSystem.clear_instance_cache()


def test_what_an_address_tells_of_its_server_is_used(ftp):
    assert connect(Url("ftp://me:hushhush@host:2121/a.mp3"))[1] == "/a.mp3"
    assert ftp == [("host", 2121), ("me", "hushhush", "")]


def test_a_server_that_does_not_answer_is_told_later(ftp, monkeypatch):
    def refuse(*_):
        raise ConnectionRefusedError(111, "refused me:hushhush")

    monkeypatch.setattr("ftplib.FTP.connect", refuse)
    url = "ftp://me:hushhush@host/a.mp3"
    check_sources([url])
    with pytest.raises(StorageError, match=r"^ftp://host/a.mp3: cannot be read") as caught:
        look_at(Url(url))
    assert "hush" not in str(caught.value)
    assert not ftp


@pytest.mark.parametrize(
    "whole",
    ["reference://a", "dir://a", "ftp://me:hushhush@host:hushhush/a.mp3"],
)
def test_an_address_that_lacks_something_is_refused_unseen(whole):
    with pytest.raises(UsageError, match="does not tell all that such addresses") as caught:
        check_sources([whole])
    assert str(caught.value).startswith(f"{Url(whole)}: ")
    assert "me:" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_signatures_in_addresses_of_azure_are_refused_unseen():
    whole = "abfs://box@acc.dfs.core.windows.net/a.mp3?sv=1&sig=HUSH"
    with pytest.raises(UsageError, match=r"^abfs://box@acc[^?]*/a.mp3: a key stands in") as caught:
        connect(as_source(whole))
    assert "HUSH" not in str(caught.value)


def test_a_name_with_two_colons_is_no_command(tmp_path):
    path = tmp_path / "a::b.flac"
    path.write_bytes(WOOD)
    assert look_at(Url(f"file://{path}")).size == len(WOOD)
    assert [*tmp_path.iterdir()] == [path]


def test_nothing_is_written_to_the_disk(tmp_path, memory, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    hear(memory("a.flac", WOOD))
    assert not [*tmp_path.iterdir()]
