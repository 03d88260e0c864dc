"""The part of an image in which an object is looked for, so that a small network sees a small object large."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from .boxes import box_around

Box = tuple[float, float, float, float]
"""x0 y0 x1 y1, in pixels of the image."""

_ROOM = 1.5
"""Edge of a region in longest sides of the object, at least, however thin the object is."""
_SMALLEST = 1 / 16
"""Edge of the smallest region, in edges of the image: smaller ones show nothing but pixels."""
_WELL_INSIDE = 0.8
"""Share of a region, around its middle, whose pixels are far enough from its edges."""
_PACE = 1.15
"""How much larger or smaller a region may be than the one before it."""
_SLOWLY = 1.03
"""How much smaller one that is not far too large: an object goes away slowly, but a mask loses parts at once, and a
region that shrank with it would lose the rest."""
_TOO_LARGE = 1.6
"""How much larger a region is than it need be when it is far too large, as after a search."""
_GENEROUS = 1.2
"""How much larger a region is than an object needs of which it is not known how far away it is now."""
_STRAY = 0.25
"""Share of the largest piece of a mask below which another piece does not count as the object."""


@dataclass(frozen=True)
class SearchRegion:
    """A part of an image, with the image's proportions and inside it. Lengths are in edges of the image.

    Raises ValueError where it would not be inside.
    """

    x: float = 0.5
    """Of the middle, from the left."""
    y: float = 0.5
    """Of the middle, from the top."""
    scale: float = 1.0
    """Width and height; 1 is the whole image."""
    guessed: bool = False
    """Whether it is looked at once, for an object that the whole image does not show."""

    def __post_init__(self) -> None:
        half = self.scale / 2
        inside = all(half - 1e-6 <= middle <= 1 - half + 1e-6 for middle in (self.x, self.y))
        if not (0 < self.scale <= 1 and inside):
            raise ValueError(f"a search region must be inside the image: ({self.x}, {self.y}), scale {self.scale}")

    @staticmethod
    def around(box: Box, height: int, width: int, context: float) -> SearchRegion:
        """The region for an object with this box, not empty, in an image of height x width pixels.

        context: edge of the region for one edge of a square as large as the box, as in SiamFC (Bertinetto et al.,
        2016).
        """
        x0, y0, x1, y1 = box[0] / width, box[1] / height, box[2] / width, box[3] / height
        wide, high = x1 - x0, y1 - y0
        scale = max(context * math.sqrt(wide * high), _ROOM * wide, _ROOM * high, _SMALLEST)
        return SearchRegion.inside((x0 + x1) / 2, (y0 + y1) / 2, scale)

    @staticmethod
    def inside(x: float, y: float, scale: float, *, guessed: bool = False) -> SearchRegion:
        """The region with this middle and size, made no larger than the image and moved until all of it is inside."""
        scale = min(1.0, scale)
        low, high = scale / 2, 1 - scale / 2
        return SearchRegion(min(max(x, low), high), min(max(y, low), high), scale, guessed)

    @staticmethod
    def guess(x: float, y: float, share: float, context: float) -> SearchRegion:
        """For an object that covers such a share of the image and may have its middle there; context: of `around`."""
        return SearchRegion.inside(x, y, max(_GENEROUS * context * math.sqrt(share), _SMALLEST), guessed=True)

    def after(
        self, box: Box | None, height: int, width: int, context: float, *, turn: int = 0, sure: bool = True
    ) -> SearchRegion:
        """The region on the next image; box: of the object on this one, None if it was not seen in this region.

        It goes with the object. Around one that is out of view, or of which one is not sure, it grows until it is the
        whole image. In that a small object may be too small to be found: from then on every second region is a part
        of the image. turn: number of the image, which decides which part.
        """
        grown = self.scale * _PACE
        if box is None:
            if self.scale == 1:
                # By the golden ratio each part has its turn, also where only every so many images are searched.
                return _PARTS[int(len(_PARTS) * (turn * _GOLDEN % 1))]
            return SearchRegion() if self.guessed else SearchRegion.inside(self.x, self.y, grown)
        target = SearchRegion.around(box, height, width, context)
        smallest = self.scale / (_PACE if self.scale > _TOO_LARGE * target.scale else _SLOWLY)
        scale = min(max(target.scale, smallest), grown) if sure else grown
        return SearchRegion.inside(target.x, target.y, scale)

    def around_points(self, points: Sequence[tuple[float, float]], height: int, width: int) -> SearchRegion:
        """This region if all these pixels of the image are well inside; otherwise one with them around its middle, of
        the same size or as much larger as they need."""
        places = (np.reshape(points, (-1, 2)) + 0.5) / (width, height)
        if not len(places) or np.abs(places - (self.x, self.y)).max() < _WELL_INSIDE * self.scale / 2:
            return self
        low, high = places.min(axis=0), places.max(axis=0)
        scale = max(self.scale, float((high - low).max()) / _WELL_INSIDE)
        x, y = (low + high) / 2
        return SearchRegion.inside(float(x), float(y), scale)

    def box_of(self, mask: NDArray[np.bool_], height: int, width: int) -> Box | None:
        """The box in an image of height x width pixels of a mask (h, w) of the region, of its main pieces: it does not
        grow with what strays. None where there are none."""
        box = box_around(main_pieces(mask))
        if box is None:
            return None
        x0, y0, x1, y1 = self.pixels(height, width)
        per_column, per_row = (x1 - x0) / mask.shape[1], (y1 - y0) / mask.shape[0]
        return x0 + per_column * box[0], y0 + per_row * box[1], x0 + per_column * box[2], y0 + per_row * box[3]

    def mask_in(self, other: SearchRegion, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """A mask (h, w) of this region as it lies in another, (h, w)."""
        height, width = mask.shape
        zoom = self.scale / other.scale
        x, y = (self.x - other.x) / other.scale, (self.y - other.y) / other.scale
        # Both middles are half a pixel before the one of index w / 2.
        shift = [width * x + (1 - zoom) * (width - 1) / 2, height * y + (1 - zoom) * (height - 1) / 2]
        matrix = np.array([[zoom, 0, shift[0]], [0, zoom, shift[1]]])
        shares = cv2.warpAffine(mask.astype(np.float32), matrix, (width, height), flags=cv2.INTER_LINEAR)
        return shares > 0.5

    def overlap(self, mask: NDArray[np.bool_], other: SearchRegion, others: NDArray[np.bool_]) -> float:
        """The IoU of a mask (h, w) of this region with another region's (h, w), also where only one of the regions is;
        0 for two empty ones."""
        common = (mask & other.mask_in(self, others)).sum() * self.scale**2
        union = mask.sum() * self.scale**2 + others.sum() * other.scale**2 - common
        return float(common / union) if union else 0.0

    def pixels(self, height: int, width: int) -> tuple[int, int, int, int]:
        """x0 y0 x1 y1 in an image of height x width pixels; x1 and y1 are one past the last pixel."""
        wide, high = max(1, round(self.scale * width)), max(1, round(self.scale * height))
        x0 = min(max(0, round((self.x - self.scale / 2) * width)), width - wide)
        y0 = min(max(0, round((self.y - self.scale / 2) * height)), height - high)
        return x0, y0, x0 + wide, y0 + high


WHOLE = SearchRegion()
"""All of the image."""
_PARTS = tuple(
    SearchRegion.inside(x, y, 0.6, guessed=True)
    for x, y in ((0.5, 0.5), (0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0))
)
"""They overlap, so that an object at an edge of one is inside another."""
_GOLDEN = (math.sqrt(5) - 1) / 2


def main_pieces(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """A mask (h, w) without the small pieces beside a large one, which stray: one of a small network has them."""
    count, labels, pieces, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    if count <= 2:
        return mask
    areas = pieces[:, cv2.CC_STAT_AREA]
    kept = areas >= _STRAY * areas[1:].max()
    kept[0] = False  # the background
    return kept[labels]
