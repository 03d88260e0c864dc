"""Scenes of a photograph whose own things move, a little, where they are: their edges, their light and what is around
them are as a camera saw them, which is not so for what is pasted."""

from __future__ import annotations

import cv2
import numpy as np

from .bank import Bank, Image
from .marked import Marked, with_opacity
from .things import Array, Thing, wander

_INSIDE = 0.7
"""Share of a thing within another from which it is a part of that."""

_PARTS = 0.4
"""Share of the parts that may be followed by themselves: who clicks means the whole more often."""


def natural_scene(bank: Bank, random: np.random.Generator, frames: int, size: int) -> tuple[Image, list[Thing]]:
    """A background (E, E, 3), E larger than S, whose middle is the first picture, S x S pixels, and the things in it.

    The photograph is half as large as the picture, or larger, so that things are small and large. Half of the scenes
    are still: then the camera alone moves.
    """
    marked = _mirrored(bank.marked[random.integers(len(bank.marked))], random)
    edge = int(size * np.exp(random.uniform(np.log(0.5), np.log(1.35))))
    left, top, side = _frame(marked, random)
    zoom = edge / side  # pixels of the background for one of the photograph
    still = frames == 1 or random.random() < 0.5
    seen = (slice(top, top + side), slice(left, left + side))
    empty = _resized(marked.behind[seen], edge)
    beyond = max(edge // 3, int(0.68 * size - edge / 2))
    # Mirrored beyond its edges, without the things, of which else a second one would come into view.
    background = np.asarray(cv2.copyMakeBorder(empty, *(beyond,) * 4, cv2.BORDER_REFLECT_101), np.uint8)
    if still:
        background[beyond : beyond + edge, beyond : beyond + edge] = _resized(marked.picture[seen], edge)

    def where(x: float, y: float) -> Array:
        return ((np.array([x - left, y - top]) * zoom) - (edge - size) / 2) / size

    things = []
    made: dict[int, tuple[Thing, int, int]] = {}  # with the corner of the sprite in the photograph
    for one, whole in _wholes(marked.masks):
        if whole is None:
            sprite, x, y = marked.cutout(one)
            middle = where(x + sprite.shape[1] / 2, y + sprite.shape[0] / 2)
            thing = _moving(random, frames, sprite, middle, zoom / size, pace=0.0 if still else _pace(random))
            things.append(thing)
        else:
            larger, x, y = made[whole]
            thing = _part(larger, marked.masks[one] & marked.masks[whole], x, y)
            thing.followed = random.random() < _PARTS
            larger.parts.append(thing)
        made[one] = thing, x, y
    return background, things


def _resized(picture: Image, edge: int) -> Image:
    way = cv2.INTER_AREA if edge < len(picture) else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(picture, (edge, edge), interpolation=way), np.uint8)


def _mirrored(marked: Marked, random: np.random.Generator) -> Marked:
    if random.random() < 0.5:
        return marked
    arrays = (marked.picture[:, ::-1], marked.behind[:, ::-1], marked.masks[:, :, ::-1])
    return Marked(marked.number, *(np.ascontiguousarray(array) for array in arrays))


def _frame(marked: Marked, random: np.random.Generator) -> tuple[int, int, int]:
    """Left, top and side of a square of the photograph that shows most of one of its things."""
    height, width = marked.masks.shape[1:]
    x, y, w, h = cv2.boundingRect(marked.masks[random.integers(len(marked.masks))])
    limit = min(height, width)
    side = int(random.uniform(min(limit, max(1.15 * w, 1.15 * h, 0.4 * limit)), limit))
    corner = np.array([x + w / 2, y + h / 2]) - side / 2 + random.uniform(-0.2, 0.2, 2) * side
    left, top = corner.clip(0, (width - side, height - side)).astype(int)
    return int(left), int(top), side


def _wholes(masks: Image) -> list[tuple[int, int | None]]:
    """The things, the largest first, each with the smallest that it is a part of."""
    areas = masks.sum(axis=(1, 2), dtype=np.int64)
    found: list[tuple[int, int | None]] = []
    for one in map(int, np.argsort(-areas, kind="stable")):
        around = [larger for larger, _ in found if (masks[one] & masks[larger]).sum() > _INSIDE * areas[one]]
        found.append((one, around[-1] if around else None))
    return found


def _pace(random: np.random.Generator) -> float:
    return float(random.choice((0.0, 0.3, 1.0, 2.0), p=(0.2, 0.35, 0.3, 0.15)))


def _moving(
    random: np.random.Generator, frames: int, sprite: Image, middle: Array, scale: float, *, pace: float
) -> Thing:
    """A thing that begins as it is in the photograph. pace: about how many times a 60th of itself it goes a frame."""
    extent = max(sprite.shape[:2]) * scale
    thing = Thing(
        sprite,
        place=middle + wander(random, frames, 0.018 * pace * min(1.0, 1.6 * extent), 2),
        angle=np.deg2rad(wander(random, frames, 2.5 * pace, 1)[:, 0]),
        scale=scale * np.exp(wander(random, frames, 0.015 * pace, 2)),
        tilt=wander(random, frames, 0.03 * pace, 2),
    )
    if pace and random.random() < 0.4:
        # It bends out of the shape that it has in the photograph, and back.
        swing = wander(random, frames, 0.02, 2)
        thing.wave = np.zeros((frames, 2, 3))
        thing.wave[..., 0] = swing.clip(-0.08, 0.08)
        thing.wave[..., 1:] = random.uniform((0.4, 0.0), (1.5, 2 * np.pi), (2, 2))
    return thing


def _part(whole: Thing, mask: Image, x: int, y: int) -> Thing:
    """What is marked with a mask of the photograph, as fixed to the whole, whose sprite has its corner at x, y."""
    height, width = whole.sprite.shape[:2]
    sprite = with_opacity(whole.sprite[..., :3], mask[y : y + height, x : x + width])
    return Thing(sprite, whole.place, whole.angle, whole.scale, whole.tilt, whole.wave)
