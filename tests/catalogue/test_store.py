from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asmr_classify.aggregate import Status
from asmr_classify.catalogue import Catalogue, KnownResults, default_path, parse_query
from asmr_classify.catalogue.corrections import Correction, parse_correction
from asmr_classify.catalogue.hashing import hash_file
from asmr_classify.errors import UsageError
from asmr_classify.media.found import Found
from tests.catalogue.results import SETTINGS, failed, found, heard
from tests.writers.strategies import results

WHISPER = Correction(tags=("whisper",))


def test_what_is_added_is_found_again_whole(catalogue, write):
    path = write("a.mp3")
    result = heard(path, scores={"tap": 1 / 3, "whisper": 1e-9, "speech": 0.7})
    catalogue.add(found(path), result, SETTINGS)
    assert list(catalogue.find()) == [result]
    assert catalogue.recall(found(path), SETTINGS) == result
    assert len(catalogue) == 1
    assert catalogue.labels == ("tap", "whisper", "speech")


def test_any_result_is_kept(tmp_path_factory):
    folder = tmp_path_factory.mktemp("any")
    with Catalogue.open(str(folder / "c.sqlite"), create=True) as catalogue:

        @given(results())
        def add_and_find(result):
            path = folder / "a.mp3"
            path.write_text(repr(result))
            catalogue.add(found(path), result, SETTINGS)
            (kept,) = catalogue.find()
            assert kept.scores == result.scores
            assert list(kept.kinds.items()) == list(result.kinds.items())
            assert (kept.tags, kept.status, kept.segments) == (
                result.tags,
                result.status,
                result.segments,
            )

        add_and_find()


def test_kinds_are_those_that_were_told_last(catalogue, labelled, paths_found):
    path = labelled("a.mp3", kinds={"typing": 0.9, "rain": 0.7})
    labelled("b.mp3")
    assert catalogue.kinds == ("typing", "rain")
    assert paths_found("kind:typing kind.rain>=0.7") == ["a.mp3"]
    catalogue.correct([str(path)], WHISPER)
    assert paths_found("kind:rain") == ["a.mp3"]
    catalogue.add(found(path), heard(path, kinds={"fire": 0.8}), "another model")
    assert paths_found("kind:rain, kind:typing") == []
    assert paths_found("kind:fire") == ["a.mp3"]
    catalogue.forget([str(path)])
    labelled("c.mp3")
    assert catalogue._database.rows("SELECT * FROM told") != []  # what was set by hand is kept
    catalogue._contents.sweep(corrected=True)
    assert catalogue._database.rows("SELECT * FROM told") == []


def test_a_moved_file_is_known_by_its_content(catalogue, labelled, paths_found):
    path = labelled("a.mp3")
    (added,) = catalogue._database.row("SELECT added FROM contents")
    path.rename("b.mp3")
    moved = found("b.mp3")
    assert catalogue.recall(moved, SETTINGS) == heard("b.mp3")
    assert paths_found() == ["b.mp3"]
    assert catalogue._database.row("SELECT added FROM contents") == (added,)


def test_a_moved_file_keeps_what_was_set(catalogue, labelled):
    path = labelled("a.mp3")
    catalogue.correct([str(path)], WHISPER)
    path.rename("b.mp3")
    catalogue.add(found("b.mp3"), heard("b.mp3"), SETTINGS)
    (result,) = catalogue.find()
    assert (Path(result.path).name, result.tags) == ("b.mp3", ("whisper",))
    assert catalogue.corrected(heard("b.mp3")).trigger == "whisper"


def test_files_that_change_places_keep_what_is_theirs(catalogue, labelled, paths_found):
    first, second = labelled("a.mp3"), labelled("b.mp3", trigger=None, tags=())
    catalogue.correct([str(first)], WHISPER)
    first.rename("c.mp3")
    second.rename("a.mp3")
    Path("c.mp3").rename("b.mp3")
    for name, tags in (("a.mp3", ()), ("b.mp3", ("tap",))):
        assert catalogue.recall(found(name), SETTINGS).tags == tags
    assert paths_found("whisper") == ["b.mp3"]
    assert paths_found("corrected") == ["b.mp3"]


def test_a_copy_is_a_file_of_its_own_with_the_same_labels(catalogue, labelled, write, paths_found):
    path = labelled("a.mp3")
    copy = write("copy.mp3", path.read_bytes())
    assert catalogue.recall(found(copy), SETTINGS) is not None
    catalogue.correct([str(copy)], WHISPER)
    assert paths_found("whisper") == ["a.mp3", "copy.mp3"]


def test_what_repeats_a_file_before_it_is_told_while_both_are_as_they_were(catalogue, labelled):
    for name in ("a.mp3", "b.mp3", "c.mp3"):
        labelled(name, b"same")
    labelled("other.mp3")
    names = ["b.mp3", "unknown.mp3", "other.mp3", "a.mp3", "c.mp3"]
    assert catalogue.repeated(names) == ["a.mp3", "c.mp3"]
    os.utime("c.mp3", (1, 1))
    assert catalogue.repeated(names) == ["a.mp3"]


def test_copies_are_the_other_files_of_the_same_content(catalogue, labelled, place):
    one, two = labelled("a.mp3", b"same"), labelled("in/b.mp3", b"same")
    other = labelled("c.mp3")
    assert catalogue.copies_of([str(one)]) == [str(two)]
    assert catalogue.copies_of(["a.mp3", str(other)]) == [str(place / "in" / "b.mp3")]
    assert catalogue.copies_of([str(one), str(two)]) == []
    assert catalogue.copies_of([str(other)]) == []


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (Status.FAILED, "b.mp3: could not be labelled, so nothing of it can be set: is no media; "),
        (Status.NO_AUDIO, "b.mp3: has no sound of which anything could be set: is no media"),
    ],
)
def test_nothing_is_set_where_nothing_was_heard(
    catalogue, labelled, write, paths_found, status, message
):
    good, bad = labelled("a.mp3"), write("b.mp3")
    catalogue.add(found(bad), replace(failed(bad), status=status), SETTINGS)
    with pytest.raises(UsageError, match=message):
        catalogue.correct([str(good), str(bad)], WHISPER)
    assert paths_found("corrected") == []
    assert catalogue.correct([str(bad)], None) == [replace(failed(bad), status=status)]


def test_nothing_is_hashed_for_nothing(catalogue, labelled, write, monkeypatch):
    hashed = []

    def hash_and_note(path, **of):
        hashed.append(Path(path).name)
        return hash_file(path, **of)

    monkeypatch.setattr("asmr_classify.catalogue.contents.hash_file", hash_and_note)
    path = labelled("a.mp3")
    assert hashed == ["a.mp3"]
    catalogue.recall(found(path), SETTINGS)
    catalogue.recall(found(path), "another model")
    catalogue.add(found(path), heard(path), "another model")
    assert hashed == ["a.mp3"]
    other = write("longer name.mp3")
    assert catalogue.recall(found(other), "another model") is None  # no file has that size
    assert hashed == ["a.mp3"]
    same_size = write("b.mp3")
    assert catalogue.recall(found(same_size), "another model") is None
    catalogue.add(found(same_size), heard(same_size), "another model")
    assert hashed == ["a.mp3", "b.mp3"]


def test_other_models_and_changed_files_are_labelled_again(catalogue, labelled, write):
    path = labelled("a.mp3")
    assert catalogue.recall(found(path), "another model") is None
    write("a.mp3", b"other")
    assert catalogue.recall(found(path), SETTINGS) is None


def test_a_file_whose_time_alone_changed_is_not(catalogue, labelled):
    path = labelled("a.mp3")
    os.utime(path, (1, 1))
    assert catalogue.recall(found(path), SETTINGS) == heard(path)


def test_failures_are_kept_and_tried_again(catalogue, write, paths_found):
    path = write("a.mp3")
    catalogue.add(found(path), failed(path), SETTINGS)
    assert catalogue.recall(found(path), SETTINGS) is None
    assert paths_found("status:failed") == ["a.mp3"]
    (result,) = catalogue.find()
    assert result == failed(path)


def test_a_failure_is_the_files_own_unless_another_attempt_may_go_well(catalogue, write):
    bad, away = write("bad.mp3"), write("away.mp3")
    problem = replace(failed(away).error, may_pass=True)
    catalogue.add(found(bad), failed(bad), SETTINGS)
    catalogue.add(found(away), replace(failed(away), error=problem), SETTINGS)
    assert catalogue.has_failed(found(bad), SETTINGS)
    assert not catalogue.has_failed(found(bad), "another model")
    assert not catalogue.has_failed(found(away), SETTINGS)
    os.utime(bad, (1, 1))
    assert not catalogue.has_failed(found(bad), SETTINGS)


def test_why_something_failed_is_not_guessed_where_it_was_not_kept(catalogue, write):
    path = write("a.mp3")
    catalogue.add(found(path), failed(path), SETTINGS)
    with closing(sqlite3.connect(catalogue.path)) as earlier, earlier:
        earlier.execute("UPDATE records SET record = json_remove(record, '$.error.may_pass')")
    assert not catalogue.has_failed(found(path), SETTINGS)


def test_a_failure_is_told_by_the_name_the_file_has_now(catalogue, write):
    path = write("a.mp3")
    catalogue.add(found(path), failed(path), SETTINGS)
    path.rename("b.mp3")
    catalogue.add(found("b.mp3"), failed("b.mp3"), SETTINGS)
    (result,) = catalogue.find()
    assert result.error.message == f"{result.path}: is no media"
    assert result.path.endswith("b.mp3")


def test_a_file_that_cannot_be_read_takes_nothing_away(catalogue, labelled, paths_found):
    path = labelled("a.mp3")
    path.unlink()
    catalogue.add(Found(str(path), 0), failed(path), SETTINGS)
    assert paths_found("tap") == ["a.mp3"]


def test_a_name_at_which_nothing_ever_was_is_not_kept(catalogue, write, place, paths_found):
    catalogue.add(Found("never.mp3", 0), failed("never.mp3"), SETTINGS)
    assert paths_found() == []
    assert catalogue._database.rows("SELECT count(*) FROM contents") == [(0,)]
    (place / "leads nowhere.mp3").symlink_to("never.mp3")
    catalogue.add(Found("leads nowhere.mp3", 0), failed("leads nowhere.mp3"), SETTINGS)
    vanishing = write("vanishing.mp3")
    catalogue.add(found(vanishing), failed(vanishing), SETTINGS)
    vanishing.unlink()
    catalogue.add(Found("vanishing.mp3", 0), failed("vanishing.mp3"), SETTINGS)
    assert paths_found("status:failed") == ["leads nowhere.mp3", "vanishing.mp3"]


def test_what_a_model_of_another_name_said_is_told_before_it_gives_way(
    catalogue, labelled, tiny_model
):
    path = labelled("mine.mp3", model="mine@1.0.0")
    other = labelled("earlier.mp3", model="tiny@0.0")
    labelled("copy.mp3", b"mine.mp3", model="mine@1.0.0")
    labelled("not-mine.mp3", model="jasmine@1.0.0")
    failing = labelled("failing.mp3")
    catalogue.add(found(failing), replace(failed(failing), model="mine@1.0.0"), SETTINGS)
    assert catalogue.n_labelled_by("mine") == 2
    told = []
    for fresh in (False, True):
        known = KnownResults(catalogue, tiny_model, fresh=fresh, on_other=told.append)
        results = [known.recall_other(found(each)) for each in (path, other, failing)]
        assert [result is not None for result in results] == [not fresh, not fresh, False]
    assert [(result.path, result.model) for result in told] == [(str(path), "mine@1.0.0")] * 2


def test_a_file_that_changes_while_it_is_labelled_is_labelled_again(catalogue, write):
    path = write("a.mp3")
    as_it_was = found(path)
    write("a.mp3", b"changed meanwhile")
    catalogue.add(as_it_was, heard(path), SETTINGS)
    assert catalogue.recall(found(path), SETTINGS) is None


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        pytest.param(({"duration": 40.05}, SETTINGS), True, id="same recording, other tags"),
        pytest.param(({"scores": {"tap": 0.9000001}}, SETTINGS), False, id="fewer labels"),
        pytest.param(({"scores": {"tap": 0.91}}, SETTINGS), False, id="another recording"),
        pytest.param(({"decoded": 40.05}, SETTINGS), False, id="nearly as long"),
        pytest.param(({"segments": ()}, SETTINGS), False, id="another timeline"),
        pytest.param(({"scores": {}}, SETTINGS), False, id="nothing heard"),
        pytest.param(({}, "another model"), False, id="who knows"),
    ],
)
def test_another_content_at_a_place_is_the_same_recording_if_the_very_same_is_heard(
    catalogue, labelled, write, paths_found, said, kept
):
    path = labelled("a.mp3")
    catalogue.correct([str(path)], WHISPER)
    write("a.mp3", b"with other tags")
    changes, settings = said
    catalogue.add(found(path), heard(path, **changes), settings)
    assert bool(paths_found("corrected")) == kept
    write("elsewhere.mp3", b"a.mp3")
    catalogue.add(found("elsewhere.mp3"), heard("elsewhere.mp3"), SETTINGS)
    # What was set stays with the recording that it was set of, wherever that is now.
    assert paths_found("corrected") == (["a.mp3"] if kept else []) + ["elsewhere.mp3"]


def test_what_was_set_outlives_labelling_anew(catalogue, labelled, paths_found):
    path = labelled("a.mp3")
    (result,) = catalogue.correct([str(path)], Correction(no_talking=True))
    assert (result.no_talking, result.longest_talk, result.corrected) == (True, 0, ("no_talking",))
    assert result.scores == heard(path).scores
    catalogue.add(found(path), heard(path), "another model")
    assert paths_found("no_talking corrected longest_talk:..0") == ["a.mp3"]
    assert catalogue.recall(found(path), "another model").no_talking is False  # as the model said
    (result,) = catalogue.correct([str(path)], None)
    assert result == heard(path)
    assert paths_found("no_talking, corrected") == []


corrections = st.builds(
    Correction,
    st.none() | st.lists(st.sampled_from(["tap", "whisper", "crinkle"]), unique=True).map(tuple),
    st.none() | st.booleans(),
    st.none() | st.lists(st.sampled_from(["rain", "typing", "soap"]), unique=True).map(tuple),
    st.none() | st.lists(st.sampled_from(["tap", "whisper", "crinkle"]), unique=True).map(tuple),
)


@given(st.lists(corrections, max_size=4), results())
def test_no_corrected_result_both_whispers_and_holds_no_talking(settings, result):
    both = Correction()
    for one in settings:
        try:
            both = both.then(one)
        except UsageError as exc:
            assert "contradict each other" in str(exc)  # noqa: PT017 (others need not raise)
    corrected = both.apply(result)
    if both.tags is not None or both.no_talking is not None:
        assert not ("whisper" in corrected.tags and corrected.no_talking)
        assert corrected.trigger == (corrected.tags[0] if corrected.tags else None)
    assert both.kinds is None or {*corrected.kinds} == {*both.kinds}
    assert Correction.from_json(both.to_json()) == both
    assert both.apply(corrected) == corrected


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["trigger=whimper"], "'whimper' is no trigger; known are tap, whisper, and none"),
        (["trigger=speech"], "'speech' is no trigger"),
        (["trigger="], "trigger=: names nothing"),
        (["no_talking=perhaps"], "no_talking=perhaps: cannot be set; give trigger=LABEL"),
        (["length=3"], "length=3: cannot be set"),
        (["kinds=ran"], "kinds=ran: 'ran' is no kind; known are rain, typing, and none$"),
        (["kinds=rain,none"], "none means that there is no kind, so it stands alone: give kinds=n"),
        (["kinds="], "kinds=: names nothing; give kinds=KIND,… or kinds=none"),
        (["trigger=whisper", "no_talking=true"], "whispering is talk"),
        (
            ["trigger=tap", "no_talking=true", "trigger=none"],
            "trigger=none: trigger is set twice; give it once, with all triggers in a list: trig",
        ),
        (["trigger=tap", "trigger=whisper"], "trigger=whisper: trigger is set twice"),
        (["no_talking=true", "no_talking=no"], "no_talking=no: no_talking is set twice; give it o"),
    ],
)
def test_what_cannot_be_set_is_refused(settings, message):
    with pytest.raises(UsageError, match=message):
        parse_correction(settings, ["tap", "whisper", "speech"], ["rain", "typing"])


def test_what_was_set_says_nothing_of_labels_that_were_named_later(catalogue, labelled):
    path = labelled("a.mp3")
    for setting, tags in (("none", ()), ("whisper", ("whisper",))):
        catalogue.correct([str(path)], parse_correction([f"trigger={setting}"], ["tap", "whisper"]))
        heard_more = heard(path, trigger="soap", tags=("soap", "tap"))
        catalogue.add(found(path), heard_more, "taught")
        (result,) = catalogue.find(parse_query("soap"))
        assert (result.tags, result.trigger) == ((*tags, "soap"), (*tags, "soap")[0])
        assert not result.rules_out("soap")
        assert not result.is_set("soap")
        assert result.rules_out("tap")
        catalogue.add(found(path), heard(path, trigger="tap", tags=("tap",)), "taught too")
        (result,) = catalogue.find()
        assert result.tags == tags
        assert all(map(result.is_set, tags))
        assert not result.rules_out("soap")


def test_what_was_set_before_kinds_could_be_is_read():
    assert Correction.from_json('{"trigger": ["tap"], "no_talking": null}') == Correction(("tap",))


def test_unknown_and_changed_files_are_not_corrected_nor_those_beside_them(
    catalogue, labelled, write, paths_found
):
    known, changed = labelled("a.mp3"), labelled("b.mp3")
    unknown = write("new.mp3")
    changed.write_bytes(b"another")
    for path, message in (
        (unknown, "new.mp3: is not in the catalogue; label it first, with --catalogue"),
        (changed, "b.mp3: has changed since it was labelled"),
        ("gone.mp3", "gone.mp3: there is no such file, nor is one known"),
    ):
        with pytest.raises(UsageError, match=message):
            catalogue.correct([str(known), str(path)], WHISPER)
    assert paths_found("corrected") == []


def test_moved_and_missing_files_are_corrected(catalogue, labelled, paths_found):
    moved, gone = labelled("a.mp3"), labelled("gone.mp3")
    moved.rename("b.mp3")
    gone.unlink()
    catalogue.correct(["b.mp3", "gone.mp3"], WHISPER)
    assert paths_found("whisper") == ["b.mp3", "gone.mp3"]


def test_files_folders_and_queries_are_forgotten(catalogue, labelled, paths_found):
    for name in ("in/a.mp3", "in/b.mp3", "in2/c.mp3", "d.mp3", "e.mp3"):
        labelled(name)
    assert catalogue.knows("in")
    assert not catalogue.knows("i")
    assert catalogue.forget(["in", "e.mp3"]) == 3
    assert paths_found() == ["d.mp3", "in2/c.mp3"]
    Path("d.mp3").unlink()
    assert catalogue.forget(query=parse_query("missing")) == 1
    assert paths_found() == ["in2/c.mp3"]
    assert catalogue._database.rows("SELECT count(*) FROM contents") == [(1,)]
    assert catalogue._database.rows("SELECT count(*) FROM records") == [(1,)]


def test_what_was_set_of_a_forgotten_file_comes_back_with_it(catalogue, labelled, paths_found):
    path = labelled("a.mp3")
    catalogue.correct([str(path)], WHISPER)
    catalogue.forget([str(path)])
    assert paths_found() == []
    catalogue.add(found(path), heard(path), SETTINGS)
    assert paths_found("whisper corrected") == ["a.mp3"]


def test_a_file_is_followed_when_it_is_moved_and_when_its_tags_change(
    catalogue, labelled, paths_found
):
    path = labelled("a.mp3")
    catalogue.correct([str(path)], WHISPER)
    before = found(path)
    path.rename("b.mp3")
    with Path("b.mp3").open("ab") as file:
        file.write(b"tags")
    catalogue.follow(before, "b.mp3")
    catalogue.follow(Found("unknown.mp3", 1, 1), "library.sqlite")
    catalogue.follow(found("b.mp3"), "nowhere.mp3")
    assert paths_found("whisper corrected") == ["b.mp3"]
    assert catalogue.recall(found("b.mp3"), SETTINGS) == heard("b.mp3")
    assert catalogue._database.rows("SELECT count(*) FROM contents") == [(1,)]


def test_what_is_known_is_not_said_of_another_content(catalogue, labelled, write, paths_found):
    path = labelled("a.mp3")
    catalogue.correct([str(path)], WHISPER)
    write("a.mp3", b"another recording")
    assert not catalogue.is_current("a.mp3")
    before = found(path)
    path.rename("b.mp3")
    catalogue.follow(before, "b.mp3")
    assert paths_found() == []
    write("again.mp3", b"a.mp3")
    assert catalogue.recall(found("again.mp3"), SETTINGS) is not None
    assert paths_found("corrected") == ["again.mp3"]
    assert catalogue.is_current("again.mp3")


def test_what_was_set_goes_on_to_a_content_that_is_known_too(
    catalogue, labelled, write, paths_found
):
    path = labelled("a.mp3", b"sound")
    labelled("b.mp3", b"sound")
    before = found(path)
    write("a.mp3", b"tags and sound")
    catalogue.follow(before, "a.mp3")
    catalogue.correct(["a.mp3"], WHISPER)
    before = found(path)
    write("a.mp3", b"sound")
    catalogue.follow(before, "a.mp3")
    assert paths_found("corrected") == ["a.mp3", "b.mp3"]


def test_what_was_set_is_not_deleted_where_another_setting_stands(
    catalogue, labelled, write, paths_found
):
    path = labelled("a.mp3", b"tags and sound")
    labelled("b.mp3", b"sound")
    catalogue.correct(["a.mp3"], WHISPER)
    catalogue.correct(["b.mp3"], Correction(tags=()))
    before = found(path)
    write("a.mp3", b"sound")
    catalogue.follow(before, "a.mp3")
    assert paths_found("corrected trigger:none") == ["a.mp3", "b.mp3"]
    write("c.mp3", b"tags and sound")
    catalogue.add(found("c.mp3"), heard("c.mp3"), SETTINGS)
    assert paths_found("whisper") == ["c.mp3"]


@pytest.mark.parametrize("unmounted", ["an empty folder", "no folder"])
def test_a_disk_that_is_not_mounted_is_not_forgotten(
    catalogue, labelled, write, paths_found, unmounted
):
    away = labelled("mnt/disk/a.mp3", b"sound")
    here = labelled("in/a.mp3", b"sound")
    away.unlink()
    if unmounted == "no folder":
        away.parent.rmdir()
    before = found(here)
    write("out/b.srt")
    here.rename("out/a.mp3")
    catalogue.follow(before, "out/a.mp3")
    assert paths_found() == ["mnt/disk/a.mp3", "out/a.mp3"]
    Path("out/a.mp3").rename("out/c.mp3")
    assert catalogue.recall(found("out/c.mp3"), SETTINGS) is not None
    assert paths_found() == ["mnt/disk/a.mp3", "out/c.mp3"]


def test_a_folder_that_gets_another_name_is_not_known_twice(catalogue, labelled, paths_found):
    labelled("in/old/a.mp3")
    Path("in/old").rename("in/new")
    assert catalogue.recall(found("in/new/a.mp3"), SETTINGS) is not None
    assert paths_found() == ["in/new/a.mp3"]


def test_following_reads_only_files_whose_content_is_not_known(catalogue, labelled, monkeypatch):
    hashed = []

    def hash_and_note(path, **of):
        hashed.append(Path(path).name)
        return hash_file(path, **of)

    path = labelled("a.mp3")
    monkeypatch.setattr("asmr_classify.catalogue.store.hash_file", hash_and_note)
    before = found(path)
    path.rename("b.mp3")
    catalogue.follow(before, "b.mp3")
    catalogue.follow(Found("unknown.mp3", 1, 1), "library.sqlite")
    assert hashed == []
    before = found("b.mp3")
    status = Path("b.mp3").stat()
    Path("b.mp3").write_bytes(b"other")  # as padding takes tags: neither size nor time change
    os.utime("b.mp3", ns=(status.st_atime_ns, status.st_mtime_ns))
    catalogue.follow(before, "b.mp3")
    assert hashed == ["b.mp3"]
    assert catalogue._database.rows("SELECT hash FROM contents") == [
        (hash_file("b.mp3", size=5, mtime_ns=status.st_mtime_ns),)
    ]


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(b"caf\xe9\xff.mp3", id="not UTF-8"),
        pytest.param("囁き 🐈.mp3".encode(), id="CJK and emoji"),
        pytest.param(b"new\nline'\".mp3", id="newline and quotes"),
        pytest.param(b"%_[]*?.mp3", id="wildcards"),
    ],
)
def test_any_name_survives(catalogue, labelled, name):
    path = labelled(name)
    (result,) = catalogue.find(parse_query("path:.mp3"))
    assert os.fsencode(result.path) == os.fsencode(path)
    assert result == heard(path)
    assert catalogue.knows(str(path))
    catalogue.correct([str(path)], WHISPER)
    assert catalogue.forget([str(path)]) == 1


def test_names_are_found_whatever_their_case_and_composition(labelled, paths_found):
    name = "U\u0308BER Schlaf.mp3"  # as macOS writes Ü
    labelled(name)
    assert paths_found("path:über") == [name]
    assert paths_found("path:ÜBER") == [name]
    assert paths_found("path:uber") == []


def test_results_of_one_model_are_known_by_its_digest(catalogue, tiny_model, write):
    path = write("a.mp3")
    KnownResults(catalogue, tiny_model).record(found(path), heard(path))
    assert KnownResults(catalogue, tiny_model).recall(found(path)) == heard(path)
    assert KnownResults(catalogue, tiny_model, fresh=True).recall(found(path)) is None
    stricter = tiny_model.with_thresholds({"tap": 0.9})
    assert KnownResults(catalogue, stricter).recall(found(path)) is None


def test_the_default_place_can_be_named_by_the_environment(monkeypatch, place):
    monkeypatch.delenv("ASMR_CLASSIFY_CATALOGUE", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(place / "data"))
    assert default_path().endswith(os.path.join("asmr-classify", "catalogue.sqlite"))  # noqa: PTH118
    Catalogue.open(default_path(), create=True).close()
    assert Path(default_path()).is_file()
    monkeypatch.setenv("ASMR_CLASSIFY_CATALOGUE", "/elsewhere.sqlite")
    assert default_path() == "/elsewhere.sqlite"


def test_what_is_hashed_is_the_file_that_is_meant(write):
    path = write("a.mp3")
    status = path.stat()
    digest = hash_file(str(path), size=status.st_size, mtime_ns=status.st_mtime_ns)
    assert len(digest) == 20
    assert hash_file(str(path), size=status.st_size + 1, mtime_ns=status.st_mtime_ns) is None
    assert hash_file(str(path), size=status.st_size, mtime_ns=0) is None
    assert hash_file(str(path.parent), size=0, mtime_ns=0) is None
    assert hash_file("no\0name", size=0, mtime_ns=0) is None


def test_silence_and_what_has_no_audio_are_kept(labelled, paths_found):
    labelled("a.mp4", status=Status.NO_AUDIO, scores={}, shares={}, segments=(), duration=None,
             no_talking=None, longest_talk=None, trigger=None, tags=())  # fmt: skip
    assert paths_found("status:no_audio -no_talking trigger:none -length:0..") == ["a.mp4"]


def test_some_files_are_the_same_ones_each_time_and_spread_over_all(catalogue, labelled):
    for number in range(40):
        labelled(f"{number:02d}.wav")
    some = [result.path for result in catalogue.some(10)]
    assert some == [result.path for result in catalogue.some(10)]
    assert len(set(some)) == 10
    numbers = sorted(int(Path(path).stem) for path in some)
    assert numbers[0] < 10
    assert numbers[-1] >= 30
    assert len(list(catalogue.some(100))) == 40
