from __future__ import annotations

import signal
import threading

import pytest

from asmr_classify.cli.interrupts import interrupts_deferred, interrupts_tell


def test_a_second_interrupt_is_raised_at_once():
    told = []
    with interrupts_deferred(lambda: told.append(1)) as flag:
        signal.raise_signal(signal.SIGINT)
        assert flag.is_set()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert told == [1]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_other_threads_leave_signals_alone():
    seen = []

    def look():
        with interrupts_deferred():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert seen == [signal.default_int_handler]


def test_interrupts_that_are_ignored_stay_so():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with interrupts_deferred() as flag:
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)
        assert not flag.is_set()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize(("raised", "told"), [((), "kept"), (("lost",), "lost")])
def test_what_is_left_is_told_by_whoever_is_nearest(raised, told):
    with pytest.raises(KeyboardInterrupt, match=f"^{told}$"), interrupts_tell("kept"):
        raise KeyboardInterrupt(*raised)
