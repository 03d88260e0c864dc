"""A bank of pictures, made here, that clips are generated from."""

from __future__ import annotations

import numpy as np

from training.bank import Bank
from training.marked import Marked


def small_bank() -> Bank:
    """Round sprites, two photographs of noise, the second with a marked square, a solid that widens and one moving
    table, without any real source."""
    random = np.random.default_rng(5)
    y, x = np.mgrid[:60, :60]
    sprites = []
    for _ in range(13):
        sprite = np.empty((60, 60, 4), np.uint8)
        sprite[..., :3] = random.integers(0, 255, 3)
        sprite[..., 3] = 255 * ((x - 30) ** 2 + (y - 30) ** 2 < 28**2)
        sprites.append(sprite)
    photographs = [random.integers(0, 255, (200, 260, 3), dtype=np.uint8) for _ in range(2)]
    images = np.full((8, 256, 256, 3), 120, np.uint8)
    labels = np.zeros((8, 256, 256), np.uint8)
    for t in range(8):
        labels[t, 60:200, 30 + 10 * t : 150 + 10 * t] = 1
        labels[t, 100:160, 90:220] = 2
    images[labels == 1] = (200, 40, 40)
    images[labels == 2] = (40, 40, 200)
    film = np.full((6, 40, 40, 4), (90, 160, 30, 0), np.uint8)
    for t in range(6):
        film[t, 4:36, 14 - 2 * t : 26 + 2 * t, 3] = 255
    square = np.zeros((1, 200, 260), np.uint8)
    square[0, 60:120, 90:170] = 1
    marked = Marked(1, photographs[1], photographs[0], square)
    return Bank(sprites, sprites, photographs, [film] * 2, [(images, labels)] * 2, [marked])
