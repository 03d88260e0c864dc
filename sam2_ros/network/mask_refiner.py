"""Finer edges for a mask: what a small network found is looked at once more, from close by, to see where it ends.

SAM 2 has nothing like it; `nano` finds an object on a grid of a quarter of its input. As in CascadePSP (Cheng et al.,
2020) a mask goes in together with the picture around it, and what the object is, is not asked again: the decoder's
embedding of it goes in as well, and of the picture only what the trunk's first blocks make of it.

Where the mask of the image before is known, and how it has moved, a second part weighs it against the first one's
answer, pixel by pixel of the picture.
"""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .convolution import Conv1x1, Conv2d

_WIDTHS = (16, 32, 48, 64)
"""Channels at strides 2, 4, 8 and 16."""
_SURE = 8.0
"""Logits beyond this say nothing more."""
_LED = 32
"""Channels where the mask of the image before comes in."""


class MaskRefiner(nn.Module):
    """From a mask, the embedding it is made of, and the trunk's maps of the picture, to the mask."""

    def __init__(self, maps: tuple[int, int], embedding: int) -> None:
        """Channels of the trunk's maps, and of the embedding."""
        super().__init__()
        self.laterals = nn.ModuleList(Conv1x1(a, b) for a, b in zip(maps, _WIDTHS[:2], strict=True))
        self.blocks = nn.ModuleList(
            nn.Sequential(
                Conv2d(1 + embedding + (width if level < 3 else 0), width, 3, padding=1),
                nn.ReLU(),
                Conv2d(width, width, 3, padding=1),
                nn.ReLU(),
            )
            for level, width in enumerate(_WIDTHS)
        )
        self.ups = nn.ModuleList(Conv1x1(coarse, fine) for fine, coarse in pairwise(_WIDTHS))
        self.out = Conv2d(_WIDTHS[0], 1, 3, padding=1)
        last = Conv2d(_LED, 4, 3, padding=1)
        # Of each 2 x 2 pixels: the first part's features, its answer and the mask; the mask before and the picture.
        self.lead = nn.Sequential(
            Conv2d(_WIDTHS[0] + 2 + 4 * (1 + 3), _LED, 3, padding=1),
            nn.ReLU(),
            Conv2d(_LED, _LED, 3, padding=1),
            nn.ReLU(),
            last,
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        for conv in (self.out, last):
            nn.init.zeros_(conv.weight)  # at first a mask stays as it is

    def forward(
        self, maps: list[Tensor], logits: Tensor, embedding: Tensor, pictures: Tensor, earlier: Tensor
    ) -> tuple[Tensor, Tensor]:
        """maps: (N, C, S / 2, S / 2) and (N, C, S / 4, S / 4); the others as in `Sam2.refine`."""
        mask = logits.clamp(-_SURE, _SURE) / _SURE
        given = _joined(mask, embedding)
        x = self.blocks[-1](F.avg_pool2d(given, 8))
        for level in (2, 1, 0):
            below = F.interpolate(self.ups[level](x), scale_factor=2.0, mode="bilinear", align_corners=False)
            if level < len(maps):
                below = below + self.laterals[level](maps[level])
            seen = F.avg_pool2d(given, 2**level) if level else given
            x = self.blocks[level](_joined(below, seen))
        refined = self.out(x) + _SURE * mask
        fine = F.pixel_unshuffle(torch.cat((earlier, pictures), dim=1), 2)
        led = self.lead(_joined(x, refined.clamp(-_SURE, _SURE) / _SURE, mask, fine))
        known = (earlier != 0).flatten(1).any(dim=1).view(-1, 1, 1, 1)
        shown = F.interpolate(refined, scale_factor=2.0, mode="bilinear", align_corners=False)
        return refined, shown + F.pixel_shuffle(led, 2) * known


def _joined(*maps: Tensor) -> Tensor:
    """Maps (N, C, h, w) of one size, channel after channel, in memory a pixel's side by side as the trunk's are: a CPU
    then takes little more than half the time."""
    return torch.cat([one.permute(0, 2, 3, 1) for one in maps], dim=3).permute(0, 3, 1, 2)
