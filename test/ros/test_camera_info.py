from __future__ import annotations

import pytest
from sensor_msgs.msg import CameraInfo, RegionOfInterest

from sam2_ros.geometry.camera import BadCamera, Pinhole
from sam2_ros.ros.camera_info import is_rectified, to_pinhole

K = [500.0, 0.0, 320.0, 0.0, 400.0, 240.0, 0.0, 0.0, 1.0]
P = [480.0, 0.0, 310.0, 0.0, 0.0, 390.0, 230.0, 0.0, 0.0, 0.0, 1.0, 0.0]
D = [0.1, -0.2, 0.001, 0.002, 0.0]


def _info(**fields: object) -> CameraInfo:
    known = {"width": 640, "height": 480, "k": K, "p": P, "d": D, "distortion_model": "plumb_bob"}
    return CameraInfo(**{**known, **fields})


def test_a_raw_image_has_k_and_d() -> None:
    assert to_pinhole(_info(), 640, 480) == Pinhole(640, 480, 500.0, 400.0, 320.0, 240.0, tuple(D))


def test_a_rectified_image_has_p_and_no_distortion() -> None:
    assert to_pinhole(_info(), 640, 480, rectified=True) == Pinhole(640, 480, 480.0, 390.0, 310.0, 230.0)


def test_zero_coefficients_are_no_distortion_whatever_the_model() -> None:
    info = _info(d=[0.0] * 5, distortion_model="something of the driver's own")

    assert to_pinhole(info, 640, 480) == Pinhole(640, 480, 500.0, 400.0, 320.0, 240.0)


def test_a_rectified_image_of_a_driver_that_leaves_p_zero_has_k() -> None:
    assert to_pinhole(_info(p=[0.0] * 12, d=[]), 640, 480, rectified=True).fx == 500.0


def test_a_region_of_interest_moves_the_centre() -> None:
    region = RegionOfInterest(x_offset=100, y_offset=50, width=200, height=100)

    camera = to_pinhole(_info(roi=region), 200, 100)

    assert (camera.cx, camera.cy, camera.fx, camera.fy) == (220.0, 190.0, 500.0, 400.0)


def test_binning_scales() -> None:
    camera = to_pinhole(_info(binning_x=2, binning_y=2), 320, 240)

    # Pixels 0 and 1 of the whole image are pixel 0 of the binned one, so that 0.5 becomes 0.
    assert (camera.fx, camera.fy, camera.cx, camera.cy) == (250.0, 200.0, 159.75, 119.75)


@pytest.mark.parametrize(
    ("fields", "size", "words"),
    [
        ({"k": [0.0] * 9, "p": [0.0] * 12}, (640, 480), "no focal length: the camera is not calibrated"),
        ({"k": [0.0] * 9}, (640, 480), "P but no K"),
        ({}, (1280, 720), "for images of 640x480 pixels, and the image has 1280x720"),
        ({"binning_x": 2}, (640, 480), "for images of 320x480 pixels"),
        ({"distortion_model": "odd"}, (640, 480), "distortion model is 'odd'"),
        ({"k": [float("nan"), *K[1:]]}, (640, 480), "must be finite"),
    ],
)
def test_what_does_not_fit_is_refused(fields: dict[str, object], size: tuple[int, int], words: str) -> None:
    with pytest.raises(BadCamera, match=words):
        to_pinhole(_info(**fields), *size)


@pytest.mark.parametrize(
    ("topic", "rectified"),
    [
        ("/camera/color/image_raw", False),
        ("/camera/image_rect", True),
        ("/zed/zed_node/rgb/image_rect_color", True),
        ("/zed/image_rect_color/compressed", True),
        ("/zed/zed_node/rgb/color/rect/image", True),
        ("/left/image_mono_rect", True),
        ("/camera/undistorted/image", True),
        ("/direct/image", False),
        ("/rectangle/image", False),
    ],
)
def test_the_topics_name_says_whether_it_is_rectified(topic: str, rectified: bool) -> None:
    assert is_rectified(topic) is rectified


def test_a_fisheye_without_distortion_is_no_pinhole() -> None:
    camera = to_pinhole(_info(d=[0.0] * 4, distortion_model="equidistant"), 640, 480)
    assert (camera.model, camera.distortion) == ("equidistant", (0.0,) * 4)
    assert to_pinhole(_info(d=[0.0] * 5), 640, 480).distortion == ()
