from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sam2_ros.geometry.camera import BadCamera, Pinhole, ray_table

CAMERA = Pinhole(width=640, height=480, fx=500.0, fy=400.0, cx=320.0, cy=240.0)
LENSES = [
    CAMERA,
    replace(CAMERA, distortion=(0.1, -0.2, 0.001, -0.002, 0.05)),
    replace(CAMERA, distortion=(0.3, 0.1, 0.001, -0.001, 0.02, 0.6, 0.2, 0.05), model="rational_polynomial"),
    replace(CAMERA, distortion=(0.05, -0.01, 0.003, -0.001), model="equidistant"),
]
FISHEYE = Pinhole(848, 800, 286.2, 286.2, 421.6, 402.5, (-0.00483, 0.0392, -0.0367, 0.00613), "equidistant")


def test_a_point_is_projected() -> None:
    pixels = CAMERA.project(np.array([[0.0, 0.0, 1.0], [0.2, -0.1, 2.0]]))

    np.testing.assert_allclose(pixels, [[320.0, 240.0], [320 + 500 * 0.1, 240 - 400 * 0.05]])


def test_a_fisheye_without_coefficients_is_still_one() -> None:
    """What it shows lies at the focal length times the angle from the axis."""
    fisheye = Pinhole(1280, 960, 300.0, 300.0, 640.0, 480.0, (0.0, 0.0, 0.0, 0.0), "equidistant")

    np.testing.assert_allclose(fisheye.project(np.array([[1.0, 0.0, 1.0]])), [[640 + 300 * np.pi / 4, 480.0]])
    np.testing.assert_allclose(fisheye.rays(np.array([[640 + 300 * np.pi / 4, 480.0]])), [[1.0, 0.0]], atol=1e-6)


def test_a_pixel_is_back_projected() -> None:
    points = CAMERA.back_project(np.array([[320.0, 240.0], [370.0, 220.0]]), np.array([1.0, 2.0]))

    np.testing.assert_allclose(points, [[0.0, 0.0, 1.0], [0.2, -0.1, 2.0]])


@pytest.mark.parametrize("camera", LENSES, ids=["none", "plumb_bob", "rational_polynomial", "equidistant"])
def test_there_and_back(camera: Pinhole) -> None:
    pixels = np.array([[40.0, 30.0], [320.0, 240.0], [600.0, 30.0], [333.3, 444.4]])
    depths = np.array([0.4, 1.0, 2.0, 3.0])

    np.testing.assert_allclose(camera.project(camera.back_project(pixels, depths)), pixels, atol=1e-3)


@pytest.mark.parametrize(
    ("camera", "least", "most"),
    [
        (Pinhole(1392, 512, 984.2, 980.8, 690.0, 233.2, (-0.373, 0.204, 0.0022, 0.0014, -0.0723)), 1.0, 1.0),
        (Pinhole(640, 480, 300.0, 300.0, 319.5, 239.5, (0.3, 0.1, 0.0, 0.0)), 1.0, 1.0),
        (Pinhole(640, 480, 400.0, 400.0, 319.5, 239.5, (-0.3, 0.0, 0.0, 0.0)), 0.74, 0.76),
        (FISHEYE, 0.75, 0.77),
    ],
    ids=["barrel", "pincushion", "folded", "fisheye"],
)
def test_each_ray_is_seen_at_its_pixel(camera: Pinhole, least: float, most: float) -> None:
    """Not all pixels have one: what a fisheye has in its corners lies beside the camera, or behind it."""
    x, y = np.meshgrid(np.arange(0.0, camera.width, 8), np.arange(0.0, camera.height, 8))
    pixels = np.stack((x, y), axis=2).reshape(-1, 2)

    rays = camera.rays(pixels)

    found = np.isfinite(rays).all(axis=1)
    assert least <= found.mean() <= most
    back = camera.project(np.concatenate((rays, np.ones((len(rays), 1))), axis=1))
    assert np.abs(back - pixels)[found].max() < 0.15
    # The formula has some pixels on both sides of the axis; no lens shows them on the other one.
    assert ((rays * (pixels - (camera.cx, camera.cy)))[found].sum(axis=1) >= 0).all()


def test_distortion_by_hand() -> None:
    """Radial of the first order alone: a ray of radius r is seen at r (1 + k r^2)."""
    camera = replace(CAMERA, distortion=(0.5, 0.0, 0.0, 0.0))

    (pixel,) = camera.project(np.array([[0.2, 0.0, 1.0]]))

    np.testing.assert_allclose(pixel, [320 + 500 * 0.2 * (1 + 0.5 * 0.04), 240.0])


@pytest.mark.parametrize("camera", LENSES[:2])
def test_what_is_not_in_front_of_the_camera_has_no_pixel(camera: Pinhole) -> None:
    pixels = camera.project(np.array([[0.1, 0.1, 0.0], [0.1, 0.1, -1.0], [0.0, 0.0, 1.0], [0.0, np.nan, 1.0]]))

    np.testing.assert_array_equal(np.isnan(pixels).any(axis=1), [True, True, False, True])
    assert not camera.holds(pixels)[0]


def test_what_is_far_outside_the_view_has_no_pixel_in_the_image() -> None:
    """A calibration of KITTI's: the image ends 45 degrees off the axis, and the formula has what is 58 degrees off at
    (952, 254)."""
    camera = Pinhole(1392, 512, 984.2439, 980.8141, 690.0, 233.1966, (-0.373, 0.2037, 0.0022, 0.0014, -0.0723))
    degrees = np.deg2rad([20.0, 30.0, 50.0, 55.0, 58.0, 60.0, 62.0])
    points = np.stack((10 * np.sin(degrees), np.full(7, 0.5), 10 * np.cos(degrees)), axis=1)

    np.testing.assert_array_equal(camera.holds(camera.project(points)), [True] * 2 + [False] * 5)


@pytest.mark.parametrize("camera", LENSES[:2])
def test_no_points_are_no_pixels(camera: Pinhole) -> None:
    none = np.zeros((0, 3))

    assert camera.project(none).shape == (0, 2)
    assert camera.back_project(np.zeros((0, 2)), np.zeros(0)).shape == (0, 3)


def test_which_pixels_an_image_has() -> None:
    pixels = np.array([[0, 0], [-0.5, 0], [-0.6, 0], [639.4, 479.4], [639.5, 0], [0, 480]], float)

    np.testing.assert_array_equal(CAMERA.holds(pixels), [True, True, False, True, False, False])


@settings(max_examples=50, deadline=None)
@given(
    st.floats(50, 5000), st.floats(50, 5000), st.floats(0, 2000), st.floats(0, 2000), st.floats(0.05, 20),
    st.floats(-3000, 3000), st.floats(-3000, 3000),
)  # fmt: skip
def test_any_pinhole_inverts_itself(
    fx: float, fy: float, cx: float, cy: float, depth: float, x: float, y: float
) -> None:
    camera = Pinhole(640, 480, fx, fy, cx, cy)
    pixel = np.array([[x, y]])

    np.testing.assert_allclose(camera.project(camera.back_project(pixel, np.array([depth]))), pixel, atol=1e-6)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"fx": 0.0}, "focal lengths are 0 and 400"),
        ({"fy": -1.0}, "focal lengths are 500 and -1"),
        ({"cx": float("nan")}, "must be finite"),
        ({"distortion": (float("inf"), 0.0, 0.0, 0.0)}, "must be finite"),
        ({"width": 0}, "image is 0x480 pixels"),
        ({"model": "kannala"}, "the distortion model is 'kannala'; the known ones are plumb_bob"),
        ({"distortion": (0.1, 0.2)}, "there are 2 distortion coefficients; plumb_bob has 0 or 4 or 5"),
    ],
)
def test_what_is_no_camera_is_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(BadCamera, match=words):
        replace(CAMERA, **changes)


@pytest.mark.parametrize("camera", LENSES, ids=["none", "plumb_bob", "rational_polynomial", "equidistant"])
def test_the_rays_of_all_pixels(camera: Pinhole) -> None:
    table = ray_table(camera)
    x, y = np.array([0, 639, 639, 0, 5, 320, 401]), np.array([0, 0, 479, 479, 40, 240, 333])

    assert table.shape == (480, 640, 2) and not table.flags.writeable
    off = (table[y, x] - camera.rays(np.stack((x, y), axis=1).astype(float))) * camera.fx
    assert np.abs(off).max() < 0.15  # of a pixel, with a lens far stronger than real ones
    assert ray_table(replace(camera)) is table


def test_also_at_a_glancing_angle_each_ray_of_the_table_is_seen_at_its_pixel() -> None:
    table = ray_table(FISHEYE)
    y, x = np.nonzero(np.isfinite(table).all(axis=2))

    back = FISHEYE.project(np.concatenate((table[y, x], np.ones((len(y), 1))), axis=1))

    assert len(y) > 0.73 * table[..., 0].size
    assert np.abs(back - np.stack((x, y), axis=1)).max() < 0.5
