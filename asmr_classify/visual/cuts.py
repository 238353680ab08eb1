"""Cuts: where one picture follows another that shows something else.

Pictures are compared as thumbnails whose mean and contrast are taken out, so that a change of light
is none of the picture. A cut is a large difference between neighbours that stands out from those
beside it; a flash, after which the picture is what it was, and a fade, which has no such place, are
none.

Where frames lie apart, all that can be told is whether the picture changed between them. As if cuts
came at random, how many there are a minute follows from how often it did (maximum likelihood of a
Poisson process); where all frames are seen, that is their number by their time.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from asmr_classify.visual.light import Image

GRID = 16
"""Rows and columns of a thumbnail: what moves a little stays in its cell."""

CONTRAST_FLOOR = 6.0
"""Of 255: what has less contrast is flat, and noise must not be blown up."""

CHROMA_SCALE = 30.0
"""Of 255: a plain difference of colour."""

CUT = 0.5
"""Difference between neighbours that is a cut; unrelated pictures differ by about 1."""

STANDS_OUT = 2.5
"""Times what the frames beside it differ by in as much time."""

SAME = 0.25
"""Pictures that differ by less are of one scene."""

CHANGED = 0.62
"""Difference of frames that lie apart from which on they are of two scenes."""

FLASH_SECONDS = 0.35
"""After a flash, the picture is back within this time."""

WOVEN_SECONDS = 0.1
"""What follows a cut at the next frame, within this time, is the same: where a picture is woven of
two fields, a cut between them shows in two frames."""

AGAIN = 0.2
"""Of the largest difference a second: what differs by less is the same frame, compressed again."""

HELD = 0.135
"""Seconds that a drawing of what moves is shown at most: three frames of 24 a second, four of 30.
What is shown for longer stands, and is a scene of its own if it is cut to and from."""

BESIDE = 3
"""Frames on each side of a cut that are compared with it."""

LONGEST = 1.1
"""Seconds: frames further apart are no neighbours. What moves between them cannot be followed, and
what changes there, as from slide to slide where each is one frame, is compared with nothing."""

Thumbnail = NDArray[np.float32]


def to_thumbnail(image: Image) -> Thumbnail:
    """Make of a picture what two of them are compared by.

    Parameters
    ----------
    image : ndarray of uint8, shape (height, width, 3)

    Returns
    -------
    ndarray of float32, shape (3, GRID, GRID)
        Luma without mean and contrast; differences of blue and of red to luma.
    """
    height, width = image.shape[:2]
    rows = np.linspace(0, height, GRID, endpoint=False).astype(int)
    columns = np.linspace(0, width, GRID, endpoint=False).astype(int)
    sums = np.add.reduceat(np.add.reduceat(image.astype(np.float32), rows, 0), columns, 1)
    areas = np.outer(np.diff(rows, append=height), np.diff(columns, append=width))
    rgb = sums / areas[:, :, None]
    luma = rgb @ np.array([0.2126, 0.7152, 0.0722], np.float32)
    light = max(float(luma.mean()), 1.0)
    centred = luma - light
    contrast = float(np.sqrt(np.mean(centred**2)))
    chroma = (rgb[:, :, [2, 0]] - luma[:, :, None]) / CHROMA_SCALE
    return np.concatenate(
        [(centred / (contrast + CONTRAST_FLOOR))[None], np.moveaxis(chroma, 2, 0)]
    ).astype(np.float32)


def difference(one: Thumbnail, other: Thumbnail) -> float:
    """Tell how much two pictures differ: 0 for the same, about 1 for unrelated ones."""
    apart = np.abs(one - other)
    return float(apart[0].mean() + 0.5 * apart[1:].mean())


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame, and how much it differs from the one before, so many seconds earlier."""

    time: float
    thumbnail: Thumbnail
    step: float = 0.0
    seconds: float = 0.0


def stands_out(frames: Sequence[Frame], at: int) -> bool:
    """Tell whether a frame differs from the one before as no motion beside it would let it.

    Parameters
    ----------
    frames : sequence of Frame
        Neighbours.
    at : int
        Which of them.
    """
    frame = frames[at]
    if frame.step < CUT:
        return False
    earlier = (frames[k] for k in range(max(0, at - BESIDE), at))
    later = (frames[k] for k in range(at + 1, min(len(frames), at + 1 + BESIDE)))
    sides = [[x for x in side if x.seconds > 0] for side in (earlier, later)]
    # Where frames begin or end, too few are beside to tell those that are shown again.
    sides = [side for side in sides if len(side) == BESIDE] or sides
    paces: list[float] = []
    for side in sides:
        paces += _paces([x for x in side if abs(x.time - frame.time) <= LONGEST], frame.time)
    usual = float(np.median(paces or [0.0])) * frame.seconds
    return frame.step >= STANDS_OUT * usual


def _paces(side: list[Frame], time: float) -> list[float]:
    """Tell how much frames beside a time differ a second.

    Those that are shown again are left out where others move.
    """
    paces = [x.step / x.seconds for x in side]
    moving = [k for k, pace in enumerate(paces) if pace > AGAIN * max(paces)]
    if any(abs(side[k].time - time) <= HELD for k in moving):
        return [paces[k] for k in moving]
    return paces


@dataclass(frozen=True, slots=True)
class Apart:
    """Two frames that lie apart: the time between them, and whether the picture changed."""

    seconds: float
    is_changed: bool


class CutFinder:
    """Finds cuts while frames go by.

    Attributes
    ----------
    times : list of float
        When a new picture begins.
    apart : list of Apart
        What was found between frames that lie apart.
    seen : float
        Seconds between neighbours.
    """

    def __init__(self) -> None:
        self.times: list[float] = []
        self.apart: list[Apart] = []
        self.seen = 0.0
        self._run: deque[Frame] = deque()
        self._done = 0

    def see(self, time: float, thumbnail: Thumbnail, *, is_next: bool) -> None:
        """Look at the next frame.

        Parameters
        ----------
        time : float
        thumbnail : ndarray of float32
            As :func:`to_thumbnail` gives it.
        is_next : bool
            Whether it follows the one before.
        """
        before = self._run[-1] if self._run else None
        if before is not None and not is_next:
            self.finish()
            changed = difference(before.thumbnail, thumbnail) >= CHANGED
            self.apart.append(Apart(max(0.0, time - before.time), changed))
            before = None
        if before is None:
            self._run.clear()
            self._done = 0
            self._run.append(Frame(time, thumbnail))
            return
        seconds = time - before.time
        self.seen += seconds
        step = difference(before.thumbnail, thumbnail)
        self._run.append(Frame(time, thumbnail, step, seconds))
        self._settle(time - FLASH_SECONDS)

    def finish(self) -> None:
        """Settle what was left open, as no more neighbours follow."""
        self._settle(math.inf)

    def _settle(self, until: float) -> None:
        """Decide on frames whose neighbours on both sides are known."""
        run = self._run
        while self._done < len(run) and run[self._done].time <= until:
            if self._done + BESIDE >= len(run) and until < math.inf:
                return
            if self._is_cut(self._done) and not self._is_counted(self._done):
                self.times.append(run[self._done].time)
            self._done += 1
        while self._done > BESIDE + 1 and run[1].time < run[self._done - 1].time - FLASH_SECONDS:
            run.popleft()
            self._done -= 1

    def _is_cut(self, at: int) -> bool:
        return stands_out(self._run, at) and not self._is_back(at)

    def _is_counted(self, at: int) -> bool:
        """Tell whether the frame before begins a new picture already."""
        before, time = self._run[at - 1].time, self._run[at].time
        return self.times[-1:] == [before] and time - before <= WOVEN_SECONDS

    def _is_back(self, at: int) -> bool:
        """Tell whether the picture before comes back, or that after was there, as with flashes."""
        frames = [*self._run]
        before, after = frames[at - 1].thumbnail, frames[at].thumbnail
        time = frames[at].time
        later = (x for x in frames[at + 1 :] if x.time <= time + FLASH_SECONDS)
        earlier = (x for x in frames[: at - 1] if x.time >= time - FLASH_SECONDS)
        return any(difference(before, x.thumbnail) < SAME for x in later) or any(
            difference(after, x.thumbnail) < SAME for x in earlier
        )


def per_minute(n_cuts: int, seen: float, apart: Iterable[Apart]) -> float | None:
    """Estimate how many cuts there are a minute.

    Parameters
    ----------
    n_cuts : int
        Found between neighbours.
    seen : float
        Seconds in which all frames were seen.
    apart : iterable of Apart

    Returns
    -------
    float or None
        None if nothing was seen.

    Examples
    --------
    >>> per_minute(2, 60.0, [])
    2.0
    """
    apart = [x for x in apart if x.seconds > 0]
    changed = [x.seconds for x in apart if x.is_changed]
    plain = seen + sum(x.seconds for x in apart if not x.is_changed)
    if plain + sum(changed) <= 0:
        return None
    if not changed:
        return 60 * n_cuts / plain
    # If all of them changed, there may be any number; half a place that did not bounds it.
    plain = max(plain, 0.5 * float(np.mean(changed)))

    def excess(rate: float) -> float:
        expected = sum(x / math.expm1(min(rate * x, 700.0)) for x in changed)
        return n_cuts / rate + expected - plain

    low, high = 1e-9, 100.0
    for _ in range(80):
        middle = math.sqrt(low * high)
        low, high = (middle, high) if excess(middle) > 0 else (low, middle)
    return 60 * low
