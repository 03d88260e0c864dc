"""How well a network does on clips made of pictures that it was never trained on."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

from sam2_ros.network import Sam2

from .bank import Bank
from .clips import make_clip
from .rollout import PROMPTS, roll


@torch.no_grad()
def validate(network: Sam2, bank: Bank, *, size: int, seed: int, clips: int = 24, frames: int = 6) -> dict[str, float]:
    """By kind of prompt the mean IoU on later frames that show the object; and the share of frames, of all prompts,
    on which it is rightly said to be in view or not."""
    result: dict[str, float] = {}
    right: list[bool] = []
    for prompt in PROMPTS:
        overlaps: list[float] = []
        for number in range(clips):
            clip = make_clip(bank, number, frames=frames, objects=3, size=size, seed=seed)
            images, masks = (torch.from_numpy(array)[None].to(network.device) for array in (clip.images, clip.masks))
            random = np.random.default_rng(number)
            rollout = roll(network, images, masks, random, prompt=prompt, trusted=0, correct=0)
            for t in range(1, frames):
                logits = F.interpolate(rollout.chosen[t][:, None].float(), size=size, mode="bilinear")
                guess, truth = logits[:, 0] > 0, masks[0, t]
                shown = truth.flatten(1).any(1)
                right += (guess.flatten(1).any(1) == shown).tolist()
                either = (guess | truth).flatten(1).sum(1).clamp(min=1)
                overlaps += ((guess & truth).flatten(1).sum(1) / either)[shown].tolist()
        result[prompt] = float(np.mean(overlaps))
    return {**result, "presence": float(np.mean(right))}
