from __future__ import annotations

import numpy as np
import pytest
from builtin_interfaces.msg import Time
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from sam2_ros.geometry.oriented_box import UPRIGHT_CAMERA, OrientedBox
from sam2_ros.geometry.places import Place
from sam2_ros.msg import PromptPoint, TrackedObject
from sam2_ros.ros.images import BadImageMessage, to_array, to_message
from sam2_ros.ros.messages import (
    to_candidates,
    to_nanoseconds,
    to_pose,
    to_prompt_call,
    to_size,
    to_time,
    to_tracked_object,
    to_tracked_objects,
)
from sam2_ros.srv import Prompt as PromptService
from sam2_ros.tracking import BadPrompt, Readings, State, Tracks

BOX = OrientedBox(np.array([0.1, 0.2, 0.9]), UPRIGHT_CAMERA, np.array([0.2, 0.1, 0.3]))
HEADER = Header(frame_id="camera_optical_frame", stamp=Time(sec=7, nanosec=5))


def _tracks() -> Tracks:
    """Object 3 has the pixels (1, 0) and (2, 1), x before y, of an image of 4 x 3; object 8 has none."""
    masks = np.zeros((2, 3, 4), bool)
    masks[0, 0, 1] = masks[0, 1, 2] = True
    return Tracks(
        stamp=7_000_000_005,
        ids=(3, 8),
        states=(State.VISIBLE, State.LOST),
        masks=masks,
        logits=np.zeros((2, 8, 8), np.float32),
        boxes=np.array([[1, 0, 3, 2], [0, 0, 0, 0]], np.float32),
        centroids=np.array([[1.5, 0.5], [0, 0]], np.float32),
        areas=np.array([2, 0]),
        scores=np.array([3.0, -3.0], np.float32),
        visibility=np.array([0.75, 0.25], np.float32),
        iou=np.array([0.5, 0.125], np.float32),
        last_seen=(7_000_000_005, 1_000_000_002),
    )


@pytest.mark.parametrize("nanoseconds", [0, 5, 7_000_000_005, 1_795_417_400_957_662_184])
def test_a_time_and_back(nanoseconds: int) -> None:
    assert to_nanoseconds(to_time(nanoseconds)) == nanoseconds


def test_all_objects_of_an_image() -> None:
    message = to_tracked_objects(HEADER, _tracks(), {3: "mug"})

    assert message.header == HEADER
    assert (message.height, message.width) == (3, 4)
    assert [(one.id, one.label) for one in message.objects] == [(3, "mug"), (8, "")]


def test_an_object_in_view() -> None:
    message = to_tracked_object(HEADER, _tracks(), 0, "mug")

    assert (message.id, message.label, message.state) == (3, "mug", TrackedObject.VISIBLE)
    assert (message.visibility, message.mask_quality, message.area) == (0.75, 0.5, 2)
    assert (message.box.x_offset, message.box.y_offset, message.box.width, message.box.height) == (1, 0, 2, 2)
    assert (message.centroid.x, message.centroid.y, message.centroid.z) == (1.5, 0.5, 0.0)
    assert message.last_seen == Time(sec=7, nanosec=5)
    assert message.mask.header == HEADER
    assert message.mask.encoding == "mono8"
    assert to_array(message.mask).tolist() == [[255, 0], [0, 255]]
    assert not message.has_pose and message.no_pose == ""


def test_an_object_with_a_place() -> None:
    place = Place(BOX, np.zeros((1, 3), np.float32), np.zeros((1, 2), np.intp), partly_hidden=True, upright=True)

    message, other = to_tracked_objects(HEADER, _tracks(), {}, [place, "not in view"]).objects

    assert message.has_pose and message.upright and message.partly_hidden and message.no_pose == ""
    assert (message.pose, message.size) == (to_pose(BOX), to_size(BOX))
    assert not other.has_pose and other.no_pose == "not in view"


def test_pose_and_size() -> None:
    pose, size = to_pose(BOX), to_size(BOX)

    assert (pose.position.x, pose.position.y, pose.position.z) == (0.1, 0.2, 0.9)
    assert (size.x, size.y, size.z) == (0.2, 0.1, 0.3)
    # A quarter turn about x: z of the box points up in the image, to -y.
    np.testing.assert_allclose([pose.orientation.x, pose.orientation.w], np.sqrt(0.5))


def test_an_object_out_of_view() -> None:
    message = to_tracked_object(HEADER, _tracks(), 1, "")

    assert (message.id, message.state, message.area) == (8, TrackedObject.LOST, 0)
    assert (message.box.width, message.box.height) == (0, 0)
    assert (message.mask.height, message.mask.width, len(message.mask.data)) == (0, 0, 0)
    assert message.last_seen == Time(sec=1, nanosec=2)


def test_no_objects() -> None:
    tracks = _tracks()
    nothing = Tracks(
        stamp=tracks.stamp,
        ids=(),
        states=(),
        last_seen=(),
        **{
            name: getattr(tracks, name)[:0]
            for name in ("masks", "logits", "boxes", "centroids", "areas", "scores", "visibility", "iou")
        },
    )

    message = to_tracked_objects(HEADER, nothing, {})

    assert (message.height, message.width, list(message.objects)) == (3, 4, [])


def test_the_readings_of_a_prompt() -> None:
    masks = np.zeros((2, 3, 4), bool)
    masks[0, 1:3, 2:4] = True

    first, second = to_candidates(HEADER, Readings(masks, np.array([0.5, 0.25], np.float32), 7))

    assert (first.mask_quality, first.area, first.centroid.x, first.centroid.y) == (0.5, 4, 2.5, 1.5)
    assert (first.box.x_offset, first.box.y_offset, first.box.width, first.box.height) == (2, 1, 2, 2)
    assert to_array(first.mask).tolist() == [[255, 255], [255, 255]]
    assert (second.mask_quality, second.area, len(second.mask.data)) == (0.25, 0, 0)


def test_a_prompt_by_points_and_box() -> None:
    request = PromptService.Request(
        points=[PromptPoint(x=1.5, y=2.0, label=PromptPoint.POSITIVE), PromptPoint(x=3.0, y=4.0, label=0)],
        box=[1.0, 2.0, 3.0, 4.0],
        object_id=6,
        stamp=Time(sec=1, nanosec=2),
        label="mug",
        replace=True,
        candidate=2,
    )

    prompt, object_id, stamp, label = to_prompt_call(request)

    assert prompt.points.tolist() == [[1.5, 2.0], [3.0, 4.0]]
    assert prompt.labels.tolist() == [1, 0]
    assert prompt.box is not None
    assert prompt.box.tolist() == [1.0, 2.0, 3.0, 4.0]
    assert prompt.mask is None
    assert (prompt.replace, prompt.candidate) == (True, 2)
    assert (object_id, stamp, label) == (6, 1_000_000_002, "mug")


def test_zero_and_empty_mean_a_new_object_on_the_newest_image() -> None:
    prompt, object_id, stamp, label = to_prompt_call(PromptService.Request())

    assert prompt.points.shape == (0, 2)
    assert prompt.labels.shape == (0,)
    assert prompt.box is None
    assert prompt.mask is None
    assert (object_id, stamp, label) == (None, None, "")


def test_a_mask() -> None:
    mask = to_message(np.array([[0, 255], [1, 0]], np.uint8), "mono8", Header())

    prompt = to_prompt_call(PromptService.Request(mask=mask)).prompt

    assert prompt.mask is not None
    assert prompt.mask.tolist() == [[False, True], [True, False]]


def test_a_mask_of_another_encoding() -> None:
    mask = to_message(np.zeros((2, 2), np.uint16), "mono16", Header())

    with pytest.raises(BadPrompt, match="the mask's encoding is 'mono16'; it must be mono8"):
        to_prompt_call(PromptService.Request(mask=mask))


def test_a_mask_that_does_not_fit_itself() -> None:
    mask = to_message(np.zeros((2, 2), np.uint8), "mono8", Header())
    mask.height = 3

    with pytest.raises(BadImageMessage, match="has 4 bytes; 3 rows of 2 bytes are 6"):
        to_prompt_call(PromptService.Request(mask=mask))


def test_a_mask_with_a_size_and_no_data_is_no_mask() -> None:
    assert to_prompt_call(PromptService.Request(mask=Image(height=2, width=2, step=2))).prompt.mask is None


def test_what_a_call_is_about() -> None:
    mask = to_message(np.full((4, 5), 255, np.uint8), "mono8", HEADER)
    point = PromptPoint(x=1.0, y=1.0, label=1)
    for request, names, chooses in (
        (PromptService.Request(object_id=1, label="mug"), True, False),
        (PromptService.Request(object_id=1, candidate=2), False, True),
        (PromptService.Request(object_id=1, candidate=0), False, True),
        (PromptService.Request(object_id=1, candidate=1, label="mug"), False, True),
        (PromptService.Request(object_id=1, mask=mask, label="mug"), False, False),
        (PromptService.Request(object_id=1, points=[point], label="mug"), False, False),
        (PromptService.Request(object_id=1, box=[1.0, 1.0, 3.0, 3.0], label="mug"), False, False),
    ):
        call = to_prompt_call(request)
        assert (call.names, call.chooses) == (names, chooses)
