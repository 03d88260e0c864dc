from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sam2_ros.geometry.box_fitting import fitted_box
from sam2_ros.geometry.camera import Pinhole
from sam2_ros.geometry.depth import DepthImage
from sam2_ros.geometry.oriented_box import OrientedBox
from sam2_ros.geometry.places import Place, locate
from sam2_ros.geometry.surface import Surface, surface

CAMERA = Pinhole(width=320, height=240, fx=300.0, fy=300.0, cx=159.5, cy=119.5)
CLOSE, ALIKE = 0.01, 0.2  # a centimetre, and a fifth of the size


def _locate(scene: Any, camera: Pinhole) -> list[Place]:
    masks, boxes, depth = scene.view()
    places = locate(masks, boxes, depth, camera)
    assert all(isinstance(place, Place) for place in places), places
    return places


def _check(box: OrientedBox, scene: Any, centre: tuple[float, float, float], size: tuple[float, float, float]) -> None:
    """size: along axes such that the box's own, in any order of x and y, are meant."""
    np.testing.assert_allclose(box.centre, scene.seen(centre), atol=CLOSE)
    assert box.rotation[:, 2] @ scene.rotation[:, 2] > 0.999
    np.testing.assert_allclose(sorted(box.size[:2]), sorted(size[:2]), rtol=ALIKE)
    np.testing.assert_allclose(box.size[2], size[2], rtol=ALIKE)
    np.testing.assert_allclose(box.rotation.T @ box.rotation, np.eye(3), atol=1e-9)
    assert np.linalg.det(box.rotation) == pytest.approx(1.0)


@pytest.mark.parametrize("noise", [0.0, 0.002])
@pytest.mark.parametrize("elevation", [20.0, 40.0, 65.0])
def test_box_can_and_ball_on_a_table(scene: Any, camera: Pinhole, elevation: float, noise: float) -> None:
    scene = scene(elevation=elevation, noise=noise)
    scene.box((-0.18, 0.0, 0.06), (0.10, 0.06, 0.12), yaw=25.0)
    scene.can((0.0, 0.05, 0.0), 0.035, 0.11)
    scene.ball((0.17, 0.0, 0.045), 0.045)

    box, can, ball = _locate(scene, camera)

    _check(box.box, scene, (-0.18, 0.0, 0.06), (0.10, 0.06, 0.12))
    _check(can.box, scene, (0.0, 0.05, 0.055), (0.07, 0.07, 0.11))
    _check(ball.box, scene, (0.17, 0.0, 0.045), (0.09, 0.09, 0.09))
    assert all(place.upright and not place.partly_hidden for place in (box, can, ball))
    if not noise:
        # Named such that x is nearest to the camera's right.
        yaw = scene.rotation @ [np.cos(np.deg2rad(25)), np.sin(np.deg2rad(25)), 0.0]
        assert box.box.rotation[:, 0] @ yaw > 0.999


def test_from_straight_above(scene: Any, camera: Pinhole) -> None:
    """No side of the box is seen; that it goes down to the table follows from the table's being seen around it."""
    scene = scene(elevation=89.9)
    scene.box((0.0, 0.0, 0.05), (0.14, 0.08, 0.10), yaw=15.0)

    (place,) = _locate(scene, camera)

    _check(place.box, scene, (0.0, 0.0, 0.05), (0.14, 0.08, 0.10))


@pytest.mark.parametrize("elevation", [70.0, 75.0, 80.0, 85.0])
@pytest.mark.parametrize("seed", range(4))
def test_from_steeply_above_a_thing_reaches_down_to_the_table(
    scene: Any, camera: Pinhole, elevation: float, seed: int
) -> None:
    """Along its side depth jumps from pixel to pixel."""
    random = np.random.default_rng(seed)
    size, radius, height = random.uniform(0.08, 0.15, 3), random.uniform(0.03, 0.06), random.uniform(0.08, 0.15)
    box = scene(elevation=elevation, distance=random.uniform(0.5, 0.8), noise=0.001)
    box.box((0.0, 0.0, size[2] / 2), tuple(size), yaw=random.uniform(-90, 90))
    can = scene(elevation=elevation, distance=random.uniform(0.5, 0.8), noise=0.001)
    can.can((0.0, 0.0, 0.0), radius, height)

    _check(_locate(box, camera)[0].box, box, (0.0, 0.0, size[2] / 2), tuple(size))
    _check(_locate(can, camera)[0].box, can, (0.0, 0.0, height / 2), (2 * radius, 2 * radius, height))


@pytest.mark.parametrize("seed", range(16))
def test_a_tall_thing_near_the_camera_keeps_its_height(scene: Any, camera: Pinhole, seed: int) -> None:
    """Its side is seen more steeply than its top, which has most of the points."""
    random = np.random.default_rng(seed)
    size = (*random.uniform(0.05, 0.12, 2), random.uniform(0.12, 0.22))
    scene = scene(elevation=random.uniform(60.0, 70.0), distance=random.uniform(0.4, 0.6))
    scene.box((0.0, 0.0, size[2] / 2), size, yaw=random.uniform(-90, 90))

    (place,) = _locate(scene, camera)

    assert place.box.size[2] == pytest.approx(size[2], rel=0.2)


@pytest.mark.parametrize("elevation", [70.0, 75.0, 80.0])
def test_a_slim_thing_seen_steeply_keeps_its_height(scene: Any, camera: Pinhole, elevation: float) -> None:
    """Its foot is further behind its top, 15 cm, than it looks large, some 10 cm."""
    scene = scene(elevation=elevation, distance=0.5)
    scene.box((0.0, 0.0, 0.08), (0.05, 0.05, 0.16))

    (place,) = _locate(scene, camera)

    _check(place.box, scene, (0.0, 0.0, 0.08), (0.05, 0.05, 0.16))


@pytest.mark.parametrize("elevation", [72.0, 80.0, 86.0, 89.9])
@pytest.mark.parametrize("height", [0.19, 0.26])
def test_a_slim_tall_thing_from_above_stands_on_the_table(
    scene: Any, camera: Pinhole, elevation: float, height: float
) -> None:
    """A bottle as a camera at the wrist sees it. It looks 10 cm large, and the table is twice as far below its top."""
    scene = scene(elevation=elevation, distance=0.7, noise=0.001)
    scene.can((0.0, 0.0, 0.0), 0.035, height)

    (place,) = _locate(scene, camera)

    assert place.upright
    _check(place.box, scene, (0.0, 0.0, height / 2), (0.07, 0.07, height))


def test_what_hangs_in_front_of_a_surface_that_is_seen_obliquely_does_not_stand_on_it(
    scene: Any, camera: Pinhole
) -> None:
    """As far away from it as the foot of a tall thing is from its top."""
    scene = scene(elevation=35.0, distance=0.9)
    scene.can((0.0, 0.0, 0.16), 0.035, 0.08)

    (place,) = _locate(scene, camera)

    assert not place.upright


def test_sides_that_are_turned_half_away_count_in_a_coarse_image(scene: Any, camera: Pinhole) -> None:
    """Every second row is looked at, 3 mm apart; from one to the next depth grows by 6 mm, and by 7 mm sideways."""
    scene = scene(elevation=62.0, distance=0.55)
    scene.box((0.0, 0.0, 0.1), (0.1, 0.1, 0.2), yaw=45.0)

    (place,) = _locate(scene, camera)

    _check(place.box, scene, (0.0, 0.0, 0.1), (0.1, 0.1, 0.2))


@pytest.mark.parametrize("elevation, yaw", [(68.0, 45.0), (75.0, 20.0)])
def test_pieces_of_a_side_between_jumps_count(scene: Any, camera: Pinhole, elevation: float, yaw: float) -> None:
    """Where depth is unknown for a fifth of the pixels, a side seen steeply falls into small pieces."""
    scene = scene(elevation=elevation, distance=0.6)
    scene.box((0.0, 0.0, 0.09), (0.10, 0.06, 0.18), yaw=yaw)
    depth, labels = scene.render()
    depth[np.random.default_rng(0).random(depth.shape) < 0.2] = 0.0
    masks = (labels == 1)[None]

    (place,) = locate(masks, _boxes(masks), DepthImage(depth.astype(np.float32), 1.0), camera)

    assert isinstance(place, Place)
    _check(place.box, scene, (0.0, 0.0, 0.09), (0.10, 0.06, 0.18))


def test_a_box_above_the_table_does_not_reach_down_to_it(scene: Any, camera: Pinhole) -> None:
    scene = scene(elevation=30.0)
    scene.box((0.0, 0.0, 0.16), (0.10, 0.06, 0.12))

    (place,) = _locate(scene, camera)

    _check(place.box, scene, (0.0, 0.0, 0.16), (0.10, 0.06, 0.12))


def test_from_steeply_above_the_sides_of_a_box_in_the_air_count(scene: Any, camera: Pinhole) -> None:
    """At this angle it cannot be told exactly how far down they go: a pixel shows a centimetre of them."""
    scene = scene(elevation=80.0, noise=0.001)
    scene.box((0.0, 0.0, 0.18), (0.10, 0.08, 0.12))

    (place,) = _locate(scene, camera)

    assert 0.08 < place.box.size[2] < 0.15


def test_less_steeply_seen_the_edge_of_a_box_in_the_air_is_not_a_side(scene: Any, camera: Pinhole) -> None:
    """There depth cameras mix it with the table, all the way down."""
    scene = scene(elevation=45.0)
    scene.box((0.0, 0.0, 0.16), (0.10, 0.06, 0.12))
    masks, boxes, depth = scene.view()
    seen = surface(masks[0], tuple(boxes[0].tolist()), masks[0], depth, camera)
    edge = np.stack([scene.seen((0.0, -0.03, height)) for height in np.linspace(0.01, 0.1, 100)])

    box = fitted_box(replace(seen, steep=edge))

    _check(box, scene, (0.0, 0.0, 0.16), (0.10, 0.06, 0.12))


def test_the_foot_of_a_can_that_is_hidden_is_on_the_table(scene: Any, camera: Pinhole) -> None:
    scene = scene(elevation=30.0)
    scene.can((0.0, 0.05, 0.0), 0.035, 0.12)
    scene.box((0.0, -0.05, 0.02), (0.2, 0.04, 0.04))

    can, _ = _locate(scene, camera)

    assert can.partly_hidden
    _check(can.box, scene, (0.0, 0.05, 0.06), (0.07, 0.07, 0.12))


def test_in_the_air_three_sides_of_a_box_make_the_smallest_box(scene: Any, camera: Pinhole) -> None:
    scene = scene(elevation=40.0, table=False)
    scene.box((0.0, 0.0, 0.06), (0.10, 0.08, 0.12), yaw=25.0)

    (place,) = _locate(scene, camera)

    assert not place.upright
    np.testing.assert_allclose(place.box.centre, scene.seen((0.0, 0.0, 0.06)), atol=CLOSE)
    np.testing.assert_allclose(sorted(place.box.size), [0.08, 0.10, 0.12], rtol=ALIKE)
    assert np.linalg.det(place.box.rotation) == pytest.approx(1.0)


def test_a_ball_in_the_air(scene: Any, camera: Pinhole) -> None:
    scene = scene(table=False)
    scene.ball((0.0, 0.0, 0.1), 0.04)

    (place,) = _locate(scene, camera)

    assert not place.upright
    np.testing.assert_allclose(place.box.centre, scene.seen((0.0, 0.0, 0.1)), atol=0.001)
    np.testing.assert_allclose(place.box.size, 0.08, rtol=0.03)


def test_a_face_with_noise_is_no_ball() -> None:
    """A square of 10 cm with 0.3 mm of noise: a bulge of 0.08 mm puts the middle of the nearest sphere 11 cm from it.

    Half of the points lie within 3 % of its radius; turned by 45 degrees, the square's box in the image is 14 cm wide.
    """
    x, y = (grid.ravel() for grid in np.meshgrid(np.linspace(-0.0475, 0.0475, 20), np.linspace(-0.0475, 0.0475, 20)))
    noise = np.where(np.indices((20, 20)).sum(axis=0).ravel() % 2, 0.0003, -0.0003)
    points = np.stack((x, y, 1.0 + 0.0185 * (x * x + y * y) + noise), axis=1)
    seen = Surface(points, np.zeros((0, 3)), np.zeros((400, 2), np.intp), None, False, reach=0.2, spacing=0.005)

    size = fitted_box(seen).size

    np.testing.assert_allclose(sorted(size), [0.0007, 0.095, 0.095], atol=0.0005)


def test_a_dish_that_bulges_a_little_is_no_ball() -> None:
    """All of it lies on a sphere, which is four times as wide as the dish looks."""
    x, y = (grid.ravel() for grid in np.meshgrid(np.linspace(-0.0475, 0.0475, 20), np.linspace(-0.0475, 0.0475, 20)))
    points = np.stack((x, y, 1.3 - np.sqrt(0.3**2 - x * x - y * y)), axis=1)
    seen = Surface(points, np.zeros((0, 3)), np.zeros((400, 2), np.intp), None, False, reach=0.14, spacing=0.005)

    size = fitted_box(seen).size

    np.testing.assert_allclose(sorted(size), [0.0076, 0.095, 0.095], atol=0.001)


def test_the_points_are_in_the_box(scene: Any, camera: Pinhole) -> None:
    scene = scene()
    scene.can((0.0, 0.0, 0.0), 0.04, 0.1)

    (place,) = _locate(scene, camera)

    own = (place.points - place.box.centre) @ place.box.rotation
    assert (np.abs(own) <= place.box.size / 2 + 0.002).all()
    assert place.points.dtype == np.float32 and place.points.shape == (len(place.pixels), 3)


def test_depth_in_metres_gives_the_same(scene: Any, camera: Pinhole) -> None:
    scene = scene()
    scene.box((0.0, 0.0, 0.06), (0.10, 0.06, 0.12), yaw=25.0)
    masks, boxes, depth = scene.view()
    metres = DepthImage((depth.pixels / 1000).astype(np.float32), 1.0)

    (by_millimetres,) = locate(masks, boxes, depth, camera)
    (by_metres,) = locate(masks, boxes, metres, camera)

    np.testing.assert_allclose(by_millimetres.box.corners, by_metres.box.corners, atol=1e-5)


def test_holes_and_nan_are_passed_over(scene: Any, camera: Pinhole) -> None:
    scene = scene()
    scene.can((0.0, 0.0, 0.0), 0.04, 0.1)
    depth, labels = scene.render()
    holes = np.random.default_rng(1).random(depth.shape)
    depth[holes < 0.1] = np.nan
    depth[holes > 0.95] = np.inf
    masks = (labels == 1)[None]

    (place,) = locate(masks, _boxes(masks), DepthImage(depth.astype(np.float32), 1.0), camera)

    assert isinstance(place, Place)
    _check(place.box, scene, (0.0, 0.0, 0.05), (0.08, 0.08, 0.1))


def test_the_axes_keep_their_names(scene: Any, camera: Pinhole) -> None:
    scene = scene()
    scene.box((0.0, 0.0, 0.06), (0.10, 0.06, 0.12), yaw=50.0)
    masks, boxes, depth = scene.view()

    (alone,) = locate(masks, boxes, depth, camera)
    before = scene.rotation @ _yawed(44.0)
    (after,) = locate(masks, boxes, depth, camera, [before])

    assert isinstance(alone, Place) and isinstance(after, Place)
    np.testing.assert_allclose(alone.box.size[:2], after.box.size[[1, 0]])
    np.testing.assert_allclose(after.box.size[:2], [0.10, 0.06], rtol=0.05)


def _yawed(yaw: float) -> np.ndarray:
    turn = np.deg2rad(yaw)
    return np.array([[np.cos(turn), -np.sin(turn), 0.0], [np.sin(turn), np.cos(turn), 0.0], [0.0, 0.0, 1.0]])


def test_each_object_has_its_own_answer(scene: Any, camera: Pinhole) -> None:
    scene = scene()
    scene.can((-0.1, 0.0, 0.0), 0.04, 0.1)
    scene.can((0.1, 0.0, 0.0), 0.04, 0.1)
    masks, boxes, depth = scene.view()
    masks = np.stack((np.zeros_like(masks[0]), masks[0], masks[1]))
    boxes = np.concatenate((np.zeros((1, 4), int), boxes))
    pixels = depth.pixels.copy()
    pixels[masks[1]] = 0

    absent, blind, seen = locate(masks, boxes, DepthImage(pixels, 0.001), camera)

    assert absent == "the object is not in view"
    assert isinstance(blind, str) and "depth is known for 0 of" in blind
    assert isinstance(seen, Place)


def test_no_objects_are_no_places(camera: Pinhole) -> None:
    depth = DepthImage(np.ones((240, 320), np.uint16), 0.001)

    assert locate(np.zeros((0, 240, 320), bool), np.zeros((0, 4)), depth, camera) == []


def test_the_same_image_gives_the_same_places(scene: Any, camera: Pinhole) -> None:
    scene = scene(noise=0.002)
    scene.can((0.0, 0.0, 0.0), 0.04, 0.1)

    (first,), (again,) = _locate(scene, camera), _locate(scene, camera)

    np.testing.assert_array_equal(first.box.corners, again.box.corners)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    kind=st.sampled_from(["noise", "steps", "constant", "empty", "slope"]),
    holes=st.floats(0.0, 1.0),
    box=st.tuples(st.integers(0, 300), st.integers(0, 220), st.integers(1, 320), st.integers(1, 240)),
    share=st.floats(0.01, 1.0),
    metres=st.booleans(),
)
def test_whatever_comes_there_is_a_place_or_a_reason(
    seed: int, kind: str, holes: float, box: tuple[int, int, int, int], share: float, metres: bool
) -> None:
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:240, :320]
    depth = {
        "noise": rng.uniform(0.1, 6.0, (240, 320)),
        "steps": 0.5 + 0.1 * (x // 40) + 0.2 * (y // 60),
        "constant": np.full((240, 320), 0.7),
        "empty": np.zeros((240, 320)),
        "slope": 0.3 + 0.01 * y + 0.001 * x,
    }[kind]
    depth = np.where(rng.random(depth.shape) < holes, np.nan if metres else 0.0, depth)
    mask = np.zeros((1, 240, 320), bool)
    part = mask[0, box[1] : box[1] + box[3], box[0] : box[0] + box[2]]
    part[:] = rng.random(part.shape) < share
    if not mask.any():
        return
    image = DepthImage(depth.astype(np.float32), 1.0) if metres else DepthImage((1000 * depth).astype(np.uint16), 0.001)

    (place,) = locate(mask, _boxes(mask), image, CAMERA)

    if isinstance(place, str):
        assert place
        return
    assert np.isfinite(place.box.corners).all() and np.isfinite(place.points).all()
    assert (place.box.size > 0).all()
    np.testing.assert_allclose(place.box.rotation.T @ place.box.rotation, np.eye(3), atol=1e-6)
    assert len(place.points) == len(place.pixels) > 0
    assert mask[0, place.pixels[:, 1], place.pixels[:, 0]].all()


def _boxes(masks: np.ndarray) -> np.ndarray:
    y, x = np.nonzero(masks[0])
    return np.array([[x.min(), y.min(), x.max() + 1, y.max() + 1]])
