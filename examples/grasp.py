#!/usr/bin/env python3
"""Waits until a tracked object stands still in full view, and prints and publishes a grasp for a parallel-jaw gripper.

    python3 examples/grasp.py --object mug --opening 0.08

It needs the node with depth (parameter depth: true) and an object that has been prompted. The grasp is published once,
as geometry_msgs/PoseStamped on `grasp`. A gripper's frame: z points out of the gripper towards the object, y is the
direction in which its jaws close.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections import deque
from dataclasses import dataclass
from typing import Any

import numpy as np
import rclpy
from geometry_msgs.msg import Point, Pose, PoseStamped, Quaternion
from rclpy.duration import Duration
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.utilities import remove_ros_args
from sensor_msgs.msg import PointCloud2, PointField
from std_msgs.msg import Header

from sam2_ros.geometry.oriented_box import quaternion
from sam2_ros.msg import TrackedObject, TrackedObjects

STILL = 0.005  # metres that an object at rest may seem to move
LOOKS = 5  # images on which it must stand still
CLEARANCE = 0.01  # metres by which the jaws open wider than the object
BAND = 0.01  # metres, half the width of a finger
KEPT = 4  # messages of a topic: those of one image come at different times
_TYPES = {PointField.FLOAT32: np.float32, PointField.UINT32: np.uint32}


class NoGrasp(ValueError):
    """An object that this gripper cannot take; the message says why."""


@dataclass(frozen=True)
class Grasp:
    """Where the gripper must be, in the frame of the object's header."""

    position: np.ndarray
    """(3,) metres, the point between the tips of the closed jaws."""
    rotation: np.ndarray
    """(3, 3) the gripper's axes as columns: z towards the object, y along which the jaws close."""
    width: float
    """Metres, the object between the jaws."""


def plan(tracked: TrackedObject, points: np.ndarray, opening: float, finger: float) -> Grasp:
    """The grasp of an object.

    points: (N, 3) of it in the frame of its pose. opening: metres between the open jaws. finger: metres, their length.
    An object on a surface is taken from above, any other along the camera's view; the jaws close across its narrowest
    side. Raises NoGrasp if it is too wide.
    """
    centre, axes, size = box_of(tracked)
    if tracked.upright:
        approach = -axes[:, 2]
        sides = [0, 1]
    else:
        away = centre / np.linalg.norm(centre)
        nearest = int(np.abs(away @ axes).argmax())
        approach = axes[:, nearest] * np.sign(away @ axes[:, nearest])
        sides = [side for side in range(3) if side != nearest]
    across = min(sides, key=lambda side: size[side])
    width = float(size[across])
    if width + CLEARANCE > opening:
        raise NoGrasp(
            f"object {tracked.id} is {100 * width:.1f} cm wide at its narrowest; with {100 * CLEARANCE:.1f} cm of room "
            f"the jaws must open {100 * (width + CLEARANCE):.1f} cm, and they open {100 * opening:.1f} cm"
        )
    closing = axes[:, across]
    along = np.cross(closing, approach)
    # How near the object comes to the gripper where the fingers go, by its points: a lid may be higher than a rim.
    between = points[np.abs((points - centre) @ along) < BAND]
    reach = (between - centre) @ approach if len(between) else np.array([-_extent(axes, size, approach) / 2])
    top = float(reach.min())
    # As deep as the fingers allow, and no deeper than the middle.
    position = centre + approach * min(0.0, top + finger)
    return Grasp(position, np.stack((along, closing, approach), axis=1), width)


def _extent(axes: np.ndarray, size: np.ndarray, direction: np.ndarray) -> float:
    return float(np.abs(direction @ axes) @ size)


def box_of(tracked: TrackedObject) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Centre (3,), axes (3, 3) as columns, and size (3,) of an object's box."""
    position, q, size = tracked.pose.position, tracked.pose.orientation, tracked.size
    axes = np.array(
        [
            [1 - 2 * (q.y**2 + q.z**2), 2 * (q.x * q.y - q.z * q.w), 2 * (q.x * q.z + q.y * q.w)],
            [2 * (q.x * q.y + q.z * q.w), 1 - 2 * (q.x**2 + q.z**2), 2 * (q.y * q.z - q.x * q.w)],
            [2 * (q.x * q.z - q.y * q.w), 2 * (q.y * q.z + q.x * q.w), 1 - 2 * (q.x**2 + q.y**2)],
        ]
    )
    return np.array([position.x, position.y, position.z]), axes, np.array([size.x, size.y, size.z])


def to_pose(grasp: Grasp) -> Pose:
    x, y, z = (float(value) for value in grasp.position)
    qx, qy, qz, qw = quaternion(grasp.rotation)
    return Pose(position=Point(x=x, y=y, z=z), orientation=Quaternion(x=qx, y=qy, z=qz, w=qw))


def points_of(cloud: PointCloud2, object_id: int) -> np.ndarray:
    """(N, 3) metres, of one object in a message of ~/points."""
    layout: Any = {
        "names": [field.name for field in cloud.fields],
        "formats": [_TYPES[field.datatype] for field in cloud.fields],
        "offsets": [field.offset for field in cloud.fields],
        "itemsize": cloud.point_step,
    }
    points = np.frombuffer(cloud.data, np.dtype(layout))
    own = points[points["object_id"] == object_id]
    return np.stack((own["x"], own["y"], own["z"]), axis=1).astype(float)


class Grasper(Node):
    """Looks at the node's outputs until it has a grasp."""

    def __init__(self, wanted: str, opening: float, finger: float) -> None:
        """wanted: label or id of the object; empty: the first that can be grasped."""
        super().__init__("grasp")
        self.done = False
        self._wanted, self._opening, self._finger = wanted, opening, finger
        self._clouds: dict[tuple[int, int], PointCloud2] = {}
        self._objects: dict[tuple[int, int], TrackedObjects] = {}
        self._looked_at = (0, 0)
        self._seen: dict[int, deque[np.ndarray]] = {}
        self._problem = "nothing has come on /sam2/objects; it needs the node, and images that the node gets"
        self._has_points = False
        self._publisher = self.create_publisher(PoseStamped, "grasp", 1)
        self.create_subscription(TrackedObjects, "/sam2/objects", self._on_objects, 10)
        self.create_subscription(PointCloud2, "/sam2/points", self._on_points, 10)

    @property
    def problem(self) -> str:
        """Why there is no grasp yet."""
        return self._problem

    def _on_objects(self, message: TrackedObjects) -> None:
        _keep(self._objects, message)
        if not any(self._is_wanted(tracked) for tracked in message.objects):
            there = ", ".join(f"{tracked.id} {tracked.label}".rstrip() for tracked in message.objects)
            wanted = f"no object {self._wanted!r}" if self._wanted else "no object"
            self._explain(f"there is {wanted}; the objects are: {there or 'none, prompt one first'}")
        elif not self._has_points:  # said at the end only: those of the first image come after it
            self._problem = "nothing has come on /sam2/points; start the node with depth:=true"
        self._look()

    def _on_points(self, message: PointCloud2) -> None:
        _keep(self._clouds, message)
        self._has_points = True
        self._look()

    def _look(self) -> None:
        """Once both messages of an image are there."""
        for stamp in sorted(self._objects.keys() & self._clouds.keys()):
            message, cloud = self._objects.pop(stamp), self._clouds.pop(stamp)
            if stamp == self._looked_at:
                continue  # after a prompt an image's answers come once more
            self._looked_at = stamp
            for tracked in message.objects:
                if not self.done and self._is_wanted(tracked):
                    self._consider(message.header, tracked, cloud)

    def _is_wanted(self, tracked: TrackedObject) -> bool:
        return self._wanted in ("", tracked.label, str(tracked.id))

    def _explain(self, problem: str) -> None:
        self._problem = problem
        self.get_logger().info(f"not yet: {problem}", throttle_duration_sec=2.0)

    def _consider(self, header: Header, tracked: TrackedObject, cloud: PointCloud2) -> None:
        problem = self._speaks_against(tracked)
        if not problem:
            try:
                grasp = plan(tracked, points_of(cloud, tracked.id), self._opening, self._finger)
            except NoGrasp as error:
                problem = str(error)
            else:
                self._tell(header, tracked, grasp)
        if problem:
            self._explain(problem)

    def _speaks_against(self, tracked: TrackedObject) -> str:
        """What speaks against a grasp now, if anything does."""
        looks = self._seen.setdefault(tracked.id, deque(maxlen=LOOKS))
        if not tracked.has_pose:
            looks.clear()
            return tracked.no_pose or "no depth is asked for: start the node with depth:=true"
        if tracked.partly_hidden:
            looks.clear()
            return f"something hides a part of object {tracked.id}"
        centre, axes, size = box_of(tracked)
        looks.append(np.vstack((centre, centre + axes.T * size[:, None] / 2)))  # three sides, too: it may turn in place
        if len(looks) < LOOKS or np.ptp(looks, axis=0).max() > STILL:
            return f"object {tracked.id} has not stood still for {LOOKS} images"
        return ""

    def _tell(self, header: Header, tracked: TrackedObject, grasp: Grasp) -> None:
        pose = to_pose(grasp)
        self._publisher.publish(PoseStamped(header=header, pose=pose))
        self._publisher.wait_for_all_acked(Duration(seconds=2.0))
        place, turn = pose.position, pose.orientation
        x, y, z = grasp.rotation[:, 2].round(3) + 0.0  # no -0
        print(f"object {tracked.id} {tracked.label}".rstrip())
        print(f"  frame       {header.frame_id}")
        print(f"  position    {place.x:.4f} {place.y:.4f} {place.z:.4f}")
        print(f"  orientation {turn.x:.4f} {turn.y:.4f} {turn.z:.4f} {turn.w:.4f}")
        print(f"  approach    {x:.3f} {y:.3f} {z:.3f}")
        print(f"  width       {grasp.width:.3f}", flush=True)
        self.done = True


def _keep(messages: dict[tuple[int, int], Any], message: Any) -> None:
    messages[_stamp(message.header)] = message
    while len(messages) > KEPT:
        del messages[next(iter(messages))]


def _stamp(header: Header) -> tuple[int, int]:
    return header.stamp.sec, header.stamp.nanosec


def _positive(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} must be a number above 0")
    return number


def main(arguments: list[str] | None = None) -> int:
    """0 if there is a grasp, 1 if there was none in time, 2 for wrong arguments."""
    arguments = sys.argv[1:] if arguments is None else arguments
    parser = argparse.ArgumentParser(description="Prints a grasp of a tracked object.")
    parser.add_argument("--object", default="", help="label or id (default: the first that can be grasped)")
    parser.add_argument("--opening", type=_positive, default=0.08, help="metres between the open jaws (default: 0.08)")
    parser.add_argument("--finger", type=_positive, default=0.04, help="metres, length of the fingers (default: 0.04)")
    parser.add_argument("--timeout", type=_positive, default=60.0, help="seconds (default: 60)")
    options = parser.parse_args(remove_ros_args(["grasp", *arguments])[1:])
    rclpy.init(args=arguments)
    try:
        grasper = Grasper(options.object, options.opening, options.finger)
        end = time.monotonic() + options.timeout  # not by the ROS clock, which stands still in a paused simulation
        while not grasper.done and time.monotonic() < end:
            rclpy.spin_once(grasper, timeout_sec=0.1)
        if not grasper.done:
            print(f"no grasp within {options.timeout:g} s: {grasper.problem}", file=sys.stderr)
    except (KeyboardInterrupt, ExternalShutdownException):  # Ctrl-C, SIGTERM
        return 1
    finally:
        rclpy.try_shutdown()
    return 0 if grasper.done else 1


if __name__ == "__main__":
    sys.exit(main())
