"""SIGINT and SIGTERM at every moment of the node's life: it ends in order, and soon."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from sensor_msgs.msg import Image
from std_srvs.srv import Trigger

from sam2_ros.srv import Prompt

SLOW, FAST = (0, 255, 0), (90, 90, 90)
SIGNALS = pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
_SOON = 30.0  # seconds; idle it is less than two


@pytest.fixture
def node(start: Any) -> Any:
    node = start("node", "--ros-args", "-r", "__node:=other", "-r", "image:=/other/image", fake=True)
    node.wait_for("waiting for images")
    return node


@pytest.fixture
def film(client: Any) -> Iterator[Callable[[tuple[int, int, int]], None]]:
    """Starts a camera that sends images of one colour."""
    camera = client.node.create_publisher(Image, "/other/image", 1)
    over = threading.Event()

    def send(colour: tuple[int, int, int]) -> None:
        while not over.wait(0.03):
            camera.publish(client.image(colour=colour))

    threads: list[threading.Thread] = []

    def begin(colour: tuple[int, int, int]) -> None:
        threads.append(threading.Thread(target=send, args=(colour,)))
        threads[-1].start()

    yield begin
    over.set()
    for thread in threads:
        thread.join()
    client.node.destroy_publisher(camera)


def _ends_in_order(node: Any, number: int) -> None:
    began = time.monotonic()
    node.send_signal(number)
    assert node.wait() == 0, node.output
    assert time.monotonic() - began < _SOON
    assert "Traceback" not in node.output
    assert "has not answered" not in node.output


def _has_image(client: Any) -> bool:
    return bool(client.call(Prompt, "prompt", Prompt.Request(box=[1.0, 1.0, 9.0, 9.0]), node="other").success)


@pytest.mark.parametrize(("number", "colour"), [(signal.SIGINT, FAST), (signal.SIGTERM, SLOW)])
def test_while_it_tracks(node: Any, client: Any, film: Any, until: Any, number: int, colour: tuple[int, ...]) -> None:
    film(colour)
    until(lambda: _has_image(client), check=node.check)

    _ends_in_order(node, number)


@SIGNALS
def test_while_prompts_wait(node: Any, client: Any, film: Any, until: Any, number: int) -> None:
    film(SLOW)
    until(lambda: _has_image(client), check=node.check)
    service = client.node.create_client(Prompt, "/other/prompt")
    assert service.wait_for_service(60)
    for _ in range(5):
        service.call_async(Prompt.Request(box=[1.0, 1.0, 9.0, 9.0]))

    _ends_in_order(node, number)
    client.node.destroy_client(service)


def test_while_it_is_inactive(node: Any, client: Any) -> None:
    request = ChangeState.Request(transition=Transition(id=Transition.TRANSITION_DEACTIVATE))
    assert client.call(ChangeState, "change_state", request, node="other").success
    assert client.call(Trigger, "reset", node="other").success

    _ends_in_order(node, signal.SIGTERM)
