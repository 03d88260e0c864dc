"""Marked photographs: the marks themselves, where they end up, and what is behind the things."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from training import marked as module
from training.marked import Marked, mark

GREY, RED = 90, (200, 30, 40)


def photograph() -> np.ndarray:
    """A red square on grey, 60 x 80 pixels."""
    picture = np.full((60, 80, 3), GREY, np.uint8)
    picture[20:40, 30:50] = RED
    return picture


@pytest.fixture
def marks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict:
    """Of photograph 1 the square is marked, with a hole in it, and its upper half."""
    square, hole = [30, 20, 49, 20, 49, 39, 30, 39], [38, 33, 42, 33, 42, 37, 38, 37]
    content = {
        "1": {
            "size": [80, 60],
            "mean": photograph().mean(axis=(0, 1)).round().tolist(),
            "objects": [[square, hole], [[30, 20, 49, 20, 49, 29, 30, 29]]],
        }
    }
    file = tmp_path / "marks.json"
    file.write_text(json.dumps(content))
    monkeypatch.setattr(module, "_MARKS", file)
    return content


def test_masks_are_where_the_rings_are(marks: dict) -> None:
    (found,) = mark([np.zeros((60, 80, 3), np.uint8), photograph()])
    assert found.number == 1 and found.masks.shape == (2, 60, 80)
    whole, half = found.masks
    assert np.array_equal(half > 0, (photograph()[..., 0] == RED[0]) & (np.arange(60)[:, None] < 30))
    assert whole[20:40, 30:50].sum() == whole.sum() and not whole[35, 40], "an inner ring is a hole"


def test_what_is_painted_out_looks_as_what_is_around_it(marks: dict) -> None:
    (found,) = mark([photograph()] * 2)
    assert np.abs(found.behind.astype(int) - GREY).max() < 3
    assert np.array_equal(found.picture, photograph())


@pytest.mark.parametrize(
    "photographs",
    [
        [photograph()],
        [photograph(), photograph()[:, :-1]],
        [photograph(), 255 - photograph()],
    ],
    ids=["missing", "other size", "other colours"],
)
def test_another_photograph_than_was_marked_is_refused(marks: dict, photographs: list) -> None:
    with pytest.raises(ValueError, match="photograph 1 is not the one that was marked"):
        mark(photographs)


def test_a_cutout_is_opaque_where_the_thing_is() -> None:
    mask = np.zeros((1, 60, 80), np.uint8)
    mask[0, 20:40, 30:50] = 1
    sprite, x, y = Marked(0, photograph(), photograph(), mask).cutout(0)
    assert (x, y) == (28, 18) and sprite.shape == (24, 24, 4)
    assert (sprite[3:-3, 3:-3, 3] > 127).all() and not sprite[0, :, 3].max() > 60
    assert sprite[12, 12].tolist() == [*RED, 255]


def test_the_marks_are_things_inside_their_photographs() -> None:
    marks = json.loads(module._MARKS.read_text())
    assert len(marks) > 200
    for name, one in marks.items():
        width, height = one["size"]
        assert 0 < len(one["objects"]) < 20, name
        for rings in one["objects"]:
            for ring in rings:
                points = np.array(ring).reshape(-1, 2)
                assert len(points) > 2 and (points >= 0).all() and (points < (width, height)).all(), name
