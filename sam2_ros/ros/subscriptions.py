"""Several subscriptions that are one thing."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from rclpy.node import Node
from rclpy.subscription import Subscription


class Subscriptions:
    """Subscriptions that are made and ended together: where one cannot be made, none stays."""

    def __init__(self, node: Node, makers: Iterable[Callable[[], Subscription]]) -> None:
        """makers: each makes one of the node's; what one of them raises is raised."""
        self._node = node
        self._made: list[Subscription] = []
        try:
            for make in makers:
                self._made.append(make())
        except Exception:
            self.stop()
            raise

    def stop(self) -> None:
        """Unsubscribes."""
        for subscription in self._made:
            self._node.destroy_subscription(subscription)
        self._made.clear()
