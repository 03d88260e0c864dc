"""The implementations that can be measured, by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from sam2_ros.network import Sam2

from . import hugging_face, original
from .candidate import Candidate, Setting
from .ours import Ours


@dataclass(frozen=True)
class Entry:
    build: Callable[[Sam2, Setting], Candidate]
    require: Callable[[], None] = lambda: None
    """Raises NotInstalled."""
    nano: bool = False
    """Whether it knows the embedded model, whose trunk is none of SAM 2's own."""


CANDIDATES = {
    "sam2_ros": Entry(partial(Ours, compiled=False), nano=True),
    "sam2_ros-compiled": Entry(partial(Ours, compiled=True), nano=True),
    "transformers": Entry(hugging_face.Transformers, hugging_face.require),
    "original": Entry(partial(original.Original, compiled=False), original.require),
    "original-compiled": Entry(partial(original.Original, compiled=True), original.require),
}
"""The others are compared with the first of those that are measured."""

EAGER = tuple(name for name in CANDIDATES if not name.endswith("-compiled"))
