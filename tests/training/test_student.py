"""Teacher, students and kinds: what is learned without labels, and what is told beside them."""

from __future__ import annotations

import sys
from dataclasses import replace
from itertools import combinations
from types import SimpleNamespace

import numpy as np
import pytest

from asmr_classify.classify import label_file
from asmr_classify.config import WindowSpec
from asmr_classify.errors import CorpusError, MissingExtraError, UsageError
from asmr_classify.model import load_model, save_model
from asmr_classify.training import teacher as teacher_module
from asmr_classify.training.corpus import read_corpus
from asmr_classify.training.evaluate import evaluate, train
from asmr_classify.training.kinds import (
    LEAST_GROUPS,
    RIVALRY,
    judge_kinds,
    read_kinds,
    with_kinds,
)
from asmr_classify.training.layouts import SOUND_SECONDS, with_sounds
from asmr_classify.training.prepare import prepare
from asmr_classify.training.spec import EncoderSpec, FitSpec, KindSpec, StudentSpec, TrainingSpec
from asmr_classify.training.splits import folds_of_sounds
from asmr_classify.training.student import Lecture, Lessons, found_school, make_lessons
from asmr_classify.training.takes import Take, TakeKind, TakeSpec
from asmr_classify.training.teacher import TEACHER_SR, Teacher, ask_teacher
from tests.conftest import DEMO
from tests.media.make_media import RECIPES, tone, write_media

SPEC = TrainingSpec(
    name="toy",
    version="1.0",
    fit=FitSpec(members=1, hidden=(8,), epochs=20, batch_size=16, tree_rounds=2),
    student=StudentSpec(hints=3, hidden=(8,), epochs=20, batch_size=16),
    encoder=EncoderSpec(width=2, texture_width=3, codes=8, hints=3, epochs=30, batch_size=8),
    kinds=KindSpec(hidden=(8,), epochs=40, batch_size=16),
    takes=TakeSpec(copies=1, steady_copies=0, scenes=1, noises=0),
)


@pytest.fixture
def corpus(corpus_folder, monkeypatch):
    monkeypatch.setattr("asmr_classify.training.kinds.LEAST_GROUPS", 4)
    read = read_corpus(corpus_folder / "manifest.csv")
    return with_kinds(read, {"tap": "knocking", "white_noise": "hissing"})


def test_a_model_with_student_and_kinds_labels_files(corpus, teacher, corpus_folder, tmp_path):
    prepared = prepare(corpus, SPEC, teacher=teacher, jobs=1)
    evaluation = evaluate(prepared, SPEC, jobs=1)
    assert evaluation.by_clip.mean_average_precision > 0.9
    told = {each.kind: each for each in evaluation.kinds}
    assert set(told) == {"hissing", "knocking"}
    assert all(each.told and each.clips == 8 and each.groups == 4 for each in told.values())
    model = train(prepared, evaluation, SPEC)
    save_model(model, tmp_path / "toy.safetensors")
    again = load_model(tmp_path / "toy.safetensors")
    assert again.digest() == model.digest()
    assert again.ensemble.student.n_outputs == 3
    n_codes = again.encoder.width
    X = np.pad(prepared.rows.rows.X, ((0, 0), (0, n_codes)), constant_values=0.5)
    assert np.array_equal(again.ensemble.predict_logits(X), model.ensemble.predict_logits(X))
    result = label_file(corpus_folder / "tap-2-1.wav", model=again)
    assert list(result.kinds) == ["knocking"]
    assert again.kinds["knocking"] <= result.kinds["knocking"] <= 1


def test_kinds_that_are_not_told_stay_as_rivals(
    corpus, teacher, corpus_folder, tmp_path, monkeypatch
):
    """The corpus has `hissing` before `knocking`, of which only the latter is told."""
    only = [corpus.kinds.index("knocking")]
    monkeypatch.setattr("asmr_classify.training.calibration.told_kinds", lambda *_: only)
    prepared = prepare(corpus, SPEC, teacher=teacher, jobs=1)
    model = train(prepared, evaluate(prepared, SPEC, jobs=1), SPEC)
    assert model.rivalry == RIVALRY
    assert list(model.kinds) == ["knocking"]
    assert model.n_columns == len(model.labels) + 2
    save_model(model, tmp_path / "toy.safetensors")
    again = load_model(tmp_path / "toy.safetensors")
    assert again.digest() == model.digest()
    for name, kinds in (("tap-2-1.wav", ["knocking"]), ("white_noise-2-1.wav", [])):
        assert list(label_file(corpus_folder / name, model=again).kinds) == kinds


def test_students_hear_nothing_of_the_folds_that_they_give_hints_for(corpus, teacher, monkeypatch):
    prepared = prepare(corpus, SPEC, teacher=teacher, jobs=1)
    school = prepared.school
    expected = {frozenset(few) for n in (0, 1, 2) for few in combinations(range(4), n)}
    assert set(school.students) == expected
    asked = []
    for few in list(school.students):
        monkeypatch.setitem(
            school.students,
            few,
            SimpleNamespace(hints=lambda X, few=few: asked.append((few, len(X))) or X[:, :3]),
        )
    kept = np.ones(len(prepared.rows.rows.X), dtype=bool)
    fold_of_row = school.folds[prepared.rows.take_of_row()]
    kept[fold_of_row == 2] = False
    school.hints(prepared.rows, kept, frozenset({2}))
    counts = np.bincount(fold_of_row, minlength=4)
    assert asked == [(frozenset({fold, 2}), counts[fold]) for fold in (0, 1, 3)]


def test_a_student_without_a_fold_is_blind_to_what_the_teacher_says_of_it(rng):
    X = rng.standard_normal((60, 4)).astype(np.float32)
    folds = np.repeat(np.arange(3), 20)
    targets = X[:, :2].copy()
    rows = SimpleNamespace(takes=[Take(TakeKind.ORIGINAL, (k,)) for k in range(60)])

    def school(said):
        return found_school(rows, folds, Lessons(X, said, folds), SPEC, jobs=1)

    changed = targets.copy()
    changed[folds == 1] *= -5
    ours, theirs = school(targets).students, school(changed).students

    # All share the spread of the one that heard everything, so compare up to scale.
    def alike(few):
        one, other = ours[few].hints(X), theirs[few].hints(X)
        return np.allclose(one / one.std(axis=0), other / other.std(axis=0), atol=0.02)

    assert alike(frozenset({1}))
    assert alike(frozenset({0, 1}))
    assert not alike(frozenset({0}))


def test_copies_are_taught_what_is_said_of_the_same_place(rng):
    said = [np.arange(4, dtype=np.float32)[:, None] * [[1.0, 0.0]]]

    def rows(ends, kinds):
        parts = [np.stack([np.arange(n), np.arange(n) + 2.0], axis=1) for n in ends]
        n_rows = sum(ends)
        inner = SimpleNamespace(
            intervals=np.concatenate(parts),
            X=rng.standard_normal((n_rows, 2)).astype(np.float32),
            levels_db=np.full(n_rows, -30.0),
        )
        offsets = np.cumsum([0, *ends])

        def of(index):
            inside = slice(offsets[index], offsets[index + 1])
            return SimpleNamespace(**{k: v[inside] for k, v in vars(inner).items()})

        takes = [Take(kind, (0,), k) for k, kind in enumerate(kinds)]
        return SimpleNamespace(takes=takes, of=of)

    both = rows((4, 5, 3), (TakeKind.ORIGINAL, TakeKind.COPY, TakeKind.STEADY))
    lessons = make_lessons([Lecture(both, np.array([2]), said)], SPEC)
    assert lessons.folds.tolist() == [2] * 9  # steady copies are another sound
    line = lessons.targets[:, 0]
    steps = np.diff(line[:4])
    assert np.allclose(steps, steps[0])
    # Five windows of the longer copy lie over four of the clip, in their order.
    assert set(np.round(line[4:], 4)) <= set(np.round(line[:4], 4))
    assert (np.diff(line[4:]) * np.sign(steps[0]) >= 0).all()
    assert line[4] == line[0]
    assert line[8] == line[3]


def test_sounds_without_labels_teach_and_are_neither_fitted_on_nor_judged(
    corpus, corpus_folder, teacher, tmp_path
):
    (tmp_path / "box" / "maker").mkdir(parents=True)
    sound = (corpus_folder / "tap-0-0.wav").read_bytes()
    (tmp_path / "box" / "maker" / "a.wav").write_bytes(sound)
    (tmp_path / "box" / "maker" / "cut.wav").write_bytes(sound[: len(sound) // 3])
    with_more = with_sounds(corpus, [tmp_path / "box"])
    assert [clip.group for clip in with_more.sounds] == ["box/maker"] * 2
    assert with_more.clips == corpus.clips
    prepared = prepare(with_more, SPEC, teacher=teacher, jobs=1)
    assert len(prepared.originals) == len(corpus.clips)
    assert len(evaluate(prepared, SPEC, jobs=1).results) == len(corpus.clips)


def test_two_folds_are_too_few_for_students(manifest_rows, write_rows, teacher):
    rows = [{**row, "fold": str(int(row["fold"]) % 2)} for row in manifest_rows]
    with pytest.raises(CorpusError, match="2 folds: figures need at least three"):
        prepare(read_corpus(write_rows(rows)), SPEC, teacher=teacher, jobs=1)


def test_a_folder_without_sound_is_told(corpus, tmp_path):
    with pytest.raises(CorpusError, match="no recording in it, of which a student could learn"):
        with_sounds(corpus, [tmp_path])


def test_of_long_sounds_the_middle_is_heard(corpus, tmp_path):
    from scipy.io import wavfile

    wavfile.write(tmp_path / "long.wav", 8000, np.zeros(8000 * 40, dtype=np.float32))
    (clip,) = with_sounds(corpus, [tmp_path]).sounds
    assert clip.span == (14.0, 14.0 + SOUND_SECONDS)


def test_the_middle_of_sounds_that_do_not_say_how_long_they_are_is_heard(corpus, tmp_path):
    write_media(tmp_path / "long.aac", tone(40.0, 44100), RECIPES["aac"])
    (clip,) = with_sounds(corpus, [tmp_path]).sounds
    assert clip.span == pytest.approx((14.0, 14.0 + SOUND_SECONDS), abs=0.1)


def test_what_nobody_could_label_is_sound_of_its_makers_fold(manifest_rows, write_rows):
    rows = [dict(row) for row in manifest_rows]
    rows[0]["trigger"] = "unsure"
    corpus = read_corpus(write_rows(rows))
    assert len(corpus.clips) == len(rows) - 1
    (sound,) = corpus.sounds
    assert sound.labels == ()
    folds = np.array([clip.fold for clip in corpus.clips])
    assert folds_of_sounds(corpus, folds).tolist() == [int(rows[0]["fold"])]
    stranger = replace(corpus, sounds=(replace(sound, group="nobody"),))
    assert folds_of_sounds(stranger, folds).tolist() == [-1]


# The teacher


def test_a_teacher_that_is_none_is_told(tmp_path, corpus):
    pytest.importorskip("ai_edge_litert")
    path = tmp_path / "poem.tflite"
    path.write_text("no network")
    with pytest.raises(UsageError, match=r"poem\.tflite: not a network in the TFLite format"):
        ask_teacher(corpus.clips, path, WindowSpec())
    with pytest.raises(UsageError, match="no such file"):
        ask_teacher(corpus.clips, tmp_path / "none.tflite", WindowSpec())


def test_without_its_library_a_teacher_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'asmr-classify\[teacher\]'"):
        Teacher(str(tmp_path / "any.tflite"))


class Counting:
    """A network of four classes whose scores tell where in the sound a stretch begins."""

    n_samples = 15600

    def scores(self, y):
        return np.array([np.clip(y.mean(), 0, 1), 0.0, 1.0, 0.5], dtype=np.float32)


def test_opinions_are_of_our_windows_and_within_bounds():
    ramp = np.linspace(0, 1, 5 * TEACHER_SR).astype(np.float32)
    said = Teacher.opinion(Counting(), ramp, WindowSpec())
    assert said.shape == (4, 4)
    assert np.isfinite(said).all()
    assert (np.diff(said[:, 0]) > 0).all()
    short = Teacher.opinion(Counting(), ramp[: TEACHER_SR // 3], WindowSpec())
    assert short.shape == (1, 4)
    rest = Teacher.opinion(Counting(), ramp[: int(2.5 * TEACHER_SR)], WindowSpec())
    assert rest.shape == (2, 4)


def test_opinions_are_kept(corpus, tmp_path, monkeypatch):
    path = tmp_path / "teacher.tflite"
    path.write_bytes(b"weights")
    calls = []

    class Told(Counting):
        def __init__(self, _path):
            pass

        def opinion(self, y, windows):
            calls.append(len(y))
            return Teacher.opinion(self, y, windows)

    monkeypatch.setattr(teacher_module, "Teacher", Told)
    teacher_module._teacher.cache_clear()
    ask = {"cache": tmp_path / "kept", "jobs": 1}
    first = ask_teacher(corpus.clips[:3], path, WindowSpec(), **ask)
    again = ask_teacher(corpus.clips[:3], path, WindowSpec(), **ask)
    teacher_module._teacher.cache_clear()
    assert len(calls) == 3
    assert all(map(np.array_equal, first, again))


def test_the_shared_teacher_hears_speech_in_speech(shared):
    pytest.importorskip("ai_edge_litert")
    path = shared / "teacher" / "yamnet.tflite"
    if not path.is_file():
        pytest.skip("no teacher beside the shared corpus")
    corpus = read_corpus(shared / "corpus" / "manifest.csv")
    clips = [clip for clip in corpus.clips if clip.label in {"speech", "rain"}][::40][:8]
    said = ask_teacher(clips, path, WindowSpec(), jobs=1)
    speech = np.array([opinion[:, 0].mean() for opinion in said])
    is_speech = np.array([clip.label == "speech" for clip in clips])
    assert 0 < is_speech.sum() < len(clips)
    assert speech[is_speech].mean() > speech[~is_speech].mean() + 2


# Kinds


def test_the_projects_own_kinds_are_read():
    table = read_kinds(DEMO.parent / "kinds.csv")
    assert table["typewriter"] == "typing"
    assert table["chirping_birds"] == table["owl"] == "birds"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("kind\nrain\n", "no column labels"),
        ("kind,labels\nrain,\n", "line 2: a kind and its labels"),
        ("kind,labels\nrain,hail\nice,hail\n", "line 3: hail is of rain already"),
    ],
)
def test_tables_of_kinds_that_make_no_sense_are_told(tmp_path, text, message):
    (tmp_path / "kinds.csv").write_text(text)
    with pytest.raises(CorpusError, match=message):
        read_kinds(tmp_path / "kinds.csv")


def test_kinds_of_few_makers_are_not_learnt(corpus_folder):
    corpus = read_corpus(corpus_folder / "manifest.csv")
    assert LEAST_GROUPS > 4
    assert with_kinds(corpus, {"tap": "knocking"}).kinds == ()


def test_kinds_are_judged_by_how_they_rank(corpus):
    evidence = np.zeros((len(corpus.clips), 2), dtype=np.float32)
    is_noise = np.array([clip.label == "white_noise" for clip in corpus.clips])
    is_tap = np.array([clip.label == "tap" for clip in corpus.clips])
    evidence[is_noise, corpus.kinds.index("hissing")] = 5
    evidence[is_noise, corpus.kinds.index("knocking")] = 5
    evidence[is_tap, corpus.kinds.index("knocking")] = 1
    best, other = judge_kinds(corpus, evidence, np.ones(len(evidence), dtype=bool), 0.6)
    assert (best.kind, best.average_precision, best.told, best.taken_for) == (
        *("hissing", 1.0, True),
        (),
    )
    assert (other.kind, other.told, other.taken_for) == ("knocking", False, ("white_noise",))
    assert other.average_precision == pytest.approx(0.5)
