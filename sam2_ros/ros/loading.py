"""From the parameters to trackers on their device, and back."""

from __future__ import annotations

import ctypes
import gc
import logging
import math
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from sam2_ros.network import (
    Sam2,
    describe_device,
    find_device,
    find_dtype,
    load_network,
    use_threads,
    weights_path,
    why_no_gpu,
)
from sam2_ros.tracking import Prompt, Tracker, track_together, warm_up

from .budget import choose, sizes
from .parameters import ParameterError, Parameters

_log = logging.getLogger(__name__)

_TRIAL_OBJECTS = 3
_TRIAL_FRAMES = 13  # the memory is full after seven
_TRACKING_SHARE = 0.8  # of an image's time; the rest is for reading and publishing it


def load_trackers(parameters: Parameters) -> list[Tracker]:
    """Loads the network, runs it once in every way that it will be run, and gives each camera a fresh tracker of it.

    Where there is a target rate, first finds out which network and size keep up with it. Raises CheckpointError,
    DeviceError or ParameterError, the latter also where memory is not enough.
    """
    try:
        return _load_trackers(parameters)
    except RuntimeError as error:
        reason = _out_of_memory(error)
        if reason is None:
            raise
        size = f"{parameters.image_size} pixels" if parameters.image_size else "its own size"
        raise ParameterError(
            f"there is not enough memory for the model {parameters.model} at {size} with a capacity of "
            f"{parameters.capacity} ({reason}); lower capacity, history or image_size, or take a smaller model"
        ) from error


def _load_trackers(parameters: Parameters) -> list[Tracker]:
    device, dtype = find_device(parameters.device, asked_by="the parameter device"), find_dtype(parameters.dtype)

    def load(model: str) -> Sam2:
        network = load_network(model, device=device, dtype=dtype)
        use_threads(network.config, parameters.threads)
        return network

    if parameters.target_rate:
        parameters = _within_budget(parameters, load)
        free_device_memory()  # of what was tried
    network = load(parameters.model)
    _say_where(network, parameters)
    if parameters.compile:
        _log.info("compiling the network, which may take a minute or two the first time")
        network.compile_parts()
    # Trackers of their own take the first calls: ids are never used twice.
    try:
        warm_up([_tracker(network, parameters) for _ in parameters.cameras])
    except RuntimeError as error:
        # Looked up here, since to import it takes seconds.
        if not parameters.compile or not isinstance(error, torch._dynamo.exc.TorchDynamoException):
            raise
        reason = str(error).splitlines()[0]
        raise ParameterError(
            f"the parameter compile is true, but the network could not be compiled here ({reason}); install a C++ "
            "compiler, on a GPU Triton, or set compile to false"
        ) from error
    return [_tracker(network, parameters) for _ in parameters.cameras]


def _say_where(network: Sam2, parameters: Parameters) -> None:
    dtype, size = str(network.dtype).removeprefix("torch."), parameters.image_size or network.config.image_size
    _log.info(
        "PyTorch %s computes %s in %s at %d pixels on %s",
        torch.__version__, parameters.model, dtype, size, describe_device(network.device),
    )  # fmt: skip
    # Whoever asked for a rate knows what it takes, and nano is made for a CPU.
    gpu_wanted = parameters.device == "auto" and not parameters.target_rate and not network.config.search_context
    if gpu_wanted and network.device.type == "cpu":
        _log.warning(
            "%s computes on the CPU, which is slow, because PyTorch finds no GPU (%s); if that is meant, set device "
            "to cpu, otherwise install PyTorch with CUDA, or take nano",
            parameters.model, why_no_gpu(),
        )  # fmt: skip


def _out_of_memory(error: BaseException | None) -> str | None:
    """What an error says of memory that was not there, if that is what it came from: what is recorded on a GPU then
    fails in other ways as well."""
    while error is not None:
        reason = str(error)
        if isinstance(error, torch.cuda.OutOfMemoryError) or "DefaultCPUAllocator: can't allocate" in reason:
            return reason.splitlines()[0]
        error = error.__context__
    return None


def free_device_memory() -> None:
    """Gives back what no tracker uses any more, once its last reference is gone."""
    gc.collect()
    if torch.cuda.is_initialized():
        torch.cuda.empty_cache()
    # Of the machine's memory glibc keeps what was freed, for the next frame.
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


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


def _within_budget(parameters: Parameters, load: Callable[[str], Sam2]) -> Parameters:
    """The parameters with the model and size that keep up with their target rate, or come nearest."""
    names = _models_here() if parameters.model == "auto" else [parameters.model]
    limit = _TRACKING_SHARE / parameters.target_rate
    loaded: dict[str, Sam2] = {}

    def network(name: str) -> Sam2:
        if name not in loaded:
            loaded.clear()
            free_device_memory()
            loaded[name] = load(name)
        return loaded[name]

    def measure(name: str, size: int) -> float:
        tried = replace(parameters, image_size=size)
        try:
            return _seconds([_tracker(network(name), tried) for _ in parameters.cameras], give_up=4 * limit)
        except RuntimeError as error:
            if _out_of_memory(error) is None:
                raise
        free_device_memory()
        return math.inf

    # A generator, so that no network is loaded before the better ones have been found too slow.
    candidates = (
        (name, [parameters.image_size] if parameters.image_size else sizes(network(name).config.image_size))
        for name in names
    )
    chosen = choose(candidates, limit, measure, _log.info)
    if chosen.seconds > limit:
        _log.warning("nothing keeps up with %g images a second; taken all the same: %s", parameters.target_rate, chosen)
    else:
        _log.info("chosen for %g images a second: %s", parameters.target_rate, chosen)
    return replace(parameters, model=chosen.model, image_size=chosen.size)


def _models_here() -> list[str]:
    """SAM 2.1 models whose weights are on this machine, the best first; the embedded one is the last."""
    names = [f"sam2.1_hiera_{size}" for size in ("large", "base_plus", "small", "tiny")] + ["nano"]
    return [name for name in names if weights_path(name).is_file()]


def _seconds(trackers: list[Tracker], give_up: float) -> float:
    """That an image of each camera takes, at the median, once memory is full; fewer are tried above `give_up`."""
    images, seconds = [np.zeros((480, 640, 3), np.uint8)] * len(trackers), []
    track_together(trackers, images, [0] * len(trackers))
    for tracker in trackers:
        for index in range(min(_TRIAL_OBJECTS, tracker.capacity)):
            tracker.prompt(Prompt(box=np.array([200 * index, 120, 200 * index + 150, 360], np.float32)))
    for stamp in range(1, 1 + _TRIAL_FRAMES):
        began = time.perf_counter()
        track_together(trackers, images, [stamp] * len(trackers))
        seconds.append(time.perf_counter() - began)
        # The first frames choose kernels; they say nothing of the later ones.
        if stamp > 2 and seconds[-1] > give_up:
            break
    return statistics.median(seconds[-5:])
