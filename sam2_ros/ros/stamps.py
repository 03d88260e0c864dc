"""Whether an image's stamp and size are believed, since one that is out of line begins a new stream, without the old
objects."""

from __future__ import annotations

import time
from collections.abc import Callable

from sam2_ros.tracking import NEW_STREAM

_BELIEVED = "that is believed when the next image bears it out"

_LEAP = 60_000_000_000
"""Nanoseconds by which a stamp may run ahead of the time that has passed, as in a recording that leaves something
out."""


class Stamps:
    """Believes a stamp that is out of line only when the next image bears it out.

    A driver that changes its clock now and then sends a single wrong one. A recording or simulation that begins anew
    goes on from where it began.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """clock: tells seconds, and nobody sets it."""
        self._clock = clock
        self._newest: int | None = None
        self._came = 0.0
        self._doubted: int | None = None

    def take(self, stamp: int) -> None:
        """Says of which stamp, in nanoseconds, the image is that has been tracked."""
        self._newest, self._came, self._doubted = stamp, self._clock(), None

    def doubt(self, stamp: int) -> str:
        """What speaks against tracking an image of this stamp, in a sentence; empty if nothing does."""
        if self._newest is None:
            return ""
        ahead = stamp - self._newest
        passed = round(1e9 * (self._clock() - self._came))
        if -NEW_STREAM < ahead <= passed + _LEAP:
            self._doubted = None
            return ""
        before, self._doubted = self._doubted, stamp
        if before is not None and before <= stamp and (before > self._newest) == (ahead > 0):
            return ""
        side = "after" if ahead > 0 else "before"
        return f"its stamp {stamp} ns is {abs(ahead) / 1e9:.3f} s {side} that of the newest image; {_BELIEVED}"


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
