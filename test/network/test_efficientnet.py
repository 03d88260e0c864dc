"""The trunk of nano."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from sam2_ros.network.efficientnet import EfficientNetLite0, SameConv2d


@pytest.mark.parametrize("kernel", [3, 5])
def test_same_padding_is_that_of_tensorflow(kernel: int) -> None:
    conv = SameConv2d(4, 4, kernel, stride=2, groups=4)
    x = torch.randn(1, 4, 32, 32)
    # kernel - 2 in all, and the odd one at the far side
    before, after = (kernel - 2) // 2, (kernel - 1) // 2
    padded = torch.nn.functional.pad(x, (before, after, before, after))
    expected = torch.nn.functional.conv2d(padded, conv.weight, conv.bias, stride=2, groups=4)
    torch.testing.assert_close(conv(x), expected)


def test_no_step_sorts_a_pixels_channels_apart() -> None:
    apart: list[str] = []
    trunk = EfficientNetLite0().eval()
    for name, module in trunk.named_modules():
        if isinstance(module, nn.Conv2d):

            def look(_: nn.Module, __: tuple, y: Tensor, name: str = name) -> None:
                if not y.is_contiguous(memory_format=torch.channels_last):
                    apart.append(name)

            module.register_forward_hook(look)
    with torch.no_grad():
        trunk(torch.rand(2, 3, 64, 64))
    assert apart == []
