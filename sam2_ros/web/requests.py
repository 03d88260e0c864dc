"""From what a browser sends to requests of the tracker's services. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from builtin_interfaces.msg import Time

from sam2_ros.msg import PromptPoint
from sam2_ros.srv import Prompt

from .client import SERVICES

_LARGEST_ID = 2**32 - 1
_MOST_POINTS = 1000


class BadMessage(ValueError):
    """What a browser sent is none of the page's messages; says what is wrong with it."""


def to_request(service: str, camera: str, said: Mapping[str, Any]) -> Any:
    """The request of one of `SERVICES` that a message asks for. Raises BadMessage.

    said: as page.js sends it. For `prompt` the object's `id` or 0, `points` as [x, y, label], a `box`, a `label`, a
    `candidate`, and the `stamp` of the picture as [seconds, nanoseconds].
    """
    if service not in SERVICES:
        raise BadMessage(f"the page asked for {service!r}, which is none of {', '.join(SERVICES)}")
    try:
        return _to_request(service, camera, said)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise BadMessage(f"the page sent a {service} that cannot be read: {error!r}") from error


def _to_request(service: str, camera: str, said: Mapping[str, Any]) -> Any:
    if service == "prompt":
        return _to_prompt(camera, said)
    request = SERVICES[service].Request()
    if service == "enable":
        request.data = bool(said["data"])
    elif service != "reset":
        request.camera, request.object_id = camera, _number(said["id"], _LARGEST_ID)
    return request


def _to_prompt(camera: str, said: Mapping[str, Any]) -> Prompt.Request:
    seconds, nanoseconds = said.get("stamp", (0, 0))
    points, box = list(said.get("points", ())), [float(edge) for edge in said.get("box", ())]
    label = str(said.get("label", ""))
    label.encode()  # raises ValueError for half of a character, which JSON can hold
    if len(points) > _MOST_POINTS or len(box) not in (0, 4):
        raise ValueError(f"{len(points)} points and {len(box)} edges of a box")
    return Prompt.Request(
        stamp=Time(sec=_number(seconds, 2**31 - 1), nanosec=_number(nanoseconds, 999_999_999)),
        camera=camera,
        object_id=_number(said.get("id", 0), _LARGEST_ID),
        label=label,
        points=[PromptPoint(x=float(x), y=float(y), label=_number(label, 1)) for x, y, label in points],
        box=box,
        candidate=_number(said.get("candidate", 0), 255),
    )


def _number(value: Any, highest: int) -> int:
    number = int(value)
    if not 0 <= number <= highest:
        raise ValueError(f"{number} is not from 0 to {highest}")
    return number
