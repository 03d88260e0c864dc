"""Where the mask of the image before has gone."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from sam2_ros.geometry.motion import CloseUp, Earlier
from sam2_ros.geometry.search_region import SearchRegion

HEIGHT, WIDTH, SIZE = 240, 320, 128
CROP = SearchRegion(0.5, 0.5, 0.4)


def scene(x: int, y: int) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """(H, W) a ring two pixels wide, a block beside it, and the ground, all of which have gone so far; the ring and the
    block are the mask."""
    random = np.random.default_rng(0)
    ground = cv2.GaussianBlur(random.integers(60, 200, (HEIGHT, WIDTH)).astype(np.float32), (0, 0), 3)
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    cv2.circle(mask, (140, 120), 18, 1, 2)
    cv2.rectangle(mask, (160, 100), (180, 140), 1, cv2.FILLED)
    image = np.where(mask > 0, 20, ground).astype(np.uint8)
    return np.roll(image, (y, x), (0, 1)), np.roll(mask, (y, x), (0, 1)) > 0


def cut(image: NDArray[np.generic], region: SearchRegion, size: int) -> NDArray[np.float32]:
    x0, y0, x1, y1 = region.pixels(HEIGHT, WIDTH)
    return cv2.resize(image[y0:y1, x0:x1].astype(np.float32), (size, size), interpolation=cv2.INTER_LINEAR)


def iou(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    return float(np.count_nonzero(one & other) / np.count_nonzero(one | other))


def test_how_far_an_object_has_gone_is_seen_from_what_is_found_of_it() -> None:
    """The block alone is found, as by a network that leaves out what is thin."""
    region = SearchRegion(0.5, 0.5, 0.8)
    expected, found = (cut(scene(x, y)[1], region, 48) > 0.5 for x, y in ((0, 0), (16, -8)))
    found[:, :25] = False
    earlier = Earlier.of(CloseUp(CROP, cut(scene(0, 0)[1], CROP, SIZE) > 0.5), region, expected, found)
    cell = region.scale / 48
    assert earlier is not None
    assert earlier.x == pytest.approx(16 / WIDTH, abs=cell)
    assert earlier.y == pytest.approx(-8 / HEIGHT, abs=cell)
    source = earlier.source(SearchRegion(0.55, 0.45, 0.4))
    assert (source.x, source.y, source.scale) == pytest.approx((0.55 - earlier.x, 0.45 - earlier.y, 0.4))


def test_an_object_goes_no_further_than_a_sixth_of_its_region_at_once() -> None:
    """What is found beyond that is another thing like it."""
    region = SearchRegion(0.5, 0.5, 0.8)
    expected, found = np.zeros((48, 48), bool), np.zeros((48, 48), bool)
    expected[20:28, 4:12] = True
    found[20:28, 34:42] = True
    found[20:28, 6:10] = True
    earlier = Earlier.of(CloseUp(CROP, expected), region, expected, found)
    assert earlier is not None
    assert max(abs(earlier.x), abs(earlier.y)) <= region.scale / 6


def test_a_mask_that_is_empty_does_not_say_how_far_an_object_has_gone() -> None:
    there, none = np.ones((48, 48), bool), np.zeros((48, 48), bool)
    for expected, found in ((there, none), (none, there), (none, none)):
        assert Earlier.of(CloseUp(CROP, there), CROP, expected, found) is None


def test_a_thin_part_goes_along() -> None:
    """Of the way, four pixels each way are not known in advance, and the crop is another."""
    (before, mask), (now, truth) = scene(0, 0), scene(20, 6)
    close_up = CloseUp(CROP, cut(mask, CROP, SIZE) > 0.5)
    earlier = Earlier(close_up, 16 / WIDTH, 2 / HEIGHT)
    crop = SearchRegion(0.54, 0.52, 0.45)
    source = earlier.source(crop)
    pictures = [
        cv2.cvtColor(cut(image, region, SIZE).astype(np.uint8), cv2.COLOR_GRAY2RGB)
        for image, region in ((before, source), (now, crop))
    ]
    led = earlier.led(source, pictures[0], pictures[1], HEIGHT, WIDTH)
    assert led.shape == (SIZE, SIZE) and led.min() == -1 and led.max() == 1
    there = cut(truth, crop, SIZE) > 0.5
    assert iou(led > 0, there) > 0.85
    still = earlier.led(source, pictures[1], pictures[1], HEIGHT, WIDTH)
    assert iou(still > 0, there) < 0.75, "which is what the step alone would give"
    ring = np.zeros((SIZE, SIZE), bool)
    ring[:, : SIZE // 2] = True
    assert iou((led > 0) & ring, there & ring) > 0.6 > 0.2 > iou((still > 0) & ring, there & ring)
