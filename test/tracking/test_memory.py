"""What the bank remembers, slot by slot."""

from __future__ import annotations

import pytest
import torch

from sam2_ros.network import Sam2, Sam2Config
from sam2_ros.tracking.memory import MemoryBank

PIXELS = 4


@pytest.fixture(scope="module")
def network() -> Sam2:
    return Sam2(Sam2Config(image_size=64, embed_dim=8, d_model=32, mem_dim=8, num_layers=1, dim_feedforward=16))


@pytest.fixture
def bank(network: Sam2) -> MemoryBank:
    return MemoryBank(network, capacity=2, conditioning=3, pixels=PIXELS)


def memory(value: float) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.full((1, PIXELS, 8), float(value)), torch.full((1, 32), float(value))


def seen(bank: MemoryBank, frame: int, row: int = 0) -> dict[str, list[float]]:
    """The frames that an object remembers, as written by `memory`: {conditioning, recent, pointers}."""
    read = bank.read([row], frame)
    frames, ages = read.frames[0, :, 0, 0].tolist(), read.ages[0].tolist()
    valid = [True] * len(ages) if read.frame_valid is None else read.frame_valid[0].tolist()
    pointer_valid = [True] * read.pointers.shape[1] if read.pointer_valid is None else read.pointer_valid[0].tolist()
    return {
        "conditioning": sorted(f for f, age, ok in zip(frames, ages, valid, strict=True) if ok and age == 0),
        "recent": sorted(f for f, age, ok in zip(frames, ages, valid, strict=True) if ok and age > 0),
        "pointers": sorted(p for p, ok in zip(read.pointers[0, :, 0].tolist(), pointer_valid, strict=True) if ok),
    }


def test_the_first_prompt_stays_and_six_frames_and_fifteen_pointers_follow(bank: MemoryBank) -> None:
    bank.write_conditioning(0, 0, *memory(0))
    for frame in range(1, 40):
        bank.write_recent([0], frame, *memory(frame))
    assert seen(bank, 40) == {
        "conditioning": [0],
        "recent": [34, 35, 36, 37, 38, 39],
        "pointers": [0, *range(25, 40)],
    }


def test_ages_are_counted_from_the_frame_that_looks_back(bank: MemoryBank) -> None:
    bank.write_conditioning(0, 5, *memory(5))
    bank.write_recent([0], 6, *memory(6))
    read = bank.read([0], 9)
    assert sorted(read.ages[0].tolist()) == [0, 3]
    assert sorted(read.pointer_ages[0].tolist()) == [3, 4]


def test_a_frame_does_not_see_itself(bank: MemoryBank) -> None:
    bank.write_conditioning(0, 0, *memory(0))
    for frame in range(1, 10):
        bank.write_recent([0], frame, *memory(frame))
    assert seen(bank, 9)["recent"] == [3, 4, 5, 6, 7, 8]


def test_a_correction_is_not_counted_twice(bank: MemoryBank) -> None:
    bank.write_conditioning(0, 0, *memory(0))
    for frame in range(1, 8):
        bank.write_recent([0], frame, *memory(frame))
    bank.write_conditioning(0, 7, *memory(70))
    assert seen(bank, 8) == {"conditioning": [0, 70], "recent": [2, 3, 4, 5, 6], "pointers": [0, 1, 2, 3, 4, 5, 6, 70]}


def test_the_oldest_correction_makes_room_and_the_first_prompt_never_does(bank: MemoryBank) -> None:
    for frame in (0, 10, 20, 30, 40):
        bank.write_conditioning(0, frame, *memory(frame))
    assert seen(bank, 50)["conditioning"] == [0, 30, 40]
    bank.write_conditioning(0, 40, *memory(41))
    assert seen(bank, 50)["conditioning"] == [0, 30, 41]


def test_rows_are_apart_and_a_cleared_row_is_empty(bank: MemoryBank) -> None:
    bank.write_conditioning(0, 0, *memory(0))
    bank.write_conditioning(1, 3, *memory(3))
    bank.write_recent([0, 1], 4, *(torch.cat((a, b)) for a, b in zip(memory(4), memory(14), strict=True)))
    assert seen(bank, 5, row=1) == {"conditioning": [3], "recent": [14], "pointers": [3, 14]}
    bank.clear(1)
    bank.write_conditioning(1, 5, *memory(5))
    assert seen(bank, 6, row=1) == {"conditioning": [5], "recent": [], "pointers": [5]}
    assert seen(bank, 5, row=0) == {"conditioning": [0], "recent": [4], "pointers": [0, 4]}


def test_it_holds_a_fixed_set_of_tensors(bank: MemoryBank) -> None:
    before = (bank._frames.data_ptr(), bank._pointer.data_ptr(), bank._frames.shape)
    for frame in range(100):
        bank.write_recent([0, 1], frame, torch.zeros(2, PIXELS, 8), torch.zeros(2, 32))
    assert (bank._frames.data_ptr(), bank._pointer.data_ptr(), bank._frames.shape) == before
