"""What is said of a topic on which no image comes, and which topic that is."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from rclpy.qos import QoSProfile, ReliabilityPolicy

from sam2_ros.ros.image_input import ImageInput

RELIABLE, BEST_EFFORT = ReliabilityPolicy.RELIABLE, ReliabilityPolicy.BEST_EFFORT
RAW, COMPRESSED = "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"


class FakeNode:
    """Knows such publishers, (type, reliability), of every topic."""

    def __init__(self, *publishers: tuple[str, ReliabilityPolicy]) -> None:
        self.publishers = publishers
        self.subscribed: tuple[str, str] | None = None

    def resolve_topic_name(self, name: str) -> str:
        return f"/camera/{name}"

    def create_subscription(self, kind: type, topic: str, *_: Any, **__: Any) -> None:
        self.subscribed = kind.__name__, topic

    def get_publishers_info_by_topic(self, topic: str) -> list[SimpleNamespace]:
        assert self.subscribed is not None and topic == self.subscribed[1]
        return [
            SimpleNamespace(topic_type=kind, qos_profile=QoSProfile(depth=1, reliability=reliability))
            for kind, reliability in self.publishers
        ]


def _input(node: Any, reliability: Any = BEST_EFFORT, *, name: str = "image", transport: str = "raw") -> ImageInput:
    return ImageInput(node, name, transport, reliability, None, lambda message: None, None)


@pytest.mark.parametrize(
    ("name", "transport", "subscribed"),
    [
        ("image", "raw", ("Image", "/camera/image")),
        ("image", "compressed", ("CompressedImage", "/camera/image/compressed")),
        ("image/compressed", "raw", ("CompressedImage", "/camera/image/compressed")),
        ("image/compressed", "compressed", ("CompressedImage", "/camera/image/compressed")),
        ("depth", "compressedDepth", ("CompressedImage", "/camera/depth/compressedDepth")),
        ("depth/compressedDepth", "raw", ("CompressedImage", "/camera/depth/compressedDepth")),
    ],
)
def test_the_topic_that_is_listened_to(name: str, transport: str, subscribed: tuple[str, str]) -> None:
    node = FakeNode()
    images = _input(node, name=name, transport=transport)

    assert node.subscribed == subscribed
    assert images.topic == subscribed[1]


@pytest.mark.parametrize(
    ("publishers", "reliability", "reason"),
    [
        ([], BEST_EFFORT, "nobody publishes it; is the camera running, is the topic remapped"),
        ([(COMPRESSED, RELIABLE)], BEST_EFFORT, f"its publisher sends {COMPRESSED}, and {RAW} is listened to"),
        (
            [(RAW, BEST_EFFORT), (COMPRESSED, RELIABLE)],
            RELIABLE,
            "its publisher is best_effort and the parameter reliability is reliable; best_effort fits all",
        ),
        ([(RAW, BEST_EFFORT)], BEST_EFFORT, "it has a publisher; does the camera send, and if it uses Fast DDS"),
        ([(RAW, BEST_EFFORT), (RAW, RELIABLE)], RELIABLE, "it has a publisher; does the camera send"),
    ],
)
def test_why_no_image_comes(
    publishers: list[tuple[str, ReliabilityPolicy]], reliability: ReliabilityPolicy, reason: str
) -> None:
    sentence = _input(FakeNode(*publishers), reliability).explain_silence(12.4)

    assert sentence.startswith(f"no image on /camera/image for 12 s: {reason}")
