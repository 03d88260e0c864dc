"""A small network with random weights."""

from __future__ import annotations

import pytest
import torch

from sam2_ros.network import Sam2, Sam2Config


@pytest.fixture(scope="session")
def network() -> Sam2:
    torch.manual_seed(1)
    config = Sam2Config(image_size=64, embed_dim=8, d_model=32, mem_dim=8, num_layers=1, dim_feedforward=16)
    network = Sam2(config).eval().requires_grad_(False)
    network.sam_mask_decoder.pred_obj_score_head.layers[-1].bias += 5.0  # everything is in view
    return network
