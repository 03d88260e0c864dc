"""From points, boxes and masks to the tokens that the mask decoder reads."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .convolution import Conv1x1, Conv2d
from .layers import LayerNorm2d
from .position import PositionEmbeddingRandom


class PromptEncoder(nn.Module):
    """SAM's prompt encoder. Labels: 1 object, 0 background, 2 and 3 the corners of a box, -1 not a point."""

    def __init__(self, channels: int, mask_channels: int = 16) -> None:
        super().__init__()
        self.pe_layer = PositionEmbeddingRandom(channels // 2)
        self.point_embeddings = nn.ModuleList(nn.Embedding(1, channels) for _ in range(4))
        self.not_a_point_embed = nn.Embedding(1, channels)
        self.mask_downscaling = nn.Sequential(
            Conv2d(1, mask_channels // 4, kernel_size=2, stride=2),
            LayerNorm2d(mask_channels // 4),
            nn.GELU(),
            Conv2d(mask_channels // 4, mask_channels, kernel_size=2, stride=2),
            LayerNorm2d(mask_channels),
            nn.GELU(),
            Conv1x1(mask_channels, channels),
        )
        self.no_mask_embed = nn.Embedding(1, channels)

    def points(self, points: Tensor, labels: Tensor, size: int) -> Tensor:
        """(N, K, 2) input pixels and (N, K) labels to (N, K + 1, C); a token that is not a point always ends them."""
        points = torch.cat((points, torch.zeros_like(points[:, :1])), dim=1)
        labels = torch.cat((labels, torch.full_like(labels[:, :1], -1)), dim=1)
        kinds = torch.cat([embedding(labels.new_zeros(1)) for embedding in self.point_embeddings])
        real = (labels >= 0).unsqueeze(-1)
        placed = self.pe_layer((points.float() + 0.5) / size) + kinds[labels.clamp(min=0)]
        return torch.where(real, placed, self.not_a_point_embed.weight)

    def masks(self, masks: Tensor | None) -> Tensor:
        """(N, 1, 4 h, 4 w) logits to (N, C, h, w); (1, C, 1, 1) where there are none."""
        if masks is None:
            return self.no_mask_embed.weight[:, :, None, None]
        return self.mask_downscaling(masks)
