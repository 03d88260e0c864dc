"""What a camera gives for one moment."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class View:
    """One image, with depth and truth where the source has them."""

    image: NDArray[np.uint8]
    """(H, W, 3) RGB."""
    depth: NDArray[np.uint16] | None = None
    """(H, W) millimetres along the optical axis, 0 where it is not known."""
    labels: NDArray[np.uint8] | None = None
    """(H, W) id of the object that the pixel shows, 0 for none."""
