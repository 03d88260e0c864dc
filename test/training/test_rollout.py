"""Simulated people: where they click, how they draw boxes, where they correct."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from sam2_ros.network import Sam2, Sam2Config
from training.rollout import _box, _corrective, _inside, _Past, _spoil, roll

SIZE = 64


def square(*, top: int = 20, left: int = 12, edge: int = 24) -> Tensor:
    mask = torch.zeros(1, SIZE, SIZE, dtype=torch.bool)
    mask[:, top : top + edge, left : left + edge] = True
    return mask


@pytest.mark.parametrize("seed", range(8))
def test_a_click_lies_on_the_object(seed: int) -> None:
    masks = torch.cat((square(), square(top=2, left=50, edge=5)))
    points, labels = _inside(masks, np.random.default_rng(seed))
    assert points.shape == (2, 1, 2) and labels.tolist() == [[1], [1]]
    for mask, ((x, y),) in zip(masks, points.long().tolist(), strict=True):
        assert mask[y, x]


@pytest.mark.parametrize("seed", range(8))
def test_a_box_is_near_the_object_and_in_the_picture(seed: int) -> None:
    points, labels = _box(square(), np.random.default_rng(seed))
    assert labels.tolist() == [[2, 3]]
    expected = torch.tensor([[12.0, 20.0], [36.0, 44.0]])
    # A twentieth of the edge is one standard deviation.
    assert (points[0] - expected).abs().max() < 5 * 0.05 * 24
    assert points.min() >= 0 and points.max() <= SIZE


@pytest.mark.parametrize("seed", range(8))
def test_a_correction_adds_what_is_missing_and_takes_away_what_is_too_much(seed: int) -> None:
    random = np.random.default_rng(seed)
    truth, empty = square(), torch.zeros(1, SIZE, SIZE, dtype=torch.bool)
    ((added,),), label = _corrective(empty, truth, random)
    assert label.tolist() == [[1]] and truth[0, int(added[1]), int(added[0])]
    ((removed,),), label = _corrective(square(left=30), truth & ~square(left=30), random)
    here = int(removed[1]), int(removed[0])
    assert label.item() == int(truth[0][here] and not square(left=30)[0][here])


def test_a_correction_of_a_perfect_answer_lies_on_the_object() -> None:
    truth = square()
    ((point,),), label = _corrective(truth, truth, np.random.default_rng(0))
    assert label.item() == 1 and truth[0, int(point[1]), int(point[0])]


def test_an_object_that_is_not_there_is_clicked_away() -> None:
    _, labels = _inside(torch.zeros(1, SIZE, SIZE, dtype=torch.bool), np.random.default_rng(0))
    assert labels.tolist() == [[0]]


def test_some_memories_lose_a_piece_and_some_gain_one() -> None:
    logits = torch.where(square(), 9.0, -9.0)[:, None].repeat(200, 1, 1, 1)
    spoilt = _spoil(logits, 0.25, np.random.default_rng(0))
    lost, gained = (((logits > 0) & (spoilt < 0)).sum((1, 2, 3)), ((logits < 0) & (spoilt > 0)).sum((1, 2, 3)))
    assert 20 < int(((lost > 0) & (gained == 0)).sum()) < 60
    assert 8 < int((gained > 0).sum()) < 40
    assert int(lost.max()) < 24 * 24 and int(((lost + gained) == 0).sum()) > 120
    empty = torch.full((4, 1, 8, 8), -5.0)
    assert torch.equal(_spoil(empty, 0.25, np.random.default_rng(0)), empty)
    assert torch.equal(_spoil(logits, 0.0, np.random.default_rng(0)), logits)


@pytest.fixture(scope="module")
def network() -> Sam2:
    torch.manual_seed(0)
    return Sam2(
        Sam2Config(
            image_size=SIZE,
            trunk="efficientnet_lite0",
            d_model=32,
            mem_dim=8,
            num_layers=1,
            dim_feedforward=32,
            decoder_mlp_dim=32,
        )
    )


def clip(hidden: bool) -> tuple[Tensor, Tensor]:
    """Three frames with one object, which is out of view on the last two if hidden."""
    masks = torch.zeros(1, 3, 1, SIZE, SIZE, dtype=torch.bool)
    masks[:, : 1 if hidden else 3, 0] = square()
    images = torch.full((1, 3, SIZE, SIZE, 3), 60, dtype=torch.uint8)
    images[masks[:, :, 0]] = torch.tensor([220, 120, 30], dtype=torch.uint8)
    return images, masks


@pytest.mark.parametrize(("hidden", "shown"), [(False, 3), (True, 1)])
def test_hidden_frames_count_for_presence_but_not_for_masks(network: Sam2, hidden: bool, shown: int) -> None:
    images, masks = clip(hidden)
    with torch.no_grad():
        rollout = roll(network, images, masks, np.random.default_rng(0), prompt="mask", trusted=1.0, correct=0)
    assert float(rollout.losses.in_view) == shown
    assert rollout.losses.objects == 3
    gone = [bool((logits > 0).any()) for logits in rollout.chosen[shown:]]
    assert not any(gone), "told that the object is hidden, the answer must be empty"


def test_later_frames_teach_the_memory(network: Sam2) -> None:
    images, masks = clip(hidden=False)
    network.zero_grad()
    roll(network, images, masks, np.random.default_rng(0), prompt="mask", trusted=1.0).losses.total().backward()
    for part in (network.memory_attention, network.memory_encoder, network.obj_ptr_proj):
        gradients = [parameter.grad for parameter in part.parameters() if parameter.grad is not None]
        assert gradients and any(bool(gradient.any()) for gradient in gradients)


def test_the_same_numbers_give_the_same_losses(network: Sam2) -> None:
    images, masks = clip(hidden=False)
    with torch.no_grad():
        first, again = (
            float(roll(network, images, masks, np.random.default_rng(4), prompt="box", trusted=0.5).losses.total())
            for _ in range(2)
        )
    assert first == pytest.approx(again)


def test_frames_that_are_only_followed_have_no_loss_but_the_later_ones_teach_the_memory(network: Sam2) -> None:
    masks = square()[None, None].repeat(1, 6, 1, 1, 1)
    images = torch.full((1, 6, SIZE, SIZE, 3), 60, dtype=torch.uint8)
    network.zero_grad()
    with torch.autocast("cpu", torch.bfloat16):
        rollout = roll(
            network, images, masks, np.random.default_rng(0), prompt="mask", trusted=0.0, correct=0, unlearned=3
        )
    assert rollout.losses.objects == 3 and len(rollout.chosen) == 6
    rollout.losses.total().backward()
    for part in (network.memory_attention, network.memory_encoder, network.obj_ptr_proj):
        gradients = [parameter.grad for parameter in part.parameters()]
        assert all(gradient is not None for gradient in gradients), "a weight cast without gradients was used again"


def test_memory_is_of_prompts_and_the_last_frames() -> None:
    past = _Past([torch.full((1, 1, 1), float(t)) for t in range(10)], [torch.zeros(1, 1)] * 10, list(range(10)), [])
    past.conditioning[:] = [t in (0, 2) for t in range(10)]
    memory = past.memory(10, since_first=0, recent=6)
    assert memory.frames.flatten().tolist() == [0, 2, 4, 5, 6, 7, 8, 9]
    assert memory.ages.tolist() == [[0, 0, 6, 5, 4, 3, 2, 1]]
    assert memory.pointers.shape[1] == 10, "a pointer is small: all are kept"
