"""How well a network does on clips made of pictures that it was never trained on."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

from sam2_ros.network import Sam2

from .bank import Bank
from .clips import make_clip
from .regions import DETAIL, cut_clips
from .rollout import PROMPTS, roll


@torch.no_grad()
def validate(
    network: Sam2, bank: Bank, *, size: int, seed: int, clips: int = 24, frames: int = 6, regions: bool = False
) -> dict[str, float]:
    """By kind of prompt the mean IoU on later frames that show the object; and the share of frames, of all prompts,
    on which it is rightly said to be in view or not. regions: whether each object is seen in a region of its own."""
    result: dict[str, float] = {}
    right: list[bool] = []
    for prompt in PROMPTS:
        overlaps: list[float] = []
        for number in range(clips):
            images, masks = _clip(network, bank, number, frames, size, seed, regions)
            random = np.random.default_rng(number)
            rollout = roll(network, images, masks, random, prompt=prompt, trusted=0, correct=0, spoilt=0)
            for t in range(1, frames):
                logits = F.interpolate(rollout.chosen[t][:, None].float(), size=size, mode="bilinear")
                guess, truth = logits[:, 0] > 0, masks[:, t].flatten(0, 1)
                shown = truth.flatten(1).any(1)
                right += (guess.flatten(1).any(1) == shown).tolist()
                either = (guess | truth).flatten(1).sum(1).clamp(min=1)
                overlaps += ((guess & truth).flatten(1).sum(1) / either)[shown].tolist()
        result[prompt] = float(np.mean(overlaps))
    return {**result, "presence": float(np.mean(right))}


def _clip(
    network: Sam2, bank: Bank, number: int, frames: int, size: int, seed: int, regions: bool
) -> tuple[torch.Tensor, torch.Tensor]:
    """Images (B, T, S, S, 3) and masks (B, T, K, S, S), of three objects in all."""
    if regions:
        context = network.config.search_context
        clip = make_clip(bank, number, frames=frames, objects=3, size=DETAIL * size, seed=seed)
        images, masks = cut_clips(clip, size, context, np.random.default_rng((seed, number)))
    else:
        clip = make_clip(bank, number, frames=frames, objects=3, size=size, seed=seed)
        images, masks = clip.images[None], clip.masks[None]
    return torch.from_numpy(images).to(network.device), torch.from_numpy(masks).to(network.device)
