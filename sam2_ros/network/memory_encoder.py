"""From an image and an object's mask on it to a memory of the object."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .convolution import Conv1x1, Conv2d
from .layers import LayerNorm2d
from .linear import Linear


class MaskDownSampler(nn.Module):
    """(N, 1, S, S) to (N, channels, S / 16, S / 16); the inner width grows fourfold at each halving."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for inputs in (1, 4, 16, 64):
            layers += [
                Conv2d(inputs, 4 * inputs, kernel_size=3, stride=2, padding=1),
                LayerNorm2d(4 * inputs),
                nn.GELU(),
            ]
        self.encoder = nn.Sequential(*layers, Conv1x1(256, channels))

    def forward(self, masks: Tensor) -> Tensor:
        return self.encoder(masks)


class CXBlock(nn.Module):
    """A ConvNeXt block (Liu et al., 2022)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.dwconv = Conv2d(channels, channels, kernel_size=7, padding=3, groups=channels)
        self.norm = LayerNorm2d(channels)
        self.pwconv1 = Linear(channels, 4 * channels)
        self.pwconv2 = Linear(4 * channels, channels)
        self.gamma = nn.Parameter(1e-6 * torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(self.dwconv(x)).permute(0, 2, 3, 1)
        y = self.gamma * self.pwconv2(F.gelu(self.pwconv1(y)))
        return x + y.permute(0, 3, 1, 2)


class Fuser(nn.Module):
    def __init__(self, channels: int, depth: int = 2) -> None:
        super().__init__()
        self.layers = nn.ModuleList(CXBlock(channels) for _ in range(depth))

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = layer(x)
        return x


class MemoryEncoder(nn.Module):
    def __init__(self, channels: int, mem_dim: int) -> None:
        super().__init__()
        self.mask_downsampler = MaskDownSampler(channels)
        self.pix_feat_proj = Conv1x1(channels, channels)
        self.fuser = Fuser(channels)
        self.out_proj = Conv1x1(channels, mem_dim)

    def forward(self, features: Tensor, masks: Tensor) -> Tensor:
        """features (N or 1, C, h, w) and masks (N, 1, 16 h, 16 w), from -10 to 10, to (N, mem_dim, h, w)."""
        fused = self.fuser(self.pix_feat_proj(features) + self.mask_downsampler(masks))
        return self.out_proj(fused)
