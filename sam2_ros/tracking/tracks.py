"""What goes into the tracker with a prompt, and what comes out of it for a frame."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from .errors import UnknownObject


class State(IntEnum):
    """Whether an object is in view; the numbers are those of TrackedObject.msg."""

    VISIBLE = 1
    OCCLUDED = 2
    LOST = 3


def _no_points() -> NDArray[np.float32]:
    return np.zeros((0, 2), np.float32)


def _no_labels() -> NDArray[np.int32]:
    return np.zeros(0, np.int32)


@dataclass(frozen=True)
class Prompt:
    """What a person or a planner says of one object on one image.

    Points, a box, or both; or a mask alone. Pixels count from the centre of the image's first pixel.
    """

    points: NDArray[np.float32] = field(default_factory=_no_points)
    """(K, 2) x y in pixels."""
    labels: NDArray[np.int32] = field(default_factory=_no_labels)
    """(K,) 1: the object is here, 0: it is not."""
    box: NDArray[np.float32] | None = None
    """(4,) x0 y0 x1 y1 in pixels."""
    mask: NDArray[np.bool_] | None = None
    """(H, W), the size of the image."""
    replace: bool = False
    """Forget the object's earlier clicks on this image."""
    candidate: int = 0
    """Which reading of an ambiguous click to take: 0 the best, 1 the next."""


@dataclass(frozen=True)
class Readings:
    """Every answer to one prompt, best first: M is 3 for an ambiguous click, 1 otherwise."""

    masks: NDArray[np.bool_]
    """(M, H, W) at the image's size."""
    iou: NDArray[np.float32]
    """(M,) IoU that the network predicts for each, 0 to 1."""
    stamp: int
    """Nanoseconds, of the image that was prompted on."""


@dataclass(frozen=True)
class Tracks:
    """N objects on one image of H x W pixels, in order of rising id."""

    stamp: int
    """Nanoseconds, of the image; for the answer to a prompt, the newest image."""
    ids: tuple[int, ...]
    states: tuple[State, ...]
    masks: NDArray[np.bool_]
    """(N, H, W) at the image's size."""
    logits: NDArray[np.float32]
    """(N, S / 4, S / 4) mask logits at a quarter of the network's input, which is the image, or the part of it in which
    the object was looked for; -1024 where the object is not in view."""
    boxes: NDArray[np.float32]
    """(N, 4) x0 y0 x1 y1 in pixels, x1 and y1 one past the mask's last pixel; zero where the mask is empty."""
    centroids: NDArray[np.float32]
    """(N, 2) x y in pixels; zero where the mask is empty."""
    areas: NDArray[np.int64]
    """(N,) pixels."""
    scores: NDArray[np.float32]
    """(N,) object score logits of the occlusion head: above 0 SAM 2 has the object in view. Here `states` say so, which
    follow from them and from what was before."""
    visibility: NDArray[np.float32]
    """(N,) probability that the object is in view: the sigmoid of the scores."""
    iou: NDArray[np.float32]
    """(N,) IoU that the network predicts for each mask, 0 to 1."""
    last_seen: tuple[int, ...]
    """Nanoseconds, stamp of the newest image on which the object was in view."""
    readings: Readings | None = None
    """For the answer to a prompt: all its readings."""

    def only(self, object_id: int) -> Tracks:
        """One of the objects alone. Raises UnknownObject."""
        if object_id not in self.ids:
            raise UnknownObject(object_id, self.ids)
        row = self.ids.index(object_id)
        return self._rows(slice(row, row + 1))

    def none(self) -> Tracks:
        """None of the objects."""
        return self._rows(slice(0, 0))

    def _rows(self, rows: slice) -> Tracks:
        per_object = {field.name: getattr(self, field.name)[rows] for field in fields(self) if field.name not in _WHOLE}
        return replace(self, **per_object)


_WHOLE = ("stamp", "readings")
"""Fields of Tracks that are not per object."""
