"""What a model learns from what people said, and what it leaves as it was."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from asmr_classify.errors import CorpusError, ModelError, UsageError
from asmr_classify.estimators import Network
from asmr_classify.model import load_model, save_model
from asmr_classify.training.answers import Examples, Said
from asmr_classify.training.ask import next_to_ask
from asmr_classify.training.card import taught_rows
from asmr_classify.training.embedding import fit_embedding, spread_within
from asmr_classify.training.heads import fit_head
from asmr_classify.training.teach import check_names, teach


@pytest.fixture(scope="module")
def model(tiny_model):
    """The tiny model, with an embedding of what its network makes of rows."""
    n_features = tiny_model.ensemble.mean.size
    X = 20 * np.random.default_rng(2).standard_normal((400, n_features)).astype(np.float32)
    embedding = fit_embedding(tiny_model.ensemble, X, [""] * len(X), [""] * len(X))
    return replace(tiny_model, ensemble=replace(tiny_model.ensemble, embedding=embedding))


def examples_of(model, rng, label, n_held, n_others, n_groups=6, **changes):
    """Examples that lie to one side where they hold a label."""
    count = n_held + n_others
    holds = np.arange(count) < n_held
    said = tuple(
        Said(f"{k}.wav", 0.0, 2.0, (label,) if held else (), (label,), f"maker {k % n_groups}")
        for k, held in enumerate(holds)
    )
    n_dimensions = model.ensemble.embedding.n_outputs
    embedded = 0.3 * rng.standard_normal((count, n_dimensions)).astype(np.float32)
    embedded[:, 0] += np.where(holds, 3, -3)
    logits = np.zeros((count, model.ensemble.n_told), dtype=np.float32)
    return replace(Examples(said, embedded, logits), **changes)


def test_the_embedding_is_turned_and_whitened(model, rng):
    X = 20 * rng.standard_normal((2000, model.ensemble.mean.size)).astype(np.float32)
    embedded = model.ensemble.embed(X)
    assert np.square(embedded).sum(axis=1).mean() == pytest.approx(1, rel=0.2)
    covariance = np.cov(embedded, rowvar=False)
    spread = np.sqrt(np.diag(covariance))
    assert np.abs(covariance / spread / spread[:, None] - np.eye(len(spread))).max() < 0.15


def test_what_makers_of_one_label_differ_in_is_shrunk_against_what_parts_labels(tiny_model, rng):
    n_features = tiny_model.ensemble.mean.size
    sounds, makers = rng.integers(0, 12, 3000), rng.integers(0, 40, 3000)
    of_sounds = rng.standard_normal((12, 1)) @ rng.standard_normal((1, n_features))
    of_makers = rng.standard_normal((480, 1)) @ rng.standard_normal((1, n_features))
    X = 20 * (of_sounds[sounds] + of_makers[40 * sounds + makers]).astype(np.float32)

    def parted(named):
        """How much of the spread of embedded sounds is between labels."""
        embedding = fit_embedding(
            tiny_model.ensemble, X, [str(k) for k in named], makers.astype(str)
        )
        embedded = replace(tiny_model.ensemble, embedding=embedding).embed(X)
        means = np.stack([embedded[sounds == k].mean(axis=0) for k in range(12)])
        return np.square(means).sum(axis=1).mean() / np.square(embedded).sum(axis=1).mean()

    assert parted(sounds) > 1.3 * parted(np.zeros(3000, dtype=int))


def test_each_maker_of_a_label_counts_alike_in_how_it_spreads():
    points = np.array([[0.0, 0.0], [4.0, 2.0], [4.0, 2.0], [4.0, 2.0], [9.0, 9.0], [7.0, -7.0]])
    sounds, makers = ["tap", "tap", "tap", "tap", "rain", ""], list("abbbab")
    assert spread_within(points, sounds, makers) == pytest.approx(np.array([[4, 2], [2, 1]]))
    assert spread_within(points, ["tap"] * 5 + [""], ["a"] * 6) is None


def test_a_model_without_an_embedding_cannot_be_taught(tiny_model, model, rng):
    with pytest.raises(ModelError, match="no embedding"):
        teach(tiny_model, examples_of(model, rng, "brush", 10, 20), name="mine")
    with pytest.raises(ValueError, match="no embedding"):
        tiny_model.ensemble.embed(np.zeros((1, tiny_model.ensemble.mean.size), np.float32))


def test_a_new_label_is_told_and_all_others_stay(model, rng, tmp_path):
    examples = examples_of(model, rng, "brush", 12, 24)
    taught, (figures,) = teach(model, examples, name="mine")
    assert taught.labels == ("tap", "whisper", "speech", "brush")
    assert taught.triggers == ("tap", "whisper", "brush")
    assert taught.id == "mine@1.0.0"
    X = 20 * rng.standard_normal((50, model.ensemble.mean.size)).astype(np.float32)
    before, after = model.ensemble.predict_logits(X), taught.ensemble.predict_logits(X)
    np.testing.assert_array_equal(after[:, :3], before)
    added = taught.ensemble.taught.predict_logits(model.ensemble.embed(X))[:, 3]
    np.testing.assert_allclose(after[:, 3], np.clip(added, -8, 8), rtol=1e-5)
    held = taught.ensemble.taught.predict_logits(examples.embedded)[:, 3]
    p = 1 / (1 + np.exp(-(held * taught.calibration[0, 3] + taught.calibration[1, 3])))
    assert (p[:12] >= taught.thresholds["brush"]).all()
    assert (p[12:] < taught.thresholds["brush"]).all()
    assert figures.is_new
    assert (figures.n_held, figures.n_not_held, figures.n_groups) == (12, 24, 6)
    assert figures.average_precision == pytest.approx(1)
    assert (figures.n_found, figures.finds_none) == (12, False)
    save_model(taught, tmp_path / "mine.safetensors")
    again = load_model(tmp_path / "mine.safetensors")
    assert again.digest() == taught.digest() != model.digest()
    np.testing.assert_array_equal(again.ensemble.predict_logits(X), after)


def test_a_library_tells_what_a_new_label_is_not(model, rng):
    """Answers say nothing of a sound that most of the library is of, and that is like the label."""
    examples = examples_of(model, rng, "brush", 12, 24)
    n_dimensions = examples.embedded.shape[1]
    like = examples.embedded[:12].mean(axis=0) + 2 * np.eye(n_dimensions, dtype=np.float32)[3]
    others = like + 0.1 * rng.standard_normal((60, n_dimensions)).astype(np.float32)
    said = Said("elsewhere.wav", 0.0, 2.0, (), (), "maker")
    beside = Examples(
        (*examples.said, *[said] * 60),
        np.concatenate([examples.embedded, others]),
        np.concatenate([examples.logits, np.zeros((60, 3), np.float32)]),
    )
    alone, together = (
        teach(model, these, name="mine")[0].ensemble.taught.predict_logits(others)[:, 3].mean()
        for these in (examples, beside)
    )
    assert together < alone - 0.5
    _, (figures,) = teach(model, beside, name="mine")
    assert (figures.n_held, figures.n_not_held, figures.n_found) == (12, 24, 12)
    same = replace(beside, said=(*examples.said, *[replace(said, path=examples.said[0].path)] * 60))
    of_those, of_none = (
        teach(model, these, name="mine")[0].ensemble.taught.weights[0][:, 3]
        for these in (beside, same)
    )
    alone = teach(model, examples, name="mine")[0].ensemble.taught.weights[0][:, 3]
    np.testing.assert_array_equal(of_none, alone)  # what holds it may hold it everywhere
    assert not np.array_equal(of_those, alone)


def test_what_was_taught_before_stays_beside_what_is_taught_now(model, rng):
    once, _ = teach(model, examples_of(model, rng, "brush", 12, 24), name="once")
    twice, _ = teach(once, examples_of(model, rng, "chewing", 12, 24), name="twice")
    assert twice.labels == ("tap", "whisper", "speech", "brush", "chewing")
    X = 20 * rng.standard_normal((50, model.ensemble.mean.size)).astype(np.float32)
    before, after = once.ensemble.predict_logits(X), twice.ensemble.predict_logits(X)
    np.testing.assert_array_equal(after[:, :4], before)
    assert twice.thresholds["brush"] == once.thresholds["brush"]
    np.testing.assert_array_equal(twice.calibration[:, :4], once.calibration)


def test_a_known_label_gets_better_and_keeps_its_calibration(model, rng):
    """The model says nothing of tap that helps, so that what was answered tells more."""
    examples = examples_of(model, rng, "tap", 20, 40)
    taught, (figures,) = teach(model, examples, name="mine")
    assert not figures.is_new
    assert figures.is_used
    assert figures.average_precision == pytest.approx(1)
    assert figures.before < 0.5
    np.testing.assert_array_equal(taught.calibration, model.calibration)
    assert taught.thresholds == model.thresholds
    moved = taught.ensemble.taught.predict_logits(examples.embedded)
    assert (moved[:20, 0] > 1).all()
    assert (moved[20:, 0] < -1).all()
    assert not moved[:, 1:].any()


def test_a_known_label_that_is_told_well_is_left_as_it_was(model, rng):
    examples = examples_of(model, rng, "tap", 20, 40)
    logits = examples.logits.copy()
    logits[:, 0] = np.where(np.arange(60) < 20, 7, -7)
    noise = 0.3 * rng.standard_normal(examples.embedded.shape).astype(np.float32)
    told_well = replace(examples, embedded=noise, logits=logits)
    taught, (figures,) = teach(model, told_well, name="mine")
    if not figures.is_used:
        assert taught.ensemble.taught is None
    X = 20 * rng.standard_normal((200, model.ensemble.mean.size)).astype(np.float32)
    moved = taught.ensemble.predict_logits(X) - model.ensemble.predict_logits(X)
    assert np.abs(moved).max() < 1


@pytest.mark.parametrize(("n_held", "n_others"), [(20, 40), (40, 8)])
def test_what_is_added_to_a_known_label_moves_it_to_neither_side(model, rng, n_held, n_others):
    """Whatever the share of answers that hold it, which are no fair sample of a library."""
    examples = examples_of(model, rng, "tap", n_held, n_others)
    taught, (figures,) = teach(model, examples, name="mine")
    assert figures.is_used
    moved = taught.ensemble.taught.predict_logits(examples.embedded)[:, 0]
    assert moved[:n_held].mean() == pytest.approx(-moved[n_held:].mean(), rel=1e-3)


def test_a_known_label_is_left_as_it_was_where_too_few_answers_tell(model, rng):
    taught, (figures,) = teach(model, examples_of(model, rng, "tap", 4, 40), name="mine")
    assert not figures.is_used
    assert taught.ensemble.taught is None


def test_answers_that_make_a_label_likelier_and_no_better_told_do_not_change_it(model, rng):
    """Most were asked since they may hold it; what the model says ranks them as well as can be."""
    examples = examples_of(model, rng, "tap", 40, 10)
    logits = examples.logits.copy()
    logits[:, 0] = np.where(np.arange(50) < 40, -2, -4)
    noise = rng.standard_normal(examples.embedded.shape).astype(np.float32)
    taught, (figures,) = teach(model, replace(examples, embedded=noise, logits=logits), name="mine")
    assert figures.before == pytest.approx(1)
    assert not figures.is_used
    assert taught.ensemble.taught is None


def test_a_known_label_of_one_maker_gets_better(model, rng):
    examples = examples_of(model, rng, "tap", 20, 40, n_groups=1)
    _, (figures,) = teach(model, examples, name="mine")
    assert not figures.can_tell
    assert figures.is_used


def test_a_known_label_that_one_maker_of_many_has_is_left_as_it_was(model, rng):
    examples = examples_of(model, rng, "tap", 12, 24)
    said = [replace(x, group="one" if x.labels else x.group) for x in examples.said]
    taught, (figures,) = teach(model, replace(examples, said=tuple(said)), name="mine")
    assert not figures.is_used
    assert taught.ensemble.taught is None


def test_few_answers_give_a_label_but_no_figure(model, rng):
    taught, (figures,) = teach(model, examples_of(model, rng, "brush", 3, 4), name="mine")
    assert "brush" in taught.labels
    assert not figures.can_tell
    _, (figures,) = teach(model, examples_of(model, rng, "brush", 9, 9, n_groups=2), name="mine")
    assert not figures.can_tell


@pytest.mark.parametrize(("n_others", "most"), [(5, 0.4507), (40, 0.0722)])
def test_a_perfect_order_of_few_examples_promises_few_false_tags_to_nobody(
    model, rng, n_others, most
):
    """By Clopper and Pearson, where none of n is wrong, it is 1 - 0.05^(1/n)."""
    _, taught = teach(model, examples_of(model, rng, "brush", 5, n_others), name="mine")
    (figures,) = taught
    assert figures.average_precision == pytest.approx(1)
    assert (figures.n_false, figures.n_held_out) == (0, (5, n_others))
    assert figures.most_false == pytest.approx(most, abs=1e-4)
    ((*_, ap, before, false, becomes),) = taught_rows(taught)
    assert ap == f"1.00 (5 before {n_others} others)"
    assert (before, false) == ("", f"0 of {n_others}, at most {most:.0%}")
    assert becomes == "new"
    assert replace(figures, n_false=n_others).most_false == 1
    assert np.isnan(replace(figures, n_false=None).most_false)


def test_makers_are_held_out_as_a_whole(model, rng):
    """Every maker has a sound of its own, by which nothing is told of others."""
    examples = examples_of(model, rng, "brush", 20, 20, n_groups=8)
    embedded = 0.01 * rng.standard_normal(examples.embedded.shape).astype(np.float32)
    holds = np.arange(40) % 8 < 4
    for k in range(40):
        embedded[k, 0] = np.cos(k % 8 * 2.4)
        embedded[k, 1] = np.sin(k % 8 * 2.4)
    said = tuple(
        replace(x, labels=("brush",) if held else ())
        for x, held in zip(examples.said, holds, strict=True)
    )
    _, (figures,) = teach(model, Examples(said, embedded, examples.logits), name="mine")
    assert figures.average_precision < 0.9


def test_a_label_that_cannot_be_told_is_found_seldom(model, rng):
    examples = examples_of(model, rng, "brush", 20, 80)
    noise = rng.standard_normal(examples.embedded.shape).astype(np.float32)
    taught, _ = teach(model, replace(examples, embedded=noise), name="mine")
    others = rng.standard_normal((2000, noise.shape[1])).astype(np.float32)
    logits = taught.ensemble.taught.predict_logits(others)[:, 3]
    p = 1 / (1 + np.exp(-(logits * taught.calibration[0, 3] + taught.calibration[1, 3])))
    assert (p >= taught.thresholds["brush"]).mean() < 0.3


@pytest.mark.parametrize(
    ("n_held", "n_others", "message"),
    [
        (5, 0, "brush: 5 examples, which all hold it"),
        (0, 5, "brush: 5 examples, which all lack it"),
    ],
)
def test_one_class_teaches_nothing(model, rng, n_held, n_others, message):
    with pytest.raises(CorpusError, match=message):
        teach(model, examples_of(model, rng, "brush", n_held, n_others), name="mine")


def test_what_cannot_be_taught_is_told(model, rng):
    nothing = Examples((), np.zeros((0, 4), np.float32), np.zeros((0, 3), np.float32))
    with pytest.raises(CorpusError, match="nothing was said"):
        teach(model, nothing, name="mine")
    with pytest.raises(CorpusError, match="silence: is decided by level"):
        teach(model, examples_of(model, rng, "silence", 5, 5), name="mine")
    with pytest.raises(UsageError, match=r"--only chewing: .* there is brush"):
        teach(model, examples_of(model, rng, "brush", 5, 5), name="mine", only=["chewing"])


def test_what_queries_could_not_ask_for_is_not_taught(model, rng):
    for label, message in [
        ("no_talking", "'no_talking' cannot be a label: .*; rename it, or teach other labels by"),
        ("Tap", "it differs in case only from tap"),
    ]:
        with pytest.raises(UsageError, match=message):
            teach(model, examples_of(model, rng, label, 5, 5), name="mine")
    with pytest.raises(UsageError, match=r"'Soap' .* in case only from soap"):
        check_names(["soap", "Soap"], model)
    check_names(["path"], replace(model, labels=("path", *model.labels[1:])))


def test_only_some_labels_are_taught(model, rng):
    brush, tap = examples_of(model, rng, "brush", 9, 9), examples_of(model, rng, "tap", 9, 9)
    both = Examples(
        (*brush.said, *tap.said),
        np.concatenate([brush.embedded, tap.embedded]),
        np.concatenate([brush.logits, tap.logits]),
    )
    taught, figures = teach(model, both, name="mine", only=["brush"])
    assert [each.label for each in figures] == ["brush"]
    assert not taught.ensemble.taught.weights[0][:, :3].any()


def test_a_taught_layer_that_does_not_fit_is_told(model):
    n_dimensions = model.ensemble.embedding.n_outputs
    layer = Network((np.zeros((n_dimensions, 4), np.float32),), (np.zeros(4, np.float32),))
    n_features = model.ensemble.mean.size
    assert replace(model.ensemble, taught=layer).fits(n_features, 4)
    assert not replace(model.ensemble, taught=layer).fits(n_features, 5)
    assert not replace(model.ensemble, taught=layer).fits(n_features, 2)
    assert not replace(model.ensemble, taught=layer, embedding=None).fits(n_features, 4)


def test_what_is_asked_next_takes_turns_between_likely_and_unsure():
    """One axis holds the label from 0 on; makers all differ, and nothing lies near another."""
    embedded = np.zeros((41, 50), dtype=np.float32)
    embedded[:, 0] = np.linspace(-2, 2, 41)
    embedded[np.arange(41), 1 + np.arange(41)] = 1
    makers = [str(k) for k in range(41)]
    (likely,) = next_to_ask(embedded, makers, [0, 10, 30], [False, False, True])
    (unsure,) = next_to_ask(embedded, makers, [0, 10, 30, 38], [False, False, True, True])
    assert embedded[likely, 0] > 1.5
    assert -1 < embedded[unsure, 0] < 1
    assert likely not in {0, 10, 30}


def test_by_one_example_the_rest_tells_what_the_label_is_not():
    """Nothing was said that does not hold it, but most of the rest cannot."""
    embedded = np.zeros((41, 50), dtype=np.float32)
    embedded[:, 0] = np.linspace(-2, 2, 41)
    embedded[np.arange(41), 1 + np.arange(41)] = 1
    makers = [str(k) for k in range(41)]
    assert embedded[next_to_ask(embedded, makers, [40], [True]), 0] > 1.5
    assert abs(embedded[next_to_ask(embedded, makers, [39, 40], [True, True]), 0]) < 0.5
    assert len(next_to_ask(embedded, makers, [39, 40], [True, True], count=100)) == 39
    assert next_to_ask(embedded[:2], makers[:2], [0, 1], [True, True]) == []


def test_what_was_not_answered_tells_of_sounds_that_no_answer_is_like(rng):
    """Answers part the label from one sound; most of the library is of another, alike in all else.

    By answers alone that other sound looks as if it held the label.
    """
    n_of_each = {"held": 12, "answered": 4, "rest": 60}
    axes = {"held": [1, 1, 0], "answered": [-1, 0, 0], "rest": [2, 0, 1]}
    embedded = np.concatenate(
        [
            np.tile(axes[name], (n, 1)) + 0.2 * rng.standard_normal((n, 3))
            for name, n in n_of_each.items()
        ]
    ).astype(np.float32)
    answered = [0, 1, 2, 12, 13]  # so many that what likely holds it is next
    held = [True, True, True, False, False]
    weights, bias = fit_head(embedded[answered], np.array(held), np.array(["a"] * 5))
    assert (embedded[16:] @ weights + bias).mean() > (embedded[:12] @ weights + bias).mean()
    makers = [str(k) for k in range(len(embedded))]
    (likely,) = next_to_ask(embedded, makers, answered, held)
    assert likely < 12


def test_what_likeliest_holds_it_tells_what_else_it_is_like(rng):
    """In the library, what the answers have in common goes with something that none of them has."""
    n_of_each = {"held": 4, "answered": 4, "likely": 10, "rest": 190}
    axes = {"held": [1, 0], "answered": [-1, 0], "likely": [1, 1], "rest": [-1, 0]}
    places = np.concatenate([np.tile(axes[name], (n, 1)) for name, n in n_of_each.items()])
    embedded = (0.3 * places + 0.01 * rng.standard_normal(places.shape)).astype(np.float32)
    holds = np.arange(8) < 4
    by_answers, _ = fit_head(embedded[:8], holds, np.array(["a"] * 8))
    weights, _ = fit_head(embedded[:8], holds, np.array(["a"] * 8), embedded[8:])
    assert abs(by_answers[1]) < 0.02 * by_answers[0]
    assert weights[1] > 0.05 * weights[0]


def test_one_maker_of_many_examples_rules_less():
    """Forty of one maker lack the label along one axis, four of others along another."""
    axes = np.repeat([[1, 1], [-1, 0], [0, -1]], [8, 40, 4], axis=0)
    embedded, holds = axes.astype(np.float32), np.arange(52) < 8
    apart = np.arange(52).astype(str)
    one = apart.copy()
    one[8:48] = "one"
    alike, _ = fit_head(embedded, holds, apart)
    by_maker, _ = fit_head(embedded, holds, one)
    assert by_maker[1] / by_maker[0] > 1.2 * alike[1] / alike[0]


def test_several_are_asked_before_the_first_is_answered():
    embedded = np.zeros((41, 50), dtype=np.float32)
    embedded[:, 0] = np.linspace(-2, 2, 41)
    embedded[np.arange(41), 1 + np.arange(41)] = 1
    makers = [str(k) for k in range(41)]
    asked = next_to_ask(embedded, makers, [0, 10, 30], [False, False, True], count=4)
    assert len(set(asked)) == 4
    assert embedded[asked[0], 0] > 1
    assert abs(embedded[asked[1], 0]) < 1


def test_without_any_answer_makers_take_turns():
    embedded = np.eye(6, 8, dtype=np.float32)
    asked = next_to_ask(embedded, ["a", "a", "a", "b", "c", "c"], [], [], count=3)
    assert {"aaabcc"[k] for k in asked} == {"a", "b", "c"}


def test_what_is_asked_next_is_of_another_maker(rng):
    embedded = np.tile(rng.standard_normal(8).astype(np.float32), (6, 1))
    embedded += 1e-3 * rng.standard_normal(embedded.shape).astype(np.float32)
    chosen = next_to_ask(embedded, ["a", "a", "a", "a", "b", "a"], [0, 1], [True, False])
    assert chosen == [4]
