"""Weights from files: the original's checkpoints (.pt) and safetensors."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import zipfile
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from .config import NAMED, Sam2Config
from .device import quicker_dtype
from .sam2 import Sam2

_EMBEDDED = Path(__file__).parents[1] / "checkpoints"


class CheckpointError(ValueError):
    """A checkpoint that cannot be loaded; the message says why."""


def weights_path(name: str) -> Path:
    """Where the weights of a named model are, or would be after `sam2_ros weights NAME`."""
    Sam2Config.named(name)
    if (embedded := _EMBEDDED / f"{name}.safetensors").exists():
        return embedded
    folder = os.environ.get("SAM2_ROS_WEIGHTS", "~/.cache/sam2_ros")
    return Path(folder).expanduser() / f"{name}.pt"


def load_network(
    source: str | os.PathLike[str],
    *,
    config: Sam2Config | None = None,
    device: torch.device | str = "cpu",
    dtype: torch.dtype | None = torch.float32,
) -> Sam2:
    """A network with its weights, ready for inference.

    source: a name that `Sam2Config.named` knows, or a .pt or .safetensors file. config: the sizes, for a file that
    does not say them; official sizes are recognised by their tensors' shapes. dtype: what it computes in; None: what
    is quicker on the device, see `quicker_dtype`.

    Raises CheckpointError where there is no such file or name, the file is no checkpoint, or a tensor is missing,
    unexpected or of the wrong shape.
    """
    name = str(source)
    path = weights_path(name) if name in NAMED else Path(source).expanduser()
    if not path.is_file():
        raise CheckpointError(_not_there(name, path))
    tensors, stored = _read(path)
    config = config or NAMED.get(name, stored) or _recognise(path, tensors)
    with torch.device("meta"):
        network = Sam2(config)
    _check(path, network, tensors)
    dtype = dtype or quicker_dtype(torch.device(device), config)
    tensors = {key: tensor.to(device=device, dtype=dtype) for key, tensor in tensors.items()}
    network.load_state_dict(tensors, assign=True)
    return network.eval().requires_grad_(False)


def fingerprint(network: Sam2) -> str:
    """SHA-256 of a network's sizes and weights, the same wherever it runs, in float32 and in bfloat16."""
    digest = hashlib.sha256(json.dumps(asdict(network.config), sort_keys=True).encode())
    for key, tensor in sorted(network.state_dict().items()):
        digest.update(key.encode())
        digest.update(tensor.to("cpu", torch.bfloat16).contiguous().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _not_there(name: str, path: Path) -> str:
    if name in NAMED:
        return (
            f"the weights of {name} are not at {path}; fetch them with: ros2 run sam2_ros weights {name}, or without "
            f"ROS sam2_ros weights {name}"
        )
    return f"{name!r} is neither a file nor the name of a model; the names are {', '.join(NAMED)}"


def _read(path: Path) -> tuple[dict[str, Tensor], Sam2Config | None]:
    """The tensors of a file, and the configuration where the file has one."""
    if path.suffix == ".safetensors":
        try:
            with safe_open(path, framework="pt") as file:
                metadata = file.metadata() or {}
                tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118, not a dictionary
        except (SafetensorError, OSError) as error:
            raise CheckpointError(f"{path} is not a safetensors file: {error}") from error
        try:
            return tensors, Sam2Config.from_dict(json.loads(metadata["config"])) if "config" in metadata else None
        except (TypeError, ValueError, AttributeError) as error:
            raise CheckpointError(f"{path} has sizes that this version does not know: {error}") from error
    if path.suffix not in (".pt", ".pth"):
        raise CheckpointError(f"{path} is not a checkpoint: its name must end in .pt, .pth or .safetensors")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except (RuntimeError, OSError, EOFError, ValueError, pickle.UnpicklingError) as error:
        raise CheckpointError(_why_refused(path, error)) from error
    tensors = content.get("model", content) if isinstance(content, dict) else {}
    plain = isinstance(tensors, dict) and all(isinstance(tensor, Tensor) for tensor in tensors.values())
    if not plain or not tensors:
        raise CheckpointError(f"{path} holds no state dict: it must be {{'model': state dict}} or a state dict")
    return tensors, None


def _why_refused(path: Path, error: Exception) -> str:
    """In a sentence, what is wrong with a file that torch.load refused with an error."""
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
    if isinstance(error, pickle.UnpicklingError):  # for which PyTorch advises to let the file run what it likes
        reason = "it is damaged, or holds more than tensors"
    elif not isinstance(error, OSError) and not zipfile.is_zipfile(path):
        with path.open("rb") as file:
            begins = file.read(200)
        # A zip archive without the directory at its end is what an interrupted download leaves.
        if b"PK".startswith(begins[:2]):
            return f"{path} is not a whole checkpoint: the end of the file is missing; delete it and fetch it again"
        # What a server sends in place of a file that is not there, or is behind a login.
        if begins.lstrip().lower().startswith((b"<!doctype html", b"<html")):
            return f"{path} is a web page and no checkpoint; fetch the file itself"
        reason = "it is no archive, as torch.save has written since PyTorch 1.6"
    return f"{path} is not a PyTorch checkpoint of plain tensors: {reason}"


def _recognise(path: Path, tensors: dict[str, Tensor]) -> Sam2Config:
    """The named configuration whose tensors have these names, or, by the file's name, the nearest to them."""
    for config in NAMED.values():
        with torch.device("meta"):
            expected = Sam2(config).state_dict()
        if expected.keys() == tensors.keys() and all(tensors[key].shape == expected[key].shape for key in expected):
            return config
    if path.stem in NAMED:
        return NAMED[path.stem]
    raise CheckpointError(
        f"the tensors of {path} are not those of any named model ({', '.join(NAMED)}); pass its config"
    )


def _check(path: Path, network: Sam2, tensors: dict[str, Tensor]) -> None:
    expected = network.state_dict()
    faults = [f"{key} is missing" for key in expected if key not in tensors]
    faults += [f"{key} is not part of the network" for key in tensors if key not in expected]
    faults += [
        f"{key} has shape {tuple(tensors[key].shape)}, not {tuple(expected[key].shape)}"
        for key in expected
        if key in tensors and tensors[key].shape != expected[key].shape
    ]
    if faults:
        more = f", and {len(faults) - 5} more" if len(faults) > 5 else ""
        raise CheckpointError(f"{path} does not fit the network: {'; '.join(faults[:5])}{more}")
