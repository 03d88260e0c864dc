"""Scenes of marked photographs: things begin where they are, and are there once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from small_bank import small_bank

from training import natural as module
from training.bank import Bank
from training.collage import collage, draw
from training.marked import Marked
from training.natural import _wholes, natural_scene

SIZE, GREY = 96, 90


def marked() -> Marked:
    """A square with another in it, and one beside it, on grey: 120 x 160 pixels."""
    masks = np.zeros((3, 120, 160), np.uint8)
    masks[0, 50:70, 40:60] = 1
    masks[1, 40:80, 30:80] = 1
    masks[2, 40:80, 100:130] = 1
    picture = np.full((120, 160, 3), GREY, np.uint8)
    for mask, colour in zip(masks[[1, 0, 2]], ((200, 0, 0), (0, 200, 0), (0, 0, 200)), strict=True):
        picture[mask > 0] = colour
    return Marked(0, picture, np.full_like(picture, GREY), masks)


@pytest.fixture
def bank() -> Bank:
    return replace(small_bank(), marked=[marked()])


def first_picture(background: np.ndarray, things: list) -> tuple[np.ndarray, np.ndarray]:
    begin = (len(background) - SIZE) // 2
    picture = background[begin : begin + SIZE, begin : begin + SIZE].copy()
    labels = np.zeros((SIZE, SIZE), np.uint8)
    members = [member for thing in things for member in thing.members()]
    for label, thing in enumerate(members, start=1):
        thing.label = label
        draw(picture, labels, thing, 0, np.eye(3), 0.0)
    return picture, labels


def test_a_part_goes_with_its_whole() -> None:
    assert _wholes(marked().masks) == [(1, None), (2, None), (0, 1)]


@pytest.mark.parametrize("seed", range(8))
def test_things_begin_where_they_are_in_the_photograph(bank: Bank, seed: int) -> None:
    background, things = natural_scene(bank, np.random.default_rng(seed), 3, SIZE)
    picture, labels = first_picture(background, things)
    for label, channel in ((1, 0), (2, 1), (3, 2)):
        own, coloured = labels == label, picture[..., channel] > 145
        assert (own ^ coloured).sum() <= 0.15 * max(40, coloured.sum()), f"label {label} is not where its colour is"


@pytest.mark.parametrize("seed", range(8))
def test_no_second_one_comes_into_view(bank: Bank, seed: int) -> None:
    background, _ = natural_scene(bank, np.random.default_rng(seed), 3, SIZE)
    edge = len(background)
    outer = np.ones((edge, edge), bool)
    inner = edge // 5
    outer[inner:-inner, inner:-inner] = False
    assert (background[outer] == GREY).all(), "beyond the photograph there is a mirrored thing"


def test_in_a_still_scene_nothing_moves_but_the_camera(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_pace", lambda random: 2.0)
    moved = []
    for seed in range(20):
        _, things = natural_scene(bank, np.random.default_rng(seed), 5, SIZE)
        moved.append(any(np.abs(thing.place - thing.place[0]).max() > 1e-6 for thing in things))
    assert 4 < sum(moved) < 16, "about half of the scenes are still"


def test_a_collage_follows_them(bank: Bank) -> None:
    found = 0
    for seed in range(10):
        images, labels, wholes = collage(bank, np.random.default_rng(seed), 2, SIZE, natural=1.0)
        assert images.shape == (2, SIZE, SIZE, 3) and labels.shape == (2, SIZE, SIZE)
        found += any({1, 2} <= set(whole) for whole in wholes)
    assert found >= 5, "a whole with its part is hardly ever followed"
