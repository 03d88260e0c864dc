"""Where one topic of an input cannot be subscribed to, none stays."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from rclpy.qos import ReliabilityPolicy

from sam2_ros.ros.click_input import ClickInput
from sam2_ros.ros.space import Space, SpaceInput
from sam2_ros.ros.subscriptions import Subscriptions
from sam2_ros.ros.transforms import TransformBuffer

NOTHING: Any = SimpleNamespace(warning=None)
TYPES = {"/front/camera_info": "CameraInfo", "/front/depth/compressedDepth": "CompressedImage"}


class FakeNode:
    """Subscribes to every topic but one."""

    def __init__(self, refused: str) -> None:
        self._refused = refused
        self.subscribed: dict[str, str] = {}
        """Types by their topics."""

    def create_subscription(self, kind: type, topic: str, *_: Any, **__: Any) -> str:
        if topic == self._refused:
            raise RuntimeError("a topic of another type")
        self.subscribed[topic] = kind.__name__
        return topic

    def destroy_subscription(self, topic: str) -> None:
        del self.subscribed[topic]


def _clicks(node: Any) -> Subscriptions:
    return ClickInput(node, NOTHING, NOTHING, "/image", TransformBuffer(), NOTHING)


def _space(node: Any) -> Subscriptions:
    space = Space(False, *TYPES, 0.02, 0.02)
    return SpaceInput(node, space, ReliabilityPolicy.BEST_EFFORT, NOTHING, NOTHING)


@pytest.mark.parametrize(("make", "refused"), [(_clicks, "~/mouse_click"), (_space, "/front/depth/compressedDepth")])
def test_all_or_none(make: Callable[[Any], Subscriptions], refused: str) -> None:
    node = FakeNode(refused)
    with pytest.raises(RuntimeError, match="a topic of another type"):
        make(node)

    assert not node.subscribed


def test_camera_info_and_compressed_depth() -> None:
    node = FakeNode(refused="")
    made = _space(node)

    assert node.subscribed == TYPES
    made.stop()
    assert not node.subscribed
