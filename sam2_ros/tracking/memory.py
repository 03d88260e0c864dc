"""What the tracker remembers: a fixed set of tensors, allocated once.

Each object has one row. A row is a ring of the newest frames, indexed by the frame's number, and a few lasting slots.
The ring holds the memory and the pointer of every frame, prompted or not, as far back as the history and what its
oldest frame remembers. A conditioning frame that the ring is about to overwrite moves to a lasting slot: there are the
object's first prompt, for ever, and its latest corrections.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sam2_ros.geometry.transfer import index, upload
from sam2_ros.network import Memory, Sam2

_EMPTY = np.iinfo(np.int64).min
_OLDEST = 2**48
"""Frames; more is nobody's memory, and might overflow a frame's number."""
_Slots = NDArray[np.int64]


@dataclass(frozen=True)
class Remembered:
    """What one object remembers, apart from any bank, of P frames: conditioning frames first, then the newest first."""

    memories: Tensor
    """(F, h * w, mem_dim) bfloat16, of the first F frames; of older ones only the pointer is left."""
    pointers: Tensor
    """(P, C)"""
    ages: tuple[int, ...]
    """(P,) how many frames ago, for the frame that looks back."""
    conditioning: int
    """How many of them are conditioning frames."""


class MemoryBank:
    """Memory of objects, one a row, over frames that are numbered in their order."""

    def __init__(self, network: Sam2, *, rows: int, conditioning: int, history: int, pixels: int) -> None:
        """conditioning: conditioning frames that an object attends to. history: newest frames to each of which
        `forget_from` can go back. pixels: tokens of a memory, h * w.
        """
        config, self._network = network.config, network
        self._recent = config.num_maskmem - 1
        self._pointed = config.max_obj_ptrs_in_encoder - 1
        self._lasting = conditioning
        self._ring = history + self._pointed
        slots = self._lasting + self._ring
        self._device = network.device
        # The original keeps memories in bfloat16 whatever it computes in; so do we, for the same answers.
        self._memories = torch.zeros(rows, slots, pixels, config.mem_dim, dtype=torch.bfloat16, device=self._device)
        self._pointers = torch.zeros(rows, slots, config.d_model, dtype=network.dtype, device=self._device)
        # The frame in each slot, and whether it is a conditioning frame.
        self._numbers = np.full((rows, slots), _EMPTY)
        self._conditions = np.zeros((rows, slots), bool)

    def clear(self, row: int) -> None:
        self._numbers[row] = _EMPTY
        self._conditions[row] = False

    def copy(self, source: int, target: int) -> None:
        """Makes a row equal to another."""
        for content in (self._memories, self._pointers, self._numbers, self._conditions):
            content[target] = content[source]

    def forget_from(self, row: int, frame: int) -> None:
        """Forgets a frame and all that came after it."""
        forgotten = self._numbers[row] >= frame
        self._numbers[row, forgotten] = _EMPTY
        self._conditions[row, forgotten] = False

    def write(self, rows: Sequence[int], frame: int, memory: Tensor, pointer: Tensor, *, conditioning: bool) -> None:
        """Stores memory (N, h * w, mem_dim) and pointer (N, C) of a frame for N rows."""
        slot = self._lasting + frame % self._ring
        for row in rows:
            if self._conditions[row, slot] and self._numbers[row, slot] != frame:
                self._keep(row, slot)
        at = index(rows, self._device)
        self._memories[at, slot] = memory.to(self._memories.dtype)
        self._pointers[at, slot] = pointer.to(self._pointers.dtype)
        self._numbers[rows, slot] = frame
        self._conditions[rows, slot] = conditioning

    def _keep(self, row: int, slot: int) -> None:
        """Moves a conditioning frame to a lasting slot: an empty one, or that of the oldest correction, unless it is
        that itself. An object that is not searched for writes nothing, so that one may be moved after a newer one."""
        lasting = self._numbers[row, : self._lasting]
        free = np.flatnonzero(lasting == _EMPTY)
        target = free[0] if len(free) else np.append(lasting, self._numbers[row, slot]).argsort()[1]
        if target < self._lasting:
            for content in (self._memories, self._pointers, self._numbers, self._conditions):
                content[row, target] = content[row, slot]

    def read(self, rows: Sequence[int], frame: int) -> Memory:
        """What the objects of these rows remember when they look at a frame: all that came before it."""
        pasts = [self._past(row, frame) for row in rows]
        slots, frames = self._filled_up(
            [self._with_memory(past, row, frame) for past, row in zip(pasts, rows, strict=True)],
            self._lasting + self._recent,
        )
        pointed = [np.concatenate(past) for past in pasts]
        pointer_slots, pointers = self._filled_up(pointed, self._lasting + self._pointed)
        row_index = np.asarray(rows)[:, None]
        ages, pointer_ages = (frame - self._numbers[row_index, s] for s in (slots, pointer_slots))
        # Every conditioning frame has the same temporal encoding, however old it is.
        conditioning = np.arange(slots.shape[1]) < np.array([[len(past[0])] for past in pasts])
        complete = not self._network.takes_filled_up and (frames == frames[0]).all() and (pointers == pointers[0]).all()
        at = index(rows, self._device)[:, None]
        return Memory(
            frames=self._memories[at, self._upload(slots)],
            ages=self._upload(np.where(_valid(slots, frames) & ~conditioning, ages, 0)),
            pointers=self._pointers[at, self._upload(pointer_slots)],
            pointer_ages=self._upload(np.where(_valid(pointer_slots, pointers), pointer_ages, 0)),
            used=None if complete else self._upload(np.stack((frames, pointers), axis=1).astype(np.int32)),
        )

    def _filled_up(self, rows: list[_Slots], most: int) -> tuple[_Slots, NDArray[np.int64]]:
        """Rows of up to `most` slots as (N, length), filled up with slot 0, and how many each had."""
        lengths = np.array([len(row) for row in rows])
        length = most if self._network.takes_filled_up else lengths.max()
        slots = np.zeros((len(rows), length), np.int64)
        slots[_valid(slots, lengths)] = np.concatenate(rows)
        return slots, lengths

    def export(self, row: int, frame: int) -> Remembered:
        """A copy of what the object of a row remembers when it looks at a frame."""
        past = self._past(row, frame)
        slots = np.concatenate(past)
        return Remembered(
            memories=self._memories[row, self._upload(self._with_memory(past, row, frame))],
            pointers=self._pointers[row, self._upload(slots)],
            ages=tuple((frame - self._numbers[row, slots]).tolist()),
            conditioning=len(past[0]),
        )

    def fits(self, remembered: Remembered) -> bool:
        """Whether `restore` can take this."""
        frames, seen = len(remembered.memories), len(remembered.ages)
        return (
            remembered.memories.shape[1:] == self._memories.shape[2:]
            and remembered.pointers.shape == (seen, self._pointers.shape[2])
            and 1 <= remembered.conditioning <= frames <= seen
            and 0 < min(remembered.ages) <= max(remembered.ages) < _OLDEST
        )

    def restore(self, row: int, frame: int, remembered: Remembered) -> None:
        """Makes the object of a row remember so much when it looks at a frame."""
        self.clear(row)
        ages = np.array(remembered.ages)
        conditioning = ages[: remembered.conditioning].argsort()[::-1]  # the oldest, then the newest of the others
        kept = np.concatenate((conditioning[:1], conditioning[1:][::-1][: self._lasting - 1]))
        # Where fewer are kept for ever than there, the rest serve as frames like any other, as in `_past`.
        spare = np.setdiff1d(conditioning, kept)
        spare = spare[(ages[spare] <= self._pointed) & ~np.isin(ages[spare], ages[remembered.conditioning :])]
        others = np.concatenate((spare, np.arange(remembered.conditioning, len(ages))))
        ring = self._lasting + (frame - ages[others]) % self._ring
        sources, slots = np.concatenate((kept, others)), np.concatenate((np.arange(len(kept)), ring))
        self._pointers[row, self._upload(slots)] = remembered.pointers[self._upload(sources)].to(self._pointers)
        with_memory = sources < len(remembered.memories)
        memories = remembered.memories[self._upload(sources[with_memory])]
        self._memories[row, self._upload(slots[with_memory])] = memories.to(self._memories)
        self._numbers[row, slots] = frame - ages[sources]
        self._conditions[row, : len(kept)] = True

    def _past(self, row: int, frame: int) -> tuple[_Slots, _Slots]:
        """Slots that are seen from a frame: of conditioning frames, and of the others from the newest on.

        Conditioning frames are the first and the latest ones; any other serves as a frame like the rest, as in the
        original where their number is limited.
        """
        numbers, conditions = self._numbers[row], self._conditions[row]
        before = (numbers != _EMPTY) & (numbers < frame)
        conditioning = np.flatnonzero(before & conditions)
        conditioning = conditioning[numbers[conditioning].argsort()]
        if len(conditioning) > self._lasting:
            conditioning = np.delete(conditioning, np.s_[1 : len(conditioning) - self._lasting + 1])
        before &= numbers >= frame - self._pointed
        before[conditioning] = False
        others = np.flatnonzero(before)
        return conditioning, others[numbers[others].argsort()[::-1]]

    def _with_memory(self, past: tuple[_Slots, _Slots], row: int, frame: int) -> _Slots:
        """Of the slots from `_past` those whose memory is attended to, and not the pointer alone."""
        conditioning, others = past
        return np.concatenate((conditioning, others[self._numbers[row, others] >= frame - self._recent]))

    def _upload(self, values: object) -> Tensor:
        return upload(np.asarray(values), self._device)


def _valid(slots: _Slots, lengths: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which of (N, length) slots are not filled up."""
    return np.arange(slots.shape[1]) < lengths[:, None]
