from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sam2_ros.geometry.oriented_box import UPRIGHT_CAMERA, OrientedBox, quaternion, turned_like

angles = st.floats(-3.1, 3.1)


def _rotation(x: float, y: float, z: float) -> np.ndarray:
    return cv2.Rodrigues(np.array([x, y, z]))[0]


def _turned(q: tuple[float, float, float, float], vector: np.ndarray) -> np.ndarray:
    """By a quaternion x y z w, by the textbook."""
    axis, w = np.array(q[:3]), q[3]
    return vector + 2 * np.cross(axis, np.cross(axis, vector) + w * vector)


@settings(deadline=None)
@given(angles, angles, angles)
def test_a_quaternion_turns_as_its_matrix(x: float, y: float, z: float) -> None:
    rotation = _rotation(x, y, z)
    q = quaternion(rotation)

    assert np.linalg.norm(q) == pytest.approx(1.0) and q[3] >= 0
    for vector in np.eye(3):
        np.testing.assert_allclose(_turned(q, vector), rotation @ vector, atol=1e-7)


@pytest.mark.parametrize(
    ("rotation", "expected"),
    [
        (np.eye(3), (0.0, 0.0, 0.0, 1.0)),
        (np.diag([1.0, -1.0, -1.0]), (1.0, 0.0, 0.0, 0.0)),
        (np.diag([-1.0, 1.0, -1.0]), (0.0, 1.0, 0.0, 0.0)),
        (np.diag([-1.0, -1.0, 1.0]), (0.0, 0.0, 1.0, 0.0)),
    ],
)
def test_half_turns(rotation: np.ndarray, expected: tuple[float, ...]) -> None:
    np.testing.assert_allclose(quaternion(rotation), expected, atol=1e-12)


def test_corners() -> None:
    box = OrientedBox(np.array([1.0, 2.0, 3.0]), np.eye(3), np.array([0.2, 0.4, 0.6]))

    assert box.corners.shape == (8, 3)
    np.testing.assert_allclose(box.corners[0], [0.9, 1.8, 2.7])
    np.testing.assert_allclose(box.corners[4], [1.1, 1.8, 2.7])
    np.testing.assert_allclose(box.corners[2], [0.9, 2.2, 2.7])
    np.testing.assert_allclose(box.corners[1], [0.9, 1.8, 3.3])


@settings(deadline=None)
@given(angles, angles, angles, angles, angles, angles, st.booleans())
def test_the_box_stays_where_it_is_when_its_axes_change_names(
    x: float, y: float, z: float, u: float, v: float, w: float, about_z: bool
) -> None:
    box = OrientedBox(np.array([0.1, 0.2, 1.0]), _rotation(x, y, z), np.array([0.1, 0.2, 0.3]))
    like = _rotation(u, v, w)

    turned = turned_like(box, like, about_z=about_z)

    apart = np.linalg.norm(box.corners[:, None] - turned.corners, axis=2)
    assert (np.sort(apart, axis=1)[:, 0] < 1e-9).all() and len(set(apart.argmin(axis=1))) == 8
    assert np.linalg.det(turned.rotation) == pytest.approx(1.0)
    assert np.trace(turned.rotation @ like.T) >= np.trace(box.rotation @ like.T) - 1e-9
    if about_z:
        np.testing.assert_allclose(turned.rotation[:, 2], box.rotation[:, 2], atol=1e-12)


def test_a_box_that_turns_a_little_keeps_its_axes() -> None:
    """Without memory they would change their names at 45 degrees."""
    before = UPRIGHT_CAMERA @ _rotation(0.0, 0.0, np.deg2rad(44.0))
    found = OrientedBox(
        np.zeros(3), UPRIGHT_CAMERA @ _rotation(0.0, 0.0, np.deg2rad(47.0 - 90.0)), np.array([1, 2, 3.0])
    )

    turned = turned_like(found, before, about_z=True)

    np.testing.assert_allclose(turned.rotation, UPRIGHT_CAMERA @ _rotation(0.0, 0.0, np.deg2rad(47.0)), atol=1e-9)
    np.testing.assert_allclose(turned.size, [2, 1, 3])
