"""The node over DDS, with a tracker that needs no network."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rcl_interfaces.srv import SetParameters
from rclpy.parameter import Parameter
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import CameraInfo, Image
from std_srvs.srv import SetBool, Trigger

from sam2_ros.msg import PromptPoint, TrackedObject, TrackedObjects
from sam2_ros.ros.images import to_array
from sam2_ros.srv import LoadObject, Prompt, RemoveObject, SaveObject, UndoPrompt

GREEN, BLUE, RED = (0, 255, 0), (0, 0, 255), (255, 0, 0)


@pytest.fixture(scope="module")
def node(start: Any, client: Any) -> Any:
    """A node that has answered an image."""
    node = start("node", fake=True)
    node.wait_for("waiting for images on /camera/image_raw")
    client.meet()
    return node


@pytest.fixture
def empty(node: Any, client: Any) -> Any:
    """The client of a node without objects that has an image."""
    assert client.call(Trigger, "reset").success
    client.track()
    return client


def _prompt(client: Any, **fields: Any) -> Prompt.Response:
    return client.call(Prompt, "prompt", Prompt.Request(**fields))


def test_every_image_is_answered_with_its_header_even_without_objects(empty: Any) -> None:
    for _ in range(5):
        image = empty.send(empty.image())
        answer = empty.answer(image)

        assert answer.header == image.header
        assert (answer.height, answer.width, list(answer.objects)) == (48, 64, [])


def test_a_prompted_object_is_answered_and_then_tracked(empty: Any) -> None:
    response = _prompt(empty, box=[10.0, 5.0, 30.0, 20.0], label="mug")

    assert (response.success, response.message) == (True, "")
    assert (response.object.id, response.object.label) == (response.object_id, "mug")
    assert [one.area for one in response.candidates] == [300]
    image = empty.send(empty.image())
    (tracked,) = empty.answer(image).objects
    assert (tracked.id, tracked.label, tracked.state) == (response.object_id, "mug", TrackedObject.VISIBLE)
    box = tracked.box
    assert (box.x_offset, box.y_offset, box.width, box.height) == (10, 5, 20, 15)
    assert (tracked.centroid.x, tracked.centroid.y, tracked.area) == (19.5, 12.0, 300)
    assert tracked.visibility == pytest.approx(0.8808, abs=1e-4)
    assert tracked.mask_quality == 0.75
    assert tracked.last_seen == image.header.stamp
    assert tracked.mask.header == image.header
    assert to_array(tracked.mask).shape == (15, 20)
    assert (to_array(tracked.mask) == 255).all()


def test_a_correction_keeps_the_id_and_the_label(empty: Any) -> None:
    first = _prompt(empty, box=[10.0, 5.0, 30.0, 20.0], label="mug")
    click = PromptPoint(x=40.0, y=20.0, label=PromptPoint.POSITIVE)

    second = _prompt(empty, object_id=first.object_id, points=[click])

    assert second.success
    (tracked,) = empty.track().objects
    assert (tracked.id, tracked.label) == (first.object_id, "mug")
    assert tracked.box.x_offset == 30


def test_label_image_and_overlay_belong_to_the_image(empty: Any) -> None:
    number = _prompt(empty, box=[10.0, 5.0, 30.0, 20.0]).object_id
    image = empty.send(empty.image())

    labels, overlay = empty.picture("label_image", image), empty.picture("overlay", image)

    assert labels.header == overlay.header == image.header
    assert (labels.encoding, overlay.encoding) == ("mono8", "rgb8")
    expected = np.zeros((48, 64), np.uint8)
    expected[5:20, 10:30] = number
    assert np.array_equal(to_array(labels), expected)
    assert not np.array_equal(to_array(overlay), to_array(image))


def test_a_hidden_object_stays_in_the_answer_without_a_mask(empty: Any) -> None:
    number = _prompt(empty, box=[10.0, 5.0, 30.0, 20.0]).object_id

    (tracked,) = empty.track(colour=BLUE).objects

    assert (tracked.id, tracked.state, tracked.area) == (number, TrackedObject.OCCLUDED, 0)
    assert (tracked.box.width, tracked.box.height, len(tracked.mask.data)) == (0, 0, 0)


def test_removed_objects_are_gone_and_their_ids_are_not_used_again(empty: Any) -> None:
    first, second = (_prompt(empty, box=[1.0, 1.0, 9.0, 9.0]).object_id for _ in range(2))

    assert empty.call(RemoveObject, "remove_object", RemoveObject.Request(object_id=first)).success
    assert [tracked.id for tracked in empty.track().objects] == [second]
    assert empty.call(Trigger, "reset").success
    assert list(empty.track().objects) == []
    assert _prompt(empty, box=[1.0, 1.0, 9.0, 9.0]).object_id > second


def test_a_paused_node_lets_images_go_and_keeps_its_objects(empty: Any) -> None:
    number = _prompt(empty, box=[1.0, 1.0, 9.0, 9.0]).object_id
    assert empty.call(SetBool, "enable", SetBool.Request(data=False)).success
    sent = []
    for _ in range(3):
        sent.append(empty.send(empty.image()).header)
        time.sleep(0.1)

    assert not [one for one in empty.objects if one.header in sent]
    assert empty.call(SetBool, "enable", SetBool.Request(data=True)).success
    assert [tracked.id for tracked in empty.track().objects] == [number]


def test_who_begins_to_listen_while_it_is_paused_gets_the_newest_image(empty: Any) -> None:
    number = _prompt(empty, box=[1.0, 1.0, 9.0, 9.0]).object_id
    assert empty.call(SetBool, "enable", SetBool.Request(data=False)).success
    newest = empty.objects[-1].header
    received: list[TrackedObjects] = []
    subscription = empty.node.create_subscription(TrackedObjects, "/sam2/objects", received.append, 10)
    try:
        while not received:
            empty.send(empty.image())
            time.sleep(0.1)
        assert received[0].header == newest
        assert [tracked.id for tracked in received[0].objects] == [number]
        for _ in range(3):
            empty.send(empty.image())
            time.sleep(0.1)
        assert len(received) == 1, "once"
    finally:
        empty.node.destroy_subscription(subscription)
        assert empty.call(SetBool, "enable", SetBool.Request(data=True)).success


def test_a_prompt_on_a_picture_that_stands_still_is_shown_at_once(empty: Any, until: Any) -> None:
    image = empty.send(empty.image())
    empty.answer(image)

    number = _prompt(empty, box=[10.0, 5.0, 30.0, 20.0]).object_id

    until(lambda: [one.id for one in empty.objects[-1].objects] == [number])
    assert empty.objects[-1].header == image.header
    assert empty.call(RemoveObject, "remove_object", RemoveObject.Request(object_id=number)).success
    until(lambda: not empty.objects[-1].objects)


def test_a_prompt_that_finds_nothing_says_so(empty: Any) -> None:
    empty.track()
    nowhere = empty.call(Prompt, "prompt", Prompt.Request(box=[100.0, 100.0, 120.0, 120.0], label="mug"))
    assert nowhere.success and nowhere.object.area == 0
    said = "mug was started, but nothing was found there: its mask is empty; prompt elsewhere, or remove it"
    assert nowhere.message == f"object {nowhere.object_id} {said}"
    assert empty.call(Prompt, "prompt", Prompt.Request(box=[10.0, 10.0, 30.0, 30.0])).message == ""


def test_a_preview_starts_nothing(empty: Any) -> None:
    response = _prompt(empty, box=[10.0, 5.0, 30.0, 20.0], preview=True)

    assert (response.success, response.object_id) == (True, 0)
    assert [one.area for one in response.candidates] == [300]
    assert list(empty.track().objects) == []


def test_a_preview_is_of_a_new_object(empty: Any) -> None:
    number = _prompt(empty, box=[10.0, 5.0, 30.0, 20.0]).object_id
    response = _prompt(empty, box=[1.0, 1.0, 9.0, 9.0], object_id=number, preview=True)

    assert not response.success
    assert response.message == f"a preview is of a new object, and object_id is {number}; it must be 0"


def test_an_object_can_be_given_another_name(empty: Any) -> None:
    number = _prompt(empty, box=[10.0, 5.0, 30.0, 20.0]).object_id
    response = _prompt(empty, object_id=number, label="mug")

    assert (response.success, response.object_id, response.object.label) == (True, number, "mug")
    (tracked,) = empty.track().objects
    assert (tracked.label, tracked.box.x_offset, tracked.box.width) == ("mug", 10, 20)


def test_another_reading_of_the_last_click_can_be_taken(empty: Any) -> None:
    first = _prompt(empty, box=[10.0, 5.0, 30.0, 20.0])

    second = _prompt(empty, object_id=first.object_id, candidate=2)

    assert (second.success, second.object_id) == (True, first.object_id)
    assert second.object.box.x_offset == first.object.box.x_offset + 2


def test_the_last_prompt_can_be_taken_back(empty: Any) -> None:
    number = _prompt(empty, box=[10.0, 5.0, 30.0, 20.0]).object_id

    response = empty.call(UndoPrompt, "undo", UndoPrompt.Request(object_id=number))

    assert (response.success, response.removed) == (True, True)
    assert list(empty.track().objects) == []
    again = empty.call(UndoPrompt, "undo", UndoPrompt.Request(object_id=number))
    assert (again.success, again.message) == (False, f"there is no object {number}; the objects are: none")


def test_an_object_is_saved_and_loaded(empty: Any, tmp_path: Path) -> None:
    number = _prompt(empty, box=[10.0, 5.0, 30.0, 20.0], label="mug").object_id
    path = str(tmp_path / "mug.safetensors")

    saved = empty.call(SaveObject, "save_object", SaveObject.Request(object_id=number, path=path))
    assert (saved.success, saved.message) == (True, "")
    loaded = empty.call(LoadObject, "load_object", LoadObject.Request(path=path))

    assert (loaded.success, loaded.object_id) == (True, number + 1)
    assert [(one.id, one.label) for one in empty.track().objects] == [(number, "mug"), (number + 1, "mug")]
    assert empty.call(SaveObject, "save_object", SaveObject.Request(object_id=number, path=path)).success


def test_a_file_of_something_else_is_not_written_over(empty: Any, tmp_path: Path) -> None:
    number = _prompt(empty, box=[10.0, 5.0, 30.0, 20.0]).object_id
    (tmp_path / "precious").write_text("the only copy")
    refused = empty.call(SaveObject, "save_object", SaveObject.Request(object_id=number, path=f"{tmp_path}/precious"))
    assert not refused.success and "holds something else than an object's memory" in refused.message
    assert (tmp_path / "precious").read_text() == "the only copy"
    os.mkfifo(tmp_path / "pipe")
    refused = empty.call(SaveObject, "save_object", SaveObject.Request(object_id=number, path=f"{tmp_path}/pipe"))
    assert not refused.success and "is not a file" in refused.message
    assert (tmp_path / "pipe").is_fifo()


def test_a_link_stays_and_what_it_leads_to_is_written(empty: Any, tmp_path: Path) -> None:
    number = _prompt(empty, box=[10.0, 5.0, 30.0, 20.0]).object_id
    (tmp_path / "link").symlink_to(tmp_path / "mug")
    for _ in range(2):  # the second time there is a file
        request = SaveObject.Request(object_id=number, path=f"{tmp_path}/link")
        assert empty.call(SaveObject, "save_object", request).success
        assert (tmp_path / "link").is_symlink() and (tmp_path / "mug").stat().st_size > 10
        assert {path.name for path in tmp_path.iterdir()} == {"link", "mug"}


def test_a_label_that_is_no_name_is_refused(empty: Any) -> None:
    number = _prompt(empty, box=[10.0, 5.0, 30.0, 20.0]).object_id
    assert not _prompt(empty, box=[10.0, 5.0, 30.0, 20.0], label="a\nb").success
    refused = _prompt(empty, box=[10.0, 5.0, 30.0, 20.0], label=201 * "x")
    assert not refused.success and "of 201 characters; it may have 200" in refused.message
    assert [one.id for one in empty.track().objects] == [number]


def test_an_object_is_named_and_an_unknown_one_is_not(empty: Any, node: Any) -> None:
    number = _prompt(empty, box=[10.0, 5.0, 30.0, 20.0]).object_id
    assert _prompt(empty, object_id=number, label="mug").object.label == "mug"
    node.wait_for(f"object {number} mug got its name")
    refused = _prompt(empty, object_id=999, label="mug")
    assert (refused.success, refused.message) == (False, f"there is no object 999; the objects are: {number}")


def test_what_is_shown_can_be_changed_while_it_runs(empty: Any, node: Any) -> None:
    def change(**values: float) -> None:
        changed = [Parameter(name, value=value).to_parameter_msg() for name, value in values.items()]
        answer = empty.call(SetParameters, "set_parameters", SetParameters.Request(parameters=changed))
        assert all(result.successful for result in answer.results)

    change(show_above=0.9, hide_below=0.2, lost_after=3.0)
    node.wait_for("thresholds {'show_above': 0.9, 'hide_below': 0.2, 'lost_after': 3.0, 'non_overlap': False}")
    change(hide_below=0.4, show_above=0.5, lost_after=5.0)
    node.wait_for("thresholds {'show_above': 0.5, 'hide_below': 0.4, 'lost_after': 5.0, 'non_overlap': False}")
    _prompt(empty, box=[10.0, 5.0, 50.0, 45.0])
    for opacity, plain in ((0.0, True), (0.4, False)):
        change(overlay_opacity=opacity)
        inside = to_array(empty.picture("overlay", empty.send(empty.image())))[35, 30]
        assert (inside.tolist() == [90, 90, 90]) == plain


def test_refusals_in_a_loop_do_not_fill_the_log(empty: Any, node: Any) -> None:
    number = _prompt(empty, box=[10.0, 5.0, 30.0, 20.0]).object_id

    def refused() -> int:
        return sum("refused: there is no object 7654" in line for line in node.lines)

    for _ in range(30):
        assert not empty.call(RemoveObject, "remove_object", RemoveObject.Request(object_id=7654)).success
    assert empty.call(RemoveObject, "remove_object", RemoveObject.Request(object_id=number)).success
    node.wait_for("was removed")
    assert 0 < refused() <= 20


def test_what_is_no_file_is_not_read(empty: Any, tmp_path: Path) -> None:
    """To read from a pipe would wait for ever, and with it all calls."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "huge").write_bytes(b"")
    os.truncate(tmp_path / "huge", 1 << 31)
    for name, reason in (("pipe", "is not a file"), ("huge", "has 2048 MiB; a file of ~/save_object has 1024 at most")):
        answer = empty.call(LoadObject, "load_object", LoadObject.Request(path=str(tmp_path / name)))
        assert not answer.success and reason in answer.message


def test_as_many_calls_as_a_detector_makes_at_once_are_all_answered(empty: Any, until: Any) -> None:
    client = empty.node.create_client(RemoveObject, "/sam2/remove_object")
    assert client.wait_for_service(60)
    empty.call(RemoveObject, "remove_object", RemoveObject.Request(object_id=999))  # both have found each other
    calls = [client.call_async(RemoveObject.Request(object_id=1000 + n)) for n in range(50)]
    until(lambda: all(call.done() for call in calls), 30)
    assert ["object" in call.result().message for call in calls] == [True] * 50, calls[0].result().message
    empty.node.destroy_client(client)


@pytest.mark.parametrize(
    "path, reason",
    [
        ("mug.safetensors", "the path is 'mug.safetensors'; it must be absolute, or begin with ~"),
        ("/no/such/folder/mug.safetensors", "cannot be"),
        (f"/tmp/{300 * 'a'}", "File name too long"),
    ],
)
def test_a_path_that_cannot_be_is_refused(empty: Any, path: str, reason: str) -> None:
    number = _prompt(empty, box=[10.0, 5.0, 30.0, 20.0]).object_id
    saved = empty.call(SaveObject, "save_object", SaveObject.Request(object_id=number, path=path))
    loaded = empty.call(LoadObject, "load_object", LoadObject.Request(path=path))
    for answer in (saved, loaded):
        assert not answer.success and reason in answer.message


def test_of_images_that_come_too_fast_the_newest_is_tracked(empty: Any) -> None:
    for _ in range(10):
        last = empty.send(empty.image(colour=GREEN, later=0.03))
        time.sleep(0.03)
    before = len(empty.objects)

    # However long the sending took: what is answered from here on is the image in hand and the last, not a queue.
    empty.answer(last)
    assert len(empty.objects) - before < 6


def test_a_prompt_waits_for_the_image_in_hand_and_no_longer(empty: Any) -> None:
    for _ in range(3):
        empty.send(empty.image(colour=GREEN))
        time.sleep(0.03)
    start = time.monotonic()

    assert _prompt(empty, box=[1.0, 1.0, 9.0, 9.0]).success
    assert time.monotonic() - start < 5


def test_a_camera_by_name_is_refused_while_there_is_one(empty: Any) -> None:
    response = _prompt(empty, camera="wrist", box=[1.0, 1.0, 9.0, 9.0])

    assert not response.success
    assert response.message.startswith("there is no camera 'wrist'")


def test_the_life_of_the_node(start: Any, client: Any, node: Any) -> None:
    def change(transition: int) -> bool:
        request = ChangeState.Request(transition=Transition(id=transition))
        return bool(client.call(ChangeState, "change_state", request).success)

    number = _prompt(client, box=[1.0, 1.0, 9.0, 9.0]).object_id
    assert change(Transition.TRANSITION_DEACTIVATE)
    before = len(client.objects)
    for _ in range(3):
        client.send(client.image())
        time.sleep(0.1)
    assert len(client.objects) == before
    refused = _prompt(client, box=[1.0, 1.0, 9.0, 9.0])
    assert (refused.success, refused.message) == (
        False,
        "the node is inactive, and its newest image may be of any age; activate it first",
    )

    assert change(Transition.TRANSITION_ACTIVATE)
    for refused in (_prompt(client, box=[1.0, 1.0, 9.0, 9.0]), _prompt(client, box=[1.0, 1.0, 9.0, 9.0], preview=True)):
        assert not refused.success
        assert refused.message == "no image has come since the node was activated; wait for the first one"
    assert _prompt(client, object_id=number, label="still there").success
    client.meet()
    assert _prompt(client, box=[1.0, 1.0, 9.0, 9.0]).success
    assert number in [tracked.id for tracked in client.track().objects]

    assert change(Transition.TRANSITION_DEACTIVATE)
    assert change(Transition.TRANSITION_CLEANUP)
    refused = _prompt(client, box=[1.0, 1.0, 9.0, 9.0])
    assert (refused.success, refused.message) == (
        False,
        "the node is not configured and has no tracker; configure it first",
    )

    assert change(Transition.TRANSITION_CONFIGURE)
    assert change(Transition.TRANSITION_ACTIVATE)
    client.meet()
    assert list(client.track().objects) == []


def test_without_autostart_it_waits_to_be_configured(start: Any, client: Any, node: Any) -> None:
    waiting = start("node", "--ros-args", "-r", "__node:=waiting", fake=True, autostart=False)

    response = client.call(Prompt, "prompt", node="waiting")
    assert response.message.startswith("the node is not configured")
    assert "waiting for images" not in waiting.output
    waiting.send_signal(signal.SIGTERM)
    assert waiting.wait() == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("model", ["nano", "slow"])
def test_a_signal_ends_it_in_order_even_while_it_loads(start: Any, number: int, model: str) -> None:
    node = start("node", "--ros-args", "-r", "__node:=other", fake=True, model=model)
    node.wait_for("waiting for images" if model == "nano" else "loading")
    node.send_signal(number)
    node.send_signal(number)

    assert node.wait() == 0
    assert "Traceback" not in node.output


def test_a_device_that_breaks_ends_it_with_the_reason(start: Any, client: Any, until: Any) -> None:
    other = start("node", "--ros-args", "-r", "__node:=other", "-r", "image:=/other/image", fake=True)
    other.wait_for("waiting for images")
    camera = client.node.create_publisher(Image, "/other/image", 1)

    def ended() -> bool:
        camera.publish(client.image(colour=RED))
        time.sleep(0.1)
        return other.ended

    until(ended)
    client.node.destroy_publisher(camera)
    assert other.wait() == 1
    assert "RuntimeError: the device is broken" in other.output


def test_a_qos_that_does_not_fit_is_said_once_for_each_topic(start: Any, client: Any, until: Any) -> None:
    topics = {"/other/image": Image, "/other/depth": Image, "/other/camera_info": CameraInfo}
    remaps = [word for topic in topics for word in ("-r", f"{topic.rsplit('/')[-1]}:={topic}")]
    node = start("node", "--ros-args", "-r", "__node:=other", *remaps, fake=True, reliability="reliable", depth=True)
    node.wait_for("waiting for images")
    cameras = []

    def said() -> bool:
        for topic, kind in topics.items():
            cameras.append(client.node.create_publisher(kind, topic, qos_profile_sensor_data))
        time.sleep(0.5)
        return all(f"no message of a publisher of {topic} will come" in node.output for topic in topics)

    until(said, check=node.check)
    said()
    lines = [line for line in node.lines if "no message of a publisher" in line]
    assert len(lines) == len(topics)
    assert all("(policy RELIABILITY)" in line and "reliability: best_effort fits all" in line for line in lines)
    for camera in cameras:
        client.node.destroy_publisher(camera)


def test_frames_without_depth_are_said_once_to_have_no_effect(start: Any, client: Any) -> None:
    node = start("node", "--ros-args", "-r", "__node:=flat", fake=True, object_frames=True)
    sentence = "object_frames is true and has no effect without depth; set depth to true and configure the node again"
    node.wait_for("waiting for images")
    assert node.output.count(sentence) == 1

    change = Parameter("overlay_opacity", value=0.5).to_parameter_msg()
    response = client.call(SetParameters, "set_parameters", SetParameters.Request(parameters=[change]), node="flat")
    assert response.results[0].successful
    node.stop()
    assert node.output.count(sentence) == 1


def test_a_name_that_is_no_parameter_is_said(start: Any) -> None:
    node = start("node", "--ros-args", "-r", "__node:=other", fake=True, capcity=3)

    node.wait_for("there is no parameter 'capcity'")
