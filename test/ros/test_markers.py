from __future__ import annotations

import numpy as np
from std_msgs.msg import Header
from visualization_msgs.msg import Marker

from sam2_ros.geometry.colours import colour
from sam2_ros.geometry.oriented_box import UPRIGHT_CAMERA, OrientedBox
from sam2_ros.ros.markers import to_deletions, to_markers
from sam2_ros.ros.messages import to_pose

HEADER = Header(frame_id="camera_optical_frame")
BOX = OrientedBox(np.array([0.1, 0.2, 0.9]), UPRIGHT_CAMERA, np.array([0.2, 0.1, 0.3]))


def test_a_box_its_edges_and_its_name() -> None:
    solid, edges, name = to_markers(HEADER, 3, "3 mug", BOX)

    assert [(one.ns, one.id, one.type, one.action) for one in (solid, edges, name)] == [
        ("box", 3, Marker.CUBE, Marker.ADD),
        ("edges", 3, Marker.LINE_LIST, Marker.ADD),
        ("name", 3, Marker.TEXT_VIEW_FACING, Marker.ADD),
    ]
    assert (solid.scale.x, solid.scale.y, solid.scale.z) == (0.2, 0.1, 0.3)
    assert solid.pose == to_pose(BOX)
    assert name.text == "3 mug" and name.scale.z > 0 and edges.scale.x > 0
    assert all(one.header == HEADER for one in (solid, edges, name))
    np.testing.assert_allclose([solid.color.r, solid.color.g, solid.color.b], np.array(colour(3)) / 255, atol=1e-6)
    assert 0 < solid.color.a < 1


def test_twelve_edges_of_the_boxs_lengths() -> None:
    _, edges, _ = to_markers(HEADER, 3, "", BOX)
    ends = np.array([(point.x, point.y, point.z) for point in edges.points]).reshape(12, 2, 3)

    lengths = sorted(np.linalg.norm(ends[:, 0] - ends[:, 1], axis=1))

    np.testing.assert_allclose(lengths, [0.1] * 4 + [0.2] * 4 + [0.3] * 4)
    assert edges.pose.orientation.w == 1.0


def test_the_name_is_above_the_box() -> None:
    _, _, name = to_markers(HEADER, 3, "3", BOX)

    assert name.pose.position.y < BOX.corners[:, 1].min()
    assert name.pose.position.x == 0.1


def test_deletions_name_every_marker() -> None:
    added = {(one.ns, one.id) for one in to_markers(HEADER, 3, "", BOX)}

    deletions = to_deletions(HEADER, 3)

    assert {(one.ns, one.id) for one in deletions} == added
    assert all(one.action == Marker.DELETE and one.header == HEADER for one in deletions)
