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
    return MemoryBank(network, rows=2, conditioning=3, history=4, pixels=PIXELS)


def memory(value: float) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.full((1, PIXELS, 8), float(value)), torch.full((1, 32), float(value))


def seen(bank: MemoryBank, frame: int, row: int = 0) -> dict[str, list[float]]:
    """The frames that an object remembers, as written by `memory`: {conditioning, recent, pointers}."""
    read = bank.read([row], frame)
    frames, ages = read.frames[0, :, 0, 0].tolist(), read.ages[0].tolist()
    pointers = read.pointers[0, :, 0].tolist()
    if read.used is not None:
        frame_count, pointer_count = read.used[0].tolist()
        frames, ages, pointers = frames[:frame_count], ages[:frame_count], pointers[:pointer_count]
    return {
        "conditioning": sorted(f for f, age in zip(frames, ages, strict=True) if age == 0),
        "recent": sorted(f for f, age in zip(frames, ages, strict=True) if age > 0),
        "pointers": sorted(pointers),
    }


def test_the_first_prompt_stays_and_six_frames_and_fifteen_pointers_follow(bank: MemoryBank) -> None:
    bank.write([0], 0, *memory(0), conditioning=True)
    for frame in range(1, 40):
        bank.write([0], frame, *memory(frame), conditioning=False)
    assert seen(bank, 40) == {
        "conditioning": [0],
        "recent": [34, 35, 36, 37, 38, 39],
        "pointers": [0, *range(25, 40)],
    }


def test_ages_are_counted_from_the_frame_that_looks_back(bank: MemoryBank) -> None:
    bank.write([0], 5, *memory(5), conditioning=True)
    bank.write([0], 6, *memory(6), conditioning=False)
    read = bank.read([0], 9)
    assert sorted(read.ages[0].tolist()) == [0, 3]
    assert sorted(read.pointer_ages[0].tolist()) == [3, 4]


def test_a_frame_does_not_see_itself(bank: MemoryBank) -> None:
    bank.write([0], 0, *memory(0), conditioning=True)
    for frame in range(1, 10):
        bank.write([0], frame, *memory(frame), conditioning=False)
    assert seen(bank, 9) == {"conditioning": [0], "recent": [3, 4, 5, 6, 7, 8], "pointers": list(range(9))}


def test_a_correction_is_not_counted_twice(bank: MemoryBank) -> None:
    bank.write([0], 0, *memory(0), conditioning=True)
    for frame in range(1, 8):
        bank.write([0], frame, *memory(frame), conditioning=False)
    bank.write([0], 7, *memory(70), conditioning=True)
    assert seen(bank, 8) == {"conditioning": [0, 70], "recent": [2, 3, 4, 5, 6], "pointers": [0, 1, 2, 3, 4, 5, 6, 70]}


def test_the_oldest_correction_makes_room_and_the_first_prompt_never_does(bank: MemoryBank) -> None:
    for frame in (0, 10, 20, 30, 40):
        bank.write([0], frame, *memory(frame), conditioning=True)
    assert seen(bank, 50)["conditioning"] == [0, 30, 40]
    bank.write([0], 40, *memory(41), conditioning=True)
    assert seen(bank, 50)["conditioning"] == [0, 30, 41]


def test_the_first_prompt_and_the_latest_corrections_outlive_the_ring(bank: MemoryBank) -> None:
    for frame in range(80):
        bank.write([0], frame, *memory(frame), conditioning=frame in (0, 10, 20, 30, 40))
    assert seen(bank, 80)["conditioning"] == [0, 30, 40]


@pytest.mark.parametrize("lasting, expected", [(1, [0]), (3, [0, 30, 33])])
def test_one_that_comes_late_to_the_lasting_ones_displaces_no_newer_one(
    network: Sam2, lasting: int, expected: list[int]
) -> None:
    """The object rests on the frames that would have moved the correction of frame 5 in time."""
    bank = MemoryBank(network, rows=1, conditioning=lasting, history=4, pixels=PIXELS)
    ring = bank._ring
    corrections = (0, 5, 30, 33)
    for frame in range(33 + 2 * ring):
        if frame % ring != 5 % ring or frame in (5, 5 + 3 * ring):
            bank.write([0], frame, *memory(frame), conditioning=frame in corrections)
    assert seen(bank, 33 + 2 * ring)["conditioning"] == expected


def test_a_correction_that_is_taken_back_displaces_nothing(bank: MemoryBank) -> None:
    for frame in range(41):
        bank.write([0], frame, *memory(frame), conditioning=frame in (0, 5, 10, 40))
    bank.forget_from(0, 40)
    bank.write([0], 40, *memory(40), conditioning=False)
    assert seen(bank, 41)["conditioning"] == [0, 5, 10]


def test_a_correction_out_of_the_latest_serves_as_a_recent_frame(bank: MemoryBank) -> None:
    for frame in range(4):
        bank.write([0], frame, *memory(frame), conditioning=True)
    assert seen(bank, 4) == {"conditioning": [0, 2, 3], "recent": [1], "pointers": [0, 1, 2, 3]}


@pytest.mark.parametrize("age", [0, 1, 3])
def test_it_goes_back_to_any_frame_of_the_history(bank: MemoryBank, age: int) -> None:
    """After corrections and far more frames than the ring holds, it is what it was then."""
    expected = {}
    for frame in range(60):
        expected[frame] = seen(bank, frame) if frame else None
        bank.write([0], frame, *memory(frame), conditioning=frame % 7 == 0)
    bank.copy(0, 1)
    bank.forget_from(1, 59 - age)
    assert seen(bank, 59 - age, row=1) == expected[59 - age]
    assert seen(bank, 60) != expected[59]


@pytest.mark.parametrize("frames", [1, 5, 40])
def test_what_is_exported_can_be_restored_at_another_frame(bank: MemoryBank, frames: int) -> None:
    for frame in range(frames):
        bank.write([0], frame, *memory(frame), conditioning=frame % 6 == 0)
    exported = bank.export(0, frames)
    assert bank.fits(exported)
    bank.restore(1, 1000, exported)
    assert seen(bank, 1000, row=1) == seen(bank, frames)
    a, b = bank.read([1], 1000), bank.read([0], frames)
    assert sorted(a.ages[0].tolist()) == sorted(b.ages[0].tolist())
    assert sorted(a.pointer_ages[0].tolist()) == sorted(b.pointer_ages[0].tolist())


def test_a_bank_that_keeps_less_for_ever_takes_the_rest_for_recent_frames(network: Sam2, bank: MemoryBank) -> None:
    small = MemoryBank(network, rows=1, conditioning=1, history=4, pixels=PIXELS)
    for frame in range(8):
        for one in (bank, small):
            one.write([0], frame, *memory(frame), conditioning=frame in (0, 3, 5))
    expected = seen(small, 8)
    small.restore(0, 1000, bank.export(0, 8))
    assert seen(small, 1000) == expected == {"conditioning": [0], "recent": [2, 3, 4, 5, 6, 7], "pointers": [*range(8)]}


def test_rows_are_apart_and_a_cleared_row_is_empty(bank: MemoryBank) -> None:
    bank.write([0], 0, *memory(0), conditioning=True)
    bank.write([1], 3, *memory(3), conditioning=True)
    bank.write([0, 1], 4, *(torch.cat((a, b)) for a, b in zip(memory(4), memory(14), strict=True)), conditioning=False)
    assert seen(bank, 5, row=1) == {"conditioning": [3], "recent": [14], "pointers": [3, 14]}
    bank.clear(1)
    bank.write([1], 5, *memory(5), conditioning=True)
    assert seen(bank, 6, row=1) == {"conditioning": [5], "recent": [], "pointers": [5]}
    assert seen(bank, 5, row=0) == {"conditioning": [0], "recent": [4], "pointers": [0, 4]}


def test_it_holds_a_fixed_set_of_tensors(bank: MemoryBank) -> None:
    before = (bank._memories.data_ptr(), bank._pointers.data_ptr(), bank._memories.shape)
    for frame in range(100):
        bank.write([0, 1], frame, torch.zeros(2, PIXELS, 8), torch.zeros(2, 32), conditioning=False)
    assert (bank._memories.data_ptr(), bank._pointers.data_ptr(), bank._memories.shape) == before


def test_filled_up_it_always_has_the_same_shape(bank: MemoryBank, monkeypatch: pytest.MonkeyPatch) -> None:
    for frame in range(30):
        bank.write([0], frame, *memory(frame), conditioning=frame in (0, 9))
    plain = [seen(bank, frame) for frame in (1, 12, 30)]
    monkeypatch.setattr(Sam2, "takes_filled_up", True)
    assert [seen(bank, frame) for frame in (1, 12, 30)] == plain
    reads = [bank.read([0], frame) for frame in (1, 12, 30)]
    assert {read.frames.shape for read in reads} == {(1, 9, PIXELS, 8)}
    assert {read.pointers.shape for read in reads} == {(1, 18, 32)}
