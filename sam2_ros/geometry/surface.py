"""What a depth image shows of one object: points of its surface, and the plane below it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from .camera import Pinhole
from .depth import DepthImage
from .plane import Plane, find_planes, fit_plane
from .ranks import ranked
from .window import Box, Mask, Window, points_around, shrunk, widened

Floats = NDArray[np.float64]

STEEP = 2.0
"""Tangent of the angle from which on depth may jump along an upright side."""
_LEAST_PIXELS = 60
_LEAST_SHARE = 0.2
_FLAT = 0.2  # an object of which a smaller share rises above the surface that it lies on is flat
_HIDDEN = 0.05  # share of an object's outline beside which something nearer may be
_STEEPEST = 0.05  # metres in depth from which on neighbouring pixels are never of one surface
_TALLEST = 3.0  # times as tall as it looks large from above, a slim thing may be
_FROM_ABOVE = 0.9  # cosine of the angle between a plane's normal and the line of sight, up to which that is from above
_ENOUGH = 400  # points that are enough to say how far an object is from a plane


class NotLocated(ValueError):
    """An object whose place the depth image does not tell; the message says why."""


@dataclass(frozen=True)
class Surface:
    """What is seen of one object, in the optical frame."""

    points: Floats
    """(N, 3) metres, on the object."""
    steep: Floats
    """(M, 3) metres, on sides of it that are seen at so glancing an angle that depth jumps from pixel to pixel: they
    say how far down it goes."""
    pixels: NDArray[np.intp]
    """(N, 2) x y of each point in the image."""
    support: Plane | None
    """The plane that the object stands on or is above of, where one is seen."""
    partly_hidden: bool
    """Something nearer, or the image's edge, hides a part of the object."""
    reach: float
    """Metres, how large the object looks: the diagonal of its box in the image."""
    spacing: float
    """Metres from a point to the next one, across the line of sight."""


def surface(
    mask: Mask,
    box: Box,
    taken: Mask,
    depth: DepthImage,
    camera: Pinhole,
    hint: Plane | None = None,
) -> Surface:
    """The points of one object.

    mask: (H, W) the object. taken: (H, W) every object. hint: a plane that may be the one below the object, a
    neighbour's say. Of an object whose box has more than 12000 pixels every second, third, ... row and column is taken.

    What the mask's edge picks up of the background is dropped: the plane below the object, what lies further from the
    object's median depth than the object looks large and the plane is below it, and what a jump in depth parts from
    the mask's inside. Raises NotLocated where too little is left.
    """
    window = Window.around(mask, box, depth, camera)
    rim = int(np.clip(round(0.03 * np.sqrt(np.count_nonzero(window.mask))), 1, 5))
    core = _core(window, rim)
    (middle,) = ranked(window.depth[core], 0.5)
    reach = float(np.hypot((box[2] - box[0]) / camera.fx, (box[3] - box[1]) / camera.fy)) * middle
    near = window.known & (np.abs(window.depth - middle) <= reach)
    points = window.points(*_thinned(core & near, _ENOUGH))
    support = _support(points, points_around(box, taken, depth, camera), reach, hint)
    raised = np.ones(core.shape, bool)
    if support is not None:
        # Seen from above it may go down to the plane, which is further than a slim thing looks large.
        (height,) = ranked(support.heights(points), 0.5)
        near |= window.known & (window.depth > middle) & (window.depth <= middle + reach - height * support.normal[2])
        raised = window.heights(support) > support.clearance
        if np.count_nonzero(core & raised) < _FLAT * np.count_nonzero(core):
            raised[:], near = True, core  # the mask alone says where a flat object ends
    jump = _jump(window, middle, support)
    seen, others = _parts(window, core, window.mask & near & raised, jump, 0.1 * reach)
    rows, columns = np.nonzero(seen)
    return Surface(
        points=window.points(rows, columns),
        steep=window.points(*np.nonzero(_side(others, core, rim))),
        pixels=window.image_pixels(rows, columns),
        support=support,
        partly_hidden=_touches_edge(box, mask.shape) or _is_hidden(window, seen, raised, rim, jump),
        reach=reach,
        spacing=window.pixel * middle,
    )


def _jump(window: Window, middle: float, support: Plane | None) -> NDArray[np.float32]:
    """(h, w) metres in depth among three neighbouring pixels from which on they are not of one surface."""
    least = 0.015 + 0.01 * middle
    if support is None:
        return np.full(window.depth.shape, least, np.float32)
    # The object's top may be seen at as glancing an angle as the surface below it: depth then grows from row to row by
    # the height of a pixel over the tangent of that angle. Along an upright side it grows by the height times it, to a
    # neighbour across by the root of 2 as much, and along a side that is turned half away by that root once more.
    (a, b, c), x, y = support.normal.astype(np.float32), window.rays[..., 0], window.rays[..., 1]
    sine = -(a * x + b * y + c) / np.sqrt(x * x + y * y + 1)
    tangent = np.maximum(sine / np.sqrt(np.maximum(1e-6, 1 - sine * sine)), 0.01)
    growth = np.maximum(1 / tangent, np.minimum(tangent, STEEP)) * window.depth * window.pixel
    return np.asarray(np.clip(4 * growth, least, _STEEPEST), np.float32)


def _core(window: Window, rim: int) -> Mask:
    """What is surely object: the mask without its rim, where depth is known. Raises NotLocated."""
    inner = shrunk(window.mask, rim)
    core = inner & window.known
    some, all_ = int(np.count_nonzero(core)), int(np.count_nonzero(inner))
    if all_ < _LEAST_PIXELS:
        raise NotLocated(f"the object's {np.count_nonzero(window.mask)} pixels are too few to say where it is")
    if some < max(_LEAST_PIXELS, _LEAST_SHARE * all_):
        least = max(_LEAST_PIXELS, round(_LEAST_SHARE * all_))
        raise NotLocated(f"depth is known for {some} of the object's {all_} inner pixels; it must be for {least}")
    return core


def _support(points: Floats, around: Floats, reach: float, hint: Plane | None) -> Plane | None:
    """The plane that an object's points stand on or are above of, by the points around it; None if there is none.

    Of two planes around it, a table and a wall behind it say, it is the one that the object comes nearer to. The hint
    is taken if it holds most of what is around.
    """
    middle = points.sum(axis=0) / len(points)
    away = around - middle
    distances = np.sqrt((away * away).sum(axis=1))
    tolerance = 0.003 + 0.003 * float(middle[2]) ** 2
    near = around[distances < 1.5 * reach + 0.05]
    if hint is not None:
        same = fit_plane(near, np.abs(hint.heights(near)) < tolerance, tolerance, 0.6 * len(near))
        if same is not None and _lowest(points, same) is not None:
            return same
    planes = find_planes(near, tolerance)
    best = _nearest(points, planes)
    if best is None:
        # Seen from above, a slim thing may be taller than it looks large.
        planes = find_planes(around[distances < _TALLEST * reach + 0.05], tolerance)
        steep = _FROM_ABOVE * float(np.linalg.norm(middle))
        best = _nearest(points, [plane for plane in planes if -plane.normal @ middle > steep])
    return best


def _nearest(points: Floats, planes: list[Plane]) -> Plane | None:
    """Of planes the one that an object's points come nearest to, being above it."""
    lowest = [(low, plane) for plane in planes if (low := _lowest(points, plane)) is not None]
    return min(lowest, key=lambda entry: entry[0])[1] if lowest else None


def _lowest(points: Floats, plane: Plane) -> float | None:
    """Metres from a plane to an object's points on this side of it; None if the plane goes through the object."""
    low, lower = ranked(plane.heights(points), 0.1, 0.02)
    return lower if low > -plane.clearance else None


def _parts(window: Window, core: Mask, allowed: Mask, jump: NDArray[np.float32], deeper: float) -> tuple[Mask, Mask]:
    """Of the pixels that may be the object's those that are, and the others, which may be of a side.

    Where depth jumps they fall into parts. The object's are the part with the most of the core, those with a twentieth
    as much, and those that lie as deep as the first and are no crumbs, as a handle is. The background at the mask's
    edge has no core and lies deeper. Raises NotLocated if they are too few.
    """
    step = window.greatest(window.known, 1) - window.least(window.known, 1)
    smooth = allowed & (step < jump)
    count, labels = cv2.connectedComponents(smooth.view(np.uint8), connectivity=4)
    pixels = np.flatnonzero(smooth)
    parts, depths = np.asarray(labels.ravel()[pixels], np.int32), window.depth.ravel()[pixels]
    cores = np.bincount(parts, weights=core.ravel()[pixels], minlength=count)
    if not cores.any():
        raise NotLocated("depth is so rough on the object that no part of a surface is found")
    main = cores.argmax()
    low, high = ranked(depths[parts == main], 0.01, 0.99)
    sizes = np.bincount(parts, minlength=count)
    means = np.bincount(parts, weights=depths, minlength=count) / np.maximum(sizes, 1)
    kept = (means > low - deeper) & (means < high + deeper) & (sizes >= 0.01 * sizes[main])
    kept |= cores >= 0.05 * cores[main]
    kept[0] = False
    seen = kept[labels]
    # The pixels along a jump were left out on both of its sides; those on the object's side come back.
    seen |= (
        allowed
        & (window.depth > window.least(seen, 1) - jump / 3)
        & (window.depth < window.greatest(seen, 1) + jump / 3)
    )
    if np.count_nonzero(seen) < _LEAST_PIXELS:
        raise NotLocated(f"{np.count_nonzero(seen)} pixels of the object have depth that fits; {_LEAST_PIXELS} must")
    return seen, allowed & ~seen


def _side(others: Mask, core: Mask, rim: int) -> Mask:
    """Of the pixels that are of no part of the object those of a side that is seen from above.

    There depth goes on jumping from pixel to pixel, or from one small piece of the side to the next; between two
    surfaces a pixel or two do so, which mix them, and in the mask's rim there may be more.
    """
    return others & widened(shrunk(others & core, 1), rim)


def _is_hidden(window: Window, seen: Mask, raised: Mask, rim: int, jump: NDArray[np.float32]) -> bool:
    """Whether pixels around the object, also those in its mask's rim, are nearer than its edge beside them.

    raised: what is not of the plane below, which is nearer than the object where it begins.
    """
    around = widened(window.mask, 3) & ~shrunk(window.mask, rim) & window.known & ~seen
    edge = window.least(seen, 3)
    beside = around & (edge < 1e6)
    nearer = beside & raised & (window.depth < edge - jump)
    return bool(np.count_nonzero(nearer) > _HIDDEN * np.count_nonzero(beside))


def _touches_edge(box: tuple[int, int, int, int], shape: tuple[int, ...]) -> bool:
    return box[0] <= 0 or box[1] <= 0 or box[2] >= shape[1] or box[3] >= shape[0]


def _thinned(pixels: Mask, most: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows and columns of some of the pixels, as many as asked for. Drawn, since depth has holes in regular patterns,
    of which any fixed step may hit nothing else; always the same ones."""
    rows, columns = np.nonzero(pixels)
    if len(rows) > most:
        drawn = np.random.default_rng(0).integers(len(rows), size=most)
        rows, columns = rows[drawn], columns[drawn]
    return rows, columns
