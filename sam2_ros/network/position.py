"""Position encodings: where a token is in the image, and when."""

from __future__ import annotations

import math
from functools import cache

import torch
from torch import Tensor, nn


@cache  # and never dropped: what a GPU replays reads it
def sine_grid(channels: int, height: int, width: int, device: torch.device) -> Tensor:
    """(height * width, channels) float32: sines of y, then of x, each over a full turn of the image.

    As in DETR (Carion et al., 2020): sine and cosine interleaved, temperature 10000.
    """
    with torch.inference_mode(False):
        half = channels // 2
        frequency = 10000 ** (2 * (torch.arange(half, device=device) // 2) / half)
        encoded = []
        for size in (height, width):
            along = torch.arange(1, size + 1, dtype=torch.float32, device=device) / (size + 1e-6) * 2 * math.pi
            angle = along[:, None] / frequency
            encoded.append(torch.stack((angle[:, 0::2].sin(), angle[:, 1::2].cos()), dim=2).flatten(1))
        y = encoded[0][:, None].expand(height, width, half)
        x = encoded[1][None].expand(height, width, half)
        return torch.cat((y, x), dim=2).flatten(0, 1)


def sine_time(distance: Tensor, channels: int) -> Tensor:
    """(...) distances in time to (..., channels): all sines, then all cosines, temperature 10000."""
    half = channels // 2
    frequency = 10000 ** (2 * (torch.arange(half, device=distance.device) // 2) / half)
    angle = distance.float().unsqueeze(-1) / frequency
    return torch.cat((angle.sin(), angle.cos()), dim=-1)


@cache  # and never dropped: what a GPU replays reads it
def rotary_table(channels: int, height: int, width: int, device: torch.device) -> Tensor:
    """(height * width, channels / 2, 2) float32: cosine and sine of axial rotary encoding, x in the first half.

    Rotary encoding: Su et al., RoFormer, 2021; in two dimensions: Heo et al., RoPE for ViT, 2024.
    """
    with torch.inference_mode(False):
        frequency = 1.0 / 10000 ** (torch.arange(0, channels, 4, device=device).float() / channels)
        token = torch.arange(height * width, device=device)
        x, y = (token % width).float(), torch.div(token, width, rounding_mode="floor").float()
        angle = torch.cat((torch.outer(x, frequency), torch.outer(y, frequency)), dim=1)
        return torch.stack((angle.cos(), angle.sin()), dim=-1)


def rotate_(x: Tensor, table: Tensor) -> Tensor:
    """Turns, in place, each adjacent pair of channels of x (..., L, C) by its token's angle; table is (L, C / 2, 2)."""
    if not torch.compiler.is_compiling():
        # Five times as fast on a CPU as what is written out below. Half precision has no complex numbers.
        full = x.float()
        torch.view_as_complex(full.unflatten(-1, (-1, 2))).mul_(torch.view_as_complex(table))
        return x if full is x else x.copy_(full)
    a, b = x.unflatten(-1, (-1, 2)).float().unbind(-1)  # compilers do not take complex numbers
    cos, sin = table.unbind(-1)
    return x.copy_(torch.stack((a * cos - b * sin, a * sin + b * cos), dim=-1).flatten(-2))


class PositionEmbeddingRandom(nn.Module):
    """Random Fourier features of a place in the image (Tancik et al., 2020), as in SAM."""

    positional_encoding_gaussian_matrix: Tensor

    def __init__(self, half: int) -> None:
        super().__init__()
        self.register_buffer("positional_encoding_gaussian_matrix", torch.randn(2, half))

    def forward(self, places: Tensor) -> Tensor:
        """(..., 2) x y from 0 to 1 across the image, to (..., 2 * half), float32 inside whatever the weights are."""
        x, y = (2 * places.float() - 1).unsqueeze(-2).unbind(-1)
        along_x, along_y = self.positional_encoding_gaussian_matrix.float()
        # Written out rather than as a matrix product, which autocast would round to half precision.
        angle = 2 * math.pi * (x * along_x + y * along_y)
        encoded = torch.cat((angle.sin(), angle.cos()), dim=-1)
        return encoded.to(self.positional_encoding_gaussian_matrix.dtype)

    def grid(self, height: int, width: int) -> Tensor:
        """(1, 2 * half, height, width), the encoding of every pixel's centre."""
        device = self.positional_encoding_gaussian_matrix.device
        y = (torch.arange(height, device=device) + 0.5) / height
        x = (torch.arange(width, device=device) + 0.5) / width
        places = torch.stack((x.expand(height, width), y[:, None].expand(height, width)), dim=-1)
        return self.forward(places).permute(2, 0, 1).unsqueeze(0)
