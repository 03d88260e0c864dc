"""Every tensor of every official size has its place in transformers' model."""

from __future__ import annotations

import pytest
import torch

from benchmark.hugging_face import _config
from benchmark.names import for_transformers
from sam2_ros.network import Sam2, Sam2Config

transformers = pytest.importorskip("transformers", reason="transformers is not installed")


@pytest.mark.parametrize(
    "name", ["sam2.1_hiera_tiny", "sam2.1_hiera_small", "sam2.1_hiera_base_plus", "sam2.1_hiera_large"]
)
def test_names_and_shapes(name: str) -> None:
    config = Sam2Config.named(name)
    with torch.device("meta"):
        ours = for_transformers(dict(Sam2(config).state_dict()))
        theirs = transformers.Sam2VideoModel(_config(config)).state_dict()
    assert {key: tensor.shape for key, tensor in ours.items()} == {key: one.shape for key, one in theirs.items()}
