"""One file to what is seen in it."""

from __future__ import annotations

import ctypes
import math
import os
from contextlib import suppress
from typing import TYPE_CHECKING

from asmr_classify.errors import DecodeError
from asmr_classify.visual.film import Film
from asmr_classify.visual.seen import Effort, Lanes, Light, Motion, MotionLevel, Picture, Visual

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from asmr_classify.visual.film import Shown

LANE_STEP = 2.0
"""Seconds that a value of a lane stands for, where enough was looked at."""

MOST_VALUES = 1000
"""Of a lane: a record of ten hours stays small."""

STILL_CELLS = 5.0
"""Of 255: compression changes no part of a still picture by more. At 320 x 180 and 150 kbit/s it is
4.2 at most in nine of ten frames; a lamp that gets a fifth stronger changes its picture by 6.5."""

STILL_SHARE = 0.9
"""Of the frames show the one picture: it may be faded in and out."""

MOST_KEPT = 600
"""Frames of which the cells are kept to tell whether a picture is still."""

Samples = list[tuple[float, float]]


def look(
    path: str | os.PathLike[str],
    *,
    effort: Effort = Effort.NORMAL,
    on_progress: Callable[[], None] | None = None,
) -> Visual:
    """Look at the picture of a file.

    Parameters
    ----------
    path : path
    effort : Effort
        How much of a long video is decoded.
    on_progress : callable, optional
        Called often, as long as it gets on.

    Returns
    -------
    Visual
        Of a file without a picture, or with a cover only, that alone is told: nothing is decoded.

    Raises
    ------
    OpenError
        If the file cannot be opened, or its picture is of an unknown codec or of absurd dimensions.
    DecodeError
        If not one frame can be decoded.
    """
    with Film.open(os.fsdecode(path)) as film:
        if film.picture is not Picture.VIDEO:
            return Visual(film.picture, effort=effort)
        give_back()
        eye = Eye(1 / film.rate)
        for shown in film.iter_frames(effort, on_progress):
            eye.see(shown)
        if film.n_damaged > eye.n_frames:
            raise DecodeError(
                os.fsdecode(path),
                f"{film.n_damaged} packets of its picture are damaged, and only {eye.n_frames} "
                "could be decoded; play it to see",
            )
        return eye.conclude(film.duration, effort)


def give_back() -> None:
    """Give the system what was freed: glibc keeps it, in pieces too small for the frames of 4K."""
    with suppress(AttributeError, OSError, TypeError):  # other systems keep less, or have no such
        ctypes.CDLL(None).malloc_trim(0)


class Eye:
    """Sees the frames of one file, and tells what there was to see.

    Parameters
    ----------
    frame_seconds : float
        How long the last frame of a stretch is shown.
    """

    def __init__(self, frame_seconds: float) -> None:
        # What they load is loaded for files with a picture only.
        from asmr_classify.visual.cuts import CutFinder
        from asmr_classify.visual.flashes import FlashCounter
        from asmr_classify.visual.light import Bars
        from asmr_classify.visual.motion import MotionMeter

        self.n_frames = 0
        self._n_stretches = 0
        self._frame_seconds = frame_seconds
        self._seen = 0.0
        self._last: float | None = None
        self._motion, self._cuts = MotionMeter(), CutFinder()
        self._flashes, self._bars = FlashCounter(), Bars()
        self._light: Samples = []
        self._blue, self._all = 0.0, 0.0
        self._cells: list[NDArray[np.float32]] = []
        self._keep_each = 1

    def see(self, shown: Shown) -> None:
        """Look at the next frame."""
        from asmr_classify.visual.cuts import to_thumbnail
        from asmr_classify.visual.flashes import to_cells
        from asmr_classify.visual.light import to_lightness, to_linear, to_luma, to_luminance

        linear = to_linear(shown.image)
        luminance, luma = to_luminance(linear), to_luma(shown.image)
        thumbnail = to_thumbnail(shown.image)
        self._count(shown)
        self._bars.see(luma)
        self._light.append((shown.time, float(to_lightness(luminance).mean())))
        sums = linear.sum(axis=(0, 1), dtype=float)
        self._blue, self._all = self._blue + float(sums[2]), self._all + float(sums.sum())
        if not shown.is_next:
            self._flashes.begin_anew()
        self._flashes.see(shown.time, to_cells(luminance))
        self._cuts.see(shown.time, thumbnail, is_next=shown.is_next)
        self._motion.see(shown.time, luma, thumbnail, is_next=shown.is_next)
        self._keep(to_cells(luma))

    def _count(self, shown: Shown) -> None:
        self.n_frames += 1
        is_gap = self._last is None or not shown.is_next
        self._n_stretches += is_gap
        self._seen += self._frame_seconds if is_gap else shown.time - (self._last or 0.0)
        self._last = shown.time

    def _keep(self, cells: NDArray[np.float32]) -> None:
        """Keep some of the frames, evenly spread, however many there are."""
        if (self.n_frames - 1) % self._keep_each:
            return
        self._cells.append(cells)
        if len(self._cells) > MOST_KEPT:
            self._cells = self._cells[::2]
            self._keep_each *= 2

    def conclude(self, duration: float | None, effort: Effort) -> Visual:
        """Tell what there was to see.

        Parameters
        ----------
        duration : float or None
            Seconds that the file claims to last.
        effort : Effort

        Returns
        -------
        Visual
        """
        from asmr_classify.visual.cuts import per_minute
        from asmr_classify.visual.light import from_lightness

        self._motion.finish()
        self._cuts.finish()
        rows, columns = self._bars.inside()
        inside = rows * columns
        # Bars have no lightness, and no motion.
        light = [(t, from_lightness(min(100.0, x / inside))) for t, x in self._light]
        scale = self._diagonals(rows, columns) / math.sqrt(inside)
        moments = [(time, value * scale) for time, value in self._motion.moments]
        last = self._last or 0.0
        # Where frames come as they like, the last is not shown for as long as others in the mean.
        end = max(duration or last + self._frame_seconds, last)
        cuts = per_minute(len(self._cuts.times), self._seen, self._cuts.apart)
        motion = _sum_up_motion(moments)
        is_still = self._is_still() and not cuts
        if is_still and (motion is None or motion.level is MotionLevel.STILL):
            motion = motion or Motion(MotionLevel.STILL, 0.0, 0.0)
            picture = Picture.STILL
        else:
            picture = Picture.VIDEO
        return Visual(
            picture=picture,
            motion=motion,
            light=_sum_up_light(light, self._blue / self._all if self._all else 1 / 3),
            cuts_per_minute=cuts,
            flashes=self._flashes.most,
            seen=min(self._seen, end),
            effort=effort,
            lanes=_draw_lanes(moments, light, end, self._n_stretches),
        )

    def _diagonals(self, rows: float, columns: float) -> float:
        """Tell how many diagonals of what is between the bars that of the whole frame is."""
        height, width = self._motion.shape
        return math.hypot(height, width) / math.hypot(height * rows, width * columns)

    def _is_still(self) -> bool:
        """Tell whether nearly all frames show the same."""
        import numpy as np

        kept = [cells for cells in self._cells if cells.shape == self._cells[0].shape]
        if len(kept) < len(self._cells):
            return False
        frames = np.stack(kept)
        apart = np.abs(frames - np.median(frames, axis=0)).max(axis=1)
        return float(np.mean(apart <= STILL_CELLS)) >= STILL_SHARE


def _sum_up_motion(moments: Samples) -> Motion | None:
    import numpy as np

    from asmr_classify.visual.levels import motion_level

    if not moments:
        return None
    median, p95 = np.percentile([value for _, value in moments], [50, 95])
    return Motion(motion_level(median, p95), float(median), float(p95))


def _sum_up_light(samples: Samples, blue: float) -> Light:
    """Sum up light over time: frames stand for the time around them, as bursts hold many."""
    import numpy as np

    from asmr_classify.visual.levels import light_level

    times, values = np.array(samples).T
    halfway = (times[1:] + times[:-1]) / 2
    weights = np.diff(np.concatenate([times[:1], halfway, times[-1:]])) + 1e-3
    order = np.argsort(values)
    share = np.cumsum(weights[order]) / weights.sum()
    median, p95 = (values[order][np.searchsorted(share, x - 1e-9)] for x in (0.5, 0.95))
    return Light(light_level(median), float(median), float(p95), blue)


def _draw_lanes(motion: Samples, light: Samples, duration: float, n_stretches: int) -> Lanes:
    """Average motion and light over steps of time, as short as what was looked at allows."""
    n_values = MOST_VALUES if n_stretches == 1 else min(MOST_VALUES, n_stretches)
    step = max(LANE_STEP, float(math.ceil(duration / n_values)))
    n = max(1, math.ceil(duration / step))
    return Lanes(step, _average(motion, step, n), _average(light, step, n))


def _average(samples: Samples, step: float, n: int) -> tuple[float | None, ...]:
    sums, counts = [0.0] * n, [0] * n
    for time, value in samples:
        k = min(n - 1, max(0, int(time / step)))
        sums[k] += value
        counts[k] += 1
    return tuple(
        total / count if count else None for total, count in zip(sums, counts, strict=True)
    )
