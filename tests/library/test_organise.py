from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asmr_classify.library.journal import Store
from tests.library.conftest import quick_folder
from tests.library.worlds import contents, failed, fill, heard, look, organise, plan, undo


def targets(planned, root):
    return [os.path.relpath(step.target, root) for step in planned.steps if hasattr(step, "target")]


def reasons(planned):
    return {os.path.basename(left.path): left.reason for left in planned.left}


def test_files_go_where_the_template_says_with_what_shares_their_stem(place, store):
    fill(
        place,
        {"a.mp3": b"1", "a.en.vtt": b"2", "a.flac": b"3", "sub/b.mp4": b"4", "note.txt": b"5"},
    )
    results = [heard(place / "a.mp3"), heard(place / "sub/b.mp4", "whisper")]
    template = "{trigger}/{stem} [{tags}].{ext}"
    planned = plan(results, place, template)
    assert targets(planned, place) == [
        "tap/a [tap].en.vtt",
        "tap/a [tap].mp3",
        "whisper/b [whisper].mp4",
    ]
    before = look(place)
    organise(results, place, store, template)
    after = look(place)
    assert contents(after) == contents(before)
    assert after[f"{place}/tap/a [tap].mp3"] == before[f"{place}/a.mp3"]
    assert after[f"{place}/a.flac"] == before[f"{place}/a.flac"]


def test_what_goes_along_with_a_recording_of_a_strange_ending_does(place):
    fill(place, {"live.ts": b"1", "live.srt": b"2", "live.ts.asmr.json": b"3"})
    assert targets(plan([heard(place / "live.ts")], place, "{trigger}.{ext}"), place) == [
        "tap.ts.asmr.json", "tap.srt", "tap.ts"
    ]  # fmt: skip


def test_taken_names_are_numbered_in_whatever_case(place):
    names = [
        "x/Rain.mp3",
        "y/rain.mp3",
        "z/RAIN.mp3",
        "tap/rain.mp3",
        "z/RAIN.srt",
        "tap/rain (2).srt",
    ]
    fill(place, {name: name.encode() for name in names})
    planned = plan([heard(place / name) for name in names[:3]], place)
    assert targets(planned, place) == [
        "tap/Rain (2).mp3", "tap/rain (3).mp3", "tap/RAIN (4).srt", "tap/RAIN (4).mp3"
    ]  # fmt: skip


def test_companions_whose_names_become_one_are_numbered(place, store):
    companions = ["a.e?.srt", "a.e*.srt", "a.e_ (2).srt", "a.nfo", "a.NFO"]
    fill(place, {name: name.encode() for name in ("a.mp3", "x/a.mp3", *companions)})
    before = look(place)
    results = [heard(place / "a.mp3"), heard(place / "x/a.mp3")]
    assert targets(plan(results, place), place) == [
        "tap/a.(2).nfo", "tap/a.e_ (2) (2).srt", "tap/a.e_ (2).srt", "tap/a.e_.srt", "tap/a.NFO",
        "tap/a.mp3", "tap/a (2).mp3",
    ]  # fmt: skip
    report = organise(results, place, store)
    assert report.n_done == len(report.outcomes)
    now = [heard(place / "tap/a.mp3"), heard(place / "tap/a (2).mp3")]
    assert plan(now, place, store=store).steps == ()
    assert len(targets(plan(now, place / "y", store=store), place)) == 7  # all go along again
    undo(store)
    assert look(place) == before


def test_a_folder_of_other_case_is_used(place):
    fill(place, {"a.mp3": b"1", "Tap/b.mp3": b"2"})
    assert targets(plan([heard(place / "a.mp3")], place), place) == ["Tap/a.mp3"]


def test_folders_that_differ_in_case_become_one(place, store):
    fill(place, {"in/a.mp3": b"1", "In/a.mp3": b"2"})
    results = [heard(place / "in/a.mp3"), heard(place / "In/a.mp3")]
    assert organise(results, place, store, "{parent}/{name}").n_done == 1
    now = [heard(place / "In/a (2).mp3"), heard(place / "In/a.mp3")]
    assert plan(now, place, "{parent}/{name}", store).steps == ()


def test_many_files_of_one_name_are_numbered_in_no_time(place):
    names = [f"{k:04d}.mp3" for k in range(3000)]
    fill(place, dict.fromkeys(names, b""))
    planned = plan([heard(place / name) for name in names], place, "all/{trigger}.{ext}")
    assert targets(planned, place)[-1] == "all/tap (3000).mp3"


def test_what_is_in_its_place_stays_and_names_do_not_grow(place, store):
    fill(place, {"in/a.mp3": b"1", "in/b.mp3": b"2"})
    template = "{trigger}/{parent}/{stem} [{tags}].{ext}"
    organise([heard(place / "in/a.mp3"), heard(place / "in/b.mp3")], place, store, template)
    now = [heard(place / "tap/in/a [tap].mp3"), heard(place / "tap/in/b [tap].mp3", "whisper")]
    planned = plan(now, place, template, store)
    assert targets(planned, place) == ["whisper/in/b [whisper].mp3"]


def test_a_file_keeps_its_number_when_the_name_without_gets_free(place):
    fill(place, {"tap/rain (2).mp3": b"1"})
    assert plan([heard(place / "tap/rain (2).mp3")], place, "{trigger}/rain.{ext}").steps == ()


@pytest.mark.parametrize("action", ["move", "copy"])
def test_many_files_of_one_name_are_numbered_without_looking_at_all_before(
    place, action, monkeypatch
):
    looks = []
    lexists = os.path.lexists
    monkeypatch.setattr(os.path, "lexists", lambda path: looks.append(path) or lexists(path))

    def n_looks(n_files):
        names = [f"{number:03d}/a.mp3" for number in range(n_files)]
        fill(place, {name: name.encode() for name in names})
        looks.clear()
        planned = plan([heard(place / name) for name in names], place / "to", action=action)
        last = f"a ({n_files}).mp3"
        assert os.path.basename(targets(planned, place)[-1]) == last
        return len(looks)

    assert n_looks(60) < 2.5 * n_looks(30)


def test_a_copy_that_is_there_is_not_made_again(place, store):
    fill(place, {"a.mp3": b"same", "b/a.mp3": b"SAME", "a.srt": b"sub"})
    results = [heard(place / "a.mp3"), heard(place / "b/a.mp3")]
    for action in ("copy", "hardlink", "symlink"):
        root = place / action
        assert organise(results, root, store, action=action).n_done == 5
        os.unlink(root / "tap/a.srt")
        assert targets(plan(results, root, action=action), root) == ["tap/a.srt"]


def test_files_that_cannot_be_organised_are_left_with_a_reason(place):
    fill(place, {"bad.mp3": b"", "none.mp3": b"", "real.mp3": b"", "long.mp3": b""})
    (place / "link.mp3").symlink_to(place / "real.mp3")
    os.mkfifo(place / "pipe.mp3")
    results = [
        failed(place / "bad.mp3"),
        heard(place / "none.mp3", None),
        heard(place / "link.mp3"),
        heard(place / "pipe.mp3"),
        heard(place / "gone.mp3"),
        heard(place / "long.mp3", "x" * 200),
    ]
    deep = "/".join(["{trigger}"] * 30)
    planned = plan(results, place, f"{deep}/{{name}}")
    assert planned.steps == ()
    assert reasons(planned) == {
        "bad.mp3": "could not be labelled; --failed takes it all the same",
        "none.mp3": "has no trigger: give a default in the template, as {trigger|none}",
        "link.mp3": "is a symbolic link; organise what it leads to",
        "pipe.mp3": "is no regular file",
        "gone.mp3": "cannot be looked at: No such file or directory",
        "long.mp3": "its new path is longer than the 4095 that fit here",
    }


def test_failed_files_go_along_when_asked_for(place):
    fill(place, {"bad.mp3": b""})
    planned = plan([failed(place / "bad.mp3")], place, "{status}/{name}", include_failed=True)
    assert targets(planned, place) == ["failed/bad.mp3"]


def test_a_file_where_a_folder_would_be_is_no_folder(place):
    fill(place, {"a.mp3": b"", "tap": b""})
    assert "is no folder" in reasons(plan([heard(place / "a.mp3")], place))["a.mp3"]


def test_a_link_is_followed_by_copies(place, store):
    fill(place, {"real.mp3": b"1"})
    (place / "link.mp3").symlink_to("real.mp3")
    organise([heard(place / "link.mp3")], place, store, action="symlink")
    assert os.readlink(place / "tap/real.mp3") == str(place / "real.mp3")


def test_a_file_keeps_its_owner_on_another_disk(place, three, other_disk, store, monkeypatch):
    owners, status = [], os.stat(place / "a.mp3")
    monkeypatch.setattr(os, "chown", lambda _path, *owner: owners.append(owner))
    organise(three[:1], other_disk, store)
    assert owners == [(status.st_uid, status.st_gid)]


def test_what_a_link_leads_to_out_of_the_searched_folders_is_not_moved(place):
    fill(place, {"in/a.mp3": b"1", "in/deep/b.mp3": b"2", "nas/c.mp3": b"3"})
    (place / "in/deep/nas").symlink_to(place / "nas")
    (place / "in/again").symlink_to("deep")
    (place / "name").symlink_to("in")
    results = [heard(place / name) for name in ("name/a.mp3", "name/again/b.mp3")]
    elsewhere = heard(place / "name/again/nas/c.mp3")
    searched = (str(place / "name"),)
    planned = plan([*results, elsewhere], place / "name", searched=searched)
    assert targets(planned, place) == ["name/tap/a.mp3", "name/tap/b.mp3"]
    reason = f"lies in {place / 'nas'}, where a link leads; organise that folder"
    assert reasons(planned) == {"c.mp3": reason}
    options = {"searched": (*searched, str(place / "nas"))}
    assert plan([elsewhere], place / "in", **options).left == ()
    assert plan([elsewhere], place / "in").left == ()  # as a query finds it
    assert plan([elsewhere], place, searched=searched, action="copy").left == ()


def test_what_a_link_leads_to_within_the_searched_folders_is_moved(place):
    """Of a link and what it leads to, a search finds only the one that comes first."""
    fill(place, {"in/sleep/a.mp3": b"1", "in/sleep/a.srt": b"2", "nas/b.mp3": b"3"})
    (place / "best").symlink_to("in/sleep/a.mp3")
    (place / "other.mp3").symlink_to("nas/b.mp3")
    found = [heard(place / name) for name in ("best", "other.mp3")]
    planned = plan(found, place / "in", searched=(str(place / "in"),))
    assert targets(planned, place) == ["in/tap/a.srt", "in/tap/a.mp3"]
    assert reasons(planned) == {"other.mp3": "is a symbolic link; organise what it leads to"}


def test_a_file_that_has_two_names_by_links_is_planned_once(place, store):
    fill(place, {"a.mp3": b"1", "a.srt": b"2"})
    (place / "link").symlink_to(place)
    results = [heard(place / "a.mp3"), heard(place / "link/a.mp3")]
    for action in ("copy", "hardlink", "symlink", "move"):
        made = plan(results, place / action, action=action)
        assert targets(made, place / action) == ["tap/a.srt", "tap/a.mp3"]
    report = organise(results, place, store)
    assert report.n_done == len(report.outcomes)


def test_hard_links_to_another_disk_are_refused_by_the_plan(place, other_disk):
    fill(place, {"a.mp3": b"1"})
    planned = plan([heard(place / "a.mp3")], other_disk / "new", action="hardlink")
    assert reasons(planned)["a.mp3"] == "cannot be linked to another disk: use --action copy"


def test_names_of_255_bytes_and_their_sidecars_fit(place, store):
    stem = "囁" * 83
    fill(place, {f"{stem}.mp3": b"1", f"{stem}.srt": b"2"})
    short = "囁" * 78 + ".mp3"
    fill(place, {short: b"3", short.replace(".mp3", ".info.json"): b"4"})
    results = [heard(place / f"{stem}.mp3"), heard(place / short)]
    template = "{trigger}/{stem} [{tags}, {talk}].{ext}"
    report = organise(results, place, store, template)
    assert report.n_done == len(report.outcomes)
    names = [os.path.basename(path) for path in look(place / "tap")]
    assert max(len(name.encode()) for name in names) > 250
    assert all(name.split(".")[0].endswith("囁 [tap, no talking]") for name in names)
    now = [heard(place / "tap" / name) for name in names if name.endswith(".mp3")]
    assert len(now) == 2
    assert plan(now, place, template, store).steps == ()


names = st.sampled_from(
    ["a.mp3", "A.mp3", "a (2).mp3", "b.wav", "caf\udce9.ogg", "cafe\u0301.ogg", "café.ogg",
     "con.mp3",
     "x y .flac", "[tap].mp3", "tap.mp3", "none.mp3", "a.b.mp4", "...wav", "-.mp3", "n\now.wav"]
)  # fmt: skip
sidecars = st.sampled_from(
    ["a.srt", "a.SRT", "A.jpg", "a.en.vtt", "a.e?.vtt", "a.e*.vtt", "a.b.srt", "b.wav.json",
     "tap.txt", "con.nfo"]
)  # fmt: skip
folders = st.sampled_from(["", "in/", "In/", "tap/", "none/", "whisper/", "in/tap/", "deep/in/"])
paths = st.tuples(folders, names | sidecars).map("".join)
templates = st.sampled_from(
    ["{trigger|none}/{stem} [{tags|none}].{ext}", "{trigger|none}.{ext}", "{parent}/{name}",
     "{talk} {stem}.{ext}", "{trigger|none}/{parent}/{name}", "{stem}/{stem}.{ext}", "IN/{name}",
     "{trigger}/{score:.0%} {name}", "{name}"]
)  # fmt: skip


@settings(max_examples=120, suppress_health_check=[HealthCheck.too_slow])
@given(
    files=st.dictionaries(paths, st.binary(max_size=3), min_size=1, max_size=8),
    template=templates,
    action=st.sampled_from(["move", "move", "copy", "hardlink", "symlink"]),
    data=st.data(),
)
def test_undoing_gives_back_what_was_and_a_second_run_does_nothing(files, template, action, data):
    with quick_folder() as folder, quick_folder() as state:
        fill(folder, files)
        store = Store(state)
        media = [
            name
            for name in files
            if not name.endswith(("srt", "SRT", "jpg", "vtt", "json", "txt", "nfo"))
        ]
        triggers = {name: data.draw(st.sampled_from(["tap", "whisper", None])) for name in media}
        results = [heard(f"{folder}/{name}", trigger) for name, trigger in triggers.items()]
        before = look(folder)
        report = organise(results, folder, store, template, action=action)
        after = look(folder)
        assert report.n_done == len(report.outcomes)
        if action == "move":
            assert contents(after) == contents(before)
            results = moved(results, store)
        assert set(contents(before)) == set(contents(after))
        again = plan(results, folder, template, store, action=action)
        assert again.steps == ()
        if report.n_done:
            planned, _, _ = undo(store)
            assert planned.left == ()
        assert look(folder) == before


def moved(results, store):
    """Results as of the same files, where they are now."""
    from asmr_classify.library.undo import origins, read_runs

    now = {origin: path for path, origin in origins(read_runs(store)[0]).items()}
    return [heard(now.get(result.path, result.path), result.trigger) for result in results]
