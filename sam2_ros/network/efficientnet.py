"""EfficientNet-Lite0 as a trunk for machines without a GPU.

Architecture: Tan and Le, EfficientNet, 2019, in its Lite variant: no squeeze-and-excitation, ReLU6. The batch norms
are folded into the convolutions, so every convolution has a bias and there is nothing else to compute.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .convolution import Conv1x1, Conv2d

# expansion, kernel, stride, channels, repeats; a feature map is given out behind each stage whose flag is set
_STAGES = (
    (1, 3, 1, 16, 1, False),
    (6, 3, 2, 24, 2, True),
    (6, 5, 2, 40, 2, True),
    (6, 3, 2, 80, 3, False),
    (6, 5, 1, 112, 3, True),
    (6, 5, 2, 192, 4, False),
    (6, 3, 1, 320, 1, True),
)


class SameConv2d(Conv2d):
    """A convolution padded as TensorFlow's SAME, which the public weights were trained with: more at the far side.

    With stride 2 it pads both sides by two more than SAME pads the near one, which puts one more place before those of
    SAME, and drops that: half the time of padding in a step of its own.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        padding = (kernel - 2) // 2 + 2 if stride == 2 else kernel // 2
        super().__init__(inputs, outputs, kernel, stride=stride, groups=groups, padding=padding)

    def forward(self, x: Tensor) -> Tensor:
        y = super().forward(x)
        return y[:, :, 1:, 1:].contiguous(memory_format=torch.channels_last) if self.stride == (2, 2) else y


class InvertedResidual(nn.Module):
    """Expand, filter each channel, project; the input is added where the shape stays."""

    def __init__(self, inputs: int, outputs: int, expansion: int, kernel: int, stride: int) -> None:
        super().__init__()
        width = inputs * expansion
        self.expand = Conv1x1(inputs, width) if expansion > 1 else nn.Identity()
        self.depthwise = SameConv2d(width, width, kernel, stride, groups=width)
        self.project = Conv1x1(width, outputs)
        self.expands = expansion > 1
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        # In place: these maps are large, and to set memory aside for each costs more than to compute it.
        y = F.relu6(self.expand(x), inplace=True) if self.expands else x
        y = self.project(F.relu6(self.depthwise(y), inplace=True))
        return y.add_(x) if self.residual else y


class EfficientNetLite0(nn.Module):
    """(B, 3, S, S) to four feature maps at strides 4, 8, 16 and 32 with 24, 40, 112 and 320 channels."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = SameConv2d(3, 32, 3, stride=2)
        self.blocks = nn.ModuleList()
        self.ends: list[int] = []
        inputs = 32
        for expansion, kernel, stride, outputs, repeats, given_out in _STAGES:
            for repeat in range(repeats):
                self.blocks.append(InvertedResidual(inputs, outputs, expansion, kernel, stride if repeat == 0 else 1))
                inputs = outputs
            if given_out:
                self.ends.append(len(self.blocks) - 1)

    def forward(self, x: Tensor) -> list[Tensor]:
        return self._maps(x, self.ends)

    def first_maps(self, x: Tensor) -> list[Tensor]:
        """(B, 3, S, S) to the maps at strides 2 and 4 with 16 and 24 channels, and no further."""
        return self._maps(x, [0, self.ends[0]])

    def _maps(self, x: Tensor, ends: list[int]) -> list[Tensor]:
        """What comes out of the blocks with these numbers."""
        # With a pixel's channels side by side a CPU takes half the time, as long as no step on the way sorts them anew.
        x = F.relu6(self.stem(x.contiguous(memory_format=torch.channels_last)), inplace=True)
        outputs = []
        for index, block in enumerate(self.blocks[: ends[-1] + 1]):
            x = block(x)
            if index in ends:
                outputs.append(x)
        return outputs
