"""Why an object has no pose, said over DDS: what is missing or does not fit, one thing after the other."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from sam2_ros.msg import TrackedObject
from sam2_ros.ros.images import to_message
from sam2_ros.ros.messages import to_nanoseconds, to_time
from sam2_ros.srv import Prompt

HEIGHT, WIDTH = 120, 160
BOX = [60.0, 40.0, 100.0, 80.0]


class DepthCamera:
    """The client's camera, with depth: a table 0.8 m below it, and a block of 10 cm in the middle."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._infos = client.node.create_publisher(CameraInfo, "/camera/camera_info", QoSProfile(depth=5))
        self._depths = client.node.create_publisher(Image, "/camera/depth", QoSProfile(depth=5))
        self.depth = np.full((HEIGHT, WIDTH), 800, np.uint16)
        self.depth[40:80, 60:100] = 700

    def publish_info(self, width: int = WIDTH, height: int = HEIGHT) -> None:
        k = [150.0, 0.0, 79.5, 0.0, 150.0, 59.5, 0.0, 0.0, 1.0]
        self._infos.publish(CameraInfo(header=Header(frame_id="camera_optical_frame"), width=width, height=height, k=k))

    def look(self, frame_id: str = "camera_optical_frame", late: float = 0.0, stride: int = 1) -> TrackedObject:
        """Sends depth and an image, and gives the object as the node then has it.

        late: seconds that the depth image's stamp is after the image's. stride: of the depth image's pixels.
        """
        image = self._client.image(height=HEIGHT, width=WIDTH)
        stamp = to_time(to_nanoseconds(image.header.stamp) + round(1e9 * late))
        pixels = np.ascontiguousarray(self.depth[::stride, ::stride])
        self._depths.publish(to_message(pixels, "16UC1", Header(stamp=stamp, frame_id=frame_id)))
        (tracked,) = self._client.answer(self._client.send(image)).objects
        return tracked


@pytest.fixture(scope="module")
def node(start: Any, client: Any) -> Any:
    topics = ("--ros-args", "-r", "depth:=/camera/depth", "-r", "camera_info:=/camera/camera_info")
    node = start("node", *topics, fake=True, depth=True, depth_wait=1.0)
    node.wait_for("waiting for images")
    client.meet(height=HEIGHT, width=WIDTH)
    response = client.call(Prompt, "prompt", Prompt.Request(box=BOX))
    assert response.success, response.message
    assert "no camera_info has come on /camera/camera_info" in response.object.no_pose
    return node


@pytest.fixture(scope="module")
def camera(node: Any, client: Any) -> DepthCamera:
    return DepthCamera(client)


def _until_located(camera: DepthCamera, until: Any) -> TrackedObject:
    """Publishers and subscribers must find one another first."""

    def look() -> TrackedObject | None:
        camera.publish_info()
        tracked = camera.look()
        return tracked if tracked.has_pose else None

    return until(look)


def test_what_is_missing_or_does_not_fit_is_named(camera: DepthCamera, node: Any, until: Any) -> None:
    first = camera.look()
    assert not first.has_pose
    assert "no camera_info has come" in first.no_pose
    node.wait_for("objects are not located: no camera_info has come on /camera/camera_info")

    located = _until_located(camera, until)
    assert (located.no_pose, located.upright) == ("", True)
    assert abs(located.pose.position.z - 0.75) < 0.005
    assert abs(located.size.x * located.size.y * located.size.z - 0.187**2 * 0.1) < 0.0005

    assert "in the frame 'depth_frame' and the image in 'camera_optical_frame'" in camera.look("depth_frame").no_pose
    assert "80x60 pixels and the image 160x120" in camera.look(stride=2).no_pose
    assert "the nearest depth image is" in camera.look(late=0.05).no_pose
    assert camera.look(late=0.01).has_pose

    camera.depth[:] = 0
    assert "depth is known for 0 of the object's" in camera.look().no_pose
    camera.publish_info(width=640, height=480)
    until(lambda: "camera_info is for images of 640x480 pixels" in camera.look().no_pose)


def test_the_node_goes_on(camera: DepthCamera, node: Any, until: Any) -> None:
    camera.depth[:] = 800
    camera.depth[40:80, 60:100] = 700

    assert _until_located(camera, until).has_pose
    node.check()
