"""Photographs in which things are marked, which are then followed where they belong, and not only where they were
pasted.

`marks.json` was drawn for this project, by hand with GrabCut, on the bank's photographs: for each, by its number, its
size, its mean colour, and the outlines of every thing, rings of x and y.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]

_MARKS = Path(__file__).with_name("marks.json")
_SAME = 4
"""How far a photograph's mean colour may be from that of the one that was marked."""
_COARSE = 3
"""Pixels across of what a painted out thing is painted over with."""
_MARGIN = 6
"""Pixels around a thing that are painted over with it, since its colours spill into them."""


@dataclass(frozen=True)
class Marked:
    """A photograph with K marked things."""

    number: int
    """Of the photograph, in the bank."""
    picture: Image
    """(h, w, 3) RGB."""
    behind: Image
    """(h, w, 3) the same with the things painted out."""
    masks: Image
    """(K, h, w) 1 where a thing is; a part and its whole overlap."""

    def cutout(self, thing: int) -> tuple[Image, int, int]:
        """A thing alone: (h, w, 4) RGB and opacity, and the x and y of its corner in the picture."""
        mask = self.masks[thing]
        x, y, w, h = cv2.boundingRect(mask)
        x0, y0 = max(0, x - 2), max(0, y - 2)
        part = (slice(y0, y + h + 2), slice(x0, x + w + 2))
        return with_opacity(self.picture[part], mask[part]), x0, y0


def with_opacity(picture: Image, mask: Image) -> Image:
    """A picture (h, w, 3) as a sprite (h, w, 4), opaque where the mask (h, w) is 1, with soft edges."""
    return np.dstack((picture, cv2.GaussianBlur(255 * mask, (0, 0), 0.8))).astype(np.uint8)


def mark(photographs: Sequence[Image]) -> list[Marked]:
    """Those of the bank's photographs that have marks. Raises ValueError where one is another than was marked."""
    marks = json.loads(_MARKS.read_text())
    found = []
    for name, one in marks.items():
        picture = photographs[int(name)] if int(name) < len(photographs) else None
        if picture is None or not _is_the_one(picture, one):
            raise ValueError(f"photograph {name} is not the one that was marked: other versions of the sources?")
        masks = np.zeros((len(one["objects"]), *picture.shape[:2]), np.uint8)
        for mask, rings in zip(masks, one["objects"], strict=True):
            cv2.fillPoly(mask, [np.array(ring, np.int32).reshape(-1, 2) for ring in rings], 1)
        every = np.asarray(masks.any(axis=0), np.uint8)
        around = np.asarray(cv2.dilate(every, np.ones((2 * _MARGIN + 1,) * 2, np.uint8)), np.uint8)
        found.append(Marked(int(name), picture, _painted_over(picture, around), masks))
    return found


def _is_the_one(picture: Image, one: dict[str, Any]) -> bool:
    height, width = picture.shape[:2]
    return one["size"] == [width, height] and bool(np.abs(picture.mean(axis=(0, 1)) - one["mean"]).max() < _SAME)


def _painted_over(picture: Image, hole: Image) -> Image:
    """The picture (h, w, 3) with what is in the hole (h, w) made up from around it: coarsely, little of it is seen."""
    height, width = hole.shape
    small = (width // _COARSE, height // _COARSE)
    coarse = cv2.resize(picture, small, interpolation=cv2.INTER_AREA)
    coarse_hole = cv2.resize(hole, small, interpolation=cv2.INTER_AREA)
    made_up = cv2.inpaint(coarse, coarse_hole, 5, cv2.INPAINT_TELEA)
    made_up = cv2.resize(made_up, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.where(hole[..., None] > 0, made_up, picture).astype(np.uint8)
