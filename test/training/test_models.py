"""Solid models: their files are read, and they look another way as they turn."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from training import models as module
from training.models import Part, _film, _texture, read_model, turning_models

_CORNERS = np.array([(x, y, z) for x in (0, 1) for y in (0, 1) for z in (0, 1)], np.float32)
_FACES = np.array(
    [(0, 1, 3), (0, 3, 2), (4, 6, 7), (4, 7, 5), (0, 4, 5), (0, 5, 1), (2, 3, 7), (2, 7, 6), (0, 2, 6), (0, 6, 4),
     (1, 5, 7), (1, 7, 3)], np.int32,
)  # fmt: skip


def brick() -> Part:
    return Part("brick.png", _CORNERS * [4, 1, 2], _CORNERS[:, :2], _FACES)


def spm(colours: bool, animated: bool) -> bytes:
    """A file with the brick in it: normals, perhaps colours of one or of four bytes, perhaps joints."""
    content = b"SP" + bytes([1 << 3 | (1 if animated else 2), 1 | (2 if colours else 0)]) + bytes(24)
    content += struct.pack("<H", 1) + b"\x09brick.png" + b"\x00" + struct.pack("<HH", 1, 1)
    content += struct.pack("<IIH", 8, 36, 0)
    for index, (vertex, (u, v)) in enumerate(zip(brick().vertices, brick().coordinates, strict=True)):
        content += struct.pack("<3f", *vertex) + bytes(4)
        if colours:
            content += b"\x80" if index % 2 else bytes([7, 1, 2, 3])
        content += np.array([u, v], "<f2").tobytes() + (bytes(16) if animated else b"")
    return content + _FACES.astype(np.uint8).tobytes() + (b"and its animation" if animated else b"")


@pytest.mark.parametrize("colours", [False, True])
@pytest.mark.parametrize("animated", [False, True])
def test_a_model_is_read(tmp_path: Path, colours: bool, animated: bool) -> None:
    (tmp_path / "brick.spm").write_bytes(spm(colours, animated))
    (part,) = read_model(tmp_path / "brick.spm")
    assert part.texture == "brick.png"
    assert np.array_equal(part.vertices, brick().vertices)
    assert np.array_equal(part.coordinates, brick().coordinates)
    assert np.array_equal(part.faces, _FACES)


def test_another_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "no.spm").write_bytes(b"B3D it is")
    with pytest.raises(ValueError, match=r"no\.spm is not an SPM file"):
        read_model(tmp_path / "no.spm")


def test_a_solid_looks_another_way_as_it_turns() -> None:
    film = _film([brick()], {"brick.png": np.full((8, 8, 3), (200, 80, 40), np.uint8)}, np.random.default_rng(3))
    assert film is not None and film.shape[0] == module.FRAMES and film.shape[3] == 4
    shown = (film[..., 3] > 127).sum(axis=(1, 2))
    assert shown.max() > 1.1 * shown.min() > 0
    red, green, blue = film[film[..., 3] > 200][:, :3].mean(axis=0)
    assert red > 1.5 * green > 1.2 * blue, "the colours of its texture"


def test_a_sheet_is_no_solid() -> None:
    sheet = Part("", brick().vertices * [1, 0.01, 1], brick().coordinates, _FACES)
    assert _film([sheet], {"": np.zeros((4, 4, 3), np.uint8)}, np.random.default_rng(0)) is None


def test_leaves_on_cards_are_left_out_and_a_missing_texture_is_grey(tmp_path: Path) -> None:
    leaves = np.full((8, 8, 4), 255, np.uint8)
    leaves[:4, :, 3] = 0
    module.cv2.imwrite(str(tmp_path / "leaves.png"), leaves)
    assert _texture(tmp_path / "leaves.png") is None
    grey = _texture(None)
    assert grey is not None and (grey == grey[0, 0, 0]).all()


def test_models_too_plain_to_teach_anything_are_left_out(tmp_path: Path) -> None:
    data = tmp_path / "usr/share/games/supertuxkart/data"
    data.mkdir(parents=True)
    (data / "brick.spm").write_bytes(spm(colours=False, animated=False))
    assert turning_models(tmp_path, seed=0) == [], "twelve triangles"
