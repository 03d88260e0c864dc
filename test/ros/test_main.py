"""The node's executor, beside a thread that computes."""

from __future__ import annotations

import queue
import threading
import time

from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.context import Context
from rclpy.executors import MultiThreadedExecutor
from rclpy.node import Node

from sam2_ros.ros.main import _spin


class Counting(MultiThreadedExecutor):
    spins = 0

    def spin_once(self, timeout_sec: float | None = None) -> None:
        self.spins += 1
        super().spin_once(timeout_sec)


def test_a_callback_is_handed_over_once_and_not_again_and_again(context: Context) -> None:
    node, executor = Node("busy", context=context), Counting(2, context=context)
    called, stopped = [], threading.Event()
    node.create_timer(0.02, lambda: called.append(1), callback_group=MutuallyExclusiveCallbackGroup())
    executor.add_node(node)
    failures: queue.SimpleQueue[Exception] = queue.SimpleQueue()
    spinner = threading.Thread(target=_spin, args=(executor, stopped, failures.put))
    spinner.start()
    end = time.monotonic() + 2.0
    while time.monotonic() < end:  # computing, as the worker does
        pass
    stopped.set()
    executor.shutdown(5.0)
    spinner.join(30)
    node.destroy_node()

    assert not spinner.is_alive() and failures.empty()
    assert len(called) > 20
    assert executor.spins < 1.8 * len(called)  # 2.0 with rclpy's own loop
