"""What moves through a collage, and how."""

from __future__ import annotations

import numpy as np
import pytest
from small_bank import small_bank

from training.things import (
    Skin,
    Thing,
    _leave_and_return,
    _shape,
    _turn,
    beside,
    blend_in,
    dressed,
    filmed,
    joined,
    passer,
    random_thing,
    wander,
)

BANK = small_bank()


def test_a_way_begins_at_zero_and_its_steps_grow_with_the_speed() -> None:
    slow, fast = (
        np.mean([np.abs(np.diff(wander(np.random.default_rng(n), 8, speed, 2), axis=0)).mean() for n in range(40)])
        for speed in (0.01, 0.04)
    )
    assert fast == pytest.approx(4 * slow)
    assert 0.005 < slow < 0.03
    assert not wander(np.random.default_rng(0), 8, 1.0, 2)[0].any()


@pytest.mark.parametrize("seed", range(8))
def test_a_leaving_thing_is_out_in_the_middle_and_back_at_the_end(seed: int) -> None:
    random = np.random.default_rng(seed)
    thing = random_thing(BANK, random, 7)
    thing.place = np.repeat(random.uniform(0.1, 0.9, (1, 2)), 7, axis=0)
    thing.scale[:] = thing.scale[0]
    start = thing.place[0].copy()
    _leave_and_return(thing, random)
    half = 0.5 * np.array(thing.sprite.shape[1::-1]) * thing.scale[0]
    out = ((thing.place + half < 0) | (thing.place - half > 1)).any(axis=1)
    assert out[3] or out[4]
    assert not out[0] and not out[6]
    assert np.allclose(thing.place[6], start)


@pytest.mark.parametrize("seed", range(8))
def test_a_passer_covers_the_target_at_some_moment(seed: int) -> None:
    random = np.random.default_rng(seed)
    target = random_thing(BANK, random, 6)
    front = passer(BANK, random, target)
    nearest = np.linalg.norm(front.place - target.place, axis=1).argmin()
    assert nearest > 0
    assert np.allclose(front.place[nearest], target.place[nearest])
    assert np.linalg.norm(front.place[0] - front.place[-1]) > 0.2


@pytest.mark.parametrize("seed", range(8))
def test_what_stands_beside_another_is_near_it_and_no_larger(seed: int) -> None:
    random = np.random.default_rng(seed)
    other, thing = random_thing(BANK, random, 6), random_thing(BANK, random, 6)
    beside(random, thing, other)
    edge = max(other.sprite.shape[:2]) * other.scale[0].mean()
    assert np.linalg.norm(thing.place[0] - other.place[0]) < 0.61 * edge
    assert 0.35 * edge < max(thing.sprite.shape[:2]) * thing.scale[0].mean() < 1.05 * edge


def test_a_part_stays_with_its_whole() -> None:
    random = np.random.default_rng(3)
    thing = random_thing(BANK, random, 8)
    joined(BANK, random, thing)
    distance = np.linalg.norm(thing.parts[0].place - thing.place, axis=1)
    reach = 0.4 * max(thing.sprite.shape[:2]) * thing.scale.mean(axis=1)
    assert (np.abs(distance - reach) < 0.15).all()


def test_the_surface_of_what_turns_moves_inside_its_outline() -> None:
    sprite = np.zeros((20, 30, 4), np.uint8)
    sprite[5:15, 5:25, 3] = 255
    picture = np.broadcast_to(np.arange(60, dtype=np.uint8)[None, :, None], (40, 60, 3)).copy()
    slide = np.array([[0.0, 0.0], [0.5, 0.0]])
    seen = [Skin(picture, 1.0, slide, np.zeros((2, 2))).over(sprite, t) for t in range(2)]
    assert (seen[1][..., 0].astype(int) - seen[0][..., 0] == 15).all()
    for one in seen:
        assert (one[..., 3] == sprite[..., 3]).all()
    lit = Skin(picture + 100, 1.0, slide, np.array([[0.5, 0.0]] * 2)).over(sprite, 0)
    assert lit[0, -1, 0] > 1.4 * (100 + 29) and lit[0, 0, 0] == 50


def test_what_turns_has_a_surface_on_every_frame() -> None:
    thing = random_thing(BANK, np.random.default_rng(1), 6)
    before = thing.scale.copy()
    _turn(BANK, thing, np.random.default_rng(2))
    assert thing.skin is not None
    for t in range(6):
        assert thing.skin.over(thing.sprite, t).shape == thing.sprite.shape
    assert not np.allclose(before, thing.scale)


@pytest.mark.parametrize("seed", range(8))
def test_what_blends_in_looks_more_like_its_surroundings(seed: int) -> None:
    thing = random_thing(BANK, np.random.default_rng(seed), 2)
    before, around = thing.sprite, np.full((8, 8, 3), 128, np.uint8)
    blend_in(thing, around, np.random.default_rng(seed))
    solid = before[..., 3] > 127
    was, now = (abs(float(one[solid][:, :3].mean()) - 128) for one in (before, thing.sprite))
    assert now <= was * 0.65 + 2
    assert (thing.sprite[..., 3] == before[..., 3]).all() and thing.sprite is not before


def test_calm_things_move_by_a_small_part_of_themselves() -> None:
    steps = {}
    for calm in (False, True):
        things = [random_thing(BANK, np.random.default_rng(n), 8, calm=calm) for n in range(60)]
        edges = [max(one.sprite.shape[:2]) * one.scale[0].mean() for one in things]
        moved = [np.linalg.norm(np.diff(one.place, axis=0), axis=1).mean() for one in things]
        steps[calm] = np.median(np.array(moved) / edges)
    assert steps[True] < 0.06 < steps[False]


@pytest.mark.parametrize("seed", range(30))
def test_every_sprite_has_something_to_see(seed: int) -> None:
    for sprite in (dressed(BANK, np.random.default_rng(seed)), _shape(np.random.default_rng(seed))):
        assert sprite.dtype == np.uint8 and sprite.shape[2] == 4
        assert 0.03 < (sprite[..., 3] > 127).mean() <= 1


def test_dressing_leaves_the_bank_as_it_is() -> None:
    before = [sprite.copy() for sprite in BANK.drawings]
    for seed in range(40):
        dressed(BANK, np.random.default_rng(seed))
    assert all(np.array_equal(one, other) for one, other in zip(before, BANK.drawings, strict=True))


def test_a_solid_thing_goes_through_its_film_to_and_fro() -> None:
    widths = [
        (filmed(BANK, np.random.default_rng(seed), 16)[..., 3] > 0).any(axis=1).sum(axis=1).tolist()
        for seed in range(30)
    ]
    assert {len(set(one)) for one in widths} >= {1, 6}, "some do not turn, some go through all of it"
    for one in widths:
        assert np.abs(np.diff(one)).max() <= 8, "no jump from its end to its beginning"


def test_a_solid_thing_that_blends_in_does_so_on_every_frame() -> None:
    film = filmed(BANK, np.random.default_rng(0), 5)
    thing = Thing(film[0], *(np.zeros((5, n)) for n in (2, 1, 2, 2)), film=film)
    blend_in(thing, np.full((8, 8, 3), 250, np.uint8), np.random.default_rng(1))
    assert thing.film is not None and (thing.film[..., :3].mean() > film[..., :3].mean() + 20)
    assert np.array_equal(thing.film[0], thing.sprite) and np.array_equal(thing.film[..., 3], film[..., 3])
