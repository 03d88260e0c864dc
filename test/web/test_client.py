"""Which cameras the page's node finds, and what it hears of them."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import ReliabilityPolicy
from sensor_msgs.msg import CompressedImage
from std_msgs.msg import Header
from std_srvs.srv import Trigger

from sam2_ros.msg import TrackedObjects
from sam2_ros.web.client import Client, NoTracker


@pytest.fixture
def others(context: Any, until: Any) -> Any:
    """A tracker of two cameras in a namespace, one of another name, and an executor that spins."""
    nodes = [Node("sam2", namespace="/robot", context=context), Node("other", context=context)]
    publishers = {
        topic: nodes[0].create_publisher(kind, f"~/{topic}", 1)
        for camera in ("wrist", "front")
        for kind, topic in ((TrackedObjects, f"{camera}/objects"), (CompressedImage, f"{camera}/overlay/compressed"))
    }
    nodes[1].create_publisher(TrackedObjects, "~/objects", 1)
    nodes[1].create_publisher(TrackedObjects, "/robot/sam2_too/objects", 1)
    nodes[1].create_publisher(TrackedObjects, "/robot/sam2/front/objects/old", 1)
    executor = SingleThreadedExecutor(context=context)
    for node in nodes:
        executor.add_node(node)
    spinner = threading.Thread(target=executor.spin, daemon=True)
    spinner.start()
    yield executor, publishers
    executor.shutdown()
    spinner.join()
    for node in nodes:
        node.destroy_node()


def test_what_others_say_of_diagnostics_is_left_aside(context: Any, others: Any, until: Any) -> None:
    executor, _ = others
    client = Client("/robot/sam2", lambda camera: None, context=context)
    executor.add_node(client)
    client.watch({"front"})
    publisher = client.create_publisher(DiagnosticArray, "/diagnostics", 1)
    until(lambda: publisher.get_subscription_count() == 1)
    for number, told in (("n/a", None), ("nan", None), ("inf", None), ("2.0", 2.0)):
        value = KeyValue(key="history (s)", value=number)
        status = DiagnosticStatus(name="robot/sam2: front", message=number, level=b"\1", values=[value])
        publisher.publish(DiagnosticArray(status=[status]))
        until(lambda number=number: client.report("front").problem == number)
        assert client.report("front").history == told
    executor.remove_node(client)
    client.destroy_node()


def test_it_hears_of_the_cameras_that_are_watched(context: Any, others: Any, until: Any) -> None:
    executor, publishers = others
    changed: list[str] = []
    client = Client("/robot/sam2", changed.append, context=context)
    executor.add_node(client)
    until(lambda: client.cameras == ["front", "wrist"])
    front = publishers["front/overlay/compressed"]
    assert front.get_subscription_count() == 0

    client.watch({"front"})
    until(lambda: front.get_subscription_count() == 1)
    (subscription,) = client.get_subscriptions_info_by_topic(front.topic_name)
    assert subscription.qos_profile.reliability == ReliabilityPolicy.BEST_EFFORT
    front.publish(CompressedImage(header=Header(stamp=Time(sec=3, nanosec=4)), data=b"picture"))
    until(lambda: changed == ["front"])
    seen = client.seen("front")
    assert (seen.number, seen.stamp, seen.jpeg) == (1, (3, 4), b"picture")
    assert publishers["wrist/objects"].get_subscription_count() == 0

    client.watch({"front", "wrist"})
    assert [one.topic_name for one in client.subscriptions].count("/diagnostics") == 1

    client.watch({"wrist"})
    until(lambda: (front.get_subscription_count(), publishers["wrist/objects"].get_subscription_count()) == (0, 1))
    assert client.seen("front").number == 0
    with pytest.raises(NoTracker, match="there is no tracker /robot/sam2: start the node, or name another one"):
        client.ask("reset", Trigger.Request())
    executor.remove_node(client)
    client.destroy_node()
