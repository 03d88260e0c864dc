"""Clips cut out along an object's way: the object is where the tracker would look, about as large in each of them."""

from __future__ import annotations

import numpy as np
import pytest
from small_bank import small_bank

from training.clips import make_clip
from training.regions import cut_clips, follow_object, glance_at


def moving_square(edge: int, side: int, step: int) -> tuple[np.ndarray, np.ndarray]:
    """Six frames of a bright square on its way to the right: images (T, E, E, 3) and masks (T, E, E)."""
    masks = np.zeros((6, edge, edge), bool)
    for t in range(6):
        masks[t, edge // 2 : edge // 2 + side, 20 + step * t : 20 + step * t + side] = True
    return np.where(masks[..., None], 255, 40).astype(np.uint8).repeat(3, axis=3), masks


@pytest.mark.parametrize("side", [10, 40])
def test_a_small_object_is_seen_as_large_as_a_big_one(side: int) -> None:
    images, masks = moving_square(400, side, step=2)
    seen, truth = follow_object(images, masks, 64, 3.0, np.random.default_rng(0))
    assert seen.shape == (6, 64, 64, 3) and truth.shape == (6, 64, 64)
    edges = np.sqrt(truth.sum(axis=(1, 2)))
    assert (abs(edges - 64 / 3) < 9).all()
    # The same pixels but for those that are half covered.
    assert (truth != (seen[..., 0] > 147)).mean() < 0.005


def test_an_object_that_vanishes_leaves_its_masks_empty() -> None:
    images, masks = moving_square(200, 20, step=2)
    masks[3:] = False
    _, truth = follow_object(images, masks, 64, 3.0, np.random.default_rng(0))
    assert truth[:3].any(axis=(1, 2)).all() and not truth[3:].any()


def test_every_object_of_a_clip_has_one_of_its_own() -> None:
    clip = make_clip(small_bank(), 5, frames=3, objects=2, size=128)
    first, again = (cut_clips(clip, 64, 3.0, np.random.default_rng(1)) for _ in range(2))
    assert first[0].shape == (2, 3, 64, 64, 3) and first[1].shape == (2, 3, 1, 64, 64)
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_glance_shows_the_object_at_any_size() -> None:
    shares = []
    for number in range(40):
        clip = make_clip(small_bank(), number, frames=2, objects=2, size=128, tables=0.0)
        seen, truth = glance_at(clip, 64, np.random.default_rng(number))
        assert seen.shape == (2, 64, 64, 3) and truth.shape == (2, 64, 64)
        shares += truth.mean(axis=(1, 2)).tolist()
    assert min(shares) < 0.03 and max(shares) > 0.5 and np.mean(np.array(shares) > 0) > 0.95
