"""Clips as a tracker sees them that looks for an object in a region around where it was."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from sam2_ros.geometry.boxes import box_around
from sam2_ros.geometry.search_region import SearchRegion

from .bank import Image
from .clips import Clip

Masks = NDArray[np.bool_]
DETAIL = 2
"""Edge of the pictures that regions are cut out of, in edges of the network's input."""


def cut_clips(clip: Clip, size: int, context: float, random: np.random.Generator) -> tuple[Image, Masks]:
    """A clip of edge DETAIL * size, once for each of its objects: (K, T, S, S, 3) and (K, T, 1, S, S), S for size.

    context: of search regions, see `SearchRegion.around`.
    """
    objects = clip.masks.shape[1]
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
        looked = _shaken(region, random, slip if t else 0.0)
        seen[t], truth[t] = _cut(image, mask, looked, size)
        x0, y0, x1, y1 = looked.pixels(edge, edge)
        inside = np.zeros_like(mask)
        inside[y0:y1, x0:x1] = mask[y0:y1, x0:x1]
        region = region.after(box_around(inside), edge, edge, context)
    return seen, truth


def glance_at(clip: Clip, size: int, random: np.random.Generator) -> tuple[Image, Masks]:
    """Each object of a clip as it is seen where nobody has said how large it is: around one of its pixels, in a region
    of any size. (K, S, S, 3) and (K, S, S), S for size."""
    seen, truth = [], []
    for k in range(clip.masks.shape[1]):
        shown = np.flatnonzero(clip.masks[:, k].any(axis=(1, 2)))
        t = int(random.choice(shown))
        mask = clip.masks[t, k]
        rows, columns = np.nonzero(mask)
        index = random.integers(len(rows))
        x0, y0, x1, y1 = box_around(mask) or (0, 0, 1, 1)
        scale = max(x1 - x0, y1 - y0) / len(mask) * float(np.exp(random.uniform(np.log(0.7), np.log(8))))
        region = SearchRegion.inside(columns[index] / len(mask), rows[index] / len(mask), max(scale, 1 / 16))
        one, true = _cut(clip.images[t], mask, region, size)
        seen.append(one)
        truth.append(true)
    return np.stack(seen), np.stack(truth)


def _cut(image: Image, mask: Masks, region: SearchRegion, size: int) -> tuple[Image, Masks]:
    x0, y0, x1, y1 = region.pixels(*mask.shape)
    way = cv2.INTER_AREA if x1 - x0 > size else cv2.INTER_LINEAR
    seen = cv2.resize(image[y0:y1, x0:x1], (size, size), interpolation=way)
    # Shares of a pixel, so that edges of what is seen enlarged are straight and not stairs.
    return np.asarray(seen, np.uint8), cut_mask(mask, region, size) > 0.5


def cut_mask(mask: Masks, region: SearchRegion, size: int) -> NDArray[np.float32]:
    """What lies in a region of a mask (H, W), as shares of pixels (size, size)."""
    x0, y0, x1, y1 = region.pixels(*mask.shape)
    way = cv2.INTER_AREA if x1 - x0 > size else cv2.INTER_LINEAR
    share = cv2.resize(mask[y0:y1, x0:x1].astype(np.float32), (size, size), interpolation=way)
    return np.asarray(share, np.float32)


def _shaken(region: SearchRegion, random: np.random.Generator, amount: float) -> SearchRegion:
    """Elsewhere by a share of its size, and larger or smaller."""
    x, y = random.normal(0, 0.6 * amount * region.scale, 2)
    return SearchRegion.inside(region.x + x, region.y + y, region.scale * float(np.exp(random.normal(0, amount))))
