"""Streaming SAM 2 for one camera: objects, prompts and memory. No ROS, no files."""

from .errors import (
    BadImage,
    BadPrompt,
    CapacityExceeded,
    NoImage,
    StampUnavailable,
    TrackerError,
    UnknownObject,
)
from .tracker import Tracker
from .tracks import Prompt, Readings, State, Tracks

__all__ = [
    "BadImage",
    "BadPrompt",
    "CapacityExceeded",
    "NoImage",
    "Prompt",
    "Readings",
    "StampUnavailable",
    "State",
    "Tracker",
    "TrackerError",
    "Tracks",
    "UnknownObject",
]
