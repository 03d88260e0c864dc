"""J, F, box IoU and presence: by hand, and against the definitions written out."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra.numpy import arrays

from sam2_ros.apps.scores import (
    FrameScores,
    Scores,
    boundary,
    boundary_accuracy,
    box_overlap,
    region_similarity,
)
from sam2_ros.geometry.boxes import box_around

MASKS = arrays(bool, (12, 16))


def square(x0: int, y0: int, x1: int, y1: int, *, width: int = 100, height: int = 75) -> np.ndarray:
    mask = np.zeros((height, width), bool)
    mask[y0:y1, x0:x1] = True
    return mask


EMPTY = square(0, 0, 0, 0)


def test_region_similarity() -> None:
    assert region_similarity(square(0, 0, 10, 10), square(5, 0, 15, 10)) == 50 / 150
    assert region_similarity(EMPTY, square(0, 0, 1, 1)) == region_similarity(square(0, 0, 1, 1), EMPTY) == 0
    assert region_similarity(EMPTY, EMPTY) == 1


def test_the_boundary_lies_up_and_left_of_where_masks_change() -> None:
    drawn = boundary(square(2, 1, 4, 3, width=6, height=5)).astype(int).tolist()
    assert drawn == [[0, 1, 1, 1, 0, 0], [0, 1, 0, 1, 0, 0], [0, 1, 1, 1, 0, 0], [0] * 6, [0] * 6]
    assert not boundary(np.ones((4, 4), bool)).any()


def test_boundaries_agree_up_to_a_pixel_of_this_image_and_no_further() -> None:
    # 0.008 of the diagonal of 125 pixels is one pixel.
    truth = square(30, 20, 60, 50)
    assert boundary_accuracy(truth, truth) == 1
    assert boundary_accuracy(square(31, 20, 61, 50), truth) == 1
    # Two pixels to the right: of each edge's 120 pixels 30 above and 30 below, and the next ones at two of the corners.
    moved = square(32, 20, 62, 50)
    assert boundary(truth).sum() == boundary(moved).sum() == 120
    assert boundary_accuracy(moved, truth) == pytest.approx(62 / 120)
    assert boundary_accuracy(square(70, 60, 80, 70), truth) == 0


def test_boundary_accuracy_of_empty_masks() -> None:
    truth = square(30, 20, 60, 50)
    assert boundary_accuracy(EMPTY, truth) == boundary_accuracy(truth, EMPTY) == 0
    assert boundary_accuracy(EMPTY, EMPTY) == 1


def near(edge: np.ndarray, other: np.ndarray, reach: int) -> float:
    """The share of an edge's pixels that have one of the other's within reach, pixel by pixel."""
    places, others = np.argwhere(edge), np.argwhere(other)
    return float(np.mean([(((others - place) ** 2).sum(axis=1) <= reach**2).any() for place in places]))


@settings(max_examples=60, deadline=None)
@given(MASKS, MASKS)
def test_boundary_accuracy_is_its_definition(guess: np.ndarray, truth: np.ndarray) -> None:
    edges = boundary(guess), boundary(truth)
    expected = float(edges[0].any() == edges[1].any())
    if edges[0].any() and edges[1].any():
        precision, recall = near(edges[0], edges[1], 1), near(edges[1], edges[0], 1)
        expected = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    assert boundary_accuracy(guess, truth) == pytest.approx(expected)
    assert boundary_accuracy(guess, truth) == pytest.approx(boundary_accuracy(truth, guess))


def test_boxes() -> None:
    assert box_around(square(3, 4, 10, 6)) == (3, 4, 10, 6)
    assert box_around(EMPTY) is None
    assert box_overlap(square(0, 0, 10, 10), square(5, 0, 15, 10)) == 50 / 150
    assert box_overlap(square(0, 0, 10, 10), square(50, 50, 60, 60)) == 0
    assert box_overlap(EMPTY, square(5, 0, 15, 10)) == 0


def test_the_mean_is_over_frames_then_over_objects() -> None:
    scores = FrameScores(objects=3, frames=3)
    truth = square(30, 20, 60, 50)
    scores.add(0, 0, truth, truth, in_view=True)
    scores.add(0, 1, EMPTY, truth, in_view=False)
    scores.add(0, 2, EMPTY, EMPTY, in_view=False)
    scores.add(1, 2, truth, EMPTY, in_view=True)  # the third object is never measured
    summary = scores.summary()
    assert summary.j == summary.f == pytest.approx((2 / 3 + 0) / 2)
    assert summary.jf == summary.j
    assert summary.box_iou == 0.5  # of the first object alone, on the frames that show it
    assert summary.presence == 2 / 4
    assert np.array_equal(scores.in_view[0], [1, 1, 0])


def test_region_and_boundary_are_told_apart() -> None:
    """A pixel to the right, the boundary is still near enough."""
    scores = FrameScores(objects=1, frames=1)
    scores.add(0, 0, square(31, 20, 61, 50), square(30, 20, 60, 50), in_view=True)
    summary = scores.summary()
    assert (summary.j, summary.f) == (pytest.approx(29 / 31), 1)


def test_the_mean_over_sequences_leaves_out_what_was_not_measured() -> None:
    mean = Scores.mean([Scores(0.5, 0.7, math.nan, 1.0), Scores(0.7, 0.9, 0.4, 0.5)])
    assert (mean.j, mean.f, mean.jf, mean.box_iou, mean.presence) == pytest.approx((0.6, 0.8, 0.7, 0.4, 0.75))
    assert math.isnan(Scores.mean([Scores(1, 1, math.nan, 1)]).box_iou)
