"""Procedural pictures for the surfaces of the simulated tabletop: wood, plaster, printed boxes and labels.

Every function returns an image (H, W, 3) uint8 RGB. Colours are RGB, 0 to 1.
"""

from __future__ import annotations

import colorsys
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Colour = tuple[float, float, float]


def hue(h: float, saturation: float = 0.8, value: float = 0.85) -> Colour:
    """The colour with this hue (0 to 1, goes round), saturation and brightness."""
    return colorsys.hsv_to_rgb(h % 1.0, saturation, value)


def shade(colour: Colour, factor: float) -> Colour:
    """The colour made darker (below 1) or lighter."""
    return (min(1.0, colour[0] * factor), min(1.0, colour[1] * factor), min(1.0, colour[2] * factor))


def plain(colour: Colour, size: int = 16) -> Image:
    return np.full((size, size, 3), np.array(colour) * 255, np.uint8)


def noise(
    rng: np.random.Generator, height: int, width: int, cells: tuple[int, int], octaves: int = 4
) -> NDArray[np.float32]:
    """Smooth noise, (H, W) about 0 to 1; cells: how many bumps down and across in the coarsest octave."""
    total = np.zeros((height, width), np.float32)
    weight = 0.0
    for octave in range(octaves):
        grid = rng.random((cells[0] * 2**octave + 1, cells[1] * 2**octave + 1), np.float32)
        total += cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC) / 2**octave
        weight += 1 / 2**octave
    return total / weight


def wood(rng: np.random.Generator, colour: Colour, planks: int = 6, size: int = 1024) -> Image:
    """Planks along x with grain and dark joints."""
    picture = np.empty((size, size, 3), np.float32)
    edges = np.linspace(0, size, planks + 1).astype(int)
    for top, bottom in pairwise(edges):
        rows = bottom - top
        grain = noise(rng, rows, size, (10, 2), 4)
        rings = 0.5 + 0.5 * np.sin(2 * np.pi * (5 * noise(rng, rows, size, (2, 1), 2) + 1.5 * grain))
        shade = 0.80 + 0.16 * rings + 0.22 * (grain - 0.5) + 0.10 * (rng.random() - 0.5)
        plank = shade[..., None] * np.array(colour, np.float32) * (1 + 0.06 * (rng.random(3) - 0.5))
        plank[:2] *= 0.6
        joint = int(rng.integers(0, size))
        plank[:, joint : joint + 2] *= 0.6
        picture[top:bottom] = plank
    return _bytes(picture)


def plaster(rng: np.random.Generator, colour: Colour, size: int = 512) -> Image:
    """A painted wall, slightly uneven."""
    shade = (
        0.94 + 0.1 * (noise(rng, size, size, (6, 6), 5) - 0.5) + 0.02 * rng.standard_normal((size, size), np.float32)
    )
    return _bytes(shade[..., None] * np.array(colour, np.float32))


def stripes(colours: list[Colour], shares: list[float], height: int = 256, width: int = 256) -> Image:
    """Horizontal bands from top to bottom, each with its share of the height."""
    picture = np.empty((height, width, 3), np.float32)
    edges = np.round(np.concatenate([[0.0], np.cumsum(shares)]) / sum(shares) * height).astype(int)
    for colour, top, bottom in zip(colours, edges[:-1], edges[1:], strict=True):
        picture[top:bottom] = colour
    return _bytes(picture)


def segments(colours: list[Colour], count: int, height: int = 256, width: int = 512) -> Image:
    """Vertical bands that repeat the colours, as on a beach ball, with plain poles."""
    picture = np.empty((height, width, 3), np.float32)
    band = (np.arange(width) * count // width) % len(colours)
    picture[:] = np.array(colours, np.float32)[band][None]
    picture[: height // 14] = picture[-(height // 14) :] = 0.95
    return _bytes(picture)


def dots(rng: np.random.Generator, ground: Colour, dot: Colour, count: int = 40, size: int = 256) -> Image:
    picture = plain(ground, size)
    for _ in range(count):
        disc(
            picture,
            (int(rng.integers(0, size)), int(rng.integers(0, size))),
            int(rng.integers(size // 40, size // 14)),
            dot,
        )
    return picture


def lettered(text: str, ground: Colour, ink: Colour, width: int, height: int, share: float = 0.7) -> Image:
    """A word across the middle of a plain ground, `share` of the width wide or as high as fits."""
    picture = stripes([ground], [1.0], height, width)
    write(picture, text, (width // 2, height // 2), share * width, 0.6 * height, ink)
    return picture


def write(picture: Image, text: str, centre: tuple[int, int], width: float, height: float, ink: Colour) -> None:
    """Draws text into a picture, centred, as large as the given width and height in pixels allow."""
    font = cv2.FONT_HERSHEY_DUPLEX
    (w, h), _ = cv2.getTextSize(text, font, 1.0, 2)
    scale = min(width / w, height / h)
    thickness = max(1, round(2.2 * scale))
    (w, h), _ = cv2.getTextSize(text, font, scale, thickness)
    cv2.putText(picture, text, (centre[0] - w // 2, centre[1] + h // 2), font, scale, _ink(ink), thickness, cv2.LINE_AA)


def disc(picture: Image, centre: tuple[int, int], radius: int, colour: Colour) -> None:
    """Draws a filled circle into a picture; pixels."""
    cv2.circle(picture, centre, radius, _ink(colour), -1, cv2.LINE_AA)


def framed(colour: Colour, size: int = 128) -> Image:
    """A painted side with a lighter border, for a toy block."""
    picture = np.full((size, size, 3), np.clip(np.array(colour) * 1.25 + 0.12, 0, 1), np.float32)
    rim = size // 9
    picture[rim:-rim, rim:-rim] = colour
    return _bytes(picture)


def sheet(sides: dict[str, Image], cells: dict[str, tuple[int, int]], cell: int = 256) -> Image:
    """One texture out of six pictures, each resized to its cell of a grid of three by two."""
    picture = np.empty((2 * cell, 3 * cell, 3), np.uint8)
    for name, (column, row) in cells.items():
        resized = cv2.resize(sides[name], (cell, cell), interpolation=cv2.INTER_AREA)
        picture[row * cell : (row + 1) * cell, column * cell : (column + 1) * cell] = resized
    return picture


def _bytes(picture: NDArray[np.float32]) -> Image:
    result: Image = (np.clip(picture, 0.0, 1.0) * 255).astype(np.uint8)
    return result


def _ink(colour: Colour) -> tuple[float, float, float]:
    """For OpenCV's drawing into bytes."""
    return (255 * colour[0], 255 * colour[1], 255 * colour[2])
