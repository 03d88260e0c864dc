from __future__ import annotations

import struct

import numpy as np
import pytest
from sensor_msgs.msg import PointCloud2, PointField
from std_msgs.msg import Header

from sam2_ros.ros.point_cloud import POINT, from_point_cloud, object_points, to_point_cloud

HEADER = Header(frame_id="camera_optical_frame")


def _cloud() -> PointCloud2:
    points = [np.array([[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]], np.float32), np.array([[1, 2, 3]], np.float32)]
    colours = [np.array([[255, 0, 1], [2, 3, 4]], np.uint8), np.array([[16, 32, 64]], np.uint8)]
    return to_point_cloud(HEADER, object_points(points, colours, [7, 70000]))


def test_the_layout_by_hand() -> None:
    cloud = _cloud()

    assert [(field.name, field.offset, field.datatype, field.count) for field in cloud.fields] == [
        ("x", 0, PointField.FLOAT32, 1),
        ("y", 4, PointField.FLOAT32, 1),
        ("z", 8, PointField.FLOAT32, 1),
        ("rgb", 12, PointField.FLOAT32, 1),
        ("object_id", 16, PointField.UINT32, 1),
    ]
    assert (cloud.height, cloud.width, cloud.point_step, cloud.row_step) == (1, 3, 20, 60)
    assert cloud.header is HEADER and cloud.is_dense and not cloud.is_bigendian
    x, y, z, rgb, object_id = struct.unpack_from("<fffII", bytes(cloud.data), 40)
    assert (x, y, z, rgb, object_id) == (1.0, 2.0, 3.0, 0x102040, 70000)


def test_there_and_back() -> None:
    points = from_point_cloud(_cloud())

    assert points.dtype == POINT
    np.testing.assert_array_equal(points["object_id"], [7, 7, 70000])
    np.testing.assert_allclose(points["y"], [0.2, 0.5, 2.0])
    np.testing.assert_array_equal(points["rgb"].view(np.uint32), [0xFF0001, 0x020304, 0x102040])


def test_no_objects_are_an_empty_cloud_with_all_fields() -> None:
    cloud = to_point_cloud(HEADER, object_points([], [], []))

    assert (cloud.width, len(cloud.data), len(cloud.fields)) == (0, 0, 5)


def test_as_sensor_msgs_py_makes_it() -> None:
    point_cloud2 = pytest.importorskip("sensor_msgs_py.point_cloud2", reason="sensor_msgs_py is not installed")
    cloud = _cloud()

    theirs = point_cloud2.create_cloud(HEADER, cloud.fields, from_point_cloud(cloud))
    read = point_cloud2.read_points(cloud, field_names=["x", "y", "z", "object_id"])

    theirs.is_dense = True  # they leave open whether there are points without a place
    assert theirs == cloud
    np.testing.assert_array_equal(read["object_id"], [7, 7, 70000])
