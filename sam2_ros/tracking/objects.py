"""What the host knows of one object; the device knows it by its row."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from .errors import StampUnavailable
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
            raise StampUnavailable(f"object {object_id} was loaded and has had no prompt since")
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
