"""The topics for people, made beside the tracking."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from rclpy.lifecycle import LifecycleNode
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from sam2_ros.geometry.overlay import Mark, draw_overlay

from .compressed import SUFFIX, encode
from .images import to_message
from .slot import NewestSlot

_Scene: TypeAlias = tuple[Header, NDArray[np.uint8], Sequence[Mark]]


class OverlayPublisher:
    """~/overlay and ~/overlay/compressed.

    They are made in a thread of their own, because nobody should wait for what people look at, and only the newest: of
    images that come faster than they can be drawn some are left out.
    """

    def __init__(self, node: LifecycleNode, base: str) -> None:
        """base: of the topics' names."""
        self.opacity = 0.4
        """Of the fills, 0 to 1."""
        self._raw = node.create_lifecycle_publisher(Image, f"{base}/overlay", QoSProfile(depth=1))
        self._compressed = node.create_lifecycle_publisher(
            CompressedImage, f"{base}/overlay{SUFFIX}", QoSProfile(depth=1)
        )
        self._newest: NewestSlot[_Scene] = NewestSlot()
        self._thread = ThreadPoolExecutor(1, "overlay")
        self._begun: deque[Future[None]] = deque()

    @property
    def listeners(self) -> int:
        """How many there are to the two topics together."""
        return self._raw.get_subscription_count() + self._compressed.get_subscription_count()

    def publish(self, header: Header, image: NDArray[np.uint8], marks: Sequence[Mark]) -> None:
        """Has an image (H, W, 3) RGB drawn and published soon. Raises what went wrong with an earlier one."""
        while self._begun and self._begun[0].done():
            self._begun.popleft().result()
        if self.listeners:
            self._newest.put((header, image, marks))
            self._begun.append(self._thread.submit(self._make))

    def finish(self) -> None:
        """Waits until all that was begun is published. Raises what went wrong with it."""
        while self._begun:
            self._begun.popleft().result()

    def _make(self) -> None:
        scene = self._newest.take()
        if scene is None:  # drawn already, in the place of an older one
            return
        header, image, marks = scene
        drawn = draw_overlay(image, marks, opacity=self.opacity)
        if self._raw.get_subscription_count():
            self._raw.publish(to_message(drawn, "rgb8", header))
        if self._compressed.get_subscription_count():
            self._compressed.publish(encode(drawn, header))
