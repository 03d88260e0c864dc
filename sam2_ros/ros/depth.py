"""Depth images as they come, and the one that belongs to an image."""

from __future__ import annotations

import threading
from collections import deque

import numpy as np
from sensor_msgs.msg import CompressedImage
from std_msgs.msg import Header

from sam2_ros.geometry.depth import DepthImage

from . import compressed_depth
from .compressed import ImageMessage
from .images import BadImageMessage, to_array
from .messages import to_nanoseconds

_KEPT = 8
_EXPECTED = 2  # images: one whose objects are located, and the next, which is tracked meanwhile
_PATIENT_FOR = 3  # images in a row that are waited for in vain, until depth is taken to have stopped
_METRES = {"16UC1": 0.001, "mono16": 0.001, "32FC1": 1.0}


class NoDepth(ValueError):
    """There is no depth for an image; the message says why."""


def to_depth_image(message: ImageMessage, header: Header, height: int, width: int) -> DepthImage:
    """A depth image that is registered to the image with this header and size, not copied. Raises NoDepth.

    16UC1 is in millimetres and 32FC1 in metres, as REP 118 has it.
    """
    compressed = isinstance(message, CompressedImage)
    encoding = compressed_depth.encoding_of(message) if compressed else message.encoding
    unit = _METRES.get(encoding)
    if unit is None:
        raise NoDepth(f"the depth image's encoding is {encoding!r}; it must be 16UC1 or 32FC1")
    if message.header.frame_id != header.frame_id:
        raise NoDepth(
            f"the depth image is in the frame {message.header.frame_id!r} and the image in {header.frame_id!r}; the "
            "camera must be set to register depth to its colour image"
        )
    try:
        pixels = compressed_depth.decode(message) if compressed else to_array(message)
    except BadImageMessage as error:
        raise NoDepth(f"of the depth image: {error}") from error
    if pixels.shape != (height, width):
        raise NoDepth(
            f"the depth image has {pixels.shape[1]}x{pixels.shape[0]} pixels and the image {width}x{height}; the "
            "camera must be set to register depth to its colour image"
        )
    if encoding == "32FC1":
        return DepthImage(np.asarray(pixels, np.float32), unit)
    return DepthImage(np.asarray(pixels, np.uint16), unit)


class DepthMatcher:
    """Keeps the newest depth images, and those that come nearest to the stamps that are waited for.

    Safe to use from several threads.
    """

    def __init__(self, topic: str, tolerance: float, patience: float) -> None:
        """topic: to name in reasons. tolerance: seconds between an image's stamp and that of its depth image.

        patience: seconds for which a depth image that is still on its way is waited for.
        """
        self._topic = topic
        self._patience = patience
        self._tolerance = round(1e9 * tolerance)
        self._newest: deque[ImageMessage] = deque(maxlen=_KEPT)
        self._matches: dict[int, ImageMessage | None] = {}  # by the stamps that are waited for
        self._in_vain = 0
        self._arrival = threading.Condition()

    def put(self, message: ImageMessage) -> None:
        """Takes a depth image that has come."""
        with self._arrival:
            self._newest.append(message)
            self._in_vain = 0
            for stamp in self._matches:
                self._consider(message, stamp)
            self._arrival.notify_all()

    def expect(self, stamp: int) -> None:
        """Says for which image's stamp, in nanoseconds, depth will be taken; it is kept until then, or until depth is
        expected for two later ones."""
        with self._arrival:
            self._want(stamp)

    def take(self, stamp: int) -> ImageMessage:
        """The depth image for this stamp; waits a moment if it may still come. Raises NoDepth.

        Where depth has stopped nothing is waited for, so that tracking is not slower for it, until it begins again. How
        old the newest is does not tell: of a slow camera it is as old while the next one is on its way.
        """
        with self._arrival:
            if stamp not in self._matches:
                self._want(stamp)
            if self._matches[stamp] is None and self._may_come(stamp):
                self._in_vain += 1  # taken back by the next that comes
                self._arrival.wait_for(lambda: self._matches.get(stamp) or not self._behind(stamp), self._patience)
            match = self._matches.get(stamp)
            if match is None:
                raise NoDepth(self._why_none(stamp))
            return match

    def _want(self, stamp: int) -> None:
        self._matches.pop(stamp, None)
        self._matches[stamp] = None
        while len(self._matches) > _EXPECTED:
            del self._matches[next(iter(self._matches))]
        for message in self._newest:
            self._consider(message, stamp)

    def _consider(self, message: ImageMessage, stamp: int) -> None:
        def distance(image: ImageMessage) -> int:
            return abs(to_nanoseconds(image.header.stamp) - stamp)

        match = self._matches[stamp]
        # Of several with one stamp, as a camera without a clock sends them, the last.
        if distance(message) <= self._tolerance and (match is None or distance(message) <= distance(match)):
            self._matches[stamp] = message

    def _may_come(self, stamp: int) -> bool:
        """Depth images are coming, and the newest is older than what is waited for."""
        return self._behind(stamp) and self._in_vain < _PATIENT_FOR

    def _behind(self, stamp: int) -> bool:
        return bool(self._newest) and to_nanoseconds(self._newest[-1].header.stamp) < stamp - self._tolerance

    def _why_none(self, stamp: int) -> str:
        if not self._newest:
            return f"no depth image has come on {self._topic}"
        if self._behind(stamp):
            behind = (stamp - to_nanoseconds(self._newest[-1].header.stamp)) / 1e9
            if not self._may_come(stamp):
                return (
                    f"no depth image has come on {self._topic} since one that is {behind:.3f} s older than the image; "
                    "does the camera still send depth, and as often as images?"
                )
            return (
                f"the image's depth has not come within {self._patience:g} s after tracking, and the newest is "
                f"{behind:.3f} s older; if depth comes late, raise depth_wait, if its stamps differ, depth_tolerance"
            )
        apart = min((to_nanoseconds(message.header.stamp) - stamp for message in self._newest), key=abs) / 1e9
        return (
            f"the nearest depth image is {abs(apart):.3f} s {'newer' if apart > 0 else 'older'} than the image; at "
            f"most {self._tolerance / 1e9:g} s are allowed (parameter depth_tolerance)"
        )
