"""One camera of the node: its topics in and out, and its stream while the node is configured."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable
from dataclasses import replace

from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.lifecycle import LifecycleNode
from rclpy.qos import ReliabilityPolicy

from sam2_ros.tracking import Tracker

from .camera_info import is_rectified
from .click_input import ClickInput
from .compressed import SUFFIX, ImageMessage, transported
from .diagnostics import Diagnostics, make_publisher
from .image_input import ImageInput
from .parameters import ParameterError, Parameters
from .publishers import Publishers
from .report import Counts, Reporter
from .slot import NewestSlot
from .space import Space, SpaceInput
from .stream import Stream
from .transforms import TransformBuffer
from .worker import Tell

NAME = "sam2"
"""Of the node, if it is given no other."""

_COMPLAINT_PERIOD = 2.0  # seconds
_DEPTH_COMPLAINT_PERIOD = 10.0  # seconds


class Camera:
    """What one camera needs of the node. Its topics stand under its name, or under none if that is empty."""

    def __init__(self, node: LifecycleNode, name: str) -> None:
        self.name = name
        self._node = node
        self._logger = node.get_logger().get_child(name) if name else node.get_logger()
        self._image_group = MutuallyExclusiveCallbackGroup()
        # Of its own, so that a depth image does not wait for an image to be handed over.
        self._space_group = MutuallyExclusiveCallbackGroup()
        prefix = frame_prefix(node.get_fully_qualified_name(), name)
        self._outputs = Publishers(node, f"~/{name}" if name else "~", prefix)
        self._diagnostics = make_publisher(node)
        self._parameters = Parameters()
        self._frames_in_vain = False
        self._stream: Stream | None = None
        self._inputs: list[ImageInput | SpaceInput | Reporter | Diagnostics | ClickInput] = []

    def configure(self, parameters: Parameters, tracker: Tracker) -> Stream:
        """Makes the stream. Raises ParameterError where two of the camera's topics are one."""
        self._parameters = parameters
        self._frames_in_vain = False
        names = self._topics(("image", "camera_info", "depth") if parameters.depth else ("image", "camera_info"))
        auto = parameters.rectification == "auto"
        rectified = is_rectified(names["image"]) if auto else parameters.rectification == "rectified"
        space = Space(
            rectified,
            names["camera_info"],
            transported(names["depth"], parameters.depth_transport) if parameters.depth else None,
            parameters.depth_tolerance,
            parameters.depth_wait,
            self._complain_of_depth,
        )
        self._stream = Stream(tracker, space, self._outputs, self._complain, parameters.history, self._now)
        return self._stream

    def apply(self, parameters: Parameters) -> None:
        """Takes over those parameters that may change at any time. Runs in the worker's thread."""
        if self._stream is not None:
            self._stream.tracker.set_visibility(
                show_above=parameters.show_above,
                hide_below=parameters.hide_below,
                lost_after=parameters.lost_after,
                non_overlap=parameters.non_overlap,
            )
        self._outputs.overlay.opacity = parameters.overlay_opacity
        self._outputs.scene.frames = parameters.object_frames and self._parameters.depth
        in_vain = parameters.object_frames and not self._parameters.depth
        if in_vain and not self._frames_in_vain:
            self._logger.warning(
                "object_frames is true and has no effect without depth; set depth to true and configure the node again"
            )
        self._frames_in_vain = in_vain

    def activate(
        self,
        slot: NewestSlot[ImageMessage],
        offer: Callable[[ImageMessage], None],
        tell: Tell,
        transforms: TransformBuffer,
    ) -> None:
        """Subscribes. slot: where images wait. offer: puts one there. tell: has the worker do something. transforms: of
        the frames in which clicks are made."""
        stream = self._stream
        if stream is None:
            raise RuntimeError(f"the camera {self.name!r} is activated before it is configured")
        node, logger, group = self._node, self._logger, self._image_group
        reliability = ReliabilityPolicy[self._parameters.reliability.upper()]
        transport = self._parameters.image_transport
        images = ImageInput(node, self._topic("image"), transport, reliability, group, offer, logger)
        self._inputs.append(images)  # each at once, so that it is stopped if the next one fails
        self._inputs.append(SpaceInput(node, stream.space, reliability, self._space_group, logger))

        def count() -> Counts:
            return replace(stream.counts, dropped=slot.dropped, unlocated=stream.space.unlocated.images)

        raw, twin = images.topic.removesuffix(SUFFIX), self._outputs.explain_twin
        base = f"~/{self.name}" if self.name else "~"
        self._inputs.append(ClickInput(node, tell, stream, raw, transforms, logger, base))
        self._inputs.append(Reporter(node, group, images, count, twin, logger))
        if self._diagnostics is not None:
            self._inputs.append(Diagnostics(node, self._diagnostics, group, self.name, images, stream, count, twin))
        logger.info(f"waiting for images on {images.topic}")

    def deactivate(self) -> None:
        """Unsubscribes."""
        for one in self._inputs:
            one.stop()
        self._inputs.clear()

    def release(self) -> None:
        """Forgets the stream, once nothing is published any more."""
        stream, self._stream = self._stream, None
        try:
            try:
                if stream is not None:
                    stream.close()
            finally:
                self._outputs.overlay.finish()
        except Exception:
            self._logger.error(f"the newest image was not published:\n{traceback.format_exc()}")

    def _topic(self, name: str) -> str:
        return f"{self.name}/{name}" if self.name else name

    def _topics(self, names: Iterable[str]) -> dict[str, str]:
        """What each is called in the graph. Raises ParameterError where two are the same."""
        topics: dict[str, str] = {}
        for name in names:
            topic = self._node.resolve_topic_name(self._topic(name))
            if other := next((one for one, taken in topics.items() if taken == topic), None):
                raise ParameterError(f"{other} and {name} are both remapped to {topic}; each has a topic of its own")
            topics[name] = topic
        return topics

    def _now(self) -> int:
        return int(self._node.get_clock().now().nanoseconds)

    def _complain(self, reason: str) -> None:
        self._logger.warning(f"refused an image: {reason}", throttle_duration_sec=_COMPLAINT_PERIOD)

    def _complain_of_depth(self, reason: str) -> None:
        self._logger.warning(f"objects are not located: {reason}", throttle_duration_sec=_DEPTH_COMPLAINT_PERIOD)


def frame_prefix(node: str, camera: str) -> str:
    """What comes before an object's id in the name of its frame; tf is one for all, and nodes must not move each
    other's.

    node: its name with its namespace. camera: its name, perhaps empty.
    """
    *namespace, own = node.split("/")
    parts = (*namespace, "" if own == NAME else own, camera, "object")
    return "".join(f"{part}_" for part in parts if part)
