"""The memory of one candidate, measured in a process in which there is nothing else."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch

from .race import Case

_FRAMES = 9
"""The memory is full after seven; what grows afterwards grows for ever."""

_MIB = 1 << 20


def measure(case: Case, name: str) -> dict[str, Any]:
    """In MiB: `peak`, on a GPU what PyTorch allocated there, else the resident memory of the whole process; `held`, all
    tensors between two frames; `growth`, by how much they grow with each frame.

    Raises RuntimeError if the process fails.
    """
    arguments = (name, case.model, case.size, case.objects, str(case.device), str(case.dtype).removeprefix("torch."))
    command = [sys.executable, "-m", "benchmark.memory", json.dumps([*arguments, torch.get_num_threads()])]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        last = (result.stderr.strip().splitlines() or [f"exit status {result.returncode}"])[-1]
        raise RuntimeError(f"the memory of {name} could not be measured: {last}")
    answer: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
    return answer


def main() -> None:
    name, model, size, objects, device, dtype, threads = json.loads(sys.argv[1])
    torch.set_num_threads(threads)
    case = Case(model, size, objects, torch.device(device), getattr(torch, dtype), warm_up=0, frames=_FRAMES, adds=0)
    with torch.inference_mode():
        runner, scene = case.build(name), case.scene
        runner.start(scene.frame(0), [scene.box(index, 0) for index in range(objects)])
        held = []
        for number in range(1, _FRAMES):
            runner.step(scene.frame(number))
            held.append(_held(case.device))
    growth = held[-1] - held[-2]
    print(json.dumps({"peak": _peak(case.device) / _MIB, "held": held[-1] / _MIB, "growth": growth / _MIB}))


def _peak(device: torch.device) -> int:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    # Not getrusage: what that calls the peak, a process inherits from the one that started it.
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return 1024 * int(line.split()[1])


def _held(device: torch.device) -> int:
    """Bytes of all tensors that are alive."""
    gc.collect()
    if device.type == "cuda":
        return torch.cuda.memory_allocated(device)
    storages = {}
    for one in gc.get_objects():
        if type(one) in (torch.Tensor, torch.nn.Parameter):
            storage = one.untyped_storage()
            storages[storage.data_ptr()] = storage.nbytes()
    return sum(storages.values())


if __name__ == "__main__":
    main()
