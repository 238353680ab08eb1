from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

from asmr_classify.catalogue import Catalogue, parse_query, schema
from asmr_classify.catalogue.corrections import Correction
from asmr_classify.errors import CatalogueError
from asmr_classify.visual.seen import Picture, Visual
from tests.catalogue.results import SETTINGS, found, heard, seen

CURRENT = len(schema.MIGRATIONS)
GROW = ("ALTER TABLE files ADD COLUMN note TEXT", "UPDATE files SET note = 'grown'")


@pytest.fixture
def library(place, write):
    """A closed catalogue of thirty files."""
    path = str(place / "library.sqlite")
    with Catalogue.open(path, create=True) as catalogue:
        for number in range(30):
            file = write(f"{number:02d}.mp3")
            catalogue.add(found(file), heard(file), SETTINGS)
    return path


def names_in(path):
    with Catalogue.open(path) as catalogue:
        return [Path(result.path).name for result in catalogue.find()]


def version_of(path):
    connection = sqlite3.connect(path)
    try:
        return connection.execute("PRAGMA user_version").fetchone()[0]
    finally:
        connection.close()


def test_a_catalogue_is_in_wal_mode_and_says_what_it_is(library):
    connection = sqlite3.connect(library)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert connection.execute("PRAGMA application_id").fetchone() == (schema.APPLICATION_ID,)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()
    assert version_of(library) == len(schema.MIGRATIONS)


def test_every_query_uses_what_the_schema_offers(library):
    with Catalogue.open(library) as catalogue:
        plan = catalogue._database.rows(
            "EXPLAIN QUERY PLAN SELECT score FROM heard WHERE content_id = 1 AND label_id = 1"
        )
    assert "PRIMARY KEY" in str(plan)


def test_of_one_row_that_is_wanted_no_more_are_made(library):
    made = []
    with Catalogue.open(library) as catalogue:
        catalogue._database._connection.create_function("made", 1, made.append)
        assert catalogue._database.row("SELECT made(id) FROM files") == (None,)
    assert len(made) <= 2  # Python steps to the next one ahead


def test_there_must_be_a_catalogue(place):
    with pytest.raises(CatalogueError, match=r"none\.sqlite: there is no catalogue; 'asmr-classif"):
        Catalogue.open("none.sqlite")
    assert not (place / "none.sqlite").exists()


def test_an_empty_file_becomes_one(place):
    (place / "new.sqlite").touch()
    assert names_in("new.sqlite") == []


def test_a_folder_is_none(place):
    with pytest.raises(CatalogueError, match=r"is a folder.*write --catalogue after the paths"):
        Catalogue.open(str(place), create=True)


def test_a_folder_that_is_missing_is_told(place):
    with pytest.raises(CatalogueError, match="cannot be opened or created there; check that the f"):
        Catalogue.open(str(place / "no" / "such.sqlite"), create=True)


def test_a_later_version_is_refused_and_left_as_it_is(library):
    connection = sqlite3.connect(library)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    before = Path(library).read_bytes()
    with pytest.raises(
        CatalogueError, match=f"of version 99, and this program knows those up to {CURRENT}"
    ):
        Catalogue.open(library)
    assert Path(library).read_bytes() == before


def test_an_earlier_version_is_copied_then_brought_up_to_date(library, monkeypatch):
    names = names_in(library)
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, GROW))
    for _ in range(2):  # the second time there is nothing to do
        with Catalogue.open(library) as catalogue:
            assert catalogue._database.rows("SELECT DISTINCT note FROM files") == [("grown",)]
    assert version_of(library) == CURRENT + 1
    assert version_of(f"{library}.v{CURRENT}.bak") == CURRENT
    monkeypatch.undo()
    assert [Path(copy).name for copy in Path(library).parent.glob("*.bak*")] == [
        f"library.sqlite.v{CURRENT}.bak"
    ]
    with Catalogue.open(f"{library}.v{CURRENT}.bak") as copy:
        assert [Path(result.path).name for result in copy.find()] == names


WITHOUT_ANSWERS = """DROP TABLE answers; DROP TRIGGER answers_keep_the_path_of_a_file;
DROP TRIGGER answers_keep_the_path_of_a_content"""


SEEN_COLUMNS = "picture motion motion_median light light_median cuts_per_minute flashes".split()
WITHOUT_SEEN = "".join(f"ALTER TABLE contents DROP COLUMN {name};" for name in SEEN_COLUMNS)


def make_third(path):
    """Make a catalogue what the third version left."""
    connection = sqlite3.connect(path)
    connection.executescript(f"{WITHOUT_SEEN} PRAGMA user_version = 3")
    connection.close()


def make_first(path):
    """Make a catalogue what the first version left."""
    connection = sqlite3.connect(path)
    connection.executescript("DROP TABLE told; DROP TABLE kinds; PRAGMA user_version = 1")
    connection.executescript(f"{WITHOUT_ANSWERS}; {WITHOUT_SEEN}")
    connection.close()


def make_second(path):
    """Make a catalogue what the second version left."""
    connection = sqlite3.connect(path)
    connection.executescript(f"{WITHOUT_ANSWERS}; {WITHOUT_SEEN} PRAGMA user_version = 2")
    connection.close()


def test_a_catalogue_without_kinds_keeps_all_and_gets_them_by_labelling_anew(library, place):
    file = place / "03.mp3"
    with Catalogue.open(library) as catalogue:
        catalogue.correct([str(file)], Correction(tags=("whisper",)))
        before = list(catalogue.find())
    make_first(library)
    with Catalogue.open(library) as catalogue:
        assert list(catalogue.find()) == before
        assert list(catalogue.find(parse_query("trigger:whisper kind:none"))) == before[3:4]
        catalogue.add(found(file), heard(file, kinds={"typing": 0.9}), "another model")
        (result,) = catalogue.find(parse_query("kind:typing"))
    assert (result.path, result.tags, result.kinds) == (str(file), ("whisper",), {"typing": 0.9})
    with Catalogue.open(f"{library}.v1.bak") as copy:
        assert list(copy.find()) == before


def test_a_catalogue_without_answers_keeps_all_and_takes_them(library, place):
    file = str(place / "03.mp3")
    with Catalogue.open(library) as catalogue:
        catalogue.correct([file], Correction(tags=("whisper",)))
        before = list(catalogue.find())
    make_second(library)
    with Catalogue.open(library) as catalogue:
        assert list(catalogue.find()) == before
        assert catalogue.answers() == []
        catalogue.answer(file, 1, 4, ["tap"], ["tap", "whisper"])
        assert [(x.path, x.labels) for x in catalogue.answers()] == [(file, ("tap",))]
    with Catalogue.open(f"{library}.v2.bak") as copy:
        assert list(copy.find()) == before
        assert copy.answers() == []


def test_a_catalogue_that_was_not_searched_by_what_is_seen_is_from_its_records(library, place):
    silent, dark, other = (str(place / f"{number:02d}.mp3") for number in (3, 4, 5))
    with Catalogue.open(library) as catalogue:
        catalogue.add(found(dark), heard(dark, visual=seen()), SETTINGS)
        catalogue.add(found(silent), heard(silent, visual=Visual(Picture.NONE)), SETTINGS)
        catalogue._database.run(
            "UPDATE records SET record = ? WHERE content_id = "
            "(SELECT content_id FROM files WHERE path = ?)",
            ['{"visual": {', os.fsencode(other)],
        )
        columns = f"SELECT {', '.join(SEEN_COLUMNS)} FROM contents ORDER BY id"  # noqa: S608
        before = catalogue._database.rows(columns)
    make_third(library)
    with Catalogue.open(library) as catalogue:
        assert catalogue._database.rows(columns) == before
        assert len(set(before)) == 3
        query = "visual:slow motion:0.01..0.03 light:dark light:..0.02 cuts:..1 flashes:..0"
        assert [result.path for result in catalogue.find(parse_query(query))] == [dark]
        assert [result.path for result in catalogue.find(parse_query("picture:none"))] == [silent]
    assert version_of(f"{library}.v3.bak") == 3


def test_copies_are_not_written_over(library, monkeypatch):
    Path(f"{library}.v{CURRENT}.bak").write_text("an earlier copy")
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, GROW))
    Catalogue.open(library).close()
    assert Path(f"{library}.v{CURRENT}.bak").read_text() == "an earlier copy"
    assert version_of(f"{library}.v{CURRENT}.1.bak") == CURRENT


def test_a_migration_that_fails_changes_nothing(library, monkeypatch):
    names = names_in(library)
    broken = (*GROW, "SELECT * FROM no_such_table")
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, broken))
    with pytest.raises(CatalogueError, match="no such table"):
        Catalogue.open(library)
    monkeypatch.undo()
    assert names_in(library) == names


def test_nothing_is_changed_where_no_copy_can_be_made(library, monkeypatch):
    Path(f"{library}.v{CURRENT}.bak.part").mkdir()
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, GROW))
    with pytest.raises(CatalogueError, match="no copy can be put beside it before it is changed"):
        Catalogue.open(library)
    assert version_of(library) == CURRENT


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"not a database at all, but some text that is long enough" * 20, id="text"),
        pytest.param(b"RIFF----WAVE" + bytes(5000), id="recording"),
        pytest.param(b"SQLite format 3\0" + b"\xff" * 4080, id="header and garbage"),
        pytest.param(b"x", id="one byte"),
    ],
)
def test_what_is_no_catalogue_is_refused_and_left_as_it_is(place, content):
    path = place / "library.sqlite"
    path.write_bytes(content)
    with pytest.raises(CatalogueError, match=r"library\.sqlite: is (no catalogue|damaged)"):
        Catalogue.open(str(path), create=True)
    assert path.read_bytes() == content


def test_a_database_of_another_program_is_left_alone(place):
    path = place / "photos.sqlite"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE photos (name)")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(CatalogueError, match=r"photos\.sqlite: is a database of another program"):
        Catalogue.open(str(path), create=True)
    assert path.read_bytes() == before


def use_all(path, number):
    """Do with a catalogue what commands do."""
    with Catalogue.open(path) as catalogue:
        len(catalogue)
        list(catalogue.find(parse_query("tap>0.1 length:1s.. path:mp3"), sort=["tap-", "added"]))
        file = Path(path).with_name("new.mp3")
        file.write_text(str(number))
        catalogue.add(found(file), heard(file), SETTINGS)
        catalogue.recall(found(file), SETTINGS)
        catalogue.forget([str(file)])


def test_a_damaged_catalogue_works_or_is_told(library, place):
    whole = Path(library).read_bytes()
    rng = np.random.default_rng(11)
    n_told = 0
    for number in range(60):
        broken = place / "broken" / "library.sqlite"
        shutil.rmtree(broken.parent, ignore_errors=True)
        broken.parent.mkdir()
        content = bytearray(whole[: rng.integers(1, len(whole))] if number % 2 else whole)
        start = rng.integers(100, max(101, len(content)))
        garbage = rng.bytes(3000)[: max(0, len(content) - start)]
        if not number % 2:
            content[start : start + len(garbage)] = garbage
        broken.write_bytes(content)
        try:
            use_all(str(broken), number)
        except CatalogueError as exc:
            n_told += 1
            assert str(exc).startswith(f"{broken}: ")  # noqa: PT017 (some damage is harmless)
            assert "; move it away" in str(exc) or "name another" in str(exc)  # noqa: PT017
    assert n_told > 30


def test_records_that_are_damaged_are_told(library):
    connection = sqlite3.connect(library)
    connection.execute("UPDATE records SET record = substr(record, 1, 50)")
    connection.commit()
    connection.close()
    with pytest.raises(CatalogueError, match=r"library\.sqlite: is damaged; move it away"):
        names_in(library)


def test_a_catalogue_that_another_program_keeps_locked_is_told(library, monkeypatch, write):
    monkeypatch.setattr(schema, "PATIENCE", 0.05)
    connection = sqlite3.connect(library, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    with Catalogue.open(library) as catalogue:
        assert len(list(catalogue.find())) == 30  # readers do not wait
        file = write("new.mp3")
        with pytest.raises(CatalogueError, match="another program keeps it locked; wait until"):
            catalogue.add(found(file), heard(file), SETTINGS)
        connection.execute("ROLLBACK")
        catalogue.add(found(file), heard(file), SETTINGS)
    connection.close()


AS_NOBODY = """
import os, sys, tempfile
from asmr_classify.catalogue import Catalogue
from asmr_classify.errors import CatalogueError
if os.geteuid() == 0:
    with tempfile.TemporaryDirectory() as place:  # loads what nobody may be kept from reading
        with Catalogue.open(place + "/x", create=True) as catalogue:
            list(catalogue.find())
            catalogue.forget(["/"])
    os.setuid(65534)
with Catalogue.open(sys.argv[1]) as catalogue:
    print(len(list(catalogue.find())))
    try:
        catalogue.forget(["/"])
    except CatalogueError as exc:
        print(exc)
try:
    Catalogue.open(sys.argv[1] + "2", create=True)
except CatalogueError as exc:
    print(exc)
"""


@pytest.mark.skipif(os.name != "posix", reason="permissions as POSIX has them")
def test_a_catalogue_in_a_place_that_may_only_be_read_is_read(library):
    # not below the folders of pytest, which only their owner may enter
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        copy = Path(shutil.copy(library, folder / "library.sqlite"))
        copy.chmod(0o444)
        folder.chmod(0o555)
        done = subprocess.run(
            [sys.executable, "-c", AS_NOBODY, str(copy)],
            capture_output=True,
            text=True,
            check=False,
        )
        folder.chmod(0o755)
    assert done.stderr == ""
    n_found, cannot_write, cannot_create = done.stdout.splitlines()
    assert n_found == "30"
    assert "it may only be read; change the permissions, or make room if its" in cannot_write
    assert "cannot be opened or created there" in cannot_create


def test_a_copy_is_brought_up_to_date_and_the_file_is_not(place, monkeypatch):
    Catalogue.open("c.sqlite", create=True).close()
    before = Path("c.sqlite").read_bytes()
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, ("CREATE TABLE more (x)",)))
    with Catalogue.open("c.sqlite", as_copy=True) as copy:
        assert copy._database.rows("SELECT * FROM more") == []
    with Catalogue.open("none.sqlite", as_copy=True, create=True) as copy:
        assert list(copy.find()) == []
    assert Path("c.sqlite").read_bytes() == before
    assert [path.name for path in place.iterdir()] == ["c.sqlite"]
