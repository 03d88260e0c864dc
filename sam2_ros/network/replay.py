"""What a GPU has done once for tensors of some shapes, done again at one call (CUDA graphs).

A small network is so many short steps that a GPU waits for Python between them, most of the time.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import torch
from torch import Tensor

_Function = Callable[..., tuple[Tensor, ...]]


class Replay:
    """A function of tensors, recorded when it is first called with tensors of some shapes, and replayed afterwards.
    Any argument but the first may be None.

    It must do the same whatever the tensors hold, ask nothing of the device, and change nothing. What is recorded is
    kept for good: tensors of many kinds would take memory without end. Kinds share their memory, all the more if those
    with the largest tensors come first. Not thread-safe.
    """

    recording = False
    """Whether one is being recorded: what it is made of must not be recordings then."""

    def __init__(self, function: _Function) -> None:
        self.function = function
        """What is recorded, to be called without."""
        self._recorded: dict[object, _Recording] = {}
        self._pool: Any = None
        self._places: dict[object, Tensor] = {}

    def __call__(self, first: Tensor, *others: Tensor | None) -> tuple[Tensor, ...]:
        """What the function returns."""
        tensors = (first, *others)
        kind = tuple(None if tensor is None else (tensor.shape, tensor.dtype) for tensor in tensors)
        if kind not in self._recorded:
            self._pool = self._pool or torch.cuda.graph_pool_handle()
            inputs = [self._place(number, tensor) for number, tensor in enumerate(tensors)]
            Replay.recording = True
            try:
                self._recorded[kind] = _Recording(self.function, first.device, inputs, self._pool)
            finally:
                Replay.recording = False
        return self._recorded[kind].replay(tensors)

    def _place(self, number: int, like: Tensor | None) -> Tensor | None:
        """Where an argument is put for recordings that take one like this."""
        if like is None:
            return None
        place = self._places.get((number, like.dtype))
        if place is None or place.numel() < like.numel():
            # Recordings that were made with the smaller place go on with it.
            place = self._places[number, like.dtype] = torch.zeros(like.numel(), dtype=like.dtype, device=like.device)
        return place[: prod(like.shape)].view(like.shape)


class _Recording:
    def __init__(self, function: _Function, device: torch.device, inputs: list[Tensor | None], pool: Any) -> None:
        """pool: of the memory that recordings share, since only one of them is replayed at a time."""
        self._inputs = inputs
        aside = torch.cuda.Stream(device)
        aside.wait_stream(torch.cuda.current_stream(device))
        with torch.cuda.stream(aside):
            function(*inputs)  # chooses kernels, compiles, and makes what is kept from call to call
        torch.cuda.current_stream(device).wait_stream(aside)
        self._graph = torch.cuda.CUDAGraph()
        # Other threads, such as those that publish, may go on with the device meanwhile.
        with torch.cuda.graph(self._graph, pool=pool, capture_error_mode="thread_local"):
            self._outputs = function(*inputs)

    def replay(self, tensors: tuple[Tensor | None, ...]) -> tuple[Tensor, ...]:
        for place, tensor in zip(self._inputs, tensors, strict=True):
            if place is not None and tensor is not None:
                place.copy_(tensor)
        self._graph.replay()
        # Recordings share memory, so that the next one may write where these lie.
        return tuple(output.clone() for output in self._outputs)
