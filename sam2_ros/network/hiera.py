"""Hiera, the trunk of the official sizes.

Ryali et al., Hiera, 2023, with the windowed position embedding of Bolya et al., 2023. Names are the original's.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .config import Sam2Config
from .convolution import Conv2d
from .layers import MLP, attend_in_chunks
from .linear import Linear, multiplies_fast

_MANY = 512
"""Keys from which attention in chunks is quicker than PyTorch's own where oneDNN multiplies: no window has them."""

_STRIPE = 2048
"""Tokens of a map that a CPU takes at a time: about as many as its cache holds with all that is made of them."""


class MultiScaleAttention(nn.Module):
    """Self-attention over a window or the whole map; at a change of stage the queries are pooled two by two."""

    def __init__(self, inputs: int, outputs: int, heads: int, pools: bool) -> None:
        super().__init__()
        self.heads, self.pools = heads, pools
        self.qkv = Linear(inputs, 3 * outputs)
        self.proj = Linear(outputs, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(B, H, W, inputs) to (B, H, W, outputs), or half of H and W where it pools."""
        height, width = x.shape[1:3]
        q, k, v = self.qkv(x).chunk(3, dim=-1)
        if self.pools:
            q = pool(q)
            height, width = q.shape[1:3]
        q, k, v = (t.flatten(1, 2).unflatten(-1, (self.heads, -1)).transpose(1, 2) for t in (q, k, v))
        fast = multiplies_fast(x)
        if fast and k.shape[2] >= _MANY:
            heads = [attend_in_chunks(*head) for head in zip(*(t.flatten(0, 1) for t in (q, k, v)), strict=True)]
            out = torch.stack(heads).unflatten(0, q.shape[:2])
        elif fast and x.dtype == torch.bfloat16:
            # PyTorch's kernel takes twice as long over matrices as small as those of windows.
            scores = q * q.shape[-1] ** -0.5 @ k.transpose(2, 3)
            out = scores.softmax(dim=-1) @ v
        else:
            out = F.scaled_dot_product_attention(q, k, v)
        out = out.transpose(1, 2).flatten(2)
        return self.proj(out).unflatten(1, (height, width))


class MultiScaleBlock(nn.Module):
    """One transformer block; `window` is the edge of its attention window, 0 for global attention."""

    def __init__(self, inputs: int, outputs: int, heads: int, window: int, pools: bool) -> None:
        super().__init__()
        self.window, self.pools = window, pools
        self.norm1 = nn.LayerNorm(inputs, eps=1e-6)
        self.attn = MultiScaleAttention(inputs, outputs, heads, pools)
        self.norm2 = nn.LayerNorm(outputs, eps=1e-6)
        self.mlp = MLP(outputs, 4 * outputs, outputs, 2, activation=nn.GELU())
        self.proj = Linear(inputs, outputs) if inputs != outputs else None

    def forward(self, x: Tensor) -> Tensor:
        """(B, H, W, inputs) to (B, H, W, outputs), or half of H and W where it pools."""
        if self.window and x.device.type == "cpu" and not torch.is_grad_enabled():
            # Windows know nothing of one another, so a stripe of whole windows is a map like any other.
            rows = max(1, _STRIPE // (x.shape[2] * self.window)) * self.window
            if rows < x.shape[1]:
                return torch.cat([self._transform(stripe) for stripe in x.split(rows, dim=1)], dim=1)
        return self._transform(x)

    def _transform(self, x: Tensor) -> Tensor:
        shortcut, x = x, self.norm1(x)
        if self.proj is not None:
            shortcut = pool(self.proj(x)) if self.pools else self.proj(x)
        x = self.attend(x, shortcut.shape[1], shortcut.shape[2])
        x = shortcut + x
        return x + self.mlp(self.norm2(x))

    def attend(self, x: Tensor, height: int, width: int) -> Tensor:
        """Attention of (B, H, W, C) in windows; the result is (B, height, width, C')."""
        if not self.window:
            return self.attn(x)
        size, batch = self.window, x.shape[0]
        # The padding comes after the norm and is not masked: its keys and values are the biases, as in the original.
        x = F.pad(x, (0, 0, 0, -x.shape[2] % size, 0, -x.shape[1] % size))
        rows, columns = x.shape[1] // size, x.shape[2] // size
        x = x.unflatten(1, (rows, size)).unflatten(3, (columns, size)).transpose(2, 3).flatten(0, 2)
        x = self.attn(x)
        x = x.unflatten(0, (batch, rows, columns)).transpose(2, 3).flatten(3, 4).flatten(1, 2)
        return x[:, :height, :width]


class PatchEmbed(nn.Module):
    """(B, 3, S, S) to (B, S / 4, S / 4, C)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.proj = Conv2d(3, channels, kernel_size=7, stride=4, padding=3)

    def forward(self, x: Tensor) -> Tensor:
        return self.proj(x).permute(0, 2, 3, 1)


class Hiera(nn.Module):
    """(B, 3, S, S) to four feature maps at strides 4, 8, 16 and 32."""

    def __init__(self, config: Sam2Config) -> None:
        super().__init__()
        self.patch_embed = PatchEmbed(config.embed_dim)
        self.pos_embed = nn.Parameter(torch.zeros(1, config.embed_dim, *config.window_pos_embed_bkg_spatial_size))
        window = config.window_spec[0]
        self.pos_embed_window = nn.Parameter(torch.zeros(1, config.embed_dim, window, window))
        self.blocks = nn.ModuleList()
        self.ends: list[int] = []
        self._positions: dict[object, Tensor] = {}
        inputs, heads = config.embed_dim, config.num_heads
        for stage, depth in enumerate(config.stages):
            for repeat in range(depth):
                starts_stage = stage > 0 and repeat == 0
                index = len(self.blocks)
                # The first block of a stage still has the window of the stage before.
                window = config.window_spec[stage - 1 if starts_stage else stage]
                outputs = config.embed_dim * 2**stage
                heads = config.num_heads * 2**stage
                self.blocks.append(
                    MultiScaleBlock(
                        inputs,
                        outputs,
                        heads,
                        window=0 if index in config.global_att_blocks else window,
                        pools=starts_stage,
                    )
                )
                inputs = outputs
            self.ends.append(len(self.blocks) - 1)

    def position(self, height: int, width: int) -> Tensor:
        """(1, height, width, C): a coarse embedding stretched over the map plus one that repeats in every window.

        Made once for a size, except in training, and never dropped: what a GPU replays reads it.
        """
        if torch.is_grad_enabled():
            return self._make_position(height, width)
        parts = self.pos_embed, self.pos_embed_window
        versions = (0 if part.is_inference() else part._version for part in parts)
        made_of = (height, width, *map(id, parts), *versions, parts[0].dtype, parts[0].device)
        if made_of not in self._positions:
            self._positions[made_of] = self._make_position(height, width)
        return self._positions[made_of]

    def _make_position(self, height: int, width: int) -> Tensor:
        coarse = F.interpolate(self.pos_embed, size=(height, width), mode="bicubic")
        size = self.pos_embed_window.shape[-1]
        return (coarse + self.pos_embed_window.tile(1, 1, height // size, width // size)).permute(0, 2, 3, 1)

    def forward(self, x: Tensor) -> list[Tensor]:
        x = self.patch_embed(x)
        x = x + self.position(x.shape[1], x.shape[2])
        outputs = []
        for index, block in enumerate(self.blocks):
            x = block(x)
            if index in self.ends:
                outputs.append(x.permute(0, 3, 1, 2))
        return outputs


def pool(x: Tensor) -> Tensor:
    """Maximum of each two by two of (B, H, W, C)."""
    return F.max_pool2d(x.permute(0, 3, 1, 2), 2).permute(0, 2, 3, 1)
