"""What the mask refiner learns from, and that it goes on where it stopped."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from sam2_ros.network import Sam2, Sam2Config
from training import refining
from training.clips import Clip
from training.refining import Found, Refining

from .test_clips import small_bank


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Sam2:
    """One that looks at an object from close by and says that it is a little larger than it is."""
    torch.manual_seed(0)
    network = Sam2(replace(Sam2Config.named("nano"), image_size=64, refined_size=64)).eval().requires_grad_(False)
    images = np.full((3, 128, 128, 3), 60, np.uint8)
    masks = np.zeros((3, 2, 128, 128), bool)
    masks[:, 0, 40:80, 40:80] = masks[:, 1, 10:30, 80:120] = True
    images[masks.any(1)] = 220
    monkeypatch.setattr(refining, "make_clip", lambda *_, **__: Clip(images, masks))
    monkeypatch.setattr(refining, "_FOUND", -1.0)  # whatever a network finds that knows nothing
    return network


def test_the_number_decides_what_is_found_and_the_truth_lies_where_it_is(network: Sam2) -> None:
    found = Found(network, small_bank(), seed=1)
    first, again = found[3], found[3]
    assert all(torch.equal(one, same) for one, same in zip(first, again, strict=True))
    pictures, logits, embedding, truth = first
    assert len(pictures) > 0 and pictures.shape[1:] == (3, 64, 64) and truth.shape[1:] == (1, 64, 64)
    assert logits.shape[1:] == (1, 32, 32) and embedding.shape[1:] == (16, 32, 32)
    # The object is the brighter of two colours, so the picture itself says where the truth should be.
    bright = pictures.float().mean(1, keepdim=True)
    middle = (bright.amax((1, 2, 3), keepdim=True) + bright.amin((1, 2, 3), keepdim=True)) / 2
    both = (truth.flatten(1).amin(1) < 0.1) & (truth.flatten(1).amax(1) > 0.9)
    assert both.any(), "some show the object and what is around it"
    same = ((bright > middle) == (truth > 0.5)).float().mean((1, 2, 3))
    assert same[both].median() > 0.6


def test_a_clip_in_which_nothing_is_found_is_empty(network: Sam2, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refining, "_FOUND", 1.0)
    shapes = [tuple(part.shape) for part in Found(network, small_bank(), seed=1)[0]]
    assert shapes == [(0, 3, 64, 64), (0, 1, 32, 32), (0, 16, 32, 32), (0, 1, 64, 64)]


def test_a_run_goes_on_where_it_stopped(network: Sam2, tmp_path: Path) -> None:
    before = {key: tensor.clone() for key, tensor in network.state_dict().items()}
    Refining(tmp_path, network, small_bank(), seed=0, steps=2).run()
    again = Sam2(network.config).eval()
    again.load_state_dict(before)
    resumed = Refining(tmp_path, again, small_bank(), seed=0, steps=4)
    assert resumed.step == 2 and len(resumed.log) == 2
    key = "mask_refiner.out.weight"
    assert not torch.equal(again.state_dict()[key], before[key])
    assert torch.equal(resumed.found.network.state_dict()[key], before[key]), "clips are followed as they were"
    kept = resumed.run()
    assert resumed.step == 4 and all(np.isfinite(entry).all() for entry in resumed.log)
    halves = {key for key, tensor in kept.items() if torch.equal(tensor, 0.5 * resumed.average.state[key])}
    assert halves >= {"out.weight", "out.bias"}, "half of what it adds is kept"
    assert torch.equal(kept["ups.0.weight"], resumed.average.state["ups.0.weight"]), "and all of the rest"
    changed = {key for key, tensor in again.state_dict().items() if not torch.equal(tensor, before[key])}
    assert changed and all(key.startswith("mask_refiner.") for key in changed), "all else stays as it is"
