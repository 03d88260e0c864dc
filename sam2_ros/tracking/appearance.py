"""What an object looks like, by its colours: a small network that has lost it takes the next best thing for it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sam2_ros.geometry.histogram import Colours, evenly_lit
from sam2_ros.geometry.search_region import SearchRegion

from .history import Frame

_STILL = 0.45
"""Likeness from which on what is followed is the object still."""
_AGAIN = 0.6
"""Likeness from which on something is the object that has been out of view."""
_PROMPTED = 4
"""Prompts of which the colours are kept: those of the first, and of the latest."""
_LESS = 0.99
"""From an image to the next, of the most that was seen of it: it may be hidden bit by bit before it is lost."""


@dataclass(frozen=True, eq=False)
class Appearance:
    """Its colours where somebody said what it is, and how large it was seen lately."""

    prompted: tuple[Colours, ...]
    """On images on which it was prompted."""
    share: float
    """Of the image, the most that it covered lately."""

    @staticmethod
    def after(before: Appearance | None, seen: Colours | None, share: float, *, prompted: bool) -> Appearance | None:
        """Of a frame after the one before it, with what was seen of it there, None where it was not in view.

        share: of the image that it covered. prompted: whether somebody said on this frame where it is.
        """
        if seen is None or (before is None and not prompted):
            return before
        if before is None:
            return Appearance((seen,), share)
        share = max(share, _LESS * before.share)
        if not prompted:
            return replace(before, share=share)
        first, *others = before.prompted
        return Appearance((first, *others[2 - _PROMPTED :], seen), share)

    def is_of(self, seen: Colours, *, in_view: bool) -> bool:
        """Whether what is seen is the object, by its looks. in_view: whether it was in view on the frame before."""
        return max(seen.likeness(known) for known in self.prompted) >= (_STILL if in_view else _AGAIN)

    def guess(self, frame: Frame, context: float) -> SearchRegion:
        """Where on a frame it may be, by its colours; context: as in `SearchRegion.around`."""
        place = self.prompted[0].find(evenly_lit(frame.coarse, frame.gain), self.share)
        return SearchRegion.guess(*place, self.share, context)
