"""Camera, node and client in three processes: where objects are in space, against the simulated table's truth."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import cv2
import numpy as np
import pytest
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CameraInfo, Image, PointCloud2
from visualization_msgs.msg import Marker, MarkerArray

from sam2_ros.msg import TrackedObject
from sam2_ros.ros.images import to_array, to_message
from sam2_ros.ros.messages import to_nanoseconds
from sam2_ros.ros.point_cloud import from_point_cloud
from sam2_ros.srv import Prompt

pytest.importorskip("mujoco")

from sam2_ros.simulation.tabletop import Tabletop

CLOSE, ALIKE = 0.01, 0.2
TOPICS = ("--ros-args", "-r", "depth:=/camera/depth/image_raw", "-r", "camera_info:=/camera/camera_info")


@pytest.fixture(scope="module")
def heard(client: Any) -> dict[str, list[Any]]:
    """What comes on the topics that say where objects are, and the camera's truth."""
    heard: dict[str, list[Any]] = {}
    kinds = {
        "/sam2/points": PointCloud2,
        "/sam2/markers": MarkerArray,
        "/camera/truth": Image,
        "/camera/camera_info": CameraInfo,
    }
    for package, message, topic in (
        ("vision_msgs", "Detection3DArray", "/sam2/detections_3d"),
        ("vision_msgs", "Detection2DArray", "/sam2/detections"),
        ("tf2_msgs", "TFMessage", "/tf"),
    ):
        try:
            kinds[topic] = getattr(__import__(f"{package}.msg").msg, message)
        except ModuleNotFoundError:
            continue
    for topic, kind in kinds.items():
        client.node.create_subscription(kind, topic, heard.setdefault(topic, []).append, QoSProfile(depth=50))
    return heard


@pytest.fixture(scope="module")
def located(start: Any, client: Any, until: Any, heard: dict[str, list[Any]]) -> dict[int, int]:
    """The camera shows the table's first moment, and the node has the true masks.

    Ids of the node's objects to those of the table's.
    """
    camera = start("camera", "--simulated", "--wait", "--rate", "2", paused=True)
    node = start("node", *TOPICS, fake=True, depth=True, depth_wait=1.0, object_frames=True)
    node.wait_for("waiting for images")
    until(lambda: client.objects and heard["/camera/truth"], check=camera.check)
    truth = heard["/camera/truth"][-1]
    labels = to_array(truth)
    ids = {}
    for number in np.unique(labels[labels > 0]):
        mask = to_message(np.where(labels == number, np.uint8(255), np.uint8(0)), "mono8", truth.header)
        response = client.call(Prompt, "prompt", Prompt.Request(mask=mask))
        assert response.success, response.message
        ids[response.object_id] = int(number)
    until(lambda: len(client.objects[-1].objects) == len(ids))
    prompted = _stamp(client.objects[-1])
    received = [client.objects, *heard.values()]

    def renewed() -> bool:
        """Forgets what is of images before the last prompt, which may come late, and says whether enough is left."""
        for messages in received:
            while messages and _stamp(messages[0]) <= prompted:
                del messages[0]
        return all(len(messages) > 2 for messages in received)

    until(renewed, check=node.check)
    camera.stop()
    return ids


def _stamp(message: Any) -> int:
    """Of the image that a message is of, in nanoseconds; 0 where nothing in it could tell."""
    if isinstance(message, MarkerArray):
        return to_nanoseconds(message.markers[0].header.stamp) if message.markers else 0
    if hasattr(message, "transforms"):
        return to_nanoseconds(message.transforms[0].header.stamp)
    return to_nanoseconds(message.header.stamp)


def _true_boxes(ids: dict[int, int]) -> dict[int, Any]:
    """Of the objects that nothing hides."""
    table = Tabletop.demo()
    labels = table.frame(0.0, depth=False).labels
    boxes = {
        object_id: table.box(number, 0.0)
        for object_id, number in ids.items()
        if (labels == number).sum() >= 0.98 * table.whole(number, 0.0).sum()
    }
    table.close()
    return boxes


def _rotation(tracked: TrackedObject) -> np.ndarray:
    q = tracked.pose.orientation
    x, y, z, w = q.x, q.y, q.z, q.w
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )


def test_centre_and_size_are_those_of_the_true_box(client: Any, located: dict[int, int]) -> None:
    message = client.objects[-1]
    truth = _true_boxes(located)
    assert len(truth) >= 4
    for tracked in message.objects:
        assert tracked.has_pose, tracked.no_pose
        assert tracked.upright and tracked.no_pose == ""
        if tracked.id not in truth:
            continue
        true = truth[tracked.id]
        position, size = tracked.pose.position, tracked.size
        off = np.linalg.norm([position.x, position.y, position.z] - true.centre)
        likeness = np.abs(_rotation(tracked).T @ true.rotation)
        orders = sorted(
            permutations(range(3)), key=lambda order: -round(sum(likeness[order[k], k] for k in range(3)), 1)
        )
        edges = np.array([size.x, size.y, size.z])
        errors = [np.abs(edges[list(order)] / true.size - 1).max() for order in orders[:2]]
        print(f"object {tracked.id}: centre {1000 * off:.1f} mm, size {100 * min(errors):.1f} % off")
        assert off < CLOSE
        assert min(errors) < ALIKE


def test_points_are_of_the_objects_and_have_their_ids(client: Any, located: dict[int, int], heard: Any) -> None:
    cloud = heard["/sam2/points"][-1]
    points = from_point_cloud(cloud)

    assert cloud.header.frame_id == "camera_optical_frame"
    assert set(points["object_id"]) == set(located)
    truth = _true_boxes(located)
    for object_id, box in truth.items():
        own = points[points["object_id"] == object_id]
        places = np.stack((own["x"], own["y"], own["z"]), axis=1)
        assert 100 < len(places) <= 12000
        inside = np.abs((places - box.centre) @ box.rotation) < box.size / 2 + 0.004
        assert inside.all(axis=1).mean() > 0.98


def test_every_message_has_the_header_of_an_image(client: Any, located: dict[int, int], heard: Any) -> None:
    stamps = {to_nanoseconds(info.header.stamp) for info in heard["/camera/camera_info"]}
    for topic in ("/sam2/points", "/sam2/detections", "/sam2/detections_3d"):
        for message in heard.get(topic, []):
            assert to_nanoseconds(message.header.stamp) in stamps
            assert message.header.frame_id == "camera_optical_frame"
    for message in client.objects:
        assert to_nanoseconds(message.header.stamp) in stamps


def test_markers_are_the_boxes_of_the_objects(client: Any, located: dict[int, int], heard: Any) -> None:
    markers = heard["/sam2/markers"][-1].markers
    solids = {one.id: one for one in markers if one.ns == "box"}

    assert set(solids) == set(located)
    for tracked in client.objects[-1].objects:
        solid = solids[tracked.id]
        assert solid.action == Marker.ADD and solid.type == Marker.CUBE
        # The scene stands still: another image gives the same box but for rendering noise.
        assert abs(solid.pose.position.z - tracked.pose.position.z) < 0.002
        assert abs(solid.scale.x - tracked.size.x) < 0.005


def test_detections_of_vision_msgs(located: dict[int, int], heard: Any) -> None:
    if "/sam2/detections_3d" not in heard:
        pytest.skip("vision_msgs is not installed")
    assert {int(one.id) for one in heard["/sam2/detections_3d"][-1].detections} == set(located)
    assert {int(one.id) for one in heard["/sam2/detections"][-1].detections} == set(located)


def test_frames_of_objects(located: dict[int, int], heard: Any) -> None:
    if "/tf" not in heard:
        pytest.skip("tf2_msgs is not installed")
    names = {transform.child_frame_id for message in heard["/tf"] for transform in message.transforms}
    assert names == {f"object_{object_id}" for object_id in located}


def test_a_projected_box_holds_the_mask(client: Any, located: dict[int, int], heard: Any) -> None:
    info = heard["/camera/camera_info"][-1]
    for tracked in client.objects[-1].objects:
        size, position = tracked.size, tracked.pose.position
        signs = np.array([[i, j, k] for i in (-1, 1) for j in (-1, 1) for k in (-1, 1)]) / 2
        corners = signs * [size.x, size.y, size.z] @ _rotation(tracked).T + [position.x, position.y, position.z]
        pixels = corners @ np.array(info.k).reshape(3, 3).T
        x0, y0, width, height = cv2.boundingRect((pixels[:, :2] / pixels[:, 2:]).astype(np.float32))
        box = tracked.box
        assert x0 < box.x_offset + 4 and y0 < box.y_offset + 4
        assert x0 + width > box.x_offset + box.width - 4 and y0 + height > box.y_offset + box.height - 4
