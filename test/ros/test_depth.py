from __future__ import annotations

import array
import threading
import time

import cv2
import numpy as np
import pytest
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from sam2_ros.ros.depth import DepthMatcher, NoDepth, to_depth_image
from sam2_ros.ros.images import to_message
from sam2_ros.ros.messages import to_nanoseconds, to_time

FRAME = "camera_optical_frame"
SECOND = 1_000_000_000


def _header(seconds: float = 1.0, frame_id: str = FRAME) -> Header:
    return Header(stamp=to_time(round(seconds * SECOND)), frame_id=frame_id)


def _depth(seconds: float = 1.0, frame_id: str = FRAME) -> Image:
    return to_message(np.full((4, 6), 1500, np.uint16), "16UC1", _header(seconds, frame_id))


def _metres(message: Image) -> np.ndarray:
    return to_depth_image(message, _header(), 4, 6).metres(slice(None), slice(None))


def test_millimetres_and_metres() -> None:
    metres = to_message(np.full((4, 6), 1.5, np.float32), "32FC1", _header())

    np.testing.assert_allclose(_metres(_depth()), 1.5)
    np.testing.assert_allclose(_metres(metres), 1.5)


def _compressed(format: str) -> CompressedImage:
    message = CompressedImage(header=_header(), format=format)
    message.data = array.array("B", bytes(12) + cv2.imencode(".png", np.full((4, 6), 1500, np.uint16))[1].tobytes())
    return message


def test_compressed_millimetres() -> None:
    np.testing.assert_allclose(_metres(_compressed("16UC1; compressedDepth png")), 1.5)


def test_compressed_colour_is_no_depth() -> None:
    with pytest.raises(NoDepth, match="the depth image's encoding is 'rgb8'; it must be 16UC1 or 32FC1"):
        _metres(_compressed("rgb8; jpeg compressed bgr8"))


def test_compressed_depth_of_another_size_is_refused() -> None:
    with pytest.raises(NoDepth, match="the depth image has 6x4 pixels and the image 8x4; the camera must be set"):
        to_depth_image(_compressed("16UC1; compressedDepth png"), _header(), 4, 8)


def test_rows_may_be_padded_and_bytes_in_the_other_order() -> None:
    message = _depth()
    pixels = np.full((4, 8), 1500, ">u2")
    message.step, message.is_bigendian, message.data = 16, 1, pixels.tobytes()

    np.testing.assert_allclose(_metres(message), 1.5)


def _without_a_row(message: Image) -> None:
    message.height, message.data = 3, message.data[:36]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda message: setattr(message, "encoding", "rgb8"), "encoding is 'rgb8'; it must be 16UC1 or 32FC1"),
        (
            lambda message: setattr(message.header, "frame_id", "depth_frame"),
            "in the frame 'depth_frame' and the image in 'camera_optical_frame'; the camera must be set to register",
        ),
        (_without_a_row, "has 6x3 pixels and the image 6x4; the camera must be set"),
        (lambda message: setattr(message, "step", 5), "of the depth image: the image's step is 5 bytes"),
        (lambda message: setattr(message, "data", message.data[:-2]), "of the depth image: the image has 46 bytes"),
    ],
)
def test_what_does_not_belong_to_the_image_is_refused(change: object, words: str) -> None:
    message = _depth()
    change(message)

    with pytest.raises(NoDepth, match=words):
        to_depth_image(message, _header(), 4, 6)


def _matcher(*seconds: float, patience: float = 0.02) -> DepthMatcher:
    matcher = DepthMatcher("/camera/depth", 0.02, patience)
    for one in seconds:
        matcher.put(_depth(one))
    return matcher


def _taken(matcher: DepthMatcher, seconds: float) -> float:
    return to_nanoseconds(matcher.take(round(seconds * SECOND)).header.stamp) / SECOND


@pytest.mark.parametrize(("wanted", "taken"), [(1.1, 1.1), (1.109, 1.1), (1.085, 1.1), (1.21, 1.2), (1.22, 1.2)])
def test_the_nearest_within_the_tolerance(wanted: float, taken: float) -> None:
    assert _taken(_matcher(1.0, 1.1, 1.2), wanted) == taken


def test_the_order_in_which_they_come_does_not_matter() -> None:
    assert _taken(_matcher(1.11, 1.1, 1.12), 1.1) == 1.1


def test_none_has_come() -> None:
    with pytest.raises(NoDepth, match="no depth image has come on /camera/depth"):
        _matcher().take(SECOND)


def test_stale() -> None:
    """Its own may come yet, later than is waited for; a larger tolerance would take the wrong one."""
    with pytest.raises(
        NoDepth, match=r"has not come within 0.02 s after tracking, and the newest is 1.500 s older; if"
    ):
        _matcher(0.5, 1.0).take(round(2.5 * SECOND))


def test_too_new() -> None:
    with pytest.raises(NoDepth, match="nearest depth image is 0.500 s newer"):
        _matcher(1.5, 2.0).take(SECOND)


def test_one_that_is_waited_for_is_kept_however_many_come() -> None:
    matcher = _matcher(1.0)
    matcher.expect(SECOND)
    for k in range(50):
        matcher.put(_depth(1.1 + k / 10))

    assert _taken(matcher, 1.0) == 1.0
    with pytest.raises(NoDepth):
        matcher.take(round(1.1 * SECOND))


def test_one_is_kept_while_the_next_image_is_tracked_already() -> None:
    matcher = _matcher(1.0)
    matcher.expect(SECOND)
    matcher.expect(2 * SECOND)
    for k in range(20):
        matcher.put(_depth(1.1 + k / 10))
    assert _taken(matcher, 1.0) == 1.0
    assert _taken(matcher, 2.0) == 2.0


def test_one_is_waited_for_while_the_next_image_is_tracked_already() -> None:
    matcher = _matcher(0.9, patience=10.0)
    matcher.expect(SECOND)
    taken: list[float] = []
    waiting = threading.Thread(target=lambda: taken.append(_taken(matcher, 1.0)))
    waiting.start()
    matcher.expect(round(1.1 * SECOND))
    matcher.put(_depth(1.0))
    matcher.put(_depth(1.1))
    waiting.join(10)
    assert taken == [1.0]
    assert _taken(matcher, 1.1) == 1.1


def test_one_that_comes_while_its_image_is_tracked() -> None:
    matcher = _matcher(0.9)
    matcher.expect(SECOND)
    matcher.put(_depth(1.0))

    assert _taken(matcher, 1.0) == 1.0


@pytest.mark.parametrize("comes", [0.005, 0.1])
def test_one_that_is_on_its_way_is_waited_for(comes: float) -> None:
    matcher = _matcher(0.9, patience=10.0)
    timer = threading.Timer(comes, lambda: matcher.put(_depth(1.0)))
    timer.start()

    assert _taken(matcher, 1.0) == 1.0
    timer.join()


def test_the_wait_is_short_and_there_is_none_for_a_camera_without_depth() -> None:
    start = time.monotonic()
    with pytest.raises(NoDepth):
        _matcher(0.9).take(SECOND)
    waited = time.monotonic() - start
    start = time.monotonic()
    with pytest.raises(NoDepth):
        _matcher(patience=10.0).take(SECOND)
    with pytest.raises(NoDepth):
        _matcher(2.0, patience=10.0).take(SECOND)

    assert waited < 1.0
    assert time.monotonic() - start < 5.0


def test_depth_that_has_stopped_is_no_longer_waited_for_until_it_begins_again() -> None:
    matcher = _matcher(0.9, patience=1.0)
    waits = []
    for k in range(10, 20):
        start = time.monotonic()
        with pytest.raises(NoDepth) as error:
            matcher.take(k * SECOND // 10)
        waits.append(time.monotonic() - start)

    assert min(waits[:2]) > 0.9 and max(waits[3:]) < 0.5
    assert str(error.value) == (
        "no depth image has come on /camera/depth since one that is 1.000 s older than the image; does the camera "
        "still send depth, and as often as images?"
    )
    matcher.put(_depth(2.0))
    timer = threading.Timer(0.05, lambda: matcher.put(_depth(2.1)))
    timer.start()
    assert _taken(matcher, 2.1) == 2.1
    timer.join()


def test_depth_that_comes_slowly_is_waited_for_every_time() -> None:
    """Once a second, a moment after its image: the newest is always a second old."""
    matcher = _matcher(0.0, patience=1.0)
    for k in range(1, 7):
        timer = threading.Timer(0.02, matcher.put, [_depth(float(k))])
        timer.start()
        assert _taken(matcher, float(k)) == k
        timer.join()


def test_of_images_whose_depth_is_never_taken_none_is_kept() -> None:
    """As of those without an object."""
    matcher = _matcher()
    for seconds in range(1, 50):
        matcher.expect(seconds * SECOND)
        matcher.put(_depth(seconds))
    assert len(matcher._matches) == 2
