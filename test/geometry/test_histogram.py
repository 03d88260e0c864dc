from __future__ import annotations

import numpy as np
import pytest

from sam2_ros.geometry.histogram import Colours, evenly_lit, usual_gain

RED, BLUE, GREY = (200, 30, 30), (30, 40, 180), (120, 120, 120)


def plain(colour: tuple[int, int, int], height: int = 20, width: int = 20) -> np.ndarray:
    return np.full((height, width, 3), colour, np.uint8)


def flag(height: int = 20, width: int = 20) -> np.ndarray:
    """Red above, blue below."""
    image = plain(RED, height, width)
    image[height // 2 :] = BLUE
    return image


def of(image: np.ndarray) -> Colours:
    found = Colours.of(image, np.ones(image.shape[:2], bool))
    assert found is not None
    return found


def test_only_what_is_under_the_mask_counts() -> None:
    image = plain(GREY)
    image[5:15, 5:15] = RED
    mask = np.zeros((20, 20), bool)
    mask[5:15, 5:15] = True

    found = Colours.of(image, mask)

    assert found is not None
    assert found.shares.sum() == pytest.approx(1)
    assert found.likeness(of(plain(RED))) == pytest.approx(1)
    assert found.likeness(of(plain(GREY))) < 0.3
    # A mask may be coarser or finer than the image.
    coarse = Colours.of(image, mask[::5, ::5])
    assert coarse is not None and coarse.likeness(found) == pytest.approx(1)


def test_of_nothing_there_are_no_colours() -> None:
    assert Colours.of(plain(RED), np.zeros((20, 20), bool)) is None


def test_half_of_a_thing_is_half_like_it() -> None:
    assert of(flag()).likeness(of(plain(RED))) == pytest.approx(0.5, abs=0.02)
    assert of(flag()).likeness(of(flag(40, 60))) == pytest.approx(1)


def test_a_little_more_light_changes_little() -> None:
    rng = np.random.default_rng(1)
    image = np.clip(flag() + rng.normal(0, 10, (20, 20, 3)), 0, 255).astype(np.uint8)
    brighter = np.clip(1.15 * image.astype(float), 0, 255).astype(np.uint8)

    assert of(image).likeness(of(brighter)) > 0.7


@pytest.mark.parametrize(("x", "y"), [(15, 10), (100, 60), (150, 110)])
def test_a_thing_is_found_among_others_that_have_one_of_its_colours(x: int, y: int) -> None:
    image = plain(GREY, 120, 160)
    image[90:120, 20:50] = RED
    image[5:25, 60:80] = BLUE
    image[y - 10 : y + 10, x - 10 : x + 10] = flag()[: image[y - 10 : y + 10].shape[0]]

    found = of(evenly_lit(flag(), usual_gain(image))).find(evenly_lit(image, usual_gain(image)), 20 * 20 / (120 * 160))

    assert found == pytest.approx((x / 160, y / 120), abs=0.03)


@pytest.mark.parametrize("gain", [0.35, 0.6, 1.2])
def test_a_thing_has_the_same_colours_in_the_evening(gain: float) -> None:
    """And after a camera has changed its exposure."""
    image = plain(GREY, 60, 60)
    image[10:30, 10:30] = flag()
    evening = np.clip(gain * image.astype(float), 0, 255).astype(np.uint8)

    now, then = (of(evenly_lit(one[10:30, 10:30], usual_gain(one))) for one in (image, evening))

    assert now.likeness(then) > 0.9
