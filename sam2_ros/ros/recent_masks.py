"""Where the objects were on the images of the last seconds, for clicks that come late."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sam2_ros.tracking import Tracks


class _Crop(NamedTuple):
    """An object's mask within its box."""

    x: int
    y: int
    width: int
    area: int
    rows: NDArray[np.uint8]
    """(height, width / 8) bits."""

    def holds(self, x: int, y: int) -> bool:
        column, row = x - self.x, y - self.y
        if not (0 <= column < self.width and 0 <= row < len(self.rows)):
            return False
        return bool(self.rows[row, column // 8] >> (7 - column % 8) & 1)


class _Image(NamedTuple):
    stamp: int
    size: tuple[int, int]
    crops: dict[int, _Crop]


class RecentMasks:
    """The masks of one stream's images, as bits within their boxes: some kilobytes for each image."""

    def __init__(self, seconds: float) -> None:
        """seconds: how much older than the newest an image may be to be kept; the newest always is."""
        self._seconds = seconds
        self._images: deque[_Image] = deque()

    @property
    def ids(self) -> tuple[int, ...]:
        """The objects on the newest image, in view or not."""
        return tuple(self._images[-1].crops) if self._images else ()

    def add(self, tracks: Tracks) -> None:
        """Takes all objects of the next image, or of the newest one as they now are. A stamp that falls, or another
        size, begins anew."""
        size = tracks.masks.shape[1], tracks.masks.shape[2]
        if self._images and (tracks.stamp < self._images[-1].stamp or size != self._images[-1].size):
            self._images.clear()
        if self._images and tracks.stamp == self._images[-1].stamp:
            self._images.pop()
        crops = {number: _crop(tracks, row) for row, number in enumerate(tracks.ids)}
        self._images.append(_Image(tracks.stamp, size, crops))
        too_old = tracks.stamp - round(1e9 * self._seconds)
        while self._images[0].stamp < too_old:
            self._images.popleft()

    def nearest(self, stamp: int | None) -> int | None:
        """The stamp of the image that a stamp means: the nearest one, the newest for None; None if there is none."""
        image = self._nearest(stamp)
        return None if image is None else image.stamp

    def at(self, x: float, y: float, stamp: int | None) -> list[int]:
        """The objects at a pixel of the image whose stamp is nearest, the newest for None: the smallest one first.

        Only objects that are on the newest image as well are known.
        """
        image = self._nearest(stamp)
        if image is None or not np.isfinite((x, y)).all():
            return []
        here = {number: crop for number, crop in image.crops.items() if crop.holds(round(x), round(y))}
        return sorted(here.keys() & set(self.ids), key=lambda number: (here[number].area, number))

    def _nearest(self, stamp: int | None) -> _Image | None:
        if not self._images:
            return None
        if stamp is None:
            return self._images[-1]
        return min(self._images, key=lambda image: (abs(image.stamp - stamp), -image.stamp))


def _crop(tracks: Tracks, row: int) -> _Crop:
    x0, y0, x1, y1 = (max(0, int(edge)) for edge in tracks.boxes[row])
    mask = tracks.masks[row, y0:y1, x0:x1]
    return _Crop(x0, y0, mask.shape[1], int(tracks.areas[row]), np.packbits(mask, axis=1))
