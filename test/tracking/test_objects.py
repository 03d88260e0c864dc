"""Which objects there are, and which row each has."""

from __future__ import annotations

import pytest

from sam2_ros.tracking import CapacityExceeded, UnknownObject
from sam2_ros.tracking.objects import ObjectRecord, Objects
from sam2_ros.tracking.visibility import View


def put(objects: Objects, object_id: int | None = None) -> int:
    return objects.put(object_id, ObjectRecord(objects.spare_row))


def rows(objects: Objects) -> list[int]:
    return [record.row for record in objects.records()]


def test_ids_rise_and_are_not_used_twice() -> None:
    objects = Objects(2)
    assert [put(objects), put(objects)] == [1, 2]
    objects.remove(1)
    assert (put(objects), objects.ids, objects.next_id) == (3, (2, 3), 4)


def test_each_object_has_a_row_of_its_own_and_one_is_spare_whatever_is_put_anew_and_removed() -> None:
    objects = Objects(3)
    for _ in range(3):
        put(objects)
    for object_id in (2, 2, 1, 3, 2):
        before = objects.spare_row
        assert put(objects, object_id) == object_id
        assert objects.record(object_id).row == before
        assert sorted([*rows(objects), objects.spare_row]) == list(range(objects.rows))
    objects.remove(1)
    put(objects)
    assert objects.ids == (2, 3, 4) and sorted([*rows(objects), objects.spare_row]) == list(range(4))


def test_there_is_room_for_as_many_as_there_may_be() -> None:
    objects = Objects(1)
    objects.check_room()
    put(objects)
    with pytest.raises(CapacityExceeded, match="there are 1 objects already; remove one, or raise capacity"):
        objects.check_room()
    objects.remove(1)
    objects.check_room()


def test_an_object_that_is_not_there_is_named() -> None:
    objects = Objects(3)
    put(objects)
    for unknown in (lambda: objects.record(7), lambda: objects.remove(7)):
        with pytest.raises(UnknownObject, match="7"):
            unknown()
    assert objects.ids == (1,)


def test_who_was_in_view_on_a_frame() -> None:
    objects = Objects(4)
    for _ in range(4):
        put(objects)
    for object_id, (frame, in_view) in enumerate([(5, True), (5, False), (4, True), (5, True)], start=1):
        objects.record(object_id).views[frame] = View(in_view, object_id, 0.1, 1.0)
    assert [view.last_seen for view in objects.in_view(5)] == [1, 4]
    assert [view.last_seen for view in objects.in_view(5, but=1)] == [4]
    assert objects.in_view(6) == ()
