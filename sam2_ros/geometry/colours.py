"""Which colour an object has, wherever it is shown."""

from __future__ import annotations

import colorsys

Colour = tuple[int, int, int]
"""Red, green and blue, 0 to 255."""

# The golden angle: each hue falls into the widest gap that the hues before it left.
_HUE_STEP = 0.381966


def colour(object_id: int) -> Colour:
    """Of an object, the same for its whole life and far from its neighbours'."""
    hue = (0.56 + _HUE_STEP * (object_id - 1)) % 1.0
    red, green, blue = colorsys.hsv_to_rgb(hue, 0.78, 1.0)
    return round(255 * red), round(255 * green), round(255 * blue)
