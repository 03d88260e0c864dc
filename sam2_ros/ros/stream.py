"""One camera's stream of images through its tracker. Everything here runs in the worker's thread."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from sensor_msgs.msg import Image
from std_msgs.msg import Header

from sam2_ros.geometry.places import Place
from sam2_ros.tracking import Tracker, TrackerError, Tracks

from .images import BadImageMessage, to_rgb
from .messages import PromptCall, to_nanoseconds
from .publishers import Publishers
from .report import Counts
from .space import Space


class Prompted(NamedTuple):
    """An object as it is after a prompt."""

    header: Header
    """Of the prompted image."""
    tracks: Tracks
    """The object alone, with the readings of the prompt."""
    label: str
    place: Place | str
    """Where it is, or why that is not known; empty where no depth is asked for."""


class Stream:
    """Reads, tracks, locates and publishes images; keeps the objects' names and the newest header."""

    def __init__(self, tracker: Tracker, space: Space, publishers: Publishers, complain: Callable[[str], None]) -> None:
        """complain: called with one sentence for each image that is refused."""
        self.counts = Counts()
        """Replaced, never changed, so that other threads may read it."""
        self.space = space
        self._tracker = tracker
        self._publishers = publishers
        self._complain = complain
        self._labels: dict[int, str] = {}
        self._header = Header()
        self._enabled = True

    def handle(self, message: Image) -> None:
        """Tracks onto an image and publishes, unless paused. An image that cannot be used changes nothing."""
        counts = self.counts
        if not self._enabled:
            self.counts = replace(counts, ignored=counts.ignored + 1)
            return
        start = time.monotonic()
        self.space.expect(message.header)
        try:
            image = to_rgb(message)
            tracks = self._tracker.track(image, to_nanoseconds(message.header.stamp))
        except (BadImageMessage, TrackerError) as error:
            self.counts = replace(counts, refused=counts.refused + 1)
            self._complain(str(error))
            return
        self._header = message.header
        # The tracker forgets its objects when a new stream begins; their names go with them.
        self._labels = {object_id: name for object_id, name in self._labels.items() if object_id in tracks.ids}
        self.space.keep(tracks.ids)
        places = self.space.locate(message.header, tracks) if self._publishers.places_wanted else None
        self._publishers.publish(message.header, image, tracks, self._labels, places)
        seconds = counts.seconds + time.monotonic() - start
        self.counts = replace(counts, tracked=counts.tracked + 1, seconds=seconds)

    def prompt(self, call: PromptCall) -> Prompted:
        """Starts or corrects an object on the newest image, or on the one of the call's stamp. Raises TrackerError."""
        tracks = self._tracker.prompt(call.prompt, object_id=call.object_id, stamp=call.stamp)
        (object_id,) = tracks.ids
        if call.label:
            self._labels[object_id] = call.label
        places = self.space.locate(self._header, tracks)
        return Prompted(self._header, tracks, self._labels.get(object_id, ""), places[0] if places else "")

    def remove(self, object_id: int) -> None:
        """Raises TrackerError."""
        self._tracker.remove(object_id)
        self._labels.pop(object_id, None)

    def reset(self) -> None:
        self._tracker.reset()
        self._labels.clear()

    def enable(self, enabled: bool) -> None:
        """While not enabled, images are let go unread; objects are kept."""
        self._enabled = enabled
