"""The topics by which planners and RViz know objects: points, markers, detections and frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from geometry_msgs.msg import Transform, TransformStamped, Vector3
from numpy.typing import NDArray
from rclpy.lifecycle import LifecycleNode
from rclpy.qos import QoSProfile
from sensor_msgs.msg import PointCloud2
from std_msgs.msg import Header
from visualization_msgs.msg import MarkerArray

from sam2_ros.geometry.places import Place
from sam2_ros.tracking import Tracks

from .markers import to_deletions, to_markers
from .messages import to_nanoseconds, to_pose
from .point_cloud import object_points, to_point_cloud

try:
    from vision_msgs.msg import Detection2DArray, Detection3DArray

    from . import detections
except ModuleNotFoundError:
    Detection2DArray = Detection3DArray = None
try:
    from tf2_msgs.msg import TFMessage
except ModuleNotFoundError:
    TFMessage = None


class ScenePublishers:
    """~/points, ~/markers, ~/detections, ~/detections_3d and, if asked for, a tf frame for each object.

    Every message has the header of the image that it belongs to. ~/detections and ~/detections_3d need vision_msgs, and
    frames tf2_msgs; where one is not installed, a line in the log says so and the rest is published.
    """

    def __init__(self, node: LifecycleNode, base: str = "~", frame_prefix: str = "object_") -> None:
        """base: of the topics' names. frame_prefix: comes before an object's id in the name of its frame."""
        self.frames = False
        """Whether frames are published."""
        self._logger = node.get_logger()
        self._frame_prefix = frame_prefix
        self._marked: set[int] = set()
        self._framed: tuple[int, set[int]] = -1, set()  # the newest stamp, and whose frames have been sent with it
        # A cloud is large, and only the newest is of use; a marker that is deleted must not be missed.
        self._points = node.create_lifecycle_publisher(PointCloud2, f"{base}/points", QoSProfile(depth=1))
        self._markers = node.create_lifecycle_publisher(MarkerArray, f"{base}/markers", QoSProfile(depth=10))
        self._detections: Any = None
        self._detections_3d: Any = None
        self._frames: Any = None
        if Detection2DArray is None:
            self._logger.info(f"vision_msgs is not installed; {base}/detections and {base}/detections_3d do not exist")
        else:
            quality = QoSProfile(depth=10)
            self._detections = node.create_lifecycle_publisher(Detection2DArray, f"{base}/detections", quality)
            self._detections_3d = node.create_lifecycle_publisher(Detection3DArray, f"{base}/detections_3d", quality)
        if TFMessage is not None:
            self._frames = node.create_lifecycle_publisher(TFMessage, "/tf", QoSProfile(depth=100))

    @property
    def places_wanted(self) -> bool:
        """Whether somebody listens to what says where objects are in space."""
        return self.frames or any(_heard(one) for one in (self._points, self._markers, self._detections_3d))

    @property
    def listeners(self) -> int:
        """How many there are to all topics but /tf, to which everybody listens."""
        topics = self._points, self._markers, self._detections, self._detections_3d
        return sum(one.get_subscription_count() for one in topics if one is not None)

    def publish(
        self,
        header: Header,
        image: NDArray[np.uint8],
        tracks: Tracks,
        labels: Mapping[int, str],
        places: Sequence[Place | str] | None,
    ) -> None:
        """Publishes an image's tracks.

        image: (H, W, 3) RGB. labels: the objects' names by id. places: one for each object, or the reason that there is
        none; None where no depth is asked for.
        """
        if _heard(self._detections):
            self._detections.publish(detections.to_detections(header, tracks, labels))
        if places is None:
            return
        found = {number: one for number, one in zip(tracks.ids, places, strict=True) if isinstance(one, Place)}
        self._publish_points(header, image, found)
        self._publish_markers(header, found, labels)
        if _heard(self._detections_3d):
            self._detections_3d.publish(detections.to_detections_3d(header, tracks, labels, places))
        if self.frames:
            self._publish_frames(header, found)

    def _publish_points(self, header: Header, image: NDArray[np.uint8], found: Mapping[int, Place]) -> None:
        if not _heard(self._points):
            return
        colours = [image[one.pixels[:, 1], one.pixels[:, 0]] for one in found.values()]
        points = object_points([one.points for one in found.values()], colours, list(found))
        self._points.publish(to_point_cloud(header, points))

    def _publish_markers(self, header: Header, found: Mapping[int, Place], labels: Mapping[int, str]) -> None:
        if not _heard(self._markers):
            self._marked.clear()
            return
        markers = [mark for number in self._marked - found.keys() for mark in to_deletions(header, number)]
        for number, one in found.items():
            markers += to_markers(header, number, f"{number} {labels.get(number, '')}".rstrip(), one.box)
        self._marked = set(found)
        self._markers.publish(MarkerArray(markers=markers))

    def _publish_frames(self, header: Header, found: Mapping[int, Place]) -> None:
        if self._frames is None:
            self._logger.warning("tf2_msgs is not installed; objects have no frames", once=True)
            return
        # tf2 keeps the first frame of a stamp and warns of each other one; after a prompt the next image corrects it.
        stamp = to_nanoseconds(header.stamp)
        if self._framed[0] != stamp:
            self._framed = stamp, set()
        framed = self._framed[1]
        transforms = []
        for number, one in found.items():
            if number in framed:
                continue
            framed.add(number)
            pose = to_pose(one.box)
            place = Vector3(x=pose.position.x, y=pose.position.y, z=pose.position.z)
            transforms.append(
                TransformStamped(
                    header=header,
                    child_frame_id=f"{self._frame_prefix}{number}",
                    transform=Transform(translation=place, rotation=pose.orientation),
                )
            )
        if transforms:
            self._frames.publish(TFMessage(transforms=transforms))


def _heard(publisher: Any) -> bool:
    return publisher is not None and bool(publisher.get_subscription_count())
