"""The demo's own ROS node: a client of the camera and of the tracker, like any other."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
from rcl_interfaces.srv import SetParameters
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.task import Future
from sensor_msgs.msg import CameraInfo, Image

from sam2_ros.msg import PromptPoint, TrackedObject, TrackedObjects
from sam2_ros.ros.images import to_array, to_rgb
from sam2_ros.srv import Prompt

from .record import Answer, Box, Output, Record, truths

Overlay = Callable[[int, NDArray[np.uint8]], None]
"""Takes a stamp in nanoseconds and an image (H, W, 3) RGB."""


class Client(Node):
    """Keeps the newest record; counts only while `recording` is set."""

    def __init__(self, on_overlay: Overlay) -> None:
        super().__init__("demo")
        self.record = Record()
        self.recording = False
        self.size: tuple[int, int] | None = None
        """Width and height of the camera's images, once there was one."""
        self.labels: NDArray[np.uint8] | None = None
        """(H, W) the newest true labels, if there are any."""
        self.outputs = 0
        """Messages of the tracker, recorded or not."""
        self._on_overlay = on_overlay
        self._prompt: Any = self.create_client(Prompt, "/sam2/prompt")
        self._settings: Any = self.create_client(SetParameters, "/camera/set_parameters")
        lossless = QoSProfile(depth=1000)
        self.create_subscription(CameraInfo, "/camera/camera_info", self._info, lossless)
        self.create_subscription(Image, "/camera/truth", self._truth, lossless)
        self.create_subscription(TrackedObjects, "/sam2/objects", self._objects, lossless)
        self.create_subscription(Image, "/sam2/overlay", self._overlay, lossless)

    @property
    def can_prompt(self) -> bool:
        return bool(self._prompt.service_is_ready())

    @property
    def can_pause(self) -> bool:
        return bool(self._settings.service_is_ready())

    def prompt(self, name: str, *, point: tuple[float, float] | None = None, box: Box | None = None) -> Future:
        """Starts an object on the newest image."""
        request = Prompt.Request(label=name)
        if point is not None:
            request.points = [PromptPoint(x=point[0], y=point[1], label=PromptPoint.POSITIVE)]
        if box is not None:
            request.box = list(box)
        return self._prompt.call_async(request)

    def play(self) -> Future:
        """Lets the camera go on from the view at which it is paused."""
        value = ParameterValue(type=ParameterType.PARAMETER_BOOL, bool_value=False)
        return self._settings.call_async(SetParameters.Request(parameters=[Parameter(name="paused", value=value)]))

    def _info(self, message: CameraInfo) -> None:
        self.size = (message.width, message.height)
        self.record.inputs[_nanoseconds(message)] = message.header.frame_id

    def _truth(self, message: Image) -> None:
        self.labels = np.asarray(to_array(message), np.uint8)
        self.record.truths[_nanoseconds(message)] = truths(self.labels)

    def _objects(self, message: TrackedObjects) -> None:
        self.outputs += 1
        if not self.recording:
            return
        stamp = _nanoseconds(message)
        answers = {one.id: Answer(one.state, one.visibility, _box(one)) for one in message.objects}
        latency = (time.time_ns() - stamp) * 1e-9
        self.record.outputs.append(Output(stamp, message.header.frame_id, latency, answers))

    def _overlay(self, message: Image) -> None:
        if self.recording:
            self._on_overlay(_nanoseconds(message), to_rgb(message))


def _nanoseconds(message: CameraInfo | Image | TrackedObjects) -> int:
    stamp = message.header.stamp
    return int(stamp.sec * 10**9 + stamp.nanosec)


def _box(tracked: TrackedObject) -> Box:
    box = tracked.box
    return (box.x_offset, box.y_offset, box.x_offset + box.width, box.y_offset + box.height)
