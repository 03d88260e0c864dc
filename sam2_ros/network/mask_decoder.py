"""From image features and prompt tokens to masks, their quality, and whether the object is there at all."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .convolution import Conv1x1
from .layers import MLP, Attention, LayerNorm2d


@dataclass(frozen=True)
class Answer:
    """What the decoder says of N objects: one mask for a clear prompt, then three for an ambiguous one."""

    logits: Tensor
    """(N, 4, S / 4, S / 4) mask logits, whether or not the object is there."""
    iou: Tensor
    """(N, 4) predicted IoU of each mask, 0 to 1."""
    tokens: Tensor
    """(N, 4, C) from which an object pointer is made."""
    score: Tensor
    """(N,) object score logit; above 0 the object is in the image."""
    embedding: Tensor | None = None
    """(N, C / 8, S / 4, S / 4) of which each mask is one reading."""


class TwoWayBlock(nn.Module):
    """Tokens attend to themselves and to the image, then the image to the tokens."""

    def __init__(self, channels: int, heads: int, mlp_dim: int, *, first: bool) -> None:
        super().__init__()
        self.first = first
        self.self_attn = Attention(channels, heads)
        self.norm1 = nn.LayerNorm(channels)
        self.cross_attn_token_to_image = Attention(channels, heads, channels // 2)
        self.norm2 = nn.LayerNorm(channels)
        self.mlp = MLP(channels, mlp_dim, channels, 2)
        self.norm3 = nn.LayerNorm(channels)
        self.cross_attn_image_to_token = Attention(channels, heads, channels // 2)
        self.norm4 = nn.LayerNorm(channels)

    def forward(self, tokens: Tensor, image: Tensor, token_place: Tensor, image_place: Tensor) -> tuple[Tensor, Tensor]:
        if self.first:
            tokens = self.self_attn(tokens, tokens, tokens)
        else:
            placed = tokens + token_place
            tokens = tokens + self.self_attn(placed, placed, tokens)
        tokens = self.norm1(tokens)
        tokens = tokens + self.cross_attn_token_to_image(tokens + token_place, image + image_place, image)
        tokens = self.norm2(tokens)
        tokens = self.norm3(tokens + self.mlp(tokens))
        image = image + self.cross_attn_image_to_token(image + image_place, tokens + token_place, tokens)
        return tokens, self.norm4(image)


class TwoWayTransformer(nn.Module):
    def __init__(self, channels: int, mlp_dim: int, heads: int = 8, depth: int = 2) -> None:
        super().__init__()
        self.layers = nn.ModuleList(TwoWayBlock(channels, heads, mlp_dim, first=index == 0) for index in range(depth))
        self.final_attn_token_to_image = Attention(channels, heads, channels // 2)
        self.norm_final_attn = nn.LayerNorm(channels)

    def forward(self, tokens: Tensor, image: Tensor, image_place: Tensor) -> tuple[Tensor, Tensor]:
        """tokens (N, T, C), image (N, h * w, C) and image_place (1, h * w, C), to tokens and image."""
        place = tokens
        for layer in self.layers:
            tokens, image = layer(tokens, image, place, image_place)
        out = self.final_attn_token_to_image(tokens + place, image + image_place, image)
        return self.norm_final_attn(tokens + out), image


class MaskDecoder(nn.Module):
    """SAM 2's mask decoder with its occlusion head."""

    def __init__(self, channels: int, mlp_dim: int) -> None:
        super().__init__()
        self.transformer = TwoWayTransformer(channels, mlp_dim)
        self.iou_token = nn.Embedding(1, channels)
        self.mask_tokens = nn.Embedding(4, channels)
        self.obj_score_token = nn.Embedding(1, channels)
        self.output_upscaling = nn.Sequential(
            nn.ConvTranspose2d(channels, channels // 4, kernel_size=2, stride=2),
            LayerNorm2d(channels // 4),
            nn.GELU(),
            nn.ConvTranspose2d(channels // 4, channels // 8, kernel_size=2, stride=2),
            nn.GELU(),
        )
        self.conv_s0 = Conv1x1(channels, channels // 8)
        self.conv_s1 = Conv1x1(channels, channels // 4)
        self.output_hypernetworks_mlps = nn.ModuleList(MLP(channels, channels, channels // 8, 3) for _ in range(4))
        self.iou_prediction_head = MLP(channels, 256, 4, 3)
        self.pred_obj_score_head = MLP(channels, channels, 1, 3)

    def forward(self, image: Tensor, place: Tensor, sparse: Tensor, middle: Tensor, fine: Tensor) -> Answer:
        """Answers for N objects.

        image: (N, C, h, w) features with the prompt's mask added; place: (1, C, h, w) its position encoding;
        sparse: (N, K, C) prompt tokens; middle (N or 1, C / 4, 2 h, 2 w) and fine (N or 1, C / 8, 4 h, 4 w): the
        image's features at strides 8 and 4.
        """
        own = torch.cat((self.obj_score_token.weight, self.iou_token.weight, self.mask_tokens.weight))
        tokens = torch.cat((own.expand(sparse.shape[0], -1, -1), sparse), dim=1)
        tokens, flat = self.transformer(tokens, image.flatten(2).transpose(1, 2), place.flatten(2).transpose(1, 2))
        mask_tokens = tokens[:, 2:6]
        first, norm, act, second, act_last = self.output_upscaling
        up = act(norm(first(flat.transpose(1, 2).unflatten(2, image.shape[2:])) + middle))
        up = act_last(second(up) + fine)
        kernels = [mlp(mask_tokens[:, index]) for index, mlp in enumerate(self.output_hypernetworks_mlps)]
        return Answer(
            logits=(torch.stack(kernels, dim=1) @ up.flatten(2)).unflatten(2, up.shape[2:]),
            iou=self.iou_prediction_head(tokens[:, 1]).sigmoid(),
            tokens=mask_tokens,
            score=self.pred_obj_score_head(tokens[:, 0]).squeeze(1),
            embedding=up,
        )
