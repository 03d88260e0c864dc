"""The overlay's film: playable, and every image at its place in time."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("av")

from sam2_ros.simulation.film import Film


def _image(value: int) -> np.ndarray:
    return np.full((49, 65, 3), value, np.uint8)


def test_gaps_are_filled_with_the_image_before(tmp_path: Path) -> None:
    film = Film(tmp_path / "film.mp4", 10)
    for place, value in ((0, 20), (1, 60), (4, 100), (5, 140)):
        film.add(10**18 + place * 10**8 + 3_000_000, _image(value))
    film.close()
    capture = cv2.VideoCapture(str(film.path))
    code = int(capture.get(cv2.CAP_PROP_FOURCC)).to_bytes(4, "little")
    values = []
    while (read := capture.read())[0]:
        assert read[1].shape == (48, 64, 3), "even sizes"
        values.append(read[1].mean())
    assert code in (b"avc1", b"h264")
    assert capture.get(cv2.CAP_PROP_FPS) == 10
    np.testing.assert_allclose(values, [20, 60, 60, 60, 100, 140], atol=3)
    assert film.count == 6


def test_images_that_come_too_fast_do_not_stretch_it(tmp_path: Path) -> None:
    film = Film(tmp_path / "film.mp4", 10)
    for k in range(41):
        film.add(10**18 + k * 25_000_000, _image(k))
    film.close()
    assert 10 <= film.count <= 12


def test_without_images_the_film_of_before_stays(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    path.write_bytes(b"before")
    film = Film(path, 10)
    film.close()
    assert film.count == 0
    assert [file.read_bytes() for file in tmp_path.iterdir()] == [b"before"]
