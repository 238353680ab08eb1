from __future__ import annotations

import io
import os
import socket
from collections import Counter
from contextlib import nullcontext
from pathlib import Path

import pytest

from asmr_classify.errors import UsageError
from asmr_classify.media.discover import discover, read_paths
from asmr_classify.media.found import Found, Ignored, Reason
from asmr_classify.media.recognise import MEDIA_EXTENSIONS, OTHER_EXTENSIONS


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """A folder with a bit of everything; the working directory is its parent."""
    root = tmp_path / "lib"
    for name in ("a.WAV", "b.mp3", "sleep/c.Mkv", "sleep/deep/d.webm", "notes.txt", "cover.jpg"):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * 10)
    (root / ".hidden.mp3").write_bytes(b"x")
    monkeypatch.chdir(tmp_path)
    return root


def found(*paths, **globs):
    return [f.path for f in discover(paths, **globs) if isinstance(f, Found)]


def ignored(*paths, **globs):
    return Counter(f.reason for f in discover(paths, **globs) if isinstance(f, Ignored))


@pytest.mark.usefixtures("tree")
def test_folders_are_searched_in_a_stable_order_whatever_the_case_of_extensions():
    assert found("lib") == ["lib/a.WAV", "lib/b.mp3", "lib/sleep/c.Mkv", "lib/sleep/deep/d.webm"]
    assert ignored("lib") == {Reason.NOT_MEDIA: 2, Reason.HIDDEN: 1}


@pytest.mark.usefixtures("tree")
def test_sizes_and_times_are_told():
    status = Path("lib/a.WAV").stat()
    expected = Found("lib/a.WAV", 10, status.st_mtime_ns, status.st_ctime_ns)
    assert next(iter(discover(["lib/a.WAV"]))) == expected


@pytest.mark.usefixtures("tree")
def test_what_is_named_is_taken_whatever_it_is_called():
    assert found("lib/notes.txt", "lib/none.mp3") == ["lib/notes.txt", "lib/none.mp3"]


@pytest.mark.parametrize(
    ("globs", "names"),
    [
        ({"include": ["*.mp3"]}, ["b.mp3"]),
        ({"include": ["sleep/*"]}, ["c.Mkv", "d.webm"]),
        ({"include": ["*.WAV", "C.*"]}, ["a.WAV", "c.Mkv"]),
        ({"exclude": ["sleep"]}, ["a.WAV", "b.mp3"]),
        ({"exclude": ["*.mkv"]}, ["a.WAV", "b.mp3", "d.webm"]),
        ({"include": ["*.m*"], "exclude": ["deep", "b*"]}, ["c.Mkv"]),
    ],
    ids=str,
)
@pytest.mark.usefixtures("tree")
def test_globs(globs, names):
    assert [Path(path).name for path in found("lib", **globs)] == names


@pytest.mark.usefixtures("tree")
def test_named_files_can_be_excluded():
    assert ignored("lib/b.mp3", exclude=["*.mp3"]) == {Reason.EXCLUDED: 1}


SIGNATURES = {
    "wav": b"RIFF\x00\x00\x00\x00WAVEfmt ",
    "flac": b"fLaC\x00\x00\x00\x22",
    "ogg": b"OggS\x00\x02",
    "mp3": b"ID3\x04\x00",
    "mp4": b"\x00\x00\x00\x20ftypisom",
    "mkv": b"\x1aE\xdf\xa3",
    "wma": b"\x30\x26\xb2\x75\x8e\x66\xcf\x11",
    "aiff": b"FORM\x00\x00\x00\x00AIFF",
}


@pytest.mark.parametrize("kind", SIGNATURES)
def test_unknown_extensions_are_sniffed(tmp_path, kind):
    for name in ("download", "download.bin2"):
        (tmp_path / name).write_bytes(SIGNATURES[kind] + bytes(40))
    assert len(found(str(tmp_path))) == 2


@pytest.mark.parametrize(
    "content",
    [b"", b"hello world, how are you", b"RIFF\x00\x00\x00\x00WEBPVP8 ", b"\x89PNG\r\n\x1a\n"],
    ids=["empty", "text", "webp", "png"],
)
def test_what_is_no_media_is_not_taken(tmp_path, content):
    (tmp_path / "thing").write_bytes(content)
    assert ignored(str(tmp_path)) == {Reason.NOT_MEDIA: 1}


def test_no_extension_is_both_media_and_not():
    assert not MEDIA_EXTENSIONS & OTHER_EXTENSIONS


def test_special_files_are_never_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe.mp3")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket.wav"))
        assert ignored(str(tmp_path)) == {Reason.SPECIAL: 2}
        assert ignored(str(tmp_path / "pipe.mp3"), "/dev/null") == {Reason.SPECIAL: 2}


def test_links_are_followed_but_not_in_circles(tree):
    (tree / "sleep" / "up").symlink_to(tree)
    (tree / "sleep" / "again").symlink_to(tree / "sleep" / "deep")
    (tree / "zz.mp3").symlink_to(tree / "b.mp3")
    (tree / "dangling.mp3").symlink_to(tree / "nowhere.mp3")
    names = [Path(path).name for path in found("lib")]
    assert sorted(names) == ["a.WAV", "b.mp3", "c.Mkv", "d.webm", "dangling.mp3"]
    reasons = ignored("lib")
    assert reasons[Reason.LOOP] == 2
    assert reasons[Reason.DUPLICATE] == 1


class EntryOfWindows:
    """What is listed, as Windows tells of it: neither device nor inode."""

    def __init__(self, entry):
        self.name, self.path, self.is_symlink = entry.name, entry.path, entry.is_symlink
        self._stat = entry.stat

    def stat(self):
        status = self._stat()
        times = {"st_mtime_ns": status.st_mtime_ns, "st_ctime_ns": status.st_ctime_ns}
        return os.stat_result([status.st_mode, 0, 0, 0, *status[4:]], times)


@pytest.mark.usefixtures("tree")
def test_all_folders_are_searched_and_files_found_once_on_windows(monkeypatch):
    for name in ("wake/e.mp3", "wake/zz/f.mp3"):
        Path("lib", name).parent.mkdir()
        Path("lib", name).write_bytes(b"x")
    whole = found("lib", "lib/b.mp3")
    assert "lib/wake/zz/f.mp3" in whole
    scandir = os.scandir

    def scan(folder):
        with scandir(folder) as entries:
            return nullcontext([*map(EntryOfWindows, entries)])

    monkeypatch.setattr(os, "scandir", scan)
    assert found("lib", "lib/b.mp3") == whole
    assert found("lib/b.mp3", "lib") == ["lib/b.mp3", *(x for x in whole if x != "lib/b.mp3")]


def test_a_linked_folder_outside_is_searched(tree, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    (other / "e.mp3").write_bytes(b"x")
    (tree / "link").symlink_to(other)
    assert "lib/link/e.mp3" in found("lib")


@pytest.mark.usefixtures("tree")
def test_a_file_named_twice_is_labelled_once():
    assert len(found("lib", "lib/b.mp3", "lib/b.mp3")) == 4
    assert ignored("lib/b.mp3", "lib/b.mp3") == {Reason.DUPLICATE: 1}
    assert found("lib/gone.mp3", "lib/gone.mp3") == ["lib/gone.mp3"]
    assert ignored("lib/gone.mp3", "lib/gone.mp3") == {Reason.DUPLICATE: 1}


def test_hard_links_are_files_of_their_own(tree):
    os.link(tree / "b.mp3", tree / "c.mp3")
    assert {"lib/b.mp3", "lib/c.mp3"} <= set(found("lib"))


@pytest.mark.usefixtures("tree")
def test_an_unreadable_folder_does_not_end_the_search(monkeypatch):
    real = os.scandir

    def refused(path):
        if str(path).endswith("sleep"):
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(os, "scandir", refused)
    assert found("lib") == ["lib/a.WAV", "lib/b.mp3"]
    assert ignored("lib")[Reason.UNREADABLE] == 1


def test_names_of_all_kinds(tmp_path):
    names = [
        b"new\nline.mp3",
        "猫.mp3".encode(),
        b"\xff\xfe.mp3",
        b"qu'o\"te.mp3",
        "😴.mp3".encode(),
    ]
    for name in names:
        (tmp_path / os.fsdecode(name)).write_bytes(b"x")
    paths = [os.fsencode(Path(path).name) for path in found(str(tmp_path))]
    assert sorted(paths) == sorted(names)


@pytest.mark.usefixtures("tree")
def test_the_first_result_does_not_wait_for_the_rest(monkeypatch):
    looked_at = []
    real = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: looked_at.append(path) or real(path))
    next(discover(["lib"]))
    assert looked_at == ["lib"]


@pytest.mark.parametrize(
    ("content", "separator", "paths"),
    [
        pytest.param(b"a.mp3\nb c.wav\r\n\n", b"\n", ["a.mp3", "b c.wav"], id="lines"),
        pytest.param(b"a\nb.mp3\0c.mp3\0", b"\0", ["a\nb.mp3", "c.mp3"], id="NUL"),
        pytest.param(b"\xff.mp3", b"\n", ["\udcff.mp3"], id="not UTF-8"),
        pytest.param(b"\xef\xbb\xbfa.mp3\n", b"\n", ["a.mp3"], id="byte order mark"),
        pytest.param(b"\xef\xbb\xbfa\0", b"\0", ["\ufeffa"], id="NUL, any name"),
        pytest.param(b"", b"\n", [], id="nothing"),
    ],
)
def test_lists_of_paths(content, separator, paths):
    assert read_paths(io.BytesIO(content), separator=separator) == paths


def test_a_list_of_lines_with_nul_bytes_is_refused():
    with pytest.raises(UsageError, match="holds NUL bytes: save it as UTF-8, or give --null"):
        read_paths(io.BytesIO("a.mp3\n".encode("utf-16")))


def transport_stream(step, start=0, n_packets=5):
    packet = bytes(start) + b"G" + bytes(step - start - 1)
    return packet * n_packets


@pytest.mark.parametrize(("step", "start"), [(188, 0), (192, 4), (204, 0)])
@pytest.mark.parametrize("name", ["film.ts", "film.TS", "film", "film.m2t9"])
def test_transport_streams_are_found_by_content(tmp_path, name, step, start):
    (tmp_path / name).write_bytes(transport_stream(step, start))
    assert len(found(str(tmp_path))) == 1


@pytest.mark.parametrize(
    "content",
    [b"Greeting: string = 'G';\n" * 40, b"import { G } from './g';\n" * 40, b"G" + bytes(700),
     transport_stream(188, n_packets=2), transport_stream(190)],
)  # fmt: skip
def test_programs_in_typescript_are_not_media(tmp_path, content):
    (tmp_path / "main.ts").write_bytes(content)
    assert ignored(str(tmp_path)) == {Reason.NOT_MEDIA: 1}


@pytest.mark.parametrize("name", ["VTS_01_1.VOB", "00001.m2ts", "00002.MTS", "clip.TOD", "tv.trp"])
def test_recordings_of_cameras_and_discs_are_found(tmp_path, name):
    (tmp_path / name).write_bytes(b"x")
    assert len(found(str(tmp_path))) == 1


def test_mod_is_a_recording_or_music_of_a_tracker(tmp_path):
    (tmp_path / "MOV001.MOD").write_bytes(b"\x00\x00\x01\xba" + bytes(40))
    (tmp_path / "tune.mod").write_bytes(b"tune" + bytes(1076) + b"M.K.")
    assert [Path(path).name for path in found(str(tmp_path))] == ["MOV001.MOD"]


@pytest.mark.parametrize(
    "name",
    ["a.mp3.part", "a.mp4.crdownload", "Unconfirmed 12.crdownload", "a.m4a.download", "a.mp4.ytdl",
     "a.mp4.!qB", "a.mp4.aria2", "a.tmp", "a.mp4.part-Frag3", "a.mp4.part-Frag12.part",
     "a.f137.mp4.part", "a.mp4.opdownload", "a.mkv.PART"],
)  # fmt: skip
def test_downloads_under_way_are_left_alone_but_not_where_named(tmp_path, name):
    (tmp_path / name).write_bytes(SIGNATURES["mp3"] + bytes(40))
    assert ignored(str(tmp_path)) == {Reason.UNFINISHED: 1}
    assert found(str(tmp_path / name)) == [str(tmp_path / name)]


def test_a_file_with_the_notes_of_its_download_beside_it_is_under_way(tmp_path):
    for name in ("a.mp4", "a.mp4.aria2", "b.mp4"):
        (tmp_path / name).write_bytes(SIGNATURES["mp4"] + bytes(40))
    assert [Path(path).name for path in found(str(tmp_path))] == ["b.mp4"]
    assert ignored(str(tmp_path)) == {Reason.UNFINISHED: 2}


def test_what_is_excluded_or_hidden_is_counted_as_that(tmp_path):
    for name in (".a.mp3.part", "b.mp3.part", "c.mp3.part"):
        (tmp_path / name).write_bytes(b"x")
    reasons = {Reason.HIDDEN: 1, Reason.EXCLUDED: 1, Reason.UNFINISHED: 1}
    assert ignored(str(tmp_path), exclude=["b*"]) == reasons
