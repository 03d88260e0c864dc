"""Two processes learn from the mean of what each has seen."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import torch

from training.parallel import launch, share_gradients

ROOT = Path(__file__).parents[2]


def write_gradients(folder: Path, rank: int) -> None:
    """Each process sees another loss; the second does not use the second parameter at all."""
    used, unused = (torch.nn.Parameter(torch.ones(3)) for _ in range(2))
    (used * (rank + 1)).sum().backward()
    if rank == 0:
        (unused * 4).sum().backward()
    share_gradients([used, unused])
    torch.save((used.grad, unused.grad), folder / f"{rank}.pt")


def fail_second(folder: Path, rank: int) -> None:
    if rank == 1:
        raise ValueError("the second process has had enough")


def in_two_processes(what: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Runs a function of this file as a program would: the processes import it from their main module."""
    command = [sys.executable, __file__, what, str(folder)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)


def test_every_process_gets_the_mean(tmp_path: Path) -> None:
    done = in_two_processes("write_gradients", tmp_path)
    assert done.returncode == 0, done.stderr
    for rank in range(2):
        used, unused = torch.load(tmp_path / f"{rank}.pt")
        assert used.tolist() == [1.5] * 3 and unused.tolist() == [2.0] * 3


def test_one_process_keeps_its_own(tmp_path: Path) -> None:
    launch(1, partial(write_gradients, tmp_path))
    used, unused = torch.load(tmp_path / "0.pt")
    assert used.tolist() == [1.0] * 3 and unused.tolist() == [4.0] * 3


def test_what_a_process_raises_ends_all_and_is_seen(tmp_path: Path) -> None:
    done = in_two_processes("fail_second", tmp_path)
    assert done.returncode != 0 and "has had enough" in done.stderr


if __name__ == "__main__":
    launch(2, partial(globals()[sys.argv[1]], Path(sys.argv[2])))
