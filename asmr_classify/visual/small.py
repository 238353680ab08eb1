"""Frames made small: :data:`SMALL_PIXELS` pixels in their own shape, by averaging areas.

They are not turned as a player turns them: nothing that is measured depends on it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, cast

from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter

if TYPE_CHECKING:
    import av
    import numpy as np
    from av.video.stream import VideoStream
    from numpy.typing import NDArray

SMALL_PIXELS = 128 * 72
"""Fingers are some pixels wide in it, and grain is averaged away."""

LEAST_SIDE = 16
"""Of a small frame, in pixels: cuts compare so many places along each. A picture that is longer
than that allows is distorted."""

CONVERTIBLE = frozenset({0, 1, 4, 5, 6, 7, 9})
"""FFmpeg's numbers of the colours that it makes red, green and blue of. One more, 2, tells nothing;
others (YCgCo, ICtCp, those of constant luminance, reserved ones) are an error there."""

HD_HEIGHT = 720
"""From here on video that tells nothing is meant in the colours of BT.709, below in BT.601."""


class Shrinker:
    """Makes frames of one stream small: to prepare that takes as long as to do it.

    Parameters
    ----------
    pixel_aspect : float
        How wide its pixels are, to their height.
    """

    def __init__(self, pixel_aspect: float = 1.0) -> None:
        self._pixel_aspect = pixel_aspect
        self._reformatter = VideoReformatter()

    def shrink(self, frame: av.VideoFrame) -> NDArray[np.uint8]:
        """Make a frame small.

        Parameters
        ----------
        frame : av.VideoFrame

        Returns
        -------
        ndarray of uint8, shape (height, width, 3)
            Red, green and blue, in full range.
        """
        width, height = small_size(frame.width, frame.height, self._pixel_aspect)
        source = frame.colorspace
        if source not in CONVERTIBLE:
            source = Colorspace.ITU709 if frame.height >= HD_HEIGHT else Colorspace.ITU601
        small = self._reformatter.reformat(
            frame,
            width,
            height,
            format="rgb24",
            src_colorspace=source,
            dst_color_range=ColorRange.JPEG,
            interpolation=Interpolation.AREA,
            threads=1,  # each would have a scaler of its own, and cores have other files
        )
        return cast("NDArray[np.uint8]", small.to_ndarray())


def pixel_aspect(stream: VideoStream) -> float:
    """Tell how wide the pixels of a stream are, to their height, where that can be believed."""
    aspect = float(stream.sample_aspect_ratio or 1)
    return aspect if 0.1 <= aspect <= 10 else 1.0


def small_size(width: int, height: int, pixel_aspect: float = 1.0) -> tuple[int, int]:
    """Tell to which width and height a frame is brought.

    Examples
    --------
    >>> small_size(1920, 1080), small_size(1080, 1920), small_size(720, 576, 16 / 15)
    ((128, 72), (72, 128), (111, 83))
    """
    shown = width * pixel_aspect
    scale = math.sqrt(SMALL_PIXELS / (shown * height))
    small = max(LEAST_SIDE, round(shown * scale)), max(LEAST_SIDE, round(height * scale))
    most = SMALL_PIXELS // LEAST_SIDE
    return min(small[0], most), min(small[1], most)
