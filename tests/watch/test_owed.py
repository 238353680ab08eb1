"""What is owed outlives kills at any moment."""

from __future__ import annotations

import os

import pytest

from asmr_classify.errors import OutputError
from asmr_classify.watch import Owed


@pytest.fixture
def owed(tmp_path):
    return Owed(str(tmp_path / "c.sqlite.then-1"))


def test_what_was_added_is_read_once_each_in_order(owed, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert owed.read() == []
    names = ["/a b.wav", "c\nd.wav", os.fsdecode(b"caf\xe9.wav"), "/a b.wav"]
    for name in names:
        owed.add(name)
    assert owed.read() == ["/a b.wav", *(f"{tmp_path}/{name}" for name in names[1:3])]


def test_what_is_done_is_forgotten_and_the_rest_kept(owed, tmp_path):
    owed.add("/a.wav")
    owed.add("/b.wav")
    owed.keep(["/b.wav"])
    assert owed.read() == ["/b.wav"]
    owed.add("/c.wav")
    assert owed.read() == ["/b.wav", "/c.wav"]
    owed.keep([])
    assert list(tmp_path.iterdir()) == []


def test_a_path_that_a_kill_cut_off_spoils_no_other(owed, tmp_path):
    (file,) = [tmp_path / "c.sqlite.then-1"]
    for length in range(8):
        owed.keep([])
        owed.add("/a.wav")
        file.write_bytes(file.read_bytes() + b"\0/long"[:length])
        owed.add("/b.wav")
        assert {"/a.wav", "/b.wav"} <= set(owed.read())


def test_where_it_cannot_be_written_it_is_said(tmp_path):
    with pytest.raises(OutputError, match=r"no-such/then: cannot be written; its folder"):
        Owed(str(tmp_path / "no-such" / "then")).add("/a.wav")
