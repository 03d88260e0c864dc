"""Layers that several parts of the network share."""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class LayerNorm2d(nn.Module):
    """Layer norm over the channels of (N, C, H, W)."""

    def __init__(self, channels: int, eps: float = 1e-6) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        if x.device.type == "cpu" and x.dtype == torch.float32 and x.shape[1] <= 64:
            # The fused kernel takes four times as long over so few channels, and moves them last and back.
            centred = x - x.mean(dim=1, keepdim=True)
            scale = (centred.square().mean(dim=1, keepdim=True) + self.eps).rsqrt() * self.weight[:, None, None]
            return torch.addcmul(self.bias[:, None, None], centred, scale)
        x = F.layer_norm(x.permute(0, 2, 3, 1), self.weight.shape, self.weight, self.bias, self.eps)
        return x.permute(0, 3, 1, 2)


class MLP(nn.Module):
    """Linear layers with an activation between them: (..., inputs) to (..., outputs)."""

    def __init__(
        self, inputs: int, hidden: int, outputs: int, layers: int, activation: nn.Module | None = None
    ) -> None:
        super().__init__()
        widths = [inputs, *[hidden] * (layers - 1), outputs]
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(widths))
        self.activation = activation or nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers[:-1]:
            x = self.activation(layer(x))
        return self.layers[-1](x)


class Attention(nn.Module):
    """Multi-head attention whose inner width may be smaller than its outer one (SAM's decoder uses half)."""

    def __init__(self, channels: int, heads: int, inner: int | None = None, keys: int | None = None) -> None:
        super().__init__()
        inner, keys = inner or channels, keys or channels
        self.heads = heads
        self.q_proj = nn.Linear(channels, inner)
        self.k_proj = nn.Linear(keys, inner)
        self.v_proj = nn.Linear(keys, inner)
        self.out_proj = nn.Linear(inner, channels)

    def split(self, x: Tensor) -> Tensor:
        """(N, L, C) to (N, heads, L, C / heads)."""
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)

    def forward(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """q (N, L, C), k and v (N, M, keys), to (N, L, C)."""
        q, k, v = self.split(self.q_proj(q)), self.split(self.k_proj(k)), self.split(self.v_proj(v))
        return self.out_proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))
