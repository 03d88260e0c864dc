"""What colours a thing has: enough to tell it from most others, and to say where in an image it may be.

Histograms and their intersection, after Swain and Ballard, Color Indexing, 1991; a fraction of a millisecond each.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

_BINS = (4, 8, 8)
"""Of CIE L*a*b*; few of lightness, which changes with the light."""
BINS = int(np.prod(_BINS))
_NEARBY = 0.25
"""Share of a colour that counts for each of its neighbours, since it may lie at a bin's edge."""
_USUAL = 150.0
"""Mean of an image's pixels, of 255."""
_OF_ACCOUNT = 0.01
"""Share from which on a colour helps to find a thing."""
_ROOM = 1.1
"""Edge of what is looked at at once, in edges of a square as large as the thing."""
_FILLED = 0.8
"""Share of that which the thing fills."""


@dataclass(frozen=True, eq=False)
class Colours:
    """How much of a thing is of each colour."""

    shares: NDArray[np.float32]
    """(256,) 0 to 1, their sum 1."""

    @staticmethod
    def of(image: NDArray[np.uint8], mask: NDArray[np.bool_]) -> Colours | None:
        """Of the pixels of an image (H, W, 3) RGB under a mask (h, w) of all of it; None if there are none."""
        size = image.shape[1::-1]
        pixels = image[cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0]
        if not len(pixels):
            return None
        counts = np.bincount(_bins(pixels[None]).ravel(), minlength=BINS)
        return Colours((counts / len(pixels)).astype(np.float32))

    def likeness(self, other: Colours) -> float:
        """0 to 1: what they have in common."""
        return float(np.minimum(self._spread, other._spread).sum())

    def find(self, image: NDArray[np.uint8], area: float) -> tuple[float, float]:
        """x and y of the middle of the place in an image (h, w, 3) RGB, `evenly_lit`, that has most of these colours,
        in edges of the image.

        area: of the thing, 0 to 1, as a share of the image.
        """
        bins = _bins(image)
        height, width = bins.shape
        edge = max(3, round(_ROOM * float(np.sqrt(area * height * width))))
        common = np.zeros((height, width), np.float32)
        for colour in np.flatnonzero(self.shares > _OF_ACCOUNT):
            here = cv2.boxFilter((bins == colour).astype(np.float32), -1, (edge, edge), borderType=cv2.BORDER_CONSTANT)
            common += np.minimum(here, _FILLED * self.shares[colour])
        y, x = np.unravel_index(common.argmax(), common.shape)
        return (int(x) + 0.5) / width, (int(y) + 0.5) / height

    @cached_property
    def _spread(self) -> NDArray[np.float32]:
        shares = self.shares.reshape(_BINS)
        for axis, bins in enumerate(_BINS):
            each = np.arange(bins)
            below, above = shares.take(np.maximum(each - 1, 0), axis), shares.take(np.minimum(each + 1, bins - 1), axis)
            shares = _NEARBY * (below + above) + (1 - 2 * _NEARBY) * shares
        return np.asarray(shares / shares.sum(), np.float32)


def usual_gain(image: NDArray[np.uint8]) -> float:
    """What makes an image (H, W, 3) as bright as is usual."""
    return _USUAL / max(float(image.mean()), 1.0)


def evenly_lit(part: NDArray[np.uint8], gain: float) -> NDArray[np.uint8]:
    """A part (h, w, 3) of an image with that `usual_gain` as it would be in usual light: a thing has the same colours
    in the evening, and after the camera has changed its exposure."""
    return np.asarray(cv2.convertScaleAbs(part, alpha=gain))


def _bins(image: NDArray[np.uint8]) -> NDArray[np.int64]:
    """(H, W) which colour each pixel of an image (H, W, 3) RGB is of."""
    lab = cv2.cvtColor(image, cv2.COLOR_RGB2LAB).astype(np.int64)
    a, b, c = (lab[..., channel] * bins // 256 for channel, bins in enumerate(_BINS))
    return np.asarray((a * _BINS[1] + b) * _BINS[2] + c)
