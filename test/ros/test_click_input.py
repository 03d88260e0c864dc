"""Clicks on their way to the tracker: only so many wait for it."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from geometry_msgs.msg import Point, PointStamped
from std_msgs.msg import Header

from sam2_ros.ros.click_input import _WAITING, ClickInput
from sam2_ros.ros.messages import to_time
from sam2_ros.ros.transforms import TransformBuffer
from sam2_ros.ros.worker import Early, NoAnswer

NEWEST = 5_000_000_000
"""Stamp of the newest image."""


class Hand:
    """Clicks, and says what was logged."""

    def __init__(self) -> None:
        self.waiting: list[Callable[[], None]] = []
        self.lines: list[str] = []
        self.stopped = False
        handlers: dict[str, Callable[[Any], None]] = {}
        node: Any = SimpleNamespace(
            create_subscription=lambda kind, topic, handler, *_, **__: handlers.update({topic: handler})
        )
        logger: Any = SimpleNamespace(info=self._log, warning=self._log)
        self.early: list[bool] = []
        said = "an object was started"
        stream: Any = SimpleNamespace(
            clicks=SimpleNamespace(click=lambda _: said, click_point=lambda *_: said),
            is_ahead=lambda stamp: stamp is not None and stamp > NEWEST,
        )
        ClickInput(node, self._tell, stream, "/image", TransformBuffer(), logger)
        self.handlers = handlers

    def click(self, topic: str = "/image_mouse_left", stamp: int | None = None) -> None:
        message = Point(x=1.0, y=2.0)
        if stamp is not None:
            message = PointStamped(header=Header(stamp=to_time(stamp), frame_id="camera"), point=message)
        self.handlers[topic](message)

    def _tell(self, work: Callable[[], None], early: Early) -> None:
        if self.stopped:
            raise NoAnswer("the node is stopping; nothing was changed")
        self.waiting.append(work)
        self.early.append(early())

    def _log(self, line: str, **_: object) -> None:
        self.lines.append(line)


@pytest.fixture
def hand() -> Hand:
    return Hand()


def test_only_so_many_clicks_wait(hand: Hand) -> None:
    for _ in range(_WAITING + 2):
        hand.click()
    assert len(hand.waiting) == _WAITING
    assert hand.lines == ["refused a click: 20 clicks are waiting for the tracker already"] * 2
    for _ in range(3):
        hand.waiting.pop(0)()
    assert hand.lines[2:] == ["an object was started"] * 3
    for _ in range(4):
        hand.click()
    assert len(hand.waiting) == _WAITING and len(hand.lines) == 6


def test_clicks_that_a_stopping_node_refuses_do_not_wait(hand: Hand) -> None:
    hand.stopped = True
    for _ in range(2 * _WAITING):
        hand.click()
    assert set(hand.lines) == {"refused a click: the node is stopping; nothing was changed"}
    hand.stopped = False
    hand.click()
    assert len(hand.waiting) == 1


@pytest.mark.parametrize("topic", ["/clicked_point", "/image/mouse_click", "~/mouse_click"])
def test_a_click_on_an_image_that_waits_to_be_tracked_waits_for_it(hand: Hand, topic: str) -> None:
    for stamp in (NEWEST, NEWEST + 1, 0):  # 0: the newest, whichever that is
        hand.click(topic, stamp)
    assert hand.early == [False, True, False]


@pytest.mark.parametrize("topic", ["/image_mouse_left", "~/overlay_mouse_left"])
def test_a_click_without_a_stamp_waits_for_no_image(hand: Hand, topic: str) -> None:
    hand.click(topic)
    assert hand.early == [False]
