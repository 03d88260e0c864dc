"""Made-up frames and weights, the same for every implementation."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from sam2_ros.network import Sam2, Sam2Config

_SEED = 3


@dataclass(frozen=True)
class Scene:
    """Coloured rectangles that circle over noise, each in its own cell of a grid."""

    size: int
    """Edge of the square frames in pixels: the network's input, so that nobody has to resize."""
    objects: int

    def frame(self, number: int) -> NDArray[np.uint8]:
        """(S, S, 3) RGB."""
        random = np.random.default_rng(number)
        frame = random.integers(0, 80, (self.size, self.size, 3), dtype=np.uint8)
        colours = np.random.default_rng(_SEED).integers(100, 255, (self.objects, 3), dtype=np.uint8)
        for index in range(self.objects):
            x0, y0, x1, y1 = self.box(index, number).astype(int)
            frame[y0:y1, x0:x1] = colours[index]
        return frame

    def box(self, index: int, number: int) -> NDArray[np.float32]:
        """(4,) x0 y0 x1 y1 in pixels, of one object on one frame."""
        columns = math.ceil(math.sqrt(self.objects))
        cell = self.size / columns
        turn = 0.2 * number + index
        x = (index % columns + 0.5 + 0.15 * math.cos(turn)) * cell
        y = (index // columns + 0.5 + 0.15 * math.sin(turn)) * cell
        half = 0.25 * cell
        return np.array([x - half, y - half, x + half, y + half], np.float32).round()


def random_network(model: str, size: int) -> Sam2:
    """A network of a named size with weights that are the same in every process; float32, on the CPU."""
    torch.manual_seed(_SEED)
    network = Sam2(replace(Sam2Config.named(model), image_size=size)).eval().requires_grad_(False)
    for name, parameter in network.named_parameters():
        if name.endswith("gamma"):  # as initialised, the memory encoder's blocks would do next to nothing
            torch.nn.init.normal_(parameter, std=0.3)
        if name == "sam_mask_decoder.pred_obj_score_head.layers.2.bias":
            parameter.add_(3.0)  # in view, so that there are masks to compare
    return network
