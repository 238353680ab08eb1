"""What a catalogue holds of what people said, to teach from."""

from __future__ import annotations

import os

from asmr_classify.catalogue.answers import Answer
from asmr_classify.training.gather import gather


class AllChanged:
    """Stands in for the catalogue of a library whose files have all changed since."""

    def __init__(self, n_recordings):
        self._paths = [f"/library/{n:06}.mp3" for n in range(n_recordings)]

    def answers(self, *, replaced):  # noqa: ARG002
        return [Answer(path, 0.0, 3.0, ("tap",), ("tap",), 0.0) for path in self._paths]

    def find(self, _query):
        return []

    def some(self, _count):
        return []

    def is_current(self, _path):
        return False


def test_what_was_said_of_a_library_that_has_changed_is_left_out(monkeypatch):
    monkeypatch.setattr(os.path, "lexists", lambda _: True)
    gathered = gather(AllChanged(60_000), ("tap",), os.path.basename)
    assert len(gathered.changed) == 60_000
    assert not gathered.said
