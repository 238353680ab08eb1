"""Flashes against a count that follows the definition, cell by cell and window by window."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asmr_classify.visual.flashes import FlashCounter, to_cells


def changes_of(times, luminances):
    """When changes of one cell are complete: from the definition, with no cleverness."""
    found, low, high, last = [], luminances[0], luminances[0], 0
    for time, value in zip(times[1:], luminances[1:], strict=True):
        rise = value - low >= 0.1 - 1e-6 and low < 0.8 and last != 1
        fall = high - value >= 0.1 - 1e-6 and value < 0.8 and last != -1
        low, high = min(low, value), max(high, value)
        if rise or fall:
            found.append(time)
            low = high = value
            last = 1 if rise else -1
    return found


def brute_force(times, cells):
    """The most flashes in any one second that a quarter of the cells have."""
    series = [changes_of(times, cells[:, k]) for k in range(cells.shape[1])]
    most = 0
    for end in times:
        counts = [sum(end - 1 + 1e-6 < t <= end for t in found) // 2 for found in series]
        for n in range(most + 1, max(counts) + 1):
            if sum(count >= n for count in counts) >= 0.25 * len(counts) - 1e-6:
                most = n
    return most


def counted(times, cells):
    counter = FlashCounter()
    for time, row in zip(times, cells.astype(np.float32), strict=True):
        counter.see(time, row)
    return counter.most


levels = st.sampled_from([0.0, 0.04, 0.1, 0.15, 0.2, 0.5, 0.75, 0.79, 0.85, 1.0])


@settings(max_examples=150)
@given(
    st.integers(1, 9).flatmap(
        lambda n: st.lists(st.lists(levels, min_size=n, max_size=n), min_size=2, max_size=40)
    ),
    st.sampled_from([12.5, 24.0, 25.0, 60.0]),
)
def test_flashes_are_as_the_definition_counts_them(rows, rate):
    cells = np.array(rows, np.float32)
    times = [k / rate for k in range(len(cells))]
    assert counted(times, cells) == brute_force(times, cells)


@pytest.mark.parametrize("hertz", [2, 3, 5, 10, 12])
@pytest.mark.parametrize("rate", [25, 50, 60])
def test_flicker_flashes_as_often_as_it_flickers(hertz, rate):
    times = np.arange(2 * rate) / rate
    # Half a frame off, so that no frame falls upon an edge.
    on = (times + 0.5 / rate) * hertz % 1 < 0.5
    cells = np.repeat(np.where(on, 0.6, 0.2)[:, None], 16, axis=1)
    assert counted(times, cells) == brute_force(times, cells)
    assert abs(counted(times, cells) - hertz) <= 1


@pytest.mark.parametrize(
    ("dark", "light", "share", "flashes"),
    [
        pytest.param(0.2, 0.29, 1.0, 0, id="too faint"),
        pytest.param(0.2, 0.31, 1.0, 4, id="enough"),
        pytest.param(0.82, 1.0, 1.0, 0, id="both light"),
        pytest.param(0.2, 0.6, 0.2, 0, id="too small"),
        pytest.param(0.2, 0.6, 0.3, 4, id="large enough"),
    ],
)
def test_what_counts_as_a_flash(dark, light, share, flashes):
    times = np.arange(100) / 25
    cells = np.full((100, 100), dark)
    cells[(times + 0.02) * 4 % 1 < 0.5, : round(100 * share)] = light
    assert counted(times, cells) == flashes


def test_flashes_do_not_reach_over_frames_that_were_not_seen():
    counter = FlashCounter()
    for time in range(10):
        counter.begin_anew()
        counter.see(time / 10, np.full(4, time % 2, np.float32))
    assert counter.most is None


def test_cells_are_means_of_about_square_parts(rng):
    luminance = rng.random((72, 128)).astype(np.float32)
    cells = to_cells(luminance)
    assert len(cells) == 12 * 22
    assert cells[0] == pytest.approx(luminance[:6, :6].mean(), rel=1e-4)
    assert cells[-1] == pytest.approx(luminance[-6:, 126:].mean(), rel=1e-4)
