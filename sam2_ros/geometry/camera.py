"""A pinhole camera with lens distortion: from points in its optical frame to pixels and back."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_REFINEMENTS = 50
_SPARSE = 8  # pixels
_CLOSE = 1e-6  # rays that are nearer than this, less than a hundredth of a pixel, are the same
_EXACT = 0.1  # pixels that the projection of a ray may be beside the pixel that it is of
_ALIKE = 0.01  # radians between what a pixel shows and a point that is seen there
_LONGEST = 100.0  # x or y of a ray; half a degree from where a lens shows nothing more
_FOCAL = 0.01, 1000.0  # of the image's larger side; lenses have 0.2 to 50
_OFF_CENTRE = 1000.0  # images; a region of interest may lie far from the optical axis

COEFFICIENTS = {"plumb_bob": (0, 4, 5), "rational_polynomial": (0, 8, 12, 14), "equidistant": (0, 4)}
"""Models of distortion by the names that ROS gives them, and how many coefficients each may have."""


class BadCamera(ValueError):
    """Numbers that are not those of a camera; the message names them."""


@dataclass(frozen=True)
class Pinhole:
    """A calibrated camera. Optical frame: x right, y down, z forward, metres; the first pixel's centre is (0, 0).

    Raises BadCamera for a focal length or a centre that no lens has, numbers that are not finite, an unknown model of
    distortion, or a number of coefficients that the model does not have.
    """

    width: int
    """Pixels."""
    height: int
    """Pixels."""
    fx: float
    """Pixels, focal length along x."""
    fy: float
    """Pixels, focal length along y."""
    cx: float
    """Pixels, where the optical axis meets the image."""
    cy: float
    """Pixels, where the optical axis meets the image."""
    distortion: tuple[float, ...] = ()
    """Coefficients in the order of OpenCV; empty for a rectified image."""
    model: str = "plumb_bob"
    """What the coefficients mean: plumb_bob, rational_polynomial or equidistant."""

    def __post_init__(self) -> None:
        numbers = tuple(map(float, (self.fx, self.fy, self.cx, self.cy, *self.distortion)))
        if not np.isfinite(numbers).all():
            raise BadCamera(f"the camera's numbers are {numbers}; all of them must be finite")
        if min(self.fx, self.fy) <= 0:
            raise BadCamera(f"the focal lengths are {self.fx:g} and {self.fy:g} pixels; they must be above 0")
        if min(self.width, self.height) < 1:
            raise BadCamera(f"the camera's image is {self.width}x{self.height} pixels; it must have at least one")
        side = max(self.width, self.height)
        if min(self.fx, self.fy) < _FOCAL[0] * side or max(self.fx, self.fy) > _FOCAL[1] * side:
            raise BadCamera(
                f"the focal lengths are {self.fx:g} and {self.fy:g} pixels; for an image of {self.width}x{self.height} "
                f"they must be {_FOCAL[0] * side:g} to {_FOCAL[1] * side:g}"
            )
        if max(abs(self.cx), abs(self.cy)) > _OFF_CENTRE * side:
            raise BadCamera(
                f"the optical axis meets the image at ({self.cx:g}, {self.cy:g}), which is too far from its "
                f"{self.width}x{self.height} pixels"
            )
        if self.model not in COEFFICIENTS:
            known = ", ".join(COEFFICIENTS)
            raise BadCamera(f"the distortion model is {self.model!r}; the known ones are {known}")
        counts = COEFFICIENTS[self.model]
        if len(self.distortion) not in counts:
            allowed = " or ".join(str(count) for count in counts)
            raise BadCamera(f"there are {len(self.distortion)} distortion coefficients; {self.model} has {allowed}")

    @property
    def _is_pinhole(self) -> bool:
        """Whether straight lines stay straight. A fisheye's do not, though its coefficients be 0."""
        return not self.distortion or (self.model != "equidistant" and not any(self.distortion))

    @property
    def matrix(self) -> Floats:
        """(3, 3) from points of the optical frame to homogeneous pixels, without distortion."""
        return np.array([[self.fx, 0.0, self.cx], [0.0, self.fy, self.cy], [0.0, 0.0, 1.0]])

    def project(self, points: NDArray[np.floating[Any]]) -> Floats:
        """(N, 3) metres to (N, 2) pixels x y; NaN for a point that is not in front of the camera.

        The formula of a lens folds back what is far outside its view, so that it would lie in the image: NaN too.
        """
        metres = np.asarray(points, np.float64).reshape(-1, 3)
        depths = metres[:, 2:]
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            rays = np.where(depths > 0, metres[:, :2] / depths, np.nan)
        if self._is_pinhole:
            return rays * (self.fx, self.fy) + (self.cx, self.cy)
        pixels = self._distort(rays) * (self.fx, self.fy) + (self.cx, self.cy)
        inside = self.holds(pixels)
        alike = np.linalg.norm(_directions(self.rays(pixels[inside])) - _directions(rays[inside]), axis=1) < _ALIKE
        pixels[np.flatnonzero(inside)[~alike]] = np.nan
        return pixels

    def rays(self, pixels: NDArray[np.floating[Any]]) -> Floats:
        """(N, 2) pixels x y to (N, 2): x and y of the point at depth 1 that each shows, NaN if none."""
        places = np.asarray(pixels, np.float64).reshape(-1, 2)
        seen = (places - (self.cx, self.cy)) / (self.fx, self.fy)
        if self._is_pinhole or not len(places):
            return seen
        rays = seen.copy()
        if self.model == "equidistant":  # near a right angle to the axis the steps below are too short by far
            given = cv2.fisheye.undistortPoints(places[:, None], self.matrix, np.array(self.distortion))
            rays = np.asarray(given, np.float64).reshape(-1, 2)
        # A lens may be so strong that a step leads past the ray, or further away than before: then shorter ones follow.
        with np.errstate(over="ignore", invalid="ignore"):
            off, share = seen - self._distort(rays), np.ones((len(rays), 1))
            for _ in range(_REFINEMENTS):
                if np.abs(off).max() < _CLOSE:
                    break
                stepped = rays + share * off
                left = seen - self._distort(stepped)
                better = np.hypot(*left.T) < np.hypot(*off.T)
                share[~better | ((left * off).sum(axis=1) < 0)] /= 2
                rays[better], off[better] = stepped[better], left[better]
            # The formula may also have the pixel on the other side of the axis, where no lens shows it.
            found = (np.abs(off) * (self.fx, self.fy) < _EXACT).all(axis=1) & ((rays * seen).sum(axis=1) >= 0)
        rays[~found] = np.nan
        return rays

    def back_project(self, pixels: NDArray[np.floating[Any]], depths: NDArray[np.floating[Any]]) -> Floats:
        """(N, 2) pixels x y and (N,) metres along the optical axis to (N, 3) metres."""
        depths = np.asarray(depths, np.float64).reshape(-1, 1)
        return np.concatenate((self.rays(pixels) * depths, depths), axis=1)

    def holds(self, pixels: NDArray[np.floating[Any]]) -> NDArray[np.bool_]:
        """(N, 2) pixels x y to (N,): whether the image has them. NaN is in no image."""
        last = (self.width - 0.5, self.height - 0.5)
        pixels = np.asarray(pixels, np.float64).reshape(-1, 2)
        return np.all((pixels >= -0.5) & (pixels < last), axis=1)

    def _distort(self, rays: Floats) -> Floats:
        """(N, 2) at depth 1, as they are and as the lens shows them."""
        seen = np.isfinite(rays).all(axis=1)
        distorted = np.full_like(rays, np.nan)
        if not seen.any():
            return distorted
        coefficients, still = np.array(self.distortion), np.zeros(3)
        points = np.concatenate((rays[seen], np.ones((int(seen.sum()), 1))), axis=1)[:, None]
        through = cv2.fisheye.projectPoints if self.model == "equidistant" else cv2.projectPoints
        projected, _ = through(points, still, still, np.eye(3), coefficients)
        distorted[seen] = projected.reshape(-1, 2)
        return distorted


def _directions(rays: Floats) -> Floats:
    """(N, 2) x and y at depth 1 to (N, 3) of length 1."""
    points = np.concatenate((rays, np.ones((len(rays), 1))), axis=1)
    return points / np.linalg.norm(points, axis=1, keepdims=True)


@lru_cache(maxsize=8)
def ray_table(camera: Pinhole) -> NDArray[np.float32]:
    """(H, W, 2) rays of all pixels of a camera, computed once for each camera; not to be written to.

    Of a distorted camera every eighth pixel's ray is computed, and those between are interpolated: a lens is smooth.
    NaN where the lens shows nothing, or next to nothing of what is before it: a fisheye's corners.
    """
    step = _SPARSE if any(camera.distortion) else 1
    across = np.arange(0.0, camera.width + step, step)
    down = np.arange(0.0, camera.height + step, step)
    x, y = np.meshgrid(across, down)
    sparse = camera.rays(np.stack((x, y), axis=2).reshape(-1, 2)).reshape(len(down), len(across), 2)
    sparse[~(np.abs(sparse) < _LONGEST).all(axis=2)] = np.nan
    if step > 1:  # near a right angle to the axis rays grow without bounds; their directions change evenly
        sparse = _directions(sparse.reshape(-1, 2)).reshape(*sparse.shape[:2], 3)
    table = _between(_between(sparse, step, camera.height).swapaxes(0, 1), step, camera.width).swapaxes(0, 1)
    if step > 1:
        table = table[..., :2] / table[..., 2:]
    result = np.ascontiguousarray(table, np.float32)
    result.flags.writeable = False
    return result


def _between(values: Floats, step: int, length: int) -> Floats:
    """(n, ...) at every step-th place to (length, ...) at every place, linearly."""
    places = np.arange(length) / step
    low = places.astype(np.intp)
    share = (places - low).reshape(-1, *([1] * (values.ndim - 1)))
    return values[low] * (1 - share) + values[low + 1] * share
