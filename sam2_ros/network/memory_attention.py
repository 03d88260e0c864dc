"""Memory attention: the features of the newest image, seen in the light of what is remembered of an object."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .config import Sam2Config
from .layers import Attention, attend_in_chunks
from .linear import Linear, multiplies_fast
from .position import rotary_table, rotate_, sine_grid

_TOKENS = 1024
"""Of an image's, for how many objects' together a CPU's cache has room."""


def _find_kernel() -> Callable[..., Tensor] | None:
    if not torch.cuda.is_available():
        return None
    try:
        from .memory_kernel import attend_to_memory
    except ImportError:  # no Triton, or another GPU
        return None
    return attend_to_memory


_kernel = _find_kernel()


def by_kernel(x: Tensor, mem_dim: int) -> bool:
    """Whether features like x (..., C) attend to memory by `memory_kernel`, on a GPU in half precision."""
    powers = all(width.bit_count() == 1 and width >= 16 for width in (x.shape[-1], mem_dim))
    return powers and x.device.type == "cuda" and x.dtype == torch.bfloat16 and _kernel is not None


def _attend(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Tensor:
    """Single-head attention of (N, L, C). The fused kernels want a dimension for heads, even for one."""
    mask = None if mask is None else mask[:, None, None]
    return F.scaled_dot_product_attention(q[:, None], k[:, None], v[:, None], attn_mask=mask)[:, 0]


def _attend_one_by_one(q: Tensor, k: Tensor, memory: Tensor, used: Tensor | None, pointer_tokens: int) -> Tensor:
    """What N objects' features find in memory: (N, L, mem_dim); arguments as in `RotaryCrossAttention`."""
    kept = [slice(None)] * len(q) if used is None else _mask(used, k.shape[1], pointer_tokens)
    objects = zip(q, k, memory, kept, strict=True)
    return torch.stack([attend_in_chunks(q, k[some], values[some]) for q, k, values, some in objects])


def _mask(used: Tensor, tokens: int, pointer_tokens: int) -> Tensor:
    """(N, tokens), true where there is a memory; used as in `RotaryCrossAttention`."""
    token = torch.arange(tokens, device=used.device)
    frames = tokens - pointer_tokens
    return torch.where(token < frames, token < used[:, :1], token - frames < used[:, 1:])


class RotarySelfAttention(Attention):
    def forward(self, x: Tensor, table: Tensor) -> Tensor:  # type: ignore[override]
        """x (N, L, C), table (L, C / 2, 2)."""
        q, k, v = rotate_(self.q_proj(x), table), rotate_(self.k_proj(x), table), self.v_proj(x)
        if multiplies_fast(x):
            return self.out_proj(torch.stack([attend_in_chunks(*one) for one in zip(q, k, v, strict=True)]))
        return self.out_proj(_attend(q, k, v))


class RotaryCrossAttention(Attention):
    def forward(  # type: ignore[override]
        self, x: Tensor, memory: Tensor, place: Tensor, table: Tensor, pointer_tokens: int, used: Tensor | None
    ) -> Tensor:
        """x (N, L, C) attends to memory (N, M, mem_dim), whose last tokens, those of pointers, have no place in 2-D.

        place: (N, M, mem_dim) position encodings; used: (N, 2) int32, how many tokens of frames and how many of
        pointers there are, after which others only fill up; None where nothing does.
        """
        q, k = rotate_(self.q_proj(x), table), self.k_proj(memory + place)
        # One table serves every remembered frame.
        rotate_(k[:, : k.shape[1] - pointer_tokens].unflatten(1, (-1, len(table))), table)
        if _few_at_a_time(x):
            summed = _attend_one_by_one(q, k, memory, used, pointer_tokens)
        elif _kernel is not None and by_kernel(x, memory.shape[2]):
            summed = _kernel(q, k, memory, used, pointer_tokens)
        else:
            mask = None if used is None else _mask(used, k.shape[1], pointer_tokens)
            return self.out_proj(_attend(q, k, self.v_proj(memory), mask))
        # The weights of a query sum to one, so that the values can be projected when they have been summed.
        return self.out_proj(self.v_proj(summed))


class MemoryAttentionLayer(nn.Module):
    def __init__(self, config: Sam2Config) -> None:
        super().__init__()
        channels = config.d_model
        self.self_attn = RotarySelfAttention(channels, heads=1)
        self.cross_attn_image = RotaryCrossAttention(channels, heads=1, keys=config.mem_dim)
        self.linear1 = Linear(channels, config.dim_feedforward)
        self.linear2 = Linear(config.dim_feedforward, channels)
        self.norm1 = nn.LayerNorm(channels)
        self.norm2 = nn.LayerNorm(channels)
        self.norm3 = nn.LayerNorm(channels)

    def look(self, x: Tensor, table: Tensor) -> Tensor:
        """The layer's first half, from the image alone: x (N, L, C)."""
        return x + self.self_attn(self.norm1(x), table)

    def remember(
        self, x: Tensor, memory: Tensor, place: Tensor, table: Tensor, pointer_tokens: int, used: Tensor | None
    ) -> Tensor:
        """The second half, as in `RotaryCrossAttention`."""
        x = x + self.cross_attn_image(self.norm2(x), memory, place, table, pointer_tokens, used)
        return x + self.linear2(F.relu(self.linear1(self.norm3(x)), inplace=True))


class MemoryAttention(nn.Module):
    def __init__(self, config: Sam2Config) -> None:
        super().__init__()
        self.layers = nn.ModuleList(MemoryAttentionLayer(config) for _ in range(config.num_layers))
        self.norm = nn.LayerNorm(config.d_model)

    def forward(
        self, features: Tensor, memory: Tensor, place: Tensor, pointer_tokens: int, used: Tensor | None = None
    ) -> Tensor:
        """features (1 or N, C, h, w) conditioned on the memory of N objects: (N, C, h, w)."""
        channels, height, width = features.shape[1:]
        table, place_in_image = self.tables(channels, height, width, features.device)
        x = features.flatten(2).transpose(1, 2).contiguous()  # or each of the norms below would copy it
        x = x + 0.1 * place_in_image.to(x.dtype)
        # Until here, and through half a layer, the objects of one image share everything.
        x = self._layer(0).look(x, table).expand(len(memory), -1, -1)
        if _few_at_a_time(x):
            few = max(1, _TOKENS // x.shape[1])
            each = [None] * math.ceil(len(x) / few) if used is None else used.split(few)
            parts = zip(x.split(few), memory.split(few), place.split(few), each, strict=True)
            x = torch.cat([self._remember(x, m, p, table, pointer_tokens, own) for x, m, p, own in parts])
        else:
            x = self._remember(x, memory, place, table, pointer_tokens, used)
        return x.transpose(1, 2).unflatten(2, (height, width))

    def tables(self, channels: int, height: int, width: int, device: torch.device) -> tuple[Tensor, Tensor]:
        """Of rotary encoding, and of the places in the image; both are kept."""
        return rotary_table(channels, height, width, device), sine_grid(channels, height, width, device)

    def _remember(
        self, x: Tensor, memory: Tensor, place: Tensor, table: Tensor, pointer_tokens: int, used: Tensor | None
    ) -> Tensor:
        for index in range(len(self.layers)):
            layer = self._layer(index)
            x = layer.remember(layer.look(x, table) if index else x, memory, place, table, pointer_tokens, used)
        return self.norm(x)

    def _layer(self, index: int) -> MemoryAttentionLayer:
        return cast(MemoryAttentionLayer, self.layers[index])


def _few_at_a_time(x: Tensor) -> bool:
    """Whether objects are better taken a few at a time: a CPU's cache holds what they need."""
    return x.device.type == "cpu" and not torch.is_grad_enabled()
