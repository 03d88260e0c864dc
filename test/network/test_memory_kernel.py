"""The kernel of memory attention against attention written out; without a GPU, in Triton's interpreter."""

from __future__ import annotations

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
