"""Clips as a tracker sees them that looks for an object in a region around where it was."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from sam2_ros.geometry.boxes import box_around
from sam2_ros.geometry.search_region import SearchRegion

from .bank import Bank, Image
from .clips import make_clip

Masks = NDArray[np.bool_]
_DETAIL = 2
"""Edge of the pictures that regions are cut out of, in edges of the network's input."""


def make_cut_clips(
    bank: Bank,
    number: int,
    *,
    frames: int,
    objects: int,
    size: int,
    context: float,
    seed: int = 0,
    tables: float = 0.25,
) -> tuple[Image, Masks]:
    """The clip of that number as `make_clip`, once for each object: (K, T, S, S, 3) and (K, T, 1, S, S).

    context: of search regions, see `SearchRegion.around`.
    """
    clip = make_clip(bank, number, frames=frames, objects=objects, size=_DETAIL * size, seed=seed, tables=tables)
    random = np.random.default_rng((seed, number))
    cut = [follow_object(clip.images, clip.masks[:, k], size, context, random) for k in range(objects)]
    images, masks = (np.stack(arrays) for arrays in zip(*cut, strict=True))
    return images, masks[:, :, None]


def follow_object(
    images: Image, masks: Masks, size: int, context: float, random: np.random.Generator
) -> tuple[Image, Masks]:
    """Images (T, E, E, 3) and one object's masks (T, E, E), cut out along its way: (T, size, size, 3) and
    (T, size, size).

    Each region is where the tracker would look after the frame before, but out of place, as a tracker is that errs.
    """
    edge = images.shape[1]
    region = SearchRegion.around(box_around(masks[0]) or (0, 0, edge, edge), edge, edge, context)
    region = _shaken(region, random, 0.1)
    slip = float(random.choice((0.02, 0.07, 0.2), p=(0.5, 0.35, 0.15)))
    seen, truth = np.empty((len(images), size, size, 3), np.uint8), np.empty((len(images), size, size), bool)
    for t, (image, mask) in enumerate(zip(images, masks, strict=True)):
        x0, y0, x1, y1 = _shaken(region, random, slip if t else 0.0).pixels(edge, edge)
        way = cv2.INTER_AREA if x1 - x0 > size else cv2.INTER_LINEAR
        seen[t] = cv2.resize(image[y0:y1, x0:x1], (size, size), interpolation=way)
        # Shares of a pixel, so that edges of what is seen enlarged are straight and not stairs.
        share = cv2.resize(mask[y0:y1, x0:x1].astype(np.float32), (size, size), interpolation=way)
        truth[t] = share > 0.5
        inside = np.zeros_like(mask)
        inside[y0:y1, x0:x1] = mask[y0:y1, x0:x1]
        region = region.after(box_around(inside), edge, edge, context)
    return seen, truth


def _shaken(region: SearchRegion, random: np.random.Generator, amount: float) -> SearchRegion:
    """Elsewhere by a share of its size, and larger or smaller."""
    x, y = random.normal(0, 0.6 * amount * region.scale, 2)
    return SearchRegion.inside(region.x + x, region.y + y, region.scale * float(np.exp(random.normal(0, amount))))
