"""From an image to its features: a trunk and a feature pyramid."""

from __future__ import annotations

from collections import OrderedDict

import torch.nn.functional as F
from torch import Tensor, nn

from .config import Sam2Config
from .convolution import Conv1x1
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

    def forward(self, maps: list[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Maps at strides 4, 8, 16 and 32 to three of d_model channels at strides 4, 8 and 16."""
        fine, middle, top, coarse = (conv(level) for conv, level in zip(reversed(self.convs), maps, strict=True))
        return fine, middle, top + F.interpolate(coarse, scale_factor=2.0, mode="nearest")


class ImageEncoder(nn.Module):
    def __init__(self, config: Sam2Config) -> None:
        super().__init__()
        self.trunk: nn.Module = EfficientNetLite0() if config.trunk == "efficientnet_lite0" else Hiera(config)
        self.neck = FpnNeck(config.channels, config.d_model)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(B, 3, S, S) normalised RGB to (B, d_model, S / k, S / k) for k of 4, 8 and 16."""
        return self.neck(self.trunk(images))
