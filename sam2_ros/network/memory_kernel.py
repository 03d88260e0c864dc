"""Attention to memory on a GPU: one kernel, whose work and not only whose answer goes by what is remembered.

Importing this raises ImportError without Triton, which PyTorch brings with its builds for GPUs, and where a GPU is not
one of NVIDIA's since Ampere, which have the memory and the arithmetic for it.
"""

from __future__ import annotations

import math
from contextlib import nullcontext
from functools import cache

import torch
import triton
import triton.language as tl
from torch import Tensor

_GPUS = range(torch.cuda.device_count())
if torch.version.hip or any(torch.cuda.get_device_capability(gpu) < (8, 0) for gpu in _GPUS):
    raise ImportError("this kernel is for NVIDIA's GPUs since Ampere")

_BLOCKS = ((200, 128, 64, 3), (150, 128, 64, 2), (0, 64, 32, 2))
"""From how many KiB of a multiprocessor's shared memory on: queries and keys of a block, and how many blocks of keys
are under way at a time. H100 has 227 KiB, A100 and Orin 163, most others 99."""


@torch.library.custom_op("sam2_ros::attend_to_memory", mutates_args=())  # which compilers leave alone
def attend_to_memory(q: Tensor, k: Tensor, memory: Tensor, used: Tensor | None, pointer_tokens: int) -> Tensor:
    """Single-head attention of q (N, L, C) and k (N, M, C) over memory (N, M, mem_dim): (N, L, mem_dim).

    used: (N, 2) int32, how many tokens of frames, from the first on, and how many of the last `pointer_tokens` are
    there; the others are not looked at. None where all are. C and mem_dim must be powers of two.

    Two things that fused attention elsewhere has not: values may be narrower than keys, so that a memory's own 64
    channels are summed and projected afterwards; and objects that remember less cost less. The keys are shared out
    where queries alone would leave multiprocessors idle, as in Flash-Decoding (Dao et al., 2023).
    """
    objects, queries, channels = q.shape
    keys, width = memory.shape[1:]
    if used is None:
        used = torch.tensor([[keys - pointer_tokens, pointer_tokens]], dtype=torch.int32, device=q.device)
        used = used.repeat(objects, 1)
    processors, rows, step, stages = _plan(q.device)
    blocks = triton.cdiv(queries, rows)
    shares = _shares(blocks * objects, processors)
    dtype = memory.dtype if shares == 1 else torch.float32
    summed = torch.empty(objects, shares, queries, width, device=q.device, dtype=dtype)
    weight = torch.empty(objects, shares, queries, device=q.device, dtype=torch.float32)
    # Triton runs on the current GPU, which need not be the tensors'.
    with torch.cuda.device(q.device) if q.is_cuda else nullcontext():
        _attend[(blocks, shares, objects)](
            q.contiguous(), k.contiguous(), memory.contiguous(), used.contiguous(), summed, weight,
            queries, keys, keys - pointer_tokens, channels**-0.5 * math.log2(math.e), channels=channels,
            width=width, rows=rows, step=step, shares=shares, num_warps=rows // 16, num_stages=stages,
        )  # fmt: skip
    if shares > 1:
        # Each share's sum is normalised; the weights say how much of the whole it is.
        summed = torch.einsum("nsl,nslw->nlw", torch.softmax(weight * math.log(2), dim=1), summed)
    return summed.view(objects, queries, width).to(memory.dtype)


@attend_to_memory.register_fake
def _(q: Tensor, k: Tensor, memory: Tensor, used: Tensor | None, pointer_tokens: int) -> Tensor:
    return memory.new_empty(*q.shape[:2], memory.shape[2])


@cache
def _plan(device: torch.device) -> tuple[int, int, int, int]:
    """Multiprocessors, then as in `_BLOCKS`."""
    if device.type != "cuda":  # Triton's interpreter
        return 13, 128, 64, 1
    properties = triton.runtime.driver.active.utils.get_device_properties(device.index or 0)
    room = properties["max_shared_mem"] // 1024
    rows, step, stages = next(block[1:] for block in _BLOCKS if room >= block[0])
    return properties["multiprocessor_count"], rows, step, stages


def _shares(blocks: int, processors: int) -> int:
    """Into how many shares keys are split, up to 8, so that the last round of blocks leaves few processors idle."""

    def busy(shares: int) -> float:
        rounds = -(-blocks * shares // processors)
        return blocks * shares / (rounds * processors) - 0.01 * shares

    return max(range(1, 9), key=busy)


@triton.jit
def _attend(
    q_at, k_at, memory_at, used_at, summed_at, weight_at, queries, keys, first_pointer, scale,
    channels: tl.constexpr, width: tl.constexpr, rows: tl.constexpr, step: tl.constexpr, shares: tl.constexpr,
):  # fmt: skip
    block, share, one = tl.program_id(0), tl.program_id(1), tl.program_id(2).to(tl.int64)
    row = block * rows + tl.arange(0, rows)
    channel = tl.arange(0, channels)
    q = tl.load(
        q_at + one * queries * channels + row[:, None] * channels + channel[None, :], mask=row[:, None] < queries,
        other=0.0,
    )  # fmt: skip
    k_at += one * keys * channels
    memory_at += one * keys * width
    frames, pointers = tl.load(used_at + 2 * one), tl.load(used_at + 2 * one + 1)
    highest = tl.full((rows,), -float("inf"), tl.float32)
    total = tl.zeros((rows,), tl.float32)
    summed = tl.zeros((rows, width), tl.float32)
    # Whole blocks of keys, without a look at where they end; then the rest, and the pointers, in the last share.
    whole = frames // step
    each = tl.cdiv(whole, shares)
    for start in range(share * each * step, tl.minimum((share + 1) * each, whole) * step, step):
        highest, total, summed = _add(
            q, k_at, memory_at, start, frames, scale, highest, total, summed, channels, width, step, False
        )
    if share == shares - 1:
        if whole * step < frames:
            highest, total, summed = _add(
                q, k_at, memory_at, whole * step, frames, scale, highest, total, summed, channels, width, step, True
            )
        for start in range(first_pointer, first_pointer + pointers, step):
            highest, total, summed = _add(
                q, k_at, memory_at, start, first_pointer + pointers, scale, highest, total, summed,
                channels, width, step, True,
            )  # fmt: skip
    out = (one * shares + share) * queries + row
    some = row < queries
    total = tl.maximum(total, 1e-30)  # a share may have had no keys
    tl.store(summed_at + out[:, None] * width + tl.arange(0, width)[None, :], summed / total[:, None], some[:, None])
    tl.store(weight_at + out, highest + tl.log2(total), some)


@triton.jit
def _add(
    q, k_at, memory_at, start, end, scale, highest, total, summed,
    channels: tl.constexpr, width: tl.constexpr, step: tl.constexpr, ends: tl.constexpr,
):  # fmt: skip
    """The sums so far and a block of keys from `start` on, of which with ends only those before `end` count; softmax
    carried along (Milakov and Gimelshein, Online normalizer calculation for softmax, 2018), to the base of 2."""
    at = start + tl.arange(0, step)
    k_at = k_at + at[None, :] * channels + tl.arange(0, channels)[:, None]
    memory_at = memory_at + at[:, None] * width + tl.arange(0, width)[None, :]
    if ends:
        scores = tl.dot(q, tl.load(k_at, mask=at[None, :] < end, other=0.0))
        scores = tl.where(at[None, :] < end, scores, -float("inf"))
        memory = tl.load(memory_at, mask=at[:, None] < end, other=0.0)
    else:
        scores = tl.dot(q, tl.load(k_at))
        memory = tl.load(memory_at)
    higher = tl.maximum(highest, tl.max(scores, 1) * scale)
    weights = tl.exp2(scores * scale - higher[:, None])
    fading = tl.exp2(highest - higher)
    total = total * fading + tl.sum(weights, 1)
    summed = tl.dot(weights.to(memory.dtype), memory, summed * fading[:, None])
    return higher, total, summed
