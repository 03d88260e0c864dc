"""One training in several processes, each with its share of a step's clips.

On a CPU two processes of one thread get more done than one process of two: nothing waits for the other within a step.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

import torch
import torch.distributed as distributed
import torch.multiprocessing as processes
from torch import Tensor


def launch(count: int, run: Callable[[int], None]) -> None:
    """Calls run(rank) in `count` processes that can share gradients; run must be importable. Ends when all have ended,
    and raises what one of them raised."""
    if count == 1:
        run(0)
        return
    with tempfile.TemporaryDirectory() as folder:
        arguments = (count, Path(folder) / "meeting", run)
        processes.spawn(_begin, args=arguments, nprocs=count)  # type: ignore[attr-defined, no-untyped-call]


def _begin(rank: int, count: int, meeting: Path, run: Callable[[int], None]) -> None:
    torch.set_num_threads(max(1, (os.cpu_count() or 1) // count))
    distributed.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=count)
    run(rank)
    distributed.destroy_process_group()


def share_gradients(parameters: Iterable[Tensor]) -> None:
    """Replaces the gradients by their mean over the processes; does nothing in a single process."""
    if not distributed.is_initialized():
        return
    learned = [parameter for parameter in parameters if parameter.requires_grad]
    flat = torch.cat([(torch.zeros_like(one) if one.grad is None else one.grad).flatten() for one in learned])
    distributed.all_reduce(flat)
    flat /= distributed.get_world_size()
    for one, part in zip(learned, flat.split([one.numel() for one in learned]), strict=True):
        one.grad = part.view_as(one)
