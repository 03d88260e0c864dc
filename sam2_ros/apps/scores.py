"""How well masks agree with the truth, as DAVIS measures it.

Perazzi et al., A Benchmark Dataset and Evaluation Methodology for Video Object Segmentation, 2016; with several
objects, Pont-Tuset et al., The 2017 DAVIS Challenge, 2017. Details that the papers leave open are those of their
evaluation program (davisvideochallenge/davis2017-evaluation).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from sam2_ros.geometry.boxes import box_around

Mask = NDArray[np.bool_]

BOUND = 0.008
"""How far apart boundaries may be that still agree, as a share of the image's diagonal."""


@dataclass(frozen=True)
class Scores:
    """Means over frames and objects, each 0 to 1; NaN where there was nothing to take a mean of."""

    j: float
    """Region similarity."""
    f: float
    """Boundary accuracy."""
    box_iou: float
    """Where the object is in view."""
    presence: float
    """Share of objects' frames on which it was rightly said whether the object is in view."""

    @property
    def jf(self) -> float:
        return (self.j + self.f) / 2

    @staticmethod
    def mean(of: Sequence[Scores]) -> Scores:
        return Scores(*(_mean([getattr(one, name) for one in of]) for name in ("j", "f", "box_iou", "presence")))


class FrameScores:
    """Scores of one sequence frame by frame, each (objects, frames); NaN where nothing is measured."""

    def __init__(self, objects: int, frames: int) -> None:
        def nothing() -> NDArray[np.float64]:
            return np.full((objects, frames), np.nan)

        self.j, self.f, self.box_iou = nothing(), nothing(), nothing()
        self.presence = nothing()
        """1 where it was rightly said whether the object is in view, 0 where not."""
        self.in_view = nothing()
        """1 where the object is in view in truth, 0 where not."""

    def add(self, row: int, frame: int, guess: Mask, truth: Mask, *, in_view: bool) -> None:
        """Measures one object on one frame. guess: (H, W), empty if it is said to be out of view; in_view: said to be
        in view."""
        seen = bool(truth.any())
        self.j[row, frame] = region_similarity(guess, truth)
        self.f[row, frame] = boundary_accuracy(guess, truth)
        self.presence[row, frame] = in_view == seen
        self.in_view[row, frame] = seen
        if seen:
            self.box_iou[row, frame] = box_overlap(guess, truth)

    def summary(self) -> Scores:
        """For each object the mean over its frames, then the mean over objects; presence over all of them at once."""
        j, f, boxes = (_mean([_mean(row) for row in rows]) for rows in (self.j, self.f, self.box_iou))
        return Scores(j, f, boxes, _mean(self.presence))


def region_similarity(guess: Mask, truth: Mask) -> float:
    """J, the intersection of two masks (H, W) over their union; 1 where both are empty."""
    union = np.count_nonzero(guess | truth)
    return np.count_nonzero(guess & truth) / union if union else 1.0


def boundary_accuracy(guess: Mask, truth: Mask) -> float:
    """F, the harmonic mean of how much of each mask's boundary (H, W) is near the other's; 1 where both are empty."""
    reach = math.ceil(BOUND * math.hypot(*truth.shape))
    guess_edge, truth_edge = boundary(guess), boundary(truth)
    guessed, true = np.count_nonzero(guess_edge), np.count_nonzero(truth_edge)
    if not guessed or not true:
        return float(guessed == true)
    precision = np.count_nonzero(guess_edge & _grown(truth_edge, reach)) / guessed
    recall = np.count_nonzero(truth_edge & _grown(guess_edge, reach)) / true
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def boundary(mask: Mask) -> Mask:
    """Pixels (H, W) that differ from the next one to the right, below, or both. Beyond the image nothing differs."""
    padded = np.pad(mask, ((0, 1), (0, 1)), mode="edge")
    right, below, both = padded[:-1, 1:], padded[1:, :-1], padded[1:, 1:]
    result: Mask = (mask != right) | (mask != below) | (mask != both)
    return result


def box_overlap(guess: Mask, truth: Mask) -> float:
    """IoU of the boxes around two masks (H, W), of which the second is not empty; 0 where the first is."""
    ours, theirs = box_around(guess), box_around(truth)
    if ours is None or theirs is None:
        return 0.0
    x0, y0 = max(ours[0], theirs[0]), max(ours[1], theirs[1])
    x1, y1 = min(ours[2], theirs[2]), min(ours[3], theirs[3])
    common = max(0, x1 - x0) * max(0, y1 - y0)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (ours, theirs)]
    return common / (sum(areas) - common)


def _grown(edge: Mask, reach: int) -> Mask:
    """All pixels (H, W) that are no further than this from one of the edge's."""
    offsets = np.arange(-reach, reach + 1)
    disk = (offsets[:, None] ** 2 + offsets**2 <= reach**2).astype(np.uint8)
    return cv2.dilate(edge.astype(np.uint8), disk).astype(bool)


def _mean(values: Sequence[float] | NDArray[np.float64]) -> float:
    """Of those that are numbers; NaN if none is."""
    numbers = np.asarray(values, np.float64)
    numbers = numbers[~np.isnan(numbers)]
    return float(numbers.mean()) if numbers.size else math.nan
