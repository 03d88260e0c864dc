"""Wrong input over DDS: each gets one clear sentence, the node goes on, and nothing has changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sensor_msgs.msg import Image
from std_srvs.srv import Trigger

from sam2_ros.msg import PromptPoint
from sam2_ros.ros.images import to_message
from sam2_ros.srv import Prompt, RemoveObject


@pytest.fixture(scope="module")
def node(start: Any, client: Any, checkpoint: Path) -> Any:
    """A node that tracks one object, and has refused a prompt before its first image."""
    node = start("node", model=checkpoint, capacity=2)
    node.wait_for("waiting for images")
    return node


@pytest.fixture(scope="module")
def refusal(node: Any, client: Any) -> Prompt.Response:
    """The answer to a prompt before the first image; later fixtures send images."""
    return client.call(Prompt, "prompt", Prompt.Request(box=[10.0, 10.0, 30.0, 30.0]))


@pytest.fixture(scope="module")
def object_id(node: Any, client: Any, refusal: Prompt.Response) -> int:
    client.meet()
    response = client.call(Prompt, "prompt", Prompt.Request(box=[10.0, 10.0, 30.0, 30.0], label="mug"))
    assert response.success
    return response.object_id


def _point(x: float, y: float, label: int = PromptPoint.POSITIVE) -> list[PromptPoint]:
    return [PromptPoint(x=x, y=y, label=label)]


def _image(**fields: Any) -> Image:
    message = to_message(np.zeros((48, 64, 3), np.uint8), "rgb8", Image().header)
    for name, value in fields.items():
        setattr(message, name, value)
    return message


def test_a_prompt_before_the_first_image(refusal: Prompt.Response) -> None:
    assert (refusal.success, refusal.object_id) == (False, 0)
    assert refusal.message == "there is no image to prompt on yet; wait for the first one"


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"encoding": "yuv444"}, "the image's encoding is 'yuv444'; the known ones are rgb8, bgr8"),
        ({"step": 100}, "the image's step is 100 bytes; 64 pixels of rgb8 need at least 192"),
        ({"step": 200}, "the image has 9216 bytes; 48 rows of 200 bytes are 9600"),
        ({"height": 0}, "the image is 64x0 pixels; it must have at least one"),
        ({"data": [], "height": 0, "width": 0, "step": 0}, "the image is 0x0 pixels; it must have at least one"),
    ],
)
def test_a_bad_image(node: Any, client: Any, object_id: int, until: Any, fields: dict[str, Any], sentence: str) -> None:
    before = client.track()

    def said() -> bool:
        # Complaints come at a bounded rate, and a camera of best effort may lose an image.
        client.send(_image(**fields))
        return any("refused an image" in line and sentence in line for line in node.lines)

    until(said)
    after = client.track()
    assert [(one.id, one.label) for one in after.objects] == [(object_id, "mug")]
    assert len(after.objects) == len(before.objects)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"points": _point(64.0, 10.0)}, "the point (64, 10) is outside the image of 64x48 pixels"),
        ({"points": _point(-3.0, 10.0)}, "the point (-3, 10) is outside the image of 64x48 pixels"),
        ({"points": _point(float("nan"), 10.0)}, "the points are [[nan, 10.0]]; they must be finite"),
        ({"points": _point(10.0, 10.0, label=7)}, "the labels are 7; each must be 1"),
        ({"box": [100.0, 10.0, 120.0, 20.0]}, "the box 100 10 120 20 is outside the image of 64x48 pixels"),
        ({"box": [30.0, 10.0, 20.0, 20.0]}, "the box 30 10 20 20 is empty"),
        ({"box": [30.0, 10.0, 20.0]}, "the box has 3 numbers; it needs x0 y0 x1 y1"),
        ({"mask": to_message(np.ones((4, 4), np.uint8), "mono8", Image().header)}, "the mask's shape is (4, 4)"),
        ({"mask": to_message(np.zeros((48, 64), np.uint8), "mono8", Image().header)}, "the mask is empty"),
        ({"mask": to_message(np.zeros((48, 64), np.uint16), "mono16", Image().header)}, "the mask's encoding is"),
        ({}, "the prompt is empty; give points, a box or a mask"),
        ({"points": _point(10.0, 10.0), "candidate": 3}, "the candidate is 3; it must be 0, 1 or 2"),
        ({"points": _point(10.0, 10.0), "object_id": 99}, "there is no object 99; the objects are:"),
        ({"points": _point(10.0, 10.0), "camera": "wrist"}, "there is no camera 'wrist'"),
    ],
)
def test_a_bad_prompt(node: Any, client: Any, object_id: int, fields: dict[str, Any], sentence: str) -> None:
    before = client.track()

    response = client.call(Prompt, "prompt", Prompt.Request(**fields))

    assert not response.success
    assert response.message.startswith(sentence)
    assert "\n" not in response.message
    assert response.object_id == 0
    after = client.track()
    assert [(one.id, one.label) for one in after.objects] == [(object_id, "mug")]
    assert len(after.objects) == len(before.objects)


def test_a_stamp_that_is_not_held(node: Any, client: Any, object_id: int) -> None:
    request = Prompt.Request(points=_point(10.0, 10.0))
    request.stamp.nanosec = 5

    response = client.call(Prompt, "prompt", request)

    assert not response.success
    assert "the image of stamp 5 ns is no longer held" in response.message


def test_one_object_more_than_there_is_room_for(node: Any, client: Any, object_id: int) -> None:
    box = [1.0, 1.0, 9.0, 9.0]
    second = client.call(Prompt, "prompt", Prompt.Request(box=box))

    third = client.call(Prompt, "prompt", Prompt.Request(box=box))

    assert second.success
    assert not third.success
    assert third.message.startswith("there are 2 objects already")
    assert client.call(RemoveObject, "remove_object", RemoveObject.Request(object_id=second.object_id)).success


def test_removing_an_unknown_object(node: Any, client: Any, object_id: int) -> None:
    response = client.call(RemoveObject, "remove_object", RemoveObject.Request(object_id=77))

    assert not response.success
    assert response.message == f"there is no object 77; the objects are: {object_id}"


def test_the_node_still_runs_and_never_showed_a_traceback(node: Any, client: Any, object_id: int) -> None:
    assert client.call(Trigger, "reset").success
    assert not node.ended
    assert "Traceback" not in node.output


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("cameras", "[]", "the parameter cameras is []; it must have a value, such as its default ['']"),
        ("capacity", "0", "the parameter capacity is 0; it must be from 1 to 256"),
        ("camera", "[]", "a parameter that the node does not have is []; leave it out"),
    ],
)
def test_a_parameter_with_which_it_cannot_start(start: Any, name: str, value: str, sentence: str) -> None:
    node = start("node", fake=True, **{name: value})

    assert node.wait() == 2
    (line,) = [line for line in node.lines if "cannot start" in line]
    assert line.endswith(f"cannot start: {sentence}")
    assert "Traceback" not in node.output


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("text.pt", b"this is no checkpoint", "is not a PyTorch checkpoint of plain tensors"),
        ("text.safetensors", b"this is no checkpoint", "is not a safetensors file"),
        ("empty.pt", b"", "is not a whole checkpoint: the end of the file is missing"),
        ("picture.png", b"", "is not a checkpoint: its name must end in .pt, .pth or .safetensors"),
        ("missing.pt", None, "is neither a file nor the name of a model"),
    ],
)
def test_a_checkpoint_that_is_not_one(
    start: Any, tmp_path: Path, name: str, content: bytes | None, sentence: str
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)

    node = start("node", model=path)

    assert node.wait() == 1
    (line,) = [line for line in node.lines if "cannot configure" in line]
    assert str(path) in line
    assert sentence in line
    assert "Traceback" not in node.output


def test_two_topics_that_are_one(start: Any) -> None:
    node = start("node", "--ros-args", "-r", "depth:=/depth", "-r", "camera_info:=/depth", fake=True, depth=True)

    assert node.wait() == 1
    node.wait_for("cannot configure: camera_info and depth are both remapped to /depth; each has a topic of its own")


def test_a_topic_of_another_type_is_said(start: Any) -> None:
    """Of the node itself, so that DDS refuses it."""
    node = start("node", "--ros-args", "-r", "camera_info:=/clicked_point", fake=True)

    assert node.wait() == 1
    node.wait_for("cannot activate:")
    assert "/clicked_point" in node.output
