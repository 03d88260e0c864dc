"""What the mask refiner learns from, and that it goes on where it stopped."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from small_bank import small_bank

from sam2_ros.network import Sam2, Sam2Config
from training import refining
from training.clips import Clip
from training.refining import EDGES, LEAD, Found, Part, Refining


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
    monkeypatch.setattr(refining, "_RODS", 3)
    monkeypatch.setattr(refining, "_FOUND", -1.0)  # whatever a network finds that knows nothing
    return network


def test_the_number_decides_what_is_found_and_the_truth_lies_where_it_is(network: Sam2) -> None:
    found = Found(network, small_bank(), EDGES, seed=1)
    first, again = found[3], found[3]
    assert all(torch.equal(one, same) for one, same in zip(first, again, strict=True))
    pictures, logits, embedding, earlier, truth = first
    assert len(pictures) > 0 and pictures.shape[1:] == (3, 64, 64)
    assert truth.shape[1:] == earlier.shape[1:] == (1, 64, 64)
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
    shapes = [tuple(part.shape) for part in Found(network, small_bank(), EDGES, seed=1)[0]]
    assert shapes == [(0, 3, 64, 64), (0, 1, 32, 32), (0, 16, 32, 32), (0, 1, 64, 64), (0, 1, 64, 64)]


def test_where_the_mask_before_is_told_it_is_the_truth_and_of_others_nothing_is_learnt(
    network: Sam2, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sam2_ros.tracking.close_ups._ALIKE", 0.0)  # whatever a network finds that knows nothing
    told = replace(LEAD, told=1.0, spoiled=0.0)
    found = Found(network, small_bank(), told, seed=1)
    assert len(found.bank.drawings) == len(small_bank().drawings[::4]) + 3
    *_, earlier, truth = next(clip for clip in map(found.__getitem__, range(20)) if len(clip[0]))
    assert earlier.flatten(1).any(1).all()
    # Nothing moves, so that what was true is true.
    right = ((earlier > 0) == (truth > 0.5)).float().mean()
    assert right > 0.9
    spoiled = Found(network, small_bank(), replace(told, spoiled=1.0), seed=1)
    *_, wrong, truth = next(clip for clip in map(spoiled.__getitem__, range(20)) if len(clip[0]))
    assert ((wrong > 0) == (truth > 0.5)).float().mean() < right


@pytest.mark.parametrize("part", [EDGES, replace(LEAD, led=False, round=3)], ids=lambda part: part.name)
def test_a_run_goes_on_where_it_stopped(network: Sam2, tmp_path: Path, part: Part) -> None:
    before = {key: tensor.clone() for key, tensor in network.state_dict().items()}
    Refining(tmp_path, network, small_bank(), part, seed=0, steps=2).run()
    again = Sam2(network.config).eval()
    again.load_state_dict(before)
    resumed = Refining(tmp_path, again, small_bank(), part, seed=0, steps=4)
    assert resumed.step == 2 and len(resumed.log) == 2
    key = f"mask_refiner.{part.last}.bias"
    assert not torch.equal(again.state_dict()[key], before[key])
    assert torch.equal(resumed.found.network.state_dict()[key], before[key]), "clips are followed as they were"
    kept = resumed.run()
    followed = resumed.found.network.state_dict()[key]
    assert torch.equal(followed, before[key]) == (part.round > 4), "or by what was learnt in the rounds before"
    assert resumed.step == 4 and all(np.isfinite(entry).all() for entry in resumed.log)
    state = resumed.average.state
    for name, tensor in kept.items():
        share = part.kept if name in (f"{part.last}.weight", f"{part.last}.bias") else 1
        assert torch.equal(tensor, share * state[name]), "a share of what it adds is kept, and all of the rest"
    changed = {key for key, tensor in again.state_dict().items() if not torch.equal(tensor, before[key])}
    learned = tuple(f"mask_refiner.{name}." for name in part.modules)
    assert changed and all(key.startswith(learned) for key in changed), "all else stays as it is"
