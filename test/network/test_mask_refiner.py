"""The mask refiner: what it takes, what it leaves, and that the network has one only where it is asked for."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from sam2_ros.network import Sam2, Sam2Config
from sam2_ros.network.efficientnet import EfficientNetLite0
from sam2_ros.network.mask_refiner import MaskRefiner


def test_at_first_a_mask_stays_as_it_is() -> None:
    refiner = MaskRefiner((16, 24), embedding=4)
    logits = torch.randn(2, 1, 32, 32) * 20
    maps = [torch.randn(2, 16, 32, 32), torch.randn(2, 24, 16, 16)]
    torch.testing.assert_close(refiner(maps, logits, torch.randn(2, 4, 32, 32)), logits.clamp(-8, 8))


def test_an_edge_in_the_picture_is_learned() -> None:
    """The mask is the same each time; only the picture says where the object ends."""
    torch.manual_seed(0)
    config = replace(Sam2Config.named("nano"), image_size=64, refined_size=64)
    network = Sam2(config).requires_grad_(False)
    optimiser = torch.optim.Adam(network.mask_refiner.requires_grad_(True).parameters(), 3e-3)
    ends = torch.tensor([24, 28, 36, 40])
    truth = (torch.arange(64) < ends[:, None]).expand(64, -1, -1).transpose(0, 1)[:, None].float()
    pictures = network.prepare((truth.permute(0, 2, 3, 1) * 200).byte().expand(-1, -1, -1, 3), 64)
    logits = torch.where(torch.arange(32) < 16, 8.0, -8.0).expand(4, 1, 32, 32)
    embedding = torch.zeros(4, config.d_model // 8, 32, 32)
    before = ((logits > 0) != (truth[..., ::2, ::2] > 0)).float().mean()
    for _ in range(60):
        refined = network.refine(pictures, logits, embedding)
        loss = torch.nn.functional.binary_cross_entropy_with_logits(refined, truth[..., ::2, ::2])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert ((refined > 0) != (truth[..., ::2, ::2] > 0)).float().mean() < 0.3 * before


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
