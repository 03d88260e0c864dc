"""Memory attention: the features of the newest image, seen in the light of what is remembered of an object."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .config import Sam2Config
from .layers import Attention
from .position import rotary_table, rotate_, sine_grid


def _attend(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Tensor:
    """Single-head attention of (N, L, C). The fused kernels want a dimension for heads, even for one."""
    mask = None if mask is None else mask[:, None, None]
    return F.scaled_dot_product_attention(q[:, None], k[:, None], v[:, None], attn_mask=mask)[:, 0]


def _attend_narrow(q: Tensor, k: Tensor, values: Tensor, mask: Tensor | None) -> Tensor:
    """The same for a CPU and values (N, M, V) of few channels: (N, L, V). Not for training.

    Chunks of queries keep their weights in the cache; the fused kernel wants values as wide as the keys.
    """
    bias = q.new_zeros(k.shape[:2])
    if mask is not None:
        bias.masked_fill_(~mask, -torch.inf)
    q = q * q.shape[2] ** -0.5
    rows = []
    for object_q, object_k, object_values, object_bias in zip(q, k.transpose(1, 2), values, bias, strict=True):
        chunks = [torch.addmm(object_bias, chunk, object_k).softmax(1) @ object_values for chunk in object_q.split(128)]
        rows.append(torch.cat(chunks))
    return torch.stack(rows)


class RotarySelfAttention(Attention):
    def forward(self, x: Tensor, table: Tensor) -> Tensor:  # type: ignore[override]
        """x (N, L, C), table (L, C / 2, 2)."""
        q, k, v = rotate_(self.q_proj(x), table), rotate_(self.k_proj(x), table), self.v_proj(x)
        return self.out_proj(_attend(q, k, v))


class RotaryCrossAttention(Attention):
    def forward(  # type: ignore[override]
        self, x: Tensor, memory: Tensor, place: Tensor, table: Tensor, pointer_tokens: int, mask: Tensor | None
    ) -> Tensor:
        """x (N, L, C) attends to memory (N, M, mem_dim), whose last tokens, those of pointers, have no place in 2-D.

        place: (N, M, mem_dim) position encodings; mask: (N, M), true where there is a memory, or None if everywhere.
        """
        q, k = rotate_(self.q_proj(x), table), self.k_proj(memory + place)
        # One table serves every remembered frame.
        rotate_(k[:, : k.shape[1] - pointer_tokens].unflatten(1, (-1, len(table))), table)
        if x.device.type == "cpu" and not torch.is_grad_enabled():
            # The weights of a query sum to one, so that the values can be projected when they have been summed.
            return self.out_proj(self.v_proj(_attend_narrow(q, k, memory, mask)))
        return self.out_proj(_attend(q, k, self.v_proj(memory), mask))


class MemoryAttentionLayer(nn.Module):
    def __init__(self, config: Sam2Config) -> None:
        super().__init__()
        channels = config.d_model
        self.self_attn = RotarySelfAttention(channels, heads=1)
        self.cross_attn_image = RotaryCrossAttention(channels, heads=1, keys=config.mem_dim)
        self.linear1 = nn.Linear(channels, config.dim_feedforward)
        self.linear2 = nn.Linear(config.dim_feedforward, channels)
        self.norm1 = nn.LayerNorm(channels)
        self.norm2 = nn.LayerNorm(channels)
        self.norm3 = nn.LayerNorm(channels)

    def forward(
        self, x: Tensor, memory: Tensor, place: Tensor, table: Tensor, pointer_tokens: int, mask: Tensor | None
    ) -> Tensor:
        """x is (1, L, C) where all objects share it: then its self-attention is computed once for all of them."""
        x = x + self.self_attn(self.norm1(x), table)
        x = x.expand(memory.shape[0], -1, -1)
        x = x + self.cross_attn_image(self.norm2(x), memory, place, table, pointer_tokens, mask)
        return x + self.linear2(F.relu(self.linear1(self.norm3(x))))


class MemoryAttention(nn.Module):
    def __init__(self, config: Sam2Config) -> None:
        super().__init__()
        self.layers = nn.ModuleList(MemoryAttentionLayer(config) for _ in range(config.num_layers))
        self.norm = nn.LayerNorm(config.d_model)

    def forward(
        self, features: Tensor, memory: Tensor, place: Tensor, pointer_tokens: int, mask: Tensor | None = None
    ) -> Tensor:
        """features (1 or N, C, h, w) conditioned on the memory of N objects: (N, C, h, w)."""
        channels, height, width = features.shape[1:]
        table = rotary_table(channels, height, width, features.device)
        x = features.flatten(2).transpose(1, 2)
        x = x + 0.1 * sine_grid(channels, height, width, features.device).to(x.dtype)
        for layer in self.layers:
            x = layer(x, memory, place, table, pointer_tokens, mask)
        return self.norm(x).transpose(1, 2).unflatten(2, (height, width))
