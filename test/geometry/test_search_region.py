"""Where an object is looked for: around it, inside the image, no faster than a region may move and grow."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sam2_ros.geometry.search_region import SearchRegion, main_pieces


def test_a_region_is_so_many_times_as_large_as_a_square_of_the_boxs_area() -> None:
    # A tenth of the width and two fifths of the height: a square of as large an area has a fifth of each.
    region = SearchRegion.around((270, 140, 320, 260), height=300, width=500, context=3.0)
    assert (region.x, region.y) == pytest.approx((0.59, 2 / 3))
    assert region.scale == pytest.approx(3 * 0.2)


def test_a_thin_object_fits_into_its_region() -> None:
    region = SearchRegion.around((100, 100, 300, 102), height=400, width=400, context=2.0)
    assert region.scale == pytest.approx(1.5 * 0.5)


def test_a_region_is_inside_the_image_and_never_less_than_a_sixteenth() -> None:
    assert SearchRegion.around((0, 0, 1, 1), 400, 400, context=3.0) == SearchRegion(1 / 32, 1 / 32, 1 / 16)
    assert SearchRegion.around((0, 0, 300, 300), 400, 400, context=3.0) == SearchRegion()


def test_it_goes_with_the_object_but_grows_slowly_and_shrinks_more_slowly() -> None:
    region = SearchRegion(0.5, 0.5, 0.4)
    larger = region.after((100, 100, 300, 300), 400, 400, context=3.0)
    assert (larger.x, larger.y, larger.scale) == pytest.approx((0.5, 0.5, 0.4 * 1.15))
    smaller = region.after((220, 220, 260, 260), 400, 400, context=3.0)
    assert (smaller.x, smaller.y, smaller.scale) == pytest.approx((0.6, 0.6, 0.4 / 1.03))
    far_too_large = region.after((240, 240, 244, 244), 400, 400, context=3.0)
    assert (far_too_large.x, far_too_large.y, far_too_large.scale) == pytest.approx((0.605, 0.605, 0.4 / 1.15))


def test_it_grows_around_what_one_is_not_sure_of() -> None:
    region = SearchRegion(0.5, 0.5, 0.4).after((180, 180, 200, 200), 400, 400, context=3.0, sure=False)
    assert (region.x, region.y, region.scale) == pytest.approx((0.475, 0.475, 0.4 * 1.15))


def test_around_what_is_out_of_view_it_becomes_the_whole_image() -> None:
    region = SearchRegion(0.9, 0.5, 0.1)
    scales = [0.1]
    while scales[-1] < 1:
        region = region.after(None, 400, 400, context=3.0)
        scales.append(region.scale)
    assert scales == sorted(scales) and len(scales) == 18
    assert region == SearchRegion()


@pytest.mark.parametrize("every", range(1, 13))
def test_what_is_not_in_the_whole_image_is_looked_for_in_its_parts(every: int) -> None:
    """Also where only every so many images are searched each part has its turn, and all of the image is in one."""
    region, parts, covered = SearchRegion(), set(), np.zeros((100, 100), bool)
    for turn in range(0, 40 * every, every):
        whole = region == SearchRegion()
        region = region.after(None, 100, 100, context=3.0, turn=turn)
        assert region.guessed == whole and region.scale == (0.6 if whole else 1)
        if whole:
            parts.add(region)
            x0, y0, x1, y1 = region.pixels(100, 100)
            covered[y0:y1, x0:x1] = True
    assert len(parts) == 5 and covered.all()


def test_what_is_found_in_a_part_is_followed_from_there() -> None:
    part = SearchRegion().after(None, 100, 100, context=3.0)
    x0, y0, _, _ = part.pixels(100, 100)
    found = part.after((x0 + 10, y0 + 10, x0 + 20, y0 + 20), 100, 100, context=3.0)
    assert not found.guessed and found.scale < part.scale


def test_the_box_of_a_mask_lies_where_the_region_does() -> None:
    mask = np.zeros((48, 48), bool)
    mask[12:24, 24:36] = True
    assert SearchRegion(0.75, 0.5, 0.5).box_of(mask, height=192, width=384) == (288, 72, 336, 96)
    assert SearchRegion().box_of(np.zeros((48, 48), bool), height=192, width=384) is None


def test_stray_pieces_do_not_count_but_halves_do() -> None:
    mask = np.zeros((48, 48), bool)
    mask[20:28, 20:28] = True
    mask[2:5, 40:45] = True
    assert SearchRegion().box_of(mask, height=48, width=48) == (20, 20, 28, 28)
    assert main_pieces(mask).sum() == 64
    mask[30:36, 20:28] = True
    assert SearchRegion().box_of(mask, height=48, width=48) == (20, 20, 28, 36)
    assert main_pieces(mask).sum() == 64 + 48
    assert not main_pieces(mask & False).any()


def test_points_well_inside_move_nothing_and_any_others_are_around_the_middle() -> None:
    region = SearchRegion(0.5, 0.5, 0.5)
    assert region.around_points([], height=400, width=400) is region
    assert region.around_points([(229, 199), (199, 150)], height=400, width=400) is region
    assert region.around_points([(299.5, 199.5)], height=400, width=400) == SearchRegion(0.75, 0.5, 0.5)
    assert region.around_points([(399, 199.5)], height=400, width=400).x == 0.75


def test_a_region_grows_to_hold_points_that_are_far_from_each_other() -> None:
    region = SearchRegion(0.5, 0.5, 0.25).around_points([(79.5, 199.5), (239.5, 239.5)], height=400, width=400)
    assert (region.x, region.y, region.scale) == pytest.approx((0.4, 0.55, 0.5))


def test_pixels_of_an_odd_image() -> None:
    assert SearchRegion().pixels(33, 57) == (0, 0, 57, 33)
    assert SearchRegion(0.75, 0.25, 0.5).pixels(40, 80) == (40, 0, 80, 20)


@given(
    x=st.floats(-1, 2),
    y=st.floats(-1, 2),
    scale=st.floats(1e-3, 3),
    height=st.integers(1, 50),
    width=st.integers(1, 50),
)
def test_its_pixels_are_always_some_of_the_images(x: float, y: float, scale: float, height: int, width: int) -> None:
    x0, y0, x1, y1 = SearchRegion.inside(x, y, scale).pixels(height, width)
    assert 0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height


@pytest.mark.parametrize("x, y, scale", [(0.5, 0.5, 0), (0.5, 0.5, 1.1), (0.1, 0.5, 0.5), (0.5, float("nan"), 0.5)])
def test_a_region_that_is_not_inside_is_refused(x: float, y: float, scale: float) -> None:
    with pytest.raises(ValueError, match="must be inside the image"):
        SearchRegion(x, y, scale)


def test_a_mask_lies_where_it_was_when_it_is_seen_in_another_region() -> None:
    mask = np.zeros((48, 48), bool)
    mask[12:24, 12:36] = True
    region = SearchRegion(0.5, 0.5, 0.5)
    assert np.array_equal(region.mask_in(region, mask), mask)
    # From 3/8 of the image to 5/8 across, and to a half down.
    wider = region.mask_in(SearchRegion(), mask)
    assert np.array_equal(np.argwhere(wider)[[0, -1]], [[18, 18], [23, 29]])
    moved = region.mask_in(SearchRegion(0.625, 0.5, 0.5), mask)
    assert np.array_equal(np.argwhere(moved)[[0, -1]], [[12, 0], [23, 23]])
    assert not region.mask_in(SearchRegion(0.9, 0.9, 0.1), mask).any()
