from collections.abc import Callable
from itertools import combinations
from typing import Any

import numpy as np
import pytest

from sam2_ros.geometry.colours import colour
from sam2_ros.geometry.overlay import Mark, draw_overlay

GREY = np.full((480, 640, 3), 128, np.uint8)


def _square(x: int, y: int, size: int) -> np.ndarray:
    mask = np.zeros((480, 640), bool)
    mask[y : y + size, x : x + size] = True
    return mask


def test_the_image_itself_is_not_drawn_on() -> None:
    image = GREY.copy()

    draw_overlay(image, [Mark(1, "1", _square(100, 100, 80))])

    assert (image == GREY).all()


def test_nothing_to_draw_gives_an_equal_copy() -> None:
    drawn = draw_overlay(GREY, [])

    assert drawn is not GREY
    assert (drawn == GREY).all()


def test_the_fill_blends_the_objects_colour_within_its_mask() -> None:
    drawn = draw_overlay(GREY, [Mark(2, "2", _square(100, 100, 80))], opacity=0.25)

    expected = 0.75 * 128 + 0.25 * np.array(colour(2))
    assert drawn[140, 140] == pytest.approx(expected, abs=1)
    assert (drawn[300:, 300:] == 128).all()


def test_the_fill_has_the_masks_shape_not_its_boxs() -> None:
    ring = _square(100, 100, 100) & ~_square(120, 120, 60)

    drawn = draw_overlay(GREY, [Mark(1, "1", ring)])

    assert (drawn[150, 150] == 128).all()
    assert (drawn[110, 150] != 128).any()


def test_the_contour_has_the_full_colour() -> None:
    drawn = draw_overlay(GREY, [Mark(3, "3", _square(200, 200, 100))])

    assert tuple(drawn[299, 250]) == colour(3)


def test_a_smaller_object_in_front_of_a_larger_one_is_seen() -> None:
    large, small = Mark(1, "1", _square(100, 100, 200)), Mark(2, "2", _square(170, 170, 60))

    for marks in ([large, small], [small, large]):
        drawn = draw_overlay(GREY, marks, opacity=1.0)
        assert tuple(drawn[200, 200]) == colour(2)
        assert tuple(drawn[280, 280]) == colour(1)


def test_the_caption_stands_above_the_object_or_inside_it_at_the_top() -> None:
    below = draw_overlay(GREY, [Mark(1, "1 mug", _square(100, 200, 80))])
    at_the_top = draw_overlay(GREY, [Mark(1, "1 mug", _square(100, 0, 80))])

    assert tuple(below[185, 101]) == colour(1)
    assert tuple(at_the_top[4, 104]) == colour(1)


def test_an_object_out_of_view_is_listed_in_the_corner() -> None:
    drawn = draw_overlay(GREY, [Mark(1, "1 occluded", np.zeros((480, 640), bool))])

    assert (drawn[:60, :200] != 128).any()
    assert (drawn[60:] == 128).all()


def test_the_name_of_an_object_out_of_view_is_light_on_dark_whatever_its_colour() -> None:
    for number in range(1, 9):
        drawn = draw_overlay(GREY, [Mark(number, f"{number} occluded", np.zeros((480, 640), bool))])

        rows, columns = (np.flatnonzero((drawn != 128).any(axis=(axis, 2))) for axis in (1, 0))
        inside = drawn[rows[0] + 3 : rows[-1] - 2, columns[0] + 3 : columns[-1] - 2]
        assert np.median(inside) < 30 and inside.min(axis=2).max() > 200


def test_of_objects_out_of_view_none_covers_anothers_caption() -> None:
    marks = [Mark(number, f"{number} occluded", np.zeros((480, 640), bool)) for number in (1, 2, 3)]
    drawn = [draw_overlay(GREY, marks[:count]) != 128 for count in (1, 2, 3)]

    first, both, all_three = (np.flatnonzero(one.any(axis=(1, 2))) for one in drawn)
    assert len(both) == 2 * len(first) and len(all_three) == 3 * len(first)
    assert (draw_overlay(GREY, marks)[: first[-1] + 1] == draw_overlay(GREY, marks[:1])[: first[-1] + 1]).all()


def test_no_fill_or_contour_covers_a_caption() -> None:
    large, small = Mark(1, "1 table", _square(100, 100, 200)), Mark(2, "2", _square(110, 60, 60))

    alone, both = (draw_overlay(GREY, marks, opacity=1.0)[80:97, 100:140] for marks in ([large], [large, small]))
    assert tuple(alone[1, 1]) == colour(1)
    assert (alone == both).all()


@pytest.fixture
def tags(monkeypatch: pytest.MonkeyPatch) -> Callable[[list[Mark]], list[Any]]:
    """Where captions are drawn, by the objects' ids."""
    drawn: list[Any] = []
    monkeypatch.setattr("sam2_ros.geometry.overlay._Tag.draw", lambda tag, *_: drawn.append(tag))

    def draw(marks: list[Mark]) -> list[Any]:
        drawn.clear()
        draw_overlay(GREY, marks)
        return sorted(drawn, key=lambda tag: tag.mark.id)

    return draw


def test_a_caption_stays_where_it_is_when_its_neighbour_grows(tags: Callable[[list[Mark]], list[Any]]) -> None:
    places = []
    for first, second in ((60, 62), (62, 60), (61, 61)):
        one, other = tags([Mark(1, "1 a mug", _square(200, 200, first)), Mark(2, "2 a cup", _square(215, 200, second))])
        places.append((one.y0, other.y0))
    assert len(set(places)) == 1 and places[0][0] != places[0][1], places


def test_where_there_is_no_room_above_a_caption_begins_with_its_object(tags: Callable[[list[Mark]], list[Any]]) -> None:
    (tag,) = tags([Mark(1, "1 mug", _square(100, 9, 80))])

    assert (tag.x0, tag.y0) == (100, 9)


def test_of_neighbours_none_covers_anothers_caption(tags: Callable[[list[Mark]], list[Any]]) -> None:
    """Things in a row with long names, one before another, and one in the corner where those out of view are listed."""
    row = [Mark(number, f"{number} a long name", _square(200 + 40 * number, 200, 36)) for number in (1, 2, 3, 4)]
    inside = [Mark(5, "5 a tray", _square(150, 300, 120)), Mark(6, "6 a cup", _square(150, 300, 40))]
    corner = [Mark(7, "7 a lid", _square(6, 20, 30)), Mark(8, "8 lost", np.zeros((480, 640), bool))]
    for marks in (row, inside, corner, [*row, *inside, *corner], [*corner, *inside, *row]):
        drawn = tags(marks)
        assert [tag.mark.id for tag in drawn] == sorted(mark.id for mark in marks)
        for tag in drawn:
            assert 0 <= tag.x0 < tag.x1 <= 640 and 0 <= tag.y0 < tag.y1 <= 480
        for one, other in combinations(drawn, 2):
            wide = min(one.x1, other.x1) - max(one.x0, other.x0)
            high = min(one.y1, other.y1) - max(one.y0, other.y0)
            least = min((tag.x1 - tag.x0) * (tag.y1 - tag.y0) for tag in (one, other))
            assert min(wide, high) <= 0 or wide * high < 0.15 * least


@pytest.mark.parametrize("shape", [(1, 1), (8, 8), (33, 500), (1080, 1920)])
def test_any_size_of_image(shape: tuple[int, int]) -> None:
    image = np.zeros((*shape, 3), np.uint8)

    drawn = draw_overlay(image, [Mark(1, "1 a long name", np.ones(shape, bool)), Mark(2, "2", np.zeros(shape, bool))])

    assert drawn.shape == image.shape
    assert drawn.any()


def test_a_view_that_is_not_contiguous_can_be_drawn_on() -> None:
    padded = np.zeros((48, 100, 3), np.uint8)

    assert draw_overlay(padded[:, :64], [Mark(1, "1", np.ones((48, 64), bool))]).shape == (48, 64, 3)


def test_the_colours_of_the_first_objects_are_far_apart() -> None:
    colours = np.array([colour(number) for number in range(1, 9)], float)
    distances = np.linalg.norm(colours[:, None] - colours[None], axis=2)

    assert distances[np.triu_indices(8, 1)].min() > 60
