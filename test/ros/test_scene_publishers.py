from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from builtin_interfaces.msg import Time
from fake_publishing import FakeNode
from std_msgs.msg import Header
from visualization_msgs.msg import Marker

from sam2_ros.geometry.oriented_box import UPRIGHT_CAMERA, OrientedBox
from sam2_ros.geometry.places import Place
from sam2_ros.ros import scene_publishers
from sam2_ros.ros.point_cloud import from_point_cloud
from sam2_ros.ros.scene_publishers import ScenePublishers
from sam2_ros.tracking import State, Tracks

HEADER = Header(frame_id="camera_optical_frame")
IMAGE = np.zeros((4, 6, 3), np.uint8)
IMAGE[1, 2] = (10, 20, 30)


@pytest.fixture
def node() -> FakeNode:
    return FakeNode()


def _tracks(*ids: int) -> Tracks:
    count = len(ids)
    zeros, boxes = np.zeros(count, np.float32), np.tile(np.float32([1, 1, 4, 3]), (count, 1))
    return Tracks(
        stamp=0,
        ids=ids,
        states=(State.VISIBLE,) * count,
        masks=np.zeros((count, 4, 6), bool),
        logits=np.zeros((count, 1, 1), np.float32),
        boxes=boxes,
        centroids=np.zeros((count, 2), np.float32),
        areas=np.full(count, 6),
        scores=zeros,
        visibility=np.full(count, 0.75, np.float32),
        iou=zeros,
        last_seen=(0,) * count,
    )


def _place(z: float = 1.0) -> Place:
    box = OrientedBox(np.array([0.1, 0.2, z]), UPRIGHT_CAMERA, np.array([0.2, 0.1, 0.3]))
    points = np.array([[0.1, 0.2, z], [0.1, 0.3, z]], np.float32)
    return Place(box, points, np.array([[2, 1], [3, 1]]), partly_hidden=False, upright=True)


def _listen(node: FakeNode, *topics: str) -> None:
    for topic, publisher in node.publishers.items():
        publisher.subscribers = int(topic in topics)


def test_only_what_is_listened_to_is_made(node: FakeNode, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = ScenePublishers(node)
    for name in ("to_markers", "object_points", "to_pose"):
        monkeypatch.setattr(scene_publishers, name, None)

    assert not scene.places_wanted
    scene.publish(HEADER, IMAGE, _tracks(1), {}, [_place()])

    assert not any(publisher.messages for publisher in node.publishers.values())


def test_points_have_their_colour_and_their_objects_id(node: FakeNode) -> None:
    scene = ScenePublishers(node)
    _listen(node, "~/points")

    assert scene.places_wanted
    scene.publish(HEADER, IMAGE, _tracks(3, 5, 8), {}, [_place(1.0), "no depth", _place(2.0)])

    (cloud,) = node.publishers["~/points"].messages
    points = from_point_cloud(cloud)
    assert cloud.header == HEADER
    np.testing.assert_array_equal(points["object_id"], [3, 3, 8, 8])
    np.testing.assert_allclose(points["z"], [1, 1, 2, 2])
    np.testing.assert_array_equal(points["rgb"].view(np.uint32), [0x0A141E, 0, 0x0A141E, 0])


def test_without_a_place_the_cloud_is_empty_and_without_depth_there_is_none(node: FakeNode) -> None:
    scene = ScenePublishers(node)
    _listen(node, "~/points")

    scene.publish(HEADER, IMAGE, _tracks(1), {}, ["no depth"])
    scene.publish(HEADER, IMAGE, _tracks(1), {}, None)

    (cloud,) = node.publishers["~/points"].messages
    assert cloud.width == 0


def test_markers_come_and_go(node: FakeNode) -> None:
    scene = ScenePublishers(node)
    _listen(node, "~/markers")

    scene.publish(HEADER, IMAGE, _tracks(1, 2), {1: "mug"}, [_place(), _place()])
    scene.publish(HEADER, IMAGE, _tracks(1, 2), {}, ["no depth", _place()])
    scene.publish(HEADER, IMAGE, _tracks(2), {}, [_place()])

    shown, gone, later = (
        {(one.ns, one.id, one.action) for one in array.markers} for array in node.publishers["~/markers"].messages
    )
    names = ("box", "edges", "name")
    assert shown == {(name, number, Marker.ADD) for name in names for number in (1, 2)}
    assert gone == {(name, 1, Marker.DELETE) for name in names} | {(name, 2, Marker.ADD) for name in names}
    assert later == {(name, 2, Marker.ADD) for name in names}
    texts = [one.text for one in node.publishers["~/markers"].messages[0].markers if one.ns == "name"]
    assert texts == ["1 mug", "2"]


def test_frames_if_asked_for(node: FakeNode) -> None:
    pytest.importorskip("tf2_msgs.msg", reason="tf2_msgs is not installed")
    scene = ScenePublishers(node)
    scene.publish(HEADER, IMAGE, _tracks(7), {}, [_place()])
    assert not node.publishers["/tf"].messages

    scene.frames = True
    assert scene.places_wanted
    scene.publish(HEADER, IMAGE, _tracks(7, 8), {}, [_place(), "no depth"])

    ((transform,),) = (message.transforms for message in node.publishers["/tf"].messages)
    assert (transform.header, transform.child_frame_id) == (HEADER, "object_7")
    assert (transform.transform.translation.y, transform.transform.rotation.x) == (0.2, pytest.approx(0.7071068))


def test_a_frame_is_sent_once_with_each_stamp(node: FakeNode, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a prompt the newest image's tracks are published again; tf2 warns of a stamp that it has already."""
    monkeypatch.setattr(scene_publishers, "TFMessage", SimpleNamespace)
    scene = ScenePublishers(node)
    scene.frames = True
    later = Header(frame_id=HEADER.frame_id, stamp=Time(sec=1))

    scene.publish(HEADER, IMAGE, _tracks(7, 8), {}, [_place(), "no depth"])
    scene.publish(HEADER, IMAGE, _tracks(7, 8, 9), {}, [_place(2.0), _place(), _place()])
    scene.publish(HEADER, IMAGE, _tracks(7, 8), {}, [_place(3.0), _place()])
    scene.publish(later, IMAGE, _tracks(7), {}, [_place(3.0)])

    sent = [
        [(one.child_frame_id, one.header.stamp.sec, one.transform.translation.z) for one in message.transforms]
        for message in node.publishers["/tf"].messages
    ]
    assert sent == [[("object_7", 0, 1.0)], [("object_8", 0, 1.0), ("object_9", 0, 1.0)], [("object_7", 1, 3.0)]]


def test_frames_without_tf2_msgs_are_said_to_be_missing(node: FakeNode, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scene_publishers, "TFMessage", None)
    scene = ScenePublishers(node)
    scene.frames = True

    scene.publish(HEADER, IMAGE, _tracks(7), {}, [_place()])

    assert "tf2_msgs is not installed; objects have no frames" in node.lines


def test_detections_without_vision_msgs_are_said_to_be_missing(node: FakeNode, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scene_publishers, "Detection2DArray", None)

    ScenePublishers(node).publish(HEADER, IMAGE, _tracks(7), {}, [_place()])

    assert any("vision_msgs is not installed" in line for line in node.lines)


def test_detections(node: FakeNode) -> None:
    pytest.importorskip("vision_msgs.msg", reason="vision_msgs is not installed")
    scene = ScenePublishers(node)
    _listen(node, "~/detections", "~/detections_3d")
    tracks = replace(_tracks(1, 2, 3), states=(State.VISIBLE, State.OCCLUDED, State.VISIBLE))

    scene.publish(HEADER, IMAGE, tracks, {1: "mug"}, [_place(), "not in view", "no depth"])

    (flat,) = node.publishers["~/detections"].messages
    assert flat.header == HEADER
    assert [one.id for one in flat.detections] == ["1", "3"]
    first = flat.detections[0]
    assert (first.results[0].hypothesis.class_id, first.results[0].hypothesis.score) == ("mug", 0.75)
    assert (first.bbox.center.position.x, first.bbox.center.position.y) == (2.0, 1.5)
    assert (first.bbox.size_x, first.bbox.size_y) == (3.0, 2.0)
    (solid,) = node.publishers["~/detections_3d"].messages
    (one,) = solid.detections
    assert (one.id, one.bbox.size.z, one.bbox.center.position.z) == ("1", 0.3, 1.0)
    assert one.results[0].pose.pose == one.bbox.center


def test_detections_on_the_image_need_no_depth(node: FakeNode) -> None:
    pytest.importorskip("vision_msgs.msg", reason="vision_msgs is not installed")
    scene = ScenePublishers(node)
    _listen(node, "~/detections", "~/detections_3d")

    scene.publish(HEADER, IMAGE, _tracks(1), {}, None)

    assert len(node.publishers["~/detections"].messages) == 1
    assert not node.publishers["~/detections_3d"].messages
