"""Depth that comes compressed, over DDS, with a tracker that needs no network."""

from __future__ import annotations

import array
from typing import Any

import cv2
import numpy as np
import pytest
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CameraInfo, CompressedImage

from sam2_ros.msg import TrackedObject
from sam2_ros.ros.images import to_message
from sam2_ros.srv import Prompt

HEIGHT, WIDTH = 48, 64
TOPICS = ("--ros-args", "-r", "depth:=/camera/depth/image_raw", "-r", "camera_info:=/camera/camera_info")


def _scene() -> tuple[np.ndarray, np.ndarray]:
    """Millimetres and a mask: a block 10 cm high on a table 0.8 m below the camera."""
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[14:34, 16:48] = True
    return np.where(mask, 700, 800).astype(np.uint16), mask


class Camera:
    """Sends images, camera_info and compressed depth with one stamp."""

    def __init__(self, client: Any, until: Any, node: Any) -> None:
        self._client = client
        topic, quality = "/camera/depth/image_raw/compressedDepth", QoSProfile(depth=1)
        self._depth = client.node.create_publisher(CompressedImage, topic, quality)
        self._info = client.node.create_publisher(CameraInfo, "/camera/camera_info", quality)
        for publisher in (self._depth, self._info):
            until(publisher.get_subscription_count, check=node.check)
        client.meet()

    def track(self, png: bytes) -> TrackedObject:
        """The one object in an image with this depth."""
        image = self._client.image(height=HEIGHT, width=WIDTH)
        k = [60.0, 0.0, 31.5, 0.0, 60.0, 23.5, 0.0, 0.0, 1.0]
        self._info.publish(CameraInfo(header=image.header, height=HEIGHT, width=WIDTH, k=k))
        depth = CompressedImage(header=image.header, format="16UC1; compressedDepth png")
        depth.data = array.array("B", bytes(12) + png)
        self._depth.publish(depth)
        (tracked,) = self._client.answer(self._client.send(image)).objects
        return tracked


@pytest.fixture(scope="module")
def node(start: Any) -> Any:
    node = start("node", *TOPICS, fake=True, depth=True, depth_transport="compressedDepth", depth_wait=1.0)
    node.wait_for("waiting for images")
    return node


def test_objects_are_located_by_it(node: Any, client: Any, until: Any) -> None:
    millimetres, mask = _scene()
    png = cv2.imencode(".png", millimetres)[1].tobytes()
    camera = Camera(client, until, node)
    image = client.image(height=HEIGHT, width=WIDTH)
    client.answer(client.send(image))
    drawn = to_message(np.where(mask, np.uint8(255), np.uint8(0)), "mono8", image.header)
    assert client.call(Prompt, "prompt", Prompt.Request(mask=drawn)).success

    tracked = until(lambda: (one := camera.track(png)).has_pose and one, check=node.check)

    # The block's middle lies half way between its upper side and the table.
    assert tracked.pose.position.z == pytest.approx(0.75, abs=0.01)
    assert min(tracked.size.x, tracked.size.y, tracked.size.z) == pytest.approx(0.1, abs=0.01)

    broken = camera.track(png[:40])
    assert not broken.has_pose
    assert broken.no_pose.startswith("of the depth image: the format is '16UC1; compressedDepth png', and its 52 bytes")
