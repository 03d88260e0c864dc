"""What is measured: an implementation that follows objects through a stream of frames."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

Frame = NDArray[np.uint8]
Box = NDArray[np.float32]

PARTS = ("encoder", "memory attention", "decoder", "memory encoder")


class NotInstalled(RuntimeError):
    """An implementation that is not here; the message says how to get it."""


@dataclass(frozen=True)
class Answer:
    """N objects on one frame of S x S pixels."""

    masks: NDArray[np.bool_]
    """(N, S, S), on the host, as every user of a tracker needs them."""
    logits: Tensor
    """(N, S / 4, S / 4), to compare."""


@dataclass(frozen=True)
class Setting:
    """What is computed with, and on what."""

    size: int
    """Edge of the frames and of the network's input in pixels."""
    device: torch.device
    dtype: torch.dtype
    capacity: int
    """Objects that will be followed at most."""


class Candidate(ABC):
    """One implementation with its state, made with the weights of a network in float32 on the CPU.

    `start` is called once, then `step` and `add`.
    """

    modules: dict[str, nn.Module]
    """Its modules by the names of PARTS, and what only it has; empty where they cannot be timed one by one."""

    @abstractmethod
    def start(self, frame: Frame, boxes: Sequence[Box]) -> Answer:
        """The first frame, on which objects are shown by boxes."""

    @abstractmethod
    def step(self, frame: Frame) -> Answer:
        """All objects on the next frame."""

    def module_by_module(self) -> contextlib.AbstractContextManager[None]:
        """Within it, every one of `modules` is called each time, so that it can be timed."""
        return contextlib.nullcontext()

    @abstractmethod
    def add(self, box: Box) -> NDArray[np.bool_]:
        """One object more on the newest frame; its masks (M, S, S), the last of them its own."""


def to_input(frame: Frame, setting: Setting, dtype: torch.dtype) -> Tensor:
    """(1, 3, S, S) normalised on the device, for implementations that are fed with it."""
    pixels = torch.from_numpy(frame).to(setting.device).permute(2, 0, 1).float() / 255
    mean = torch.tensor((0.485, 0.456, 0.406), device=setting.device).view(3, 1, 1)
    std = torch.tensor((0.229, 0.224, 0.225), device=setting.device).view(3, 1, 1)
    return ((pixels - mean) / std).to(dtype).unsqueeze(0)


def to_answer(low: Tensor, size: int) -> Answer:
    """From logits (N, 1, S / 4, S / 4) on the device, as users of the other implementations do it."""
    masks = F.interpolate(low.float(), size=(size, size), mode="bilinear", align_corners=False) > 0
    return Answer(masks.squeeze(1).cpu().numpy(), low.squeeze(1))
