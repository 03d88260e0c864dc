"""The mask that an object had on the image before, led to where it is now: it knows the thin parts that a small network
leaves out, as long as somebody says how they have moved.

Dense inverse search (Kroeger et al., Fast Optical Flow using Dense Inverse Search, 2016) does, as OpenCV has it: a
millisecond for an object on one CPU core.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from .search_region import SearchRegion

_REACH = 6
"""What part of a region's edge an object is believed to go from one image to the next, at most: this many make one."""
_AGAINST = 0.25
"""How much a pixel beside a mask says against the object's being there, for one in it."""


@dataclass(frozen=True)
class CloseUp:
    """A mask as it was seen from close by."""

    crop: SearchRegion
    mask: NDArray[np.bool_]
    """(R, R) of it."""


@dataclass(frozen=True)
class Earlier:
    """A mask on the image before, and about how far the object has gone since then."""

    close_up: CloseUp
    x: float
    """How far to the right, in edges of the image; and down."""
    y: float

    @staticmethod
    def of(
        close_up: CloseUp, region: SearchRegion, expected: NDArray[np.bool_], found: NDArray[np.bool_]
    ) -> Earlier | None:
        """expected: the same mask as it lies in a region, (h, w); found: that on the image now, in the same region.

        None if one of them is empty: it is as like the other in one place as in any.
        """
        if not (expected.any() and found.any()):
            return None
        reach = len(found) // _REACH
        room = np.pad(found - np.float32(_AGAINST), reach)
        likeness = cv2.matchTemplate(room, expected.astype(np.float32), cv2.TM_CCORR)
        down, right = np.unravel_index(likeness.argmax(), likeness.shape)
        per_cell = region.scale / len(found)
        return Earlier(close_up, (int(right) - reach) * per_cell, (int(down) - reach) * per_cell)

    def source(self, crop: SearchRegion) -> SearchRegion:
        """About what a crop of the image now shows, on the image before."""
        return SearchRegion.inside(crop.x - self.x, crop.y - self.y, crop.scale)

    def led(
        self, source: SearchRegion, before: NDArray[np.uint8], now: NDArray[np.uint8], height: int, width: int
    ) -> NDArray[np.float32]:
        """(R, R) of a crop of the image now: 1 where the mask has gone, -1 elsewhere.

        before, now: (R, R, 3) RGB, `source` on the image before, and the crop; height, width: of the images in pixels.
        """
        then, here = (cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) for picture in (before, now))
        search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
        search.setFinestScale(0)  # by itself it stops at a quarter of the pixels, where a thin part is none
        search.setPatchStride(5)  # of 8: as good as 4, in two thirds of the time
        came = search.calc(here, then, None)  # type: ignore[call-overload]  # None is for it to make room
        size = len(now)
        x0, y0, x1, y1 = source.pixels(height, width)
        left, top, right, bottom = self.close_up.crop.pixels(height, width)
        middles = np.arange(size, dtype=np.float32) + 0.5
        x = ((middles + came[..., 0]) * (x1 - x0) / size + x0 - left) * size / (right - left) - 0.5
        y = ((middles[:, None] + came[..., 1]) * (y1 - y0) / size + y0 - top) * size / (bottom - top) - 0.5
        share = cv2.remap(self.close_up.mask.astype(np.float32), x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
        return np.asarray(2 * share - 1, np.float32)
