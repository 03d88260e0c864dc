from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from sam2_ros.geometry.footprint import Footprint, fit_sphere, footprint

LEVEL = np.array([0.0, 1.0])  # the camera looks along +y
STEEP = np.array([0.0, 0.1])


def _line(start: tuple[float, float], end: tuple[float, float], count: int = 200) -> np.ndarray:
    return np.linspace(start, end, count)


def _arc(radius: float, low: float, high: float, count: int = 400) -> np.ndarray:
    """Degrees, from +x to +y."""
    at = np.deg2rad(np.linspace(low, high, count))
    return radius * np.stack((np.cos(at), np.sin(at)), axis=1)


def _turn(points: np.ndarray, degrees: float) -> np.ndarray:
    angle = np.deg2rad(degrees)
    return points @ np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])


def _corners(found: Footprint) -> np.ndarray:
    signs = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) / 2
    return found.centre + signs * found.size @ found.axes.T


@pytest.mark.parametrize("yaw", [0.0, 10.0, 45.0, 80.0])
def test_two_sides_of_a_box_make_its_rectangle(yaw: float) -> None:
    """The smallest rectangle around them may also lie along the line from end to end."""
    sides = np.concatenate((_line((-0.1, 0.0), (0.1, 0.0)), _line((0.1, 0.0), (0.1, 0.06))))
    middle = _turn(np.array([[0.0, 0.03]]), yaw - 20)[0]

    found = footprint(_turn(sides, yaw - 20), LEVEL, 0.0)

    np.testing.assert_allclose(found.centre, middle, atol=0.003)
    np.testing.assert_allclose(sorted(found.size), [0.06, 0.2], atol=0.006)


def test_one_side_has_no_depth_that_is_seen() -> None:
    found = footprint(_line((-0.1, 0.3), (0.1, 0.3)), LEVEL, 0.0)

    np.testing.assert_allclose(sorted(found.size), [0.0, 0.2], atol=0.01)


@pytest.mark.parametrize("view", [LEVEL, STEEP])
def test_the_near_half_of_a_round_thing_makes_all_of_it(view: np.ndarray) -> None:
    points = _arc(0.04, 180, 360) if view is LEVEL else _arc(0.04, 0, 360)

    found = footprint(points, view, 0.0)

    np.testing.assert_allclose(found.centre, [0.0, 0.0], atol=5e-4)
    np.testing.assert_allclose(found.size, [0.08, 0.08], atol=1e-3)


def test_a_round_thing_has_its_axes_along_the_view() -> None:
    found = footprint(_turn(_arc(0.04, 180, 360), 30), _turn(LEVEL[None], 30)[0], 0.0)

    np.testing.assert_allclose(np.abs(_turn(LEVEL[None], 30)[0] @ found.axes), [0.0, 1.0], atol=1e-6)


@pytest.mark.parametrize("yaw", [-30.0, 0.0, 25.0])
def test_a_handle_is_held_and_the_first_axis_points_to_it(yaw: float) -> None:
    """The smallest rectangle would lie across."""
    handle = _turn(_line((0.04, 0.0), (0.075, 0.0), 60), yaw)
    points = np.concatenate((_arc(0.04, 180, 360), handle))

    found = footprint(points, LEVEL, 0.0)

    direction = _turn(np.array([[1.0, 0.0]]), yaw)[0]
    assert abs(found.axes[:, 0] @ direction) > 0.99
    np.testing.assert_allclose(found.size, [0.115, 0.08], atol=0.003)
    np.testing.assert_allclose(found.centre, 0.0175 * direction, atol=0.003)


def test_a_square_is_no_circle() -> None:
    corners = [(-0.03, -0.03), (0.03, -0.03), (0.03, 0.03), (-0.03, 0.03), (-0.03, -0.03)]
    square = np.concatenate([_line(a, b, 60) for a, b in pairwise(corners)])
    noise = 0.001 * np.random.default_rng(2).normal(size=square.shape)

    found = footprint(_turn(square + noise, 30), STEEP, 0.001)

    np.testing.assert_allclose(found.size, [0.06, 0.06], atol=0.008)
    angle = np.degrees(np.arctan2(*found.axes[::-1, 0])) % 90
    assert min(abs(angle - 30), abs(angle - 120)) < 4


@pytest.mark.parametrize("count", [1, 2, 5])
def test_few_points_are_held(count: int) -> None:
    points = np.random.default_rng(count).uniform(-0.1, 0.1, (count, 2))

    found = footprint(points, LEVEL, 0.0)

    own = (points - found.centre) @ found.axes
    assert (np.abs(own) <= found.size / 2 + 1e-9).all()
    assert _corners(found).shape == (4, 2)


def test_the_camera_straight_above_is_no_direction() -> None:
    found = footprint(_arc(0.04, 0, 360), np.zeros(2), 0.0)

    np.testing.assert_allclose(found.size, [0.08, 0.08], atol=1e-3)


def test_a_sphere_by_least_squares() -> None:
    rng = np.random.default_rng(0)
    directions = rng.normal(size=(300, 3))
    points = [0.1, -0.2, 0.9] + 0.05 * directions / np.linalg.norm(directions, axis=1, keepdims=True)

    centre, radius = fit_sphere(points[points[:, 2] < 0.9])

    np.testing.assert_allclose(centre, [0.1, -0.2, 0.9], atol=1e-4)
    assert radius == pytest.approx(0.05, abs=1e-4)


def test_a_plane_is_a_large_sphere() -> None:
    points = np.random.default_rng(0).uniform(-0.1, 0.1, (300, 3)) * [1.0, 1.0, 0.0]

    _, radius = fit_sphere(points + [0.0, 0.0, 1.0])

    assert np.isfinite(radius) and (radius > 1.0 or radius < 0.1)
