"""Where the network computes, and in what, by the names that users give."""

from __future__ import annotations

import torch

from .config import Sam2Config
from .linear import bfloat16_is_quicker

_CHOSEN = torch.get_num_threads()
"""Threads that PyTorch took by itself, before anybody said otherwise."""


class DeviceError(ValueError):
    """A device that is not here; the message says who asked for it and what would be right."""


def find_device(name: str, asked_by: str = "--device") -> torch.device:
    """The device of a name: auto (the GPU if there is one), cpu, cuda or cuda:N. Raises DeviceError.

    asked_by: the option or parameter that has the name, for the message.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        device = None
    if device is None or device.type not in ("cpu", "cuda"):
        raise DeviceError(f"{asked_by} is {name!r}; it must be auto, cpu, cuda or cuda:N")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise DeviceError(
            f"{asked_by} is {name!r}, but PyTorch finds {torch.cuda.device_count()} GPUs; use auto or cpu"
        )
    return device


def describe_device(device: torch.device) -> str:
    """For people: the GPU by its name, or how many threads of the CPU."""
    if device.type == "cuda":
        return f"{torch.cuda.get_device_name(device)} ({device})"
    threads = torch.get_num_threads()
    return f"the CPU, {threads} {'thread' if threads == 1 else 'threads'}"


def why_no_gpu() -> str:
    """What PyTorch says where it finds no GPU."""
    try:
        torch.cuda.init()
    except (RuntimeError, AssertionError) as error:  # the latter from a PyTorch without CUDA
        return str(error).partition(". ")[0]
    return "there is none"


def find_dtype(name: str) -> torch.dtype | None:
    """The type of a name: float32, bfloat16, or None for auto, which is the quicker of both to `load_network`."""
    return None if name == "auto" else {"float32": torch.float32, "bfloat16": torch.bfloat16}[name]


def quicker_dtype(device: torch.device, config: Sam2Config) -> torch.dtype:
    """bfloat16 on a GPU and, for Hiera, on a processor with instructions for its products; float32 elsewhere. What nano
    multiplies is too small to gain much."""
    if device.type == "cpu" and not (config.trunk == "hiera" and bfloat16_is_quicker()):
        return torch.float32
    return torch.bfloat16


def use_threads(config: Sam2Config, threads: int = 0) -> None:
    """Has PyTorch compute with so many threads on a CPU; 0: with as many as it chooses, and with one for a network of
    search regions, whose steps are so short that others are no help and, while they wait for them, in the way."""
    torch.set_num_threads(threads or (1 if config.search_context else _CHOSEN))
