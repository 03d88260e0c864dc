"""Objects looked at once more, from close by: masks with finer edges than an answer's, and their thin parts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from sam2_ros.geometry.boxes import box_around
from sam2_ros.geometry.histogram import Colours, evenly_lit
from sam2_ros.geometry.motion import CloseUp, Earlier
from sam2_ros.geometry.search_region import Box, SearchRegion
from sam2_ros.geometry.transfer import download, index, upload
from sam2_ros.network import Sam2, overlap

from .history import Frame
from .sight import cuts, paste, pictures, resample

_AROUND = 1.5
"""Edge of a crop, in the longer edge of the mask's box."""

_ALIKE = 0.3
"""IoU with what is found, below which a mask that was led here does not count: the object has gone elsewhere."""

_CERTAIN = 8.0
"""Logit of a pixel that somebody drew."""


@dataclass(frozen=True)
class Target:
    """An object to look at."""

    row: int
    region: SearchRegion
    """Of the image, in which its mask was found."""
    box: Box
    """Around the mask, in pixels of the frame as it is seen."""
    earlier: Earlier | None
    """Its mask on the frame before, if that is of account."""


class CloseUps:
    """What was seen from close by of the object in each row, for a network with a mask refiner; otherwise nothing."""

    def __init__(self, network: Sam2, rows: int) -> None:
        self._network = network
        self._known: list[CloseUp | None] = [None] * rows
        edge = network.config.refined_size
        self._refined = torch.zeros(rows, 1, edge // 2, edge // 2, device=network.device)
        """(rows, 1, R / 2, R / 2), R for refined_size: logits with finer edges, of the crops."""
        self._shown = torch.zeros(rows, 1, edge, edge, device=network.device)
        """(rows, 1, R, R) the same with what is known from the frame before. Nothing but the next frame's follows from
        it: what it has wrong must not be remembered."""

    def forget(self, rows: Sequence[int]) -> None:
        for row in rows:
            self._known[row] = None

    def of(self, rows: Sequence[int]) -> list[CloseUp | None]:
        """What is shown of these rows, where they are known from close by."""
        return [self._known[row] for row in rows]

    def crops(self, rows: Sequence[int]) -> dict[int, SearchRegion]:
        """Where the objects in these rows, by their number among them, are known from close by; without the others."""
        return {n: known.crop for n, known in enumerate(self.of(rows)) if known is not None}

    def refined(self, rows: Sequence[int]) -> Tensor:
        """(N, 1, R / 2, R / 2) logits of the crops, to be remembered."""
        return self._refined[index(rows, self._shown.device)]

    def shown(self, rows: Sequence[int]) -> Tensor:
        """(N, 1, R, R) logits of the crops, to be shown."""
        return self._shown[index(rows, self._shown.device)]

    def colours(self, rows: Sequence[int], frame: Frame) -> list[Colours | None]:
        """Of what is shown in these rows; None where they are not known from close by."""
        known = {n: one for n, one in enumerate(self.of(rows)) if one is not None}
        found: list[Colours | None] = [None] * len(rows)
        if frame.image is None or not known:
            return found
        parts = []
        for one in known.values():
            x0, y0, x1, y1 = one.crop.pixels(*frame.seen)
            step = max(1, round(math.sqrt((x1 - x0) * (y1 - y0)) / len(one.mask)))
            parts.append(frame.image[0, y0:y1:step, x0:x1:step])
        for (n, one), part in zip(known.items(), download(*parts), strict=True):
            found[n] = Colours.of(evenly_lit(part, frame.gain), one.mask)
        return found

    def take(self, row: int, mask: NDArray[np.bool_], frame: Frame) -> None:
        """Keeps a mask that somebody drew, (H, W) of the frame, as it is seen from close by."""
        box = box_around(mask)
        if frame.image is None or not self._shown.numel() or box is None:
            return
        crop = SearchRegion.around(box, frame.height, frame.width, _AROUND)
        x0, y0, x1, y1 = crop.pixels(frame.height, frame.width)
        seen = torch.from_numpy(mask[None, None, y0:y1, x0:x1]).to(self._shown.device).float()
        logits = _CERTAIN * (2 * F.interpolate(seen, size=self._shown.shape[-2:], mode="bilinear", antialias=True) - 1)
        self._keep([row], [crop], logits)

    def refine(
        self, targets: Sequence[Target], logits: Tensor, embedding: Tensor, frame: Frame, before: Frame | None
    ) -> Tensor:
        """Looks at N objects, and returns their logits (N, 1, S / 4, S / 4) as that makes them.

        logits: (N, 1, S / 4, S / 4) of their regions, as they were found; embedding: (N, C / 8, S / 4, S / 4) of each,
        as the network has it; before: the frame before this one.
        """
        network, size = self._network, self._network.config.refined_size
        regions = [target.region for target in targets]
        crops = [SearchRegion.around(target.box, *frame.seen, _AROUND) for target in targets]
        given = torch.cat((logits, embedding.float()), dim=1)
        given = resample(given, frame, regions, crops, size // 2).to(network.dtype)
        led = self._lead([target.earlier for target in targets], crops, frame, before)
        coarse = F.interpolate(given[:, :1].float(), size=led.shape[-2:], mode="bilinear", align_corners=False)
        led *= (overlap(coarse > 0, led[:, 0] > 0) >= _ALIKE).view(-1, 1, 1, 1)
        seen = pictures(network, frame, crops, size)
        refined, shown = network.refine(seen, given[:, :1], given[:, 1:], led.to(network.dtype))
        rows = [target.row for target in targets]
        self._refined[index(rows, self._shown.device)] = refined.float()
        self._keep(rows, crops, shown.float())
        smooth = F.avg_pool2d(refined.float(), 3, stride=1, padding=1, count_include_pad=False)
        return paste(smooth, frame, crops, regions, logits.shape[-1])

    def _keep(self, rows: Sequence[int], crops: Sequence[SearchRegion], shown: Tensor) -> None:
        self._shown[index(rows, self._shown.device)] = shown
        (masks,) = download(shown[:, 0] > 0)
        for row, crop, mask in zip(rows, crops, masks, strict=True):
            self._known[row] = CloseUp(crop, mask.copy())  # which the history keeps, without those of the others

    def _lead(
        self,
        earlier: Sequence[Earlier | None],
        crops: Sequence[SearchRegion],
        frame: Frame,
        before: Frame | None,
    ) -> Tensor:
        """(N, 1, R, R) the masks on the frame before, led to where they are in N crops of this one, as `Sam2.refine`
        takes them."""
        edge = self._shown.shape[-1]
        led = torch.zeros(len(crops), 1, edge, edge, device=self._shown.device)
        known = {n: one for n, one in enumerate(earlier) if one is not None}
        if before is None or not known:
            return led
        sources = [one.source(crops[n]) for n, one in known.items()]
        seen = download(*cuts(before, sources, edge), *cuts(frame, [crops[n] for n in known], edge))
        then, now = seen[: len(known)], seen[len(known) :]
        masks = [
            one.led(source, was, is_, *frame.seen)
            for one, source, was, is_ in zip(known.values(), sources, then, now, strict=True)
        ]
        led[index(known, led.device), 0] = upload(np.stack(masks), led.device)
        return led
