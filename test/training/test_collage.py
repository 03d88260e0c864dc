"""Collages: who hides whom, parts and wholes, a camera that moves."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from small_bank import small_bank

from training.collage import _around, _camera, _number, _shown, collage, draw
from training.things import Thing

STILL = np.eye(3)


def placed(colour: int, x: float, edge: float, *, speed: float = 0.0, label: int = 1) -> Thing:
    """An opaque square over three frames, its edge and middle in edges of the picture."""
    sprite = np.full((20, 20, 4), 255, np.uint8)
    sprite[..., :3] = colour
    place = np.array([[x + speed * t, 0.5] for t in range(3)])
    return Thing(sprite, place, np.zeros(3), np.full((3, 2), edge / 20), np.zeros((3, 2)), label=label)


def canvas() -> tuple[np.ndarray, np.ndarray]:
    return np.zeros((64, 64, 3), np.uint8), np.zeros((64, 64), np.uint8)


def test_who_comes_later_hides_who_comes_before() -> None:
    image, labels = canvas()
    for thing in (placed(100, 0.4, 0.4, label=1), placed(200, 0.6, 0.4, label=2)):
        draw(image, labels, thing, 0, STILL, 0.0)
    assert (labels[32, 20], labels[32, 32], labels[32, 46]) == (1, 2, 2)
    assert (image[32, 20, 0], image[32, 32, 0], image[32, 46, 0]) == (100, 200, 200)
    inner = cv2.erode((labels == 1).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    assert inner.any() and (image[inner] == 100).all(), "a mask holds pixels of what is in front"


def test_an_object_behind_a_larger_one_has_no_pixel() -> None:
    image, labels = canvas()
    for thing in (placed(100, 0.5, 0.3, label=1), placed(200, 0.5, 0.6, label=2)):
        draw(image, labels, thing, 0, STILL, 0.0)
    assert not (labels == 1).any() and (labels == 2).any()


def test_things_stand_where_they_should_and_the_camera_moves_them() -> None:
    image, labels = canvas()
    draw(image, labels, placed(100, 0.25, 0.25), 0, STILL, 0.0)
    rows, columns = np.nonzero(labels)
    assert np.allclose((columns.mean(), rows.mean()), (15.5, 31.5), atol=1) and abs(len(rows) - 256) < 40
    image, moved = canvas()
    draw(image, moved, placed(100, 0.25, 0.25), 0, np.array([[1, 0, 10], [0, 1, -5], [0, 0, 1.0]]), 0.0)
    assert np.array_equal(np.roll(labels, (-5, 10), axis=(0, 1)), moved)


@pytest.mark.parametrize("x", [-2.0, 3.0])
def test_what_is_out_of_the_picture_leaves_no_trace(x: float) -> None:
    image, labels = canvas()
    draw(image, labels, placed(100, x, 0.3), 0, STILL, 0.0)
    assert not image.any() and not labels.any()


def test_what_moves_before_an_open_shutter_is_smeared_along_its_way() -> None:
    sharp, smeared = (canvas() for _ in range(2))
    draw(*sharp, placed(200, 0.3, 0.3, speed=0.15), 1, STILL, 0.0)
    draw(*smeared, placed(200, 0.3, 0.3, speed=0.15), 1, STILL, 1.0)
    half_lit = [((image[32, :, 0] > 20) & (image[32, :, 0] < 180)).sum() for image, _ in (sharp, smeared)]
    assert half_lit[0] <= 3 and half_lit[1] > 10
    assert abs(int((smeared[1] > 0).sum()) - int((sharp[1] > 0).sum())) < 0.2 * (sharp[1] > 0).sum()


def test_a_whole_holds_its_parts_and_a_part_can_be_followed() -> None:
    whole = placed(100, 0.5, 0.5)
    whole.parts.append(placed(200, 0.5, 0.2))
    passing = placed(50, 0.5, 0.2)
    passing.followed = False
    wholes = _number([placed(10, 0.1, 0.1), whole, passing])
    assert wholes[:2] == [(1,), (2, 3)] and wholes[2] in ((2,), (3,)) and len(wholes) == 3
    assert passing.label == 4


def test_the_camera_begins_at_rest() -> None:
    for seed in range(5):
        views = _camera(np.random.default_rng(seed), 3, 128, followed=placed(0, 0.2, 0.1, speed=0.1))
        assert np.allclose(views[0], np.eye(3), atol=1e-9)


def test_the_camera_sometimes_follows_a_thing() -> None:
    runner, shifts = placed(0, 0.2, 0.1, speed=1.0), []
    for seed in range(40):
        views = _camera(np.random.default_rng(seed), 3, 128, followed=runner)
        shifts.append(-views[2, 0, 2] / 128)
    assert 4 < sum(1.0 < shift < 2.5 for shift in shifts) < 24  # of a way of 2


def test_how_much_of_an_object_is_shown() -> None:
    picture, labels = canvas()
    behind, front = placed(200, 0.5, 0.4), placed(90, 0.6, 0.4, label=2)
    for thing in (behind, front):
        draw(picture, labels, thing, 0, np.eye(3), 0.0)
    assert _shown([behind, front], labels, (1,)) == pytest.approx(0.25, abs=0.06)
    assert _shown([behind, front], labels, (2,)) == pytest.approx(1.0, abs=0.06)


def test_what_is_around_a_thing_is_the_background_behind_it() -> None:
    background = np.zeros((135, 135, 3), np.uint8)
    background[:, 100:] = 255
    assert _around(background, placed(0, 0.2, 0.1), 100).max() == 0
    assert _around(background, placed(0, 0.95, 0.05), 100).min() == 255


def test_labels_are_those_of_the_objects() -> None:
    bank = small_bank()
    for seed in range(10):
        images, labels, wholes = collage(bank, np.random.default_rng(seed), 3, 64, natural=0.0)
        assert images.shape == (3, 64, 64, 3) and labels.shape == (3, 64, 64)
        assert all(0 < label < 20 for whole in wholes for label in whole)
