"""What became of the images, counted and said."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rclpy.callback_groups import CallbackGroup
from rclpy.clock import Clock, ClockType
from rclpy.impl.rcutils_logger import RcutilsLogger
from rclpy.node import Node
from rclpy.timer import Timer

from .image_input import ImageInput

_PERIOD = 10.0  # seconds


@dataclass(frozen=True)
class Counts:
    """Images since some moment."""

    tracked: int = 0
    refused: int = 0
    """Could not be read."""
    ignored: int = 0
    """Came while the node was paused."""
    dropped: int = 0
    """Gave way to a newer one."""
    seconds: float = 0.0
    """Spent on the tracked ones, from message to publication."""
    unlocated: int = 0
    """Of the tracked ones: no object could be located, for want of depth or of camera_info."""

    def __sub__(self, earlier: Counts) -> Counts:
        return Counts(
            self.tracked - earlier.tracked,
            self.refused - earlier.refused,
            self.ignored - earlier.ignored,
            self.dropped - earlier.dropped,
            self.seconds - earlier.seconds,
            self.unlocated - earlier.unlocated,
        )

    @property
    def received(self) -> int:
        return self.tracked + self.refused + self.ignored + self.dropped

    def sentence(self, period: float) -> str:
        """What to say of a period of so many seconds."""
        each = f", {1000 * self.seconds / self.tracked:.0f} ms each" if self.tracked else ""
        return (
            f"tracked {self.tracked} images in {period:.0f} s{each}; dropped {self.dropped} for newer ones, "
            f"refused {self.refused}"
        )


def steady_timer(node: Node, seconds: float, call: Callable[[], None], group: CallbackGroup) -> Timer:
    """Calls again and again, also while a simulated clock stands still or has never been heard."""
    clock = Clock(clock_type=ClockType.STEADY_TIME)
    return node.create_timer(seconds, call, callback_group=group, clock=clock)


class Reporter:
    """Says every ten seconds what became of a camera's images, at debug level if all were tracked."""

    def __init__(
        self,
        node: Node,
        group: CallbackGroup,
        images: ImageInput,
        count: Callable[[], Counts],
        explain_twin: Callable[[], str],
        logger: RcutilsLogger,
    ) -> None:
        """count: gives the counts up to now. explain_twin: gives a sentence if another node has the same name."""
        self._node = node
        self._images = images
        self._count = count
        self._explain_twin = explain_twin
        self._logger = logger
        self._last = count()
        self._silent = False
        self._twins = 0
        """Reports in a row at which there was another node of this name."""
        self._timer = steady_timer(node, _PERIOD, self._report, group)

    def stop(self) -> None:
        self._node.destroy_timer(self._timer)

    def _report(self) -> None:
        now = self._count()
        counts, self._last = now - self._last, now
        logger = self._logger
        if not counts.received and not self._silent:
            logger.warning(self._images.explain_silence(_PERIOD))
        elif counts.dropped or counts.refused:
            logger.info(counts.sentence(_PERIOD))
        elif counts.received:
            logger.debug(counts.sentence(_PERIOD))
        self._silent = not counts.received
        twin = self._explain_twin()
        self._twins = self._twins + 1 if twin else 0
        if self._twins == 2:  # DDS lists one that was killed, and now runs again as this one, for 20 s
            logger.warning(twin)
