"""Everything a caller of the tracker can do wrong. The tracker's state is unchanged after each of these."""

from collections.abc import Iterable


class TrackerError(ValueError):
    """A call that the tracker refused; the message names the value and what would be right."""


class BadImage(TrackerError):
    """An image that is not (H, W, 3) uint8, or has no pixels."""


class LateImage(TrackerError):
    """An image stamped shortly before the newest one."""


class BadStamp(TrackerError):
    """A stamp that is not an integer."""


class NoImage(TrackerError):
    """A prompt before the first image."""


class BadPrompt(TrackerError):
    """A prompt that says nothing, contradicts itself or lies outside the image."""


class UnknownObject(TrackerError):
    """An object id that is not tracked."""

    def __init__(self, object_id: int, known: Iterable[int]) -> None:
        ids = ", ".join(map(str, sorted(known))) or "none"
        super().__init__(f"there is no object {object_id}; the objects are: {ids}")


class CapacityExceeded(TrackerError):
    """One object more than the tracker has room for."""


class StampUnavailable(TrackerError):
    """A prompt for an image that the tracker no longer holds, or the undoing of one."""


class BadMemory(TrackerError):
    """Bytes that hold no object's memory, or that of another network, input size or version."""
