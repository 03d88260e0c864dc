"""One camera's stream of images through its tracker. It is called in the worker's thread."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import CompressedImage
from std_msgs.msg import Header

from sam2_ros.geometry.places import Place
from sam2_ros.tracking import BadPrompt, NoImage, Readings, StampUnavailable, Tracker, Tracks

from .clicks import Clicks
from .compressed import ImageMessage, decode
from .images import BadImageMessage, to_rgb
from .messages import PromptCall, to_nanoseconds, to_time
from .publishers import Publishers
from .recent_masks import RecentMasks
from .report import Counts
from .space import Space
from .stamps import Sizes, Stamps

_KEPT_LATENCIES = 1000  # more than come between two looks at them


class Prompted(NamedTuple):
    """An object as it is after a prompt."""

    header: Header
    """Of the newest image."""
    tracks: Tracks
    """The object alone."""
    readings: tuple[Header, Readings] | None
    """All readings of a prompt, and the header of the image that it lies on."""
    label: str
    place: Place | str
    """Where it is, or why that is not known; empty where no depth is asked for."""
    found: bool
    """Whether the prompt found anything where it was made."""


class Stream:
    """Reads, locates and publishes images; keeps the objects' names and the newest image.

    What is known of an image goes out in a thread of its own, so that the next one is tracked meanwhile.
    """

    def __init__(
        self,
        tracker: Tracker,
        space: Space,
        publishers: Publishers,
        complain: Callable[[str], None],
        history: float = 2.0,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        """complain: called with one sentence for each image that is refused. history: seconds a prompt may come late.

        clock: tells nanoseconds on the clock that stamps are of.
        """
        self.counts = Counts()
        """Replaced, never changed, so that other threads may read it."""
        self.latencies: deque[float] = deque(maxlen=_KEPT_LATENCIES)
        """Seconds from stamp to publication of the latest images, for another thread to take."""
        self.objects = 0
        """How many there are on the newest image."""
        self.space = space
        self.history = history
        """Seconds, at up to `FRAMES_PER_SECOND`, for which a prompt may come late."""
        self.masks = RecentMasks(history)
        self.clicks = Clicks(self)
        self.tracker = tracker
        self._publishers = publishers
        self._complain = complain
        self._clock = clock
        self._labels: dict[int, str] = {}
        self._header = Header()
        self._image: NDArray[np.uint8] | None = None
        self._enabled = True
        self._waits = False
        self._stamps = Stamps()
        self._sizes = Sizes()
        self._counting = threading.Lock()
        self._sender = ThreadPoolExecutor(1, "publisher")
        self._sent: Future[None] | None = None
        """The newest image's; that of one that failed stays, so that nobody misses it."""

    @property
    def header(self) -> Header:
        """Of the newest image."""
        return self._header

    @property
    def enabled(self) -> bool:
        """Whether images are tracked, and not let go unread."""
        return self._enabled

    @property
    def size(self) -> tuple[int, int] | None:
        """Height and width of the newest image; None before the first, also of those after `wait_for_image`."""
        return None if self._image is None or self._waits else (self._image.shape[0], self._image.shape[1])

    def is_ahead(self, stamp: int | None) -> bool:
        """Whether a stamp in nanoseconds is after the newest image's, so that its own may be waiting to be tracked."""
        return stamp is not None and self._image is not None and stamp > to_nanoseconds(self._header.stamp)

    def wait_for_image(self) -> None:
        """Has nothing new begin on the newest image, which may show what is long gone, but only on the next."""
        self._waits = self._image is not None

    def _check_image(self) -> None:
        """Raises NoImage."""
        if self._waits:
            raise NoImage("no image has come since the node was activated; wait for the first one")

    def read(self, message: ImageMessage) -> NDArray[np.uint8] | None:
        """The pixels of an image that is to be tracked next, (H, W, 3) RGB; None if it is let go."""
        if not self._enabled:
            self._count(ignored=1)
            if self._publishers.has_new_listeners():  # to them the image that stands still is new
                self._publish_again()
            return None
        nanoseconds = message.header.stamp.nanosec
        if nanoseconds >= 1_000_000_000:
            self.refuse(f"the image's stamp has {nanoseconds} nanoseconds; there must be fewer than 1000000000")
            return None
        if doubt := self._stamps.doubt(to_nanoseconds(message.header.stamp)):
            self.refuse(doubt)
            return None
        try:
            image = decode(message) if isinstance(message, CompressedImage) else to_rgb(message)
        except BadImageMessage as error:
            self.refuse(str(error))
            return None
        if doubt := self._sizes.doubt(*image.shape[:2]):
            self.refuse(doubt)
            return None
        self.space.expect(message.header)
        return image

    def refuse(self, reason: str) -> None:
        """Counts an image that could not be tracked; nothing has changed."""
        self._count(refused=1)
        self._complain(reason)

    def publish(self, header: Header, image: NDArray[np.uint8], tracks: Tracks, started: float) -> None:
        """Has an image's tracks published, once those of the image before are. Raises what went wrong with that one.

        started: when work on it began, on the monotonic clock.
        """
        self.finish()
        self._header, self._image, self._waits = header, image, False
        self._stamps.take(to_nanoseconds(header.stamp))
        self._sizes.take(*image.shape[:2])
        # The tracker forgets its objects when a new stream begins; their names go with them.
        self._labels = {object_id: name for object_id, name in self._labels.items() if object_id in tracks.ids}
        self._remember(tracks)
        self._sent = self._sender.submit(self._send_new, header, image, tracks, dict(self._labels), started)

    def finish(self) -> None:
        """Waits until the newest image's tracks are published. Raises what went wrong with that."""
        if self._sent is not None:
            self._sent.result()

    def close(self) -> None:
        """As `finish`; nothing is published any more."""
        self._sender.shutdown()
        self.finish()

    def prompt(self, call: PromptCall) -> Prompted:
        """Starts or corrects an object on the newest image, or on the one of the call's stamp. Raises TrackerError."""
        if call.object_id is not None and call.names:
            tracks = self.tracker.current().only(call.object_id)
        elif call.object_id is not None and call.chooses:
            tracks = self.tracker.choose(call.object_id, call.prompt.candidate)
        else:
            self._check_image()
            with self._pause_explained(call.stamp):
                tracks = self.tracker.prompt(call.prompt, object_id=call.object_id, stamp=call.stamp)
        if call.label:
            self._labels[tracks.ids[0]] = call.label
        self.clicks.select(tracks.ids[0])
        return self._changed(tracks)

    def preview(self, call: PromptCall) -> tuple[Header, Readings]:
        """All readings of a prompt, and the header of the image it lies on; nothing is changed. Raises TrackerError."""
        if call.object_id is not None:
            raise BadPrompt(f"a preview is of a new object, and object_id is {call.object_id}; it must be 0")
        self._check_image()
        with self._pause_explained(call.stamp):
            return self._with_header(self.tracker.preview(call.prompt, stamp=call.stamp))

    def check_stamp(self, stamp: int | None) -> None:
        """Raises NoImage or StampUnavailable where a prompt with this stamp would."""
        with self._pause_explained(stamp):
            self.tracker.check_stamp(stamp)

    @contextmanager
    def _pause_explained(self, stamp: int | None) -> Iterator[None]:
        """Where the tracker would blame the clocks for a stamp after the newest image's, says that it is the pause."""
        try:
            yield
        except StampUnavailable as error:
            if self._enabled or stamp is None or not self.is_ahead(stamp):
                raise
            late = (stamp - to_nanoseconds(self._header.stamp)) / 1e9
            raise StampUnavailable(
                f"tracking is paused, and the newest image is {late:.2f} s older than the stamp {stamp} ns; have it go "
                "on with ~/enable, or leave the stamp zero to prompt on that image"
            ) from error

    def undo(self, object_id: int) -> Prompted | None:
        """Takes back an object's last prompt; None if that was its only one. Raises TrackerError."""
        tracks = self.tracker.undo(object_id)
        if tracks.ids:
            return self._changed(tracks)
        self._labels.pop(object_id, None)
        self._publish_again()
        return None

    def save(self, object_id: int) -> bytes:
        """An object's memory, with its name. Raises TrackerError."""
        return self.tracker.save(object_id, self._labels.get(object_id, ""))

    def load(self, data: bytes) -> Prompted:
        """Goes on with an object that was saved, under its name, and selects it. Raises TrackerError."""
        self._check_image()
        tracks = self.tracker.load(data)
        if label := self.tracker.label_of(data):
            self._labels[tracks.ids[0]] = label
        self.clicks.select(tracks.ids[0])
        return self._changed(tracks)

    def remove(self, object_id: int) -> None:
        """Raises TrackerError."""
        self.tracker.remove(object_id)
        self._labels.pop(object_id, None)
        self._publish_again()

    def reset(self) -> None:
        self.tracker.reset()
        self._labels.clear()
        self._publish_again()

    def _with_header(self, readings: Readings) -> tuple[Header, Readings]:
        return Header(stamp=to_time(readings.stamp), frame_id=self._header.frame_id), readings

    def _changed(self, tracks: Tracks) -> Prompted:
        """Publishes the newest image once more, for those who look at one that stands still."""
        self._publish_again()
        (object_id,) = tracks.ids
        places = self.space.locate(self._header, tracks)
        readings = None if tracks.readings is None else self._with_header(tracks.readings)
        found = tracks.readings is None or bool(tracks.readings.masks.any())
        label, place = self._labels.get(object_id, ""), places[0] if places else ""
        return Prompted(self._header, tracks, readings, label, place, found)

    def _publish_again(self) -> None:
        if self._image is not None:
            self.finish()
            tracks = self.tracker.current()
            self._remember(tracks)
            self._send(self._header, self._image, tracks, self._labels)

    def _remember(self, tracks: Tracks) -> None:
        self.masks.add(tracks)
        self.objects = len(tracks.ids)

    def _send(self, header: Header, image: NDArray[np.uint8], tracks: Tracks, labels: Mapping[int, str]) -> None:
        places = self.space.locate(header, tracks) if self._publishers.places_wanted else None
        self._publishers.publish(header, image, tracks, labels, places)

    def _send_new(
        self, header: Header, image: NDArray[np.uint8], tracks: Tracks, labels: Mapping[int, str], started: float
    ) -> None:
        """What `publish` leaves to the other thread."""
        self.space.keep(tracks.ids)
        self._send(header, image, tracks, labels)
        self._count(tracked=1, seconds=time.monotonic() - started)
        self.latencies.append((self._clock() - to_nanoseconds(header.stamp)) / 1e9)

    def _count(self, *, tracked: int = 0, refused: int = 0, ignored: int = 0, seconds: float = 0.0) -> None:
        with self._counting:
            counts = self.counts
            self.counts = replace(
                counts,
                tracked=counts.tracked + tracked,
                refused=counts.refused + refused,
                ignored=counts.ignored + ignored,
                seconds=counts.seconds + seconds,
            )

    def enable(self, enabled: bool) -> None:
        """While not enabled, images are let go unread; objects are kept."""
        self._enabled = enabled
