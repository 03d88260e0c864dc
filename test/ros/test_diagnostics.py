"""What /diagnostics says: the numbers by hand, and all of it over DDS."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sam2_ros.msg import TrackedObjects
from sam2_ros.ros import diagnostics
from sam2_ros.ros.diagnostics import Level, Recent, Window, judge, values
from sam2_ros.ros.messages import to_time
from sam2_ros.ros.report import Counts
from sam2_ros.srv import Prompt

GREEN = (0, 255, 0)


def _recent(counts: Counts, latency: tuple[float, float] | None = (0.05, 0.1), silence: float = 0.0) -> Recent:
    return Recent(10.0, counts, latency, silence)


def _silence(seconds: float) -> str:
    return f"nothing for {seconds:.0f} s"


def test_a_window_holds_the_last_ten_seconds() -> None:
    window = Window(100.0, Counts(tracked=50, dropped=7))
    for second in range(1, 16):
        latency = 1.0 if second < 6 else 0.01 * second
        recent = window.add(100.0 + second, Counts(tracked=50 + 5 * second, dropped=7), [latency] * 5)

    assert recent.seconds == pytest.approx(10.0)
    assert recent.counts == Counts(tracked=50)
    # Those of the seconds 6 to 15; the slow ones before are forgotten.
    assert recent.latency == pytest.approx((0.105, 0.15))
    assert recent.silence == 0.0


def test_silence_is_counted_from_the_last_image_or_from_the_beginning() -> None:
    window = Window(0.0, Counts(tracked=3))
    assert window.add(2.0, Counts(tracked=3), []).silence == 2.0
    assert window.add(3.0, Counts(tracked=3, dropped=1), []).silence == 0.0
    recent = window.add(20.0, Counts(tracked=3, dropped=1), [])
    assert recent.silence == 17.0
    assert recent.latency is None


@pytest.mark.parametrize(
    ("recent", "level", "sentence"),
    [
        (_recent(Counts(tracked=300, dropped=20)), Level.OK, "tracks 2 objects"),
        (_recent(Counts(), None, 1.0), Level.OK, "waiting for the first image"),
        (_recent(Counts(ignored=300), None), Level.OK, "paused by ~/enable"),
        (_recent(Counts(tracked=300), silence=4.0), Level.ERROR, "nothing for 4 s"),
        (
            _recent(Counts(tracked=297, refused=3)),
            Level.WARN,
            "3 of 300 images were refused in the last 10 s; the log says why",
        ),
        (
            _recent(Counts(refused=300), None),
            Level.ERROR,
            "300 of 300 images were refused in the last 10 s; the log says why",
        ),
        (
            _recent(Counts(tracked=40, dropped=260, seconds=9.6)),
            Level.WARN,
            "260 of 300 images gave way to newer ones in the last 10 s; each takes 240 ms",
        ),
        (
            _recent(Counts(tracked=40, dropped=260, seconds=9.6, unlocated=40)),
            Level.WARN,
            "on 40 images no object was located in the last 10 s: no depth",
        ),
        (_recent(Counts(tracked=300, unlocated=30)), Level.OK, "tracks 2 objects"),
        (
            _recent(Counts(tracked=300), (86400.0, 86401.0)),
            Level.WARN,
            "the images' stamps are 86400.0 s older than the clock; with a bag or a simulator set use_sim_time and "
            "publish /clock, else set the clocks of camera and node alike",
        ),
        (
            _recent(Counts(tracked=300), (-3.0, -2.9)),
            Level.WARN,
            "the images' stamps are 3.0 s newer than the clock; with a bag or a simulator set use_sim_time and "
            "publish /clock, else set the clocks of camera and node alike",
        ),
    ],
)
def test_the_level_and_its_sentence(recent: Recent, level: Level, sentence: str) -> None:
    assert judge(recent, 2, _silence, "no depth") == (level, sentence)


def test_another_node_of_the_name_comes_before_all_but_silence() -> None:
    assert judge(_recent(Counts(refused=300), None), 2, _silence, twin="two") == (Level.WARN, "two")
    assert judge(_recent(Counts(tracked=300), silence=4.0), 2, _silence, twin="two") == (Level.ERROR, "nothing for 4 s")


def test_one_object_is_no_objects() -> None:
    assert judge(_recent(Counts(tracked=1)), 1, _silence) == (Level.OK, "tracks 1 object")


def test_the_numbers() -> None:
    counts = Counts(tracked=285, refused=1, ignored=2, dropped=14)

    assert values(_recent(counts, (0.0312, 0.0951)), 3, 0.0449, 300 * 2**20, history=2.0, paused=False) == {
        "paused": "false",
        "objects": "3",
        "rate (images/s)": "28.5",
        "latency p50 (ms)": "31.2",
        "latency p99 (ms)": "95.1",
        "dropped": "14",
        "refused": "1",
        "let go while paused": "2",
        "window (s)": "10",
        "history (s)": "2.00",
        "age of the last image (s)": "0.0",
        "device memory (MiB)": "300",
    }
    unlocated = _recent(Counts(tracked=9, unlocated=4))
    assert values(unlocated, 3, 0.0, 0, history=2.0, paused=False, depth_asked=True)["not located"] == "4"
    nothing = values(_recent(Counts(), None), 0, None, 0, history=0.25, paused=True)
    assert (nothing["latency p50 (ms)"], nothing["age of the last image (s)"]) == ("", "")
    assert nothing["history (s)"] == "0.25"
    # It has room for 30 images a second.
    assert values(_recent(Counts(tracked=600)), 0, 0.0, 0, history=2.0, paused=False)["history (s)"] == "1.00"


def test_without_diagnostic_msgs_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    class Node:
        def __init__(self) -> None:
            self.said: list[str] = []
            self.info = self.said.append

        def get_logger(self) -> Node:
            return self

    monkeypatch.setattr(diagnostics, "DiagnosticArray", None)
    node = Node()

    assert diagnostics.make_publisher(node) is None
    assert node.said == ["diagnostic_msgs is not installed; /diagnostics does not exist"]


@pytest.fixture
def states(client: Any) -> Iterator[list[Any]]:
    """What is said on /diagnostics, newest last."""
    messages = pytest.importorskip("diagnostic_msgs.msg")
    received: list[Any] = []

    def take(message: Any) -> None:
        received.extend(message.status)

    subscription = client.node.create_subscription(messages.DiagnosticArray, "/diagnostics", take, 10)
    yield received
    client.node.destroy_subscription(subscription)


def _numbers(status: Any) -> dict[str, str]:
    return {pair.key: pair.value for pair in status.values}


def _is(status: Any, camera: str, level: Level) -> bool:
    return bool(status.name == camera and status.level == bytes([level]))


def test_what_happens_to_a_camera_is_told(states: list[Any], start: Any, client: Any, until: Any) -> None:
    node = start("node", fake=True)
    node.wait_for("waiting for images")

    def told(good: Callable[[Any], bool], encoding: str = "rgb8", **how: Any) -> Any:
        def look() -> Any:
            image = client.image(**how)
            image.header.stamp, image.encoding = to_time(time.time_ns()), encoding
            client.send(image)
            time.sleep(0.05)
            return next((one for one in states[before:] if one.name == "sam2: camera" and good(one)), None)

        before = len(states)
        return until(look)

    status = told(lambda one: one.message == "tracks 0 objects")
    assert status.level == bytes([Level.OK])
    assert client.call(Prompt, "prompt", Prompt.Request(box=[1.0, 1.0, 9.0, 9.0])).success
    numbers = _numbers(told(lambda one: one.message == "tracks 1 object"))
    assert numbers["objects"] == "1"
    assert 0 < float(numbers["rate (images/s)"]) < 25
    assert 0 <= float(numbers["latency p50 (ms)"]) <= float(numbers["latency p99 (ms)"]) < 60_000
    assert 0 <= float(numbers["age of the last image (s)"]) < 60
    assert float(numbers["device memory (MiB)"]) > 10
    assert (numbers["refused"], numbers["history (s)"]) == ("0", "2.00")

    slow = told(lambda one: "gave way to newer ones" in one.message, colour=GREEN)
    assert slow.level == bytes([Level.WARN])
    assert int(_numbers(slow)["dropped"]) > 0

    refused = told(lambda one: "refused" in one.message, encoding="yuv444")
    assert refused.level == bytes([Level.WARN])
    assert int(_numbers(refused)["refused"]) > 0

    silent = until(lambda: next((one for one in states if _is(one, "sam2: camera", Level.ERROR)), None))
    assert silent.message.startswith("no image on /camera/image_raw for ")
    assert "it has a publisher; does the camera send" in silent.message
    assert silent.hardware_id == "/camera/image_raw"


def test_two_nodes_of_one_name_are_told(states: list[Any], start: Any, client: Any, until: Any) -> None:
    def told(words: str) -> bool:
        client.send(client.image())
        time.sleep(0.05)
        return any(words in status.message for status in states[before:] if status.name == "twin: front")

    arguments = ["--ros-args", "-r", "__node:=twin", "-r", "front/image:=/camera/image_raw"]
    first = start("node", *arguments, fake=True, cameras="[front]")
    first.wait_for("waiting for images")
    before = len(states)
    until(lambda: told("than the clock"))  # the client's images are stamped by none
    assert not told("another node")

    second = start("node", *arguments, fake=True, cameras="[front]")
    until(lambda: told("another node publishes /twin/front/objects as well, and calls may reach either; end one of"))
    second.stop()
    before = len(states)
    until(lambda: told("than the clock"))


def test_missing_depth_is_told(states: list[Any], start: Any, client: Any, until: Any) -> None:
    node = start("node", "--ros-args", "-r", "__node:=deep", fake=True, depth=True)
    node.wait_for("waiting for images")

    def told(words: str) -> Any:
        def look() -> Any:
            image = client.image()
            image.header.stamp = to_time(time.time_ns())
            client.send(image)
            time.sleep(0.05)
            return next((one for one in states if one.name == "deep: camera" and words in one.message), None)

        return until(look)

    assert _numbers(told("tracks 0 objects"))["not located"] == "0"
    # Who wants to know where objects are listens to ~/objects.
    subscription = client.node.create_subscription(TrackedObjects, "/deep/objects", lambda message: None, 10)
    assert client.call(Prompt, "prompt", Prompt.Request(box=[1.0, 1.0, 9.0, 9.0]), node="deep").success
    status = told("no object was located")
    client.node.destroy_subscription(subscription)

    assert status.level == bytes([Level.WARN])
    assert status.message.endswith("no camera_info has come on /camera_info")
    assert int(_numbers(status)["not located"]) > 0


def test_silence_is_told_while_a_simulated_clock_stands_still(states: list[Any], start: Any, until: Any) -> None:
    arguments = ["--ros-args", "-r", "__node:=simulated", "-r", "front/image:=/nobody"]
    start("node", *arguments, fake=True, use_sim_time=True, cameras="[front, wrist]")

    silent = until(lambda: next((one for one in states if _is(one, "simulated: front", Level.ERROR)), None))
    assert silent.message.startswith("no image on /nobody for ")
    assert "nobody publishes it" in silent.message
    until(lambda: any(_is(one, "simulated: wrist", Level.ERROR) for one in states))
