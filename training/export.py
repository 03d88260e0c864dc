"""Writes a trained network as the embedded checkpoint."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from sam2_ros.network import Sam2Config


def export(state: dict[str, Tensor], config: Sam2Config, file: Path, *, steps: int) -> None:
    """Writes a state dict in half precision, with its sizes and the number of training steps, at once or not at all."""
    half = {key: tensor.detach().to(torch.float16).contiguous() for key, tensor in state.items()}
    part = file.with_suffix(".part")
    save_file(half, part, metadata={"config": json.dumps(config.to_dict()), "steps": str(steps)})
    part.chmod(0o644)  # safetensors writes for its owner alone
    part.replace(file)
