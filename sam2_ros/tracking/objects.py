"""What the host knows of the objects; the device knows each by its row."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from .errors import CapacityExceeded, StampUnavailable, UnknownObject
from .tracks import Prompt
from .visibility import View


@dataclass(frozen=True, eq=False)
class PromptEntry:
    """A prompt as it was made."""

    order: int
    """Rises by one with each prompt of the object, whatever image it lies on."""
    frame: int
    """Number of the image that it lies on."""
    prompt: Prompt
    others: tuple[View, ...] = ()
    """Of the other objects that were in view on it when the prompt was made."""


@dataclass
class ObjectRecord:
    """An object through the images that the history still holds."""

    row: int
    """Of the batch; another object may have it later."""
    began: int | None = None
    """Number of the frame of its first memory; None before its first prompt has been answered."""
    since: int = 0
    """Number of the oldest frame to which it can be taken back."""
    made: int = 0
    """How many prompts it has had."""
    prompts: list[PromptEntry] = field(default_factory=list)
    """Those on frames of the history, in the order in which they were made."""
    views: dict[int, View] = field(default_factory=dict)
    """By frame number, from the frame before the history's oldest on."""

    @property
    def loaded(self) -> bool:
        """Whether it had memories before its first prompt here."""
        return self.began is not None and self.began < self.since

    def forked(self, frame: int) -> ObjectRecord:
        """A copy that knows nothing of a frame and what came after it but the prompts."""
        began = self.began if self.began is not None and self.began < frame else None
        views = {number: view for number, view in self.views.items() if number < frame}
        return ObjectRecord(self.row, began, self.since, self.made, list(self.prompts), views)

    def bridge(self, frame: int) -> None:
        """Lets the newest view be that before a frame, where the images between are gone."""
        if self.began is not None and frame - 1 not in self.views:
            # Their motion cannot be followed.
            self.views[frame - 1] = replace(self.views[max(self.views)], close_up=None)

    def add(self, frame: int, prompt: Prompt, others: tuple[View, ...]) -> None:
        """others: as in `PromptEntry`."""
        self.made += 1
        self.prompts.append(PromptEntry(self.made, frame, prompt, others))

    def take_last(self, object_id: int) -> PromptEntry:
        """Takes back the prompt that was made last. Raises StampUnavailable if the history no longer holds it."""
        entry = self.last(object_id)
        self.made -= 1
        self.prompts.remove(entry)
        return entry

    def last(self, object_id: int) -> PromptEntry:
        """The prompt that was made last. Raises StampUnavailable if the history no longer holds its image."""
        if not self.made:
            raise StampUnavailable(f"object {object_id} was loaded and has had no prompt since; it can be removed")
        for entry in self.prompts:
            if entry.order == self.made:
                return entry
        raise StampUnavailable(f"the image of the last prompt of object {object_id} is no longer held by the history")

    def prompts_on(self, frame: int) -> list[PromptEntry]:
        return [entry for entry in self.prompts if entry.frame == frame]

    def prune(self, oldest: int) -> None:
        """Lets go what lies before the history's oldest frame."""
        self.prompts = [entry for entry in self.prompts if entry.frame >= oldest]
        for number in [number for number in self.views if number < oldest - 1]:
            del self.views[number]


class Objects:
    """The objects that there are, by their ids, and which row of the batch each has.

    There is one row more than there may be objects: what is traced anew is built up there, and takes the old row's
    place when it is complete. So an error on the way changes nothing.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.next_id = 1
        """Of the next new object; no id is used twice."""
        self._records: dict[int, ObjectRecord] = {}
        self._free_rows = list(range(self.rows))

    @property
    def rows(self) -> int:
        """How many the batch has."""
        return self.capacity + 1

    @property
    def spare_row(self) -> int:
        """One that no object has, the same until it is taken."""
        return self._free_rows[0]

    @property
    def ids(self) -> tuple[int, ...]:
        """In rising order."""
        return tuple(sorted(self._records))

    def record(self, object_id: int) -> ObjectRecord:
        """Raises UnknownObject."""
        if object_id not in self._records:
            raise UnknownObject(object_id, self._records)
        return self._records[object_id]

    def records(self) -> list[ObjectRecord]:
        """In the order of `ids`."""
        return [self._records[object_id] for object_id in self.ids]

    def check_room(self) -> None:
        """Raises CapacityExceeded where no other object can be added."""
        if len(self._records) == self.capacity:
            raise CapacityExceeded(f"there are {self.capacity} objects already; remove one, or raise capacity")

    def put(self, object_id: int | None, record: ObjectRecord) -> int:
        """Lets a record that was built up in the spare row be an object's, a new one's if None; returns the id."""
        if object_id is None:
            object_id = self.next_id
            self.next_id += 1
        else:
            self._free_rows.append(self._records[object_id].row)
        self._free_rows.remove(record.row)
        self._records[object_id] = record
        return object_id

    def remove(self, object_id: int) -> None:
        """Raises UnknownObject."""
        self._free_rows.append(self.record(object_id).row)
        del self._records[object_id]

    def in_view(self, frame: int, but: int | None = None) -> tuple[View, ...]:
        """The views on a frame of the objects that were in view there, as they are known today, without one of them."""
        views = (record.views.get(frame) for object_id, record in self._records.items() if object_id != but)
        return tuple(view for view in views if view is not None and view.in_view)
