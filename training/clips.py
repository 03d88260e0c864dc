"""Short clips with true masks, made on the fly: the same number always gives the same clip."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from .bank import Bank, Image
from .camera import photographed
from .collage import collage


@dataclass(frozen=True)
class Clip:
    """T frames of S x S pixels with K followed objects, each of them in view on the first frame."""

    images: Image
    """(T, S, S, 3) RGB"""
    masks: NDArray[np.bool_]
    """(T, K, S, S), what is visible of each object; a part and its whole overlap."""


def make_clip(
    bank: Bank,
    number: int,
    *,
    frames: int,
    objects: int,
    size: int,
    seed: int = 0,
    tables: float = 0.25,
    natural: float = 0.5,
) -> Clip:
    """The clip of that number. tables: the share of clips that show a rendered table; natural: the share of the others
    in which a photograph's own things are followed."""
    attempt = 0
    while True:
        random = np.random.default_rng((seed, number, attempt))
        if random.random() < tables:
            images, labels, wholes = _table(bank, random, frames, size)
        else:
            images, labels, wholes = collage(bank, random, frames, size, natural=natural)
        chosen = _visible_at_first(labels[0], wholes, objects, random)
        if chosen:
            masks = np.stack([np.isin(labels, whole) for whole in chosen], axis=1)
            return Clip(photographed(images, random), masks)
        attempt += 1


def _visible_at_first(
    labels: Image, wholes: list[tuple[int, ...]], objects: int, random: np.random.Generator
) -> list[tuple[int, ...]]:
    """Objects, as the labels they are made of, that show enough of themselves; empty if there are none."""
    areas = np.bincount(labels.ravel(), minlength=256)
    candidates = [whole for whole in wholes if areas[list(whole)].sum() > 0.0006 * labels.size]
    if not candidates:
        return []
    # The batch has a fixed shape: where too few are in view, one object stands in it twice.
    order = np.resize(random.permutation(len(candidates)), objects)
    return [candidates[index] for index in order]


def _table(
    bank: Bank, random: np.random.Generator, frames: int, size: int
) -> tuple[Image, Image, list[tuple[int, ...]]]:
    """A part of a rendered table, seen from further away or closer, perhaps mirrored; to and fro if it is short."""
    images, labels = bank.tables[random.integers(len(bank.tables))]
    count = len(images)
    order = np.concatenate((np.arange(count), np.arange(count - 2, 0, -1)))
    order = np.resize(np.roll(order, -random.integers(len(order))), frames)
    edge = int(random.integers(120, 257)) if random.random() < 0.6 else 256
    x, y = random.integers(0, 257 - edge, 2)
    mirrored = random.random() < 0.5
    out_images, out_labels = [], []
    for index in order:
        image, label = (array[index, y : y + edge, x : x + edge] for array in (images, labels))
        if mirrored:
            image, label = image[:, ::-1], label[:, ::-1]
        way = cv2.INTER_AREA if size < edge else cv2.INTER_LINEAR
        out_images.append(cv2.resize(image, (size, size), interpolation=way))
        out_labels.append(cv2.resize(label, (size, size), interpolation=cv2.INTER_NEAREST))
    wholes: list[tuple[int, ...]] = [(label,) for label in range(1, int(labels.max()) + 1)]
    return np.stack(out_images).astype(np.uint8), np.stack(out_labels).astype(np.uint8), wholes
