"""Things of rods and rings, through which one sees what is behind: few of the other pictures have thin parts."""

from __future__ import annotations

import cv2
import numpy as np

from .bank import Bank, Image
from .things import Array, cutout

Strokes = list[tuple[Array, float]]
"""Points (K, 2) of a line, in edges of the sprite, and how thick it is beside the others."""


def rods(bank: Bank, random: np.random.Generator) -> Image:
    """A sprite (192, 192, 4) of rods and rings, through which one sees what is behind: on wheels, on legs, with rungs,
    or with branches; half of them carry something."""
    strokes = (_wheels, _legs, _rungs, _branches)[random.choice(4, p=(0.4, 0.25, 0.15, 0.2))](random)
    sprite = np.zeros((192, 192, 4), np.uint8)
    colours = random.integers(0, 256, (2, 3)) * random.uniform(0.15, 1.0, (2, 1))
    thick = float(np.exp(random.uniform(np.log(2.0), np.log(8.0))))
    for points, share in strokes:
        colour = (colours[int(random.random() < 0.4)] * random.uniform(0.7, 1.2)).clip(0, 255)
        width = max(1, round(thick * share * random.uniform(0.7, 1.4)))
        way = [np.rint(8 * (8 + 176 * np.asarray(points))).astype(np.int32)]
        # On an opaque ground of its colour, so that the smooth edge is not dark.
        stroke = np.zeros((192, 192), np.uint8)
        cv2.polylines(stroke, way, False, 255, width, cv2.LINE_AA, shift=3)
        sprite[stroke > 0, :3] = colour.astype(np.uint8)
        sprite[..., 3] = np.maximum(sprite[..., 3], stroke)
    if random.random() < 0.5:
        _load(sprite, cutout(bank, random), random)
    return sprite


def _ring(x: float, y: float, radius: float) -> Array:
    turns = np.linspace(0, 2 * np.pi, 49)
    return np.column_stack((x + radius * np.cos(turns), y + radius * np.sin(turns)))


def _wheels(random: np.random.Generator) -> Strokes:
    """Two wheels and what joins them, as a bicycle, a scooter or a pram."""
    radius = random.uniform(0.14, 0.25, 2) * (1, random.choice((1.0, random.uniform(0.6, 1.0))))
    hubs = np.array([[radius[0], 1 - radius[0]], [1 - radius[1], 1 - radius[1]]])
    seat, head = random.uniform((0.2, 0.25), (0.45, 0.5)), random.uniform((0.6, 0.2), (0.85, 0.5))
    crank = np.array([random.uniform(0.4, 0.55), 1 - radius.mean() * random.uniform(0.6, 1.1)])
    joints = [(hubs[0], crank), (hubs[0], seat), (crank, seat), (seat, head), (crank, head), (head, hubs[1])]
    strokes: Strokes = [(np.array(pair), 1.0) for pair in joints if random.random() < 0.85]
    strokes += [(head + np.array([[-0.08, -0.06], [0.05, -0.1], [0.08, -0.02]]), 0.8)]
    tyre = random.uniform(0.6, 2.0)
    for hub, one in zip(hubs, radius, strict=True):
        strokes.append((_ring(hub[0], hub[1], one), tyre))
        for turn in np.arange(random.integers(0, 14)) * 2.4:
            strokes.append((np.array([hub, hub + one * np.array([np.cos(turn), np.sin(turn)])]), 0.15))
    return strokes


def _legs(random: np.random.Generator) -> Strokes:
    """A seat, a top or a head on two to four legs, as a chair, a table or a tripod."""
    top = random.uniform(0.05, 0.6)
    feet = np.sort(random.uniform(0, 1, random.integers(2, 5)))
    feet[0], feet[-1] = feet[0] * 0.2, 1 - 0.2 * (1 - feet[-1])
    narrow = random.uniform(0.2, 1.0)
    ends = [np.array([[0.5 + narrow * (x - 0.5), top], [x, random.uniform(0.85, 1)]]) for x in feet]
    strokes: Strokes = [(end, 1.0) for end in ends]
    strokes.append((np.array([ends[0][0], ends[-1][0]]), random.uniform(1, 3)))
    for share in random.uniform(0.2, 0.9, random.integers(0, 3)):
        strokes.append((np.array([a + share * (b - a) for a, b in (ends[0], ends[-1])]), 0.7))
    if random.random() < 0.5:
        back = ends[0][0] + np.array([[0, 0], [random.normal(0, 0.05), -top]])
        strokes += [(back, 1.0), (np.array([back[1], back[1] + (random.uniform(0, 0.4), 0)]), 1.0)]
    return strokes


def _rungs(random: np.random.Generator) -> Strokes:
    """Two rails and what crosses between them, as a ladder, a fence or a rack."""
    left, right = random.uniform(0, 0.35), random.uniform(0.6, 1.0)
    lean = random.normal(0, 0.06, 2)
    rails = np.array([[[left, 0], [left + lean[0], 1]], [[right, 0], [right + lean[1], 1]]])
    strokes: Strokes = [(rail, 1.2) for rail in rails]
    for share in np.linspace(0.05, 0.95, random.integers(2, 9)):
        strokes.append((rails[:, 0] + share * (rails[:, 1] - rails[:, 0]), 0.8))
    return strokes


def _branches(random: np.random.Generator) -> Strokes:
    """What winds and forks, as a twig, a cable or a pair of spectacles."""
    strokes: Strokes = []
    starts = [(np.array([0.5, 1.0]), -np.pi / 2, 1.0)]
    for start, direction, share in starts:
        bends = np.cumsum(random.normal(0, 0.25, 12)) + direction
        steps = 0.085 * share * np.column_stack((np.cos(bends), np.sin(bends)))
        way = (start + np.vstack((np.zeros((1, 2)), np.cumsum(steps, axis=0)))).clip(0, 1)
        strokes.append((way, share))
        for _ in range(random.integers(0, 4) if share > 0.5 else 0):
            at = int(random.integers(2, 12))
            starts.append((way[at], bends[at - 1] + float(random.choice((-0.8, 0.8))), 0.65 * share))
    return strokes


def _load(sprite: Image, load: Image, random: np.random.Generator) -> None:
    """Puts a sprite on another, as a rider sits."""
    edge = int(random.uniform(80, 150))
    scale = edge / max(load.shape[:2])
    load = np.asarray(cv2.resize(load, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
    height, width = load.shape[:2]
    x = int((192 - width) * random.uniform(0.3, 0.7))
    y = int((192 - height) * random.uniform(0, 0.5))
    under = sprite[y : y + height, x : x + width]
    weight = load[..., 3:] / 255
    under[..., :3] = under[..., :3] * (1 - weight) + load[..., :3] * weight
    under[..., 3] = np.maximum(under[..., 3], load[..., 3])
