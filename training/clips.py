"""Short clips with true masks, made on the fly: the same number always gives the same clip."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from .bank import Bank

Image = NDArray[np.uint8]


@dataclass(frozen=True)
class Clip:
    """T frames of S x S pixels with K followed objects, each of them in view on the first frame."""

    images: Image
    """(T, S, S, 3) RGB"""
    masks: NDArray[np.bool_]
    """(T, K, S, S), what is visible of each object."""


def make_clip(
    bank: Bank, number: int, *, frames: int, objects: int, size: int, seed: int = 0, tables: float = 0.5
) -> Clip:
    """The clip of that number; tables: the share of clips that show a rendered table."""
    attempt = 0
    while True:
        random = np.random.default_rng((seed, number, attempt))
        source = _table if random.random() < tables else _collage
        images, labels, count = source(bank, random, frames, size)
        chosen = _visible_at_first(labels, count, objects, random)
        if chosen is not None:
            masks = labels[:, None] == chosen[None, :, None, None]
            return Clip(_photographed(images, random), masks)
        attempt += 1


def _visible_at_first(labels: Image, count: int, objects: int, random: np.random.Generator) -> Image | None:
    """Labels of objects that show enough of themselves on the first frame; None if there are too few."""
    enough = labels[0].size * 0.002
    areas = np.bincount(labels[0].ravel(), minlength=count + 1)[1:]
    candidates = 1 + np.flatnonzero(areas > enough)
    if not len(candidates):
        return None
    if len(candidates) < objects:  # the batch has a fixed shape: one object may stand in it twice
        candidates = np.resize(candidates, objects)
    return random.permutation(candidates)[:objects].astype(np.uint8)


def _table(bank: Bank, random: np.random.Generator, frames: int, size: int) -> tuple[Image, Image, int]:
    """A part of a rendered table, seen from further away or closer, perhaps mirrored."""
    images, labels = bank.tables[random.integers(len(bank.tables))]
    order = np.arange(len(images))[:: random.choice((-1, 1))]
    if frames < len(order):
        start = random.integers(0, len(order) - frames + 1)
        order = order[start : start + frames]
    edge = int(random.integers(140, 257)) if random.random() < 0.6 else 256
    x, y = random.integers(0, 257 - edge, 2)
    mirrored = random.random() < 0.5
    out_images, out_labels = [], []
    for index in np.resize(order, frames):
        image, label = (array[index, y : y + edge, x : x + edge] for array in (images, labels))
        if mirrored:
            image, label = image[:, ::-1], label[:, ::-1]
        out_images.append(cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA))
        out_labels.append(cv2.resize(label, (size, size), interpolation=cv2.INTER_NEAREST))
    return np.stack(out_images), np.stack(out_labels), int(labels.max())


@dataclass
class _Thing:
    """A sprite on its way through the picture. Lengths are in edges of the picture."""

    sprite: Image
    place: NDArray[np.float64]
    velocity: NDArray[np.float64]
    angle: float
    turn: float
    scale: NDArray[np.float64]
    growth: NDArray[np.float64]


def _collage(bank: Bank, random: np.random.Generator, frames: int, size: int) -> tuple[Image, Image, int]:
    """Sprites over a photograph; who comes later in the list hides who comes before."""
    count = int(random.integers(3, 7))
    things: list[_Thing] = []
    for _ in range(count):
        like = things[random.integers(len(things))].sprite if things and random.random() < 0.25 else None
        things.append(_thing(bank, random, like))
    background = _background(bank, random, size)
    drift, zoom = random.normal(0, 0.012, 2), random.normal(0, 0.008)
    images = np.empty((frames, size, size, 3), np.uint8)
    labels = np.zeros((frames, size, size), np.uint8)
    for t in range(frames):
        scale = 1 + zoom * t
        middle = background.shape[0] / 2
        shift = size / 2 - scale * middle + drift * t * size
        view = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
        picture = _warp(background, view, size, cv2.BORDER_REFLECT_101)
        for label, thing in enumerate(things, start=1):
            picture = _draw(picture, labels[t], label, thing, t, drift, size)
        images[t] = picture
    return images, labels, count


def _thing(bank: Bank, random: np.random.Generator, like: Image | None) -> _Thing:
    sprite = _coloured(bank, random) if like is None else like
    speed = random.choice((0.01, 0.03, 0.08))
    size = random.uniform(0.12, 0.6)
    return _Thing(
        sprite,
        place=random.uniform(0.1, 0.9, 2),
        velocity=random.normal(0, speed, 2),
        angle=random.normal(0, 25),
        turn=random.normal(0, 5),
        scale=size / sprite.shape[0] * random.uniform(0.8, 1.25, 2),
        growth=1 + random.normal(0, 0.02, 2),
    )


def _coloured(bank: Bank, random: np.random.Generator) -> Image:
    """A sprite as it is, in other colours, or as a silhouette of a photograph's texture."""
    sprite = bank.sprites[random.integers(len(bank.sprites))].copy()
    kind = random.random()
    height, width = sprite.shape[:2]
    if kind < 0.45:
        texture = _crop(bank, random, max(height, width))[:height, :width]
        shade = sprite[..., :3].mean(axis=2, keepdims=True) / 255 if random.random() < 0.5 else 1.0
        sprite[..., :3] = texture * (0.4 + 0.6 * shade)
    if kind < 0.8:
        hsv = cv2.cvtColor(np.ascontiguousarray(sprite[..., :3]), cv2.COLOR_RGB2HSV)
        hsv[..., 0] = (hsv[..., 0].astype(int) + random.integers(0, 180)) % 180
        sprite[..., :3] = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)
    return sprite[:, ::-1] if random.random() < 0.5 else sprite


def _crop(bank: Bank, random: np.random.Generator, edge: int) -> Image:
    """A square of a photograph, at least as detailed as it is large."""
    photograph = bank.photographs[random.integers(len(bank.photographs))]
    limit = min(photograph.shape[:2])
    side = int(random.integers(min(limit, edge) // 2 + 1, limit + 1))
    x, y = random.integers(0, photograph.shape[1] - side + 1), random.integers(0, photograph.shape[0] - side + 1)
    crop = cv2.resize(photograph[y : y + side, x : x + side], (edge, edge), interpolation=cv2.INTER_AREA)
    return np.rot90(np.asarray(crop, np.uint8), int(random.integers(4))).copy()


def _background(bank: Bank, random: np.random.Generator, size: int) -> Image:
    """A photograph larger than the picture, sometimes nearly plain, sometimes with sprites that nobody follows."""
    edge = int(1.3 * size)
    picture = _crop(bank, random, edge)
    if random.random() < 0.3:
        plain = np.full_like(picture, random.integers(0, 256, 3))
        picture = np.asarray(cv2.addWeighted(picture, 0.15, plain, 0.85, 0), np.uint8)
    labels = np.zeros((edge, edge), np.uint8)
    for _ in range(random.integers(0, 6)):
        picture = _draw(picture, labels, 1, _thing(bank, random, None), 0, np.zeros(2), edge)
    return picture


def _draw(
    picture: Image, labels: Image, label: int, thing: _Thing, t: int, drift: NDArray[np.float64], size: int
) -> Image:
    """The picture with a thing on it as it is at frame t; its visible pixels get its label."""
    height, width = thing.sprite.shape[:2]
    scale = thing.scale * thing.growth**t * size
    angle = np.deg2rad(thing.angle + thing.turn * t)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) * scale
    middle = (thing.place + (thing.velocity + drift) * t) * size
    affine = np.column_stack((turn, middle - turn @ (width / 2, height / 2)))
    layer = _warp(thing.sprite, affine, size, cv2.BORDER_CONSTANT)
    opacity = layer[..., 3]
    labels[opacity > 127] = label
    weight = opacity.astype(np.uint16)[..., None]
    return ((picture * (255 - weight) + layer[..., :3] * weight) // 255).astype(np.uint8)


def _warp(picture: Image, affine: NDArray[np.float64], size: int, border: int) -> Image:
    warped = cv2.warpAffine(picture, affine, (size, size), flags=cv2.INTER_LINEAR, borderMode=border)
    return np.asarray(warped, np.uint8)


def _photographed(images: Image, random: np.random.Generator) -> Image:
    """The clip as a camera would give it: light that changes, blur, noise, compression."""
    frames = len(images)
    gain = random.uniform(0.6, 1.3) * (1 + np.cumsum(random.normal(0, 0.02, frames)))
    tint = random.uniform(0.85, 1.15, 3)
    blur = random.uniform(0.4, 1.5) if random.random() < 0.4 else 0.0
    noise = random.uniform(2, 12) if random.random() < 0.5 else 0.0
    quality = int(random.integers(30, 90)) if random.random() < 0.4 else 0
    out = np.empty_like(images)
    grain = random.normal(0, 1, images.shape[1:]).astype(np.float32) if noise else None
    for t in range(frames):
        picture = images[t].astype(np.float32) * (gain[t] * tint).astype(np.float32)
        if blur:
            picture = cv2.GaussianBlur(picture, (0, 0), blur)
        if grain is not None:
            shift = random.integers(0, images.shape[1], 2)
            picture = picture + noise * np.roll(grain, shift, axis=(0, 1))
        frame = picture.clip(0, 255).astype(np.uint8)
        if quality:
            _, packed = cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, quality])
            frame = cv2.imdecode(packed, cv2.IMREAD_COLOR)
        out[t] = frame
    return out
