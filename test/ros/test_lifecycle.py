"""The node's life in the hands of a lifecycle manager: with a real network, over DDS; and with a device that hangs."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import rclpy
from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rclpy.context import Context
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.node import Node
from rclpy.parameter import Parameter

from sam2_ros.ros import node as module
from sam2_ros.ros.node import Parts, Sam2Node
from sam2_ros.ros.transforms import TransformBuffer
from sam2_ros.srv import Prompt

_GIVEN_BACK = 40  # MiB at least; network and memory of nano take 90


@pytest.fixture(scope="module")
def node(start: Any) -> Any:
    return start("node", autostart=False)


def _change(client: Any, transition: int) -> bool:
    request = ChangeState.Request(transition=Transition(id=transition))
    return bool(client.call(ChangeState, "change_state", request).success)


def _resident(node: Any) -> float:
    """MiB of the node's memory that are in use."""
    pages = int(Path(f"/proc/{node.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def _track_an_object(client: Any) -> int:
    client.meet(height=480, width=640)
    response = client.call(Prompt, "prompt", Prompt.Request(box=[100.0, 100.0, 300.0, 300.0]))
    assert response.success
    for _ in range(3):
        (tracked,) = client.track(height=480, width=640).objects
        assert tracked.id == response.object_id
    return response.object_id


def test_a_manager_leads_it_and_cleanup_gives_the_memory_back(node: Any, client: Any) -> None:
    assert client.call(GetState, "get_state").current_state.id == State.PRIMARY_STATE_UNCONFIGURED

    for _ in range(2):
        assert _change(client, Transition.TRANSITION_CONFIGURE)
        assert _change(client, Transition.TRANSITION_ACTIVATE)
        assert client.call(GetState, "get_state").current_state.id == State.PRIMARY_STATE_ACTIVE
        assert _track_an_object(client) == 1  # each time a tracker that has none
        in_use = _resident(node)

        assert _change(client, Transition.TRANSITION_DEACTIVATE)
        assert _change(client, Transition.TRANSITION_CLEANUP)
        assert client.call(GetState, "get_state").current_state.id == State.PRIMARY_STATE_UNCONFIGURED
        assert _resident(node) < in_use - _GIVEN_BACK


def test_a_model_that_is_not_there_leaves_it_unconfigured_with_the_reason(start: Any, client: Any) -> None:
    node = start("node", "--ros-args", "-r", "__node:=other", autostart=False, model="sam3_giant")

    request = ChangeState.Request(transition=Transition(id=Transition.TRANSITION_CONFIGURE))
    assert not client.call(ChangeState, "change_state", request, node="other").success
    node.wait_for("cannot configure: 'sam3_giant' is neither a file nor the name of a model")
    state = client.call(GetState, "get_state", node="other").current_state
    assert state.id == State.PRIMARY_STATE_UNCONFIGURED


SUCCESS, FAILURE = TransitionCallbackReturn.SUCCESS, TransitionCallbackReturn.FAILURE


class Device:
    """Trackers that may be held up, and transforms that may not be there."""

    def __init__(self) -> None:
        self.goes_on = threading.Event()
        self.goes_on.set()
        self.begun = threading.Event()
        self.made = 0
        self.listens = True

    def make_trackers(self, parameters: object) -> list[Any]:
        self.made += 1
        return [SimpleNamespace(set_visibility=self.work)]

    def work(self, **_: float) -> None:
        self.begun.set()
        assert self.goes_on.wait(60)

    def listen(self, *_: object) -> TransformBuffer:
        if not self.listens:
            raise OSError("there are no transforms")
        return TransformBuffer()

    def hang(self, node: Node) -> None:
        self.goes_on.clear()
        self.begun.clear()
        node.set_parameters([Parameter("show_above", value=0.6)])
        assert self.begun.wait(60)


@pytest.fixture
def device() -> Device:
    return Device()


@pytest.fixture
def impatient(context: Context, device: Device, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sam2Node]:
    """An active node that does not wait long for that device. context: for its domain."""
    monkeypatch.setattr(module, "_LONG_PATIENCE", 0.2)
    monkeypatch.setattr(module, "TransformBuffer", device.listen)
    monkeypatch.setattr(Sam2Node.release, "__defaults__", (0.1,))
    rclpy.init(args=["--ros-args", "-r", "__node:=impatient"])
    node = Sam2Node(lambda error: None, Parts(device.make_trackers))
    assert node.start()
    yield node
    device.goes_on.set()
    assert node.release(60.0)
    node.destroy_node()
    rclpy.shutdown()


def test_a_device_that_hangs_at_cleanup_can_be_cleaned_up_when_it_has_answered(
    impatient: Sam2Node, device: Device, capfd: pytest.CaptureFixture[str]
) -> None:
    device.hang(impatient)
    assert impatient.trigger_deactivate() == SUCCESS
    for _ in range(2):
        assert impatient.trigger_cleanup() == FAILURE
        assert "the device has not answered for 0.2 s; its memory is not given back" in capfd.readouterr().err
        assert impatient.trigger_activate() == FAILURE
        assert "cannot activate: a cleanup began that did not end; clean up once more" in capfd.readouterr().err
    device.goes_on.set()
    assert impatient.trigger_cleanup() == SUCCESS
    assert "the device's memory is given back" in capfd.readouterr().err
    assert impatient.trigger_configure() == impatient.trigger_activate() == SUCCESS


def test_a_device_that_hangs_is_not_asked_by_two(
    impatient: Sam2Node, device: Device, capfd: pytest.CaptureFixture[str]
) -> None:
    """As after an activation that failed meanwhile, with which the node is no longer configured."""
    assert impatient.trigger_deactivate() == SUCCESS
    device.hang(impatient)
    device.listens = False
    impatient.trigger_activate()
    assert impatient.trigger_configure() == FAILURE
    said = capfd.readouterr().err
    assert "cannot activate:\n" in said and "OSError: there are no transforms" in said
    assert said.count("the device has not answered for 0.1 s") == 2
    assert device.made == 1
    device.goes_on.set()
    assert impatient.trigger_configure() == SUCCESS
    assert device.made == 2


def test_a_node_whose_device_hangs_is_shut_down_all_the_same(
    impatient: Sam2Node, device: Device, capfd: pytest.CaptureFixture[str]
) -> None:
    device.hang(impatient)
    assert impatient.trigger_shutdown() == SUCCESS
    said = capfd.readouterr().err
    assert "the device has not answered for 0.2 s" in said and "shut down for good" not in said


def test_the_process_does_not_wait_for_a_cleanup_that_hangs(
    impatient: Sam2Node, device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever ends it kills it before such a cleanup has lost its patience."""
    monkeypatch.setattr(module, "_LONG_PATIENCE", 20.0)
    device.hang(impatient)
    assert impatient.trigger_deactivate() == SUCCESS
    cleanup = threading.Thread(target=impatient.trigger_cleanup)
    cleanup.start()
    while not impatient._releasing.locked():
        time.sleep(0.01)
    before = time.monotonic()
    assert not impatient.release(0.1)
    assert time.monotonic() - before < 5
    device.goes_on.set()
    cleanup.join(60)
    assert impatient.release(60.0)
