"""What an object covers of the plane below it, seen from one side: a rectangle, or a circle that is completed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_SECTORS = 72
_STEEP = 0.25  # cosine of the angle from which on the camera looks down on all sides of an object
_HYPOTHESES = 64
_BUMP = 1.15  # a point that is further from the middle than so many radii sticks out of a round object
_COARSE = np.deg2rad(np.arange(0.0, 90.0, 3.0))
_FINE = np.deg2rad(np.arange(-2.75, 3.0, 0.25))
_DRAWS = np.random.default_rng(1).random((_HYPOTHESES, 3))


@dataclass(frozen=True)
class Footprint:
    """A rectangle on a plane."""

    centre: Floats
    """(2,) metres."""
    axes: Floats
    """(2, 2) directions of its edges as columns, the second a quarter turn to the left of the first."""
    size: Floats
    """(2,) metres along the axes."""


def footprint(points: Floats, view: Floats, noise: float, grain: float = 0.0) -> Footprint:
    """The footprint of (N, 2) points of what is seen of an object.

    view: (2,) the direction in which the camera looks, along the plane; its length is the cosine of how steeply it
    looks down, 1 for a level look. noise: metres, standard deviation of the points. grain: metres from one row of
    points to the next along the view; on average half of it is missing behind the last row of a rectangle.

    The side that looks at the camera decides. Where a circle fits it better than a rectangle does, the object is taken
    to be round, and its back, which is not seen, to lie on that circle. What sticks out of it, a mug's handle say, is
    held by the rectangle too, whose first axis points there. Else it is the rectangle around the points that fits that
    side best, whose extent is only what is seen.
    """
    outermost = contour = _outermost(points)
    if np.linalg.norm(view) > _STEEP:
        towards = contour - (outermost.min(axis=0) + outermost.max(axis=0)) / 2
        contour = contour[towards @ _unit(view) <= 0.2 * np.linalg.norm(towards, axis=1)]
    rectangle, off_rectangle = _rectangle(outermost, contour)
    half = 0.5 * float(np.ptp(outermost @ _left_of(_unit(view))))
    circle = _circle(contour, (0.3 * half, 1.2 * half), 0.001 + 0.5 * noise)
    if circle is None:
        return _deeper(rectangle, grain / 2 * _unit(view))
    middle, radius = circle
    off_circle = np.minimum(np.abs(np.linalg.norm(contour - middle, axis=1) - radius), 0.1 * radius).mean()
    if off_circle > 0.5 * off_rectangle:
        return _deeper(rectangle, grain / 2 * _unit(view))
    return _around(middle, radius, outermost, view)


def _around(middle: Floats, radius: float, outermost: Floats, view: Floats) -> Footprint:
    """The rectangle that holds a circle and all points."""
    distances = np.linalg.norm(outermost - middle, axis=1)
    furthest = distances.argmax()
    sticks_out = distances[furthest] > _BUMP * radius
    first = (outermost[furthest] - middle) / distances[furthest] if sticks_out else -_left_of(_unit(view))
    axes = np.stack((first, _left_of(first)), axis=1)
    own = (outermost - middle) @ axes
    low, high = np.minimum(own.min(axis=0), -radius), np.maximum(own.max(axis=0), radius)
    return Footprint(middle + axes @ ((low + high) / 2), axes, high - low)


def _deeper(rectangle: Footprint, by: Floats) -> Footprint:
    """With its far side moved by a vector (2,)."""
    own = by @ rectangle.axes
    return Footprint(rectangle.centre + by / 2, rectangle.axes, rectangle.size + np.abs(own))


def _rectangle(outermost: Floats, contour: Floats) -> tuple[Footprint, float]:
    """The rectangle around all points to whose edges those of the contour lie nearest, and how near, metres.

    Not the smallest one: of two sides of a box, which is all that a level look shows, a rectangle along the line from
    end to end is as small as the right one.
    """
    best = 0.0
    for angles in (_COARSE, _FINE):
        turned = best + angles
        nearness, _, _ = _fits(outermost, contour, turned)
        best = float(turned[nearness.argmin()])
    nearness, low, high = _fits(outermost, contour, np.array([best]))
    axes = np.array([[np.cos(best), -np.sin(best)], [np.sin(best), np.cos(best)]])
    return Footprint(axes @ ((low[:, 0] + high[:, 0]) / 2), axes, high[:, 0] - low[:, 0]), float(nearness[0])


def _fits(outermost: Floats, contour: Floats, angles: Floats) -> tuple[Floats, Floats, Floats]:
    """For (A,) angles of rectangles: (A,) how near the contour is to their edges, (2, A) their low and high ends."""
    directions = np.array([[np.cos(angles), -np.sin(angles)], [np.sin(angles), np.cos(angles)]])
    along = np.einsum("kd,dea->kea", outermost, directions)
    low, high = along.min(axis=0), along.max(axis=0)
    along = np.einsum("kd,dea->kea", contour, directions)
    nearest = np.minimum(along - low, high - along).min(axis=1)
    # What is far from every edge says nothing of how they lie.
    return np.minimum(nearest, 0.1 * (high - low).max(axis=0)).mean(axis=0), low, high


def _outermost(points: Floats) -> Floats:
    """(K, 2) the furthest points from the middle, one in each direction in which there are some.

    Not the very furthest: three of a hundred may lie beyond, and directions with fewer than one in a thousand are left
    out, because those are where noise and flying pixels are.
    """
    x, y = (line - (line.min() + line.max()) / 2 for line in np.array(points.T, np.float32))
    distances = np.sqrt(x * x + y * y)
    turns = np.arctan2(y, x) * np.float32(0.5 / np.pi) + np.float32(0.5)
    sectors = np.minimum(turns * np.float32(_SECTORS), np.float32(_SECTORS - 0.5)).astype(np.int32)
    # Sector by sector, in each from the furthest to the nearest.
    order = np.argsort(sectors - distances * np.float32(1 / (1.001 * float(distances.max()) + 1e-9)))
    counts = np.bincount(sectors, minlength=_SECTORS)
    ranks = np.cumsum(counts) - counts + (0.03 * counts).astype(np.intp)
    return points[order[ranks[(counts > 0) & (counts >= 0.001 * len(points))]]]


def _circle(points: Floats, radii: tuple[float, float], tolerance: float) -> tuple[Floats, float] | None:
    """Centre and radius of the circle through most of (K, 2) points, by RANSAC; None if it holds less than half."""
    if len(points) < 6:
        return None
    a, b, c = np.moveaxis(points[(_DRAWS * len(points)).astype(np.intp)], 1, 0)
    ab, ac = b - a, c - a
    with np.errstate(divide="ignore", invalid="ignore"):
        twice_area = 2 * (ab[:, 0] * ac[:, 1] - ab[:, 1] * ac[:, 0])
        ab2, ac2 = (ab**2).sum(axis=1), (ac**2).sum(axis=1)
        x, y = ac[:, 1] * ab2 - ab[:, 1] * ac2, ab[:, 0] * ac2 - ac[:, 0] * ab2
        offsets = np.stack((x, y), axis=1) / twice_area[:, None]
        lengths = np.linalg.norm(offsets, axis=1)
        fits = (lengths > radii[0]) & (lengths < radii[1])
    if not fits.any():
        return None
    middles, lengths = (a + offsets)[fits], lengths[fits]
    away = points[:, None] - middles
    off = np.abs(np.sqrt(np.einsum("kmd,kmd->km", away, away)) - lengths)
    best = np.minimum(off, 4 * tolerance).sum(axis=0).argmin()
    middle, radius = middles[best], float(lengths[best])
    for _ in range(3):
        near = points[np.abs(np.linalg.norm(points - middle, axis=1) - radius) < 3 * tolerance]
        if len(near) < max(5, 0.5 * len(points)):
            return None
        middle, radius = fit_sphere(near)
    return (middle, radius) if radii[0] < radius < radii[1] else None


def fit_sphere(points: Floats) -> tuple[Floats, float]:
    """Centre (D,) and radius of the sphere nearest to (N, D) points; with D = 2 of the circle.

    |p - c|^2 = r^2 is linear in c and r^2 - c^2.
    """
    middle = points.sum(axis=0) / len(points)
    own = points - middle
    terms = np.concatenate((2 * own, np.ones((len(own), 1))), axis=1)
    matrix = terms.T @ terms
    # Points of a plane leave the centre open; the little that is added decides for one far away.
    matrix += 1e-9 * float(np.trace(matrix)) / len(matrix) * np.eye(len(matrix))
    solution = np.linalg.solve(matrix, terms.T @ np.einsum("nd,nd->n", own, own))
    centre = solution[:-1]
    return centre + middle, float(np.sqrt(max(solution[-1] + centre @ centre, 0.0)))


def _unit(vector: Floats) -> Floats:
    length = float(np.linalg.norm(vector))
    return vector / length if length > 1e-9 else np.array([0.0, 1.0])


def _left_of(direction: Floats) -> Floats:
    return np.array([-direction[1], direction[0]])
