"""Losses against numbers worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch

from training.losses import mask_losses


def test_a_flat_answer() -> None:
    """Probability one half everywhere, a mask over half of the picture."""
    truth = torch.zeros(1, 8, 8)
    truth[:, :4] = 1
    losses = mask_losses(torch.zeros(1, 1, 4, 4), torch.tensor([[0.25]]), torch.zeros(1), truth)
    # Focal: weights 0.25 and 0.75, each times 0.5 squared times ln 2, half of the pixels each.
    assert float(losses.focal) == pytest.approx(0.5 * (0.25 + 0.75) * 0.25 * math.log(2), rel=1e-5)
    # Dice: 1 - (2 * 16 + 1) / (32 + 32 + 1).
    assert float(losses.dice) == pytest.approx(1 - 33 / 65, rel=1e-5)
    # A logit of 0 is not above 0, so the predicted mask is empty and its true IoU is 0.
    assert float(losses.iou) == pytest.approx(0.25)
    assert float(losses.presence) == pytest.approx(math.log(2), rel=1e-5)


def test_of_three_readings_only_the_best_is_taught() -> None:
    truth = torch.zeros(1, 8, 8)
    truth[:, 2:6, 2:6] = 1
    good = torch.where(truth[:, ::2, ::2] > 0, 9.0, -9.0)
    logits = torch.stack((-good, good, torch.zeros_like(good)), dim=1).requires_grad_()
    mask_losses(logits, torch.zeros(1, 3), torch.zeros(1), truth).total().backward()
    assert logits.grad is not None
    taught = logits.grad.abs().sum((0, 2, 3))
    assert taught[1] > 0 and taught[0] == 0 and taught[2] == 0


def test_an_object_out_of_view_teaches_presence_alone() -> None:
    logits = torch.randn(2, 3, 4, 4, requires_grad=True)
    score = torch.zeros(2, requires_grad=True)
    truth = torch.zeros(2, 8, 8)
    truth[0, :4] = 1
    losses = mask_losses(logits, torch.zeros(2, 3), score, truth)
    losses.total().backward()
    assert logits.grad is not None and score.grad is not None
    assert logits.grad[0].abs().sum() > 0 and not logits.grad[1].any()
    assert score.grad[0] < 0 < score.grad[1]
    assert (float(losses.in_view), losses.objects) == (1, 2)


def test_sums_add_up() -> None:
    truth = torch.zeros(1, 8, 8)
    truth[:, :4] = 1
    once = mask_losses(torch.zeros(1, 1, 4, 4), torch.tensor([[0.25]]), torch.zeros(1), truth)
    twice = once + once
    assert float(twice.total()) == pytest.approx(float(once.total()))
    assert twice.objects == 2


def test_the_total_weighs_its_parts() -> None:
    """Two objects, the second out of view: masks and quality count for one, presence is the mean over both."""
    truth = torch.zeros(2, 8, 8)
    truth[0, :4] = 1
    losses = mask_losses(torch.zeros(2, 1, 4, 4), torch.tensor([[0.25], [0.75]]), torch.zeros(2), truth)
    # Beside test_a_flat_answer: the second object's quality, wrong by 0.75, must not be taught.
    assert float(losses.iou) == pytest.approx(0.25)
    focal, dice = 0.5 * (0.25 + 0.75) * 0.25 * math.log(2), 1 - 33 / 65
    assert float(losses.total(3)) == pytest.approx(20 * focal + 3 * dice + 0.25 + math.log(2), rel=1e-5)
