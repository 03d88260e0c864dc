"""A node that keeps what it is given to publish and to log, and an image to publish."""

from __future__ import annotations

from typing import Any

import numpy as np

IMAGE = np.full((4, 6, 3), 50, np.uint8)


class FakePublisher:
    def __init__(self) -> None:
        self.subscribers = 0
        self.messages: list[Any] = []
        self.publish = self.messages.append

    def get_subscription_count(self) -> int:
        return self.subscribers


class FakeNode:
    def __init__(self) -> None:
        self.publishers: dict[str, FakePublisher] = {}
        self.lines: list[str] = []

    def create_lifecycle_publisher(self, kind: type, topic: str, qos: object) -> FakePublisher:
        return self.publishers.setdefault(topic, FakePublisher())

    def get_logger(self) -> FakeNode:
        return self

    def info(self, line: str, **how: object) -> None:
        self.lines.append(line)

    warning = info
