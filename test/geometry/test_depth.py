from __future__ import annotations

import numpy as np

from sam2_ros.geometry.depth import DepthImage

ALL = slice(None)


def test_whole_millimetres() -> None:
    depth = DepthImage(np.array([[0, 500], [1234, 65535]], np.uint16), 0.001)

    np.testing.assert_allclose(depth.metres(ALL, ALL), [[0.0, 0.5], [1.234, 65.535]], rtol=1e-6)
    assert depth.metres(ALL, ALL).dtype == np.float32


def test_metres_that_are_not_known_are_zero() -> None:
    depth = DepthImage(np.array([[np.nan, np.inf, -np.inf, -1.0, 0.0, 2.0]], np.float32), 1.0)

    np.testing.assert_array_equal(depth.metres(ALL, ALL), [[0, 0, 0, 0, 0, 2]])


def test_what_no_camera_measures_is_not_known_whatever_the_unit() -> None:
    """A tenth of a millimetre, half a metre, and 20 km."""
    millimetres = DepthImage(np.array([[0.1, 500.0, 2e7]], np.float32), 0.001)

    np.testing.assert_allclose(millimetres.metres(ALL, ALL), [[0.0, 0.5, 0.0]])


def test_a_window_is_a_copy() -> None:
    pixels = np.arange(12, dtype=np.float32).reshape(3, 4)

    window = DepthImage(pixels, 1.0).metres(slice(1, 3), slice(0, 4, 2))
    window[:] = 0

    np.testing.assert_array_equal(DepthImage(pixels, 1.0).metres(slice(1, 3), slice(0, 4, 2)), [[4, 6], [8, 10]])
