"""Small networks with random weights: one that sees whole images, as SAM 2, one that looks in search regions, and
one that refines its masks as well, as nano."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from sam2_ros.network import Sam2, Sam2Config


@pytest.fixture(scope="session", params=(0.0, 2.0), ids=("whole", "regions"))
def network(request: pytest.FixtureRequest) -> Sam2:
    return small_network(request.param)


@pytest.fixture(scope="session")
def whole_network() -> Sam2:
    return small_network(0.0)


@pytest.fixture(scope="session")
def region_network() -> Sam2:
    return small_network(2.0)


@pytest.fixture(scope="session")
def refining_network() -> Sam2:
    return small_network(2.0, refined_size=32)


def small_network(search_context: float, *, refined_size: int = 0) -> Sam2:
    torch.manual_seed(1)
    sizes = {"d_model": 32, "mem_dim": 8, "num_layers": 1, "dim_feedforward": 16}
    config = Sam2Config(image_size=64, search_context=search_context, embed_dim=8, **sizes)
    if refined_size:
        config = replace(
            Sam2Config.named("nano"), image_size=64, search_context=search_context, refined_size=refined_size, **sizes
        )
    network = Sam2(config).eval().requires_grad_(False)
    network.sam_mask_decoder.pred_obj_score_head.layers[-1].bias += 5.0  # everything is in view
    if refined_size:
        for conv in (network.mask_refiner.out, network.mask_refiner.lead[-1]):
            torch.nn.init.normal_(conv.weight, std=0.3)  # as if it had learnt something
    return network
