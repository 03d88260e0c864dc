"""Playing videos and folders."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pytest

from sam2_ros.simulation.player import Player, Unplayable


def _image(value: int) -> np.ndarray:
    """(20, 30, 3) RGB with three different channels."""
    return np.stack([np.full((20, 30), v, np.uint8) for v in (value, 2 * value, 3 * value)], 2)


def _labels() -> np.ndarray:
    labels = np.zeros((20, 30), np.uint8)
    labels[5:10, 5:15] = 7
    return labels


@pytest.fixture
def sequence(tmp_path: Path) -> Path:
    for kind in ("images", "masks", "depth"):
        (tmp_path / kind).mkdir()
    for name, value in (("00010", 10), ("00002", 20), ("00001", 30)):
        cv2.imwrite(str(tmp_path / "images" / f"{name}.png"), _image(value)[..., ::-1])
    cv2.imwrite(str(tmp_path / "masks" / "00001.png"), _labels())
    cv2.imwrite(str(tmp_path / "depth" / "00001.png"), np.full((20, 30), 1234, np.uint16))
    (tmp_path / "images" / "notes.txt").write_text("not an image")
    return tmp_path


def test_a_folder_is_played_in_the_order_of_names_as_rgb(sequence: Path) -> None:
    views = list(Player(sequence))
    assert [int(view.image[0, 0, 0]) for view in views] == [30, 20, 10]
    np.testing.assert_array_equal(views[0].image, _image(30))


def test_masks_and_depth_stand_beside_the_images_and_may_be_missing(sequence: Path) -> None:
    first, second, _ = Player(sequence)
    assert first.labels is not None and first.depth is not None
    np.testing.assert_array_equal(first.labels, _labels())
    assert (first.depth == 1234).all() and first.depth.dtype == np.uint16
    assert second.labels is None and second.depth is None


def test_a_plain_folder_of_images_is_played(sequence: Path) -> None:
    assert [view.labels for view in Player(sequence / "images")] == [None] * 3


def test_depth_in_other_units_becomes_millimetres(sequence: Path) -> None:
    view = next(iter(Player(sequence, depth_unit=0.0001)))
    assert view.depth is not None and (view.depth == 123).all()


def test_resizing_mixes_no_ids(sequence: Path) -> None:
    view = next(iter(Player(sequence, size=(17, 11))))
    assert view.image.shape == (11, 17, 3) and view.labels is not None and view.depth is not None
    assert set(np.unique(view.labels)) == {0, 7} and view.labels.shape == (11, 17)
    assert (view.depth == 1234).all()


def test_a_mask_with_a_palette_gives_its_indices(tmp_path: Path, sequence: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    picture = image.fromarray(_labels(), mode="P")
    picture.putpalette([v for k in range(256) for v in (k * 37 % 256, k * 91 % 256, k)])
    picture.save(sequence / "masks" / "00002.png")
    second = list(Player(sequence))[1]
    assert second.labels is not None
    np.testing.assert_array_equal(second.labels, _labels())


def test_ids_that_share_a_colour_are_still_two(sequence: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    picture = image.fromarray(np.resize(np.arange(4, dtype=np.uint8), (20, 30)), mode="P")
    picture.putpalette([0, 0, 0, 9, 9, 9, 9, 9, 9, 0, 0, 0])
    picture.save(sequence / "masks" / "00001.png")
    first = next(iter(Player(sequence)))
    assert first.labels is not None and set(np.unique(first.labels)) == {0, 1, 2, 3}


def test_an_id_that_has_no_place_is_refused(sequence: Path) -> None:
    cv2.imwrite(str(sequence / "masks" / "00001.png"), np.full((20, 30), 256, np.uint16))
    with pytest.raises(Unplayable, match="has an id of 256: ids up to 255 can be played"):
        next(iter(Player(sequence)))


def test_what_is_too_far_for_millimetres_is_not_known(sequence: Path) -> None:
    cv2.imwrite(str(sequence / "depth" / "00001.png"), np.resize(np.array([16000, 20480], np.uint16), (20, 30)))
    view = next(iter(Player(sequence, depth_unit=1 / 256)))
    assert view.depth is not None and set(np.unique(view.depth)) == {0, 62500}


def test_a_video_is_played_and_loops(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), 10, (64, 48))
    for k in range(5):
        writer.write(np.full((48, 64, 3), 40 * k, np.uint8))
    writer.release()
    brightness = [float(view.image.mean()) for view in Player(path)]
    assert len(brightness) == 5 and np.abs(np.array(brightness) - 40 * np.arange(5)).max() < 6
    looped = [float(view.image.mean()) for view in islice(Player(path, loop=True), 12)]
    assert looped == (brightness * 3)[:12]


@pytest.mark.parametrize("name, message", [
    ("none.mp4", "does not exist"), ("text.mp4", "is not a video"), ("empty", "holds no images"),
    ("broken", "is not an image"),
])  # fmt: skip
def test_what_cannot_be_played_is_named(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "text.mp4").write_text("no video")
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "a.png").write_text("no image")
    with pytest.raises(Unplayable, match=message) as caught:
        next(iter(Player(tmp_path / name)))
    assert name in str(caught.value)


def test_a_coloured_mask_is_refused(sequence: Path) -> None:
    cv2.imwrite(str(sequence / "masks" / "00001.png"), _image(3))
    with pytest.raises(Unplayable, match="has 3 channels"):
        next(iter(Player(sequence)))


def test_a_mask_of_another_size_is_refused(sequence: Path) -> None:
    cv2.imwrite(str(sequence / "masks" / "00001.png"), np.zeros((10, 15), np.uint8))
    with pytest.raises(Unplayable, match="00001.png has 15x10 pixels and its image 30x20; they must be of one size"):
        list(Player(sequence))
