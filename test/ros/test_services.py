"""The node's services: what a call waits for. What calls do is tested over DDS, by test_node.py and others."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from sam2_ros.ros.messages import to_time
from sam2_ros.ros.services import Services
from sam2_ros.ros.worker import Early
from sam2_ros.srv import Prompt, UndoPrompt
from sam2_ros.tracking import NoImage

NEWEST = 5_000_000_000
"""Stamp of the newest image."""


class Calls:
    """Calls services, and says which of them were early for an image."""

    def __init__(self) -> None:
        self.early: list[bool] = []
        self._handlers: dict[str, Callable[..., Any]] = {}
        stream = SimpleNamespace(
            is_ahead=lambda stamp: stamp is not None and stamp > NEWEST,
            prompt=self._refuse, preview=self._refuse, undo=self._refuse,
        )  # fmt: skip
        worker: Any = SimpleNamespace(ask=self._ask)
        streams: Any = SimpleNamespace(named=lambda _: stream)
        logger = SimpleNamespace(info=lambda *_: None, warning=lambda *_, **__: None)
        node: Any = SimpleNamespace(
            get_logger=lambda: logger,
            create_service=lambda kind, name, handler, **_: self._handlers.update({name: handler}),
        )
        Services(node, lambda: (worker, streams), lambda: None)

    def _ask(self, request: Callable[[], Any], timeout: float, early: Early = lambda: False) -> Any:
        self.early.append(early())
        return request()

    @staticmethod
    def _refuse(_: object) -> None:
        raise NoImage("what is done is not the point")

    def call(self, name: str, request: Any, response: Any) -> None:
        assert self._handlers[f"~/{name}"](request, response).message == "what is done is not the point"


@pytest.mark.parametrize("preview", [True, False])
def test_a_prompt_on_an_image_that_waits_to_be_tracked_waits_for_it(preview: bool) -> None:
    calls = Calls()
    for stamp in (NEWEST, NEWEST + 1, 0):  # 0: the newest, whichever that is
        request = Prompt.Request(box=[1.0, 1.0, 3.0, 3.0], stamp=to_time(stamp), preview=preview)
        calls.call("prompt", request, Prompt.Response())
    calls.call("undo", UndoPrompt.Request(object_id=1), UndoPrompt.Response())
    assert calls.early == [False, True, False, False]
