"""Compressed images into the node and out of it over DDS, with a tracker that needs no network."""

from __future__ import annotations

import array
import time
from typing import Any

import numpy as np
import pytest
from geometry_msgs.msg import Point
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CompressedImage, Image

from sam2_ros.ros.compressed import decode, encode
from sam2_ros.ros.images import to_rgb


class Camera:
    """Sends the client's images as JPEG."""

    def __init__(self, client: Any, until: Any, node: Any) -> None:
        self._client = client
        topic = "/camera/image_raw/compressed"
        self._publisher = client.node.create_publisher(CompressedImage, topic, QoSProfile(depth=1))
        self.overlays: list[CompressedImage] = []
        client.node.create_subscription(
            CompressedImage, "/sam2/overlay/compressed", self.overlays.append, QoSProfile(depth=100)
        )

        def met() -> bool:
            before = len(client.objects)
            self.send()
            time.sleep(0.1)
            return len(client.objects) > before and bool(self.overlays)

        until(self._publisher.get_subscription_count, check=node.check)
        until(met, check=node.check)

    def send(self, data: bytes | None = None) -> Image:
        """Sends a grey image, or these bytes in its place."""
        image = self._client.image()
        message = encode(to_rgb(image), image.header)
        if data is not None:
            message.data = array.array("B", data)
        self._publisher.publish(message)
        return image


@pytest.fixture(scope="module")
def node(start: Any, client: Any) -> Any:
    node = start("node", fake=True, image_transport="compressed")
    node.wait_for("waiting for images on /camera/image_raw/compressed")
    return node


@pytest.fixture(scope="module")
def camera(node: Any, client: Any, until: Any) -> Camera:
    return Camera(client, until, node)


def test_a_compressed_image_is_tracked(client: Any, camera: Camera) -> None:
    image = camera.send()

    answer = client.answer(image)

    assert answer.header == image.header
    assert (answer.height, answer.width) == (48, 64)


def test_a_broken_one_is_refused_and_the_next_is_tracked(client: Any, camera: Camera, node: Any) -> None:
    camera.send(data=b"\xff\xd8\xff\xe0 no picture")

    line = node.wait_for("refused an image")
    assert "of format 'rgb8; jpeg compressed bgr8' and 15 bytes cannot be decoded; it must be a JPEG or PNG" in line
    client.answer(camera.send())


def test_the_overlay_comes_compressed_too(client: Any, camera: Camera, until: Any) -> None:
    image = camera.send()

    def found() -> CompressedImage | None:
        return next((one for one in camera.overlays if one.header == image.header), None)

    assert np.abs(decode(until(found)).astype(int) - 90).max() <= 3


def test_a_click_is_on_the_topic_of_the_raw_image(client: Any, camera: Camera, node: Any, until: Any) -> None:
    clicks = client.node.create_publisher(Point, "/camera/image_raw_mouse_left", QoSProfile(depth=5))
    until(clicks.get_subscription_count, check=node.check)
    client.answer(camera.send())

    clicks.publish(Point(x=20.0, y=30.0))

    assert "started object" in node.wait_for("the click at (20, 30)")
    (tracked,) = client.answer(camera.send()).objects
    assert (tracked.centroid.x, tracked.centroid.y) == (19.5, 29.5)
