"""Points of objects as sensor_msgs/PointCloud2. Pure functions.

sensor_msgs_py makes the same message of a structured array; a test compares them where it is installed.
"""

from __future__ import annotations

import array
import sys
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import PointCloud2, PointField
from std_msgs.msg import Header

_FIELDS = {"x": np.float32, "y": np.float32, "z": np.float32, "rgb": np.float32, "object_id": np.uint32}
_TYPES = {np.float32: PointField.FLOAT32, np.uint32: PointField.UINT32}
_WIDTH = 4  # bytes of each

POINT = np.dtype(list(_FIELDS.items()))
"""rgb: the bytes of a float32 are 0, red, green, blue from the highest to the lowest, as PCL and RViz have it."""


def object_points(
    points: Sequence[NDArray[np.float32]], colours: Sequence[NDArray[np.uint8]], ids: Sequence[int]
) -> NDArray[np.void]:
    """For each object its id, (N, 3) metres and (N, 3) RGB, to one array of POINT."""
    counts = [len(one) for one in points]
    result = np.empty(sum(counts), POINT)
    if not len(result):
        return result
    places = np.concatenate(points)
    for axis, name in enumerate(("x", "y", "z")):
        result[name] = places[:, axis]
    red, green, blue = np.concatenate(colours).astype(np.uint32).T
    result["rgb"] = (red << 16 | green << 8 | blue).view(np.float32)
    result["object_id"] = np.repeat(np.array(ids, np.uint32), counts)
    return result


def to_point_cloud(header: Header, points: NDArray[np.void]) -> PointCloud2:
    """An array of POINT as a message."""
    fields = [
        PointField(name=name, offset=_WIDTH * index, datatype=_TYPES[kind], count=1)
        for index, (name, kind) in enumerate(_FIELDS.items())
    ]
    data = array.array("B")
    data.frombytes(points.tobytes())
    return PointCloud2(
        header=header,
        height=1,
        width=len(points),
        fields=fields,
        is_bigendian=sys.byteorder == "big",
        point_step=POINT.itemsize,
        row_step=POINT.itemsize * len(points),
        is_dense=True,
        data=data,
    )


def from_point_cloud(message: PointCloud2) -> NDArray[np.void]:
    """A message of ~/points as an array of POINT; looks into the message's data."""
    return np.frombuffer(message.data, POINT)
