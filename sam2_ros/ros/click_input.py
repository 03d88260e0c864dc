"""Where clicks come from: RViz and other 3-D views, rqt, and whoever knows an image's pixels."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial

import numpy as np
from geometry_msgs.msg import Point, PointStamped
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.impl.rcutils_logger import RcutilsLogger
from rclpy.node import Node
from rclpy.qos import QoSProfile

from sam2_ros.tracking import TrackerError

from .clicks import ClickRefused, PixelClick, PointClick
from .log import Bounded
from .messages import to_nanoseconds
from .stream import Stream
from .subscriptions import Subscriptions
from .transforms import TransformBuffer
from .worker import NoAnswer, Tell

_WAITING = 20
"""Clicks that may wait for the tracker; a person makes no more, and what sends more is no person."""


class ClickInput(Subscriptions):
    """Subscribes a stream's clicks to their topics.

    /clicked_point, a point in space in any frame; <image>/mouse_click and ~/mouse_click, pixels of the image of that
    stamp; <image>_mouse_left and ~/overlay_mouse_left, pixels of the newest image. Handlers hand the click to the
    worker and do not wait; what became of it is logged in a sentence.
    """

    def __init__(
        self,
        node: Node,
        tell: Tell,
        stream: Stream,
        image_topic: str,
        transforms: TransformBuffer,
        logger: RcutilsLogger,
        base: str = "~",
    ) -> None:
        """tell: has the worker do something, without waiting. image_topic: of the camera's raw images. transforms: from
        the frames of clicks to the camera's. base: of the node's own topics.
        """
        self._tell_worker = tell
        self._logger = logger
        self._warn = Bounded(logger.warning)
        self._stream = stream
        self._room = threading.Semaphore(_WAITING)
        self._transforms = transforms
        group = MutuallyExclusiveCallbackGroup()  # of its own, so that clicks wait for no image
        quality = QoSProfile(depth=10)
        topics = (
            (PointStamped, "/clicked_point", self._on_point),
            (PointStamped, f"{image_topic}/mouse_click", self._on_pixel),
            (PointStamped, f"{base}/mouse_click", self._on_pixel),
            (Point, f"{image_topic}_mouse_left", self._on_bare_pixel),
            (Point, f"{base}/overlay_mouse_left", self._on_bare_pixel),
        )
        super().__init__(
            node,
            (
                partial(node.create_subscription, kind, topic, handler, quality, callback_group=group)
                for kind, topic, handler in topics
            ),
        )

    def _on_point(self, message: PointStamped) -> None:
        point = message.point
        click = PointClick(
            np.array([point.x, point.y, point.z]), message.header.frame_id, to_nanoseconds(message.header.stamp) or None
        )
        self._tell(partial(self._stream.clicks.click_point, click, self._transforms), click.stamp)

    def _on_pixel(self, message: PointStamped) -> None:
        stamp = to_nanoseconds(message.header.stamp) or None
        self._tell(partial(self._stream.clicks.click, PixelClick(message.point.x, message.point.y, stamp)), stamp)

    def _on_bare_pixel(self, message: Point) -> None:
        self._tell(partial(self._stream.clicks.click, PixelClick(message.x, message.y, None)), None)

    def _tell(self, deed: Callable[[], str], stamp: int | None) -> None:
        """Has the worker do what a click of a stamp means; does not wait for it."""
        if not self._room.acquire(blocking=False):
            self._refuse(f"{_WAITING} clicks are waiting for the tracker already")
            return

        def work() -> None:
            self._room.release()
            try:
                self._logger.info(deed())
            except (ClickRefused, TrackerError) as error:
                self._refuse(str(error))

        try:
            self._tell_worker(work, lambda: self._stream.is_ahead(stamp))
        except NoAnswer as error:
            self._room.release()
            self._refuse(str(error))

    def _refuse(self, reason: str) -> None:
        self._warn(f"refused a click: {reason}")
