from __future__ import annotations

import numpy as np
import pytest

from sam2_ros.geometry.plane import Plane, find_planes


def _grid(normal: tuple[float, float, float], offset: float, count: int = 500, noise: float = 0.0) -> np.ndarray:
    """Points around the foot of the perpendicular, half a metre to each side."""
    rng = np.random.default_rng(3)
    unit = np.array(normal) / np.linalg.norm(normal)
    first = np.cross(unit, [0.3, 0.5, 0.8])
    first /= np.linalg.norm(first)
    second = np.cross(unit, first)
    along = rng.uniform(-0.5, 0.5, (count, 2))
    return unit * (offset + noise * rng.normal(size=(count, 1))) + along[:, :1] * first + along[:, 1:] * second


def test_a_plane_is_found_with_its_normal_to_the_camera() -> None:
    (plane,) = find_planes(_grid((0.0, 0.6, 0.8), 1.0), 0.005)

    np.testing.assert_allclose(plane.normal, [0.0, -0.6, -0.8], atol=1e-9)
    assert plane.offset == pytest.approx(-1.0)
    assert plane.spread == pytest.approx(0.0, abs=1e-9)
    assert plane.clearance == 0.003


def test_height_is_positive_on_the_cameras_side() -> None:
    (plane,) = find_planes(_grid((0.0, 0.6, 0.8), 1.0), 0.005)

    heights = plane.heights(np.array([[0.0, 0.0, 0.0], [0.0, 0.6, 0.8], [0.0, 0.66, 0.88]]))

    np.testing.assert_allclose(heights, [1.0, 0.0, -0.1], atol=1e-9)


def test_noise_and_outliers() -> None:
    clutter = np.random.default_rng(5).uniform(-0.5, 0.5, (400, 3)) + [0.0, 0.0, 1.0]
    points = np.concatenate((_grid((0.0, 0.6, 0.8), 1.0, noise=0.002), clutter))

    plane = find_planes(points, 0.008)[0]

    assert np.degrees(np.arccos(plane.normal @ [0.0, -0.6, -0.8])) < 1.0
    assert plane.offset == pytest.approx(-1.0, abs=0.002)
    assert plane.spread == pytest.approx(0.002, rel=0.5)
    assert plane.clearance == 4 * plane.spread


@pytest.mark.parametrize("normal", [(0.6, 0.6, 0.5), (-0.7, 0.5, 0.5), (0.5, -0.4, 0.8)])
def test_any_plane_is_found_in_much_clutter(normal: tuple[float, float, float]) -> None:
    clutter = np.random.default_rng(5).uniform(-0.5, 0.5, (600, 3)) + np.array(normal) / np.linalg.norm(normal)
    points = np.concatenate((_grid(normal, 1.0, 400), clutter))

    plane = find_planes(points, 0.002)[0]

    assert abs(plane.normal @ normal) / np.linalg.norm(normal) > 0.9999
    assert plane.offset == pytest.approx(-1.0, abs=0.001)


def test_two_planes_the_larger_first() -> None:
    points = np.concatenate((_grid((0.0, 0.0, 1.0), 2.0, 300), _grid((0.0, 1.0, 0.2), 0.7, 600)))

    first, second = find_planes(points, 0.005)

    assert abs(first.normal[1]) > 0.9 and abs(second.normal[2]) > 0.9


@pytest.mark.parametrize(("share", "count"), [(0.5, 0), (0.2, 1)])
def test_a_plane_of_too_few_points_is_none(share: float, count: int) -> None:
    clutter = np.random.default_rng(5).uniform(-0.5, 0.5, (500, 3)) + [0.0, 0.0, 1.0]

    assert len(find_planes(np.concatenate((_grid((0, 0, 1), 1.0, 300), clutter)), 0.001, share=share)) == count


@pytest.mark.parametrize("points", [np.zeros((0, 3)), np.ones((20, 3)), np.ones((200, 3))], ids=["none", "few", "one"])
def test_what_makes_no_plane(points: np.ndarray) -> None:
    assert len(find_planes(points, 0.005)) <= 1


def test_points_on_a_line_make_no_nan() -> None:
    line = np.linspace(0.0, 1.0, 200)[:, None] * [[0.0, 0.0, 1.0]] + [0.1, 0.2, 0.5]

    assert all(np.isfinite([*plane.normal, plane.offset]).all() for plane in find_planes(line, 0.005))


def test_the_same_points_give_the_same_plane() -> None:
    points = _grid((0.1, 0.6, 0.8), 1.0, noise=0.003)

    first, again = find_planes(points, 0.01), find_planes(points, 0.01)

    assert isinstance(first[0], Plane)
    np.testing.assert_array_equal(first[0].normal, again[0].normal)
