from __future__ import annotations

import threading

import pytest

from sam2_ros.ros.slot import NewestSlot


def test_an_empty_slot_gives_none() -> None:
    assert NewestSlot[int]().take() is None


def test_an_item_is_given_once() -> None:
    slot = NewestSlot[int]()
    slot.put(7)

    assert slot.take() == 7
    assert slot.take() is None
    assert slot.dropped == 0


def test_a_newer_item_replaces_an_older_one_which_counts_as_dropped() -> None:
    slot = NewestSlot[int]()
    for item in (1, 2, 3):
        slot.put(item)

    assert slot.take() == 3
    assert slot.dropped == 2


class Interrupted(NewestSlot[int]):
    """Another thread does something when its item has been looked up and nothing has been done with that yet, for as
    long as it is let."""

    _held: int | None = None
    other: threading.Thread | None = None

    @property  # type: ignore[override]
    def _item(self) -> int | None:
        held, other = self._held, self.other
        if other is not None and other.ident is None:
            other.start()
            other.join(0.1)
        return held

    @_item.setter
    def _item(self, item: int | None) -> None:
        self._held = item


@pytest.mark.parametrize("first, other", [("put", "take"), ("take", "put"), ("put", "put"), ("take", "take")])
def test_each_item_is_taken_or_counted_as_dropped_whatever_the_threads_do(first: str, other: str) -> None:
    slot = Interrupted()
    slot.put(1)
    taken: list[int | None] = []

    def act(what: str, item: int) -> None:
        slot.put(item) if what == "put" else taken.append(slot.take())

    slot.other = threading.Thread(target=act, args=(other, 3))
    act(first, 2)
    slot.other.join()
    taken.append(slot.take())

    items = [item for item in taken if item is not None]
    assert items == sorted(set(items))
    assert len(items) + slot.dropped == 1 + [first, other].count("put")
