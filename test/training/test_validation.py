"""Validation, with rollouts whose answer is known."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from small_bank import small_bank

from training import validation
from training.validation import validate


@pytest.mark.parametrize(("answer", "overlap"), [("truth", 0.6), ("nothing", 0.0)])
def test_the_truth_scores_high_and_nothing_scores_zero(
    answer: str, overlap: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[float] = []

    def roll(network, images, masks, random, *, prompt, trusted, correct, spoilt):
        assert (trusted, correct, spoilt) == (0, 0, 0), "validation must not be helped, nor hindered"
        truth = masks[0].float()
        seen.extend(truth[1:].flatten(2).any(2).float().flatten().tolist())
        chosen = (
            20 * torch.nn.functional.avg_pool2d(truth, 4) - 10 if answer == "truth" else truth[..., ::4, ::4] * 0 - 1
        )
        return SimpleNamespace(chosen=list(chosen))

    monkeypatch.setattr(validation, "roll", roll)
    network = SimpleNamespace(device="cpu")
    values = validate(network, small_bank(), size=128, seed=0, clips=6)  # type: ignore[arg-type]
    for prompt in ("mask", "box", "click"):
        assert values[prompt] >= overlap if overlap else values[prompt] == 0
    if answer == "nothing":
        assert values["presence"] == pytest.approx(1 - sum(seen) / len(seen))
