"""Generated clips: repeatable, with masks that say who hides whom."""

from __future__ import annotations

import numpy as np
import pytest

from training.bank import Bank
from training.clips import _visible_at_first, make_clip
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


@pytest.mark.parametrize("number", range(6))
def test_things_on_a_table_share_no_pixel_and_a_long_clip_goes_to_and_fro(bank: Bank, number: int) -> None:
    clip = make_clip(bank, number, frames=15, objects=2, size=64, tables=1.0)
    for first, second in clip.masks:
        assert np.array_equal(first, second) or not (first & second).any()
    assert np.array_equal(clip.masks[14], clip.masks[0]), "eight frames there and six back"
    assert not np.array_equal(clip.masks[1], clip.masks[0])


def test_objects_leave_and_come_back(bank: Bank) -> None:
    masks = [make_clip(bank, n, frames=6, objects=3, size=64, tables=0.0).masks for n in range(150)]
    views = np.concatenate([clip.any(axis=(2, 3)).T for clip in masks])
    hidden = 1 - views[:, 1:].mean()
    returned = (np.diff(views.astype(int), axis=1) > 0).any(axis=1).mean()
    assert 0.04 < hidden < 0.4
    assert returned > 0.04


def test_only_what_is_in_view_is_followed_and_the_number_is_kept() -> None:
    labels = np.zeros((64, 64), np.uint8)
    labels[:20, :20], labels[30, 30] = 1, 2
    random = np.random.default_rng(0)
    assert _visible_at_first(labels, [(1,), (2,), (1, 2)], 5, random).count((2,)) == 0
    assert len(_visible_at_first(labels, [(1,)], 3, random)) == 3
    assert _visible_at_first(labels, [(2,), (3,)], 3, random) == []
