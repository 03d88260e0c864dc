"""What the tracker remembers: a fixed set of tensors, allocated once.

Each object has one row. A row holds the memories and pointers of conditioning frames (the first prompt for ever, then
the newest corrections) and of the most recent frames, in rings that are indexed by the frame's number.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from sam2_ros.network import Memory, Sam2

_EMPTY = -1


class MemoryBank:
    """Memory of up to `capacity` objects over frames that are numbered from 0."""

    def __init__(self, network: Sam2, *, capacity: int, conditioning: int, pixels: int) -> None:
        """conditioning: slots for prompted frames; pixels: tokens of a memory, h * w."""
        config = network.config
        self._recent = config.num_maskmem - 1
        self._pointers = config.max_obj_ptrs_in_encoder - 1
        self._conditioning = conditioning
        # One slot more than is attended to: a correction of the newest frame needs all that came before that frame.
        frames = conditioning + self._recent + 1
        pointers = conditioning + self._pointers + 1
        device = network.device
        # The original keeps memories in bfloat16 whatever it computes in; so do we, for the same answers.
        self._frames = torch.zeros(capacity, frames, pixels, config.mem_dim, dtype=torch.bfloat16, device=device)
        self._pointer = torch.zeros(capacity, pointers, config.d_model, dtype=network.dtype, device=device)
        self._frame_number = np.full((capacity, frames), _EMPTY)
        self._pointer_number = np.full((capacity, pointers), _EMPTY)
        self._device = device

    def clear(self, row: int) -> None:
        self._frame_number[row] = _EMPTY
        self._pointer_number[row] = _EMPTY

    def write_recent(self, rows: list[int], frame: int, memory: Tensor, pointer: Tensor) -> None:
        """Stores memory (N, h * w, mem_dim) and pointer (N, C) of a tracked frame for N rows."""
        slot = self._conditioning + frame % (self._recent + 1)
        pointer_slot = self._conditioning + frame % (self._pointers + 1)
        index = torch.as_tensor(rows, device=self._device)
        self._frames[index, slot] = memory.to(self._frames.dtype)
        self._pointer[index, pointer_slot] = pointer.to(self._pointer.dtype)
        self._frame_number[rows, slot] = frame
        self._pointer_number[rows, pointer_slot] = frame

    def write_conditioning(self, row: int, frame: int, memory: Tensor, pointer: Tensor) -> None:
        """Stores memory (1, h * w, mem_dim) and pointer (1, C) of a prompted frame, in place of the oldest correction.

        The frame is no longer one of the recent ones: nothing counts twice.
        """
        slot = self._conditioning_slot(row, frame)
        for numbers in (self._frame_number, self._pointer_number):
            recent = numbers[row, self._conditioning :]
            recent[recent == frame] = _EMPTY
            numbers[row, slot] = frame
        self._frames[row, slot] = memory[0].to(self._frames.dtype)
        self._pointer[row, slot] = pointer[0].to(self._pointer.dtype)

    def _conditioning_slot(self, row: int, frame: int) -> int:
        numbers = self._frame_number[row, : self._conditioning]
        for wanted in (frame, _EMPTY):
            if wanted in numbers:
                return int(np.argmax(numbers == wanted))
        if self._conditioning == 1:
            return 0
        return 1 + int(np.argmin(numbers[1:]))

    def read(self, rows: list[int], frame: int) -> Memory:
        """What the objects of these rows remember when they look at a frame: all that came before it."""
        frames = self._ages(self._frame_number[rows], frame, self._recent)
        pointers = self._ages(self._pointer_number[rows], frame, self._pointers)
        frame_slots, pointer_slots = (np.flatnonzero((ages > 0).any(axis=0)) for ages in (frames, pointers))
        frames, pointers = frames[:, frame_slots], pointers[:, pointer_slots]
        # Every conditioning frame has the same temporal encoding, however old it is.
        temporal = np.where(frame_slots < self._conditioning, 0, frames.clip(0))
        complete = bool((frames > 0).all() and (pointers > 0).all())
        index = self._index(rows)[:, None]
        return Memory(
            frames=self._frames[index, self._index(frame_slots)],
            ages=self._index(temporal),
            pointers=self._pointer[index, self._index(pointer_slots)],
            pointer_ages=self._index(pointers),
            frame_valid=None if complete else self._index(frames > 0),
            pointer_valid=None if complete else self._index(pointers > 0),
        )

    def _ages(self, numbers: np.ndarray, frame: int, recent: int) -> np.ndarray:
        """How many frames ago each slot was written; 0 for a slot that is not to be seen."""
        ages = np.where(numbers == _EMPTY, 0, frame - numbers).clip(0)
        ages[:, self._conditioning :][ages[:, self._conditioning :] > recent] = 0
        return ages

    def _index(self, values: object) -> Tensor:
        return torch.as_tensor(np.asarray(values), device=self._device)
