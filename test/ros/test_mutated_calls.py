"""Thousands of service calls and clicks that are nearly right, through the node's own handlers, with the real tracker:
each is carried out, or refused in a sentence and nothing has changed."""

from __future__ import annotations

import array
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from geometry_msgs.msg import Point, PointStamped
from hypothesis import given, settings
from hypothesis import strategies as st
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from sam2_ros.msg import PromptPoint
from sam2_ros.network import load_network
from sam2_ros.ros.click_input import ClickInput
from sam2_ros.ros.images import to_message
from sam2_ros.ros.publishers import Publishers
from sam2_ros.ros.services import Services
from sam2_ros.ros.space import Space
from sam2_ros.ros.stream import Stream
from sam2_ros.ros.streams import Streams
from sam2_ros.ros.transforms import TransformBuffer
from sam2_ros.ros.worker import Early
from sam2_ros.srv import ClickMode, LoadObject, Prompt, RemoveObject, SaveObject, UndoPrompt
from sam2_ros.tracking import Tracker

HEIGHT, WIDTH = 48, 64
BYTE, UINT32 = st.integers(0, 3) | st.integers(0, 255), st.integers(0, 3) | st.integers(0, 2**32 - 1)
PIXELS = st.floats(-5, 70) | st.floats()
PIXELS_32 = st.floats(-5, 70, width=32) | st.floats(width=32)
STAMPS = st.just((0, 0)) | st.tuples(st.integers(-(2**31), 2**31 - 1), st.integers(0, 2**32 - 1)) | st.just((1, 0))
CAMERAS = st.just("") | st.text(max_size=4)


class Node:
    """Remembers the handlers, and what is published and said."""

    def __init__(self) -> None:
        self.handlers: dict[str, Callable[..., Any]] = {}
        self.lines: list[str] = []

    def create_service(self, kind: type, name: str, handler: Callable[..., Any], **_: object) -> None:
        self.handlers[name] = handler

    def create_subscription(self, kind: type, name: str, handler: Callable[..., Any], *_: object, **__: object) -> None:
        self.handlers[name] = handler

    def create_lifecycle_publisher(self, *_: object) -> Node:
        return self

    def get_subscription_count(self) -> int:
        return 1

    def publish(self, message: object) -> None:
        pass

    def get_logger(self) -> Node:
        return self

    def info(self, line: str, **_: object) -> None:
        self.lines.append(line)

    warning = info


class Worker:
    """Does at once what it is asked."""

    def ask(self, request: Callable[[], Any], timeout: float | None = None, early: Early = lambda: False) -> Any:
        early()
        return request()


class World:
    """A configured node without its process: one camera, one image, one object."""

    def __init__(self, tracker: Tracker) -> None:
        self.node = Node()
        space = Space(False, "/camera_info", "/depth", 0.02, 0.02)
        k = [60.0, 0.0, 31.5, 0.0, 60.0, 23.5, 0.0, 0.0, 1.0]
        space.put_info(CameraInfo(header=Header(frame_id="camera"), height=HEIGHT, width=WIDTH, k=k))
        self.tracker = tracker
        self.stream = Stream(tracker, space, Publishers(self.node), self.node.info)
        self.streams = Streams({"": self.stream})
        Services(self.node, lambda: (Worker(), self.streams), lambda: None)
        clicks = ClickInput(self.node, lambda work, _: work(), self.stream, "/image", TransformBuffer(), self.node)
        clicks._warn = self.node.warning  # all of it
        self.restore()

    def restore(self) -> None:
        self.stream.reset()
        image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
        image[10:30, 10:30] = 200
        message = to_message(image, "rgb8", Header(frame_id="camera"))
        message.header.stamp.sec = 1
        self.streams.handle({"": message})
        box = [8.0, 8.0, 32.0, 32.0]
        assert self.node.handlers["~/prompt"](Prompt.Request(box=box, label="mug"), Prompt.Response()).success

    def state(self) -> tuple[Any, ...]:
        now = self.tracker.current()
        return now.ids, now.masks.tobytes(), dict(self.stream._labels), vars(self.stream.clicks).copy()

    def ids(self) -> tuple[int, ...]:
        return self.tracker.ids

    def call(self, name: str, request: Any, response: Any) -> Any:
        """Calls a service; what is refused has changed nothing, and a sentence says why."""
        before = self.state()
        answer = self.node.handlers[name](request, response)
        assert answer is response
        if answer.success:
            assert answer.message == ""
        else:
            assert answer.message and "\n" not in answer.message
            assert self.state() == before
            assert not getattr(answer, "object_id", 0)
        return answer

    def click(self, topic: str, message: Any) -> None:
        """Clicks; exactly one sentence says what came of it."""
        before, said = self.state(), len(self.node.lines)
        self.node.handlers[topic](message)
        (sentence,) = self.node.lines[said:]
        assert "\n" not in sentence
        if sentence.startswith("refused a click: "):
            assert self.state() == before
        else:
            self.restore()


@pytest.fixture(scope="module")
def world(checkpoint: Path) -> Any:
    network = load_network(checkpoint, device=torch.device("cpu"), dtype=torch.float32)
    return World(Tracker(network, capacity=3))


@pytest.fixture(scope="module")
def saved(world: World) -> bytes:
    """An object's file."""
    return world.stream.save(world.ids()[0])


def _mask(fields: dict[str, Any]) -> Image:
    pixels = np.zeros((HEIGHT, WIDTH), np.uint8)
    pixels[5:20, 5:20] = 255
    message = to_message(pixels, "mono8", Header())
    for name, value in fields.items():
        setattr(message, name, array.array("B", value) if name == "data" else value)
    return message


@settings(max_examples=500, deadline=None)
@given(
    stamp=STAMPS,
    fields=st.fixed_dictionaries(
        {},
        optional={
            "camera": CAMERAS,
            "object_id": UINT32,
            "label": st.text(max_size=9),
            "points": st.lists(st.builds(PromptPoint, x=PIXELS_32, y=PIXELS_32, label=BYTE), max_size=3),
            "box": st.lists(PIXELS_32, max_size=4),
            "replace": st.booleans(),
            "candidate": BYTE,
            "preview": st.booleans(),
            "mask": st.builds(
                _mask,
                st.fixed_dictionaries(
                    {},
                    optional={
                        "encoding": st.sampled_from(["mono8", "8UC1", "mono16", "rgb8", ""]),
                        "height": UINT32,
                        "width": UINT32,
                        "step": UINT32,
                        "data": st.binary(max_size=9),
                    },
                ),
            ),
        },
    ),
)
def test_prompts(world: World, stamp: tuple[int, int], fields: dict[str, Any]) -> None:
    request = Prompt.Request(**fields)
    request.stamp.sec, request.stamp.nanosec = stamp

    answer = world.call("~/prompt", request, Prompt.Response())

    if answer.success and not request.preview:
        assert answer.object_id in world.ids()
        world.restore()


@settings(max_examples=300, deadline=None)
@given(
    name=st.sampled_from(["~/undo", "~/remove_object", "~/click_mode"]),
    object_id=UINT32,
    mine=st.sampled_from([False, False, False, True]),
    mode=BYTE,
    camera=CAMERAS,
)
def test_calls_by_number(world: World, name: str, object_id: int, mine: bool, mode: int, camera: str) -> None:
    fields = {"object_id": world.ids()[0] if mine else object_id, "camera": camera}
    kind = {"~/undo": UndoPrompt, "~/remove_object": RemoveObject, "~/click_mode": ClickMode}[name]
    if kind is ClickMode:
        fields["mode"] = mode

    answer = world.call(name, kind.Request(**fields), kind.Response())

    if answer.success and kind is not ClickMode:
        world.restore()


# Nothing can be written there: a test must not leave files.
_NOWHERE = st.builds(
    "{}{}".format, st.sampled_from(["/proc/none/", "a", "~no.such.user/"]), st.text("a.~\0é/", max_size=9)
)
_PATHS = _NOWHERE | st.sampled_from(
    ["", "~", "/", "//", "/.", "/tmp", "/proc", "/proc/none/" + 300 * "a", "~no.such.user", "\0"]
)


@settings(max_examples=400, deadline=None)
@given(path=_PATHS, mine=st.booleans(), camera=CAMERAS)
def test_paths_to_save_to(world: World, path: str, mine: bool, camera: str) -> None:
    request = SaveObject.Request(path=path, camera=camera, object_id=world.ids()[0] if mine else 999)

    assert not world.call("~/save_object", request, SaveObject.Response()).success


@settings(max_examples=400, deadline=None)
@given(path=_PATHS | st.text(max_size=9).map("/{}".format) | st.text(max_size=9), camera=CAMERAS)
def test_paths_to_load_from(world: World, path: str, camera: str) -> None:
    request = LoadObject.Request(path=path, camera=camera)

    assert not world.call("~/load_object", request, LoadObject.Response()).success


@settings(max_examples=200, deadline=None)
@given(
    changes=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=4),
    kept=st.floats(0, 1),
)
def test_files(
    world: World, saved: bytes, tmp_path_factory: Any, changes: list[tuple[float, int]], kept: float
) -> None:
    data = bytearray(saved)
    for place, value in changes:
        # Half of them in the header, which is short and says what lies where.
        data[int(place * (len(data) if value % 2 else 500))] = value
    path = tmp_path_factory.getbasetemp() / "mutated.safetensors"
    path.write_bytes(data[: int(kept * len(data))] if changes and kept < 0.5 else data)

    answer = world.call("~/load_object", LoadObject.Request(path=str(path)), LoadObject.Response())

    if answer.success:
        world.restore()


@settings(max_examples=400, deadline=None)
@given(
    topic=st.sampled_from(["/clicked_point", "/image/mouse_click", "~/mouse_click"]),
    xyz=st.tuples(PIXELS, PIXELS, st.floats(0.1, 5) | PIXELS),
    frame=st.just("camera") | st.text(max_size=5),
    stamp=STAMPS,
)
def test_clicks_with_a_header(
    world: World, topic: str, xyz: tuple[float, float, float], frame: str, stamp: tuple[int, int]
) -> None:
    message = PointStamped(header=Header(frame_id=frame), point=Point(x=xyz[0], y=xyz[1], z=xyz[2]))
    message.header.stamp.sec, message.header.stamp.nanosec = stamp

    world.click(topic, message)


@settings(max_examples=150, deadline=None)
@given(topic=st.sampled_from(["/image_mouse_left", "~/overlay_mouse_left"]), x=PIXELS, y=PIXELS)
def test_clicks_without(world: World, topic: str, x: float, y: float) -> None:
    world.click(topic, Point(x=x, y=y))


def test_what_goes_wrong_in_a_call_is_answered_and_costs_no_object(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def mistaken(object_id: int) -> bytes:
        raise ZeroDivisionError("a mistake of ours")

    logged: list[str] = []
    monkeypatch.setattr(world.stream, "save", mistaken)
    monkeypatch.setattr(world.node, "error", logged.append, raising=False)
    request = SaveObject.Request(path=str(tmp_path / "mug"), object_id=world.ids()[0])
    answer = world.call("~/save_object", request, SaveObject.Response())
    assert (answer.success, answer.message) == (
        False, "the node failed to do this, by ZeroDivisionError('a mistake of ours'); its log says where"
    )  # fmt: skip
    assert "in mistaken" in logged[0]
