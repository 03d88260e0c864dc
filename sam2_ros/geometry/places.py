"""Where objects are: from masks, a depth image and a camera to an oriented box and points for each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .box_fitting import fitted_box
from .camera import Pinhole
from .depth import DepthImage
from .oriented_box import UPRIGHT_CAMERA, OrientedBox, turned_like
from .surface import NotLocated, Surface, surface
from .window import Box

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Place:
    """Where one object is, in the camera's optical frame."""

    box: OrientedBox
    points: NDArray[np.float32]
    """(N, 3) metres, what is seen of its surface."""
    pixels: NDArray[np.intp]
    """(N, 2) x y of each point in the image."""
    partly_hidden: bool
    """Something nearer, or the image's edge, hides a part of it: the box holds what is seen."""
    upright: bool
    """The box's z is the normal of a surface below the object; else the box is the smallest one that fits."""


def locate(
    masks: NDArray[np.bool_],
    boxes: NDArray[np.generic],
    depth: DepthImage,
    camera: Pinhole,
    like: Sequence[Floats | None] | None = None,
) -> list[Place | str]:
    """For each of (N, H, W) masks with (N, 4) boxes x0 y0 x1 y1 its place, or in a sentence why it cannot be told.

    like: for each object the rotation (3, 3) that its box had before, so that the axes keep their names, or None.
    """
    corners = [tuple(box) for box in boxes.astype(int).tolist()]
    taken = _union(masks, corners)
    places: list[Place | str] = []
    table = None
    for index, (mask, box) in enumerate(zip(masks, corners, strict=True)):
        before = like[index] if like is not None else None
        try:
            if box[0] >= box[2]:
                raise NotLocated("the object is not in view")
            seen = surface(mask, box, taken, depth, camera, table)
        except NotLocated as error:
            places.append(str(error))
            continue
        table = seen.support or table
        places.append(_place(seen, before))
    return places


def _union(masks: NDArray[np.bool_], boxes: Sequence[Box]) -> NDArray[np.bool_]:
    """(N, H, W) to (H, W), all of them; only their boxes are looked at."""
    union = np.zeros(masks.shape[1:], bool)
    for mask, (x0, y0, x1, y1) in zip(masks, boxes, strict=True):
        union[y0:y1, x0:x1] |= mask[y0:y1, x0:x1]
    return union


def _place(seen: Surface, before: Floats | None) -> Place:
    box = fitted_box(seen)
    upright = seen.support is not None
    box = turned_like(box, UPRIGHT_CAMERA if before is None else before, about_z=upright)
    return Place(box, seen.points.astype(np.float32), seen.pixels, seen.partly_hidden, upright)
