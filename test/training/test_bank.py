"""The bank: which sprites are taken, how they are cut, what is said where a source is missing."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from training import bank as module
from training.bank import _photographs, _sprites, _trim, load_bank


def picture(*, size: int = 120) -> np.ndarray:
    """A blue disc (BGRA), transparent around it, and in the corner of its box a small red dot apart from it."""
    y, x = np.mgrid[:size, :size]
    out = np.zeros((size, size, 4), np.uint8)
    out[(x - 50) ** 2 + (y - 60) ** 2 < 40**2] = (255, 0, 0, 255)
    out[22:28, 12:18] = (0, 0, 255, 255)
    return out


def test_the_largest_part_is_cut_out_and_turned_to_rgb() -> None:
    sprite = _trim(picture())
    assert sprite is not None
    assert max(sprite.shape[:2]) == module._SPRITE and sprite.shape[2] == 4
    assert sprite[sprite.shape[0] // 2, sprite.shape[1] // 2].tolist() == [0, 0, 255, 255]
    assert not sprite[:20, :20, 3].any(), "the dot is still there"
    assert 0.7 < (sprite[..., 3] > 127).mean() < 0.85  # pi / 4


@pytest.mark.parametrize(("height", "width"), [(10, 10), (20, 200), (200, 30)])
def test_what_is_tiny_or_very_long_is_left_out(height: int, width: int) -> None:
    assert _trim(np.full((height, width, 4), 255, np.uint8)) is None


def test_a_transparent_picture_is_left_out() -> None:
    assert _trim(np.zeros((100, 100, 4), np.uint8)) is None


def test_plain_rectangles_and_pictures_without_opacity_are_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CLIP_ART", tmp_path)
    cv2.imwrite(str(tmp_path / "disc.png"), picture())
    cv2.imwrite(str(tmp_path / "filled.png"), np.full((100, 100, 4), 255, np.uint8))
    cv2.imwrite(str(tmp_path / "opaque.png"), np.full((100, 100, 3), 255, np.uint8))
    assert len(_sprites(10, np.random.default_rng(0))) == 1


def test_missing_clip_art_names_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CLIP_ART", tmp_path)
    with pytest.raises(FileNotFoundError, match="openclipart-png"):
        _sprites(1, np.random.default_rng(0))


def test_missing_photographs_name_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(FileNotFoundError, match="--group train"):
        _photographs()


def test_a_bank_is_prepared_once_and_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = np.arange(8 * 4 * 4 * 3, dtype=np.uint8).reshape(8, 4, 4, 3), np.ones((8, 4, 4), np.uint8)
    monkeypatch.setattr(module, "_sprites", lambda count, random: [np.full((5, 4, 4), n, np.uint8) for n in (1, 2)])
    monkeypatch.setattr(module, "_photographs", lambda: [np.full((6, 7, 3), 9, np.uint8)])
    monkeypatch.setattr(module, "_tables", lambda count, random: [scene])
    first = load_bank(tmp_path, sprites=2, tables=1)
    monkeypatch.setattr(module, "_sprites", lambda *_: pytest.fail("prepared a second time"))
    again = load_bank(tmp_path, sprites=2, tables=1)
    assert [sprite[0, 0, 0] for sprite in again.sprites] == [1, 2]
    assert np.array_equal(again.photographs[0], first.photographs[0])
    for one, other in zip(again.tables[0], scene, strict=True):
        assert np.array_equal(one, other)
    assert not list(tmp_path.glob("*.part*"))
