"""What whoever takes batches does with them."""

from __future__ import annotations

import pytest

from asmr_classify.aggregate import Status
from asmr_classify.batch import Limits, bench
from asmr_classify.errors import UsageError
from asmr_classify.version import own_version
from tests.batch.tasks import Stub
from tests.batch.test_engine import named


def test_two_runs_by_turns_leave_each_other_their_workers(tmp_path, monkeypatch):
    """A process that takes batches of two runs keeps a worker for each, and for no third."""
    monkeypatch.setattr(bench, "_benches", {})
    orders = [bench.Order(Stub(tmp_path), Limits()) for _ in range(3)]
    made = []
    real = bench._Bench
    monkeypatch.setattr(bench, "_Bench", lambda order: made.append(order.id) or real(order))
    names = "abcdefg"
    for name, number in zip(names, (0, 1, 0, 1, 0, 2, 2), strict=True):
        [outcome] = bench.do_batch(orders[number], [(named(name)[0], None)]).outcomes
        assert (outcome.found.path, outcome.result.status) == (name, Status.OK)
    assert made == [order.id for order in orders]
    assert [of for _, of in bench._benches] == [orders[0].id, orders[2].id]
    for order in orders:
        bench.dismiss(order.id)
    assert not bench._benches


@pytest.mark.parametrize("ends", ["the order", "its turn"])
def test_a_worker_that_another_thread_ends_or_uses_is_passed_over(ends, tmp_path, monkeypatch):
    class Bench:
        def __init__(self, order):
            self.do = lambda _: [order.id]

        def close(self):
            bench._benches.clear()
            raise ValueError("generator already executing")

    monkeypatch.setattr(bench, "_benches", {})
    monkeypatch.setattr(bench, "_Bench", Bench)
    monkeypatch.setattr(bench, "BENCHES", 9)
    orders = [bench.Order(Stub(tmp_path), Limits()) for _ in range(3)]
    for order in orders:
        bench.do_batch(order, [])
    if ends == "the order":
        bench._benches[0, orders[0].id] = Bench(orders[0])
        bench.dismiss(orders[0].id)
    else:
        monkeypatch.setattr(bench, "BENCHES", 1)
        assert bench.do_batch(orders[0], []).outcomes == [orders[0].id]
    assert not bench._benches


def test_another_version_is_refused(tmp_path):
    order = bench.Order(Stub(tmp_path), Limits(), version="0.0.1")
    with pytest.raises(UsageError, match=rf"has asmr-classify {own_version()}.*0\.0\.1"):
        bench.do_batch(order, [(named("a")[0], None)])
