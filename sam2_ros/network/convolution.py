"""Convolutions, on a CPU with weights that are laid out for it once."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn

from .linear import by_onednn, linear, may_be_onednn

_MANY = 2**15
"""Weights from which it pays to keep them as oneDNN has them."""

_KEPT = 4
"""Layouts of a layer's weights that are kept: of images and of close-ups, for all objects and for one."""


class Conv2d(nn.Conv2d):
    """(N, inputs, h, w) to (N, outputs, h', w').

    PyTorch leaves most convolutions to oneDNN, and has it lay out the weights anew for each image, which for a map of
    few pixels and many channels takes a third of the time. Here, if there are many, it is done once for each shape,
    until the weights change, unless
    that is done behind PyTorch's back, by `.data`.
    """

    _may_be_onednn = staticmethod(may_be_onednn)
    """Whether oneDNN is to have it."""

    def __init__(self, *given: Any, **named: Any) -> None:
        """As torch.nn.Conv2d."""
        super().__init__(*given, **named)
        self._layouts: dict[tuple[object, ...], Tensor] = {}
        """Weights as oneDNN has them, those of the latest use last."""
        self._laid_out: tuple[Tensor, ...] = ()
        """The weights whose layouts they are, in a tuple: alone it would be one more parameter."""

    def forward(self, x: Tensor) -> Tensor:
        if torch.compiler.is_compiling() or not self._by_onednn(x):
            return super().forward(x)
        how: Any = self.padding, self.stride, self.dilation, self.groups
        if self.weight.numel() < _MANY:
            return torch.mkldnn_convolution(x, self.weight, self.bias, *how)
        y: Tensor = torch.ops.mkldnn._convolution_pointwise(x, self._weight_for(x), self.bias, *how, "none", [], "")
        return y

    def _by_onednn(self, x: Tensor) -> bool:
        # Weights that were made in inference mode do not tell when they change.
        return self._may_be_onednn(x) and x.numel() > 0 and not self.weight.is_inference()

    def _weight_for(self, x: Tensor) -> Tensor:
        weight = self.weight
        if not self._laid_out or self._laid_out[0] is not weight:  # which may have the place in memory of the last
            self._laid_out = (weight,)
            self._layouts.clear()
        # oneDNN chooses by all of this. With a layout that is not its choice it takes up to twenty times as long.
        which = weight.data_ptr(), weight._version, x.shape, torch.get_num_threads()
        layout = self._layouts.pop(which, None)
        if layout is None:
            lay_out = torch.ops.mkldnn._reorder_convolution_weight
            layout = cast(Tensor, lay_out(weight, self.padding, self.stride, self.dilation, self.groups, x.shape))
        self._layouts[which] = layout
        if len(self._layouts) > _KEPT:
            del self._layouts[next(iter(self._layouts))]
        return layout

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_layouts": {}, "_laid_out": ()}  # which PyTorch can neither copy nor write


class Conv1x1(Conv2d):
    """(N, inputs, h, w) to (N, outputs, h, w): each pixel's channels times a matrix.

    With one thread PyTorch leaves these, and no other convolutions, to MKL; here it is the quicker library.
    """

    _may_be_onednn = staticmethod(by_onednn)

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, kernel_size=1)


def in_one(first: Conv1x1, second: Conv1x1, x: Tensor) -> Tensor:
    """What the second makes of what the first makes of x, by the product of their matrices: much less work where there
    are more channels between them than on either side."""
    a, b = (layer.weight[:, :, 0, 0].float() for layer in (first, second))
    weight, bias = b @ a, b @ cast(Tensor, first.bias).float() + cast(Tensor, second.bias).float()
    return linear(x.permute(0, 2, 3, 1), weight.to(x.dtype), bias.to(x.dtype)).permute(0, 3, 1, 2)
