"""Collages: things that move over a photograph, before a camera that moves as well."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from .bank import Bank, Image
from .natural import natural_scene
from .things import Array, Thing, beside, blend_in, crop, dressed, joined, passer, random_thing, wander


def collage(
    bank: Bank, random: np.random.Generator, frames: int, size: int, *, natural: float
) -> tuple[Image, Image, list[tuple[int, ...]]]:
    """Images (T, S, S, 3), labels (T, S, S), and the objects to follow, each as the labels that it is made of.

    natural: share of the collages over a photograph whose own things are followed.
    """
    calm = random.random() < 0.6
    if random.random() < natural:
        background, things = natural_scene(bank, random, frames, size)
        pasted = _cast(bank, random, frames, int(random.integers(0, 3)), calm=calm)
        things += pasted
    else:
        background = _background(bank, random, size)
        things = pasted = _cast(bank, random, frames, int(random.integers(2, 6)), calm=calm)
    if frames > 1 and random.random() < 0.35:
        things.append(passer(bank, random, things[random.integers(len(things))]))
        things[-1].followed = False
    wholes = _number(things)
    views = _camera(random, frames, size, followed=things[random.integers(len(things))])
    for thing in pasted:
        if random.random() < 0.3:
            blend_in(thing, _around(background, thing, size), random)
    edge = background.shape[0]
    rest = np.array([[1, 0, (size - edge) / 2], [0, 1, (size - edge) / 2], [0, 0, 1.0]])
    shutter = random.uniform(0.2, 1.0) if random.random() < 0.35 else 0.0
    images = np.empty((frames, size, size, 3), np.uint8)
    labels = np.zeros((frames, size, size), np.uint8)
    for t in range(frames):
        images[t] = cv2.warpPerspective(background, views[t] @ rest, (size, size), borderMode=cv2.BORDER_REFLECT_101)
        for thing in things:
            for one in thing.members():
                draw(images[t], labels[t], one, t, views[t], shutter)
    if random.random() < 0.75:
        wholes = [whole for whole in wholes if _shown(things, labels[0], whole) > 0.45]
    return images, labels, wholes


def _shown(things: list[Thing], labels: Image, whole: tuple[int, ...]) -> float:
    """About what share of an object is in the first picture, and not behind another."""
    size = len(labels)
    members = [one for thing in things for one in thing.members() if one.label in whole]
    own = sum((one.sprite[..., 3] > 127).sum() * np.prod(one.scale[0]) * size**2 for one in members)
    return float(np.isin(labels, whole).sum() / max(1.0, own))


def _cast(bank: Bank, random: np.random.Generator, frames: int, count: int, *, calm: bool) -> list[Thing]:
    """Who takes part, from the back to the front. calm: all of them move as most things do before a camera, by a small
    part of themselves from one frame to the next."""
    things: list[Thing] = []
    for _ in range(count):
        like = things[random.integers(len(things))].sprite if things and random.random() < 0.2 else None
        thing = random_thing(bank, random, frames, sprite=like, calm=calm)
        if random.random() < 0.25:
            joined(bank, random, thing)
        elif things and random.random() < 0.4:
            beside(random, thing, things[random.integers(len(things))])
        # What comes first stands at the back; a thing beside another may as well be behind it.
        things.insert(int(random.integers(len(things) + 1)), thing)
    return things


def _number(things: list[Thing]) -> list[tuple[int, ...]]:
    """Gives every sprite its label; what is made of parts can be followed as a whole or in parts."""
    wholes: list[tuple[int, ...]] = []
    every = [one for thing in things for one in thing.members()]
    for label, one in enumerate(every, start=1):
        one.label = label
    for thing in things:
        if thing.followed:
            followed = [member for member in thing.members() if member.followed]
            wholes += [tuple(one.label for one in member.members()) for member in followed]
            if thing.joined:
                wholes.append((thing.label,))
    return wholes


def _background(bank: Bank, random: np.random.Generator, size: int) -> Image:
    """A photograph larger than the picture, sometimes nearly plain, sometimes with things that nobody follows."""
    edge = int(1.35 * size)
    picture = crop(bank, random, edge)
    if random.random() < 0.2:
        plain = np.full_like(picture, random.integers(0, 256, 3))
        picture = np.asarray(cv2.addWeighted(picture, 0.2, plain, 0.8, 0), np.uint8)
    picture = np.ascontiguousarray(picture)
    nobody = np.zeros((edge, edge), np.uint8)
    for _ in range(random.integers(0, 5)):
        draw(picture, nobody, random_thing(bank, random, 1, sprite=dressed(bank, random)), 0, np.eye(3), 0.0)
    return picture


def _around(background: Image, thing: Thing, size: int) -> Image:
    """What of the background is behind a thing on the first frame, and as much again around it."""
    margin = (len(background) - size) / 2
    x, y = thing.place[0] * size + margin
    reach = max(8.0, max(thing.sprite.shape[:2]) * float(thing.scale[0].max()) * size)
    x0, y0, x1, y1 = np.array([x - reach, y - reach, x + reach, y + reach]).clip(0, len(background)).astype(int)
    return background[y0:y1, x0:x1]


def _camera(random: np.random.Generator, frames: int, size: int, *, followed: Thing) -> Array:
    """(T, 3, 3) from the scene to each picture, pixels; the identity on the first. Sometimes the camera keeps a thing
    where it is in the picture, so that all else flies past."""
    pace = float(random.choice((0.0, 0.4, 1.0, 2.0), p=(0.2, 0.3, 0.35, 0.15)))
    shift = wander(random, frames, 0.01 * pace, 2) * size
    if random.random() < 0.3:
        shift[1:] += random.normal(0, 0.008 * size, (frames - 1, 2))
    if random.random() < 0.3:
        shift -= random.uniform(0.6, 1.1) * size * (followed.place - followed.place[0])
    turn = wander(random, frames, 0.008 * pace, 1)[:, 0]
    zoom = np.exp(wander(random, frames, 0.008 * pace, 1)[:, 0])
    tilt = wander(random, frames, 0.006 * pace, 2) / size
    views = np.empty((frames, 3, 3))
    middle = np.array([[1, 0, size / 2], [0, 1, size / 2], [0, 0, 1.0]])
    for t in range(frames):
        cosine, sine = zoom[t] * np.cos(turn[t]), zoom[t] * np.sin(turn[t])
        view = np.array([[cosine, -sine, shift[t, 0]], [sine, cosine, shift[t, 1]], [tilt[t, 0], tilt[t, 1], 1]])
        views[t] = middle @ view @ np.linalg.inv(middle)
    return views


def _transform(thing: Thing, t: int, size: int) -> Array:
    """(3, 3) from the sprite's pixels to the scene's."""
    height, width = thing.sprite.shape[:2]
    cosine, sine = np.cos(thing.angle[t]), np.sin(thing.angle[t])
    x, y = thing.scale[t] * size
    tilt = thing.tilt[t].clip(-0.35, 0.35) / (width / 2, height / 2)
    to_middle = np.array([[1, 0, -width / 2], [0, 1, -height / 2], [0, 0, 1.0]])
    seen = np.array([[1, 0, 0], [0, 1, 0], [tilt[0], tilt[1], 1]])
    turned = np.array([[cosine * x, -sine * y, 0], [sine * x, cosine * y, 0], [0, 0, 1]])
    turned[:2, 2] = thing.place[t] * size
    return turned @ seen @ to_middle


def _bent(thing: Thing, t: int) -> Image:
    """The sprite as it looks and is bent at frame t, with a margin for what bends outwards."""
    sprite = thing.sprite if thing.film is None else thing.film[t]
    if thing.skin is not None:
        sprite = thing.skin.over(sprite, t)
    if thing.wave is None:
        return sprite
    height, width = thing.sprite.shape[:2]
    (ax, fx, px), (ay, fy, py) = thing.wave[t]
    rows, columns = np.arange(height, dtype=np.float32), np.arange(width, dtype=np.float32)
    x = columns[None, :] + (ax * width * np.sin(2 * np.pi * fx * rows / height + px)).astype(np.float32)[:, None]
    y = rows[:, None] + (ay * height * np.sin(2 * np.pi * fy * columns / width + py)).astype(np.float32)[None, :]
    return np.asarray(cv2.remap(sprite, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT), np.uint8)


def draw(picture: Image, labels: Image, thing: Thing, t: int, view: Array, shutter: float) -> None:
    """Draws a thing into the picture as it is at frame t; its visible pixels get its label.

    shutter: how much of the time between two frames the shutter is open; what moves is smeared accordingly.
    """
    size = len(picture)
    matrix = view @ _transform(thing, t, size)
    height, width = thing.sprite.shape[:2]
    corners = matrix @ np.array([[0, width, width, 0], [0, 0, height, height], [1, 1, 1, 1]], float)
    if corners[2].min() <= 0.05:
        return
    corners = corners[:2] / corners[2]
    smear = np.zeros(2) if not shutter or not t else shutter * size * (thing.place[t] - thing.place[t - 1])
    margin = 2 + np.abs(smear).max() / 2
    low = np.floor(corners.min(axis=1) - margin).clip(0, size).astype(int)
    high = np.ceil(corners.max(axis=1) + margin).clip(0, size).astype(int)
    if (high <= low).any():
        return
    place = np.array([[1, 0, -low[0]], [0, 1, -low[1]], [0, 0, 1.0]])
    area = (int(high[0] - low[0]), int(high[1] - low[1]))
    layer = cv2.warpPerspective(_bent(thing, t), place @ matrix, area, flags=cv2.INTER_LINEAR)
    weight = np.asarray(layer[..., 3:] / 255, np.float32)
    colours = np.asarray(layer[..., :3] * weight, np.float32)
    if np.hypot(*smear) > 2:
        kernel = _line(smear.clip(-25, 25))
        colours = np.asarray(cv2.filter2D(colours, -1, kernel), np.float32)
        weight = np.asarray(cv2.filter2D(weight, -1, kernel), np.float32)[..., None]
    region = (slice(low[1], high[1]), slice(low[0], high[0]))
    picture[region] = (picture[region] * (1 - weight) + colours).clip(0, 255)
    labels[region][weight[..., 0] > 0.5] = thing.label


def _line(smear: NDArray[np.float64]) -> NDArray[np.float32]:
    """A kernel that smears along a vector of pixels."""
    reach = int(np.ceil(np.abs(smear).max() / 2))
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1), np.float32)
    begin, end = np.rint(reach - smear / 2).astype(int), np.rint(reach + smear / 2).astype(int)
    cv2.line(kernel, begin.tolist(), end.tolist(), 1.0)
    return kernel / kernel.sum()
