"""The box around a mask, on the host; boxes of many masks on the device are in `masks.py`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def box_around(mask: NDArray[np.bool_]) -> tuple[int, int, int, int] | None:
    """x0 y0 x1 y1 of a mask (H, W), in pixels, x1 and y1 one past its last one; None if it is empty."""
    rows = np.flatnonzero(mask.any(axis=1))
    if not len(rows):
        return None
    y0, y1 = int(rows[0]), int(rows[-1]) + 1
    columns = np.flatnonzero(mask[y0:y1].any(axis=0))
    return int(columns[0]), y0, int(columns[-1]) + 1, y1
