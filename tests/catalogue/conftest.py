from __future__ import annotations

import os

import pytest

from asmr_classify.catalogue import Catalogue, parse_query
from tests.catalogue.results import SETTINGS, found, heard


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def catalogue(place):
    with Catalogue.open(str(place / "library.sqlite"), create=True) as catalogue:
        yield catalogue


@pytest.fixture
def write(place):
    """Writes files, each with a content of its own unless one is given."""

    def make(name, content=None):
        path = place / os.fsdecode(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.fsencode(name) if content is None else content)
        return path

    return make


@pytest.fixture
def labelled(catalogue, write):
    """Files that are in the catalogue."""

    def make(name, content=None, **changes):
        path = write(name, content)
        catalogue.add(found(path), heard(path, **changes), SETTINGS)
        return path

    return make


@pytest.fixture
def paths_found(catalogue, place):
    """Names of what a query finds, relative to the place."""

    def find(text="", **options):
        results = catalogue.find(parse_query(text), **options)
        return [os.path.relpath(result.path, place) for result in results]

    return find
