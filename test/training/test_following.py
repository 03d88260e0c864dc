"""Objects of generated clips, followed as the tracker does."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from sam2_ros.network import Answer, Features, Sam2, Sam2Config
from training import following
from training.following import follow
from training.regions import DETAIL

SIZE = 64
EDGE = DETAIL * SIZE


@pytest.fixture
def network() -> Sam2:
    torch.manual_seed(0)
    return Sam2(replace(Sam2Config.named("nano"), image_size=SIZE, refined_size=32))


def crossing() -> tuple[Tensor, Tensor]:
    """A bright square that goes from one end of the picture to the other, further than a region is wide."""
    frames = 8
    masks = torch.zeros(1, frames, 1, EDGE, EDGE, dtype=torch.bool)
    for t in range(frames):
        left = 4 + (EDGE - 24) * t // frames
        masks[0, t, 0, 50:66, left : left + 16] = True
    images = torch.full((1, frames, EDGE, EDGE, 3), 60, dtype=torch.uint8)
    images[masks[:, :, 0]] = 220
    return images, masks


@pytest.fixture
def sharp_eyed(network: Sam2, monkeypatch: pytest.MonkeyPatch) -> Sam2:
    """One that finds what is bright, on a grid of a quarter of its input, and nothing else."""

    def decode(features: Features, *_: object, **__: object) -> Answer:
        logits = 8 * F.adaptive_avg_pool2d(bright[-1], SIZE // 4).expand(-1, 4, -1, -1)
        count = len(logits)
        tokens = torch.zeros(count, 4, network.config.d_model)
        embedding = torch.zeros(count, network.config.d_model // 8, SIZE // 4, SIZE // 4)
        return Answer(logits, torch.ones(count, 4), tokens, logits.amax((1, 2, 3)), embedding)

    bright: list[Tensor] = []
    see = following.see

    def watched(network: Sam2, frame, regions, size):
        cuts = [region.pixels(EDGE, EDGE) for region in regions]
        picture = frame.image.float().mean(3, keepdim=True).permute(0, 3, 1, 2)
        seen = [F.interpolate(picture[:, :, y0:y1, x0:x1], (size, size)) for x0, y0, x1, y1 in cuts]
        bright.append((torch.cat(seen) - 140) / 80)
        return see(network, frame, regions, size)

    monkeypatch.setattr(following, "see", watched)
    monkeypatch.setattr(network, "decode", decode)
    return network


def test_regions_go_with_what_is_found(sharp_eyed: Sam2) -> None:
    images, masks = crossing()
    with torch.no_grad():
        followed = follow(sharp_eyed, images, masks, np.random.default_rng(0), prompt="mask", learned=2, spoilt=0)
    assert len(followed.overlaps) == 7, "it is in its region on every frame"
    assert np.median(followed.overlaps) > 0.6
    assert float(followed.losses.in_view) == 3 and followed.losses.objects == 3


def test_memories_are_made_of_refined_masks(sharp_eyed: Sam2, monkeypatch: pytest.MonkeyPatch) -> None:
    shares: list[float] = []
    encode = sharp_eyed.encode_memory

    def watched(top: Tensor, masks: Tensor, score: Tensor) -> Tensor:
        shares.append(float((masks > 0.5).float().mean()))
        return encode(top, masks, score)

    monkeypatch.setattr(sharp_eyed, "encode_memory", watched)
    images, masks = crossing()
    for refine in (lambda _, logits, __: logits, lambda _, logits, __: logits - 100):
        monkeypatch.setattr(sharp_eyed, "refine", refine)
        with torch.no_grad():
            follow(sharp_eyed, images, masks, np.random.default_rng(0), prompt="mask", learned=1, spoilt=0)
    kept, erased = shares[:8], shares[8:]
    assert kept[0] == erased[0] > 0, "what is given is not refined"
    assert all(share > 0.01 for share in kept) and erased[1:] == [0] * 7


def test_what_is_found_in_the_end_teaches_the_memory_and_no_part_before_it(network: Sam2) -> None:
    images, masks = crossing()
    network.sam_mask_decoder.pred_obj_score_head.layers[-1].bias.data += 5.0
    with torch.autocast("cpu", torch.bfloat16):
        losses = follow(network, images, masks, np.random.default_rng(1), prompt="box", learned=2, correct=0.3).losses
    losses.total().backward()
    for part in (network.memory_attention, network.memory_encoder, network.obj_ptr_proj):
        gradients = [parameter.grad for parameter in part.parameters()]
        assert all(gradient is not None for gradient in gradients)
    for part in (network.image_encoder, network.mask_refiner):
        assert all(parameter.grad is None for parameter in part.parameters())
