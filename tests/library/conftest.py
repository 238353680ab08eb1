from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path

import pytest

from asmr_classify.library.journal import Store
from tests.library.worlds import FILES, fill, heard

MEMORY = Path("/dev/shm")  # noqa: S108 (where there is one, waiting for the disk takes no time)


def quick_folder():
    """A folder that is removed in the end, in memory where that can be."""
    return tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None)


@pytest.fixture
def place():
    """An empty folder."""
    with quick_folder() as name:
        yield Path(name).resolve()


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "state")


@pytest.fixture
def other_disk(place, tmp_path):
    """A folder on another disk than ``place``."""
    if os.stat(place).st_dev == os.stat(tmp_path).st_dev:
        pytest.skip("there is only one disk to write to")
    folder = tmp_path / "other"
    folder.mkdir()
    return folder


@pytest.fixture
def three(place):
    """Results of three files."""
    fill(place, FILES)
    return [heard(place / name) for name in FILES]


SOMEBODY = 12345
"""A user whom the system need not know."""


@pytest.fixture
def of_another(monkeypatch):
    """Gives a file to another user, and lets nobody give files away, as if we were not root."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        pytest.skip("only root can give a file to another user")

    def give(path):
        os.chown(path, SOMEBODY, SOMEBODY)
        for name in ("chown", "fchown"):
            monkeypatch.setattr(os, name, refuse_to_give)

    return give


def refuse_to_give(_file, owner, _group):
    if owner != -1:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))
