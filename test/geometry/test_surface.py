from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest

from sam2_ros.geometry.camera import Pinhole
from sam2_ros.geometry.depth import DepthImage
from sam2_ros.geometry.surface import NotLocated, Surface, surface

# A box of 10 x 8 x 12 cm on the table.
SIZE, CENTRE = (0.10, 0.08, 0.12), (0.0, 0.0, 0.06)


@pytest.fixture
def box_on_table(scene: Any) -> Any:
    scene = scene()
    scene.box(CENTRE, SIZE)
    return scene


def _look(scene: Any, camera: Pinhole, boxes: Any, mask: np.ndarray | None = None) -> Surface:
    masks, _, depth = scene.view()
    mask = masks[0] if mask is None else mask
    taken = masks.any(axis=0) | mask
    return surface(mask, tuple(boxes(mask[None])[0].tolist()), taken, depth, camera)


def _widened(mask: np.ndarray, pixels: int) -> np.ndarray:
    return cv2.dilate(mask.astype(np.uint8), np.ones((2 * pixels + 1,) * 2, np.uint8)) > 0


def _in_world(scene: Any, points: np.ndarray) -> np.ndarray:
    return points @ scene.axes.T + scene.eye


def test_all_points_are_of_the_object(box_on_table: Any, camera: Pinhole, boxes: Any) -> None:
    seen = _look(box_on_table, camera, boxes)

    own = np.abs(_in_world(box_on_table, seen.points) - CENTRE)
    assert (own < np.array(SIZE) / 2 + 0.002).all()
    # Nearly all of its pixels, down to 3 mm above the table.
    assert len(seen.points) > 0.9 * box_on_table.view()[0][0].sum()
    assert not seen.partly_hidden


def test_every_point_belongs_to_its_pixel(box_on_table: Any, camera: Pinhole, boxes: Any) -> None:
    seen = _look(box_on_table, camera, boxes)

    np.testing.assert_allclose(camera.project(seen.points), seen.pixels, atol=0.01)
    mask = box_on_table.view()[0][0]
    assert mask[seen.pixels[:, 1], seen.pixels[:, 0]].all()


def test_the_table_is_the_support(box_on_table: Any, camera: Pinhole, boxes: Any) -> None:
    support = _look(box_on_table, camera, boxes).support

    assert support is not None
    assert np.degrees(np.arccos(support.normal @ box_on_table.rotation[:, 2])) < 0.5
    assert support.heights(box_on_table.seen((0.1, -0.1, 0.05))) == pytest.approx(0.05, abs=0.002)


@pytest.mark.parametrize("pixels", [1, 2, 4])
def test_a_mask_that_bleeds_onto_table_and_wall_gives_the_same_points(
    box_on_table: Any, camera: Pinhole, boxes: Any, pixels: int
) -> None:
    """Its edge shows table beside the object, and wall above it."""
    exact = _look(box_on_table, camera, boxes)

    seen = _look(box_on_table, camera, boxes, _widened(box_on_table.view()[0][0], pixels))

    np.testing.assert_array_equal(seen.pixels, exact.pixels)


def test_a_mask_that_takes_part_of_the_wall_too_loses_it(box_on_table: Any, camera: Pinhole, boxes: Any) -> None:
    mask = box_on_table.view()[0][0].copy()
    mask[5:30, 140:180] = True

    own = np.abs(_in_world(box_on_table, _look(box_on_table, camera, boxes, mask).points) - CENTRE)

    assert (own < np.array(SIZE) / 2 + 0.002).all()


def test_thin_parts_stay(box_on_table: Any, camera: Pinhole, boxes: Any) -> None:
    """A rod of 1 cm at its side, five pixels wide, of which eroding the mask would leave nothing."""
    box_on_table.box((0.08, 0.0, 0.06), (0.06, 0.01, 0.012))
    masks, _, depth = box_on_table.view()
    mask = masks.any(axis=0)

    seen = surface(mask, tuple(boxes(mask[None])[0].tolist()), mask, depth, camera)

    assert _in_world(box_on_table, seen.points)[:, 0].max() > 0.105


def test_a_hidden_object_is_said_to_be(box_on_table: Any, camera: Pinhole, boxes: Any) -> None:
    box_on_table.box((0.05, -0.10, 0.03), (0.06, 0.04, 0.06))

    assert _look(box_on_table, camera, boxes).partly_hidden


def test_from_above_a_few_centimetres_are_enough_to_hide_something(scene: Any, camera: Pinhole, boxes: Any) -> None:
    scene = scene(elevation=89.9)
    scene.box((0.0, 0.0, 0.02), (0.10, 0.08, 0.04))
    assert not _look(scene, camera, boxes).partly_hidden

    scene.box((0.10, 0.0, 0.04), (0.10, 0.08, 0.08))

    assert _look(scene, camera, boxes).partly_hidden


def test_something_behind_hides_nothing(box_on_table: Any, camera: Pinhole, boxes: Any) -> None:
    box_on_table.box((0.05, 0.15, 0.10), (0.10, 0.04, 0.20))

    assert not _look(box_on_table, camera, boxes).partly_hidden


def test_an_object_at_the_images_edge_may_go_on(scene: Any, camera: Pinhole, boxes: Any) -> None:
    scene = scene()
    scene.box((0.43, 0.0, 0.06), SIZE)

    assert _look(scene, camera, boxes).partly_hidden


def test_a_flat_object_is_what_the_mask_says(scene: Any, camera: Pinhole, boxes: Any) -> None:
    scene = scene()
    scene.box((0.0, 0.0, 0.001), (0.1, 0.1, 0.002))

    seen = _look(scene, camera, boxes)

    own = _in_world(scene, seen.points)
    assert np.ptp(own[:, 0]) == pytest.approx(0.1, abs=0.02)
    assert np.ptp(own[:, 1]) == pytest.approx(0.1, abs=0.02)


def test_a_large_object_has_no_more_points_than_a_planner_needs(scene: Any, camera: Pinhole, boxes: Any) -> None:
    scene = scene()
    scene.box((0.0, 0.0, 0.1), (0.5, 0.3, 0.2))
    assert scene.view()[0][0].sum() > 15_000

    seen = _look(scene, camera, boxes)

    assert 2000 < len(seen.points) <= 12000
    np.testing.assert_allclose(camera.project(seen.points), seen.pixels, atol=0.01)
    np.testing.assert_allclose(np.ptp(_in_world(scene, seen.points)[:, 0]), 0.5, atol=0.01)


def test_without_a_surface_below_there_is_no_support(scene: Any, camera: Pinhole, boxes: Any) -> None:
    """In the air before a wall that is far away."""
    scene = scene(table=False)
    scene.box(CENTRE, SIZE)

    seen = _look(scene, camera, boxes)

    assert seen.support is None
    assert len(seen.points) > 1000


def test_of_table_and_wall_the_table_is_the_support(box_on_table: Any, camera: Pinhole, boxes: Any) -> None:
    """The wall begins 4 cm behind the box and fills most of what is around it."""
    box_on_table.box((0.0, 0.085, 0.25), (1.0, 0.01, 0.5))
    masks, found, depth = box_on_table.view()

    seen = surface(masks[0], tuple(found[0].tolist()), masks[0], depth, camera)

    assert seen.support is not None
    assert seen.support.normal @ box_on_table.rotation[:, 2] > 0.999


def _with(depth: DepthImage, where: np.ndarray, value: float) -> DepthImage:
    pixels = depth.pixels.copy()
    pixels[where] = value
    return DepthImage(pixels, depth.unit)


def test_without_depth_it_is_refused(box_on_table: Any, camera: Pinhole) -> None:
    masks, found, depth = box_on_table.view()

    with pytest.raises(NotLocated, match=r"depth is known for 0 of the object's \d+ inner pixels; it must be for \d+"):
        surface(masks[0], tuple(found[0].tolist()), masks[0], _with(depth, masks[0], 0), camera)


def test_with_thin_depth_it_is_refused_and_with_a_third_not(box_on_table: Any, camera: Pinhole) -> None:
    masks, found, depth = box_on_table.view()
    rows = np.arange(masks.shape[1])[:, None] % 12
    many, few = masks[0] & (rows >= 4), masks[0] & (rows >= 1)

    with pytest.raises(NotLocated, match="depth is known for"):
        surface(masks[0], tuple(found[0].tolist()), masks[0], _with(depth, few, 0), camera)
    assert len(surface(masks[0], tuple(found[0].tolist()), masks[0], _with(depth, many, 0), camera).points) > 300


@pytest.mark.parametrize("period, phase", [(period, phase) for period in (3, 4, 5) for phase in range(period)])
def test_rows_without_depth_are_no_matter(scene: Any, camera: Pinhole, period: int, phase: int) -> None:
    """As in depth that was made larger; whatever of it is looked at, some must be there."""
    scene = scene()
    scene.box((0.0, 0.0, 0.1), (0.2, 0.2, 0.2))
    masks, found, depth = scene.view()
    rows = np.arange(masks.shape[1])[:, None] % period == phase
    seen = surface(masks[0], tuple(found[0].tolist()), masks[0], _with(depth, rows & (depth.pixels > 0), 0), camera)
    assert seen.support is not None


def test_a_tiny_object_is_refused(scene: Any, camera: Pinhole, boxes: Any) -> None:
    scene = scene()
    scene.box((0.0, 0.0, 0.01), (0.02, 0.02, 0.02))

    with pytest.raises(NotLocated, match=r"the object's \d+ pixels are too few"):
        _look(scene, camera, boxes)


def test_depth_that_is_noise_is_refused(box_on_table: Any, camera: Pinhole) -> None:
    masks, found, depth = box_on_table.view()
    wild = np.random.default_rng(0).integers(300, 3000, depth.pixels.shape).astype(np.uint16)

    with pytest.raises(NotLocated):
        surface(masks[0], tuple(found[0].tolist()), masks[0], DepthImage(wild, 0.001), camera)
