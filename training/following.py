"""A clip as the tracker goes through it: each object in regions that go with what was found of it, and remembered with
refined edges.

What `rollout.roll` shows is cut out along the truth. Here memory learns from what it holds when the tracker has erred
for a while, and from where the tracker then looks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from sam2_ros.geometry.boxes import box_around
from sam2_ros.geometry.search_region import SearchRegion
from sam2_ros.network import Choice, Sam2, enlarge
from sam2_ros.tracking.history import Frame
from sam2_ros.tracking.sight import refine, see, smoothed, with_edges

from .losses import Losses, mask_losses
from .regions import DETAIL, cut_mask, shaken
from .rollout import Past, click, first, spoil


@dataclass(frozen=True)
class Followed:
    losses: Losses
    overlaps: list[float]
    """IoU of what was found with the truth, of each object on each frame after the first that shows it in its region.
    """


def follow(
    network: Sam2,
    images: Tensor,
    masks: Tensor,
    random: np.random.Generator,
    *,
    prompt: str,
    learned: int,
    correct: float = 0.0,
    spoilt: float = 0.25,
) -> Followed:
    """Follows the objects of a batch of clips, prompted on the first frame.

    images: (B, T, E, E, 3) uint8; masks: (B, T, K, E, E) bool, E DETAIL times the network's input. prompt: one of
    PROMPTS. learned: how many frames, the last ones, have a loss and gradients beside the first; these do not reach the
    image encoder and the refiner. correct, spoilt: as in `rollout.roll`.
    """
    frames, objects, edge = masks.shape[1:4]
    size, context = edge // DETAIL, network.config.search_context
    truths = masks.transpose(1, 2).flatten(0, 1).cpu().numpy()
    begins = [box_around(mask) or (0, 0, edge, edge) for mask in truths[:, 0]]
    regions = [shaken(SearchRegion.around(box, edge, edge, context), random, 0.1) for box in begins]
    past, losses, overlaps = Past([], [], [], []), list[Losses](), list[float]()
    expected = torch.zeros(0)
    since_first = int(random.integers(0, 300)) if random.random() < 0.5 else 0
    for t in range(frames):
        frame = Frame(t, t, edge, edge, None, images[:, t].repeat_interleave(objects, dim=0))
        inside = [cut_mask(mask, region, size) > 0.5 for mask, region in zip(truths[:, t], regions, strict=True)]
        truth = torch.from_numpy(np.stack(inside)).to(network.device)
        learns, conditioning = t == 0 or t >= frames - learned, t == 0
        with torch.no_grad():
            features = see(network, frame, regions, size)
        with torch.set_grad_enabled(torch.is_grad_enabled() and learns):
            if t == 0:
                choice, loss = first(network, features, truth, random, prompt, None)
            else:
                memory = past.memory(t, since_first, network.config.num_maskmem - 1)
                conditioned = network.attend(features.top, memory)
                answer = network.decode(features, conditioned, *network.no_points(len(truth)))
                choice = network.take_likely(answer, expected)
                loss = [mask_losses(answer.logits[:, 1:], answer.iou[:, 1:], answer.score, truth)]
                conditioning = random.random() < correct
                if conditioning:
                    choice, more = click(network, features, conditioned, choice, truth, random, None)
                    loss += more
            seen, coarse = _look_closer(network, frame, regions, choice)
            remembered = seen if conditioning else spoil(seen, spoilt, random)
            past.memories.append(network.encode_memory(features.top, (remembered > 0).float(), choice.score))
        if learns:
            losses += loss
        else:
            torch.clear_autocast_cache()  # weights cast where nothing is learnt would not be learnt later either
        past.pointers.append(choice.pointer)
        past.frames.append(t)
        past.conditioning.append(conditioning)
        if t:
            overlaps += _overlaps(seen[:, 0] > 0, truth)
        found = (coarse[:, 0] > 0).cpu().numpy()
        boxes = [region.box_of(mask, edge, edge) for region, mask in zip(regions, found, strict=True)]
        after = [region.after(box, edge, edge, context, turn=t) for region, box in zip(regions, boxes, strict=True)]
        after = [shaken(region, random, 0.05) if random.random() < 0.1 else region for region in after]
        moved = [old.mask_in(new, mask) for old, new, mask in zip(regions, after, found, strict=True)]
        regions, expected = after, torch.from_numpy(np.stack(moved)).to(network.device)
    return Followed(sum(losses[1:], losses[0]), overlaps)


@torch.no_grad()
def _look_closer(network: Sam2, frame: Frame, regions: list[SearchRegion], choice: Choice) -> tuple[Tensor, Tensor]:
    """Logits with refined edges, (N, 1, S, S) and (N, 1, S / 4, S / 4), below 0 where an object is out of view."""
    logits = choice.logits.float()
    if choice.embedding is None:
        return enlarge(logits), logits
    crops, refined = refine(network, frame, regions, logits, choice.embedding)
    return (
        with_edges(enlarge(logits), refined, crops, frame, regions),
        with_edges(logits, smoothed(refined), crops, frame, regions),
    )


def _overlaps(masks: Tensor, truth: Tensor) -> list[float]:
    both, either = (masks & truth).sum((1, 2)), (masks | truth).sum((1, 2))
    shown: list[float] = (both / either.clamp(min=1))[truth.flatten(1).any(1)].tolist()
    return shown
