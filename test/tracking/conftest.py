"""Small networks with random weights: one that sees whole images, as SAM 2, and one that looks in search regions."""

from __future__ import annotations

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


def small_network(search_context: float) -> Sam2:
    torch.manual_seed(1)
    sizes = {"embed_dim": 8, "d_model": 32, "mem_dim": 8, "num_layers": 1, "dim_feedforward": 16}
    config = Sam2Config(image_size=64, search_context=search_context, **sizes)
    network = Sam2(config).eval().requires_grad_(False)
    network.sam_mask_decoder.pred_obj_score_head.layers[-1].bias += 5.0  # everything is in view
    return network
