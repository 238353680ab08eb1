"""What a query finds is what a plain filter over all results finds."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from datetime import datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asmr_classify.aggregate import Status
from asmr_classify.catalogue import Catalogue, parse_query
from asmr_classify.catalogue.corrections import Correction
from asmr_classify.catalogue.query import Query, Term
from asmr_classify.catalogue.schema import Database
from asmr_classify.errors import UsageError
from asmr_classify.labels import Kind, kind_of
from asmr_classify.visual.seen import Light, LightLevel, Motion, MotionLevel, Picture, Visual
from tests.catalogue.results import SETTINGS, failed, found, heard, seen

LABELS = ("tap", "whisper", "speech")
CONTEXT_LABELS = ("speech", "music", "silence")
KINDS = ("typing", "running_water", "rain")
N_FILES = 120
NAMES = ("Sleep", "schläft", "rain/über", "a b", "x'y")


def random_result(path, rng):
    """A result of any kind, by a model that knows all labels or only some."""
    kind = rng.integers(8)
    if kind == 0:
        return failed(path)
    labels = LABELS[: rng.integers(1, 4)]
    statuses = [Status.OK, Status.SILENT, Status.PARTIAL, Status.NO_AUDIO]
    scores = {label: round(float(rng.random()), 1) for label in labels}
    tags = tuple(x for x in labels if kind_of(x) is Kind.TRIGGER and scores[x] >= 0.5)
    return heard(
        path,
        status=statuses[rng.integers(4)],
        model=f"m{rng.integers(2)}@1",
        duration=None if kind == 1 else float(rng.integers(1, 7200)),
        tags=tags,
        trigger=tags[0] if tags else None,
        scores={} if kind == 2 else scores,
        shares={label: round(float(rng.random()), 1) * (rng.random() > 0.5) for label in labels},
        no_talking=[True, False, None][rng.integers(3)],
        longest_talk=[None, 0.0, 12.0][rng.integers(3)],
        kinds={kind: round(float(rng.random()), 1) for kind in KINDS if rng.random() > 0.6},
        visual=random_visual(rng),
    )


def random_visual(rng):
    """What was seen in a file of any kind, or none where it was only listened to."""
    picture = [None, *Picture][rng.integers(5)]
    if picture is None or picture in {Picture.NONE, Picture.COVER}:
        return picture and Visual(picture)
    motion, light = round(float(rng.random()), 1), round(float(rng.random()), 1)
    return seen(
        motion=Motion([*MotionLevel][int(3 * motion) % 3], motion, 1.0) if motion > 0.2 else None,
        light=Light([*LightLevel][int(3 * light) % 3], light, 1.0, 0.2) if light > 0.2 else None,
        cuts_per_minute=None if motion < 0.1 else round(7 * motion, 1),
        flashes=int(rng.integers(4)),
    )


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    """A catalogue of random results, some corrected, some gone; and all of them as a list."""
    folder = tmp_path_factory.mktemp("library")
    rng = np.random.default_rng(5)
    with Catalogue.open(str(folder / "library.sqlite"), create=True) as catalogue:
        for number in range(N_FILES):
            path = folder / f"{NAMES[number % len(NAMES)]}-{number}.mp3"
            path.parent.mkdir(exist_ok=True)
            path.write_text(str(number))
            result = random_result(path, rng)
            catalogue.add(found(path), result, SETTINGS)
            if number % 7 == 0 and result.status not in {Status.FAILED, Status.NO_AUDIO}:
                tags = tuple(x for x in ("tap", "whisper") if rng.random() > 0.5)
                catalogue.correct([str(path)], Correction(tags=tags))
            if number % 11 == 0:
                path.unlink()
        yield catalogue, list(catalogue.find())


def holds(term, result):
    return term.negated != bool(_holds(term, result))


PLAIN = {
    "no_talking": lambda _value, result: result.no_talking is True,
    "corrected": lambda _value, result: result.corrected,
    "missing": lambda _value, result: not os.path.lexists(result.path),
    "path": lambda value, result: value.casefold() in result.path.casefold(),
    "status": lambda value, result: result.status.value == value,
    "model": lambda value, result: value in result.model,
    "trigger": lambda value, result: (result.trigger or "none") == value,
    "kind": lambda value, result: not result.kinds if value == "none" else value in result.kinds,
    "no_sound": lambda _value, result: result.status in {Status.NO_AUDIO, Status.SILENT},
    "picture": lambda value, result: result.visual and result.visual.picture.value == value,
}

LEVELS = {
    "visual": lambda visual: visual.motion,
    "motion": lambda visual: visual.motion,
    "light": lambda visual: visual.light,
}
NUMBERS = {
    "length": lambda result: result.duration,
    "longest_talk": lambda result: result.longest_talk,
    "cuts": lambda result: result.visual and result.visual.cuts_per_minute,
    "flashes": lambda result: result.visual and result.visual.flashes,
}


def _holds(term, result):
    if term.name in PLAIN:
        return PLAIN[term.name](term.value, result)
    if term.name in LEVELS:
        return _is_at(result.visual and LEVELS[term.name](result.visual), term)
    if term.name in NUMBERS:
        return _compares(NUMBERS[term.name](result), term)
    if term.name.startswith("kind."):
        return _compares(result.kinds.get(term.name.removeprefix("kind.")), term)
    label = term.name.removeprefix("share.")
    if term.operator:
        values = result.shares if term.name.startswith("share.") else result.scores
        return _compares(values.get(label), term)
    return label in result.tags if label not in CONTEXT_LABELS else result.shares.get(label, 0) > 0


def _is_at(measured, term):
    if term.value.isalpha():
        return measured and measured.level.value == term.value
    return _compares(measured and measured.median, term)


def _compares(value, term):
    if value is None:
        return False
    if term.operator == ":":
        low, _, high = term.value.partition("..")
        return float(low or 0) <= value <= float(high or "inf")
    bound = float(term.value)
    return {">": value > bound, ">=": value >= bound, "<": value < bound, "<=": value <= bound}[
        term.operator
    ]


def numbers(names, values):
    """Comparisons of these names, and ranges."""
    ranges = (
        st.tuples(values, values)
        .map(sorted)
        .flatmap(
            lambda ends: st.sampled_from([f"{ends[0]}..", f"..{ends[1]}", f"{ends[0]}..{ends[1]}"])
        )
    )
    signs = st.sampled_from([">", ">=", "<", "<="])
    compared = st.builds(Term, names, signs, values.map(str), negated=st.booleans())
    return compared | st.builds(Term, names, st.just(":"), ranges, negated=st.booleans())


def texts(name, values):
    return st.builds(
        Term, st.just(name), st.just(":"), st.sampled_from(values), negated=st.booleans()
    )


labels = st.sampled_from([*LABELS, "music", "silence"])
tenths = st.integers(0, 10).map(lambda parts: parts / 10)
terms = (
    st.builds(Term, labels | st.sampled_from(["no_talking", "no_sound", "corrected", "missing"]),
              negated=st.booleans())
    | numbers(labels | labels.map(lambda label: f"share.{label}"), tenths)
    | numbers(st.sampled_from(KINDS).map(lambda kind: f"kind.{kind}"), tenths)
    | numbers(st.sampled_from(["length", "longest_talk"]), st.integers(0, 7200))
    | texts("path", ["SLEEP", "Ü", "rain/", "x'y", "%", "_", "1"])
    | texts("status", [status.value for status in Status])
    | texts("model", ["m0", "@", "tiny"])
    | texts("trigger", ["tap", "whisper", "none"])
    | texts("kind", [*KINDS, "none"])
    | texts("picture", [*Picture])
    | texts("visual", [*MotionLevel])
    | texts("motion", [*MotionLevel])
    | texts("light", [*LightLevel])
    | numbers(st.sampled_from([*LEVELS]), tenths)
    | numbers(st.sampled_from(["cuts", "flashes"]), tenths.map(lambda tenth: 7 * tenth))
)  # fmt: skip
queries = st.lists(st.lists(terms, min_size=1, max_size=3).map(tuple), min_size=1, max_size=3).map(
    lambda alternatives: Query(tuple(alternatives))
)


@given(query=queries)
@settings(max_examples=300)
def test_a_query_finds_what_a_plain_filter_finds(library, query):
    catalogue, everything = library
    expected = [
        result
        for result in everything
        if any(all(holds(term, result) for term in terms) for terms in query.alternatives)
    ]
    assert list(catalogue.find(query)) == expected
    assert list(catalogue.find(parse_query(str(query)))) == expected


def values_of(results, value_of):
    values = [value_of(result) for result in results]
    return [value for value in values if value is not None], values.count(None)


def median_of(measured):
    return measured and measured.median


@pytest.mark.parametrize(
    ("name", "value_of"),
    [
        pytest.param("length", lambda result: result.duration, id="length"),
        pytest.param("tap", lambda result: result.scores.get("tap"), id="score"),
        pytest.param("share.speech", lambda result: result.shares.get("speech"), id="share"),
        pytest.param("trigger", lambda result: result.trigger, id="trigger"),
        pytest.param("path", lambda result: os.fsencode(result.path), id="path"),
        pytest.param("kind.rain", lambda result: result.kinds.get("rain"), id="kind"),
        pytest.param("light", lambda r: median_of(r.visual and r.visual.light), id="light"),
        pytest.param("motion", lambda r: median_of(r.visual and r.visual.motion), id="motion"),
        pytest.param("flashes", lambda r: r.visual and r.visual.flashes, id="flashes"),
    ],
)
def test_results_are_sorted_and_what_has_no_value_comes_last(library, name, value_of):
    catalogue, everything = library
    present, n_missing = values_of(everything, value_of)
    for sort, expected in ((name, sorted(present)), (f"{name}-", sorted(present)[::-1])):
        values = [value_of(result) for result in catalogue.find(sort=[sort])]
        assert values == expected + [None] * n_missing


def test_results_are_sorted_by_their_surest_kind(library):
    catalogue, _ = library
    surest = [
        {kind for kind, score in result.kinds.items() if score == max(result.kinds.values())}
        for result in catalogue.find(sort=["kind"])
    ]
    n_without = surest.count(set())
    assert 0 < n_without < len(surest)
    assert not any(surest[-n_without:])
    names = [min(kinds) for kinds in surest[:-n_without] if len(kinds) == 1]
    assert names == sorted(names)


def test_what_is_equal_is_sorted_by_the_next_field_then_by_path(library):
    catalogue, _ = library
    results = list(catalogue.find(sort=["status-", "model"]))
    keys = [(-ord(r.status.value[0]), r.model, os.fsencode(r.path)) for r in results]
    assert keys == sorted(keys)


def test_a_limit_takes_the_first(library):
    catalogue, _ = library
    assert (
        list(catalogue.find(sort=["length-"], limit=3))
        == list(catalogue.find(sort=["length-"]))[:3]
    )
    assert list(catalogue.find(limit=0)) == []


def test_an_unknown_field_to_sort_by_is_refused(library):
    known = r"there are path, length, .*, whisper, .*share\.LABEL, kind\.KIND$"
    with pytest.raises(UsageError, match=rf"--sort size-: no such field; {known}"):
        next(library[0].find(sort=["size-"]))


def test_files_are_found_by_when_they_were_added(library):
    catalogue, everything = library
    today = datetime.now().date().isoformat()
    assert len(list(catalogue.find(parse_query(f"added:{today}..")))) == len(everything)
    assert not list(catalogue.find(parse_query(f"-added:{today}..")))
    assert not list(catalogue.find(parse_query("added<2020")))


def test_visual_only_videos_are_found(labelled, paths_found):
    labelled("slow.mp4", status=Status.NO_AUDIO, visual=seen())
    labelled("silent.mp4", status=Status.SILENT, visual=seen())
    labelled("bright.mp4", status=Status.SILENT, visual=seen(motion=None))
    labelled("heard.mp4", visual=seen())
    labelled("only-heard.mp4")
    assert paths_found("no_sound visual:slow") == ["silent.mp4", "slow.mp4"]
    assert paths_found("visual:slow light:dark") == ["heard.mp4", "silent.mp4", "slow.mp4"]
    assert paths_found("-visual:slow") == ["bright.mp4", "only-heard.mp4"]


def test_what_was_seen_is_kept_and_gives_way(catalogue, write):
    path = write("video.mp4")
    catalogue.add(found(path), heard(path, visual=seen()), SETTINGS)
    (result,) = catalogue.find(parse_query("light:dark cuts:..2 flashes:..0 motion<0.03"))
    assert result.visual == seen()
    catalogue.correct([str(path)], Correction(tags=("whisper",)))
    assert len(list(catalogue.find(parse_query("light:dark trigger:whisper")))) == 1
    catalogue.add(found(path), heard(path), "another model")
    assert len(list(catalogue.find(parse_query("light:dark")))) == 1
    brighter = replace(seen(), light=Light(LightLevel.BRIGHT, 0.5, 0.6, 0.3))
    catalogue.add(found(path), heard(path, visual=brighter), SETTINGS)
    assert not list(catalogue.find(parse_query("light:dark")))
    cover = Visual(Picture.COVER)
    catalogue.add(found(path), heard(path, visual=cover), SETTINGS)
    assert not list(catalogue.find(parse_query("picture:video, cuts:0.., flashes:0..")))


def test_queries_go_on_while_results_are_added(library, tmp_path):
    catalogue, everything = library
    results = catalogue.find(limit=5)
    first = next(results)
    with Catalogue.open(catalogue.path) as other:
        path = tmp_path / "zzz.mp3"
        path.touch()
        other.add(found(path), heard(path), SETTINGS)
        assert len([first, *results]) == 5
        assert other.forget([str(path)]) == 1
    assert len(catalogue) == len(everything)


def fill(database, n_files):
    """Put in so many files by plain SQL, which is quicker than one by one."""
    from asmr_classify.catalogue.contents import Contents

    rng = np.random.default_rng(2)
    labels = ["whisper", "tap", "crinkle", "white_noise", "speech", "music", "other", "silence"]
    rows = rng.random((n_files, len(labels)))
    with database.transaction():
        for label in labels:
            database.run("INSERT INTO vocabulary (label) VALUES (?)", [label])
        template = Contents(database)
        first = template.begin(b"0", 1, 0)
        template.describe(first, heard("/x.mp3"), SETTINGS)
        many = database._connection.executemany
        many(
            "INSERT INTO contents (id, hash, size, added, settings, model, model_folded, status, "
            "length, trigger_id, no_talking, longest_talk) SELECT ?, ?, size, added, settings, "
            "model, model_folded, status, ?, trigger_id, ?, longest_talk FROM contents "
            "WHERE id = 1",
            ((k, b"%d" % k, 7200 * rows[k, 0], k % 2) for k in range(2, n_files)),
        )
        many(
            "INSERT INTO files VALUES (?, ?, ?, 0, ?)",
            ((k, b"/m/%d.mp3" % k, f"/m/{k}.mp3", k) for k in range(2, n_files)),
        )
        many(
            "REPLACE INTO heard VALUES (?, ?, ?, ?, ?)",
            (
                (k, i + 1, rows[k, i], rows[k, i] / 2, rows[k, i] > 0.5)
                for k in range(2, n_files)
                for i in range(len(labels))
            ),
        )
        many(
            "INSERT INTO records SELECT ?, record FROM records WHERE content_id = 1",
            ((k,) for k in range(2, n_files)),
        )


def test_a_hundred_thousand_files_are_searched_in_a_second(tmp_path):
    path = str(tmp_path / "large.sqlite")
    database = Database.open(path, create=True)
    fill(database, 100_000)
    database.close()
    query = parse_query("whisper>0.95 no_talking length:20m.. -crinkle path:1, share.tap>0.499")
    took = []
    for _ in range(3):
        started = time.process_time()
        with Catalogue.open(path) as catalogue:
            n_found = len(list(catalogue.find(query, sort=["tap-"])))
        took.append(time.process_time() - started)
    assert n_found > 300
    assert min(took) < 1
