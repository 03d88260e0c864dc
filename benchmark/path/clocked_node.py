"""The node's process, with a tracker that knows the answer, and clocks around what the node does with it."""

from __future__ import annotations

import json
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sam2_ros.ros import overlay_publisher
from sam2_ros.ros.image_input import ImageInput
from sam2_ros.ros.main import main
from sam2_ros.ros.messages import to_nanoseconds
from sam2_ros.ros.node import Parts
from sam2_ros.ros.overlay_publisher import OverlayPublisher
from sam2_ros.ros.publishers import Publishers
from sam2_ros.ros.recent_masks import RecentMasks
from sam2_ros.ros.scene_publishers import ScenePublishers
from sam2_ros.ros.space import Space
from sam2_ros.ros.stream import Stream
from sam2_ros.tracking import Tracks

from .table import Table

PARTS = {
    "read": (Stream, "read"),
    "masks for clicks": (RecentMasks, "add"),
    "places": (Space, "locate"),
    "objects": (Publishers, "_publish_objects"),
    "points": (ScenePublishers, "_publish_points"),
    "markers": (ScenePublishers, "_publish_markers"),
    "label_image": (Publishers, "_publish_label_image"),
    "overlay": (OverlayPublisher, "_make"),
    "encode": (overlay_publisher, "encode"),
}
"""What is clocked; `overlay` is made beside the rest, and `encode` is a part of it."""


class Clock:
    """Seconds of each part and of the whole, by image."""

    def __init__(self) -> None:
        self.frames: list[dict[str, Any]] = []
        self._arrivals: dict[int, float] = {}
        self._parts: dict[str, float] = defaultdict(float)

    def install(self) -> None:
        """Puts itself around the node's own functions."""
        for name, (owner, function) in PARTS.items():
            setattr(owner, function, self._timed(name, getattr(owner, function)))
        subscribe: Callable[..., None] = ImageInput.__init__
        send: Callable[..., None] = Stream._send_new

        def subscribe_clocked(image_input: ImageInput, *given: Any) -> None:
            *others, take, logger = given

            def taken(message: Any) -> None:
                self._arrivals[to_nanoseconds(message.header.stamp)] = time.perf_counter()
                take(message)

            subscribe(image_input, *others, taken, logger)

        def send_clocked(stream: Stream, header: Any, *given: Any) -> None:
            send(stream, header, *given)
            stamp = to_nanoseconds(header.stamp)
            own = time.perf_counter() - self._arrivals[stamp]
            age = (time.time_ns() - stamp) / 1e9
            self.frames.append({"stamp": stamp, "own": own, "age": age, "parts": dict(self._parts)})
            self._parts.clear()

        ImageInput.__init__ = subscribe_clocked  # type: ignore[assignment, method-assign]
        Stream._send_new = send_clocked  # type: ignore[assignment, method-assign]

    def _timed(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*given: Any, **named: Any) -> Any:
            began = time.perf_counter()
            try:
                return function(*given, **named)
            finally:
                self._parts[name] += time.perf_counter() - began

        return timed


class KnowingTracker:
    """Answers at once, or when a device would have."""

    def __init__(self, table: Table, seconds: float) -> None:
        self._table = table
        self._seconds = seconds
        _ = table.tracks(0)  # made before the first image

    def track(self, stamp: int) -> Tracks:
        time.sleep(self._seconds)  # without Python's lock, as when it waits for a GPU
        return self._table.tracks(stamp)

    def set_visibility(self, **_: object) -> None:
        pass


def run(width: int, height: int, objects: int, seconds: float, output: Path, ros_arguments: list[str]) -> int:
    """Runs the node until it gets a signal, and writes what was clocked. seconds: until the tracker answers."""
    clock = Clock()
    clock.install()

    def track(trackers: Any, images: Any, stamps: Any) -> list[Tracks]:
        return [tracker.track(stamp) for tracker, stamp in zip(trackers, stamps, strict=True)]

    tracker: Any = KnowingTracker(Table(width, height, objects), seconds)
    parts = Parts(lambda _: [tracker], track)
    status = main(ros_arguments, parts)
    output.write_text(json.dumps(clock.frames))
    return status


if __name__ == "__main__":
    w, h, n, waits, path, *rest = sys.argv[1:]
    sys.exit(run(int(w), int(h), int(n), float(waits), Path(path), rest))
