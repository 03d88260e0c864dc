"""The topics that say where the objects are. Each is made only while somebody listens to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from rclpy.lifecycle import LifecycleNode
from rclpy.qos import QoSProfile
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from sam2_ros.geometry.label_image import label_image
from sam2_ros.geometry.overlay import Mark
from sam2_ros.geometry.places import Place
from sam2_ros.msg import TrackedObjects
from sam2_ros.tracking import State, Tracks

from .images import to_message
from .messages import to_tracked_objects
from .overlay_publisher import OverlayPublisher
from .scene_publishers import ScenePublishers

_LABEL_ENCODINGS = {"uint8": "mono8", "uint16": "mono16", "int32": "32SC1"}


class Publishers:
    """~/objects and ~/label_image, the scene's topics and the overlay.

    Every message has the header of the image that it belongs to. They are published reliably, which fits every
    subscriber. A pixel of ~/label_image is the id of the object there and 0 where there is none: mono8 up to id 255,
    mono16 up to 65535, 32SC1 beyond. Ids are never used again, so a value means one object until the node is configured
    anew.
    """

    def __init__(self, node: LifecycleNode, base: str = "~", frame_prefix: str = "object_") -> None:
        """base: of the topics' names. frame_prefix: comes before an object's id in the name of its frame."""
        self._node = node
        self._objects = node.create_lifecycle_publisher(TrackedObjects, f"{base}/objects", QoSProfile(depth=10))
        # Images are large, and only the newest is of use.
        self._label_image = node.create_lifecycle_publisher(Image, f"{base}/label_image", QoSProfile(depth=1))
        self.overlay = OverlayPublisher(node, base)
        """What people look at."""
        self.scene = ScenePublishers(node, base, frame_prefix)
        """What planners and RViz listen to."""
        self._listeners = 0
        """How many there were when something was published, or that was asked, last."""

    def explain_twin(self) -> str:
        """A sentence if another node publishes these topics as well; else empty."""
        topic = self._objects.topic_name
        if self._node.count_publishers(topic) < 2:
            return ""
        return (
            f"another node publishes {topic} as well, and calls may reach either; end one of them, or give it a "
            "namespace or a name of its own"
        )

    @property
    def places_wanted(self) -> bool:
        """Whether somebody listens to what says where objects are in space."""
        return self.scene.places_wanted or bool(self._objects.get_subscription_count())

    def has_new_listeners(self) -> bool:
        """Whether more listen than when something was published, or this was asked, last."""
        before, self._listeners = self._listeners, self._count_listeners()
        return self._listeners > before

    def _count_listeners(self) -> int:
        own = self._objects.get_subscription_count() + self._label_image.get_subscription_count()
        return own + self.overlay.listeners + self.scene.listeners

    def publish(
        self,
        header: Header,
        image: NDArray[np.uint8],
        tracks: Tracks,
        labels: Mapping[int, str],
        places: Sequence[Place | str] | None = None,
    ) -> None:
        """Publishes the tracks of an image (H, W, 3) RGB; labels: the objects' names by id.

        places: of each object, or why there is none; None where no depth is asked for.
        """
        self._listeners = self._count_listeners()
        self._publish_objects(header, tracks, labels, places)
        self.scene.publish(header, image, tracks, labels, places)
        self._publish_label_image(header, tracks)
        self.overlay.publish(header, image, to_marks(tracks, labels))

    def _publish_objects(
        self, header: Header, tracks: Tracks, labels: Mapping[int, str], places: Sequence[Place | str] | None
    ) -> None:
        if self._objects.get_subscription_count():
            self._objects.publish(to_tracked_objects(header, tracks, labels, places))

    def _publish_label_image(self, header: Header, tracks: Tracks) -> None:
        if self._label_image.get_subscription_count():
            pixels = label_image(tracks.masks, tracks.ids)
            self._label_image.publish(to_message(pixels, _LABEL_ENCODINGS[pixels.dtype.name], header))


def to_marks(tracks: Tracks, labels: Mapping[int, str]) -> list[Mark]:
    """What to draw of each object: its id, its name if it has one, and its state if it is not in view."""
    marks = []
    for object_id, state, mask in zip(tracks.ids, tracks.states, tracks.masks, strict=True):
        words = [str(object_id), labels.get(object_id, ""), "" if state == State.VISIBLE else state.name.lower()]
        marks.append(Mark(object_id, " ".join(word for word in words if word), mask))
    return marks
