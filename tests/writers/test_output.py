from __future__ import annotations

import errno
import io
import os
import resource
import signal

import pytest

from asmr_classify.errors import OutputError, UsageError
from asmr_classify.writers.output import Output, check_output, open_output

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
