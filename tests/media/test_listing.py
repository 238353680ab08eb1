"""Folders of storage are searched as those of this machine are."""

from __future__ import annotations

import fsspec
import pytest

from asmr_classify.errors import StorageError
from asmr_classify.media import listing
from asmr_classify.media.discover import discover
from asmr_classify.media.found import Course, Found, Globs, Ignored, Reason
from asmr_classify.media.opening import open_bytes
from asmr_classify.media.remote import Entry, is_ordered
from asmr_classify.media.source import Url
from tests import names
from tests.conftest import DEMO
from tests.storage import BUCKET

FLAC = (DEMO / "tap-wood.flac").read_bytes()
TREE = {
    "a.WAV": b"x",
    "b.mp3": b"x",
    "cover.jpg": b"x",
    "notes.txt": b"words",
    "nameless": FLAC,
    "ringtone.xyz": b"ID3" + bytes(700),
    "other.xyz": b"nothing that is known",
    "empty.xyz": b"",
    ".hidden.mp3": b"x",
    ".git/a.mp3": b"x",
    "sleep/c.Mkv": b"x",
    "sleep/deep/d.webm": b"x",
    "sleep/deep/e.mp3.part": b"x",
    "sleep/f.mp4": b"x",
    "sleep/f.mp4.aria2": b"x",
    "囁き [1]/what?.mp3": b"x",
    "z.mp3/odd.mp3": b"x",
}


@pytest.fixture
def both(tmp_path, monkeypatch):
    """The same tree on the disk, in ``lib`` below the working directory, and in memory."""
    monkeypatch.chdir(tmp_path)
    system = fsspec.filesystem("memory")
    for name, data in TREE.items():
        path = tmp_path / "lib" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        system.pipe_file(f"/lib/{name}", data)
    yield system
    system.store.clear()
    system.pseudo_dirs[:] = [""]


def told(*paths, **globs):
    """What is found and what is ignored, named as below ``lib``."""
    return [
        (find.path.removeprefix("memory://"), getattr(find, "reason", None) or find.size)
        for find in discover(paths, **globs)
    ]


@pytest.mark.usefixtures("both")
@pytest.mark.parametrize(
    "globs",
    [
        {},
        {"include": ["*.mp3"]},
        {"include": ["sleep/*"], "exclude": ["*/deep/*"]},
        {"exclude": ["sleep", "A.*"]},
        {"exclude": ["lib"]},
    ],
)
@pytest.mark.parametrize("path", ["lib", "lib/sleep", "lib/", "lib/囁き [1]"])
def test_a_folder_of_storage_gives_what_the_folder_gives(path, globs):
    expected = told(path, **globs)
    assert told(f"memory://{path}", **globs) == expected
    assert expected


@pytest.mark.usefixtures("both")
def test_a_bucket_gives_what_the_folder_gives(storage):
    for name, data in TREE.items():
        storage.put(f"lib/{name}", data)
    storage.put("lib/sleep/", b"")  # as programs put that show folders
    finds = [
        (find.path.removeprefix(f"s3://{BUCKET}/"), getattr(find, "reason", None) or find.size)
        for find in discover([f"s3://{BUCKET}/lib"])
    ]
    assert finds == told("lib")


def test_folders_of_a_bucket_without_a_name_are_searched(storage, monkeypatch):
    """Such names come of programs that put a slash behind a prefix that has one."""
    monkeypatch.setattr(listing, "MARK_EVERY", 1)
    names = ["a//b.flac", "a///c.flac", "a//d//e.flac", "a/f.flac"]
    for name in ["twice/a//", "twice//", *(f"twice/{name}" for name in names)]:
        storage.put(name, FLAC)
    for source in (f"s3://{BUCKET}/twice", f"s3://{BUCKET}/twice/", f"s3://{BUCKET}/twice//"):
        told = Told()
        for find in discover([source], course=told):
            told.finds.append(find)
        assert sorted(find.path for find in told.finds) == sorted(
            f"s3://{BUCKET}/twice/{name}" for name in names
        )
        assert len(told.places) > 1
        for number, mark in told.places:
            assert [*discover([source], course=Course(mark))] == told.finds[number:]
    for find in told.finds:
        with open_bytes(find.path) as file:
            assert file.read() == FLAC


def test_slashes_that_an_address_needs_stay(monkeypatch):
    asked = []
    monkeypatch.setattr(listing, "look_at", lambda url: asked.append(url.whole))
    addresses = ["file:///", "https://host/get?path=a//"]
    for address in addresses:
        assert [find.path for find in discover([address])] == [Url(address)]
    assert asked == addresses


def test_a_folder_without_a_name_may_be_the_first_of_a_bucket(storage):
    import s3fs

    storage.put("/first.flac", FLAC)
    try:
        found = [find.path for find in discover([f"s3://{BUCKET}"], include=["first.*"])]
    finally:
        s3fs.S3FileSystem().rm_file(f"{BUCKET}//first.flac")
    assert f"s3://{BUCKET}//first.flac" in found


@pytest.fixture
def many(monkeypatch):
    """A server whose folder holds 2500 objects."""
    import s3fs

    s3fs.S3FileSystem.clear_instance_cache()  # those that know another server
    with names.running(2500) as server:
        for name, value in names.environment_of(server.server_port).items():
            monkeypatch.setenv(name, value)
        yield server
    s3fs.S3FileSystem.clear_instance_cache()


def test_a_folder_of_s3_is_listed_as_it_is_asked_for(many):
    finds = discover([f"s3://{names.BUCKET}/{names.FOLDER}"])
    first = next(finds)
    pages = many.asked[:]
    assert pages.count(0) == len(pages)
    path = f"s3://{names.BUCKET}/{names.key_of(0)}"
    assert first == Found(path, names.SIZE, version=f'"{0:032x}"')
    rest = [find.path for find in finds]
    assert rest == [f"s3://{names.BUCKET}/{names.key_of(k)}" for k in range(1, 2500)]
    assert many.asked == [*pages, 1000, 2000]


def finished(*given):
    """What comes of names, which end in a slash if of folders; a dash before those under way."""
    entries = (
        Entry(f"f/{name.rstrip('/')}", 1, "", is_folder=name.endswith("/")) for name in given
    )
    return [
        entry.path.replace("f/", "" if is_finished else "-")
        for entry, is_finished, _ in listing._iter_finished(entries)
    ]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("a.mp3 a.mp3.aria2 b.mp3", "-a.mp3 -a.mp3.aria2 b.mp3"),
        ("a.mp3 a.mp3-1 a.mp3.ARIA2 a.mp3.z", "-a.mp3 a.mp3-1 -a.mp3.ARIA2 a.mp3.z"),
        ("a a-1 a-2 a.aria2", "a-1 -a a-2 -a.aria2"),
        ("a a-1 a-1.aria2 b", "-a-1 -a-1.aria2 a b"),
        ("a.mp3 a.mp3.part b", "a.mp3 -a.mp3.part b"),
        ("a ab abc b", "a ab abc b"),
        ("a.mp3 a/ a.mp3.aria2 b/", "a -a.mp3 -a.mp3.aria2 b"),  # a/ begins the second page
        ("a.mp3 a.mp3-1/ a/ a.mp3.aria2", "a.mp3-1 a -a.mp3 -a.mp3.aria2"),
        ("a.mp3 a/ c/ c.mp3", "a a.mp3 c c.mp3"),
    ],
)
def test_a_download_is_known_by_what_comes_after_it(given, expected):
    assert finished(*given.split()) == expected.split()


def test_few_names_are_held_however_many_begin_alike():
    n_given = 0

    def entries():
        nonlocal n_given
        for name in ("a", *(f"a-{number:04d}" for number in range(1000))):
            n_given += 1
            yield Entry(f"f/{name}", 1, "", is_folder=False)

    for number, _ in enumerate(listing._iter_finished(entries()), 1):
        assert n_given <= number + 2
    assert number == 1001


@pytest.mark.usefixtures("both")
def test_what_is_found_is_an_address_with_its_size_and_version():
    found = next(find for find in discover(["memory://lib"]) if find.path.endswith("nameless"))
    assert isinstance(found.path, Url)
    assert (found.path, found.size) == ("memory://lib/nameless", len(FLAC))
    assert found.version
    assert found.mtime_ns == 0


@pytest.mark.usefixtures("both")
def test_objects_are_named_and_counted_once_though_they_be_named_twice():
    finds = told("memory://lib/a.WAV", "memory://lib/a.WAV", "memory://lib/notes.txt")
    assert finds == [("lib/a.WAV", 1), ("lib/a.WAV", Reason.DUPLICATE), ("lib/notes.txt", 5)]
    finds = told("memory://lib/gone.mp3", "memory://lib/gone.mp3")
    assert finds == [("lib/gone.mp3", 0), ("lib/gone.mp3", Reason.DUPLICATE)]
    finds = told("memory://lib", "memory://lib/sleep", "memory://lib/sleep/*.Mkv")
    assert finds.count(("lib/sleep/c.Mkv", 1)) == 1
    assert finds.count(("lib/sleep/c.Mkv", Reason.DUPLICATE)) == 2
    assert told("memory://lib/a.WAV", exclude=["*.wav"]) == [("lib/a.WAV", Reason.EXCLUDED)]


@pytest.mark.usefixtures("both")
def test_nothing_is_noted_where_nothing_can_be_found_again():
    seen = set()
    finds = listing.discover_url(Url("memory://lib"), Globs(), seen, is_last=True)
    assert sum(isinstance(find, Found) for find in finds) > 3
    assert not seen


@pytest.mark.usefixtures("both")
def test_patterns_find_what_matches_and_search_the_folders_that_do():
    assert told("memory://lib/*.mp3") == [
        ("lib/.hidden.mp3", Reason.HIDDEN),
        ("lib/b.mp3", 1),
        ("lib/z.mp3/odd.mp3", 1),
    ]
    assert told("memory://lib/sl*", include=["sleep/f*"]) == [
        ("lib/sleep/c.Mkv", Reason.EXCLUDED),
        ("lib/sleep/f.mp4", Reason.UNFINISHED),
        ("lib/sleep/f.mp4.aria2", Reason.UNFINISHED),
        ("lib/sleep/deep/d.webm", Reason.EXCLUDED),
        ("lib/sleep/deep/e.mp3.part", Reason.EXCLUDED),
    ]
    assert told("memory://lib/sleep/d*/*") == [
        ("lib/sleep/deep/d.webm", 1),
        ("lib/sleep/deep/e.mp3.part", Reason.UNFINISHED),
    ]


@pytest.mark.usefixtures("both")
def test_an_object_that_is_called_like_a_pattern_is_that_object():
    assert told("memory://lib/囁き [1]/what?.mp3") == [("lib/囁き [1]/what?.mp3", 1)]


@pytest.mark.parametrize("path", ["memory://none/", "memory://none", "memory://none/*.mp3"])
def test_nothing_at_an_address_is_told(path):
    assert [*discover([path])] == [Ignored(path, Reason.EMPTY)]


def test_a_recording_that_is_named_and_not_there_is_given_as_a_file():
    assert [*discover(["memory://none/a.mp3"])] == [Found("memory://none/a.mp3", 0)]


def test_a_level_that_storage_does_not_list_is_told_and_the_rest_is_searched(both, monkeypatch):
    real = type(both).ls

    def ls(self, path, **kwargs):
        if path.endswith("sleep"):
            raise PermissionError("denied")
        return real(self, path, **kwargs)

    monkeypatch.setattr(type(both), "ls", ls)
    finds = told("memory://lib")
    assert ("lib/sleep", Reason.UNREADABLE) in finds
    assert ("lib/z.mp3/odd.mp3", 1) in finds


def test_what_storage_does_not_tell_of_is_given_to_who_will_be_told_why(both, monkeypatch):
    def info(_self, _path, **_):
        raise PermissionError("denied")

    monkeypatch.setattr(type(both), "info", info)
    assert [*discover(["memory://lib"])] == [Found("memory://lib", 0)]


@pytest.mark.usefixtures("both")
def test_only_what_is_unknown_by_name_is_opened(monkeypatch):
    asked = []
    real = listing.read_head
    monkeypatch.setattr(
        listing,
        "read_head",
        lambda url, n_bytes: asked.append((url, n_bytes)) or real(url, n_bytes),
    )
    told("memory://lib")
    assert asked == [
        ("memory://lib/nameless", 616),
        ("memory://lib/other.xyz", 21),
        ("memory://lib/ringtone.xyz", 616),
    ]


def test_files_have_addresses_too():
    finds = [find.path for find in discover([f"file://{DEMO}"]) if isinstance(find, Found)]
    assert finds == [f"file://{path}" for path in sorted(DEMO.glob("*.flac"))]


class Told(Course):
    """Notes each place, and how many finds came before it."""

    def __init__(self):
        super().__init__()
        self.finds, self.places = [], []

    def on_reached(self, mark):
        self.places.append((len(self.finds), mark))


@pytest.mark.parametrize("every", [1, 3])
def test_a_search_goes_on_from_wherever_it_was(every, storage, monkeypatch):
    monkeypatch.setattr(listing, "MARK_EVERY", every)
    for name in [*TREE, "a-1.mp3", "a/x.mp3", "a.mp3", "a.mp3-1.mp3", "a.mp3-2.mp3", "b/c/d/e.mp3"]:
        storage.put(f"marks/{name}", b"x")
    told = Told()
    for find in discover([f"s3://{BUCKET}/marks"], course=told):
        told.finds.append(find)
    assert len(told.places) > 12 / every
    for number, mark in told.places:
        rest = discover([f"s3://{BUCKET}/marks"], course=Course(mark))
        assert [*rest] == told.finds[number:], mark


def test_too_many_folders_are_not_named(storage, monkeypatch):
    monkeypatch.setattr(listing, "MARK_EVERY", 1)
    monkeypatch.setattr(listing, "MOST_FOLDERS", 2)
    for name in "abcd":
        storage.put(f"wide/{name}/1.mp3", b"x")
    told = Told()
    for find in discover([f"s3://{BUCKET}/wide"], course=told):
        told.finds.append(find)
    assert [(number, len(mark.folders)) for number, mark in told.places] == [(3, 2)]


@pytest.mark.parametrize(
    ("lost", "n_told"), [("marks/", 1), ("marks/b/", 2), ("marks/b/", 3), ("b/nameless", 0)]
)
def test_no_place_is_told_behind_what_was_not_listed_or_looked_at(
    lost, n_told, storage, monkeypatch
):
    """Whoever went on there would never find what storage did not tell this time."""
    monkeypatch.setattr(listing, "MARK_EVERY", 1)
    names = ["a/1.mp3", "a/2.mp3", "b/1.mp3", "b/2.mp3", "b/3.mp3", "b/nameless", "c/1.mp3"]
    for name in names:
        storage.put(f"lost/marks/{name}", FLAC)
    source = f"s3://{BUCKET}/lost/marks/"
    whole = [*discover([source])]
    list_real, read_real = listing.iter_folder, listing.read_head

    def iter_folder(url, after=""):
        for number, entry in enumerate(list_real(url, after)):
            if url.rstrip("/").endswith(lost.rstrip("/")) and number == n_told:
                break
            yield entry
        else:
            return
        raise StorageError(url, "busy", may_pass=True)

    def read_head(url, n_bytes):
        if url.endswith(lost):
            raise StorageError(url, "busy", may_pass=True)
        return read_real(url, n_bytes)

    told = Told()
    with monkeypatch.context() as patch:
        patch.setattr(listing, "iter_folder", iter_folder)
        patch.setattr(listing, "read_head", read_head)
        for find in discover([source], course=told):
            told.finds.append(find)
    # Whoever opens what could not be looked at tells why it cannot be read.
    assert ({*told.finds} == {*whole}) == (lost == "b/nameless")
    assert bool(told.places) == (lost != "marks/")
    for number, mark in told.places:
        rest = [*discover([source], course=Course(mark))]
        assert {*told.finds[:number], *rest} >= {*whole}, mark


@pytest.mark.parametrize(
    ("bucket", "is_so"),
    [("a", True), ("a--use1-az4--x-s3", False), ("a-metadata--use1-az4--xa-s3", False)],
)
def test_buckets_with_folders_tell_names_in_no_order(bucket, is_so):
    assert is_ordered(Url(f"s3://{bucket}/a")) == is_so


@pytest.mark.usefixtures("both")
def test_only_what_is_listed_in_order_tells_of_places(monkeypatch):
    monkeypatch.setattr(listing, "MARK_EVERY", 1)
    for path in ("lib", "memory://lib"):
        told = Told()
        assert [*discover([path], course=told)]
        assert not told.places
