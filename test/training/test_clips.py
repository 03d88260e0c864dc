"""Generated clips: repeatable, with masks that say who hides whom."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from training.bank import Bank
from training.clips import _draw, _Thing, make_clip


def small_bank() -> Bank:
    """Round sprites, two photographs of noise and one moving table, without any of the real sources."""
    random = np.random.default_rng(5)
    y, x = np.mgrid[:60, :60]
    sprites = []
    for _ in range(4):
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
    return Bank(sprites, photographs, [(images, labels)])


@pytest.fixture(scope="module")
def bank() -> Bank:
    return small_bank()


def test_the_same_number_gives_the_same_clip_and_another_gives_another(bank: Bank) -> None:
    first, again, other = (make_clip(bank, n, frames=3, objects=2, size=64) for n in (7, 7, 8))
    assert np.array_equal(first.images, again.images) and np.array_equal(first.masks, again.masks)
    assert not np.array_equal(first.images, other.images)


@pytest.mark.parametrize("number", range(12))
def test_shapes_and_masks(bank: Bank, number: int) -> None:
    clip = make_clip(bank, number, frames=4, objects=2, size=64)
    assert clip.images.shape == (4, 64, 64, 3) and clip.images.dtype == np.uint8
    assert clip.masks.shape == (4, 2, 64, 64) and clip.masks.dtype == np.bool_
    assert clip.masks[0].any(axis=(1, 2)).all(), "an object is not in view on the first frame"
    for masks in clip.masks:
        assert np.array_equal(masks[0], masks[1]) or not (masks[0] & masks[1]).any(), "a pixel has two owners"


def test_objects_leave_and_are_hidden_now_and_then(bank: Bank) -> None:
    gone = [not make_clip(bank, n, frames=6, objects=3, size=64).masks[-1].any(axis=(1, 2)).all() for n in range(120)]
    assert 0.02 < np.mean(gone) < 0.8


def placed(colour: int, x: float, edge: float) -> _Thing:
    """An opaque square, its edge and middle in edges of the picture."""
    sprite = np.full((20, 20, 4), 255, np.uint8)
    sprite[..., :3] = colour
    still = np.zeros(2)
    return _Thing(sprite, np.array([x, 0.5]), still, 0.0, 0.0, np.full(2, edge / 20), np.ones(2))


def test_who_comes_later_hides_who_comes_before() -> None:
    labels = np.zeros((64, 64), np.uint8)
    image = np.zeros((64, 64, 3), np.uint8)
    for label, thing in enumerate((placed(100, 0.4, 0.4), placed(200, 0.6, 0.4)), start=1):
        image = _draw(image, labels, label, thing, 0, np.zeros(2), 64)
    assert (labels[32, 20], labels[32, 32], labels[32, 46]) == (1, 2, 2)
    assert (image[32, 20, 0], image[32, 32, 0], image[32, 46, 0]) == (100, 200, 200)
    inner = cv2.erode((labels == 1).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    assert inner.any() and (image[inner] == 100).all(), "a mask holds pixels of what is in front"


def test_an_object_behind_a_larger_one_has_no_pixel() -> None:
    labels = np.zeros((64, 64), np.uint8)
    image = np.zeros((64, 64, 3), np.uint8)
    for label, thing in enumerate((placed(100, 0.5, 0.3), placed(200, 0.5, 0.6)), start=1):
        image = _draw(image, labels, label, thing, 0, np.zeros(2), 64)
    assert not (labels == 1).any() and (labels == 2).any()
