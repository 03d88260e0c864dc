"""Camera, node and client in three processes over DDS: prompts by service, then fifty images of the simulated table."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
from rcl_interfaces.srv import SetParameters
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from sam2_ros.msg import PromptPoint, TrackedObject, TrackedObjects
from sam2_ros.ros.images import to_array
from sam2_ros.ros.messages import to_nanoseconds
from sam2_ros.srv import Prompt

pytest.importorskip("mujoco")

IMAGES = 50
OBJECTS = 2
# An object of which less than this share of its largest area is seen is as good as hidden; its box says little.
LEAST_SHARE = 0.3


class Truth:
    """What the camera says of its own images, by stamp."""

    def __init__(self, client: Any) -> None:
        self.headers: dict[int, Header] = {}
        self.labels: dict[int, np.ndarray] = {}
        client.node.create_subscription(CameraInfo, "/camera/camera_info", self._on_info, QoSProfile(depth=1000))
        client.node.create_subscription(Image, "/camera/truth", self._on_truth, QoSProfile(depth=100))

    def _on_info(self, message: CameraInfo) -> None:
        self.headers[to_nanoseconds(message.header.stamp)] = message.header

    def _on_truth(self, message: Image) -> None:
        self.labels[to_nanoseconds(message.header.stamp)] = to_array(message)


def _pause(client: Any, paused: bool) -> None:
    value = ParameterValue(type=ParameterType.PARAMETER_BOOL, bool_value=paused)
    request = SetParameters.Request(parameters=[Parameter(name="paused", value=value)])
    (result,) = client.call(SetParameters, "set_parameters", request, node="camera").results
    assert result.successful


def _stamps(outputs: list[Any]) -> list[int]:
    return [to_nanoseconds(one.header.stamp) for one in outputs]


def _click(mask: np.ndarray) -> PromptPoint:
    """On the pixel of the mask that is nearest to its middle."""
    rows, columns = np.nonzero(mask)
    nearest = np.argmin((rows - rows.mean()) ** 2 + (columns - columns.mean()) ** 2)
    return PromptPoint(x=float(columns[nearest]), y=float(rows[nearest]), label=PromptPoint.POSITIVE)


def _box(mask: np.ndarray) -> tuple[int, int, int, int]:
    rows, columns = np.nonzero(mask)
    return columns.min(), rows.min(), columns.max() + 1, rows.max() + 1


def _iou(tracked: TrackedObject, mask: np.ndarray) -> float:
    """Of the node's box with the one around a true mask."""
    x0, y0, x1, y1 = _box(mask)
    box = tracked.box
    left, top = max(x0, box.x_offset), max(y0, box.y_offset)
    right, bottom = min(x1, box.x_offset + box.width), min(y1, box.y_offset + box.height)
    common = max(0, right - left) * max(0, bottom - top)
    return common / ((x1 - x0) * (y1 - y0) + box.width * box.height - common)


def test_two_prompted_objects_are_followed_and_every_output_has_the_header_of_an_image(
    start: Any, client: Any, until: Any
) -> None:
    truth = Truth(client)
    camera = start("camera", "--simulated", "--wait", paused=True)
    node = start("node")
    node.wait_for("waiting for images")
    until(lambda: client.objects and truth.labels and truth.headers, patience=180, check=camera.check)
    # Discovery has no order: the node may have had images before the client heard of them.
    first = max(min(truth.headers), min(truth.labels))

    def known(outputs: list[Any]) -> list[Any]:
        """Those of images that the client has heard of."""
        return [one for one in list(outputs) if to_nanoseconds(one.header.stamp) >= first]

    labels = truth.labels[max(truth.labels)]
    numbers = np.argsort(-np.bincount(labels[labels > 0]))[:OBJECTS]
    names = {}
    for number in numbers:
        request = Prompt.Request(
            points=[_click(labels == number)], box=[float(edge) for edge in _box(labels == number)]
        )
        response = client.call(Prompt, "prompt", request)
        assert response.success, response.message
        names[response.object_id] = number

    def answers() -> list[TrackedObjects]:
        """Since the second prompt."""
        heard = known(client.objects)
        ids = [{tracked.id for tracked in answer.objects} for answer in heard]
        return heard[ids.index(set(names)) :] if set(names) in ids else []

    def outputs() -> list[list[Any]]:
        """By topic."""
        return [known(topic) for topic in (client.objects, *client.images.values())]

    _pause(client, False)
    until(lambda: len(answers()) >= IMAGES, patience=180, check=node.check)
    until(lambda: min(len(set(_stamps(topic))) for topic in outputs()) >= IMAGES, check=node.check)
    # The camera plays on until its own word on each of these images is here.
    published = outputs()
    wanted = {stamp for topic in published for stamp in _stamps(topic)}
    until(lambda: wanted <= truth.headers.keys(), check=camera.check)
    camera.stop()
    headers, labels = dict(truth.headers), dict(truth.labels)
    areas = {number: max(int((one == number).sum()) for one in labels.values()) for number in numbers}
    overlaps = []
    for answer in answers()[:IMAGES]:
        assert {tracked.id for tracked in answer.objects} == set(names)
        # Of large images a machine that is busy loses some.
        seen = labels.get(to_nanoseconds(answer.header.stamp), np.zeros((1, 1), np.uint8))
        for tracked in answer.objects:
            mask = seen == names[tracked.id]
            if mask.sum() >= LEAST_SHARE * areas[names[tracked.id]]:
                overlaps.append(_iou(tracked, mask))
    assert len(overlaps) > IMAGES
    print(f"box IoU with the truth: mean {np.mean(overlaps):.3f}, least {min(overlaps):.3f}")
    assert np.mean(overlaps) >= 0.7

    for topic in published:
        stamps = _stamps(topic)
        assert stamps == sorted(stamps)
        # Each prompt on a paused camera is answered by the outputs of the same image once more.
        assert len(stamps) <= len(set(stamps)) + OBJECTS
        assert [one.header for one in topic] == [headers[stamp] for stamp in stamps]
