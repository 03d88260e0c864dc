"""The mask refiner: what it takes, what it leaves, and that the network has one only where it is asked for."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from sam2_ros.network import Sam2, Sam2Config
from sam2_ros.network.efficientnet import EfficientNetLite0
from sam2_ros.network.mask_refiner import MaskRefiner


def test_at_first_a_mask_stays_as_it_is() -> None:
    refiner = MaskRefiner((16, 24), embedding=4)
    logits = torch.randn(2, 1, 32, 32) * 20
    maps = [torch.randn(2, 16, 32, 32), torch.randn(2, 24, 16, 16)]
    refined, shown = refiner(
        maps, logits, torch.randn(2, 4, 32, 32), torch.randn(2, 3, 64, 64), torch.ones(2, 1, 64, 64)
    )
    torch.testing.assert_close(refined, logits.clamp(-8, 8))
    torch.testing.assert_close(shown, F.interpolate(refined, scale_factor=2.0, mode="bilinear", align_corners=False))


@pytest.fixture
def learner() -> Sam2:
    torch.manual_seed(0)
    config = replace(Sam2Config.named("nano"), image_size=64, refined_size=64)
    network = Sam2(config).requires_grad_(False)
    network.mask_refiner.requires_grad_(True)
    return network


def _learn(network: Sam2, truth: Tensor, *look: Tensor) -> Tensor:
    """What it answers after a few steps."""
    optimiser = torch.optim.Adam(network.mask_refiner.parameters(), 5e-3)
    for _ in range(150):
        _, refined = network.refine(*look)
        loss = F.binary_cross_entropy_with_logits(refined, truth)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return refined > 0


def test_an_edge_in_the_picture_is_learned(learner: Sam2) -> None:
    """The mask is the same each time; only the picture says where the object ends."""
    ends = torch.tensor([24, 28, 36, 40])
    truth = (torch.arange(64) < ends[:, None]).expand(64, -1, -1).transpose(0, 1)[:, None].float()
    pictures = learner.prepare((truth.permute(0, 2, 3, 1) * 200).byte().expand(-1, -1, -1, 3), 64)
    logits = torch.where(torch.arange(32) < 16, 8.0, -8.0).expand(4, 1, 32, 32)
    embedding = torch.zeros(4, learner.config.d_model // 8, 32, 32)
    before = (_enlarged(logits > 0) != (truth > 0)).float().mean()
    found = _learn(learner, truth, pictures, logits, embedding, torch.zeros(4, 1, 64, 64))
    assert (found != (truth > 0)).float().mean() < 0.3 * before


def test_a_thin_part_that_the_mask_lacks_is_taken_from_the_mask_before_where_one_is_known(learner: Sam2) -> None:
    """A rod of a single pixel, at another place each time, and nothing to be seen of it in the picture."""
    rods = torch.tensor([10, 23, 36, 49])
    truth = ((torch.arange(64) == rods[:, None]) | (torch.arange(64) > 52)).float()[:, None, None].expand(-1, 1, 64, 64)
    pictures = learner.prepare(torch.full((4, 64, 64, 3), 90, dtype=torch.uint8), 64)
    logits = torch.where(torch.arange(32) > 26, 8.0, -8.0).expand(4, 1, 32, 32)
    embedding = torch.zeros(4, learner.config.d_model // 8, 32, 32)
    found = _learn(learner, truth, pictures, logits, embedding, 2 * truth - 1)
    assert (found != (truth > 0)).float().mean() < 0.2 / 64, "of the rod, which is a pixel in 64, most is there"
    without, unknown = learner.refine(pictures, logits, embedding, torch.zeros(4, 1, 64, 64))
    assert torch.equal(unknown[0], unknown[3]), "no rod where none is known"
    again, _ = learner.refine(pictures, logits, embedding, 2 * truth - 1)
    assert torch.equal(without, again), "and none in what is remembered"


def test_the_first_maps_are_those_on_the_trunks_way() -> None:
    trunk = EfficientNetLite0().eval()
    image = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        half, quarter = trunk.first_maps(image)
        assert half.shape == (1, 16, 32, 32)
        torch.testing.assert_close(quarter, trunk(image)[0])


def test_only_where_masks_are_refined_does_a_choice_keep_its_embedding() -> None:
    for size, expected in ((0, None), (64, (2, 16, 16, 16))):
        network = Sam2(replace(Sam2Config.named("nano"), image_size=64, refined_size=size)).eval()
        assert hasattr(network, "mask_refiner") == bool(size)
        with torch.inference_mode():
            features = network.encode_image(torch.zeros(2, 3, 64, 64))
            answer = network.decode(features, network.without_memory(features.top), *network.no_points(2))
            embedding = network.choose(answer, multimask=True).embedding
        assert (None if embedding is None else tuple(embedding.shape)) == expected


@pytest.mark.parametrize(("size", "context"), [(100, 3.2), (128, 0.0)])
def test_a_size_that_cannot_be_is_refused(size: int, context: float) -> None:
    with pytest.raises(ValueError, match=f"refined_size is {size}; it must be a multiple of 16, with search regions"):
        Sam2Config(search_context=context, refined_size=size)


def _enlarged(masks: Tensor) -> Tensor:
    return F.interpolate(masks.float(), scale_factor=2.0) > 0
