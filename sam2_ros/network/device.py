"""Where the network computes, and in what, by the names that users give."""

from __future__ import annotations

import torch


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
    except RuntimeError as error:
        raise DeviceError(f"{asked_by} is {name!r}; it must be auto, cpu, cuda or cuda:N") from error
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise DeviceError(
            f"{asked_by} is {name!r}, but PyTorch finds {torch.cuda.device_count()} GPUs; use auto or cpu"
        )
    return device


def find_dtype(name: str, device: torch.device) -> torch.dtype:
    """The type of a name: auto (bfloat16 on a GPU, float32 elsewhere), float32 or bfloat16."""
    if name == "auto":
        return torch.bfloat16 if device.type == "cuda" else torch.float32
    return {"float32": torch.float32, "bfloat16": torch.bfloat16}[name]
