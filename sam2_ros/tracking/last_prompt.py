"""What lets the prompt that was made last be taken back, or meant otherwise, after its image has left the history."""

from __future__ import annotations

from dataclasses import dataclass

from .history import Frame, History
from .memory import MemoryBank, Remembered
from .objects import ObjectRecord

TAKEN_BACK = 15.0
"""Seconds, by the images' stamps, for which it can be: time to look and to choose, in which little else has changed."""


@dataclass(frozen=True)
class LastPrompt:
    """The object as it was when it was prompted, and the image, with tensors of their own.

    The images between that one and the history are gone: for the object it will be as if the camera had not sent them.
    """

    object_id: int
    record: ObjectRecord
    """With that prompt, and without what came of it."""
    frame: Frame
    remembered: Remembered | None
    """What the object remembered when it saw that image; None if it had not begun."""

    @staticmethod
    def of(object_id: int, record: ObjectRecord, frame: Frame, bank: MemoryBank) -> LastPrompt:
        """record: of the object, forked at that frame."""
        remembered = None if record.began is None else bank.export(record.row, frame.number)
        before = record.forked(frame.number)
        before.prune(frame.number)
        return LastPrompt(object_id, before, frame.kept(), remembered)

    def serves(self, object_id: int, history: History) -> bool:
        """Whether an object is to be taken back by this, as by the history it cannot be."""
        frame = self.frame
        lost = any(entry.frame > frame.number and not history.holds(entry.frame) for entry in self.record.prompts)
        late = history.newest.stamp - frame.stamp > TAKEN_BACK * 1e9
        return object_id == self.object_id and not history.holds(frame.number) and not lost and not late
