from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import unquote_to_bytes, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asmr_classify.report.links import link_to
from tests.report.conftest import HOSTILE


@given(st.binary(min_size=1, max_size=60).filter(lambda name: not set(name) & set(b"/\0")))
def test_an_address_leads_to_the_very_bytes_of_a_name(name):
    address = link_to(f"/lib/{os.fsdecode(name)}", "/lib")
    if name in {b".", b".."}:
        return
    assert address.isascii()
    assert urlsplit(address).path == address
    assert unquote_to_bytes(address) == b"./" + name


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_is_taken_for_something_else(name):
    for folder in ("/lib", "/elsewhere"):
        parts = urlsplit(link_to(f"/lib/{name}", folder))
        assert parts.scheme in {"", "file"}
        assert (parts.netloc, parts.query, parts.fragment) == ("", "", "")


def test_paths_are_relative_to_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert link_to("a/b.mp3", ".") == "./a/b.mp3"
    assert link_to("a/b.mp3", "a") == "./b.mp3"
    assert link_to("a/../b.mp3", "a") == Path(tmp_path, "b.mp3").as_uri()


@pytest.mark.parametrize("path", ["a\0b.mp3", "a\ud800b.mp3"])
def test_what_no_file_is_called_has_no_address(path):
    assert link_to(path, "/lib") is None


@pytest.mark.parametrize(
    ("path", "address"),
    [
        ("https://host/a.mp3", "https://host/a.mp3"),
        ('http://host:80/a b%20"<é.mp3', "http://host:80/a%20b%20%22%3C%C3%A9.mp3"),
        ("https://me:hush@host/a.mp3?sig=hush", "https://host/a.mp3"),
        ("s3://bucket/a.mp3", None),
        ("file:///a.mp3", None),
        ("javascript://%0aalert(1)", None),
    ],
)
def test_addresses_of_the_web_are_links_and_others_are_none(path, address, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert link_to(path, ".") == address


def test_a_file_that_is_called_like_an_address_is_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "https:" / "host").mkdir(parents=True)
    (tmp_path / "https:" / "host" / "a.mp3").touch()
    assert link_to("https://host/a.mp3", ".") == "./https%3A/host/a.mp3"
