"""The streams of several cameras, whose images are tracked together."""

from __future__ import annotations

from typing import Any

import numpy as np
from sensor_msgs.msg import Image

from sam2_ros.ros.messages import to_time
from sam2_ros.ros.streams import Streams
from sam2_ros.tracking import LateImage


class Recorded:
    """A stream that notes what becomes of its images."""

    def __init__(self, name: str) -> None:
        self.tracker = name
        self.published: list[int] = []
        self.refused: list[str] = []

    def read(self, message: Image) -> np.ndarray:
        return np.zeros((4, 6, 3), np.uint8)

    def refuse(self, reason: str) -> None:
        self.refused.append(reason)

    def publish(self, header: Any, image: np.ndarray, tracks: int, started: float) -> None:
        self.published.append(tracks)


def _image(stamp: int) -> Image:
    image = Image()
    image.header.stamp = to_time(stamp)
    return image


def test_one_cameras_bad_image_costs_the_others_nothing() -> None:
    calls: list[list[str]] = []

    def track(trackers: Any, images: Any, stamps: Any) -> Any:
        calls.append(list(trackers))
        if min(stamps) < 5:
            raise LateImage(f"{min(stamps)} is late")
        return stamps

    front, wrist = Recorded("front"), Recorded("wrist")
    streams = Streams({"front": front, "wrist": wrist}, track)  # type: ignore[dict-item]

    streams.handle({"front": _image(7), "wrist": _image(8)})
    streams.handle({"front": _image(9), "wrist": _image(3)})

    assert calls == [["front", "wrist"], ["front", "wrist"], ["front"], ["wrist"]]
    assert (front.published, front.refused) == ([7, 9], [])
    assert (wrist.published, wrist.refused) == ([8], ["3 is late"])
