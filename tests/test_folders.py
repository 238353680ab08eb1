from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path

import pytest

from asmr_classify import folders
from asmr_classify.catalogue import default_path
from asmr_classify.errors import CatalogueError, OutputError
from asmr_classify.library.journal import default_folder

FOLDERS = {"cache": folders.user_cache, "data": folders.user_data, "state": folders.user_state}


@pytest.fixture(params=["told", "as it stands"])
def homeless(request, monkeypatch):
    """The system knows no home, which versions of platformdirs tell in two ways."""

    def find(_app):
        if request.param == "told":
            raise RuntimeError("could not determine the home directory")
        return Path("~/.cache/asmr-classify")

    for kind in FOLDERS:
        monkeypatch.setattr(f"platformdirs.user_{kind}_path", find)
    monkeypatch.delenv("ASMR_CLASSIFY_CATALOGUE")
    monkeypatch.delenv("ASMR_CLASSIFY_STATE")


@pytest.mark.skipif(os.name != "posix", reason="XDG is of POSIX")
@pytest.mark.parametrize("kind", FOLDERS)
def test_folders_are_where_the_user_wants_them(kind, monkeypatch, tmp_path):
    monkeypatch.setenv(f"XDG_{kind.upper()}_HOME", str(tmp_path))
    assert FOLDERS[kind]() == tmp_path / "asmr-classify"


@pytest.mark.usefixtures("homeless")
@pytest.mark.parametrize("kind", FOLDERS)
def test_without_a_home_there_is_none(kind):
    assert FOLDERS[kind]() is None


@pytest.mark.usefixtures("homeless")
def test_what_must_lie_somewhere_tells_how_to_name_a_place():
    with pytest.raises(CatalogueError, match=r"no home .* variable ASMR_CLASSIFY_CATALOGUE$"):
        default_path()
    with pytest.raises(OutputError, match=r"no home .* variable ASMR_CLASSIFY_STATE$"):
        default_folder()


def test_a_folder_that_can_be_written_to_is_made(tmp_path):
    assert folders.why_not_writable(tmp_path / "new" / "folder") is None
    assert list((tmp_path / "new" / "folder").iterdir()) == []


def test_why_a_folder_cannot_be_written_to_is_told(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    exc = folders.why_not_writable(tmp_path / "file" / "folder")
    assert exc.errno in {errno.ENOTDIR, errno.ENOENT, errno.EEXIST}

    class Full:
        __enter__ = lambda self: self  # noqa: E731
        __exit__ = lambda *_: None  # noqa: E731

        def write(self, _content):
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **_: Full())
    assert folders.why_not_writable(tmp_path).errno == errno.ENOSPC
