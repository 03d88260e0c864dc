"""Clicks over DDS on a node with two cameras, with trackers that need no network."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from geometry_msgs.msg import Point
from rclpy.qos import QoSProfile
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from sam2_ros.msg import TrackedObjects
from sam2_ros.ros.images import to_message
from sam2_ros.ros.messages import to_nanoseconds, to_time
from sam2_ros.srv import ClickMode

CAMERAS = ("front", "wrist")


class Pair:
    """Two cameras, somebody who clicks on their images, and what the node says of them."""

    def __init__(self, client: Any, node: Any, until: Callable[..., Any]) -> None:
        self.client, self.node, self._until = client, node, until
        self._stamp = 0
        make = client.node.create_publisher
        self._images = {name: make(Image, f"/{name}/image", QoSProfile(depth=1)) for name in CAMERAS}
        self._clicks = {name: make(Point, f"/sam2/{name}/overlay_mouse_left", QoSProfile(depth=5)) for name in CAMERAS}
        self.objects: dict[str, list[TrackedObjects]] = {name: [] for name in CAMERAS}
        for name, heard in self.objects.items():
            client.node.create_subscription(TrackedObjects, f"/sam2/{name}/objects", heard.append, QoSProfile(depth=50))
        publishers = (*self._images.values(), *self._clicks.values())
        until(lambda: all(one.get_subscription_count() for one in publishers), check=node.check)

    def ids(self) -> dict[str, list[int]]:
        """Of the objects on a new image of each camera."""
        before = self._stamp

        def all_heard() -> bool:
            self._stamp += 100_000_000
            for name, publisher in self._images.items():
                header = Header(frame_id=name, stamp=to_time(self._stamp))
                publisher.publish(to_message(np.full((48, 64, 3), 90, np.uint8), "rgb8", header))
            time.sleep(0.1)
            newest = [to_nanoseconds(heard[-1].header.stamp) if heard else 0 for heard in self.objects.values()]
            return min(newest) > before

        self._until(all_heard, check=self.node.check)
        return {name: [one.id for one in heard[-1].objects] for name, heard in self.objects.items()}

    def click(self, camera: str, x: float, y: float) -> str:
        before = len(self.node.lines)
        self._clicks[camera].publish(Point(x=x, y=y))

        def said() -> str:
            lines = self.node.lines[before:]
            return next((line for line in lines if "the click at" in line or "refused a click" in line), "")

        return self._until(said, check=self.node.check)


@pytest.fixture(scope="module")
def pair(start: Any, client: Any, until: Any) -> Pair:
    node = start("node", fake=True, cameras="['front','wrist']")
    for name in CAMERAS:
        node.wait_for(f"waiting for images on /{name}/image")
    pair = Pair(client, node, until)
    pair.ids()
    return pair


def test_each_camera_has_its_own_clicks_mode_and_objects(pair: Pair) -> None:
    assert "the click at (20, 20) started object 1" in pair.click("wrist", 20.0, 20.0)
    assert pair.ids() == {"front": [], "wrist": [1]}

    mode = ClickMode.Request(camera="wrist", mode=ClickMode.Request.REMOVE)
    assert pair.client.call(ClickMode, "click_mode", mode).success
    assert "the click at (30, 30) started object 1" in pair.click("front", 30.0, 30.0)
    assert "the click at (20, 20) removed object 1" in pair.click("wrist", 20.0, 20.0)
    assert pair.ids() == {"front": [1], "wrist": []}


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"camera": "rear"}, "there is no camera 'rear'; the cameras are: front, wrist"),
        ({"mode": 1, "object_id": 1}, "the node has several cameras; name one of front, wrist"),
    ],
)
def test_a_mode_for_no_camera(pair: Pair, fields: dict[str, Any], reason: str) -> None:
    response = pair.client.call(ClickMode, "click_mode", ClickMode.Request(**fields))

    assert not response.success
    assert reason in response.message


def test_a_mode_without_a_camera_is_for_all(pair: Pair) -> None:
    assert pair.client.call(ClickMode, "click_mode", ClickMode.Request(mode=ClickMode.Request.REMOVE)).success

    for name in CAMERAS:
        assert "there is no object at that place to remove" in pair.click(name, 60.0, 40.0)
