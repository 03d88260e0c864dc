"""The page's ROS node: what there is to see of a tracker, and requests to it."""

from __future__ import annotations

import math
from collections.abc import Callable, Set
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from rclpy.context import Context
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.task import Future
from sensor_msgs.msg import CompressedImage
from std_srvs.srv import SetBool, Trigger

from sam2_ros.msg import TrackedObject, TrackedObjects
from sam2_ros.srv import Prompt, RemoveObject, UndoPrompt

SERVICES = {
    "prompt": Prompt,
    "undo": UndoPrompt,
    "remove_object": RemoveObject,
    "reset": Trigger,
    "enable": SetBool,
}
"""Of the tracker's, those that the page calls."""

try:
    from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
except ModuleNotFoundError:
    DiagnosticArray = None

_TYPE = "sam2_ros/msg/TrackedObjects"

# Not reliable: only the newest is of use, and a process that destroys a reliable subscription to something large may
# be caught for ever in taking from another (seen with Fast DDS 3.2; eProsima/Fast-DDS, issue 6500).
_NEWEST = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)


@dataclass(frozen=True)
class Report:
    """What the tracker says in /diagnostics of a camera."""

    paused: bool | None = None
    """None where it says nothing."""
    problem: str = ""
    """What is wrong, in a sentence; empty if nothing is, or nothing is known."""
    history: float | None = None
    """Seconds, by the images' stamps, for which a prompt can land on an image; None where it says nothing."""


class NoTracker(RuntimeError):
    """Nobody offers a service that is called."""


@dataclass(frozen=True)
class Seen:
    """The newest that is known of a camera."""

    number: int = 0
    """Rises by one with each picture."""
    stamp: tuple[int, int] = (0, 0)
    """Of the picture: seconds and nanoseconds."""
    jpeg: bytes = b""
    """The tracker's overlay; empty before the first."""
    objects: TrackedObjects | None = None
    """The newest of the camera, which may be of the image after the picture's; None before the first."""


class Client(Node):
    """Listens to those cameras of a tracker that somebody watches.

    Its own callbacks run in the executor's thread; everything else may be called from another one.
    """

    def __init__(self, tracker: str, changed: Callable[[str], None], context: Context | None = None) -> None:
        """tracker: the name of its node, with its namespace. changed: called with a camera's name when there is a newer
        picture of it, in the executor's thread. context: rclpy's; its default one if None."""
        super().__init__("sam2_page", context=context)
        self.tracker = self.resolve_topic_name(tracker)
        self._changed = changed
        self._seen: dict[str, Seen] = {}
        self._watched: dict[str, list[Any]] = {}
        # As the tracker begins the names of its cameras' statuses.
        self._status = f"{self.tracker.lstrip('/')}: "
        self._reports: dict[str, Report] = {}
        self._diagnostics: Any = None
        self._callers: dict[str, Any] = {
            name: self.create_client(kind, f"{self.tracker}/{name}") for name, kind in SERVICES.items()
        }

    @property
    def cameras(self) -> list[str]:
        """The tracker's, by name, an only one without a name; empty where no tracker is to be seen."""
        # As the node names them: TRACKER/objects, or TRACKER/CAMERA/objects for each of several.
        start, end = f"{self.tracker}/", "objects"
        topics = [topic for topic, types in self.get_topic_names_and_types() if _TYPE in types]
        ours = [topic for topic in topics if topic.startswith(start) and topic.endswith(f"/{end}")]
        published = [topic for topic in ours if self.count_publishers(topic)]
        return sorted(topic[len(start) : -len(end)].rstrip("/") for topic in published)

    def watch(self, cameras: Set[str]) -> None:
        """Subscribes to these cameras' overlays and objects, and to no others: the tracker draws only for who looks."""
        for camera in self._watched.keys() - cameras:
            for subscription in self._watched.pop(camera):
                self.destroy_subscription(subscription)
            self._seen.pop(camera, None)
        self._listen_to_diagnostics(bool(cameras))
        for camera in cameras - self._watched.keys():
            base = "/".join(part for part in (self.tracker, camera) if part)
            self._watched[camera] = [
                self.create_subscription(kind, f"{base}/{topic}", partial(take, camera), _NEWEST)
                for kind, topic, take in (
                    (CompressedImage, "overlay/compressed", self._see),
                    (TrackedObjects, "objects", self._know),
                )
            ]

    def seen(self, camera: str) -> Seen:
        """The newest of a camera that is watched; what has not come yet is empty."""
        return self._seen.get(camera, Seen())

    def report(self, camera: str) -> Report:
        """What the tracker last said of a camera, while any is watched."""
        return self._reports.get(f"{self._status}{camera or 'camera'}", Report())

    def _listen_to_diagnostics(self, watched: bool) -> None:
        if watched and self._diagnostics is None and DiagnosticArray is not None:
            self._diagnostics = self.create_subscription(DiagnosticArray, "/diagnostics", self._hear, 10)
        elif not watched and self._diagnostics is not None:
            self.destroy_subscription(self._diagnostics)
            self._diagnostics = None
            self._reports.clear()

    def _hear(self, message: Any) -> None:
        for status in message.status:
            if status.name.startswith(self._status):
                values = {one.key: one.value for one in status.values}
                paused = values.get("paused") == "true"
                history = _number(values.get("history (s)", ""))
                problem = "" if status.level == DiagnosticStatus.OK or paused else status.message
                self._reports[status.name] = Report(paused, problem, history)

    def ask(self, service: str, request: Any) -> Future:
        """Calls one of `SERVICES`. Raises NoTracker."""
        caller = self._callers[service]
        if not caller.service_is_ready():
            raise NoTracker(f"there is no tracker {self.tracker}: start the node, or name another one with --node")
        return caller.call_async(request)

    def _see(self, camera: str, message: CompressedImage) -> None:
        before, stamp = self.seen(camera), message.header.stamp
        if camera in self._watched:
            self._seen[camera] = replace(
                before, number=before.number + 1, stamp=(stamp.sec, stamp.nanosec), jpeg=message.data.tobytes()
            )
            self._changed(camera)

    def _know(self, camera: str, message: TrackedObjects) -> None:
        if camera in self._watched:
            self._seen[camera] = replace(self.seen(camera), objects=message)


def _number(text: str) -> float | None:
    """Anybody may publish to /diagnostics. What is not finite a page could not read."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def unseen(tracked: TrackedObject, objects: TrackedObjects) -> float:
    """Seconds since an object was last seen."""
    now, last = objects.header.stamp, tracked.last_seen
    return max(0.0, now.sec - last.sec + 1e-9 * (now.nanosec - last.nanosec))
