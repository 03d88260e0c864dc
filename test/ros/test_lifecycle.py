"""The node's life in the hands of a lifecycle manager, with a real network, over DDS."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import ChangeState, GetState

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
    client.meet()
    client.track(height=480, width=640)
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
