from __future__ import annotations

import pytest

from asmr_classify.labels import CONTEXTS, DEFINITIONS, SILENCE, TRIGGERS, Kind, kind_of
from asmr_classify.model import load_model


def test_every_label_of_the_shipped_model_has_a_definition():
    assert set(load_model().labels) | {SILENCE} == set(DEFINITIONS)


@pytest.mark.parametrize("label", TRIGGERS)
def test_triggers_are_triggers(label):
    assert kind_of(label) is Kind.TRIGGER


@pytest.mark.parametrize("label", [*CONTEXTS, SILENCE])
def test_contexts_are_contexts(label):
    assert kind_of(label) is Kind.CONTEXT


def test_a_label_of_ones_own_is_a_trigger():
    assert kind_of("brush") is Kind.TRIGGER
