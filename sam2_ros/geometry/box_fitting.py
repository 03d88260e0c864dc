"""The oriented box of an object of which one side is seen."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from .footprint import fit_sphere, footprint
from .oriented_box import UPRIGHT_CAMERA, OrientedBox
from .plane import Plane, find_planes, nearest_plane
from .ranks import ranked
from .surface import STEEP, Surface

Floats = NDArray[np.float64]

_ENOUGH_TO_TELL = 400  # points that tell whether a thing is a ball
_ENOUGH_TO_FIT = 3000  # points that tell how wide it is
_THINNEST = 0.001  # metres
_COARSEST = 0.02  # metres, between rows of points of an object's top that is seen at a glancing angle


def fitted_box(seen: Surface) -> OrientedBox:
    """A ball's cube, else an upright box where a surface below the object is known, else the smallest box."""
    ball = _ball(seen)
    if ball is not None:
        return ball
    return _smallest(seen.points) if seen.support is None else _upright(seen, seen.support)


def _ball(seen: Surface) -> OrientedBox | None:
    """The cube around a ball, if the points are of one: all of it follows from the part that is seen."""
    points = seen.points[:: max(1, len(seen.points) // _ENOUGH_TO_TELL)]
    centre, radius = fit_sphere(points)
    off = np.abs(np.linalg.norm(points - centre, axis=1) - radius)
    middle_off, most_off = ranked(off, 0.5, 0.95)
    if 2 * radius > 1.2 * seen.reach or middle_off > 0.03 * radius or most_off > 0.1 * radius:
        return None
    # How far the centre is from a flat face follows from nothing but noise, and the face may be within these limits.
    if np.sqrt(np.mean(off**2)) > nearest_plane(points).spread:
        return None
    if np.mean(np.einsum("nd,nd->n", points - centre, points) < 0) < 0.95:
        return None  # seen from inside: a bowl
    rotation = UPRIGHT_CAMERA
    if seen.support is not None:
        rotation = np.column_stack((_directions(seen.support), seen.support.normal))
    return OrientedBox(centre, rotation, np.full(3, 2 * radius))


def _upright(seen: Surface, plane: Plane) -> OrientedBox:
    """Its footprint on the plane, and from the plane, or from the object's lowest point, to its top."""
    directions = _directions(plane)
    middle = np.ones(len(seen.points)) @ seen.points / len(seen.points)  # a sum over rows takes ten times as long
    view = (middle / np.linalg.norm(middle)) @ directions
    level = float(np.linalg.norm(view))
    tangent = _tangent(level)
    grain = min(seen.spacing / tangent, _COARSEST)
    thinned = seen.points[:: max(1, len(seen.points) // _ENOUGH_TO_FIT)]
    ground = footprint(thinned @ directions, view, plane.spread, grain)
    # Less steeply seen, depth does not jump along a side, and what looks like one is the edge of something in the air.
    # A near thing's sides lie more steeply below the camera than its middle, which is that of its top by then.
    sides = seen.steep.mean(axis=0) if len(seen.steep) else middle
    steepest = max(tangent, _tangent(float(np.linalg.norm((sides / np.linalg.norm(sides)) @ directions))))
    points = np.concatenate((seen.points, seen.steep)) if steepest > STEEP else seen.points
    bottom, top = ranked(plane.heights(points), 0.005, 0.995)
    # If the object stands on the plane, its lowest visible point hides the rest of its foot; if it does not, the plane
    # is seen below that point, and the higher it is the further behind: on the line of sight past the near edge, which
    # is steeper than that to the middle.
    forward = view / max(level, 1e-6)
    near = max(0.0, float(ground.centre @ forward - np.abs(forward @ ground.axes) @ ground.size / 2))
    behind = max(0.0, bottom - plane.clearance) * near / max(-plane.offset - bottom, 1e-6)
    if seen.partly_hidden or behind < max(0.01, 0.16 * float(ground.size.min())):
        bottom = 0.0
    size = np.maximum((*ground.size, top - bottom), _THINNEST)
    first = directions @ ground.axes[:, 0]
    centre = directions @ ground.centre + plane.normal * (plane.offset + bottom + size[2] / 2)
    return OrientedBox(centre, _rotation(first, plane.normal), size)


def _tangent(level: float) -> float:
    """Of the angle by which a line of sight goes down, from the length along the plane of one of length 1."""
    return max(float(np.sqrt(max(0.0, 1 - level * level))), 1e-6) / max(level, 1e-6)


def _smallest(points: Floats) -> OrientedBox:
    """The smallest box around the points with one edge along a principal axis or the normal of a face that is seen."""
    middle = points.mean(axis=0)
    own = points - middle
    axes = list(np.linalg.eigh(own.T @ own)[1].T)
    axes += [
        face.normal
        for face in find_planes(points[:: max(1, len(points) // _ENOUGH_TO_TELL)], 0.002 + 0.002 * middle[2])
    ]
    boxes = []
    for normal in axes:
        directions = np.linalg.svd(normal[None])[2][1:].T
        (x, y), size, degrees = cv2.minAreaRect((own @ directions).astype(np.float32))
        first = directions @ (np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees)))
        second = directions @ (-np.sin(np.deg2rad(degrees)), np.cos(np.deg2rad(degrees)))
        low, high = ranked(own @ normal, 0.005, 0.995)
        rotation = np.stack((first, second, np.cross(first, second)), axis=1)
        centre = middle + directions @ (x, y) + normal * (low + high) / 2
        boxes.append(OrientedBox(centre, rotation, np.maximum((*size, high - low), _THINNEST)))
    return min(boxes, key=lambda box: float(np.prod(box.size)))


def _directions(plane: Plane) -> Floats:
    """(3, 2) two directions along a plane as columns: to the right, and away from the camera or up in its image."""
    away = np.array([0.0, -1.0, 0.0] if abs(plane.normal[2]) > 0.95 else [0.0, 0.0, 1.0])
    away = away - plane.normal * (plane.normal @ away)
    away /= np.linalg.norm(away)
    return np.stack((np.cross(away, plane.normal), away), axis=1)


def _rotation(first: Floats, normal: Floats) -> Floats:
    """(3, 3) with z along the normal and x along the first."""
    return np.stack((first, np.cross(normal, first), normal), axis=1)
