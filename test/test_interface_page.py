"""docs/interface.md against the node, msg/, srv/ and the parameters, so that it cannot drift."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from pathlib import Path
from runpy import run_path
from unittest.mock import MagicMock

import pytest
import rclpy

from sam2_ros.ros.node import Parts, Sam2Node

DOCS = Path(__file__).parents[1] / "docs"
PAGE = (DOCS / "interface.md").read_text()

INPUTS = {"/camera/raw": "image", "/camera/info": "camera_info", "/camera/depth": "depth"}
OPTIONAL = ("vision_msgs", "tf2_msgs", "diagnostic_msgs")
"""Packages without which the node runs."""
RCLPYS_OWN = ("/rosout", "/parameter_events", "/clock", "~/transition_event")


@pytest.fixture(params=["raw", "compressed"])
def node(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sam2Node]:
    """An active node with depth, with a tracker that does nothing."""
    monkeypatch.setenv("ROS_DOMAIN_ID", str(random.randint(1, 100)))
    remaps = [word for ours, name in INPUTS.items() for word in ("-r", f"{name}:={ours}")]
    rclpy.init(args=["--ros-args", *remaps, "-p", "depth:=true", "-p", f"image_transport:={request.param}"])
    node = Sam2Node(lambda error: None, Parts(make_trackers=lambda parameters: [MagicMock()]))
    assert node.start()
    yield node
    node.release()
    node.destroy_node()
    rclpy.shutdown()


def _table(title: str) -> dict[str, str]:
    """Types by names, of the table under a title."""
    chapter = PAGE.partition(f"## {title}\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `([^`]+)` \| (\w+/\w+) \|", chapter, re.MULTILINE)
    assert rows and len(dict(rows)) == len(rows)
    return dict(rows)


def _on_the_page(name: str) -> str:
    """What the page calls a topic or service."""
    if name in INPUTS:
        return INPUTS[name]
    return re.sub("^/camera/raw", "<image>", re.sub("^/sam2/", "~/", name))


def _type(kind: type) -> str:
    return f"{kind.__module__.partition('.')[0]}/{kind.__name__}"


def _compare(live: dict[str, str], title: str, other_transport: set[str] = frozenset()) -> None:
    page = _table(title)
    assert live.items() <= page.items()
    missing = {name for name in page.keys() - live.keys() if not page[name].startswith(OPTIONAL)}
    assert missing <= other_transport


def test_topics_and_services_are_those_of_the_node(node: Sam2Node) -> None:
    subscribed = {_on_the_page(one.topic_name): _type(one.msg_type) for one in node.subscriptions}
    published = {_on_the_page(one.topic_name): _type(one.msg_type) for one in node.publishers}
    services = {_on_the_page(one.service_name): _type(one.srv_type) for one in node.services}
    ours = {name: kind for name, kind in services.items() if not kind.startswith(("rcl_", "lifecycle_", "type_desc"))}
    for own in RCLPYS_OWN:
        subscribed.pop(own, None)
        published.pop(own, None)

    _compare(subscribed, "Subscribed topics", {"image", "<image>/compressed"})
    _compare(published, "Published topics")
    _compare(ours, "Services")


def test_messages_and_parameters_are_as_they_are() -> None:
    written = run_path(str(DOCS / "make_interface.py"))["written"]

    assert written(PAGE) == PAGE, "run: python docs/make_interface.py"


def test_a_field_of_every_kind_is_shown() -> None:
    row = run_path(str(DOCS / "make_interface.py"))["_row"]

    assert row("uint8 ADD=1         # positive clicks") == "| `ADD = 1` | uint8 | positive clicks |\n"
    assert row("uint8 label 1       # a sign") == "| `label` | uint8 | a sign; 1 unless given |\n"
    assert row("float32[<=4] box    # x0 # y0") == "| `box` | float32[&lt;=4] | x0 # y0 |\n"
    assert row("bool success") == "| `success` | bool |  |\n"
    assert row("") == ""
    with pytest.raises(ValueError, match="not understood"):
        row("uint8")
