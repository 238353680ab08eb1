"""How light a picture is: relative luminance, the blue in it, and the bars beside it.

Values of red, green and blue are made linear as sRGB (IEC 61966-2-1) says, and weighed as in
ITU-R BT.709: that is the relative luminance of WCAG 2, of 0 (black) to 1 (white).

How light a picture looks is the mean of its lightness L* (CIE 1976), told as relative luminance of
a grey of that lightness: a lamp in a dark room does not make it bright, as it would the mean of
luminance.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Plane = NDArray[np.float32]

WEIGHTS = np.array([0.2126, 0.7152, 0.0722], np.float32)
"""Of linear red, green and blue (ITU-R BT.709, item 3.2)."""

BLACK, BLACKEST = 12, 48
"""Of 255: a line of a bar is not lighter in the mean, nor anywhere: compression leaves traces."""

EDGE = 8
"""What lies beside a bar is lighter by so much somewhere, of 255; else it is a dark room."""

MOST_BAR = 0.4
"""Share of the height, or width, that one bar takes at most."""

UNEVEN = 0.02
"""Bars on both sides differ by no more than this share of the height, or width."""


def _linear() -> Plane:
    value = np.arange(256) / 255
    low = value / 12.92
    return np.where(value <= 0.04045, low, ((value + 0.055) / 1.055) ** 2.4).astype(np.float32)


LINEAR = _linear()


def to_linear(image: Image) -> Plane:
    """Make red, green and blue linear.

    Parameters
    ----------
    image : ndarray of uint8, shape (height, width, 3)

    Returns
    -------
    ndarray of float32, of 0 to 1
    """
    return LINEAR[image]


def to_luminance(linear: Plane) -> Plane:
    """Weigh linear red, green and blue to relative luminance.

    Parameters
    ----------
    linear : ndarray of float32, shape (height, width, 3)

    Returns
    -------
    ndarray of float32, shape (height, width), of 0 to 1

    Examples
    --------
    >>> white = np.full((1, 1, 3), 255, np.uint8)
    >>> round(float(to_luminance(to_linear(white))[0, 0]), 3)
    1.0
    """
    return linear @ WEIGHTS


def to_luma(image: Image) -> Plane:
    """Weigh red, green and blue as they are stored, of 0 to 255: nearer to what eyes see."""
    return image.astype(np.float32) @ WEIGHTS


CUBE_FROM = 216 / 24389
STRAIGHT = 24389 / 27
"""Of CIE 1976: below this relative luminance, lightness is proportional to it."""


def to_lightness(luminance: Plane) -> Plane:
    """Turn relative luminance into lightness L*, of 0 to 100."""
    cubic = 116 * np.cbrt(luminance) - 16
    return np.where(luminance > CUBE_FROM, cubic, STRAIGHT * luminance).astype(np.float32)


def from_lightness(lightness: float) -> float:
    """Turn lightness L* into relative luminance.

    Examples
    --------
    >>> round(from_lightness(50.0), 4), round(from_lightness(100.0), 4), from_lightness(0.0)
    (0.1842, 1.0, 0.0)
    """
    cubic = ((lightness + 16) / 116) ** 3
    return cubic if cubic > CUBE_FROM else lightness / STRAIGHT


class Bars:
    """Finds black bars beside a picture, from all frames that were seen of it."""

    def __init__(self) -> None:
        self._rows: Plane | None = None
        self._columns: Plane | None = None

    def see(self, luma: Plane) -> None:
        """Look at a frame.

        Parameters
        ----------
        luma : ndarray of float32, shape (height, width), of 0 to 255
        """
        rows, columns = _lines(luma, 1), _lines(luma, 0)
        if self._rows is None or self._columns is None:
            self._rows, self._columns = rows, columns
        elif self._rows.shape == rows.shape and self._columns.shape == columns.shape:
            np.maximum(self._rows, rows, out=self._rows)
            np.maximum(self._columns, columns, out=self._columns)

    def inside(self) -> tuple[float, float]:
        """Tell what shares of height and width are no bars."""
        if self._rows is None or self._columns is None:
            return 1.0, 1.0
        return _share_inside(self._rows), _share_inside(self._columns)


def _lines(luma: Plane, axis: int) -> Plane:
    """Tell how light each line is: over BLACK where it is none of a bar."""
    lightest = luma.max(axis=axis) * (BLACK / BLACKEST)
    return np.asarray(np.maximum(luma.mean(axis=axis), lightest), np.float32)


def _share_inside(brightest: Plane) -> float:
    """Tell what share of lines lies between bars; 1 where they are no bars."""
    n = len(brightest)
    lit = np.flatnonzero(brightest > BLACK)
    if not len(lit):
        return 1.0
    before, after = int(lit[0]), n - 1 - int(lit[-1])
    if not before and not after:
        return 1.0
    is_even = abs(before - after) <= max(1, UNEVEN * n)
    at_edges = min(brightest[lit[0] : lit[0] + 2].max(), brightest[lit[-1] - 1 : lit[-1] + 1].max())
    if not is_even or max(before, after) > MOST_BAR * n or at_edges < BLACK + EDGE:
        return 1.0
    return (n - before - after) / n
