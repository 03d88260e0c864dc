"""All cameras' streams: what has come from several cameras goes through the network in one batch."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from std_msgs.msg import Header

from sam2_ros.tracking import Tracker, TrackerError, Tracks, track_together

from .compressed import ImageMessage
from .messages import to_nanoseconds
from .stream import Stream

TrackTogether = Callable[[Sequence[Tracker], Sequence[NDArray[np.uint8]], Sequence[int]], list[Tracks]]
"""As track_together of sam2_ros.tracking."""


class _Read(NamedTuple):
    """A camera's image that is to be tracked next, (H, W, 3) RGB."""

    stream: Stream
    header: Header
    image: NDArray[np.uint8]


class UnknownCamera(ValueError):
    """A camera's name that the node does not have, or none where it has several."""


class Streams:
    """The streams by their cameras' names. Everything but `named` runs in the worker's thread."""

    def __init__(self, streams: Mapping[str, Stream], track: TrackTogether = track_together) -> None:
        self._streams = dict(streams)
        self._track = track

    @property
    def all(self) -> list[Stream]:
        return list(self._streams.values())

    def named(self, camera: str) -> Stream:
        """A camera's stream; that of the only one for an empty name. Raises UnknownCamera."""
        if not camera and len(self._streams) == 1:
            return self.all[0]
        if camera and camera in self._streams:
            return self._streams[camera]
        names = ", ".join(self._streams)
        if not camera:
            raise UnknownCamera(f"the node has several cameras; name one of {names}")
        if not names:
            raise UnknownCamera(
                f"there is no camera {camera!r}: the node has one camera, which has no name; leave it empty"
            )
        raise UnknownCamera(f"there is no camera {camera!r}; the cameras are: {names}")

    def handle(self, messages: Mapping[str, ImageMessage]) -> None:
        """Tracks onto one image of each of some cameras and publishes. One that cannot be used changes nothing."""
        started = time.monotonic()
        read = [
            _Read(stream, message.header, image)
            for stream, message in ((self._streams[camera], message) for camera, message in messages.items())
            if (image := stream.read(message)) is not None
        ]
        if read:
            self._handle(read, started)

    def _handle(self, read: list[_Read], started: float) -> None:
        trackers = [one.stream.tracker for one in read]
        stamps = [to_nanoseconds(one.header.stamp) for one in read]
        try:
            answers = self._track(trackers, [one.image for one in read], stamps)
        except TrackerError as error:
            if len(read) == 1:
                read[0].stream.refuse(str(error))
            else:  # One camera's image is at fault; the others' are not.
                for one in read:
                    self._handle([one], started)
            return
        for one, tracks in zip(read, answers, strict=True):
            one.stream.publish(one.header, one.image, tracks, started)
