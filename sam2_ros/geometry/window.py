"""The part of a mask and of a depth image around one object."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from .camera import Pinhole, ray_table
from .depth import DepthImage
from .plane import Plane

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Box = tuple[int, int, int, int]
"""x0 y0 x1 y1 in pixels of the image; x1 and y1 are one past the last one."""

_MOST = 12000  # pixels of the window within the object's box
_RIM = 4  # pixels of the window around it
_AROUND = 1600  # pixels looked at to find what is around an object
_FAR = np.float32(1e6)


@dataclass(frozen=True)
class Window:
    """h x w pixels that hold an object and a narrow rim; of a large one every second, third, ... row and column."""

    left: int
    """Column of the image in which the window begins."""
    top: int
    """Row of the image in which the window begins."""
    step: int
    """Pixels of the image from one of the window's to the next."""
    mask: Mask
    """(h, w) the object."""
    depth: NDArray[np.float32]
    """(h, w) metres."""
    known: Mask
    """(h, w) where depth and ray are known."""
    rays: NDArray[np.float32]
    """(h, w, 2) x and y of the point at depth 1 that each pixel shows."""
    pixel: float
    """Metres at depth 1 from one pixel of the window to the next, in the image's middle."""

    @classmethod
    def around(cls, mask: Mask, box: Box, depth: DepthImage, camera: Pinhole) -> Window:
        """mask: (H, W) the object."""
        x0, y0, x1, y1 = box
        step = max(1, int(np.ceil(np.sqrt((x1 - x0) * (y1 - y0) / _MOST))))
        rows, columns = _slices(box, _RIM * step, step)
        metres = depth.metres(rows, columns)
        # Takes single wrong pixels away and halves the noise; it moves no edge.
        smoothed = cv2.medianBlur(metres, 3)
        rays = ray_table(camera)[rows, columns]
        return cls(
            left=columns.start,
            top=rows.start,
            step=step,
            mask=np.ascontiguousarray(mask[rows, columns]),
            depth=np.asarray(smoothed, np.float32),
            known=(metres > 0) & (smoothed > 0) & np.isfinite(rays[..., 0]),
            rays=rays,
            pixel=step / camera.fy,
        )

    def image_pixels(self, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> NDArray[np.intp]:
        """(N, 2) x y in the image, of (N,) pixels of the window."""
        return np.stack((columns * self.step + self.left, rows * self.step + self.top), axis=1)

    def points(self, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> Floats:
        """(N, 3) metres in the optical frame, of (N,) pixels of the window."""
        depths, rays = self.depth[rows, columns], self.rays[rows, columns]
        return _points(depths, rays)

    def heights(self, plane: Plane) -> NDArray[np.float32]:
        """(h, w) metres above a plane, of all pixels."""
        x, y, z = (np.float32(value) for value in plane.normal)
        return np.asarray(self.depth * (self.rays[..., 0] * x + self.rays[..., 1] * y + z) - np.float32(plane.offset))

    def least(self, where: Mask, radius: int) -> NDArray[np.float32]:
        """(h, w) the least depth of the pixels `where` within a square about each pixel; 1e6 where there are none."""
        return np.asarray(cv2.erode(np.where(where, self.depth, _FAR), _square(radius)), np.float32)

    def greatest(self, where: Mask, radius: int) -> NDArray[np.float32]:
        """(h, w) the greatest depth of the pixels `where` within a square about each pixel; -1e6 where none are."""
        return np.asarray(cv2.dilate(np.where(where, self.depth, -_FAR), _square(radius)), np.float32)


def points_around(box: Box, taken: Mask, depth: DepthImage, camera: Pinhole) -> Floats:
    """(N, 3) some points in and around a box in the image, by a third of its extent, that are on no object.

    taken: (H, W) every object.
    """
    x0, y0, x1, y1 = box
    margin = max(8, max(x1 - x0, y1 - y0) // 3)
    step = max(1, round(np.sqrt((x1 - x0 + 2 * margin) * (y1 - y0 + 2 * margin) / _AROUND)))
    # One of every so many rows and columns, drawn: depth may have holes that every step-th hits. Always the same ones.
    random = np.random.default_rng(0)
    lines = [np.arange(*one.indices(most)) for one, most in zip(_slices(box, margin, step), taken.shape, strict=True)]
    drawn = [(line + random.integers(step, size=len(line))).clip(max=line[-1]) for line in lines]
    places = np.ix_(*drawn)
    metres = depth.metres(*places)
    rays = ray_table(camera)[places]
    free = ~widened(np.ascontiguousarray(taken[places]), int(np.ceil(3 / step)))
    free &= (metres > 0) & np.isfinite(rays[..., 0])
    return _points(metres[free], rays[free])


def _slices(box: Box, margin: int, step: int) -> tuple[slice, slice]:
    """Rows and columns of a box with a margin."""
    x0, y0, x1, y1 = box
    return slice(max(0, y0 - margin), y1 + margin, step), slice(max(0, x0 - margin), x1 + margin, step)


def _points(depths: NDArray[np.float32], rays: NDArray[np.float32]) -> Floats:
    """(N,) metres and (N, 2) rays to (N, 3) metres."""
    points = np.empty((len(depths), 3))
    np.multiply(rays, depths[:, None], out=points[:, :2])
    points[:, 2] = depths
    return points


def shrunk(mask: Mask, pixels: int) -> Mask:
    """(h, w) without a rim of so many pixels; the image's edge takes none away."""
    return cv2.erode(mask.view(np.uint8), _square(pixels), borderType=cv2.BORDER_REPLICATE) > 0


def widened(mask: Mask, pixels: int) -> Mask:
    """(h, w) with a rim of so many pixels more."""
    return cv2.dilate(mask.view(np.uint8), _square(pixels)) > 0


def _square(radius: int) -> NDArray[np.uint8]:
    return np.ones((2 * radius + 1, 2 * radius + 1), np.uint8)
