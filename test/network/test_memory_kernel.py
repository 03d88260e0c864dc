"""The kernel of memory attention against attention written out; without a GPU, in Triton's interpreter."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

pytest.importorskip("triton")

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")


# Frames of 200 tokens end within a block of keys, frames of 256 with one.
@pytest.mark.parametrize(("tokens", "used"), [(200, [[400, 76], [200, 5]]), (256, [[512, 76], [256, 4]])])
def test_it_is_attention_to_what_is_there(tokens: int, used: list[list[int]]) -> None:
    from sam2_ros.network.memory_kernel import attend_to_memory

    torch.manual_seed(0)
    dtype, pointers = torch.bfloat16 if DEVICE.type == "cuda" else torch.float32, 76
    q = torch.randn(2, tokens, 64, device=DEVICE, dtype=dtype)
    k = torch.randn(2, 2 * tokens + pointers, 64, device=DEVICE, dtype=dtype)
    memory = torch.randn(2, 2 * tokens + pointers, 16, device=DEVICE, dtype=dtype)
    there = torch.zeros(memory.shape[:2], dtype=torch.bool, device=DEVICE)
    for row, (in_frames, in_pointers) in zip(there, used, strict=True):
        row[:in_frames] = True
        row[2 * tokens : 2 * tokens + in_pointers] = True
    scores = (q.float() @ k.float().mT / 8).masked_fill(~there[:, None], -torch.inf)
    plain = scores.softmax(dim=2) @ memory.float()
    memory[~there] = torch.nan
    summed = attend_to_memory(q, k, memory, torch.tensor(used, dtype=torch.int32, device=DEVICE), pointers)
    torch.testing.assert_close(summed.float(), plain, rtol=0, atol=1e-2 if DEVICE.type == "cuda" else 1e-6)


COMPILE = """
import sys
import torch
torch.cuda.device_count = lambda: 0  # it is not asked which GPUs are here
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource, compile
from sam2_ros.network import memory_kernel
capability, room = map(int, sys.argv[1:])
rows, step, stages = next(block[1:] for block in memory_kernel._BLOCKS if room >= block[0])
constants = dict(channels=256, width=64, rows=rows, step=step, shares=8)
types = dict.fromkeys(("q_at", "k_at", "memory_at"), "*bf16") | {"used_at": "*i32"}
types |= dict.fromkeys(("summed_at", "weight_at"), "*fp32") | dict.fromkeys(("queries", "keys", "first_pointer"), "i32")
types |= {"scale": "fp32"} | dict.fromkeys(constants, "constexpr")
source = ASTSource(fn=memory_kernel._attend, signature=types, constexprs=constants)
options = {"num_warps": rows // 16, "num_stages": stages}
print(compile(source, target=GPUTarget("cuda", capability, 32), options=options).metadata.shared / 1024)
"""


@pytest.mark.parametrize(
    ("capability", "room"),
    [(80, 163), (90, 227), (100, 227), (120, 99)],
    ids=["A100", "H100", "B200", "RTX 50"],
)
def test_every_gpu_has_the_shared_memory_for_it(capability: int, room: int, tmp_path: Path) -> None:
    """Compiled for GPUs that are not here. room: KiB for a block, by NVIDIA's CUDA C++ Programming Guide."""
    environment = {**os.environ, "TRITON_INTERPRET": "0", "TRITON_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, "-c", COMPILE, str(capability), str(room)]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert 0 < float(result.stdout) <= room
