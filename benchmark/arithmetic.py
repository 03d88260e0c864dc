"""How much arithmetic a frame takes, and which part of an implementation takes how long."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode
from torch.utils.hooks import RemovableHandle

from .machine import synchronise


def _attention(query: Sequence[int], key: Sequence[int], value: Sequence[int], *_: object, **__: object) -> int:
    """From the shapes (N, heads, tokens, channels) of its arguments, or those without heads."""
    return 2 * prod(query[:-1]) * key[-2] * (query[-1] + value[-1])


def _linear(x: Sequence[int], weight: Sequence[int], *_: object, **__: object) -> int:
    """From the shapes (..., inputs) and (outputs, inputs)."""
    return 2 * prod(x) * weight[0]


def _convolution(_: object, weight: Sequence[int], *__: object, out_shape: Sequence[int]) -> int:
    """From the shapes (outputs, inputs of a group, h, w) and (N, outputs, h', w')."""
    return 2 * prod(out_shape) * prod(weight[1:])


def _missing() -> dict[Any, Callable[..., int]]:
    """Operations that PyTorch's counter does not know: attention and oneDNN's own on a CPU, and ours, of which a GPU's
    attention to memory is there only once it was used."""
    known: dict[str, dict[str, Callable[..., int]]] = {
        "aten": {"_scaled_dot_product_flash_attention_for_cpu": _attention, "mkldnn_convolution": _convolution},
        "mkldnn": {"_linear_pointwise": _linear, "_convolution_pointwise": _convolution},
        "sam2_ros": {"linear": _linear, "attend_to_memory": _attention},
    }
    return {
        getattr(getattr(torch.ops, library), name): count
        for library, counts in known.items()
        for name, count in counts.items()
        if hasattr(getattr(torch.ops, library), name)
    }


def count_operations(run: Callable[[], object]) -> int:
    """Floating-point operations of all matrix products, convolutions and attention in a call."""
    with FlopCounterMode(display=False, custom_mapping=_missing()) as counter:
        run()
    return int(counter.get_total_flops())


class PartTimer:
    """Adds up the seconds in each module of an implementation, as a context; the device waits for each of them."""

    def __init__(self, modules: dict[str, nn.Module], device: torch.device) -> None:
        self.seconds = dict.fromkeys(modules, 0.0)
        self._modules, self._device = modules, device
        self._began: dict[str, float] = {}
        self._handles: list[RemovableHandle] = []

    def __enter__(self) -> PartTimer:
        for name, module in self._modules.items():
            self._handles.append(module.register_forward_pre_hook(self._before(name)))
            self._handles.append(module.register_forward_hook(self._after(name)))
        return self

    def __exit__(self, *_: object) -> None:
        while self._handles:
            self._handles.pop().remove()

    def _before(self, name: str) -> Callable[..., None]:
        def hook(*_: object) -> None:
            synchronise(self._device)
            self._began[name] = time.perf_counter()

        return hook

    def _after(self, name: str) -> Callable[..., None]:
        def hook(*_: object) -> None:
            synchronise(self._device)
            self.seconds[name] += time.perf_counter() - self._began[name]

        return hook
