"""One image that says of every pixel which object it belongs to."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def label_image(masks: NDArray[np.bool_], ids: Sequence[int]) -> NDArray[np.uint8 | np.uint16 | np.int32]:
    """(N, H, W) masks and their N ids, from 1, to (H, W): the id of the object at each pixel, 0 where there is none.

    The type is the narrowest of uint8, uint16 and int32 that holds the ids. Where masks overlap the smaller object is
    in front, because it would vanish behind the larger one.
    """
    highest = max(ids, default=0)
    dtype = np.uint8 if highest <= 255 else np.uint16 if highest <= 65535 else np.int32
    labels = np.zeros(masks.shape[1:], dtype)
    # One by one, because with an axis NumPy takes ten times as long.
    areas = [np.count_nonzero(mask) for mask in masks]
    for index in sorted(range(len(ids)), key=lambda index: -areas[index]):
        np.copyto(labels, ids[index], where=masks[index])
    return labels
