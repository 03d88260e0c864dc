"""Whether an image's stamp is believed, since one that is out of line begins a new stream, without the old objects."""

from __future__ import annotations

import time
from collections.abc import Callable

from sam2_ros.tracking import NEW_STREAM

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
        return (
            f"its stamp {stamp} ns is {abs(ahead) / 1e9:.3f} s {side} that of the newest image; that is believed when "
            "the next image bears it out"
        )
