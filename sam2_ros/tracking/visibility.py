"""Whether an object is in view, from what the occlusion head says frame by frame."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sam2_ros.geometry.motion import CloseUp
from sam2_ros.geometry.search_region import WHOLE, SearchRegion

from .appearance import Appearance
from .tracks import State

_IN_PART = 0.8
"""Probability above which an object is believed to be in a part of the image that is looked through for it: of the many
looks some are wrong."""


@dataclass(frozen=True)
class Thresholds:
    """When an object goes out of view and comes back. Raises ValueError for what cannot be."""

    show_above: float
    """Probability from which an object that is out of view is in view again; SAM 2 itself has 0.5."""
    hide_below: float
    """Probability below which an object that is in view is out of view; not above `show_above`."""
    lost_after: float
    """Seconds out of view after which an object is LOST."""

    def __post_init__(self) -> None:
        if not 0 <= self.hide_below <= self.show_above <= 1:
            raise ValueError(
                f"hide_below is {self.hide_below:g} and show_above {self.show_above:g}; they must be probabilities, "
                "the first not above the second"
            )
        if not self.lost_after >= 0:
            raise ValueError(f"lost_after is {self.lost_after:g} s; it must not be negative")

    def score(self, before: View | None, *, prompted: bool = False) -> float:
        """The object score logit above which an object is in view, after what was known of it a frame before.

        prompted: whether somebody says on this frame where it is.
        """
        probability = self.hide_below if before is not None and before.in_view else self.show_above
        if before is not None and not before.in_view and before.region.guessed and not prompted:
            probability = max(probability, _IN_PART)
        if probability in (0.0, 1.0):
            return math.inf if probability else -math.inf
        return math.log(probability / (1 - probability))

    def state(self, view: View, stamp: int) -> State:
        """The state of an object at a time in nanoseconds."""
        if view.in_view:
            return State.VISIBLE
        return State.LOST if stamp - view.last_seen > self.lost_after * 1e9 else State.OCCLUDED


@dataclass(frozen=True)
class View:
    """What is known of an object on one frame."""

    in_view: bool
    last_seen: int
    """Nanoseconds, stamp of the newest frame up to this one on which it was in view; of its first if it never was."""
    share: float
    """Of the image that it covered then."""
    score: float
    """Object score logit of the newest frame up to this one on which it was searched for."""
    region: SearchRegion = WHOLE
    """Where to look for it on the next frame."""
    expected: NDArray[np.bool_] | None = None
    """(S / 4, S / 4) its mask in that region if it stays where it is; None for a network without search regions."""
    close_up: CloseUp | None = None
    """Its mask from close by; None where it was not in view, or not looked at so."""
    appearance: Appearance | None = None
    """None for a network that does not look from close by."""

    @staticmethod
    def after(
        before: View | None,
        stamp: int,
        share: float,
        score: float,
        region: SearchRegion = WHOLE,
        expected: NDArray[np.bool_] | None = None,
        close_up: CloseUp | None = None,
        appearance: Appearance | None = None,
        *,
        in_view: bool,
    ) -> View:
        """Of a frame after the one before it, None on an object's first; share: of the image that its mask covers."""
        if in_view:
            return View(True, stamp, share, score, region, expected, close_up, appearance)
        if before is None:
            return View(False, stamp, 0.0, score, region, expected)
        return View(False, before.last_seen, before.share, score, region, expected, None, before.appearance)
