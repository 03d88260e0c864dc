"""Between the host's memory and the device's, through memory that is pinned, without waiting where there is no need."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def upload(array: NDArray[Any], device: torch.device) -> Tensor:
    """An array on the device. A GPU receives it when it has come so far, and the host goes on."""
    tensor = torch.from_numpy(np.asarray(array, order="C"))
    if device.type != "cuda":
        return tensor.to(device)
    pinned = torch.empty_like(tensor, pin_memory=True)
    np.copyto(pinned.numpy(), array)  # by one thread: PyTorch would wake one on every core for it, which then spin
    return pinned.to(device, non_blocking=True)


def index(rows: Iterable[int], device: torch.device) -> Tensor:
    """(N,) int64 on the device. Those that were asked for lately are there already; nobody may change them."""
    return _index(tuple(rows), device)


@lru_cache(maxsize=256)
def _index(rows: tuple[int, ...], device: torch.device) -> Tensor:
    return upload(np.array(rows, np.int64), device)


def download(*tensors: Tensor) -> tuple[NDArray[Any], ...]:
    """Tensors of one device as arrays, after a single wait for it."""
    if not tensors or tensors[0].device.type != "cuda":
        return tuple(tensor.numpy() for tensor in tensors)
    copies = [torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True) for tensor in tensors]
    for copy, tensor in zip(copies, tensors, strict=True):
        copy.copy_(tensor, non_blocking=True)
    torch.cuda.current_stream(tensors[0].device).synchronize()
    return tuple(copy.numpy() for copy in copies)
