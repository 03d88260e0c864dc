"""Between the tracker's types and the messages of this package. Pure functions; images are in images.py."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from builtin_interfaces.msg import Time
from geometry_msgs.msg import Point, Pose, Quaternion, Vector3
from numpy.typing import NDArray
from sensor_msgs.msg import Image, RegionOfInterest
from std_msgs.msg import Header

from sam2_ros.geometry.masks import measure
from sam2_ros.geometry.oriented_box import OrientedBox
from sam2_ros.geometry.places import Place
from sam2_ros.msg import TrackedObject, TrackedObjects
from sam2_ros.srv import Prompt as PromptService
from sam2_ros.tracking import LONGEST_LABEL, BadPrompt, Prompt, Readings, Tracks

from .images import to_array, to_message

_SECOND = 1_000_000_000


class PromptCall(NamedTuple):
    """A call of ~/prompt, in the tracker's terms."""

    prompt: Prompt
    object_id: int | None
    """None: a new object."""
    stamp: int | None
    """Nanoseconds; None: the newest image."""
    label: str

    @property
    def says_nothing(self) -> bool:
        """Of where the object is."""
        return not len(self.prompt.points) and self.prompt.box is None and self.prompt.mask is None

    @property
    def names(self) -> bool:
        """It only gives an object a name."""
        return self.says_nothing and not self.prompt.candidate and bool(self.label)

    @property
    def chooses(self) -> bool:
        """It only takes another reading of the object's last click, be it the best again."""
        return self.says_nothing and not self.names


def to_nanoseconds(time: Time) -> int:
    return time.sec * _SECOND + time.nanosec


def to_time(nanoseconds: int) -> Time:
    return Time(sec=nanoseconds // _SECOND, nanosec=nanoseconds % _SECOND)


def to_pose(box: OrientedBox) -> Pose:
    """The centre and the axes of a box."""
    x, y, z = (float(value) for value in box.centre)
    qx, qy, qz, qw = box.quaternion
    return Pose(position=Point(x=x, y=y, z=z), orientation=Quaternion(x=qx, y=qy, z=qz, w=qw))


def to_size(box: OrientedBox) -> Vector3:
    x, y, z = (float(value) for value in box.size)
    return Vector3(x=x, y=y, z=z)


def to_prompt_call(request: PromptService.Request) -> PromptCall:
    """Raises BadImageMessage if the request's mask is not a mono8 image, BadPrompt for it or for a label that is no
    name; the tracker checks the rest."""
    if len(request.label) > LONGEST_LABEL or not request.label.isprintable():
        shown = f"{request.label[:20]!r}" + ("..." if len(request.label) > 20 else "")
        raise BadPrompt(
            f"the label is {shown}, of {len(request.label)} characters; it may have {LONGEST_LABEL}, all printable"
        )
    points = np.array([(point.x, point.y) for point in request.points], np.float32).reshape(-1, 2)
    prompt = Prompt(
        points=points,
        labels=np.array([point.label for point in request.points], np.int32),
        box=np.array(request.box, np.float32) if len(request.box) else None,
        mask=_to_mask(request.mask) if len(request.mask.data) else None,
        replace=request.replace,
        candidate=request.candidate,
    )
    return PromptCall(prompt, request.object_id or None, to_nanoseconds(request.stamp) or None, request.label)


def to_tracked_objects(
    header: Header, tracks: Tracks, labels: Mapping[int, str], places: Sequence[Place | str] | None = None
) -> TrackedObjects:
    """labels: names by object id; an object that is not in it has none.

    places: of each object, or why there is none; None where no depth is asked for.
    """
    height, width = tracks.masks.shape[1:]
    objects = [
        to_tracked_object(header, tracks, index, labels.get(object_id, ""), places[index] if places else "")
        for index, object_id in enumerate(tracks.ids)
    ]
    return TrackedObjects(header=header, height=height, width=width, objects=objects)


def to_tracked_object(header: Header, tracks: Tracks, index: int, label: str, place: Place | str = "") -> TrackedObject:
    """The object in row `index` of the tracks. place: or why there is none; empty where no depth is asked for."""
    message = _of_mask(header, tracks.masks[index], tracks.boxes[index], tracks.centroids[index])
    message.id = tracks.ids[index]
    message.label = label
    message.state = int(tracks.states[index])
    message.visibility = float(tracks.visibility[index])
    message.mask_quality = float(tracks.iou[index])
    message.area = int(tracks.areas[index])
    message.last_seen = to_time(tracks.last_seen[index])
    if isinstance(place, Place):
        message.has_pose = True
        message.pose, message.size = to_pose(place.box), to_size(place.box)
        message.upright, message.partly_hidden = place.upright, place.partly_hidden
    else:
        message.no_pose = place
    return message


def to_candidates(header: Header, readings: Readings) -> list[TrackedObject]:
    """Every reading of a prompt, best first, as far as a reading says it: mask, box, centroid, area and quality."""
    measures = measure(torch.from_numpy(readings.masks))
    candidates = []
    for index, mask in enumerate(readings.masks):
        message = _of_mask(header, mask, measures.boxes[index].numpy(), measures.centroids[index].numpy())
        message.area = int(measures.areas[index])
        message.mask_quality = float(readings.iou[index])
        candidates.append(message)
    return candidates


def _of_mask(
    header: Header, mask: NDArray[np.bool_], box: NDArray[np.generic], centroid: NDArray[np.float32]
) -> TrackedObject:
    x0, y0, x1, y1 = (int(edge) for edge in box)
    cropped = mask[y0:y1, x0:x1].astype(np.uint8) * np.uint8(255)
    return TrackedObject(
        box=RegionOfInterest(x_offset=x0, y_offset=y0, width=x1 - x0, height=y1 - y0),
        centroid=Point(x=float(centroid[0]), y=float(centroid[1])),
        mask=to_message(cropped, "mono8", header),
    )


def _to_mask(message: Image) -> NDArray[np.bool_]:
    if message.encoding not in ("mono8", "8UC1"):
        raise BadPrompt(f"the mask's encoding is {message.encoding!r}; it must be mono8")
    return to_array(message) != 0
