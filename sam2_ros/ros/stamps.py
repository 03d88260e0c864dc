"""Whether an image's stamp and size are believed, since one that is out of line begins a new stream, without the old
objects."""

from __future__ import annotations

import time
from collections.abc import Callable

from sam2_ros.tracking import NEW_STREAM

_BELIEVED = "that is believed when the next image bears it out"


class Stamps:
    """Believes a stamp that is out of line only when the next image bears it out.

    A driver that changes its clock now and then sends a single wrong one, and if that were believed, the next right one
    would seem to be the past. A recording or simulation that begins anew goes on from where it began, and one that
    leaves something out, or is played faster than it was made, from where it leapt to.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """clock: tells seconds, and nobody sets it."""
        self._clock = clock
        self._newest: int | None = None
        self._leap = 0
        """Nanoseconds by which the newest stamp was after the one before, if that was more than the time between."""
        self._read = self._read_before = self._asked = 0.0
        """When the newest image, the one before it and the one that is in question were read."""
        self._doubted: int | None = None

    def take(self, stamp: int) -> None:
        """Says of which stamp, in nanoseconds, the image is that was asked about last, and has been tracked."""
        if self._newest is None:
            self._read = self._asked
        else:
            step = stamp - self._newest
            self._leap = step if step > self._passed() + NEW_STREAM else 0
        self._read_before, self._read = self._read, self._asked
        self._newest, self._doubted = stamp, None

    def doubt(self, stamp: int) -> str:
        """What speaks against tracking an image of this stamp, in a sentence; empty if nothing does."""
        self._asked = self._clock()
        if self._newest is None:
            return ""
        ahead = stamp - self._newest
        if -NEW_STREAM < ahead <= self._passed() + max(NEW_STREAM, 3 * self._leap):
            self._doubted = None
            return ""
        before, self._doubted = self._doubted, stamp
        if before is not None and before <= stamp and (before > self._newest) == (ahead > 0):
            return ""
        side = "after" if ahead > 0 else "before"
        return f"its stamp {stamp} ns is {abs(ahead) / 1e9:.3f} s {side} that of the newest image; {_BELIEVED}"

    def _passed(self) -> int:
        """Nanoseconds since the image before the newest was read, for so long the newest may have waited for that."""
        return round(1e9 * (self._asked - self._read_before))


class Sizes:
    """Believes another size than that of the newest image only when the next image bears it out.

    A single image of it may be broken, or come from another camera on the same topic.
    """

    def __init__(self) -> None:
        self._newest: tuple[int, int] | None = None
        self._last: tuple[int, int] | None = None
        """Of the image that was asked about last."""

    def take(self, height: int, width: int) -> None:
        """Says which size, in pixels, the image has that has been tracked."""
        self._newest = height, width

    def doubt(self, height: int, width: int) -> str:
        """What speaks against tracking an image of this size, in a sentence; empty if nothing does."""
        before, self._last = self._last, (height, width)
        if self._newest is None or (height, width) in (self._newest, before):
            return ""
        high, wide = self._newest
        return f"it has {width}x{height} pixels, and the newest image {wide}x{high}; {_BELIEVED}"
