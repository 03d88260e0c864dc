from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sam2_ros.ros.recent_masks import RecentMasks
from sam2_ros.tracking import State, Tracks

SECOND = 1_000_000_000


def tracks(stamp: int, masks: dict[int, np.ndarray], size: tuple[int, int] = (48, 64)) -> Tracks:
    """Objects with these masks (H, W)."""
    count = len(masks)
    stack = np.array(list(masks.values()), bool).reshape(count, *size)
    boxes = np.zeros((count, 4), np.float32)
    for row, mask in enumerate(stack):
        if mask.any():
            rows, columns = np.nonzero(mask)
            boxes[row] = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
    zeros = np.zeros(count, np.float32)
    return Tracks(
        stamp=stamp,
        ids=tuple(masks),
        states=(State.VISIBLE,) * count,
        masks=stack,
        logits=np.zeros((count, 4, 4), np.float32),
        boxes=boxes,
        centroids=np.zeros((count, 2), np.float32),
        areas=stack.sum(axis=(1, 2)),
        scores=zeros,
        visibility=zeros,
        iou=zeros,
        last_seen=(stamp,) * count,
    )


def rectangle(x0: int, y0: int, x1: int, y1: int) -> np.ndarray:
    mask = np.zeros((48, 64), bool)
    mask[y0:y1, x0:x1] = True
    return mask


@given(seed=st.integers(0, 1000), filled=st.floats(0, 1))
def test_every_pixel_is_where_the_mask_has_it(seed: int, filled: float) -> None:
    mask = np.random.default_rng(seed).random((9, 13)) < filled
    masks = RecentMasks(2.0)
    masks.add(tracks(0, {7: mask}, (9, 13)))

    held = [[masks.at(x, y, None) == [7] for x in range(13)] for y in range(9)]

    assert np.array_equal(held, mask)


@pytest.mark.parametrize("place", [(-1.0, 5.0), (64.0, 5.0), (5.0, 48.0), (float("nan"), 5.0), (float("inf"), 5.0)])
def test_there_is_nothing_outside_the_image(place: tuple[float, float]) -> None:
    masks = RecentMasks(2.0)
    masks.add(tracks(0, {1: np.ones((48, 64), bool)}))

    assert masks.at(*place, None) == []


def test_of_objects_on_one_another_the_smallest_is_first() -> None:
    masks = RecentMasks(2.0)
    masks.add(tracks(0, {1: rectangle(0, 0, 40, 40), 2: rectangle(10, 10, 20, 20), 3: rectangle(5, 5, 30, 30)}))

    assert masks.at(15, 15, None) == [2, 3, 1]
    assert masks.at(3, 3, None) == [1]


def test_a_late_click_finds_the_object_where_it_was() -> None:
    masks = RecentMasks(2.0)
    for step in range(5):
        masks.add(tracks(step * SECOND // 10, {1: rectangle(10 * step, 0, 10 * step + 10, 10)}))

    assert masks.at(12, 5, SECOND // 10) == [1]
    assert masks.at(12, 5, None) == []
    assert masks.at(45, 5, 9 * SECOND) == [1]  # later than all: the newest
    assert masks.nearest(SECOND // 10 + 7) == SECOND // 10
    assert masks.nearest(None) == 4 * SECOND // 10


def test_what_is_gone_now_is_not_found_in_the_past() -> None:
    masks = RecentMasks(2.0)
    masks.add(tracks(0, {1: rectangle(0, 0, 10, 10), 2: rectangle(0, 0, 20, 20)}))
    masks.add(tracks(SECOND, {1: rectangle(0, 0, 10, 10), 2: rectangle(0, 0, 20, 20)}))
    masks.add(tracks(SECOND, {2: rectangle(0, 0, 20, 20)}))  # object 1 was removed

    assert masks.ids == (2,)
    assert masks.at(5, 5, 0) == [2]


def test_only_the_last_seconds_are_kept() -> None:
    masks = RecentMasks(2.0)
    for second in range(6):
        masks.add(tracks(second * SECOND, {1: rectangle(0, 0, 10, 10)}))

    assert masks.nearest(0) == 3 * SECOND


@pytest.mark.parametrize("new", [tracks(SECOND, {}), tracks(3 * SECOND, {}, (10, 10))])
def test_a_new_stream_begins_anew(new: Tracks) -> None:
    masks = RecentMasks(2.0)
    masks.add(tracks(2 * SECOND, {1: rectangle(0, 0, 10, 10)}))
    masks.add(new)

    assert masks.ids == ()
    assert masks.nearest(2 * SECOND) == new.stamp


def test_before_the_first_image_there_is_nothing() -> None:
    masks = RecentMasks(2.0)

    assert (masks.ids, masks.at(1, 1, None), masks.nearest(5)) == ((), [], None)
