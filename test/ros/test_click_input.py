"""Clicks on their way to the tracker: only so many wait for it."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from geometry_msgs.msg import Point

from sam2_ros.ros.click_input import _WAITING, ClickInput
from sam2_ros.ros.transforms import TransformBuffer
from sam2_ros.ros.worker import NoAnswer


class Hand:
    """Clicks, and says what was logged."""

    def __init__(self) -> None:
        self.waiting: list[Callable[[], None]] = []
        self.lines: list[str] = []
        self.stopped = False
        handlers: dict[str, Callable[[Point], None]] = {}
        node: Any = SimpleNamespace(
            create_subscription=lambda kind, topic, handler, *_, **__: handlers.update({topic: handler})
        )
        logger: Any = SimpleNamespace(info=self._log, warning=self._log)
        stream: Any = SimpleNamespace(clicks=SimpleNamespace(click=lambda _: "an object was started"))
        ClickInput(node, self._tell, stream, "/image", TransformBuffer(), logger)
        self.click = lambda: handlers["/image_mouse_left"](Point(x=1.0, y=2.0))

    def _tell(self, work: Callable[[], None], early: object) -> None:
        if self.stopped:
            raise NoAnswer("the node is stopping; nothing was changed")
        self.waiting.append(work)

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
