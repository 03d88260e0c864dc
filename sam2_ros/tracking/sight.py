"""Between an image and what the network sees of it: all of it, once for all objects, or a region of it for each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from sam2_ros.geometry.masks import OUTSIDE, place_logits, resize_logits
from sam2_ros.geometry.search_region import SearchRegion
from sam2_ros.geometry.transfer import upload
from sam2_ros.network import Features, Sam2, shrink

from .errors import BadPrompt
from .history import Frame

_DETAIL = 6
"""Edge of the largest image that is worth keeping for search regions, in edges of the network's input."""


def picture(image: Tensor, size: int) -> Tensor:
    """(1, H, W, 3) uint8 on the device as regions are cut out of it, its longer edge at most `_DETAIL` * size."""
    height, width = image.shape[1:3]
    scale = _DETAIL * size / max(height, width)
    if scale >= 1:
        return image
    target = (max(1, round(scale * height)), max(1, round(scale * width)))
    return _resized(image, target)


def see(network: Sam2, frame: Frame, regions: Sequence[SearchRegion], size: int) -> Features:
    """Features of N regions of a frame, or of the whole frame, a batch of one, where that is what is encoded."""
    if frame.features is not None:
        return frame.features
    return network.encode_image(pictures(network, frame, regions, size))


class Looks:
    """What is seen of one region or another of a frame, each of which is encoded only once."""

    def __init__(self, network: Sam2, frame: Frame, size: int) -> None:
        """size: edge of the network's input in pixels."""
        self.frame = frame
        self._network = network
        self._size = size
        self._seen: dict[SearchRegion, Features] = {}

    def at(self, region: SearchRegion) -> Features:
        """A batch of one: of a region, or of the whole frame where that is what is encoded."""
        if region not in self._seen:
            self._seen[region] = see(self._network, self.frame, [region], self._size)
        return self._seen[region]


def pictures(network: Sam2, frame: Frame, regions: Sequence[SearchRegion], size: int) -> Tensor:
    """The network's input (N, 3, size, size) of N regions of a frame that is kept as an image."""
    # Not of bytes that were made smaller or larger: where there is little contrast, what rounding takes shows.
    return network.prepare([part[0] for part in _parts(frame, regions)], size)


def cuts(frame: Frame, regions: Sequence[SearchRegion], size: int) -> list[Tensor]:
    """N regions of a frame that is kept as an image, each stretched to (size, size, 3) uint8."""
    return [_resized(part, (size, size))[0] for part in _parts(frame, regions)]


def _parts(frame: Frame, regions: Sequence[SearchRegion]) -> list[Tensor]:
    if frame.image is None:
        raise ValueError(f"frame {frame.number} has no image to cut regions out of")
    boxes = [region.pixels(*frame.seen) for region in regions]
    return [frame.image[:, y0:y1, x0:x1] for x0, y0, x1, y1 in boxes]


def _resized(image: Tensor, size: tuple[int, int]) -> Tensor:
    """(1, H, W, 3) uint8 to another height and width, as SAM 2 does: bilinear, without aliases."""
    x = image.permute(0, 3, 1, 2)
    if x.device.type == "cpu":  # in a third of the time that floats take
        x = F.interpolate(x, size=size, mode="bilinear", antialias=True)
    else:
        x = F.interpolate(x.float(), size=size, mode="bilinear", antialias=True)
        x = x.round().clamp(0, 255).to(torch.uint8)
    return x.permute(0, 2, 3, 1).contiguous()


def paste(
    logits: Tensor, frame: Frame, crops: Sequence[SearchRegion], regions: Sequence[SearchRegion], size: int
) -> Tensor:
    """Logits (N, 1, r, r) of N crops as (N, 1, size, size) of the regions that they lie in; around a crop there is
    nothing of the object."""
    return OUTSIDE + resample(logits - OUTSIDE, frame, crops, regions, size, "zeros")


def place(logits: Tensor, frame: Frame, regions: Sequence[SearchRegion]) -> Tensor:
    """(N, 1, S / 4, S / 4) logits of N regions to (N, H, W) of the frame."""
    if frame.image is None:
        return resize_logits(logits, frame.height, frame.width)
    # Where a region was cut out, in pixels of the image itself: less than half of one beside it.
    down, right = frame.height / frame.seen[0], frame.width / frame.seen[1]
    boxes = [
        (round(x0 * right), round(y0 * down), round(x1 * right), round(y1 * down))
        for x0, y0, x1, y1 in (region.pixels(*frame.seen) for region in regions)
    ]
    return place_logits(logits, boxes, frame.height, frame.width)


def resample(
    maps: Tensor,
    frame: Frame,
    regions: Sequence[SearchRegion],
    others: Sequence[SearchRegion],
    size: int,
    beyond: str = "border",
) -> Tensor:
    """Maps (N, C, h, w) of N regions as (N, C, size, size) of N others. beyond: what is where a region is not: what is
    at its `border`, or `zeros`."""
    ways = []
    for region, other in zip(regions, others, strict=True):
        left, top, right, bottom = region.pixels(*frame.seen)
        x0, y0, x1, y1 = other.pixels(*frame.seen)
        wide, high = right - left, bottom - top
        ways.append(
            [
                [(x1 - x0) / wide, (x0 + x1 - left - right) / wide],
                [(y1 - y0) / high, (y0 + y1 - top - bottom) / high],
            ]
        )
    zoom, shift = upload(np.array(ways, np.float32), maps.device).unsqueeze(3).unbind(2)
    middles = (2 * torch.arange(size, device=maps.device) + 1) / size - 1
    # Not by F.affine_grid: a product with a matrix for every pixel, where each column has one x and each row one y.
    x, y = (zoom * middles + shift).unbind(1)
    shape = len(maps), size, size
    grid = torch.stack((x[:, None, :].expand(shape), y[:, :, None].expand(shape)), dim=3)
    return F.grid_sample(maps, grid, padding_mode=beyond, align_corners=False)


def point_input(points: Sequence[tuple[float, float]], frame: Frame, region: SearchRegion, size: int) -> Tensor:
    """(K, 2) pixels of the frame to (1, K, 2) pixels of the network's input."""
    x0, y0, x1, y1 = region.pixels(*frame.seen)
    per_pixel = torch.tensor([frame.seen[1] / frame.width, frame.seen[0] / frame.height])
    scale = torch.tensor([size / (x1 - x0), size / (y1 - y0)])
    return ((torch.tensor(points) * per_pixel - torch.tensor([x0, y0])) * scale).unsqueeze(0)


def mask_input(mask: NDArray[np.bool_], frame: Frame, region: SearchRegion, size: int, network: Sam2) -> Tensor:
    """(H, W) of the frame to (1, 1, S, S) of 0 and 1. Raises BadPrompt where nothing of it is left."""
    image = torch.from_numpy(mask)[None, None].to(network.device).float()
    if frame.seen != mask.shape:
        image = F.interpolate(image, size=frame.seen, mode="bilinear", antialias=True)
    x0, y0, x1, y1 = region.pixels(*frame.seen)
    image = image[..., y0:y1, x0:x1]
    if image.shape[-2:] != (size, size):
        image = F.interpolate(image, size=(size, size), mode="bilinear", antialias=True)
    image = (image >= 0.5).to(network.dtype)
    # An answer has a quarter of the input's pixels: what vanishes there would be an object without a pixel.
    if not (shrink(image.float()) > 0.5).any():
        raise BadPrompt(f"the mask of {mask.sum()} pixels is too small for the network's input of {size}")
    return image
