"""A made-up table with objects, of which everything is known before it is asked for."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from sam2_ros.geometry.camera import Pinhole
from sam2_ros.tracking import State, Tracks

_TILT = np.deg2rad(45.0)
_DISTANCE = 0.9  # metres to the table along the optical axis
_HEIGHT = 0.06  # metres of the objects


class Table:
    """Flat discs and blocks in turn on a table, seen from 45 degrees above."""

    def __init__(self, width: int, height: int, objects: int) -> None:
        """width, height: of the images, in pixels."""
        self.camera = Pinhole(width, height, 0.9 * width, 0.9 * width, (width - 1) / 2, (height - 1) / 2)
        self._count = objects

    @cached_property
    def masks(self) -> NDArray[np.bool_]:
        """(N, H, W), side by side in two rows."""
        height, width = self.camera.height, self.camera.width
        y, x = np.mgrid[:height, :width]
        columns = (self._count + 1) // 2
        masks = np.zeros((self._count, height, width), bool)
        for index in range(self._count):
            across = (x - (index % columns + 0.5) * width / columns) / (0.35 * width / columns)
            down = (y - (0.3 + 0.4 * (index // columns)) * height) / (0.15 * height)
            far = across**2 + down**2 if index % 2 else np.maximum(abs(across), abs(down))
            masks[index] = far < 1
        return masks

    @cached_property
    def image(self) -> NDArray[np.uint8]:
        """(H, W, 3) RGB: coloured objects on a grain as a camera's."""
        draw = np.random.default_rng(1)
        image = draw.normal(110, 4, (*self.masks.shape[1:], 3))
        for mask, colour in zip(self.masks, draw.uniform(-80, 80, (self._count, 3)), strict=True):
            image[mask] += colour
        return np.clip(image, 0, 255).astype(np.uint8)

    @cached_property
    def depth(self) -> NDArray[np.uint16]:
        """(H, W) millimetres, with a millimetre of noise."""
        y = (np.mgrid[: self.camera.height, : self.camera.width][0] - self.camera.cy) / self.camera.fy
        # The table's points p have normal . p = offset, and the ray of a pixel is (x, y, 1).
        facing = -(np.cos(_TILT) * y + np.sin(_TILT))
        offset = -np.sin(_TILT) * _DISTANCE
        metres = np.where(self.masks.any(axis=0), offset + _HEIGHT, offset) / facing
        noise = np.random.default_rng(2).normal(0, 0.001, metres.shape)
        return np.round(1000 * (metres + noise)).astype(np.uint16)

    def tracks(self, stamp: int) -> Tracks:
        """All objects in view, at a stamp in nanoseconds."""
        return replace(self._tracks, stamp=stamp, last_seen=(stamp,) * self._count)

    @cached_property
    def _tracks(self) -> Tracks:
        places = [np.nonzero(mask) for mask in self.masks]
        boxes = [(x.min(), y.min(), x.max() + 1, y.max() + 1) for y, x in places]
        some = np.full(self._count, 0.9, np.float32)
        return Tracks(
            stamp=0,
            ids=tuple(range(1, self._count + 1)),
            states=(State.VISIBLE,) * self._count,
            masks=self.masks,
            logits=np.zeros((self._count, 1, 1), np.float32),
            boxes=np.array(boxes, np.float32),
            centroids=np.array([(x.mean(), y.mean()) for y, x in places], np.float32),
            areas=np.array([len(x) for _, x in places]),
            scores=some,
            visibility=some,
            iou=some,
            last_seen=(0,) * self._count,
        )
