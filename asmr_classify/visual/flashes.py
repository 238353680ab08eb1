"""Flashes, as WCAG 2.3.1 and ITU-R BT.1702 define the general flash.

A *change* is a rise or fall of relative luminance by 0.1 or more, to or from less than 0.8; a
*flash* is a pair of opposing changes. The picture is cut into :data:`CELLS` and each is followed by
itself: a change is complete, and counts, at the first frame at which luminance is by 0.1 or more
above its lowest, or below its highest, since the change before. Flashes count where they fall
within one second over a quarter of the picture or more. The number told is the most flashes within
any one second: the largest n such that a quarter of the cells or more have 2 n changes in it.
"""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

LEAST_CHANGE = 0.1
"""Of relative luminance (WCAG 2.3.1, general flash)."""

MOST_DARK = 0.8
"""The darker of both states lies below this (WCAG 2.3.1)."""

SHARE = 0.25
"""Of the picture (ITU-R BT.1702, and the simplification of WCAG 2.3.1 for whole screens)."""

SECOND = 1.0

CELLS = 12
"""Along the shorter side of the picture: fine enough for a quarter, and grain is averaged away."""

TINY = 1e-6
"""Times and luminances are rounded."""

Cells = NDArray[np.float32]


def to_cells(luminance: Cells) -> Cells:
    """Average a picture over about square cells.

    Parameters
    ----------
    luminance : ndarray of float32, shape (height, width)

    Returns
    -------
    ndarray of float32, shape (n_cells,)
    """
    height, width = luminance.shape
    side = max(1, min(height, width) // CELLS)
    rows, columns = np.arange(0, height, side), np.arange(0, width, side)
    sums = np.add.reduceat(np.add.reduceat(luminance, rows, axis=0), columns, axis=1)
    areas = np.outer(np.diff(rows, append=height), np.diff(columns, append=width))
    return np.asarray((sums / areas).ravel(), np.float32)


class FlashCounter:
    """Counts flashes while frames go by.

    Attributes
    ----------
    most : int or None
        The most within any one second so far; None before there were two neighbouring frames.
    """

    def __init__(self) -> None:
        self.most: int | None = None
        self.begin_anew()

    def begin_anew(self) -> None:
        """Forget the frames before: the next is no neighbour of theirs."""
        self._low: Cells | None = None
        self._high: Cells | None = None
        self._direction: NDArray[np.int8] | None = None
        self._changes: deque[tuple[float, NDArray[np.bool_]]] = deque()

    def see(self, time: float, cells: Cells) -> None:
        """Look at the next frame.

        Parameters
        ----------
        time : float
        cells : ndarray of float32, shape (n_cells,)
            Relative luminance.
        """
        if self._low is None or self._high is None or self._direction is None:
            self._low, self._high = cells.copy(), cells.copy()
            self._direction = np.zeros(cells.shape, np.int8)
            return
        rises = (self._direction <= 0) & _is_change(self._low, cells)
        falls = (self._direction >= 0) & _is_change(cells, self._high)
        np.minimum(self._low, cells, out=self._low)
        np.maximum(self._high, cells, out=self._high)
        changes = rises | falls
        self._direction = np.where(rises, 1, np.where(falls, -1, self._direction)).astype(np.int8)
        # Since a change, only what lies behind it counts.
        self._low[changes] = self._high[changes] = cells[changes]
        if changes.any():
            self._changes.append((time, changes))
        while self._changes and self._changes[0][0] <= time - SECOND + TINY:
            self._changes.popleft()
        self.most = max(self.most or 0, self._count(len(cells)))

    def _count(self, n_cells: int) -> int:
        if len(self._changes) < 2:
            return 0
        flashes = np.sum([changes for _, changes in self._changes], axis=0) // 2
        needed = int(np.ceil(SHARE * n_cells - TINY))
        return int(np.partition(flashes, n_cells - needed)[n_cells - needed])


def _is_change(darker: Cells, lighter: Cells) -> NDArray[np.bool_]:
    is_large = lighter - darker >= LEAST_CHANGE - TINY
    return np.asarray(is_large & (darker < MOST_DARK))
