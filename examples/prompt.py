#!/usr/bin/env python3
"""Starts to track what is at a pixel of the newest image, or in a box of it, and prints where it is from then on.

    python3 examples/prompt.py 320 240 --label mug
    python3 examples/prompt.py 120 80 260 310

It needs the node, and images that the node gets. Where ROS 2 comes from PyPI: .venv/bin/python examples/prompt.py ...
"""

from __future__ import annotations

import argparse
import sys
import time

import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.utilities import remove_ros_args

from sam2_ros.msg import PromptPoint, TrackedObject, TrackedObjects
from sam2_ros.srv import Prompt

STATES = {TrackedObject.VISIBLE: "visible", TrackedObject.OCCLUDED: "occluded", TrackedObject.LOST: "lost"}


class Prompter(Node):
    """Prompts once, on the first image that the node has answered, and then listens."""

    def __init__(self, where: list[float], label: str) -> None:
        """where: x and y of a pixel, or x0, y0, x1 and y1 of a box."""
        super().__init__("prompter")
        self.failure = "nothing has come on /sam2/objects; it needs the node, and images that the node gets"
        """Why nothing is tracked, if that is so."""
        self._request = Prompt.Request(label=label)
        if len(where) == 2:
            self._request.points = [PromptPoint(x=where[0], y=where[1], label=PromptPoint.POSITIVE)]
        else:
            self._request.box = where
        self._asked = False
        self._object_id = 0
        self._service = self.create_client(Prompt, "/sam2/prompt")
        self.create_subscription(TrackedObjects, "/sam2/objects", self._on_objects, 10)

    def _on_objects(self, message: TrackedObjects) -> None:
        if not self._asked and self._service.service_is_ready():
            self._asked = True
            self.failure = "the prompt was not answered"
            # With the stamp it lands on this image, however many have come until the node reads it.
            self._request.stamp = message.header.stamp
            self._service.call_async(self._request).add_done_callback(self._on_answer)
        for tracked in message.objects:
            if tracked.id == self._object_id:
                stamp, box = message.header.stamp, tracked.box
                print(
                    f"{stamp.sec}.{stamp.nanosec:09d} {STATES[tracked.state]} {tracked.visibility:.2f} box "
                    f"{box.x_offset} {box.y_offset} {box.x_offset + box.width} {box.y_offset + box.height}",
                    flush=True,
                )

    def _on_answer(self, future: rclpy.Future) -> None:
        answer = future.result()
        self.failure = answer.message  # says also where an object was started, but nothing of it was found
        self._object_id = answer.object_id


def main(arguments: list[str] | None = None) -> int:
    """0 if something was tracked, 1 if not, 2 for wrong arguments."""
    arguments = sys.argv[1:] if arguments is None else arguments
    parser = argparse.ArgumentParser(description="Tracks what is at a pixel, or in a box, and prints its boxes.")
    parser.add_argument("where", nargs="+", type=float, metavar="PIXELS", help="x y, or x0 y0 x1 y1")
    parser.add_argument("--label", default="", help="a name for the object")
    parser.add_argument("--seconds", type=float, default=10.0, help="how long to listen (default: 10)")
    options = parser.parse_args(remove_ros_args(["prompt", *arguments])[1:])
    if len(options.where) not in (2, 4):
        parser.error(f"{len(options.where)} numbers were given; a pixel has two, x and y, and a box four, x0 y0 x1 y1")
    rclpy.init(args=arguments)
    try:
        prompter = Prompter(options.where, options.label)
        end = time.monotonic() + options.seconds
        while time.monotonic() < end:
            rclpy.spin_once(prompter, timeout_sec=0.1)
        if prompter.failure:
            print(prompter.failure, file=sys.stderr)
    except (KeyboardInterrupt, ExternalShutdownException):  # Ctrl-C, SIGTERM
        return 1
    finally:
        rclpy.try_shutdown()
    return 1 if prompter.failure else 0


if __name__ == "__main__":
    sys.exit(main())
