"""The subscription to one camera's images, raw or compressed."""

from __future__ import annotations

from collections.abc import Callable

from rclpy.callback_groups import CallbackGroup
from rclpy.impl.rcutils_logger import RcutilsLogger
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy

from sam2_ros.transport import SETTING

from .compressed import ImageMessage, kind_of, transported
from .mismatch import say_mismatch


class ImageInput:
    """Takes the newest image and no other from a camera's topic. Publishers that do not fit are said."""

    def __init__(
        self,
        node: Node,
        topic: str,
        transport: str,
        reliability: ReliabilityPolicy,
        group: CallbackGroup,
        take: Callable[[ImageMessage], None],
        logger: RcutilsLogger,
    ) -> None:
        """topic: of the raw images, to be resolved. transport: raw or compressed. take: called with each message."""
        self._node = node
        self._reliability = reliability
        self.topic = transported(node.resolve_topic_name(topic), transport)
        self.kind = kind_of(self.topic)
        self._subscription = node.create_subscription(
            self.kind,
            self.topic,
            take,
            QoSProfile(depth=1, reliability=reliability),
            callback_group=group,
            event_callbacks=say_mismatch(self.topic, reliability, logger),
        )

    def explain_silence(self, seconds: float) -> str:
        """A sentence on so many seconds without an image, with the reason as far as it can be seen from here."""
        return f"no image on {self.topic} for {seconds:.0f} s: {self._why_silent()}"

    def stop(self) -> None:
        self._node.destroy_subscription(self._subscription)

    def _why_silent(self) -> str:
        publishers = self._node.get_publishers_info_by_topic(self.topic)
        ours = f"sensor_msgs/msg/{self.kind.__name__}"
        fitting = [one for one in publishers if one.topic_type == ours]
        if not publishers:
            return "nobody publishes it; is the camera running, is the topic remapped, is the ROS domain the same?"
        if not fitting:
            kinds = " and ".join(sorted({one.topic_type for one in publishers}))
            return f"its publisher sends {kinds}, and {ours} is listened to"
        if self._reliability == ReliabilityPolicy.RELIABLE and not any(
            one.qos_profile.reliability == ReliabilityPolicy.RELIABLE for one in fitting
        ):
            return "its publisher is best_effort and the parameter reliability is reliable; best_effort fits all"
        return (
            "it has a publisher; does the camera send, and if it uses Fast DDS, does it run with "
            f"{SETTING} and without ROS_LOCALHOST_ONLY and ROS_AUTOMATIC_DISCOVERY_RANGE=LOCALHOST?"
        )
