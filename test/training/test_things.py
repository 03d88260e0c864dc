"""What moves through a collage, and how."""

from __future__ import annotations

import numpy as np
import pytest

from training.things import _leave_and_return, _shape, beside, dressed, joined, passer, random_thing, wander

from .test_clips import small_bank

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
