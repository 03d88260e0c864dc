"""What /diagnostics says of a camera, once a second."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

import numpy as np
from rclpy.callback_groups import CallbackGroup
from rclpy.lifecycle import LifecycleNode, LifecyclePublisher
from rclpy.node import Node
from std_msgs.msg import Header

from sam2_ros.tracking import FRAMES_PER_SECOND

from .image_input import ImageInput
from .loading import device_memory
from .messages import to_nanoseconds
from .report import Counts, steady_timer
from .stream import Stream

try:
    from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
except ModuleNotFoundError:
    DiagnosticArray = None

PERIOD = 1.0  # seconds between messages
WINDOW = 10.0  # seconds that each of them speaks of
SILENCE = 3.0  # seconds without an image from which a camera is silent
_ODD_LATENCY = 60.0  # seconds; not even a large network on a CPU takes as long
_ODD_SHARE = 0.1  # of the images; a best-effort camera loses a depth image now and then


class Level(IntEnum):
    """The numbers of diagnostic_msgs/DiagnosticStatus. STALE is the aggregator's, for a node that says nothing."""

    OK = 0
    WARN = 1
    ERROR = 2


@dataclass(frozen=True)
class Recent:
    """What became of a camera's images in the last seconds."""

    seconds: float
    """How long that is."""
    counts: Counts
    """Images in that time."""
    latency: tuple[float, float] | None
    """Seconds from stamp to publication, half and 99 % of the images at most; None if none was tracked."""
    silence: float
    """Seconds since an image came, or since the beginning."""


class _Moment(NamedTuple):
    time: float
    counts: Counts
    latencies: tuple[float, ...]
    """Of the images since the moment before."""


class Window:
    """Turns counts since ever into those of the last seconds."""

    def __init__(self, now: float, counts: Counts) -> None:
        """now: seconds, on a clock that nobody sets."""
        self._moments = deque([_Moment(now, counts, ())])
        self._heard = now

    def add(self, now: float, counts: Counts, latencies: Sequence[float]) -> Recent:
        """counts: up to now. latencies: seconds, of the images since the last call."""
        if counts.received > self._moments[-1].counts.received:
            self._heard = now
        self._moments.append(_Moment(now, counts, tuple(latencies)))
        while self._moments[1].time <= now - WINDOW:
            self._moments.popleft()
        first, *later = self._moments
        recent = [latency for moment in later for latency in moment.latencies]
        latency = None
        if recent:
            half, most = np.percentile(recent, (50, 99))
            latency = float(half), float(most)
        return Recent(now - first.time, counts - first.counts, latency, now - self._heard)


def judge(
    recent: Recent, objects: int, explain_silence: Callable[[float], str], why_unlocated: str = "", twin: str = ""
) -> tuple[Level, str]:
    """How the camera fares, and that in a sentence.

    explain_silence: called for the sentence on so many seconds without an image. why_unlocated: the newest reason why
    an image's objects could not be located. twin: what is to be said of another node of the same name, if there is one.
    """
    counts, during = recent.counts, f"in the last {recent.seconds:.0f} s"
    if recent.silence >= SILENCE:
        return Level.ERROR, explain_silence(recent.silence)
    if twin:
        return Level.WARN, twin
    if not counts.received:
        return Level.OK, "waiting for the first image"
    if counts.refused:
        level = Level.WARN if counts.tracked else Level.ERROR
        return level, f"{counts.refused} of {counts.received} images were refused {during}; the log says why"
    if recent.latency is not None and not -1 < recent.latency[0] < _ODD_LATENCY:
        half = recent.latency[0]
        return Level.WARN, (
            f"the images' stamps are {abs(half):.1f} s {'older' if half > 0 else 'newer'} than the clock; with a bag "
            "or a simulator set use_sim_time and publish /clock, else set the clocks of camera and node alike"
        )
    # Before what gave way: while depth is waited for, images do.
    if counts.unlocated > _ODD_SHARE * counts.tracked:
        return Level.WARN, f"on {counts.unlocated} images no object was located {during}: {why_unlocated}"
    if counts.dropped > counts.received / 2:
        each = f"; each takes {1000 * counts.seconds / counts.tracked:.0f} ms" if counts.tracked else ""
        return Level.WARN, f"{counts.dropped} of {counts.received} images gave way to newer ones {during}{each}"
    if not counts.tracked:
        return Level.OK, "paused by ~/enable"
    return Level.OK, f"tracks {objects} {'object' if objects == 1 else 'objects'}"


def values(
    recent: Recent,
    objects: int,
    age: float | None,
    memory: int,
    *,
    history: float,
    paused: bool,
    depth_asked: bool = False,
) -> dict[str, str]:
    """The numbers by their names.

    age: seconds since the stamp of the newest tracked image, None if there is none. memory: bytes. history: the
    parameter. paused: by ~/enable. depth_asked: whether objects are to be located.
    """
    counts, half_most = recent.counts, recent.latency or (None, None)
    rate = counts.tracked / recent.seconds
    return {
        "paused": str(paused).lower(),
        "objects": str(objects),
        "rate (images/s)": f"{rate:.1f}",
        "latency p50 (ms)": _number(half_most[0], 1000),
        "latency p99 (ms)": _number(half_most[1], 1000),
        "dropped": str(counts.dropped),
        "refused": str(counts.refused),
        **({"not located": str(counts.unlocated)} if depth_asked else {}),
        "let go while paused": str(counts.ignored),
        "window (s)": f"{recent.seconds:.0f}",
        "history (s)": f"{history * FRAMES_PER_SECOND / max(rate, FRAMES_PER_SECOND):.2f}",
        "age of the last image (s)": _number(age),
        "device memory (MiB)": f"{memory / 2**20:.0f}",
    }


def make_publisher(node: LifecycleNode) -> LifecyclePublisher | None:
    """Of /diagnostics; None, and a line in the log, where diagnostic_msgs is not installed."""
    if DiagnosticArray is None:
        node.get_logger().info("diagnostic_msgs is not installed; /diagnostics does not exist")
        return None
    return node.create_lifecycle_publisher(DiagnosticArray, "/diagnostics", 10)


class Diagnostics:
    """Publishes once a second how a camera fares."""

    def __init__(
        self,
        node: Node,
        publisher: LifecyclePublisher,
        group: CallbackGroup,
        camera: str,
        images: ImageInput,
        stream: Stream,
        count: Callable[[], Counts],
        explain_twin: Callable[[], str],
    ) -> None:
        """camera: its name, perhaps empty. count: gives the counts up to now. explain_twin: gives a sentence if another
        node has the same name."""
        self._node = node
        self._publisher = publisher
        self._name = f"{node.get_fully_qualified_name().lstrip('/')}: {camera or 'camera'}"
        self._images = images
        self._stream = stream
        self._count = count
        self._explain_twin = explain_twin
        stream.latencies.clear()
        self._window = Window(time.monotonic(), count())
        self._timer = steady_timer(node, PERIOD, self._publish, group)

    def stop(self) -> None:
        self._node.destroy_timer(self._timer)

    def _publish(self) -> None:
        stream, now = self._stream, self._node.get_clock().now()
        latencies = [stream.latencies.popleft() for _ in range(len(stream.latencies))]
        recent = self._window.add(time.monotonic(), self._count(), latencies)
        age = None if stream.size is None else (now.nanoseconds - to_nanoseconds(stream.header.stamp)) / 1e9
        space = stream.space
        why_unlocated, twin = space.unlocated.reason, self._explain_twin()
        level, sentence = judge(recent, stream.objects, self._images.explain_silence, why_unlocated, twin)
        numbers = values(
            recent,
            stream.objects,
            age,
            device_memory(),
            history=stream.history,
            paused=not stream.enabled,
            depth_asked=space.depth_asked,
        )
        status = DiagnosticStatus(
            level=bytes([level]),
            name=self._name,
            hardware_id=self._images.topic,
            message=sentence,
            values=[KeyValue(key=key, value=value) for key, value in numbers.items()],
        )
        self._publisher.publish(DiagnosticArray(header=Header(stamp=now.to_msg()), status=[status]))


def _number(value: float | None, factor: float = 1.0) -> str:
    """Empty where there is none."""
    return "" if value is None else f"{factor * value:.1f}"
