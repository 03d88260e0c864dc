"""Streaming SAM 2 for one camera: objects, prompts and memory. No ROS, no files."""

from .errors import (
    BadImage,
    BadMemory,
    BadPrompt,
    BadStamp,
    CapacityExceeded,
    LateImage,
    NoImage,
    StampUnavailable,
    TrackerError,
    UnknownObject,
)
from .saved import LONGEST_LABEL
from .tracker import FRAMES_PER_SECOND, NEW_STREAM, Tracker, track_together
from .tracks import Prompt, Readings, State, Tracks
from .warm_up import warm_up

__all__ = [
    "FRAMES_PER_SECOND",
    "LONGEST_LABEL",
    "NEW_STREAM",
    "BadImage",
    "BadMemory",
    "BadPrompt",
    "BadStamp",
    "CapacityExceeded",
    "LateImage",
    "NoImage",
    "Prompt",
    "Readings",
    "StampUnavailable",
    "State",
    "Tracker",
    "TrackerError",
    "Tracks",
    "UnknownObject",
    "track_together",
    "warm_up",
]
