"""What the tests of kills stand on."""

from __future__ import annotations

import gc
import os

import pytest

from tests.library.worlds import run_in_child


class Lost:
    """Garbage that takes calls of C functions to be cleared away."""

    def __init__(self):
        self.own = self

    def __del__(self):
        for _ in range(10):
            len("")


def work():
    """Make so much that garbage is collected."""
    return [[k] for k in range(100_000)]


@pytest.mark.skipif(os.name != "posix", reason="forks of POSIX")
def test_moments_of_kills_do_not_shift_with_what_other_tests_left_behind():
    gc.collect()
    before = run_in_child(work)
    gc.disable()
    try:
        for _ in range(100):
            Lost()
        assert run_in_child(lambda: gc.enable() or work()) == before + 1
    finally:
        gc.enable()
        gc.collect()
