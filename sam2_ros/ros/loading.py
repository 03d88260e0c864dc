"""From the parameters to trackers on their device, and back."""

from __future__ import annotations

import gc
import os
from pathlib import Path

import numpy as np
import torch

from sam2_ros.network import Sam2, load_network
from sam2_ros.tracking import Prompt, Tracker, track_together

from .parameters import ParameterError, Parameters

_WARM_UP_FRAMES = 3


def load_trackers(parameters: Parameters) -> list[Tracker]:
    """Loads the network, runs it once in every way that it will be run, and gives each camera a fresh tracker of it.

    Raises CheckpointError or ParameterError.
    """
    if parameters.threads:
        torch.set_num_threads(parameters.threads)
    device = _device(parameters.device)
    network = load_network(parameters.model, device=device, dtype=_dtype(parameters.dtype, device))
    # The first calls choose kernels and allocate. A tracker of its own takes them: ids are never used twice.
    _warm_up([_tracker(network, parameters) for _ in parameters.cameras])
    return [_tracker(network, parameters) for _ in parameters.cameras]


def free_device_memory() -> None:
    """Gives back what no tracker uses any more, once its last reference is gone."""
    gc.collect()
    if torch.cuda.is_initialized():
        torch.cuda.empty_cache()


def device_memory() -> int:
    """Bytes that this process holds of its GPUs; where it uses none, of the machine's memory."""
    if torch.cuda.is_initialized():
        return sum(torch.cuda.memory_reserved(index) for index in range(torch.cuda.device_count()))
    resident = Path("/proc/self/statm").read_text().split()[1]  # pages
    return int(resident) * os.sysconf("SC_PAGE_SIZE")


def _tracker(network: Sam2, parameters: Parameters) -> Tracker:
    return Tracker(
        network,
        capacity=parameters.capacity,
        image_size=parameters.image_size or None,
        conditioning_frames=parameters.conditioning_frames,
        corrections_condition=parameters.corrections_condition,
        history=parameters.history,
        show_above=parameters.show_above,
        hide_below=parameters.hide_below,
        lost_after=parameters.lost_after,
        non_overlap=parameters.non_overlap,
        search_every=parameters.search_every,
    )


def _warm_up(trackers: list[Tracker]) -> None:
    image = np.zeros((480, 640, 3), np.uint8)
    tracker = trackers[0]
    tracker.track(image, 0)
    tracker.prompt(Prompt(box=np.array([160, 120, 480, 360], np.float32)))
    tracker.prompt(Prompt(points=np.array([[320, 240]], np.float32), labels=np.array([1], np.int32)), object_id=1)
    for stamp in range(1, 1 + _WARM_UP_FRAMES):
        tracker.track(image, stamp)
    # Images of several cameras come together or not, so each number of them is a size of batch that will be met.
    for count in range(2, 1 + len(trackers)):
        track_together(trackers[:count], [image] * count, [1 + _WARM_UP_FRAMES] * count)


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ParameterError(f"the parameter device is {name!r}; it must be auto, cpu, cuda or cuda:N") from error
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ParameterError(
            f"the parameter device is {name!r}, but PyTorch finds {torch.cuda.device_count()} GPUs; use auto or cpu"
        )
    return device


def _dtype(name: str, device: torch.device) -> torch.dtype:
    if name == "auto":
        return torch.bfloat16 if device.type == "cuda" else torch.float32
    return {"float32": torch.float32, "bfloat16": torch.bfloat16}[name]
