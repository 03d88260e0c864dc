"""Tracked objects as vision_msgs; can only be imported where that is installed. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from geometry_msgs.msg import PoseWithCovariance
from std_msgs.msg import Header
from vision_msgs.msg import (
    BoundingBox2D,
    BoundingBox3D,
    Detection2D,
    Detection2DArray,
    Detection3D,
    Detection3DArray,
    ObjectHypothesis,
    ObjectHypothesisWithPose,
)

from sam2_ros.geometry.places import Place
from sam2_ros.tracking import State, Tracks

from .messages import to_pose, to_size


def to_detections(header: Header, tracks: Tracks, labels: Mapping[int, str]) -> Detection2DArray:
    """The objects that are in view: id, label, visibility as the score, and box with its centre."""
    detections = []
    for index in _in_view(tracks):
        x0, y0, x1, y1 = (float(edge) for edge in tracks.boxes[index])
        box = BoundingBox2D(size_x=x1 - x0, size_y=y1 - y0)
        # Boxes end one past their last pixel, and a pixel's centre is a whole number.
        box.center.position.x, box.center.position.y = (x0 + x1 - 1) / 2, (y0 + y1 - 1) / 2
        result = ObjectHypothesisWithPose(hypothesis=_hypothesis(tracks, index, labels))
        detections.append(Detection2D(header=header, results=[result], bbox=box, id=str(tracks.ids[index])))
    return Detection2DArray(header=header, detections=detections)


def to_detections_3d(
    header: Header, tracks: Tracks, labels: Mapping[int, str], places: Sequence[Place | str]
) -> Detection3DArray:
    """The objects whose place is known: id, label, visibility as the score, and oriented box."""
    detections = []
    for index, place in enumerate(places):
        if isinstance(place, str):
            continue
        pose = to_pose(place.box)
        result = ObjectHypothesisWithPose(
            hypothesis=_hypothesis(tracks, index, labels), pose=PoseWithCovariance(pose=pose)
        )
        box = BoundingBox3D(center=pose, size=to_size(place.box))
        detections.append(Detection3D(header=header, results=[result], bbox=box, id=str(tracks.ids[index])))
    return Detection3DArray(header=header, detections=detections)


def _in_view(tracks: Tracks) -> list[int]:
    return [index for index, state in enumerate(tracks.states) if state == State.VISIBLE and tracks.areas[index]]


def _hypothesis(tracks: Tracks, index: int, labels: Mapping[int, str]) -> ObjectHypothesis:
    object_id = tracks.ids[index]
    return ObjectHypothesis(class_id=labels.get(object_id) or str(object_id), score=float(tracks.visibility[index]))
