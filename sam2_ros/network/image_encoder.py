"""From an image to its features: a trunk and a feature pyramid."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, cast

import torch.nn.functional as F
from torch import Tensor, nn

from .config import Sam2Config
from .convolution import Conv1x1, in_one
from .efficientnet import EfficientNetLite0
from .hiera import Hiera


class FpnNeck(nn.Module):
    """Brings the trunk's maps to one width; only stride 16 also receives from the level above it."""

    def __init__(self, channels: tuple[int, ...], d_model: int) -> None:
        super().__init__()
        # The original orders its convolutions from the coarsest level to the finest.
        self.convs = nn.ModuleList(
            nn.Sequential(OrderedDict(conv=Conv1x1(width, d_model))) for width in reversed(channels)
        )

    def forward(self, maps: list[Tensor], to_fine: Conv1x1, to_middle: Conv1x1) -> tuple[Tensor, Tensor, Tensor]:
        """Maps at strides 4, 8, 16 and 32 to three: at stride 4 and 8 what `to_fine` and `to_middle` make of d_model
        channels, at stride 16 these."""
        fine, middle, top, coarse = maps
        first, second, third, fourth = (cast(Any, block).conv for block in reversed(self.convs))
        return (
            in_one(first, to_fine, fine),
            in_one(second, to_middle, middle),
            third(top) + F.interpolate(fourth(coarse), scale_factor=2.0, mode="nearest"),
        )


class ImageEncoder(nn.Module):
    def __init__(self, config: Sam2Config) -> None:
        super().__init__()
        self.trunk: nn.Module = EfficientNetLite0() if config.trunk == "efficientnet_lite0" else Hiera(config)
        self.neck = FpnNeck(config.channels, config.d_model)

    def forward(self, images: Tensor, to_fine: Conv1x1, to_middle: Conv1x1) -> tuple[Tensor, Tensor, Tensor]:
        """(B, 3, S, S) normalised RGB to maps at strides 4, 8 and 16, as in `FpnNeck`."""
        return self.neck(self.trunk(images), to_fine, to_middle)
