"""Where one frame lies in another, by what comes on /tf and /tf_static.

Only clicks in space ask for it, a few times a day, while a robot sends hundreds of transforms a second. A listener of
tf2_ros wakes Python for each of them; here they wait in the middleware until somebody asks.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from geometry_msgs.msg import TransformStamped
from numpy.typing import NDArray
from rclpy.callback_groups import CallbackGroup
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.subscription import Subscription

from .messages import to_nanoseconds

try:
    from tf2_msgs.msg import TFMessage
except ModuleNotFoundError:
    TFMessage = None

Floats = NDArray[np.float64]

KEPT = 10.0
"""Seconds for which transforms are kept, as in tf2."""
WAITING = 1000
"""Messages of a topic that wait until somebody asks: ten seconds of a hundred a second, which take some tenths of a
second to read then, or two seconds of five hundred."""
LAG = 0.5
"""Seconds that the newest transform may be older than the image it is taken for: tf often comes later than images."""
_LATE = 2.0
"""Seconds that a transform may be older than the newest one of its frames. One that is older still is the first after
the clock was set back, by a simulator that begins anew, and those before it are of another world."""


class NoTransform(ValueError):
    """How two frames lie to one another is not known; the message says why."""


class Motion(NamedTuple):
    """A rotation and then a translation: takes points from one frame to another."""

    rotation: Floats
    """(x, y, z, w) unit quaternion."""
    translation: Floats
    """(3,) metres."""

    def apply(self, point: Floats) -> Floats:
        """(3,) to (3,)."""
        axis, w = self.rotation[:3], self.rotation[3]
        across = 2 * np.cross(axis, point)
        return point + w * across + np.cross(axis, across) + self.translation

    def after(self, first: Motion) -> Motion:
        """What `first` and then this one do."""
        a, b = self.rotation, first.rotation
        axis = a[3] * b[:3] + b[3] * a[:3] + np.cross(a[:3], b[:3])
        rotation = np.array([*axis, a[3] * b[3] - a[:3] @ b[:3]])
        return Motion(rotation / np.linalg.norm(rotation), self.apply(first.translation))

    def inverse(self) -> Motion:
        turned_back = Motion(self.rotation * (-1, -1, -1, 1), np.zeros(3))
        return Motion(turned_back.rotation, -turned_back.apply(self.translation))


STILL = Motion(np.array([0.0, 0.0, 0.0, 1.0]), np.zeros(3))


class _NeverCalled(CallbackGroup):
    """Executors leave alone what is in it."""

    def can_execute(self, entity: Any) -> bool:
        return False

    def beginning_execution(self, entity: Any) -> bool:
        return False

    def ending_execution(self, entity: Any) -> None:
        pass


class TransformBuffer:
    """The transforms of the last seconds as a tree of frames. Safe to use from several threads."""

    def __init__(self, node: Node | None = None) -> None:
        """node: whose subscriptions fill it; without one, or without tf2_msgs, only `put` does."""
        self._node = node
        self._lock = threading.RLock()
        self._links: dict[str, _Link] = {}
        self._topics: list[tuple[Subscription, bool]] = []
        if node is None or TFMessage is None:
            return
        for topic, fixed in (("/tf", False), ("/tf_static", True)):
            durability = DurabilityPolicy.TRANSIENT_LOCAL if fixed else DurabilityPolicy.VOLATILE
            quality = QoSProfile(depth=WAITING, durability=durability)
            alone = _NeverCalled()
            made = node.create_subscription(TFMessage, topic, lambda _: None, quality, callback_group=alone)
            self._topics.append((made, fixed))

    def put(self, transforms: Sequence[TransformStamped], *, fixed: bool) -> None:
        """Takes transforms that have come. fixed: they hold at all times. Those that are no numbers are let go."""
        with self._lock:
            for one in transforms:
                motion = _to_motion(one)
                if motion is None:
                    continue
                parent, child = _name(one.header.frame_id), _name(one.child_frame_id)
                link = self._links.get(child)
                if link is None or link.parent != parent or fixed != link.fixed:
                    link = self._links[child] = _Link(parent, fixed)
                link.put(to_nanoseconds(one.header.stamp), motion)

    def motion(self, target: str, source: str, stamp: int) -> Motion:
        """What takes points of the frame `source` to the frame `target`, at a stamp in nanoseconds.

        Raises NoTransform.
        """
        target, source = _name(target), _name(source)
        with self._lock:
            for subscription, fixed in self._topics:
                for message in _waiting(subscription):
                    self.put(message.transforms, fixed=fixed)
            here, there = self._to_root(source), self._to_root(target)
            common = next((frame for frame in here if frame in there), None)
            if common is None:
                raise NoTransform(self._why_none(target, source))
            up = self._climb(here[: here.index(common)], stamp)
            return self._climb(there[: there.index(common)], stamp).inverse().after(up)

    def stop(self) -> None:
        """Unsubscribes."""
        with self._lock:
            while self._topics and self._node is not None:
                self._node.destroy_subscription(self._topics.pop()[0])

    def _to_root(self, frame: str) -> list[str]:
        """The frame, its parent, and so on."""
        frames = [frame]
        while (link := self._links.get(frames[-1])) is not None and link.parent not in frames:
            frames.append(link.parent)
        return frames

    def _climb(self, frames: Sequence[str], stamp: int) -> Motion:
        """From the first of the frames to the parent of the last one."""
        motion = STILL
        for frame in frames:
            motion = self._links[frame].at(frame, stamp).after(motion)
        return motion

    def _why_none(self, target: str, source: str) -> str:
        if self._node is not None and TFMessage is None:
            return (
                f"points in the frame {source!r} cannot be brought to {target!r}, because tf2_msgs is not installed; "
                "install it, or click in the camera's own frame"
            )
        missing = " and ".join(repr(one) for one in (source, target) if one not in self._frames())
        what = f"of {missing} nothing has come on /tf and /tf_static" if missing else "no transform connects them"
        return f"how {source!r} lies to {target!r} is not known: {what}"

    def _frames(self) -> set[str]:
        return self._links.keys() | {link.parent for link in self._links.values()}


class _Link:
    """How a frame lies in its parent, over time."""

    def __init__(self, parent: str, fixed: bool) -> None:
        self.parent = parent
        self.fixed = fixed
        self._stamps: list[int] = []
        self._motions: list[Motion] = []

    def put(self, stamp: int, motion: Motion) -> None:
        if self.fixed:
            stamp = 0
        elif self._stamps and stamp < self._stamps[-1] - _LATE * 1e9:
            self._stamps, self._motions = [], []
        place = bisect_left(self._stamps, stamp)
        same = place < len(self._stamps) and self._stamps[place] == stamp
        self._stamps[place : place + same] = [stamp]
        self._motions[place : place + same] = [motion]
        first = bisect_left(self._stamps, self._stamps[-1] - round(KEPT * 1e9))
        del self._stamps[:first], self._motions[:first]

    def at(self, frame: str, stamp: int) -> Motion:
        """Raises NoTransform."""
        if self.fixed:
            return self._motions[0]
        late = (stamp - self._stamps[-1]) / 1e9
        if late > LAG or stamp < self._stamps[0]:
            raise NoTransform(
                f"where {frame!r} lies in {self.parent!r} is not known for the image: the "
                + (f"newest transform is {late:.2f} s older" if late > LAG else "oldest one held is newer")
                + "; images and /tf must be stamped by the same clock"
            )
        place = bisect_left(self._stamps, stamp)
        if late >= 0:
            return self._motions[-1]
        if self._stamps[place] == stamp:
            return self._motions[place]
        before, after = self._stamps[place - 1], self._stamps[place]
        return _between(self._motions[place - 1], self._motions[place], (stamp - before) / (after - before))


def _waiting(subscription: Subscription) -> Iterator[Any]:
    """Takes the messages that wait."""
    with subscription.handle:
        while (taken := subscription.handle.take_message(subscription.msg_type, subscription.raw)) is not None:
            yield taken[0]


def _between(first: Motion, second: Motion, share: float) -> Motion:
    """share: 0 gives the first, 1 the second."""
    a, b = first.rotation, second.rotation
    likeness = float(a @ b)
    b, likeness = (b, likeness) if likeness >= 0 else (-b, -likeness)
    angle = np.arccos(min(1.0, likeness))
    weights = (1 - share, share) if angle < 1e-4 else np.sin([(1 - share) * angle, share * angle]) / np.sin(angle)
    rotation = weights[0] * a + weights[1] * b
    translation = (1 - share) * first.translation + share * second.translation
    return Motion(rotation / np.linalg.norm(rotation), translation)


def _to_motion(message: TransformStamped) -> Motion | None:
    """None for numbers that are no rotation and translation."""
    q, t = message.transform.rotation, message.transform.translation
    rotation, translation = np.array([q.x, q.y, q.z, q.w]), np.array([t.x, t.y, t.z])
    length = np.linalg.norm(rotation)
    if not (np.isfinite(translation).all() and 1e-6 < length < np.inf):
        return None
    return Motion(rotation / length, translation)


def _name(frame: str) -> str:
    """ROS 1 began names of frames with a slash; some files still do."""
    return frame.removeprefix("/")
