"""Products with a matrix, on a CPU by the library that is quicker there."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_HAS_ONEDNN = torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")

_WORTH = 1.2
"""How many times as quick oneDNN must be: above what noise makes of two that are alike."""

_HALF_WORTH = 1.5
"""How many times as quick bfloat16 must be: instructions for it bring twice or more, and without them it is slower."""

_SMALL = 2**22
"""Multiplications up to which MKL is as quick even on Zen 5, since a call of oneDNN costs some microseconds more."""


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """x (..., inputs) times the transpose of weight (outputs, inputs), plus bias (outputs,): (..., outputs).

    PyTorch leaves float32 to MKL, which on AMD's processors goes without AVX-512; where those have twice the rate with
    it (Zen 5), oneDNN is more than twice as quick. PyTorch offers that to its compiler alone.
    """
    if torch.compiler.is_compiling():
        return _opaque(x, weight, bias) if by_onednn(x) else F.linear(x, weight, bias)
    large = x.numel() * len(weight) >= _SMALL
    return _multiply(x, weight, bias) if large and by_onednn(x) else F.linear(x, weight, bias)


def may_be_onednn(x: Tensor) -> bool:
    """Whether oneDNN can take products with x as PyTorch offers them: without gradients, in float32."""
    if x.device.type != "cpu" or x.dtype != torch.float32 or torch.is_grad_enabled():
        return False
    return _HAS_ONEDNN and not torch.is_autocast_enabled("cpu")


def by_onednn(x: Tensor) -> bool:
    """Whether it is the quicker library for large ones."""
    return may_be_onednn(x) and _onednn_is_quicker()


def multiplies_fast(x: Tensor) -> bool:
    """Whether a CPU multiplies x so fast that attention is better made of products than left to PyTorch's kernel, which
    does not ask oneDNN."""
    if x.dtype == torch.bfloat16:
        return x.device.type == "cpu" and not torch.is_grad_enabled() and bfloat16_is_quicker()
    return by_onednn(x)


@torch.compiler.assume_constant_result  # type: ignore[untyped-decorator]
def bfloat16_is_quicker() -> bool:
    """Whether the CPU multiplies matrices in bfloat16 well above its rate in float32: AVX512-BF16, AMX and the like."""
    return _measure_bfloat16()


class Linear(nn.Linear):
    """A layer of `linear`: (..., inputs) to (..., outputs)."""

    def forward(self, x: Tensor) -> Tensor:
        return linear(x, self.weight, self.bias)


def _multiply(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    # A tensor with gaps between its rows would be multiplied by a loop that takes three hundred times as long.
    x, weight = x.contiguous(), weight if weight.T.is_contiguous() else weight.contiguous()
    product: Tensor = torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")
    return product


@torch.library.custom_op("sam2_ros::linear", mutates_args=())
def _opaque(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """The same for compilers, which leave it alone. To call it costs 60 microseconds more."""
    return _multiply(x, weight, bias)


@_opaque.register_fake
def _(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    return x.new_empty(*x.shape[:-1], len(weight))


@torch.compiler.assume_constant_result  # type: ignore[untyped-decorator]
def _onednn_is_quicker() -> bool:
    return _measure()  # compilers do not see that a result is kept, and would look into it


@cache
def _measure() -> bool:
    """Whether oneDNN is quicker; measured once in a process, which takes some milliseconds."""
    x, weight = torch.ones(512, 256), torch.ones(512, 256)
    plain, onednn = _least_seconds((F.linear, x, weight), (_multiply, x, weight))
    return plain > _WORTH * onednn


@cache
@torch.no_grad()
def _measure_bfloat16() -> bool:
    """The same of both types. A CPU that must make bfloat16 up takes some tenths of a second for it."""
    x, weight = torch.ones(512, 256), torch.ones(512, 256)
    single, half = _least_seconds((linear, x, weight), (linear, x.bfloat16(), weight.bfloat16()))
    return single > _HALF_WORTH * half


def _least_seconds(*calls: tuple[Callable[[Tensor, Tensor], Tensor], Tensor, Tensor]) -> list[float]:
    """What each product takes at best, measured by turns."""
    rounds = [[_seconds(*call) for call in calls] for _ in range(8)]
    return [min(seconds) for seconds in zip(*rounds[1:], strict=True)]  # the first is warm-up


def _seconds(product: Callable[[Tensor, Tensor], Tensor], x: Tensor, weight: Tensor) -> float:
    begin = time.perf_counter()
    product(x, weight)
    return time.perf_counter() - begin
