"""Where the tracked objects are in space: camera_info and depth in, a place for each object out."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
from rclpy.callback_groups import CallbackGroup
from rclpy.impl.rcutils_logger import RcutilsLogger
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.subscription import Subscription
from sensor_msgs.msg import CameraInfo
from std_msgs.msg import Header

from sam2_ros.geometry.camera import BadCamera, Pinhole
from sam2_ros.geometry.depth import DepthImage
from sam2_ros.geometry.oriented_box import Floats
from sam2_ros.geometry.places import Place, locate
from sam2_ros.tracking import State, Tracks

from .camera_info import to_pinhole
from .compressed import ImageMessage, kind_of
from .depth import DepthMatcher, NoDepth, to_depth_image
from .messages import to_nanoseconds
from .mismatch import say_mismatch
from .subscriptions import Subscriptions


class Unlocated(NamedTuple):
    """The images whose objects could not be located, for a reason that is the camera's and not one object's."""

    images: int = 0
    reason: str = ""
    """Of the newest of them."""


class Space:
    """One camera's view of space.

    Messages may come in any thread; `expect` is for the one that tracks, `locate` and `keep` for one at a time. Which
    way each object's box was turned is kept, so that the axes keep their names from image to image.
    """

    def __init__(
        self,
        rectified: bool,
        info_topic: str,
        depth_topic: str | None,
        tolerance: float,
        patience: float,
        complain: Callable[[str], None] = lambda reason: None,
    ) -> None:
        """rectified: whether the images have lost their distortion. info_topic, depth_topic: as they are in the graph,
        the latter None if no depth is asked for. tolerance: seconds between an image's stamp and that of its depth
        image. patience: seconds to wait for that. complain: called with the reason for each image whose objects cannot
        be located.
        """
        self._complain = complain
        self._rectified = rectified
        self.info_topic = info_topic
        self.depth_topic = depth_topic
        self._info: CameraInfo | None = None
        self._depths = None if depth_topic is None else DepthMatcher(depth_topic, tolerance, patience)
        self._used: tuple[Header, DepthImage, Pinhole] | None = None
        self._unlocated: Header | None = None
        self.unlocated = Unlocated()
        """Replaced, never changed, so that other threads may read it."""
        self._rotations: dict[int, Floats] = {}

    @property
    def depth_asked(self) -> bool:
        return self._depths is not None

    def put_info(self, message: CameraInfo) -> None:
        self._info = message

    def put_depth(self, message: ImageMessage) -> None:
        if self._depths is not None:
            self._depths.put(message)

    def camera(self, header: Header, height: int, width: int) -> Pinhole:
        """The camera of an image of that size. Raises BadCamera with the reason if it is not known."""
        info = self._info
        if info is None:
            raise BadCamera(f"no camera_info has come on {self.info_topic}")
        if info.header.frame_id != header.frame_id:
            raise BadCamera(
                f"camera_info is of the frame {info.header.frame_id!r} and the image of {header.frame_id!r}; they must "
                "be of one camera"
            )
        return to_pinhole(info, width, height, rectified=self._rectified)

    def depth(self, header: Header, height: int, width: int) -> DepthImage:
        """The depth image for an image of that size. Raises NoDepth with the reason."""
        if self._depths is None:
            raise NoDepth("no depth is asked for (parameter depth)")
        return to_depth_image(self._depths.take(to_nanoseconds(header.stamp)), header, height, width)

    def expect(self, header: Header) -> None:
        """Says which image is tracked now, so that its depth is kept, however long that takes."""
        if self._depths is not None:
            self._depths.expect(to_nanoseconds(header.stamp))

    def locate(self, header: Header, tracks: Tracks) -> list[Place | str] | None:
        """For each object of the tracks of an image its place, or in a sentence why it cannot be told.

        None if no depth is asked for. For one header, the very object, the depth image is chosen once.
        """
        if self._depths is None:
            return None
        if not tracks.ids:
            return []
        height, width = tracks.masks.shape[1:]
        try:
            # Not by the stamp: a camera may send the same one twice, or none at all.
            if self._used is None or self._used[0] is not header:
                camera = self.camera(header, height, width)
                self._used = header, self.depth(header, height, width), camera
        except (BadCamera, NoDepth) as error:
            self._complain(str(error))
            # After a prompt the same image's objects are located once more.
            self.unlocated = Unlocated(self.unlocated.images + (self._unlocated is not header), str(error))
            self._unlocated = header
            return [str(error)] * len(tracks.ids)
        _, depth, camera = self._used
        before = [self._rotations.get(object_id) for object_id in tracks.ids]
        # What a mask still shows of an object that is not in view is none of it.
        in_view = np.array([state == State.VISIBLE for state in tracks.states])
        places = locate(tracks.masks, tracks.boxes * in_view[:, None], depth, camera, before)
        for object_id, place in zip(tracks.ids, places, strict=True):
            if isinstance(place, Place):
                self._rotations[object_id] = place.box.rotation
        return places

    def keep(self, ids: tuple[int, ...]) -> None:
        """Forgets all objects but these."""
        self._rotations = {object_id: turn for object_id, turn in self._rotations.items() if object_id in ids}


class SpaceInput(Subscriptions):
    """Subscribes a camera's space to its topics. Publishers that do not fit are said."""

    def __init__(
        self,
        node: Node,
        space: Space,
        reliability: ReliabilityPolicy,
        group: CallbackGroup,
        logger: RcutilsLogger,
    ) -> None:
        def subscribe(kind: type, topic: str, take: Callable[..., None]) -> Subscription:
            quality = QoSProfile(depth=5, reliability=reliability)
            events = say_mismatch(topic, reliability, logger)
            return node.create_subscription(kind, topic, take, quality, callback_group=group, event_callbacks=events)

        makers = [partial(subscribe, CameraInfo, space.info_topic, space.put_info)]
        if space.depth_topic is not None:
            makers.append(partial(subscribe, kind_of(space.depth_topic), space.depth_topic, space.put_depth))
        super().__init__(node, makers)
