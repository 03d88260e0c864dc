"""A camera that stops, starts, changes its size, goes back in time and repeats itself, and the node that follows it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from builtin_interfaces.msg import Time
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import Image
from std_srvs.srv import SetBool

from sam2_ros.msg import TrackedObjects
from sam2_ros.ros.messages import to_nanoseconds
from sam2_ros.srv import Prompt

BOX = [10.0, 10.0, 30.0, 30.0]


@pytest.fixture(scope="module")
def node(start: Any, client: Any, checkpoint: Path) -> Any:
    """With the real tracker and a small network of random weights."""
    node = start("node", model=checkpoint)
    node.wait_for("waiting for images")
    client.meet()
    return node


@pytest.fixture
def object_id(node: Any, client: Any) -> int:
    """Of an object that is tracked."""
    client.track()
    response = client.call(Prompt, "prompt", Prompt.Request(box=BOX, label="mug"))
    assert response.success, response.message
    return response.object_id


def _ids(client: Any, **how: Any) -> list[int]:
    return [tracked.id for tracked in client.track(**how).objects]


def _meet_again(client: Any, node: Any, until: Any) -> None:
    """Sends images until one is answered: nobody tells a camera when it has been discovered."""
    before = len(client.objects)

    def answered() -> bool:
        client.send(client.image())
        time.sleep(0.1)
        return len(client.objects) > before

    until(answered, check=node.check)


def test_a_camera_that_stops_and_comes_back(client: Any, node: Any, object_id: int, until: Any) -> None:
    for _ in range(3):
        client.unplug()
        time.sleep(0.3)
        _meet_again(client, node, until)

        assert object_id in _ids(client)


def test_a_camera_that_changes_its_size(client: Any, node: Any, object_id: int) -> None:
    client.send(client.image(height=80, width=60))
    node.wait_for("it has 60x80 pixels, and the newest image 64x48; that is believed when the next image bears it out")
    assert object_id in _ids(client)
    client.send(client.image(height=80, width=60))
    time.sleep(0.5)
    answer = client.track(height=80, width=60)

    assert (answer.height, answer.width, list(answer.objects)) == (80, 60, [])
    node.wait_for("a new stream begins because the image changed from 64x48 to 60x80 pixels; ")
    image = client.send(client.image(height=80, width=60))
    for name in ("label_image", "overlay"):
        picture = client.picture(name, image)
        assert (picture.height, picture.width) == (80, 60)
    second = client.call(Prompt, "prompt", Prompt.Request(box=[10.0, 40.0, 30.0, 70.0])).object_id
    assert second > object_id
    assert _ids(client, height=80, width=60) == [second]
    client.send(client.image())  # for who comes next
    time.sleep(0.5)


def test_a_recording_that_begins_anew(client: Any, node: Any, object_id: int) -> None:
    client.turn_back(5.0)
    client.send(client.image())  # is not believed alone
    time.sleep(0.5)

    assert _ids(client) == []
    node.wait_for("a new stream begins because the stamp fell from")
    second = client.call(Prompt, "prompt", Prompt.Request(box=BOX))
    assert second.object_id > object_id
    assert second.object.label == ""
    assert _ids(client) == [second.object_id]


def test_a_single_wrong_stamp(client: Any, node: Any, object_id: int) -> None:
    """Of a driver that counts from its start until it has the time, and of one that runs far ahead."""
    for wrong in (5, 2_000_000_000):
        time.sleep(2.1)  # until the log takes one more of these sentences
        image = client.image()
        image.header.stamp = Time(sec=wrong)
        client.send(image)
        node.wait_for(f"refused an image: its stamp {wrong}000000000 ns is ")
        assert object_id in _ids(client)


def test_an_image_that_comes_late(client: Any, node: Any, object_id: int, until: Any) -> None:
    late = client.image()
    client.track()

    def said() -> bool:
        client.send(late)
        return any("refused an image: the image's stamp" in line for line in node.lines)

    until(said, check=node.check)
    assert object_id in _ids(client)


def test_an_image_that_comes_twice_is_answered_twice(client: Any, node: Any, object_id: int, until: Any) -> None:
    image = client.send(client.image())
    client.answer(image)
    client.send(image)

    def answers() -> list[Any]:
        return [one for one in client.objects if one.header == image.header]

    until(lambda: len(answers()) == 2)
    assert all(object_id in [tracked.id for tracked in answer.objects] for answer in answers())
    assert object_id in _ids(client)


def test_a_stamp_that_is_none(client: Any, node: Any, object_id: int, until: Any) -> None:
    broken = client.image()
    broken.header.stamp = Time(sec=2**31 - 1, nanosec=2**32 - 1)

    def said() -> bool:
        client.send(broken)
        return any("the image's stamp has 4294967295 nanoseconds" in line for line in node.lines)

    until(said, check=node.check)
    assert object_id in _ids(client)


def test_a_pause_that_ends(client: Any, node: Any, object_id: int) -> None:
    for enabled in (False, True, False, True):
        assert client.call(SetBool, "enable", SetBool.Request(data=enabled)).success
        let_go = client.send(client.image())
        if enabled:
            client.answer(let_go)
    assert object_id in _ids(client)


def test_a_clock_that_jumps_back(start: Any, client: Any, until: Any) -> None:
    node = start("node", "--ros-args", "-r", "__node:=other", "-r", "image:=/other/image", fake=True, use_sim_time=True)
    clock, camera = (
        client.node.create_publisher(Clock, "/clock", 10),
        client.node.create_publisher(Image, "/other/image", 1),
    )
    answers: list[Any] = []
    client.node.create_subscription(TrackedObjects, "/other/objects", answers.append, 10)
    node.wait_for("waiting for images")
    for began in (1000.0, 10.0, 500.0, 0.5):  # seconds
        now = round(1e9 * began)

        def answered(before: int = len(answers)) -> bool:
            nonlocal now
            now += 100_000_000
            stamp = Time(sec=now // 10**9, nanosec=now % 10**9)
            clock.publish(Clock(clock=stamp))
            image = client.image()
            image.header.stamp = stamp
            camera.publish(image)
            time.sleep(0.05)
            return len(answers) > before + 2

        until(answered, check=node.check)
        assert to_nanoseconds(answers[-1].header.stamp) >= 1e9 * began
        response = client.call(Prompt, "prompt", Prompt.Request(box=BOX), node="other")
        assert response.success, response.message
    assert "Traceback" not in node.output
