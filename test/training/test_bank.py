"""The bank: which sprites are taken, how they are cut, what is kept for validation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from training import bank as module
from training.bank import Bank, _of_wheel, _off_plain_background, _shrunk, _sprites, _trim, load_bank
from training.marked import Marked


def picture(*, size: int = 120) -> np.ndarray:
    """A blue disc (RGBA), transparent around it, and in the corner of its box a small red dot apart from it."""
    y, x = np.mgrid[:size, :size]
    out = np.zeros((size, size, 4), np.uint8)
    out[(x - 50) ** 2 + (y - 60) ** 2 < 40**2] = (0, 0, 255, 255)
    out[22:28, 12:18] = (255, 0, 0, 255)
    return out


def test_the_largest_part_is_cut_out_and_scaled() -> None:
    sprite = _trim(picture())
    assert sprite is not None
    assert max(sprite.shape[:2]) == module._SPRITE and sprite.shape[2] == 4
    assert sprite[sprite.shape[0] // 2, sprite.shape[1] // 2].tolist() == [0, 0, 255, 255]
    assert not sprite[:20, :20, 3].any(), "the dot is still there"
    assert 0.7 < (sprite[..., 3] > 127).mean() < 0.85  # pi / 4


@pytest.mark.parametrize(("height", "width"), [(10, 10), (20, 200), (300, 30)])
def test_what_is_tiny_or_very_long_is_left_out(height: int, width: int) -> None:
    assert _trim(np.full((height, width, 4), 255, np.uint8)) is None


def test_a_transparent_picture_is_left_out() -> None:
    assert _trim(np.zeros((100, 100, 4), np.uint8)) is None


def test_plain_rectangles_and_pictures_without_opacity_are_left_out() -> None:
    filled, opaque = np.full((100, 100, 4), 255, np.uint8), np.full((100, 100, 3), 255, np.uint8)
    assert len(_sprites([picture(), filled, opaque], 10)) == 1


def test_a_thing_on_a_plain_background_is_cut_out() -> None:
    photograph = np.full((400, 500, 3), 240, np.uint8)
    photograph[150:300, 200:350] = (180, 30, 40)
    cut = _off_plain_background(photograph)
    assert cut is not None and cut.shape == (400, 500, 4)
    opaque = cut[..., 3] > 127
    assert abs(opaque.sum() - 150**2) < 0.05 * 150**2
    assert opaque[225, 275] and not opaque[100, 100]


def test_a_photograph_without_a_plain_border_is_not_cut() -> None:
    random = np.random.default_rng(0)
    assert _off_plain_background(random.integers(0, 255, (400, 500, 3), dtype=np.uint8)) is None


def test_photographs_have_one_shorter_side_and_no_opacity() -> None:
    assert _shrunk(np.zeros((900, 1200, 4), np.uint8)).shape == (400, 533, 3)
    assert _shrunk(np.zeros((100, 2000, 3), np.uint8)).shape == (400, 800, 3), "a panorama is cut"


def test_missing_photographs_name_the_group(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(FileNotFoundError, match="--group train"):
        _of_wheel()


def numbered(count: int) -> Bank:
    """Pictures that can be told apart by their first value."""
    sprites = [np.full((5, 4, 4), n, np.uint8) for n in range(count)]
    photographs = [np.full((6, 7, 3), n, np.uint8) for n in range(count)]
    scene = np.zeros((8, 4, 4, 3), np.uint8)
    films = [np.full((5, 3, 4, 4), n, np.uint8) for n in range(count)]
    tables = [(scene + n, np.ones((8, 4, 4), np.uint8)) for n in range(count)]
    marked = [Marked(n, photographs[n], photographs[n], np.ones((1, 6, 7), np.uint8)) for n in range(0, count, 5)]
    return Bank(sprites, sprites, photographs, films, tables, marked)


def test_validation_shares_no_picture_with_training() -> None:
    kept, held_out = numbered(30).split()
    for name in ("drawings", "cutouts", "photographs", "models", "tables"):
        one, other = ({int(np.ravel(item[0])[0]) for item in getattr(part, name)} for part in (kept, held_out))
        assert one | other == set(range(30)) and not one & other and len(other) == 3
    assert [one.number for one in held_out.marked] == [0], "a marked photograph goes where it goes as a photograph"
    assert [one.number for one in kept.marked] == [5, 10, 15, 20, 25]


def test_a_bank_is_prepared_once_and_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "mark", lambda photographs: [])
    monkeypatch.setattr(module, "_prepare", lambda *_: numbered(3))
    first = load_bank(tmp_path, drawings=3, tables=3)
    monkeypatch.setattr(module, "_prepare", lambda *_: pytest.fail("prepared a second time"))
    again = load_bank(tmp_path, drawings=3, tables=3)
    assert [sprite[0, 0, 0] for sprite in again.drawings] == [0, 1, 2]
    assert np.array_equal(again.photographs[2], first.photographs[2])
    assert np.array_equal(again.models[2], first.models[2])
    assert np.array_equal(again.tables[1][0], numbered(3).tables[1][0])
    assert not list(tmp_path.glob("*.part*"))
