"""What the page sends, as requests of the services."""

from __future__ import annotations

from typing import Any

import pytest

from sam2_ros.web.requests import BadMessage, to_request


def test_a_prompt_is_what_the_page_says() -> None:
    said = {
        "id": 3,
        "stamp": [7, 8],
        "points": [[10, 20.5, 1], [30, 40, 0]],
        "box": [1, 2, 3, 4],
        "label": "mug",
        "candidate": 2,
    }

    request = to_request("prompt", "front", said)

    assert (request.camera, request.object_id, request.label, request.candidate) == ("front", 3, "mug", 2)
    assert (request.stamp.sec, request.stamp.nanosec) == (7, 8)
    assert [(point.x, point.y, point.label) for point in request.points] == [(10.0, 20.5, 1), (30.0, 40.0, 0)]
    assert list(request.box) == [1.0, 2.0, 3.0, 4.0]


def test_a_prompt_that_says_little_starts_an_object_on_the_newest_image() -> None:
    request = to_request("prompt", "", {"points": [[10, 20, 1]]})

    assert (request.camera, request.object_id, request.label, request.candidate) == ("", 0, "", 0)
    assert (request.stamp.sec, request.stamp.nanosec, len(request.box)) == (0, 0, 0)


def test_the_other_services() -> None:
    remove = to_request("remove_object", "front", {"id": 2**32 - 1})
    assert (remove.camera, remove.object_id) == ("front", 2**32 - 1)
    assert to_request("enable", "front", {"data": True}).data and not to_request("enable", "", {"data": False}).data
    to_request("reset", "front", {})


@pytest.mark.parametrize(
    ("service", "said", "reason"),
    [
        ("load", {}, "the page asked for 'load', which is none of "),
        ("remove_object", {}, "the page sent a remove_object that cannot be read: KeyError"),
        ("remove_object", {"id": 2**32}, "4294967296 is not from 0 to 4294967295"),
        ("remove_object", {"id": -1}, "-1 is not from 0 to"),
        ("prompt", {"points": [[1, 2, 2]]}, "2 is not from 0 to 1"),
        ("prompt", {"points": [[1, 2]]}, "cannot be read: ValueError"),
        ("prompt", {"points": [[1, 2, 1]] * 1001}, "1001 points and 0 edges of a box"),
        ("prompt", {"box": [1, 2, 3]}, "0 points and 3 edges of a box"),
        ("prompt", {"stamp": [0, 10**9]}, "1000000000 is not from 0 to 999999999"),
        ("prompt", {"candidate": float("inf")}, "cannot be read: OverflowError"),
    ],
)
def test_what_is_none_of_the_pages_messages(service: str, said: dict[str, Any], reason: str) -> None:
    with pytest.raises(BadMessage, match=reason):
        to_request(service, "", said)
