"""Motion: how fast what is in a picture moves, in diagonals of the picture a second.

Two frames are compared by optical flow (Lucas and Kanade 1981, from coarse to fine as in Bouguet
2001) after their local light and contrast are taken out, so that flicker and fades are no motion.
Flow counts where it explains the difference of the frames, and where that stands out from what no
motion explains: grain and compression noise count for nothing. The speed of a moment is the root of
the mean square, over the whole picture: a hand of a tenth of the picture at one diagonal a second
counts as much as the whole picture at a third of one.

Fast motion is measured between neighbours. The slower it is, the further apart frames are that are
compared, so that it shows; so frame rates are of no consequence.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from asmr_classify.visual.cuts import BESIDE, LONGEST, Frame, difference, stands_out

if TYPE_CHECKING:
    from asmr_classify.visual.cuts import Thumbnail

Plane = NDArray[np.float32]

SPANS = (0.03, 0.12, 0.45)
"""Seconds between frames that are compared: the shortest is a frame at usual rates."""

FASTEST, FASTEST_OF_SMALL = 95, 99
"""The parts that are the fastest, in percent; what is small takes less of the picture."""

CLEAR = 4.0
"""Small things move where so many times as much changes as elsewhere; what grain and compression
move by chance stays below twice as much, a hundredth of the picture that moves lies above."""

ENOUGH = 1.0
"""Pixels that the fastest parts move: more than the error of flow, and less than it can follow."""

MOMENT = 0.5
"""Seconds from one moment to the next."""

LEVELS = 4
"""Of the pyramid; at the coarsest a motion of a sixth of the picture is one pixel."""

ITERATIONS = 3
WINDOW = 9
"""Pixels along which flow is taken as one."""

CONTRAST_WINDOW = 21
CONTRAST_FLOOR = 5.0
"""Of 255: what has less contrast is flat."""

STIFFNESS = 2e-3
"""Added to the gradients' squares, so that where there are none there is no motion."""

EXPLAINED = 0.5
"""Share of the squared difference that flow must explain."""

LEAST_DIFFERENCE = 2e-3
"""Mean square, of contrast 1, below which two places are the same."""

MUCH = 0.1
"""Share of all that changed in the picture that motion explains where much of it moves."""

USUAL, OUTSTANDING = 90, 2.0
"""Elsewhere, what moves changes twice as much as nine in ten of the places that change without."""


def normalise(luma: Plane) -> Plane:
    """Take local light and contrast out of a picture.

    Parameters
    ----------
    luma : ndarray of float32, shape (height, width), of 0 to 255

    Returns
    -------
    ndarray of float32, shape (height, width)
    """
    from scipy.ndimage import uniform_filter

    mean = uniform_filter(luma, CONTRAST_WINDOW)
    centred = luma - mean
    # Running sums leave a little less than nothing where a picture is flat beside what is not.
    variance = np.maximum(uniform_filter(centred * centred, CONTRAST_WINDOW), 0)
    return np.asarray(centred / (np.sqrt(variance) + CONTRAST_FLOOR), np.float32)


@dataclass(frozen=True, slots=True)
class Moved:
    """How far what is in one picture has moved in another.

    Parameters
    ----------
    pixels : ndarray of float32, shape (height, width)
        0 where nothing moved, or no motion explains what changed.
    contrast : float
        How many times as much changed where something moved as in nine of ten other places.
    """

    pixels: Plane
    contrast: float

    @property
    def is_enough(self) -> bool:
        """Whether the fastest parts moved far enough to be measured, also if they are small."""
        fastest = FASTEST_OF_SMALL if self.contrast >= CLEAR else FASTEST
        return float(np.percentile(self.pixels, fastest)) >= ENOUGH


def displacement(one: Plane, other: Plane) -> Moved:
    """Measure how far what is in one picture has moved in another.

    Parameters
    ----------
    one, other : ndarray of float32, shape (height, width)
        As :func:`normalise` gives them.

    Returns
    -------
    Moved
    """
    from scipy.ndimage import uniform_filter

    pairs = [(one, other)]
    while len(pairs) < LEVELS and min(pairs[-1][0].shape) >= 2 * WINDOW:
        pairs.append((_halve(pairs[-1][0]), _halve(pairs[-1][1])))
    flow = np.zeros((2, *pairs[-1][0].shape), np.float32)
    for a, b in reversed(pairs):
        flow = _refine(a, b, _to_shape(flow, a.shape))
    before = uniform_filter((other - one) ** 2, WINDOW)
    after = uniform_filter((_warp(other, flow) - one) ** 2, WINDOW)
    is_motion = _is_motion(before, after)
    pixels = np.where(is_motion, np.hypot(flow[0], flow[1]), np.float32(0))
    return Moved(pixels, _contrast(before, is_motion))


def _contrast(before: Plane, is_motion: NDArray[np.bool_]) -> float:
    """Tell how many times as much changed where something moved as in most other places."""
    if not 0 < np.count_nonzero(is_motion) < is_motion.size:
        return 0.0
    usual = float(np.percentile(before[~is_motion], USUAL))
    return float(before[is_motion].mean()) / max(usual, LEAST_DIFFERENCE)


def _is_motion(before: Plane, after: Plane) -> NDArray[np.bool_]:
    """Tell where flow explains what changed, and not by chance alone.

    Grain, and what a poor encoder makes of a picture, change all of it a little, and flow always
    explains some of that.
    """
    is_explained = (before > LEAST_DIFFERENCE) & (after < (1 - EXPLAINED) * before)
    explained = float((before - after)[is_explained].sum())
    if explained >= MUCH * float(before.sum()):
        return is_explained
    noise = float(np.percentile(before[~is_explained], USUAL))
    return is_explained & (before > OUTSTANDING * noise)


def _refine(a: Plane, b: Plane, flow: Plane) -> Plane:
    """Improve flow by the gradients of what it leaves unexplained."""
    from scipy.ndimage import uniform_filter

    dy, dx = np.gradient(a)
    xx = uniform_filter(dx * dx, WINDOW) + STIFFNESS
    yy = uniform_filter(dy * dy, WINDOW) + STIFFNESS
    xy = uniform_filter(dx * dy, WINDOW)
    determinant = xx * yy - xy * xy
    for _ in range(ITERATIONS):
        rest = a - _warp(b, flow)
        x, y = uniform_filter(dx * rest, WINDOW), uniform_filter(dy * rest, WINDOW)
        step = np.stack([xx * y - xy * x, yy * x - xy * y]) / determinant
        flow = flow + np.clip(step, -1.5, 1.5)
    return np.asarray(flow, np.float32)


def _warp(b: Plane, flow: Plane) -> Plane:
    """Take each pixel from where it has moved to."""
    from scipy.ndimage import map_coordinates

    height, width = b.shape
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    at = [rows + flow[0], columns + flow[1]]
    return np.asarray(map_coordinates(b, at, order=1, mode="nearest"), np.float32)


def _halve(image: Plane) -> Plane:
    height, width = (n // 2 * 2 for n in image.shape)
    cut = image[:height, :width]
    return np.asarray((cut[::2, ::2] + cut[1::2, ::2] + cut[::2, 1::2] + cut[1::2, 1::2]) / 4)


def _to_shape(flow: Plane, shape: tuple[int, ...]) -> Plane:
    """Bring flow to a finer level of the pyramid."""
    if flow.shape[1:] == shape:
        return flow
    rows = np.minimum(np.arange(shape[0]) // 2, flow.shape[1] - 1)
    columns = np.minimum(np.arange(shape[1]) // 2, flow.shape[2] - 1)
    return 2 * flow[:, rows][:, :, columns]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Recent(Frame):
    luma: Plane


class MotionMeter:
    """Measures motion, moment by moment, while frames go by.

    A moment is measured :data:`.cuts.BESIDE` frames late: only then is it known whether its own
    frame begins a new picture.

    Attributes
    ----------
    moments : list of tuple of float
        Times and speeds, in diagonals of the whole frame a second.
    shape : tuple of int
        Height and width of the last frame.
    """

    def __init__(self) -> None:
        self.moments: list[tuple[float, float]] = []
        self.shape: tuple[int, ...] = (1, 1)
        self._recent: deque[_Recent] = deque()
        self._measured_at: float | None = None

    def see(self, time: float, luma: Plane, thumbnail: Thumbnail, *, is_next: bool) -> None:
        """Look at the next frame.

        Parameters
        ----------
        time : float
        luma : ndarray of float32, shape (height, width), of 0 to 255
        thumbnail : ndarray of float32
            Of the same frame, see :mod:`.cuts`.
        is_next : bool
            Whether it follows the one before.
        """
        if self._recent and not (is_next and luma.shape == self._recent[-1].luma.shape):
            self.finish()
        self.shape = luma.shape
        if self._measured_at is None:
            self._measured_at = time
        step = seconds = 0.0
        if self._recent:
            before = self._recent[-1]
            step, seconds = difference(before.thumbnail, thumbnail), time - before.time
        self._recent.append(_Recent(time, thumbnail, step, seconds, luma=luma))
        self._reach(len(self._recent) - 1 - BESIDE)

    def finish(self) -> None:
        """Measure what is left, as no more neighbours follow."""
        for late in range(BESIDE - 1, -1, -1):
            self._reach(len(self._recent) - 1 - late)
        if len(self._recent) > 1:
            is_measured = bool(self.moments) and self.moments[-1][0] >= self._recent[0].time
            if not is_measured:
                self._measure(len(self._recent) - 1)
        self._recent.clear()
        self._measured_at = None

    def _reach(self, at: int) -> None:
        """Come to a frame: let go of what is too long before it, and measure if it is time."""
        if at < 0 or self._measured_at is None:
            return
        time = self._recent[at].time
        while at > 1 and self._recent[1].time <= time - SPANS[-1]:
            self._recent.popleft()
            at -= 1
        if time - self._measured_at >= MOMENT:
            self._measure(at)

    def _measure(self, at: int) -> None:
        time = self._recent[at].time
        self._measured_at = time
        speed = self._speed(at)
        if speed is not None:
            self.moments.append((time, speed))

    def _speed(self, at: int) -> float | None:
        """Measure how fast the picture moves at a frame."""
        latest = self._recent[at]
        b, speed = normalise(latest.luma), None
        diagonal = float(np.hypot(*b.shape))
        for earlier in self._pairs(at):
            moved = displacement(normalise(earlier.luma), b)
            root = float(np.sqrt(np.mean(moved.pixels.astype(np.float64) ** 2)))
            speed = root / diagonal / (latest.time - earlier.time)
            if moved.is_enough:
                break
        return speed

    def _pairs(self, at: int) -> list[_Recent]:
        """Choose earlier frames of the same scene to compare with, the nearest first."""
        chosen: list[_Recent] = []
        time = self._recent[at].time
        scene = [*self._recent][self._begin_of_scene(at) : at]
        earlier = [x for x in scene if 0 < time - x.time <= LONGEST]
        for span in SPANS:
            found = min(earlier, key=lambda x: abs(time - x.time - span), default=None)
            if found is not None and all(found.time != x.time for x in chosen):
                chosen.append(found)
        return chosen

    def _begin_of_scene(self, latest: int) -> int:
        """Find the last frame that differs from the one before as no motion would let it."""
        begins = (at for at in range(latest, 0, -1) if stands_out(self._recent, at))
        return next(begins, 0)
