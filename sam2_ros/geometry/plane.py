"""Planes in a cloud of points: what objects stand on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_HYPOTHESES = 64
_LEAST_POINTS = 30
# Which points make a hypothesis is drawn once, so that the same cloud always gives the same planes.
_DRAWS = np.random.default_rng(0).random((_HYPOTHESES, 3))


@dataclass(frozen=True)
class Plane:
    """The points p with normal . p = offset. The normal looks to the side on which the camera is."""

    normal: Floats
    """(3,) of length 1."""
    offset: float
    """Metres."""
    spread: float
    """Metres, standard deviation of its points' heights: how rough the plane is, or how noisy the camera."""

    @property
    def clearance(self) -> float:
        """Metres above the plane from which on a point is surely not of it."""
        return max(0.003, 4 * self.spread)

    def heights(self, points: Floats) -> Floats:
        """(N, 3) to (N,) metres above the plane."""
        return points @ self.normal - self.offset


def find_planes(points: Floats, tolerance: float, *, share: float = 0.2, most: int = 2) -> list[Plane]:
    """The planes that hold the most of (N, 3) points, by RANSAC; none where the points are too few.

    tolerance: metres from the plane at which a point still belongs to it. share: of all points that a plane must hold.
    most: how many planes are looked for.
    """
    planes: list[Plane] = []
    rest = points
    least = max(_LEAST_POINTS, share * len(points))
    while len(planes) < most and len(rest) >= least:
        plane = fit_plane(rest, _largest(rest, tolerance), tolerance, least)
        if plane is None:
            break
        planes.append(plane)
        rest = rest[np.abs(plane.heights(rest)) >= tolerance]
    return planes


def fit_plane(points: Floats, inside: NDArray[np.bool_], tolerance: float, least: float) -> Plane | None:
    """The plane through those of (N, 3) points that are `inside`, and through what is near to it then.

    None if it holds fewer than `least`.
    """
    for _ in range(2):
        if np.count_nonzero(inside) < max(_LEAST_POINTS, least):
            return None
        plane = nearest_plane(points[inside])
        inside = np.abs(plane.heights(points)) < tolerance
    return plane


def _largest(points: Floats, tolerance: float) -> NDArray[np.bool_]:
    """(N, 3) to (N,): which points the best of the hypotheses holds."""
    drawn = points[(_DRAWS * len(points)).astype(np.intp)]
    (ax, ay, az), (bx, by, bz) = (drawn[:, 1] - drawn[:, 0]).T, (drawn[:, 2] - drawn[:, 0]).T
    normals = np.stack((ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx), axis=1)
    lengths = np.sqrt((normals * normals).sum(axis=1))
    # Three points on a line make no plane.
    lengths[lengths < 1e-9] = np.nan
    normals /= lengths[:, None]
    offsets = (normals * drawn[:, 0]).sum(axis=1)
    inside = np.abs(points @ normals.T - offsets) < tolerance
    return np.asarray(inside[:, np.count_nonzero(inside, axis=0).argmax()])


def nearest_plane(points: Floats) -> Plane:
    """The plane nearest to (N, 3) points, by least squares; N at least 3."""
    middle = points.sum(axis=0) / len(points)
    own = points - middle
    variances, axes = np.linalg.eigh(own.T @ own / len(points))
    normal = axes[:, 0]
    if normal @ middle > 0:  # the camera is at the origin
        normal = -normal
    return Plane(normal, float(normal @ middle), float(np.sqrt(max(variances[0], 0.0))))
