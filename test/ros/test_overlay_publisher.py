"""The overlay is made beside the tracking: the newest wins, and what goes wrong there is not lost."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
from fake_publishing import IMAGE, FakeNode
from std_msgs.msg import Header

from sam2_ros.ros import overlay_publisher
from sam2_ros.ros.overlay_publisher import OverlayPublisher


@pytest.fixture
def node() -> FakeNode:
    return FakeNode()


@pytest.fixture
def overlay(node: FakeNode) -> OverlayPublisher:
    overlay = OverlayPublisher(node, "~")  # type: ignore[arg-type]
    node.publishers["~/overlay"].subscribers = 1
    return overlay


def test_the_newest_is_drawn_and_nobody_waits(
    node: FakeNode, overlay: OverlayPublisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawing, go_on = threading.Event(), threading.Event()

    def slowly(image: Any, marks: Any, opacity: float) -> Any:
        drawing.set()
        assert go_on.wait(30)
        return np.array(image)

    monkeypatch.setattr(overlay_publisher, "draw_overlay", slowly)
    overlay.publish(Header(frame_id="first"), IMAGE, [])
    assert drawing.wait(30)
    for name in ("second", "third", "last"):
        overlay.publish(Header(frame_id=name), IMAGE, [])
    assert not node.publishers["~/overlay"].messages
    go_on.set()
    overlay.finish()

    assert [message.header.frame_id for message in node.publishers["~/overlay"].messages] == ["first", "last"]
    assert not node.publishers["~/overlay/compressed"].messages


def test_whoever_wants_it_compressed_alone_gets_it(node: FakeNode, overlay: OverlayPublisher) -> None:
    node.publishers["~/overlay"].subscribers, node.publishers["~/overlay/compressed"].subscribers = 0, 1
    overlay.publish(Header(frame_id="camera"), IMAGE, [])
    overlay.finish()

    assert [message.header.frame_id for message in node.publishers["~/overlay/compressed"].messages] == ["camera"]
    assert not node.publishers["~/overlay"].messages


def test_it_is_drawn_with_the_opacity_of_the_moment(
    node: FakeNode, overlay: OverlayPublisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[float] = []
    monkeypatch.setattr(
        overlay_publisher, "draw_overlay", lambda image, marks, opacity: taken.append(opacity) or np.array(image)
    )
    for opacity in (0.0, 0.7):
        overlay.opacity = opacity
        overlay.publish(Header(), IMAGE, [])
        overlay.finish()
    assert taken == [0.0, 0.7]


def test_what_goes_wrong_is_raised(overlay: OverlayPublisher, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise MemoryError("no room to draw")

    monkeypatch.setattr(overlay_publisher, "draw_overlay", fail)
    overlay.publish(Header(), IMAGE, [])
    with pytest.raises(MemoryError, match="no room"):
        overlay.finish()
    overlay.publish(Header(), IMAGE, [])
    overlay._thread.shutdown()
    with pytest.raises(MemoryError, match="no room"):
        overlay.publish(Header(), IMAGE, [])
