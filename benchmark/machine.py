"""The machine at hand: what it is, and how fast it multiplies matrices."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from pathlib import Path
from typing import Any

import torch

from sam2_ros.network.linear import linear


def describe(device: torch.device) -> dict[str, Any]:
    """Names and versions, for the reader of the figures."""
    packages = {}
    for name in ("torch", "transformers", "sam2", "numpy"):
        try:
            packages[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return {
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else _processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "packages": packages,
        "load": load(),
    }


def load() -> float:
    """How many processes want a core, on average over the last minute; noise for what is measured on the CPU."""
    return os.getloadavg()[0]


class MatrixProduct:
    """A product of large square matrices: the fastest arithmetic that the machine has to offer at the moment."""

    def __init__(self, device: torch.device, dtype: torch.dtype) -> None:
        edge = 8192 if device.type == "cuda" else 1024
        self._factors = [torch.randn(edge, edge, device=device).to(dtype) for _ in range(2)]
        self.operations = 2 * edge**3
        """Floating-point operations of one product."""
        self.run()

    @torch.inference_mode()
    def run(self) -> None:
        linear(*self._factors)
        synchronise(self._factors[0].device)


def synchronise(device: torch.device) -> None:
    """Waits until the device has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")
