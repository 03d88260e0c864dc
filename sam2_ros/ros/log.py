"""What is said in ROS's log: by Python's logging, and how often."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable

from rclpy.impl.rcutils_logger import RcutilsLogger


class RosLogHandler(logging.Handler):
    """Passes records on to a node's logger, so that what the tracker says is seen where the node's words are."""

    def __init__(self, logger: RcutilsLogger) -> None:
        super().__init__()
        self._logger = logger

    def emit(self, record: logging.LogRecord) -> None:
        text = self.format(record)
        # rclpy holds each line of code to one severity.
        if record.levelno >= logging.ERROR:
            self._logger.error(text)
        elif record.levelno >= logging.WARNING:
            self._logger.warning(text)
        elif record.levelno >= logging.INFO:
            self._logger.info(text)
        else:
            self._logger.debug(text)


class Bounded:
    """Says sentences, but only a few in a while: whoever is refused in a loop must not fill the disk. Thread-safe."""

    def __init__(
        self,
        say: Callable[[str], object],
        *,
        most: int = 20,
        seconds: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """most: sentences in so many seconds; how many there were beyond that is said with the next one."""
        self._say = say
        self._most = most
        self._seconds = seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._began = -math.inf
        self._count = 0

    def __call__(self, sentence: str) -> None:
        with self._lock:
            now, withheld = self._clock(), 0
            if now - self._began >= self._seconds:
                withheld = max(0, self._count - self._most)
                self._began, self._count = now, 0
            self._count += 1
            if self._count <= self._most:
                self._say(f"{sentence} ({withheld} more before this were not logged)" if withheld else sentence)
