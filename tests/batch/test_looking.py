"""Looking at files after they were heard: what was heard is safe, whatever the picture does."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace

import pytest

from asmr_classify.aggregate import FileResult, Problem, Status
from asmr_classify.batch import Journal, Limits, Memories, label_paths
from asmr_classify.batch.labelling import LARGE_BYTES, LabelTask
from asmr_classify.catalogue import Catalogue, KnownResults
from asmr_classify.media.discover import discover
from asmr_classify.media.found import Found
from asmr_classify.visual import look as look_module
from asmr_classify.visual.seen import Effort, Picture, Visual
from tests.batch.conftest import write_noise
from tests.visual.scenes import Film, pan, write_film
from tests.visual.test_film import write_unknown_codec

TINY = Film(size=(64, 36), rate=10, seconds=1.0, options=(("preset", "ultrafast"),))


@pytest.fixture
def files(place):
    for k in range(4):
        write_noise(place / f"{k}.wav", 0.5)
    return place


def looking(*lines):
    """What makes a worker look in a way of a test's own."""
    return [
        "import asmr_classify.visual.look as module",
        "from asmr_classify.visual.seen import Picture, Visual",
        "def look(path, *, effort, on_progress):",
        *(f"    {line}" for line in lines),
        "    return Visual(Picture.COVER)",
        "module.look = look",
    ]


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize(
    ("line", "kind", "message"),
    [
        pytest.param("os._exit(3)", "WorkerError", "ended with status 3", id="crash"),
        pytest.param("os.kill(os.getpid(), 9)", "WorkerError", "SIGKILL", id="killed"),
        pytest.param("time.sleep(600)", "WorkerError", "for 2 s", id="hang"),
        pytest.param("raise MemoryError", "WorkerError", "more memory", id="memory"),
        pytest.param("raise KeyError('x')", "KeyError", "unexpected error", id="unexpected"),
    ],
)
def test_what_was_heard_is_never_lost_to_the_picture(workers_with, tiny_model, line, kind, message):
    workers_with([], before=looking(f"if path == '2.wav': {line}"))
    results = label_paths(["."], model=tiny_model, jobs=2, limits=Limits(patience=2))
    by_name = {result.path: result for result in results}
    assert len(by_name) == 4
    assert {result.status for result in by_name.values()} == {Status.OK}
    wrong = by_name.pop("2.wav")
    assert (wrong.visual, wrong.visual_error.kind) == (None, kind)
    assert message in wrong.visual_error.message
    assert all(x.visual == Visual(Picture.COVER) for x in by_name.values())


@pytest.mark.usefixtures("files")
def test_looking_may_take_as_long_as_it_gets_on(workers_with, tiny_model):
    slow = "for _ in range(14): time.sleep(0.25); on_progress()"
    workers_with([], before=looking(slow))
    results = list(label_paths(["0.wav"], model=tiny_model, limits=Limits(patience=2)))
    assert [result.visual_error for result in results] == [None]


@pytest.mark.usefixtures("files")
def test_whoever_does_not_want_to_look_does_not(workers_with, tiny_model):
    workers_with([], before=looking("raise KeyError"))
    results = list(label_paths(["."], model=tiny_model, video=None))
    assert {(result.visual, result.visual_error) for result in results} == {(None, None)}


def test_a_picture_that_may_be_seen_another_time_is_looked_at_again(place, tiny_model):
    """Whatever the fault of the machine was: a crash, a disk, a connection."""
    write_noise(place / "0.wav", 0.5)
    (found,) = discover(["0.wav"])
    gone = FileResult("0.wav", Status.OK, tiny_model.id, decoded=0.5)
    gone = replace(gone, visual_error=Problem("OpenError", "gone", may_pass=True))
    with (
        Journal.open("a.journal", tiny_model) as journal,
        Catalogue.open("a.sqlite", create=True) as catalogue,
    ):
        for memory in (journal, KnownResults(catalogue, tiny_model)):
            memory.record(found, gone)
    with (
        Journal.open("a.journal", tiny_model) as journal,
        Catalogue.open("a.sqlite", create=True) as catalogue,
    ):
        for memory in (journal, KnownResults(catalogue, tiny_model)):
            known = memory.recall(found)
            assert (known.visual, known.visual_error) == (None, None)
            assert LabelTask(tiny_model, Effort.LOW).lacks(known)


def test_what_is_added_to_a_result_of_another_model_leaves_it_that_models(place, tiny_model):
    """Commands that take what any model said must not pass it off as the shipped one's."""
    write_noise(place / "0.wav", 0.5)
    other = replace(tiny_model, version="0.0")
    with Catalogue.open("a.sqlite", create=True) as catalogue:
        listening = {"journal": KnownResults(catalogue, other), "video": None}
        list(label_paths(["0.wav"], model=other, **listening))
        of_any = KnownResults(catalogue, tiny_model, of_any=True)
        (seen,) = label_paths(["0.wav"], model=tiny_model, journal=of_any)
        assert (seen.model, seen.visual.picture) == (other.id, Picture.NONE)
        (found,) = discover(["0.wav"])
        assert KnownResults(catalogue, tiny_model).recall(found) is None
        assert KnownResults(catalogue, other).recall(found) == seen


def heard(visual=None, error=None, status=Status.OK):
    return FileResult("a.mp4", status, "m@1", visual=visual, visual_error=error)


SEEN = {effort: Visual(Picture.VIDEO, effort=effort) for effort in Effort}


@pytest.mark.parametrize(
    ("result", "lacking"),
    [
        pytest.param(heard(), {"low", "normal", "full"}, id="only heard"),
        pytest.param(heard(SEEN[Effort.LOW]), {"normal", "full"}, id="low"),
        pytest.param(heard(SEEN[Effort.NORMAL]), {"full"}, id="normal"),
        pytest.param(heard(SEEN[Effort.FULL]), set(), id="full"),
        pytest.param(heard(Visual(Picture.NONE, effort=Effort.LOW)), set(), id="no picture"),
        pytest.param(heard(error=Problem("DecodeError", "x")), set(), id="damaged"),
        pytest.param(heard(status=Status.FAILED), set(), id="failed"),
    ],
)
def test_what_serves_whom(tiny_model, result, lacking):
    wants = {effort for effort in Effort if LabelTask(tiny_model, effort).lacks(result)}
    assert wants == lacking
    assert not LabelTask(tiny_model, None).lacks(result)


@pytest.fixture(params=["journal", "catalogue"])
def remembering(request, place, tiny_model):
    """Opens what keeps results, as each run does anew."""

    @contextmanager
    def remember():
        if request.param == "journal":
            with Journal.open(str(place / "out.journal"), tiny_model) as journal:
                yield journal
        else:
            with Catalogue.open(str(place / "c.sqlite"), create=True) as catalogue:
                yield KnownResults(catalogue, tiny_model)

    return remember


@pytest.fixture
def counted(monkeypatch):
    """How often files are heard, and seen."""
    import asmr_classify.classify
    import asmr_classify.visual.look as looks

    calls = {"heard": 0, "seen": 0}

    def count(what, module, name):
        function = getattr(module, name)

        def counting(*arguments, **options):
            calls[what] += 1
            return function(*arguments, **options)

        monkeypatch.setattr(module, name, counting)

    count("heard", asmr_classify.classify, "label_file")
    count("seen", looks, "look")
    return calls


@pytest.mark.usefixtures("in_this_process")
def test_what_was_only_heard_is_looked_at_later_and_not_heard_again(
    place, remembering, tiny_model, counted
):
    write_film(place / "a.mp4", pan(0.2), TINY)

    def label(video):
        with remembering() as memory:
            [result] = label_paths(["a.mp4"], model=tiny_model, journal=memory, video=video)
        return result

    first = label(None)
    second = label(Effort.LOW)
    third = label(Effort.NORMAL)
    fourth = label(Effort.LOW)
    assert first.visual is None
    assert (second.visual.effort, third.visual.effort) == ("low", "normal")
    assert replace(second, visual=None) == first
    assert fourth == label(None) == label(Effort.NORMAL) == third
    assert counted == {"heard": 1, "seen": 2}


@pytest.mark.usefixtures("in_this_process")
def test_videos_without_sound_are_looked_at(place, tiny_model):
    write_film(place / "a.mp4", pan(0.2), TINY)
    [result] = label_paths(["a.mp4"], model=tiny_model)
    assert result.status is Status.NO_AUDIO
    assert result.visual.picture is Picture.VIDEO
    assert result.visual.motion.level == "lively"


@pytest.mark.usefixtures("in_this_process")
def test_a_damaged_picture_costs_the_picture_only(place, tiny_model, monkeypatch):
    write_noise(place / "a.wav", 0.5)
    from asmr_classify.errors import DecodeError

    def look(path, **_):
        raise DecodeError(path, "no picture could be decoded")

    monkeypatch.setattr("asmr_classify.visual.look.look", look)
    [result] = label_paths(["a.wav"], model=tiny_model)
    assert (result.status, result.visual) == (Status.OK, None)
    assert result.visual_error == Problem("DecodeError", "a.wav: no picture could be decoded")


@pytest.mark.usefixtures("in_this_process")
def test_a_codec_that_is_not_known_costs_the_picture_only(place, tiny_model):
    write_unknown_codec(place / "a.avi")
    [result] = label_paths(["a.avi"], model=tiny_model)
    assert (result.status, result.visual) in {(Status.OK, None), (Status.SILENT, None)}
    assert "codec that is not known (QQQQ)" in result.visual_error.message


@pytest.mark.usefixtures("in_this_process")
def test_what_was_seen_is_taken_over_by_another_model(place, tiny_model, counted):
    """It depends on no model: the sound alone is labelled anew."""
    write_film(place / "a.mp4", pan(0.2), TINY)
    other = replace(tiny_model, version="0.0")

    def label(model, **options):
        with Catalogue.open("a.sqlite", create=True) as catalogue:
            fresh = options.pop("fresh", False)
            memory = Memories(KnownResults(catalogue, model, fresh=fresh))
            [result] = label_paths(["a.mp4"], model=model, journal=memory, **options)
        return result

    first, second = label(other), label(tiny_model)
    assert (first.model, second.model) == (other.id, tiny_model.id)
    assert second.visual == first.visual != None  # noqa: E711 (of both)
    assert counted == {"heard": 2, "seen": 1}
    assert label(other, video=Effort.FULL).visual.effort == "full"
    assert counted == {"heard": 3, "seen": 2}
    assert label(tiny_model, video=Effort.LOW).visual.effort == "full"
    assert counted == {"heard": 4, "seen": 2}
    label(other, fresh=True)
    assert counted == {"heard": 5, "seen": 3}


def test_what_was_seen_in_another_way_is_seen_anew(tiny_model):
    before = replace(SEEN[Effort.FULL], version=1)
    taken = LabelTask(tiny_model, Effort.LOW).take_over(heard(), heard(before))
    assert taken.visual == before
    assert LabelTask(tiny_model, Effort.LOW).lacks(taken)
    current = LabelTask(tiny_model, Effort.LOW).take_over(heard(), heard(SEEN[Effort.FULL]))
    assert not LabelTask(tiny_model, Effort.LOW).lacks(current)


def test_what_cannot_be_heard_is_not_seen_either(tiny_model):
    failed = heard(status=Status.FAILED)
    assert LabelTask(tiny_model).take_over(failed, heard(SEEN[Effort.LOW])) == failed


@pytest.mark.parametrize("where", ["pool", "executor"])
def test_a_worker_is_told_what_was_seen(workers_with, place, tiny_model, where):
    write_noise(place / "0.wav", 0.5)
    workers_with([], before=looking("os._exit(3)"))
    other = replace(tiny_model, version="0.0")
    (found,) = discover(["0.wav"])
    with Catalogue.open("a.sqlite", create=True) as catalogue, ExitStack() as stack:
        KnownResults(catalogue, other).record(found, heard(SEEN[Effort.FULL]))
        memory = KnownResults(catalogue, tiny_model)
        executor = None if where == "pool" else stack.enter_context(ThreadPoolExecutor(1))
        [result] = label_paths(["0.wav"], model=tiny_model, journal=memory, executor=executor)
    assert (result.model, result.status) == (tiny_model.id, Status.OK)
    assert (result.visual, result.visual_error) == (SEEN[Effort.FULL], None)


def test_a_file_that_crashes_who_hears_it_fails_whatever_was_seen(workers_with, place, tiny_model):
    write_noise(place / "0.wav", 0.5)
    workers_with(["os._exit(3)"])
    (found,) = discover(["0.wav"])
    with Catalogue.open("a.sqlite", create=True) as catalogue:
        of_other = KnownResults(catalogue, replace(tiny_model, version="0.0"))
        of_other.record(found, heard(SEEN[Effort.FULL]))
        memory = KnownResults(catalogue, tiny_model)
        [result] = label_paths(["0.wav"], model=tiny_model, journal=memory)
    assert (result.model, result.status) == (tiny_model.id, Status.FAILED)
    assert (result.error.kind, result.visual) == ("WorkerError", None)


@pytest.mark.parametrize(
    ("size", "done"),
    [
        pytest.param(LARGE_BYTES, ["give back", "look"], id="large"),
        pytest.param(LARGE_BYTES - 1, ["look"], id="small"),
    ],
)
def test_what_hearing_a_large_file_took_is_given_back_before_it_is_opened_again(
    tiny_model, monkeypatch, size, done
):
    calls = []
    monkeypatch.setattr(look_module, "give_back", lambda: calls.append("give back"))
    monkeypatch.setattr(look_module, "look", lambda *_, **__: calls.append("look"))
    LabelTask(tiny_model, Effort.LOW).add(Found("a.mp4", size), heard(), lambda: None)
    assert calls == done
