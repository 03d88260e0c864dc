"""The newest frame and no other: between a camera that does not wait and a tracker that takes its time."""

from __future__ import annotations

import threading
from typing import Generic, TypeVar

Item = TypeVar("Item")


class NewestSlot(Generic[Item]):
    """Holds at most one item. A newer one takes the place of an older one that nobody took, which counts as dropped.

    Safe to use from several threads.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._item: Item | None = None
        self._dropped = 0

    @property
    def dropped(self) -> int:
        """How many items were replaced before they were taken."""
        return self._dropped

    def put(self, item: Item) -> None:
        with self._lock:
            self._dropped += self._item is not None
            self._item = item

    def take(self) -> Item | None:
        """The newest item, which the slot then no longer holds; None if there is no new one."""
        with self._lock:
            item, self._item = self._item, None
            return item
