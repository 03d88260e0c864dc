"""The quick ways of Hiera on a CPU against the plain ones."""

from __future__ import annotations

import copy

import pytest
import torch

from sam2_ros.network import Sam2Config
from sam2_ros.network.hiera import Hiera


@pytest.fixture
def trunk() -> Hiera:
    torch.manual_seed(0)
    trunk = Hiera(Sam2Config(embed_dim=8)).eval()
    torch.nn.init.normal_(trunk.pos_embed)
    torch.nn.init.normal_(trunk.pos_embed_window)
    return trunk


def test_stripes_of_windows_make_the_same_map(trunk: Hiera) -> None:
    # At 768 pixels the windows of 14 do not divide the map of 48, and its stripes end with a piece of one.
    images = torch.randn(2, 3, 768, 768)
    plain = trunk(images)
    with torch.no_grad():
        quick = trunk(images)
    for one, other in zip(quick, plain, strict=True):
        torch.testing.assert_close(one, other.detach(), rtol=0, atol=1e-5)


def test_the_stored_position_follows_size_and_weights(trunk: Hiera) -> None:
    with torch.no_grad():
        first = trunk.position(16, 16)
        assert trunk.position(16, 16) is first
        assert trunk.position(32, 16).shape == (1, 32, 16, 8)
        changed = copy.deepcopy(trunk)
        changed.pos_embed.mul_(2)
        assert not torch.equal(changed.position(16, 16), first)
        assert changed.to(torch.float64).position(16, 16).dtype == torch.float64
        assert torch.equal(trunk.position(16, 16), first)
