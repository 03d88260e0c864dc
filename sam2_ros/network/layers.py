"""Layers that several parts of the network share."""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .linear import Linear, linear

_CHUNK = 1024
"""Bytes of the weights that a chunk of queries has for each key: 256 queries in float32, 512 in half precision."""


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
        self.layers = nn.ModuleList(Linear(a, b) for a, b in pairwise(widths))
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
        self.q_proj = Linear(channels, inner)
        self.k_proj = Linear(keys, inner)
        self.v_proj = Linear(keys, inner)
        self.out_proj = Linear(inner, channels)

    def split(self, x: Tensor) -> Tensor:
        """(N, L, C) to (N, heads, L, C / heads)."""
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)

    def forward(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """q (N, L, C), k and v (N, M, keys), to (N, L, C)."""
        q, k, v = self.split(self.q_proj(q)), self.split(self.k_proj(k)), self.split(self.v_proj(v))
        return self.out_proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))


def attend_in_chunks(q: Tensor, k: Tensor, values: Tensor) -> Tensor:
    """Single-head attention on a CPU: q (L, C), k (M, C) and values (M, V), of which V may be anything, to (L, V).

    PyTorch's fused kernel wants values as wide as the keys, and does not ask oneDNN. So many queries at a time that
    neither the keys are gone through too often nor the cache is too small for the weights.
    """
    few = _CHUNK // q.element_size()
    chunks = (q * q.shape[1] ** -0.5).split(few)
    return torch.cat([linear(linear(chunk, k).softmax(dim=1), values.T) for chunk in chunks])
