"""The node, run with a tracker that needs no network: every object stays where it was prompted, with the mask if it was
prompted with one.

The colour of an image's first pixel says what else happens: red fails as a broken device would, green takes 0.3 s,
and on a blue one no object is in view. The model `slow` takes a minute to load.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import replace

import numpy as np
from geometry_msgs.msg import TransformStamped

from sam2_ros.ros import transforms
from sam2_ros.ros.main import main
from sam2_ros.ros.node import Parts
from sam2_ros.ros.parameters import Parameters
from sam2_ros.tracking import BadMemory, NoImage, Prompt, Readings, State, Tracks, UnknownObject

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)
CLICK_RADIUS = 10


class FakeTracker:
    """Has the methods of Tracker, as far as the node calls them."""

    def __init__(self) -> None:
        self._boxes: dict[int, tuple[int, int, int, int]] = {}
        self._masks: dict[int, np.ndarray] = {}
        self._last = 0
        self._newest: tuple[np.ndarray, int] | None = None

    def track(self, image: np.ndarray, stamp: int) -> Tracks:
        first = tuple(int(value) for value in image[0, 0])
        if first == RED:
            raise RuntimeError("the device is broken")
        if first == GREEN:
            time.sleep(0.3)
        self._newest = image, stamp
        return self._tracks(tuple(sorted(self._boxes)), hidden=first == BLUE)

    def prompt(self, prompt: Prompt, *, object_id: int | None = None, stamp: int | None = None) -> Tracks:
        if self._newest is None:
            raise NoImage("there is no image yet")
        if object_id is None:
            self._last = object_id = self._last + 1
        elif object_id not in self._boxes:
            raise UnknownObject(object_id, self._boxes)
        if prompt.mask is not None:
            rows, columns = np.nonzero(prompt.mask)
            self._masks[object_id] = prompt.mask
            prompt = replace(prompt, box=(columns.min(), rows.min(), columns.max() + 1, rows.max() + 1))
        x, y = prompt.points[0] if len(prompt.points) else (0, 0)
        radius = CLICK_RADIUS
        box = (x - radius, y - radius, x + radius, y + radius) if prompt.box is None else prompt.box
        self._boxes[object_id] = tuple(int(edge) for edge in box)
        tracks = self._tracks((object_id,))
        return replace(tracks, readings=Readings(tracks.masks, tracks.iou, tracks.stamp))

    def choose(self, object_id: int, candidate: int) -> Tracks:
        """The reading `candidate` is the box shifted by so many pixels to the right."""
        x0, y0, x1, y1 = self._boxes[self._known(object_id)]
        self._boxes[object_id] = (x0 + candidate, y0, x1 + candidate, y1)
        return self._tracks((object_id,))

    def check_stamp(self, stamp: int | None) -> None:
        """Every image is there."""

    def preview(self, prompt: Prompt, *, stamp: int | None = None) -> Readings:
        tracks = self.prompt(prompt)
        self.remove(tracks.ids[0])
        self._last -= 1
        return tracks.readings

    def undo(self, object_id: int) -> Tracks:
        """Every prompt counts as the only one."""
        self.remove(object_id)
        return self._tracks(())

    def current(self) -> Tracks:
        return self._tracks(tuple(sorted(self._boxes)))

    def save(self, object_id: int, label: str = "") -> bytes:
        return json.dumps([self._boxes[self._known(object_id)], label]).encode()

    def label_of(self, data: bytes) -> str:
        return self._read(data)[1]

    def load(self, data: bytes) -> Tracks:
        box = tuple(self._read(data)[0])
        self._last += 1
        self._boxes[self._last] = box
        return self._tracks((self._last,))

    def _read(self, data: bytes) -> list:
        try:
            return json.loads(data)
        except ValueError as error:
            raise BadMemory("this is no object's memory") from error

    def set_visibility(self, **thresholds: float) -> None:
        print("thresholds", thresholds, flush=True)

    def remove(self, object_id: int) -> None:
        del self._boxes[self._known(object_id)]

    def reset(self) -> None:
        self._boxes.clear()

    def _known(self, object_id: int) -> int:
        if object_id not in self._boxes:
            raise UnknownObject(object_id, self._boxes)
        return object_id

    def _tracks(self, ids: tuple[int, ...], hidden: bool = False) -> Tracks:
        image, stamp = self._newest
        masks = np.zeros((len(ids), *image.shape[:2]), bool)
        boxes = np.array([(0, 0, 0, 0) if hidden else self._boxes[number] for number in ids]).reshape(-1, 4)
        for number, mask, (x0, y0, x1, y1) in zip(ids, masks, boxes, strict=True):
            mask[y0:y1, x0:x1] = self._masks[number][y0:y1, x0:x1] if number in self._masks else True
        some = np.full(len(ids), -2.0 if hidden else 2.0, np.float32)
        return Tracks(
            stamp=stamp,
            ids=ids,
            states=(State.OCCLUDED if hidden else State.VISIBLE,) * len(ids),
            masks=masks,
            logits=np.zeros((len(ids), 4, 4), np.float32),
            boxes=boxes.astype(np.float32),
            centroids=((boxes[:, :2] + boxes[:, 2:] - 1) / 2).astype(np.float32),
            areas=masks.sum(axis=(1, 2)),
            scores=some,
            visibility=1 / (1 + np.exp(-some)),
            iou=np.full(len(ids), 0.75, np.float32),
            last_seen=(stamp,) * len(ids),
        )


def make_trackers(parameters: Parameters) -> list[FakeTracker]:
    if parameters.model == "slow":
        print("loading", flush=True)
        time.sleep(60)
    return [FakeTracker() for _ in parameters.cameras]


def track_together(trackers: list[FakeTracker], images: list[np.ndarray], stamps: list[int]) -> list[Tracks]:
    return [tracker.track(*one) for tracker, *one in zip(trackers, images, stamps, strict=True)]


if __name__ == "__main__":
    if transforms.TFMessage is None:
        # Where tf2_msgs is not installed, one transform stands in for a message of many.
        TransformStamped.transforms = property(lambda one: [one])
        transforms.TFMessage = TransformStamped
    sys.exit(main(sys.argv[1:], Parts(make_trackers, track_together)))
