"""Generated clips: repeatable, with masks that say who hides whom."""

from __future__ import annotations

import numpy as np
import pytest
from small_bank import small_bank

from training.bank import Bank
from training.clips import _visible_at_first, make_clip


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
