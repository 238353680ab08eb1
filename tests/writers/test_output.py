from __future__ import annotations

import errno
import io
import os
import resource
import signal
import subprocess
import sys

import pytest

from asmr_classify.errors import OutputError, UsageError
from asmr_classify.writers.output import (
    Output,
    _remove_leftovers,
    check_output,
    keep_access,
    open_output,
    open_replacement,
)

needs_permissions = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser may write anywhere"
)


class FailingFile(io.FileIO):
    """Writes half of what it is given, once, and then fails."""

    def __init__(self, path, error, *, after):
        super().__init__(path, "w")
        self.error = error
        self.left = after

    def write(self, data):
        if self.left == 0:
            raise self.error
        self.left -= 1
        return super().write(data[: max(1, len(data) // 2)] if self.left == 0 else data)


def test_short_writes_are_continued(tmp_path):
    class Trickle(io.FileIO):
        def write(self, data):
            return super().write(data[:3])

    with Output(Trickle(tmp_path / "out", "w"), "out") as output:
        output.write("a long line\n")
    assert (tmp_path / "out").read_text() == "a long line\n"


def test_a_write_that_fails_half_way_is_cut_off(tmp_path):
    raw = FailingFile(tmp_path / "out", OSError(errno.ENOSPC, "no space"), after=2)
    with Output(raw, "out.jsonl") as output:
        output.write("first\n")
        with pytest.raises(OutputError, match=r"out\.jsonl: cannot be written; the disk is full"):
            output.write("second\n")
    assert (tmp_path / "out").read_text() == "first\n"


def test_a_file_size_limit_is_told_and_leaves_whole_lines(tmp_path):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    path = tmp_path / "out.jsonl"
    try:
        with open_output(str(path)) as output:
            resource.setrlimit(resource.RLIMIT_FSIZE, (25, limits[1]))
            output.write("0123456789\n")
            output.write("0123456789\n")
            with pytest.raises(OutputError, match="larger than is allowed"):
                output.write("0123456789\n")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert path.read_text() == "0123456789\n" * 2


def test_a_broken_pipe_is_left_to_the_caller():
    reader, writer = os.pipe()
    os.close(reader)
    output = Output(os.fdopen(writer, "wb", buffering=0), "pipe")
    with output, pytest.raises(BrokenPipeError):
        output.write("line\n")


def test_names_that_are_not_utf8_are_escaped(tmp_path):
    with open_output(str(tmp_path / "out")) as output:
        output.write("caf\udce9\n")
    assert (tmp_path / "out").read_bytes() == b"caf\\udce9\n"


def test_a_missing_folder_is_told(tmp_path):
    with pytest.raises(OutputError, match="its folder does not exist: create it"):
        open_output(str(tmp_path / "none" / "out.csv"))


def test_a_folder_is_no_output(tmp_path):
    with pytest.raises(OutputError, match="it is a folder"):
        open_output(str(tmp_path))


@needs_permissions
def test_a_folder_without_permission_is_told(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match="no permission"):
        open_output(str(tmp_path / "out.csv"))


@pytest.mark.parametrize("name", ["a.mp3", "a.WAV", "b.MkV"])
def test_names_of_recordings_are_refused(name, tmp_path):
    with pytest.raises(UsageError, match="named like a recording"):
        check_output(str(tmp_path / name))


def test_an_input_is_refused_by_any_of_its_names(tmp_path):
    (tmp_path / "list.txt").write_text("a.mp3\n")
    (tmp_path / "link.txt").symlink_to(tmp_path / "list.txt")
    with pytest.raises(UsageError, match="is an input"):
        check_output(str(tmp_path / "link.txt"), ["gone.mp3", str(tmp_path / "list.txt")])


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"ID3\x04\x00\x00", id="mp3"),
        pytest.param(b"\xff\xfb\x90\x64" * 2000, id="bare mp3"),
        pytest.param(b"text at first\0", id="nul"),
    ],
)
def test_a_file_that_holds_no_text_is_refused(content, tmp_path):
    path = tmp_path / "track"
    path.write_bytes(content)
    with pytest.raises(UsageError, match="holds no text"):
        check_output(str(path))


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b'{"schema": 1}\n', id="jsonl"),
        pytest.param(b"x" * 4095 + "é".encode(), id="character across the end"),
    ],
)
def test_earlier_results_may_be_replaced(content, tmp_path):
    path = tmp_path / "out.jsonl"
    path.write_bytes(content)
    check_output(str(path), [str(tmp_path)])


def test_a_replacement_takes_its_place_when_it_is_whole(tmp_path):
    path = tmp_path / "out.vtt"
    path.write_text("before")
    with open_replacement(str(path)) as output:
        output.write("new ")
        output.write(b"text")
        assert path.read_text() == "before"
    assert path.read_text() == "new text"
    assert [x.name for x in tmp_path.iterdir()] == ["out.vtt"]


@pytest.mark.parametrize(
    ("error", "kept"),
    [
        pytest.param(ValueError("broken"), "before", id="error"),
        pytest.param(KeyboardInterrupt(), "after", id="interrupt"),
    ],
)
def test_an_error_keeps_what_was_there_and_an_interrupt_does_not(error, kept, tmp_path):
    path = tmp_path / "out.parquet"
    path.write_text("before")
    output = open_replacement(str(path))
    output.write("after")
    output.__exit__(type(error), error, None)
    assert path.read_text() == kept
    assert [x.name for x in tmp_path.iterdir()] == ["out.parquet"]


def test_a_replacement_into_which_nothing_was_written_leaves_nothing(tmp_path):
    with open_replacement(str(tmp_path / "out.vtt")):
        pass
    assert list(tmp_path.iterdir()) == []


def test_an_empty_replacement_is_a_file(tmp_path):
    with open_replacement(str(tmp_path / "out.labels.txt")) as output:
        output.write("")
    assert (tmp_path / "out.labels.txt").read_bytes() == b""


def test_a_replacement_goes_where_a_link_points(tmp_path):
    (tmp_path / "link.vtt").symlink_to("real.vtt")
    with open_replacement(str(tmp_path / "link.vtt")) as output:
        output.write("text")
    assert (tmp_path / "link.vtt").is_symlink()
    assert (tmp_path / "real.vtt").read_text() == "text"


def test_a_replacement_keeps_who_may_read_it(tmp_path):
    path = tmp_path / "out.vtt"
    path.write_text("before")
    path.chmod(0o600)
    with open_replacement(str(path)) as output:
        output.write("private")
        (scratch,) = tmp_path.glob(".*.part")
        assert scratch.stat().st_mode & 0o777 == 0o600
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_read_only_file_is_not_replaced(tmp_path, monkeypatch):
    path = tmp_path / "out.vtt"
    path.write_text("before")
    monkeypatch.setattr(os, "access", lambda place, mode: (place, mode) != (str(path), os.W_OK))
    with pytest.raises(OutputError, match=r"out\.vtt: is read-only: write elsewhere, or change"):
        open_replacement(str(path))
    assert [found.name for found in tmp_path.iterdir()] == ["out.vtt"]
    assert path.read_text() == "before"


@needs_permissions
def test_a_file_is_read_only_by_its_permissions(tmp_path):
    path = tmp_path / "out.vtt"
    path.touch(0o444)
    with pytest.raises(OutputError, match="is read-only"):
        open_replacement(str(path))


def test_a_group_is_kept_where_the_owner_cannot_be(tmp_path, monkeypatch):
    given = []

    def chown(path, owner, group):
        if owner != -1:
            raise PermissionError(errno.EPERM, "Operation not permitted")
        given.append((path, group))

    monkeypatch.setattr(os, "chown", chown)
    path, new = tmp_path / "shared.mp3", tmp_path / "new.mp3"
    path.touch(0o664)
    new.touch(0o600)
    path.chmod(0o664)
    keep_access(path, new)
    assert given == [(new, path.stat().st_gid)]
    assert new.stat().st_mode & 0o777 == 0o664


def test_what_is_no_file_is_not_replaced(tmp_path):
    with open_replacement(os.devnull) as output:
        output.write("text")
    assert not os.path.isfile(os.devnull)  # noqa: PTH113 (it is a device)
    with pytest.raises(OutputError, match="it is a folder: name a file"):
        open_replacement(str(tmp_path))


def test_a_parquet_file_may_be_replaced(tmp_path):
    (tmp_path / "out.parquet").write_bytes(b"PAR1\x00\xff")
    check_output(str(tmp_path / "out.parquet"))


KILLED = """
import os, signal, sys
from asmr_classify.writers.output import open_replacement
with open_replacement(sys.argv[1]) as output:
    output.write("half of it")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_process_leaves_the_earlier_file_and_the_next_one_tidies(tmp_path):
    path = tmp_path / "out.parquet"
    path.write_text("before")
    for _ in range(2):
        done = subprocess.run([sys.executable, "-c", KILLED, path], check=False)
        assert done.returncode == -signal.SIGKILL
        assert path.read_text() == "before"
    assert len(list(tmp_path.iterdir())) == 2
    _remove_leftovers.cache_clear()
    with open_replacement(str(path)) as output:
        output.write("whole")
    assert [(x.name, x.read_text()) for x in tmp_path.iterdir()] == [("out.parquet", "whole")]


@pytest.mark.parametrize("is_first", [True, False])
def test_two_that_write_one_file_do_not_mix(tmp_path, is_first):
    path = tmp_path / "out.vtt"
    one, other = open_replacement(str(path)), open_replacement(str(path))
    _remove_leftovers.cache_clear()
    third = open_replacement(str(path))
    for output, text in ((one, "one "), (other, "other "), (one, "one"), (other, "other")):
        output.write(text)
    last, first = (one, other) if is_first else (other, one)
    for output in (first, last, third):
        output.__exit__(None, None, None)
    assert path.read_text() == ("one one" if is_first else "other other")
    assert [x.name for x in tmp_path.iterdir()] == ["out.vtt"]


def test_a_file_is_on_the_disk_before_it_is_moved(tmp_path, monkeypatch):
    done = []
    monkeypatch.setattr(os, "fsync", lambda number: done.append(os.fstat(number).st_size))
    with open_replacement(str(tmp_path / "out.vtt")) as output:
        output.write("text")
    assert done == [4]
