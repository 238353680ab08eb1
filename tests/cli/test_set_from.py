from __future__ import annotations

import csv
import io
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from asmr_classify.aggregate import Status
from asmr_classify.catalogue import Catalogue, edits, store, tracks
from asmr_classify.cli.app import app
from asmr_classify.cli.teach import _gather
from asmr_classify.labels import TRIGGERS
from asmr_classify.library.makers import Maker
from asmr_classify.media.found import Found
from asmr_classify.timeline import Segment
from asmr_classify.writers.per_file import path_mark
from tests.cli.conftest import heard


@pytest.fixture
def run(place, monkeypatch):
    """Runs commands on the catalogue of this place."""
    monkeypatch.setenv("ASMR_CLASSIFY_CATALOGUE", str(place / "library.sqlite"))

    def run(*arguments):
        return CliRunner().invoke(app, [str(argument) for argument in arguments])

    return run


@pytest.fixture
def add(place):
    """Puts recordings into the catalogue: tapping from 0 to 40 s, speech from 20 s on."""

    def make(*names, **changes):
        with Catalogue.open(str(place / "library.sqlite"), create=True) as known:
            for name in names:
                path = place / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(os.fsencode(name))
                status = path.stat()
                found = Found(str(path), status.st_size, status.st_mtime_ns)
                known.add(found, heard(str(path), **changes), "settings")

    return make


@pytest.fixture
def library(run, add):
    add("a.mp3", "in/b.mp3", "in/deep/c.mp3")
    return run


@pytest.fixture
def kept(place):
    """What the catalogue keeps: tags that were set, and answers."""

    def read():
        with Catalogue.open(str(place / "library.sqlite")) as known:
            found = ((os.path.relpath(x.path, place), x) for x in known.find())
            tags = {name: x.tags for name, x in found if x.corrected}
            said = {
                (os.path.relpath(x.path, place), x.start, x.end): (x.labels, x.asked)
                for x in known.answers()
            }
        return tags, said

    return read


NOTHING = ({}, {})


@pytest.mark.parametrize("form", ["csv", "raven", "audacity"])
@pytest.mark.parametrize("per_file", [False, True])
def test_what_was_written_comes_back_unchanged(form, per_file, add, run, place, kept):
    segments = (
        Segment(0.0004999, 12.3456789, "tap", 0.9),
        Segment(20.1234565, 39.99999951, "soap cutting", 0.7),
        Segment(30, 35, "speech", 0.8),
        Segment(39.9999, 40, "silence", 1.0),
    )
    names = ["odd\tname.mp3", "=a,b.mp3", "in/b.mp3", "in/deep/c\udce9.mp3"]
    add(*names, segments=segments, scores={"tap": 0.9, "soap cutting": 0.8, "speech": 0.1})
    run("set", "in/b.mp3", "trigger=soap cutting,tap", "no_talking=true", "-q")
    run("set", "=a,b.mp3", "trigger=tap", "-q")
    before = kept()
    if per_file or form == "audacity":
        assert run("export", "-f", form, "--per-file", "out").exit_code == 0
        (place / "out/asmr-classify.written").unlink()
        source = "out"
    else:
        source = {"csv": "all.csv", "raven": "all.selections.txt"}[form]
        assert run("export", "-o", source).exit_code == 0
    done = run("set", "--from", source)
    assert (done.exit_code, done.stdout) == (0, "")
    assert done.stderr == "nothing differs from what is known\n"
    assert kept() == before


def test_a_table_sets_whole_recordings_as_set_does(library, kept, place):
    (place / "new.csv").write_text(
        '\ufeffPath,Labels\na.mp3,"whisper, tap"\nin/b.mp3,none\nin/deep/c.mp3,tap\n'
    )
    done = library("set", "--from", "new.csv")
    assert done.exit_code == 0
    assert kept() == ({"a.mp3": ("whisper", "tap"), "in/b.mp3": ()}, {})
    assert done.stdout.splitlines()[1].startswith("a.mp3     whisper (set)  tap (set)")
    assert "set: 2 recordings; answered: 0 stretches" in done.stderr
    assert library("set", "--from", "new.csv").stderr == "nothing differs from what is known\n"


def edited(source, target, **changes):
    """Write a table anew with other cells in the row of one recording."""
    rows = list(csv.DictReader(io.StringIO(Path(source).read_text())))
    row = next(row for row in rows if row["path"] == "a.mp3")
    row |= changes
    with Path(target).open("w", newline="") as file:
        writer = csv.DictWriter(file, row)
        writer.writeheader()
        writer.writerows(rows)


@pytest.mark.parametrize(
    ("cells", "tags", "no_talking"),
    [
        ({"tags": "whisper tap"}, ("tap", "whisper"), False),
        ({"tags": "whisper tap", "trigger": ""}, ("whisper", "tap"), False),
        ({"tags": "whisper"}, ("whisper",), False),
        ({"tags": "tap, whisper", "trigger": "whisper"}, ("whisper", "tap"), False),
        ({"tags": "", "trigger": ""}, (), False),
        ({"no_talking": "yes"}, ("tap",), True),
    ],
)
def test_a_table_of_results_may_be_edited(cells, tags, no_talking, library, place):
    library("export", "-o", "all.csv")
    edited("all.csv", "mine.csv", **cells)
    assert library("set", "--from", "mine.csv", "-q").exit_code == 0
    with Catalogue.open(str(place / "library.sqlite")) as known:
        changed = [x for x in known.find() if x.corrected]
    assert [(x.tags, x.no_talking) for x in changed] == [(tags, no_talking)]


@pytest.mark.parametrize(
    "cells",
    [
        {"tags": "whisper tap"},
        {"tags": "whisper tap", "trigger": ""},
        {"tags": "tap whisper", "trigger": "whisper"},
        {"tags": "", "trigger": ""},
    ],
)
def test_an_edited_table_says_the_same_when_it_is_read_again(cells, library):
    """Whatever was set by it before."""
    library("export", "-o", "all.csv")
    edited("all.csv", "mine.csv", **cells)
    assert "set: 1 recording" in library("set", "--from", "mine.csv").stderr
    for _ in range(2):
        again = library("set", "--from", "mine.csv")
        assert (again.exit_code, again.stderr) == (0, "nothing differs from what is known\n")


def test_rows_with_start_and_end_are_answers(library, kept, place):
    (place / "new.csv").write_text(
        "path,start,end,label\na.mp3,1,3.5,whisper\na.mp3,1,3.5,tap\nin/b.mp3,,,crinkle\n"
        f"{place}/in/b.mp3,30,40,none\n"
    )
    done = library("set", "--from", "new.csv")
    assert done.exit_code == 0
    tags, said = kept()
    assert tags == {"in/b.mp3": ("crinkle",)}
    assert said == {
        ("a.mp3", 1, 3.5): (("whisper", "tap"), ("whisper", "tap")),
        ("in/b.mp3", 30, 40): ((), ("tap", "whisper", "speech")),
    }
    assert "a.mp3 1.000-3.500 s: whisper, tap heard\n" in done.stdout
    assert "in/b.mp3 30.000-40.000 s: tap, whisper, speech not heard\n" in done.stdout
    assert "set: 1 recording; answered: 2 stretches" in done.stderr


def test_times_may_be_written_as_players_show_them(library, kept, place):
    (place / "x.csv").write_text("path,start,end,label\na.mp3,0:01.5,0:00:10,tap\n")
    assert library("set", "--from", "x.csv").exit_code == 0
    assert list(kept()[1]) == [("a.mp3", 1.5, 10)]


def test_an_answer_keeps_what_was_said_of_other_labels(library, kept, place):
    with Catalogue.open(str(place / "library.sqlite")) as known:
        known.answer("a.mp3", 1, 3, ["tap", "speech"], ["tap", "speech", "crinkle"])
    (place / "new.csv").write_text("path,start,end,label\na.mp3,1,3,crinkle\na.mp3,1,3,tap\n")
    library("set", "--from", "new.csv")
    labels, asked = kept()[1]["a.mp3", 1, 3]
    assert ({*labels}, {*asked}) == ({"tap", "speech", "crinkle"},) * 2
    assert library("set", "--from", "new.csv").stderr == "nothing differs from what is known\n"


EDITED = (
    "0.000000\t10.000000\ttap\n"  # ends earlier
    "20.040000\t40.000000\tspeech\n"  # a nudge, which is none
    "\\\t100.0\t4000.0\n"
    "12.000000\t15.500000\tcrinkle\n"
)
SAID = {
    ("a.mp3", 10, 40): ((), ("tap",)),
    ("a.mp3", 12, 15.5): (("crinkle",), ("crinkle",)),
}


def test_a_label_track_tells_what_was_heard_and_what_was_not(library, kept, place):
    assert library("export", "-f", "audacity", "--per-file", "out").exit_code == 0
    (place / "out/a.mp3.labels.txt").write_text(EDITED)
    shown = library("set", "--from", "out", "--dry-run")
    assert kept() == NOTHING
    done = library("set", "--from", "out")
    assert done.stdout == shown.stdout
    assert done.stdout.splitlines() == [
        "a.mp3 10.000-40.000 s: tap not heard",
        "a.mp3 12.000-15.500 s: crinkle heard",
    ]
    assert "answered: 2 stretches; nothing was changed (dry run)" in shown.stderr
    assert kept() == ({}, SAID)


def test_a_selection_table_tells_the_same(library, kept, place):
    library("export", "-o", "all.selections.txt")
    lines = (place / "all.selections.txt").read_text().splitlines(keepends=True)
    first = lines[1].split("\t")
    assert first[3:5] == ["0.000000", "40.000000"]
    first[4] = "10.000000"
    added = [*first[:3], "12", "15.5", *first[5:9], "12", "crinkle", "\n"]  # Raven gives no score
    table = [lines[0], "\t".join(first), *lines[2:], "\t".join(added)]
    (place / "all.selections.txt").write_text("".join(table))
    assert library("set", "--from", "all.selections.txt").exit_code == 0
    assert kept() == ({}, SAID)


@pytest.mark.parametrize("form", ["raven", "audacity"])
def test_what_was_set_as_absent_is_no_difference_unless_it_was_put_there(
    form, library, kept, place
):
    library("set", "a.mp3", "trigger=none", "no_talking=true", "-q")
    library("export", "-f", form, "--per-file", "out")
    (track,) = (place / "out").glob("a.mp3.*")
    empty = track.read_text()
    assert "tap" not in empty
    assert "speech" not in empty
    (place / "out/asmr-classify.written").unlink()
    assert library("set", "--from", "out").stderr == "nothing differs from what is known\n"
    heard_again = {
        "audacity": "5\t9\ttap\n",
        "raven": f"1\tSpectrogram 1\t1\t5\t9\t0\t8000\ta.mp3\t{place}/a.mp3\t5\ttap\t\n",
    }
    track.write_text(empty + heard_again[form])
    done = library("set", "--from", "out")
    assert "a.mp3: tap was heard in a stretch of it" in done.stderr
    assert kept() == ({"a.mp3": ()}, {("a.mp3", 5, 9): (("tap",), ("tap",))})
    assert library("set", "--from", "out").stderr == "nothing differs from what is known\n"


def test_a_stretch_that_was_given_another_label_is_one_answer(library, kept, place):
    (place / "a.mp3.labels.txt").write_text("0\t40\tcrinkle\n20\t40\tspeech\n")
    library("set", "--from", "a.mp3.labels.txt")
    assert kept() == ({}, {("a.mp3", 0, 40): (("crinkle",), ("crinkle", "tap"))})


def test_a_track_without_labels_is_warned_of_and_can_be_taken_back(library, kept, place):
    (place / "a.mp3.labels.txt").write_text("")
    (place / "b.mp3.labels.txt").write_text("0\t40\ttap\n")
    track = ("set", "--from", "a.mp3.labels.txt")
    warning = (
        "warning: a.mp3.labels.txt: holds no label, so all that the model hears in a.mp3 counts as "
        "not heard; to take that back: set reset --from a.mp3.labels.txt\n"
    )
    done = library(*track, "--from", "b.mp3.labels.txt", "-q")
    assert done.stderr == warning
    assert library(*track).stderr == "nothing differs from what is known\n"
    assert library("set", "reset", "--from", "a.mp3.labels.txt", "-q").stderr == ""
    assert set(kept()[1]) == {("in/b.mp3", 20, 40)}


def test_files_as_they_were_written_say_nothing_of_a_later_timeline(library, add, kept):
    library("export", "-f", "audacity", "--per-file", "out")
    add("a.mp3", segments=(Segment(5, 9, "whisper", 0.9),))
    assert library("set", "--from", "out").stderr == "nothing differs from what is known\n"
    assert kept() == NOTHING


def test_tracks_find_their_recordings_wherever_these_lie(run, add, kept, place):
    add("lib/01.mp3", "lib/one/01.mp3", "lib/two/01.mp3", "lib/two/02.mp3")
    tracks = place / "out"
    (tracks / "two").mkdir(parents=True)
    (tracks / "two/01.mp3.labels.txt").write_text("20\t40\tspeech\n")
    alone = run("set", "--from", "out/two/01.mp3.labels.txt")
    listed = ", ".join(f"{place}/lib/{x}01.mp3" for x in ("", "one/", "two/"))
    assert alone.exit_code == 2
    assert f"out/two/01.mp3.labels.txt: may be of {listed}; name the recordings" in alone.stderr
    assert run("set", "lib/one/01.mp3", "--from", "out/two/01.mp3.labels.txt").exit_code == 0
    assert set(kept()[1]) == {("lib/one/01.mp3", 0, 40)}
    assert run("set", "--from", "out").exit_code == 0
    assert set(kept()[1]) == {("lib/one/01.mp3", 0, 40), ("lib/two/01.mp3", 0, 40)}
    (tracks / "01.mp3.labels.txt").write_text("")
    assert run("set", "--from", "out").exit_code == 0
    assert set(kept()[1]) >= {("lib/01.mp3", 20, 40), ("lib/01.mp3", 0, 40)}
    (tracks / "03.mp3.labels.txt").write_text("")
    assert "03.mp3.labels.txt: no recording of this name" in run("set", "--from", "out").stderr


def test_a_track_is_of_the_recording_that_was_noted_as_it_was_written(run, add, kept, place):
    (place / "lib").mkdir()
    (place / "link").symlink_to("lib", target_is_directory=True)
    add("link/one/01.mp3", "link/two/01.mp3", "link/two/02.mp3")
    run("export", "path:link/two", "-f", "audacity", "--per-file", "out")
    (place / "out/02.mp3.labels.txt").unlink()
    track = place / "out/01.mp3.labels.txt"
    track.write_text("20\t40\tspeech\n")
    limited = run("set", "link/one", "--from", "out")
    assert limited.stderr == "nothing differs from what is known\n"
    assert run("set", "--from", "out").exit_code == 0
    assert set(kept()[1]) == {("link/two/01.mp3", 0, 40)}
    (place / "out").rename(place / "lib/out")  # what was noted leads nowhere from there
    assert "may be of" in run("set", "--from", "lib/out").stderr


def test_a_track_of_what_is_not_in_the_catalogue_is_not_of_another_of_its_name(
    run, add, kept, place
):
    add("lib/one/01.mp3", "lib/two/01.mp3")
    run("export", "path:lib/two", "-f", "audacity", "--per-file", "out")
    (place / "out/01.mp3.labels.txt").write_text("20\t40\tspeech\n")
    (place / "library.sqlite").unlink()
    add("lib/one/01.mp3")
    done = run("set", "--from", "out")
    assert done.exit_code == 2
    assert f"out/01.mp3.labels.txt: {place}/lib/two/01.mp3: is not in the cat" in done.stderr
    assert kept() == NOTHING


def test_a_name_that_was_shortened_is_found(run, add, kept, place):
    name = "long" * 61 + ".mp3"
    add(name, "b.mp3")
    run("export", "-f", "audacity", "--per-file", "out")
    (track,) = (place / "out").glob("long*")
    assert "~" in track.name
    track.write_text("20\t40\tspeech\n")
    assert run("set", "--from", "out").exit_code == 0
    assert kept() == ({}, {(name, 0, 40): ((), ("tap",))})


def test_shortened_names_are_found_by_looking_each_recording_up_once(
    run, add, kept, place, monkeypatch
):
    """Also where the folder does not tell any more what it wrote of which."""
    names = [f"{'long' * 61}{k}.mp3" for k in range(10, 15)]
    add(*names, "b.mp3")
    run("export", "-f", "audacity", "--per-file", "out")
    (place / "out/asmr-classify.written").unlink()
    for track in (place / "out").glob("long*"):
        track.write_text("20\t40\tspeech\n")
    marked = []
    monkeypatch.setattr(tracks, "path_mark", lambda path: marked.append(path) or path_mark(path))
    assert run("set", "--from", "out").exit_code == 0
    assert kept() == ({}, {(name, 0, 40): ((), ("tap",)) for name in names})
    assert len(marked) == len(names) + 1


def test_only_what_is_named_is_set(library, kept, place):
    (place / "new.csv").write_text("path,label\na.mp3,none\nin/b.mp3,none\nlost.mp3,none\n")
    assert library("set", "in", "--from", "new.csv").exit_code == 0
    assert kept() == ({"in/b.mp3": ()}, {})


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("x.csv", "file,label\na.mp3,tap\n", "x.csv, line 1: needs a column path and one of tags"),
        ("x.csv", "path;label\na.mp3;tap\n", "x.csv, line 1: needs a column path"),
        ("x.csv", "path,label\na.mp3,none\nz.mp3,tap\n", "x.csv, line 3: z.mp3: is not in the"),
        ("x.csv", "path,label\na.mp3,none\nin/b.mp3,tip\n", "line 3: trigger=tip: 'tip' is no"),
        ("x.csv", "path,label\na.mp3,none\nin/b.mp3,\n", "line 3: nothing in column label; write"),
        ("x.csv", "path,label\na.mp3,tap,whisper\n", "line 2: has more cells than columns"),
        ("x.csv", "path,label\na.mp3,none\na.mp3,crinkle\n", "something else by x.csv, line 2"),
        ("x.csv", "path,label\na.mp3,none\na.mp3,tap\n", "something else by x.csv, line 2"),
        ("x.csv", "path,label\na.mp3,tap\na.mp3,none\n", "something else by x.csv, line 2"),
        ("x.csv", "path,label\n ,tap\n", "x.csv, line 2: names no recording"),
        (
            "x.csv",
            "path,label,start,end\na.mp3,silence,1,2\n",
            "line 2: silence is decided by level, not by answers; write none where no label",
        ),
        ("x.csv", "path,tags,trigger\na.mp3,tap,whisper\n", "'whisper' is not among the tags"),
        ("x.csv", "path,tags,trigger\na.mp3,tap,none\n", "trigger is none, and tags are given"),
        ("x.csv", "path,no_talking\na.mp3,maybe\n", "line 2: no_talking=maybe: cannot be set"),
        ("x.csv", "path,label,start,end\na.mp3,none,,\na.mp3,tap,1,\n", "line 3: end '' is no"),
        ("x.csv", "path,label,start,end\na.mp3,tap,1:60,3:00\n", "start '1:60' is no time, as"),
        ("x.csv", "path,label,start,end\na.mp3,none,,\na.mp3,tap,9,1\n", "9.0 to 1.0 is no stret"),
        ("x.csv", "path,label,start,end\na.mp3,tap,9,50\n", "9 to 50 is not within"),
        ("x.csv", "path,label,start,end\na.mp3,tap,1,nan\n", "1.0 to nan is no stretch"),
        (
            "x.csv",
            "path,label,start,end\na.mp3,tap,1,2\na.mp3,none,1,2\n",
            "line 3: tap: x.csv, line 2 says otherwise of the same stretch",
        ),
        ("x.csv", "path,label,start,end\na.mp3,Tap,1,2\n", "'Tap'; known are whisper, tap"),
        ("a.mp3.labels.txt", "0\t40\ttap\n1\t2\tsoap\n", "line 2: no label is called 'soap'"),
        ("a.mp3.labels.txt", "0\t40\n", "point in seconds, as 12.5: not enough values"),
        ("a.mp3.labels.txt", "0\tx\ttap\n", "line 1: no start, end and label, with a point"),
        ("a.mp3.labels.txt", "0,0\t2,5\ttap\n", "with a point in seconds, as 12.5"),
        ("a.mp3.labels.txt", "3\t3\ttap\n", "a.mp3: 3.0 to 3.0 is no stretch"),
        ("a.mp3.labels.txt", "3\t4\t\n", "line 1: no label is given"),
        ("x.txt", "Selection\tView\n1\t2\n", "x.txt: no column Begin Time (s), End Time (s), Beg"),
        ("x.jsonl", "{}\n", "x.jsonl: labels are read from CSV, Audacity label tracks"),
        ("x.csv", b"path,label\n\xff,tap\n", "x.csv: is not UTF-8 text"),
    ],
)
def test_a_wrong_line_is_named_and_nothing_is_kept(name, text, message, library, kept, place):
    (place / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    done = library("set", "--from", name)
    assert done.exit_code == 2
    assert message in done.stderr
    assert name in done.stderr
    assert kept() == NOTHING


def test_what_contradicts_earlier_corrections_names_its_line_and_keeps_nothing(
    library, kept, place
):
    library("set", "in/b.mp3", "no_talking=true", "-q")
    (place / "x.csv").write_text("path,label\na.mp3,none\nin/b.mp3,whisper\n")
    done = library("set", "--from", "x.csv")
    assert "x.csv, line 3: trigger=whisper and no_talking=true contradict" in done.stderr
    assert kept() == ({"in/b.mp3": ("tap",)}, {})


def test_one_timeline_comes_from_one_file(library, kept, place):
    for folder in ("one", "two"):
        (place / folder).mkdir()
        (place / folder / "a.mp3.labels.txt").write_text("0\t9\ttap\n")
    done = library("set", "--from", "one", "--from", "two")
    assert "its timeline is in one/a.mp3.labels.txt too; give one of them" in done.stderr
    assert kept() == NOTHING


def test_a_new_label_is_named_first(library, kept, place):
    (place / "a.mp3.labels.txt").write_text("0\t40\ttap\n20\t40\tspeech\n1\t2\tsoap cutting\n")
    refused = library("set", "--from", "a.mp3.labels.txt")
    assert "name a new one by --new-label soap_cutting" in refused.stderr
    done = library("set", "--from", "a.mp3.labels.txt", "--new-label", "soap cutting")
    assert done.exit_code == 0
    assert kept()[1] == {("a.mp3", 1, 2): (("soap_cutting",), ("soap_cutting",))}
    wrong = library("set", "--from", "a.mp3.labels.txt", "--new-label", "length")
    assert "it has another meaning in queries" in wrong.stderr
    assert "is for labels that --from reads" in library("set", "--new-label", "soap").stderr


def test_set_takes_a_label_that_was_named_by_a_file(library, kept, place):
    (place / "x.csv").write_text("path,label,start,end\na.mp3,gum,1,2\n")
    assert "'gum' is no trigger" in library("set", "in/b.mp3", "trigger=tap,gum").stderr
    assert library("set", "--from", "x.csv", "--new-label", "gum").exit_code == 0
    done = library("set", "in/b.mp3", "trigger=tap,gum")
    assert done.exit_code == 0, done.stderr
    assert kept()[0] == {"in/b.mp3": ("tap", "gum")}
    assert "'gun' is no trigger" in library("set", "in/b.mp3", "trigger=gun").stderr


def test_a_file_that_is_read_again_says_the_same_though_labels_were_named_since(
    library, kept, place
):
    """Who wrote that nothing is heard did not know of a label that was named later."""
    (place / "x.csv").write_text("path,label,start,end\na.mp3,soap,1,2\na.mp3,none,3,4\n")
    again = ("set", "--from", "x.csv", "--new-label", "soap")
    assert library(*again).exit_code == 0
    said = {
        ("a.mp3", 1, 2): (("soap",), ("soap",)),
        ("a.mp3", 3, 4): ((), ("tap", "whisper", "speech", "soap")),
    }
    assert kept()[1] == said
    assert library(*again).stderr == "nothing differs from what is known\n"
    with Catalogue.open(str(place / "library.sqlite")) as known:
        known.answer("in/b.mp3", 1, 2, ["hum"], ["hum"])
        known.answer("a.mp3", 5, 6, [], ["hum"])
    assert library(*again).stderr == "nothing differs from what is known\n"
    assert {key: kept()[1][key] for key in said} == said
    (place / "y.csv").write_text("path,label,start,end\na.mp3,none,5,6\n")
    assert library("set", "--from", "y.csv").exit_code == 0
    assert {*kept()[1]["a.mp3", 5, 6][1]} == {"tap", "whisper", "speech", "soap", "hum"}


def test_that_nothing_is_heard_says_more_than_that_two_labels_are_not(run, add, kept, place):
    timeline = (Segment(5, 9, "tap", 0.9), Segment(5, 9, "speech", 0.9))
    add("a.mp3", segments=timeline)
    (place / "a.mp3.labels.txt").write_text("20\t30\twhisper\n")  # both are taken away
    assert run("set", "--from", "a.mp3.labels.txt").exit_code == 0
    assert kept()[1]["a.mp3", 5, 9] == ((), ("tap", "speech"))
    (place / "x.csv").write_text("path,label,start,end\na.mp3,none,5,9\n")
    assert run("set", "--from", "x.csv").exit_code == 0
    labels, asked = kept()[1]["a.mp3", 5, 9]
    assert (labels, {*asked}) == ((), {"tap", "whisper", "speech"})
    assert run("set", "--from", "x.csv").stderr == "nothing differs from what is known\n"


def test_what_a_file_told_of_stretches_is_listed_and_taken_back(library, kept, place):
    """What others said of the same stretches stays, and so does what was set."""
    with Catalogue.open(str(place / "library.sqlite")) as known:
        known.answer("a.mp3", 1, 2, ["speech"], ["speech", "crinkle"])
        known.answer("a.mp3", 7, 8, ["speech"], ["speech"])
    before = kept()[1]
    (place / "x.csv").write_text(
        "path,label,start,end\na.mp3,tap,1,2\na.mp3,none,3,4\nin/b.mp3,tap,5,6\n"
        "in/deep/c.mp3,crinkle,,\n"
    )
    assert library("set", "--from", "x.csv").exit_code == 0
    tags, told = kept()
    assert len(told) == 4
    with Catalogue.open(str(place / "library.sqlite")) as known:
        known.answer("in/b.mp3", 5, 6, [], ["tap"])  # answered otherwise since
    listed = library("set", "reset", "--from", "x.csv", "--dry-run")
    assert listed.stdout == (
        "a.mp3 1.000-2.000 s: tap heard\na.mp3 3.000-4.000 s: tap, whisper, speech not heard\n"
    ).replace("tap, whisper, speech", ", ".join(told["a.mp3", 3, 4][1]))
    assert listed.stderr == ("taken back, of answers: 2 stretches; nothing was changed (dry run)\n")
    assert len(kept()[1]) == 4
    assert library("set", "a.mp3", "reset", "--from", "x.csv", "-q").output == ""
    assert kept() == (tags, {**before, ("in/b.mp3", 5, 6): ((), ("tap",))})
    done = library("set", "reset", "--from", "x.csv")
    assert (done.exit_code, done.stdout) == (0, "")
    assert "no answer says what the files say of stretches; whole recordings: set" in done.stderr


def test_a_recording_is_read_once_however_many_rows_tell_of_it(library, place, monkeypatch):
    """One that was touched is known by its content alone, which may be gigabytes."""
    rows = "".join(f"a.mp3,tap,{k},{k + 1}\n" for k in range(9))
    (place / "x.csv").write_text(f"path,label,start,end\n{rows}")
    os.utime(place / "a.mp3", (1, 1))
    read, hash_file = [], store.hash_file
    monkeypatch.setattr(store, "hash_file", lambda *x, **y: read.append(x) or hash_file(*x, **y))
    for words, told in ((("set",), "answered: 9"), (("set", "reset"), "of answers: 9")):
        read.clear()
        assert told in library(*words, "--from", "x.csv").stderr
        assert len(read) <= 3  # to compare, to keep and to tell


def test_files_go_with_no_setting(library):
    done = library("set", "a.mp3", "trigger=tap", "--from", "x.csv")
    assert "trigger=tap: files tell what is set; leave it out, or --from" in done.stderr
    done = library("set", "reset", "trigger=tap", "--from", "x.csv")
    assert "reset: files tell what is set; leave it out, or --from" in done.stderr
    assert "x.csv: cannot be read: No such file" in library("set", "--from", "x.csv").stderr


def test_a_folder_without_labels_is_told(library):
    assert "in: holds no labels" in library("set", "--from", "in").stderr


def test_a_dry_run_of_set_changes_nothing(library, kept):
    done = library("set", "a.mp3", "trigger=whisper", "--dry-run")
    assert "whisper (set)" in done.stdout
    assert done.stderr == "nothing was changed (dry run)\n"
    assert kept() == NOTHING


def test_what_is_heard_though_it_was_set_as_absent_is_told(library, place):
    (place / "x.csv").write_text("path,label,start,end\na.mp3,none,,\na.mp3,tap,1,2\n")
    done = library("set", "--from", "x.csv")
    assert "a.mp3: tap was heard in a stretch of it" in done.stderr


def test_of_many_files_a_few_are_named_and_none_are_held(run, add, place, monkeypatch):
    from asmr_classify.cli import set as command

    given = []
    monkeypatch.setattr(command, "write_results", lambda results, *_: given.append(results))
    names = [f"{number}.mp3" for number in range(7)]
    add(*names)
    lines = "".join(f"{name},none,,\n{name},tap,1,2\n" for name in names)
    (place / "x.csv").write_text("path,label,start,end\n" + lines)
    done = run("set", "--from", "x.csv")
    assert done.stderr.count("tap was heard in a stretch") == command.N_NAMED
    assert "2 more files are set to lack what was heard in a stretch of them" in done.stderr
    (results,) = given
    assert iter(results) is results


def test_what_is_named_but_neither_there_nor_known_is_refused(library, kept, place):
    (place / "new.csv").write_text("path,label\na.mp3,none\n")
    done = library("set", "a.mp3", "of/none", "--from", "new.csv")
    assert done.exit_code == 2
    assert "of/none: there is no such file, nor is one known" in done.stderr
    assert kept() == NOTHING


def test_several_tables_may_tell_of_one_recording(library, place):
    (place / "tags.csv").write_text("path,label\na.mp3,none\n")
    (place / "talk.csv").write_text("path,no_talking\na.mp3,true\nin/b.mp3,false\n")
    done = library("set", "--from", "tags.csv", "--from", "talk.csv")
    assert done.exit_code == 0, done.stderr
    with Catalogue.open(str(place / "library.sqlite")) as known:
        result = known.result_of(str(place / "a.mp3"))
    assert (result.tags, result.no_talking) == ((), True)


def test_copies_are_not_set_to_different_things(library, kept, place):
    (place / "z.mp3").write_bytes((place / "a.mp3").read_bytes())
    (place / "x.csv").write_text("path,label\na.mp3,none\nz.mp3,whisper\n")
    done = library("set", "--from", "x.csv")
    assert done.exit_code == 2
    told = done.stderr.replace(f"{place}/", "")
    assert "x.csv, line 3: z.mp3: holds the very same as a.mp3, which x.csv, line 2 sets" in told
    assert kept() == NOTHING
    (place / "x.csv").write_text("path,label\na.mp3,none\nz.mp3,none\n")
    assert library("set", "--from", "x.csv").exit_code == 0


def test_copies_that_are_set_to_the_same_are_compared_once(library, place, monkeypatch):
    compared = []
    differ = edits._differ
    monkeypatch.setattr(edits, "_differ", lambda *two: compared.append(two) or differ(*two))
    names = [f"{number}.mp3" for number in range(20)]
    for name in names:
        (place / name).write_bytes((place / "a.mp3").read_bytes())
    rows = "".join(f"{name},none\n" for name in names)
    (place / "x.csv").write_text(f"path,label\na.mp3,none\n{rows}")
    assert library("set", "--from", "x.csv").exit_code == 0
    assert compared == []


def test_copies_are_not_answered_in_different_ways(library, kept, place):
    for name in ("y.mp3", "z.mp3"):
        (place / name).write_bytes((place / "a.mp3").read_bytes())
    head = "path,start,end,label\na.mp3,1,3,whisper\ny.mp3,1,3,crinkle\n"
    (place / "x.csv").write_text(f"{head}z.mp3,1,3,none\n")
    done = library("set", "--from", "x.csv")
    assert done.exit_code == 2
    told = done.stderr.replace(f"{place}/", "")
    assert "x.csv, line 4: z.mp3: holds the very same as a.mp3, which x.csv, line 2 sets" in told
    assert kept() == NOTHING
    (place / "x.csv").write_text(f"{head}z.mp3,1,3,whisper\nz.mp3,4,6,none\n")
    assert library("set", "--from", "x.csv").exit_code == 0
    (both, none) = sorted(kept()[1].items())
    assert both[1] == (("whisper", "crinkle"), ("whisper", "crinkle"))
    assert none[1][0] == ()


@pytest.mark.parametrize("edited_one", ["a.mp3", "z.mp3"])
def test_the_row_of_a_copy_that_nobody_edited_takes_nothing_back(library, kept, place, edited_one):
    (place / "z.mp3").write_bytes((place / "a.mp3").read_bytes())
    with Catalogue.open(str(place / "library.sqlite")) as known:
        known.answer("a.mp3", 1, 3, ["tap"], ["tap"])
    rows = {"a.mp3": "tap", "z.mp3": "tap", edited_one: "none"}
    table = "".join(f"{name},1,3,{label}\n" for name, label in rows.items())
    (place / "x.csv").write_text(f"path,start,end,label\n{table}")
    assert library("set", "--from", "x.csv").exit_code == 0
    assert [labels for labels, _ in kept()[1].values()] == [()]


def test_recordings_that_were_moved_are_known(library, kept, place):
    (place / "a.mp3").rename(place / "z.mp3")
    (place / "x.csv").write_text("path,label,start,end\nz.mp3,none,,\nz.mp3,tap,1,2\n")
    assert library("set", "--from", "x.csv").exit_code == 0
    assert kept() == ({"z.mp3": ()}, {("z.mp3", 1, 2): (("tap",), ("tap",))})


def test_what_has_no_sound_is_refused(run, add, kept, place):
    add("mute.mp4", status=Status.NO_AUDIO, tags=(), trigger=None, segments=(), scores={})
    (place / "x.csv").write_text("path,label\nmute.mp4,tap\n")
    done = run("set", "--from", "x.csv")
    assert "x.csv, line 2: mute.mp4: has no sound" in done.stderr.replace(f"{place}/", "")
    assert kept() == NOTHING


def test_what_was_told_of_a_long_stretch_is_taught_in_places(library, place):
    (place / "x.csv").write_text("path,label,start,end\na.mp3,tap,0,40\n")
    library("set", "--from", "x.csv")
    said, _ = _gather(None, place / "library.sqlite", Maker.FOLDER, TRIGGERS)
    assert [(x.start, x.end) for x in said if x.asked] == [(5, 15), (15, 25), (25, 35)]
