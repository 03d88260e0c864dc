"""A depth image that belongs to a colour image, pixel by pixel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_NEAREST, _FURTHEST = 1e-3, 1e4
"""Metres; no camera measures beyond them."""


@dataclass(frozen=True)
class DepthImage:
    """Distances along the optical axis, as a camera gives them."""

    pixels: NDArray[np.uint16] | NDArray[np.float32]
    """(H, W); 0, NaN, infinity, below 0 or beyond all measure where the distance is not known."""
    unit: float
    """Metres that a value of 1 stands for."""

    def metres(self, rows: slice | NDArray[np.intp], columns: slice | NDArray[np.intp]) -> NDArray[np.float32]:
        """(h, w) of a window of the image, a copy; 0 where the distance is not known. Arrays are as from `np.ix_`."""
        window = self.pixels[rows, columns].astype(np.float32)
        if self.pixels.dtype.kind == "f":
            window[~((window > _NEAREST / self.unit) & (window < _FURTHEST / self.unit))] = 0.0
        if self.unit != 1:
            window *= np.float32(self.unit)
        return window
