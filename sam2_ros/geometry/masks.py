"""Masks on the device: from a network's logits to pixels of the image, and what is measured on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

OUTSIDE = -10.0
"""The logit of a pixel of which nobody asked the network."""


@dataclass(frozen=True)
class Measures:
    """Measures of N masks, in pixels; zero where a mask is empty."""

    boxes: Tensor
    """(N, 4) int64 x0 y0 x1 y1; x1 and y1 are one past the last pixel."""
    centroids: Tensor
    """(N, 2) float32 x y, the mean of the pixels' places."""
    areas: Tensor
    """(N,) int64 pixels."""

    def only(self, kept: Tensor) -> Measures:
        """The same with all other masks, where (N,) bool is false, taken to be empty."""
        return Measures(self.boxes * kept[:, None], self.centroids * kept[:, None], self.areas * kept)


def resize_logits(logits: Tensor, height: int, width: int) -> Tensor:
    """(N, 1, h, w) logits to (N, height, width), bilinear, as the original does before it cuts them at 0."""
    return F.interpolate(logits.float(), size=(height, width), mode="bilinear", align_corners=False).squeeze(1)


def place_logits(logits: Tensor, boxes: Sequence[tuple[int, int, int, int]], height: int, width: int) -> Tensor:
    """(N, 1, h, w) logits, each of a box x0 y0 x1 y1 of the image, to (N, height, width) of the image, `OUTSIDE` around
    the boxes."""
    placed = logits.new_full((len(logits), height, width), OUTSIDE, dtype=torch.float32)
    for target, one, (x0, y0, x1, y1) in zip(placed, logits, boxes, strict=True):
        target[y0:y1, x0:x1] = resize_logits(one[None], y1 - y0, x1 - x0)[0]
    return placed


def measure(masks: Tensor) -> Measures:
    """Boxes, centroids and areas of (N, H, W) bool masks."""
    # Sums of float32 are several times as fast on a CPU as those of bool, and exact as far as an image is wide.
    counted = masks.float()
    per_column, per_row = counted.sum(dim=1), counted.sum(dim=2)
    (x0, x1), (y0, y1) = _extent(per_column > 0), _extent(per_row > 0)
    # float64: the sum of the places in a large mask is beyond what float32 counts exactly.
    per_column, per_row = per_column.double(), per_row.double()
    areas = per_row.sum(dim=1)
    x = (per_column * torch.arange(masks.shape[2], device=masks.device)).sum(dim=1)
    y = (per_row * torch.arange(masks.shape[1], device=masks.device)).sum(dim=1)
    centroids = torch.stack((x, y), dim=1) / areas.clamp(min=1)[:, None]
    return Measures(torch.stack((x0, y0, x1, y1), dim=1), centroids.float(), areas.long())


def keep_highest(logits: Tensor, masks: Tensor) -> Tensor:
    """(N, H, W) masks without the pixels at which another one of them has a higher logit (N, H, W), or an earlier one
    the same."""
    claims = logits.masked_fill(~masks, -torch.inf)
    # The highest and the first that has it: a tenth of the time that argmax over the objects takes on a CPU.
    highest = masks & (claims == claims.amax(dim=0))
    return highest & (highest.cumsum(dim=0, dtype=torch.int16) == 1)


def _extent(used: Tensor) -> tuple[Tensor, Tensor]:
    """(N, L) bool to the first true and one past the last true; 0 and 0 where there is none."""
    length = used.shape[1]
    some = used.any(dim=1)
    first = used.int().argmax(dim=1)
    end = length - used.flip(1).int().argmax(dim=1)
    return torch.where(some, first, 0), torch.where(some, end, 0)
