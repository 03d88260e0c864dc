"""Clicks of every source over DDS, on the node with a tracker that needs no network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from geometry_msgs.msg import Point, PointStamped, Quaternion, Transform, TransformStamped, Vector3
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header
from std_srvs.srv import Trigger

from sam2_ros.ros.images import to_message
from sam2_ros.srv import ClickMode, Prompt

try:
    from tf2_msgs.msg import TFMessage
except ModuleNotFoundError:
    TFMessage = None

MODES = ClickMode.Request
TOPICS = ("--ros-args", "-r", "camera_info:=/camera/camera_info", "-r", "depth:=/camera/depth")
FOCAL = 100.0


class Hand:
    """A camera and one who clicks on what it sees: 64x48 pixels, the optical axis through (32, 24)."""

    def __init__(self, client: Any, node: Any, until: Callable[..., Any]) -> None:
        self.client, self.node, self._until = client, node, until
        make = client.node.create_publisher
        self._info = make(CameraInfo, "/camera/camera_info", QoSProfile(depth=5))
        self._depth = make(Image, "/camera/depth", QoSProfile(depth=5))
        self._points = {
            topic: make(kind, topic, QoSProfile(depth=5))
            for kind, topic in (
                (PointStamped, "/clicked_point"),
                (PointStamped, "/camera/image_raw/mouse_click"),
                (PointStamped, "/sam2/mouse_click"),
                (Point, "/camera/image_raw_mouse_left"),
                (Point, "/sam2/overlay_mouse_left"),
            )
        }
        publishers = (self._info, self._depth, *self._points.values())
        until(lambda: all(one.get_subscription_count() for one in publishers), check=node.check)
        self._tell_where_the_camera_is()

    def _tell_where_the_camera_is(self) -> None:
        """1 m above the origin of `base`, looking along its x axis."""
        where = TransformStamped(
            header=Header(frame_id="base"),
            child_frame_id="camera_optical_frame",
            transform=Transform(translation=Vector3(z=1.0), rotation=Quaternion(x=-0.5, y=0.5, z=-0.5, w=0.5)),
        )
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self._frames = self.client.node.create_publisher(TFMessage or TransformStamped, "/tf_static", latched)
        self._frames.publish(where if TFMessage is None else TFMessage(transforms=[where]))
        self._until(self._frames.get_subscription_count, check=self.node.check)

    def show(self, metres: float = 0.0) -> Image:
        """Sends an image with its camera_info and its depth, and waits for the answer."""
        image = self.client.image()
        info = CameraInfo(header=image.header, height=48, width=64)
        info.k = [FOCAL, 0.0, 32.0, 0.0, FOCAL, 24.0, 0.0, 0.0, 1.0]
        self._info.publish(info)
        self._depth.publish(to_message(np.full((48, 64), metres, np.float32), "32FC1", image.header))
        self.client.answer(self.client.send(image))
        return image

    def click(self, topic: str, *xyz: float, header: Header | None = None) -> str:
        """Clicks, and gives the line that the node says of it."""
        before = len(self.node.lines)
        point = Point(**dict(zip("xyz", xyz, strict=False)))
        self._points[topic].publish(point if header is None else PointStamped(header=header, point=point))

        def said() -> str:
            return next(
                (line for line in self.node.lines[before:] if "the click at" in line or "refused a click" in line), ""
            )

        return self._until(said, check=self.node.check)

    def mode(self, mode: int, object_id: int = 0) -> ClickMode.Response:
        return self.client.call(ClickMode, "click_mode", ClickMode.Request(mode=mode, object_id=object_id))

    def middles(self) -> dict[int, tuple[int, int]]:
        """Of the objects of a new image, in whole pixels."""
        self.show()
        boxes = {one.id: one.box for one in self.client.objects[-1].objects}
        return {n: (box.x_offset + box.width // 2, box.y_offset + box.height // 2) for n, box in boxes.items()}


@pytest.fixture(scope="module")
def made(start: Any, client: Any, until: Any) -> Hand:
    node = start("node", *TOPICS, fake=True, depth=True, depth_wait=1.0)
    node.wait_for("waiting for images on /camera/image_raw")
    client.meet()
    return Hand(client, node, until)


@pytest.fixture
def hand(made: Hand) -> Hand:
    """A node without objects that has an image."""
    assert made.client.call(Trigger, "reset").success
    assert made.mode(MODES.NEW_OBJECT).success
    made.show()
    return made


@pytest.mark.parametrize("topic", ["/camera/image_raw_mouse_left", "/sam2/overlay_mouse_left"])
def test_a_click_of_rqt_starts_an_object(hand: Hand, topic: str) -> None:
    line = hand.click(topic, 20.0, 30.0)

    assert "the click at (20, 30) started object" in line
    assert list(hand.middles().values()) == [(20, 30)]


@pytest.mark.parametrize("topic", ["/camera/image_raw/mouse_click", "/sam2/mouse_click"])
def test_a_click_with_a_header_starts_an_object(hand: Hand, topic: str) -> None:
    image = hand.show()

    line = hand.click(topic, 20.0, 30.0, header=image.header)

    assert "the click at (20, 30) started object" in line
    assert list(hand.middles().values()) == [(20, 30)]


def test_a_point_of_rviz_in_the_cameras_frame(hand: Hand) -> None:
    header = Header(frame_id="camera_optical_frame", stamp=hand.show().header.stamp)

    # 0.1 m to the right at 1 m: 10 pixels to the right of the middle.
    assert "the click at (42, 24) started object" in hand.click("/clicked_point", 0.1, 0.0, 1.0, header=header)
    assert list(hand.middles().values()) == [(42, 24)]


def test_a_point_of_rviz_in_another_frame(hand: Hand) -> None:
    header = Header(frame_id="base", stamp=hand.show().header.stamp)

    # 2 m ahead of the robot, 0.2 m to the left, 1.1 m above the floor: 10 pixels left of the middle and 5 above it.
    assert "the click at (22, 19) started object" in hand.click("/clicked_point", 2.0, 0.2, 1.1, header=header)
    assert list(hand.middles().values()) == [(22, 19)]


@pytest.mark.parametrize(
    ("frame", "xyz", "reason"),
    [
        ("base", (-1.0, 0.0, 1.0), "the point lies behind the camera"),
        ("base", (1.0, 1.0, 1.0), "the camera does not see the point"),
        ("mars", (1.0, 0.0, 1.0), "a point in the frame 'mars' cannot be brought to the image"),
        ("", (1.0, 0.0, 1.0), "the point has no frame_id"),
    ],
)
def test_a_point_that_cannot_be_clicked(hand: Hand, frame: str, xyz: tuple[float, float, float], reason: str) -> None:
    line = hand.click("/clicked_point", *xyz, header=Header(frame_id=frame))

    assert "refused a click" in line and reason in line
    assert hand.middles() == {}


def test_a_point_behind_what_depth_shows(hand: Hand) -> None:
    header = Header(frame_id="camera_optical_frame")
    hand.show(metres=0.5)

    assert "the point is hidden from the camera" in hand.click("/clicked_point", 0.0, 0.0, 1.0, header=header)
    assert "started object" in hand.click("/clicked_point", 0.0, 0.0, 0.5, header=header)


def test_modes_of_clicks(hand: Hand) -> None:
    click, topic = hand.click, "/camera/image_raw_mouse_left"
    click(topic, 12.0, 12.0)
    click(topic, 50.0, 12.0)
    first, second = hand.middles()

    assert hand.mode(MODES.ADD).success
    assert f"the click at (50, 36) added to object {second}" in click(topic, 50.0, 36.0)
    assert f"the click at (12, 12) selected object {first}" in click(topic, 12.0, 12.0)
    assert hand.mode(MODES.SUBTRACT).success
    assert f"the click at (14, 12) took away from object {first}" in click(topic, 14.0, 12.0)
    assert hand.mode(MODES.REMOVE).success
    assert f"the click at (50, 36) removed object {second}" in click(topic, 50.0, 36.0)
    assert "refused a click: there is no object at that place to remove" in click(topic, 50.0, 36.0)
    assert list(hand.middles()) == [first]


def test_what_was_prompted_last_is_what_clicks_correct(hand: Hand) -> None:
    prompted = hand.client.call(Prompt, "prompt", Prompt.Request(box=[2.0, 2.0, 20.0, 20.0])).object_id

    assert hand.mode(MODES.ADD).success
    assert f"added to object {prompted}" in hand.click("/sam2/overlay_mouse_left", 40.0, 40.0)


def test_a_mode_that_cannot_be(hand: Hand) -> None:
    for response, reason in (
        (hand.mode(7), "the mode is 7; it must be one of 0 (NEW_OBJECT)"),
        (hand.mode(MODES.ADD, 99), "there is no object 99; the objects are: none"),
    ):
        assert not response.success
        assert reason in response.message
