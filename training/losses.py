"""What a mask, a predicted quality and a presence score are trained against.

As SAM 2 is trained (Ravi et al., 2024, appendix): focal and dice loss for masks, of several readings only the best one
is taught; L1 for the predicted IoU; cross-entropy for presence.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class Losses:
    """Sums over objects, and over how many objects each sum runs."""

    focal: Tensor
    dice: Tensor
    iou: Tensor
    presence: Tensor
    in_view: Tensor
    objects: int

    def __add__(self, other: Losses) -> Losses:
        return Losses(
            self.focal + other.focal,
            self.dice + other.dice,
            self.iou + other.iou,
            self.presence + other.presence,
            self.in_view + other.in_view,
            self.objects + other.objects,
        )

    def total(self, dice: float = 1.0) -> Tensor:
        """What is minimised; dice is the weight of the dice loss beside 20 times the focal loss."""
        masks = (20 * self.focal + dice * self.dice + self.iou) / self.in_view.clamp(min=1)
        return masks + self.presence / self.objects


def mask_losses(logits: Tensor, iou: Tensor, score: Tensor, truth: Tensor) -> Losses:
    """Losses of M readings each of N objects.

    logits: (N, M, h, w); iou: (N, M) predicted; score: (N,) presence logits; truth: (N, S, S) 0 or 1, S a multiple of
    h. An object without a pixel is out of view: only its score is taught. Masks are compared at twice h.
    """
    logits = F.interpolate(logits.float(), scale_factor=2.0, mode="bilinear", align_corners=False)
    target = F.adaptive_avg_pool2d(truth.float(), logits.shape[-1]).unsqueeze(1).expand_as(logits)
    in_view = (truth.flatten(1).sum(1) > 0).float()
    focal = _focal(logits, target)
    dice = dice_loss(logits, target)
    best = (20 * focal + dice).argmin(dim=1, keepdim=True)
    with torch.no_grad():
        predicted, true = logits > 0, target > 0.5
        overlap = (predicted & true).sum((2, 3)).float()
        actual = overlap / (predicted | true).sum((2, 3)).clamp(min=1)
    iou_error = (iou.float() - actual).abs().mean(dim=1)
    presence = F.binary_cross_entropy_with_logits(score.float(), in_view, reduction="sum")
    return Losses(
        focal=(focal.gather(1, best)[:, 0] * in_view).sum(),
        dice=(dice.gather(1, best)[:, 0] * in_view).sum(),
        iou=(iou_error * in_view).sum(),
        presence=presence,
        in_view=in_view.sum(),
        objects=len(truth),
    )


def _focal(logits: Tensor, target: Tensor, alpha: float = 0.25, gamma: float = 2.0) -> Tensor:
    """(N, M) focal loss (Lin et al., 2017), the mean over pixels."""
    probability = logits.sigmoid()
    entropy = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    right = probability * target + (1 - probability) * (1 - target)
    weight = alpha * target + (1 - alpha) * (1 - target)
    return (weight * (1 - right) ** gamma * entropy).mean((2, 3))


def dice_loss(logits: Tensor, target: Tensor) -> Tensor:
    """(N, M) dice loss (Milletari et al., 2016)."""
    probability = logits.sigmoid()
    return 1 - (2 * (probability * target).sum((2, 3)) + 1) / (probability.sum((2, 3)) + target.sum((2, 3)) + 1)
