"""The camera as a process of its own, seen over DDS."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import rclpy
from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
from rcl_interfaces.srv import SetParameters
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from sam2_ros.geometry.camera import Pinhole
from sam2_ros.ros.images import to_array
from sam2_ros.simulation.camera import camera_info, main
from sam2_ros.simulation.views import View

RUN = "import sys; from sam2_ros.simulation.camera import main; sys.exit(main())"


@pytest.fixture(scope="module")
def listener() -> Iterator[Node]:
    context = rclpy.Context()
    rclpy.init(context=context)
    yield Node("listener", context=context)
    rclpy.try_shutdown(context=context)


@pytest.fixture
def sequence(tmp_path: Path) -> Path:
    """Six frames, each of its own brightness, with masks and depth."""
    for kind in ("images", "masks", "depth"):
        (tmp_path / kind).mkdir()
    for k in range(6):
        cv2.imwrite(str(tmp_path / "images" / f"{k}.png"), np.full((48, 64, 3), 40 * k, np.uint8))
        cv2.imwrite(str(tmp_path / "masks" / f"{k}.png"), np.full((48, 64), k, np.uint8))
        cv2.imwrite(str(tmp_path / "depth" / f"{k}.png"), np.full((48, 64), 1000 + k, np.uint16))
    return tmp_path


@pytest.fixture
def start() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    running: list[subprocess.Popen[str]] = []

    def run(*arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen([sys.executable, "-c", RUN, *arguments], stderr=subprocess.PIPE, text=True)
        running.append(process)
        return process

    yield run
    for process in running:
        if process.poll() is None:
            process.kill()
        process.communicate()


class Ear:
    """Everything that a camera publishes."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self.heard: dict[str, list[Any]] = {}
        topics = {"image_raw": Image, "camera_info": CameraInfo, "depth/image_raw": Image, "truth": Image}
        self._subscriptions = [
            node.create_subscription(kind, f"/camera/{name}", self.heard.setdefault(name, []).append, quality)
            for name, kind in topics.items()
            # A robot's camera and its readers are best effort, a recorder is reliable: both must be served.
            for quality in [qos_profile_sensor_data if name == "image_raw" else 10]
        ]

    def until(self, enough: Callable[[], bool], patience: float = 60.0) -> None:
        executor = rclpy.executors.SingleThreadedExecutor(context=self._node.context)
        executor.add_node(self._node)
        end = time.monotonic() + patience
        while not enough() and time.monotonic() < end:
            executor.spin_once(0.05)
        executor.remove_node(self._node)
        assert enough(), {name: len(messages) for name, messages in self.heard.items()}

    def close(self) -> None:
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)


@pytest.fixture
def ear(listener: Node) -> Iterator[Ear]:
    ear = Ear(listener)
    yield ear
    ear.close()


def _stamp(message: Any) -> int:
    return int(message.header.stamp.sec * 10**9 + message.header.stamp.nanosec)


def test_a_looped_folder_comes_whole_with_equal_headers_and_rising_stamps(
    ear: Ear, start: Callable[..., Any], sequence: Path
) -> None:
    start(str(sequence), "--loop", "--rate", "20")

    def whole() -> list[tuple[Any, ...]]:
        """Image, camera_info, depth and truth of the images of which all four have come."""
        topics = [{_stamp(message): message for message in messages} for messages in ear.heard.values()]
        stamps = [stamp for stamp in topics[0] if all(stamp in topic for topic in topics)]
        return [tuple(topic[stamp] for topic in topics) for stamp in stamps]

    ear.until(lambda: len(whole()) >= 15 and {int(to_array(truth)[0, 0]) for *_, truth in whole()} == set(range(6)))
    stamps = [_stamp(message) for message in ear.heard["image_raw"]]
    assert (np.diff(stamps) > 0).all()
    assert np.median(np.diff(stamps)) == pytest.approx(0.05e9, rel=0.2)
    for image, info, depth, truth in whole():
        assert image.header == info.header == depth.header == truth.header
        assert image.header.frame_id == "camera_optical_frame"
        assert (image.encoding, depth.encoding, truth.encoding) == ("rgb8", "16UC1", "mono8")
        index = int(to_array(truth)[0, 0])
        assert (to_array(image) == 40 * index).all() and (to_array(depth) == 1000 + index).all()


def test_without_loop_it_ends_with_0(ear: Ear, start: Callable[..., Any], sequence: Path) -> None:
    process = start(str(sequence), "--wait", "--rate", "10")
    # What it sent last may come after it has ended.
    ear.until(lambda: process.poll() is not None and len(ear.heard["image_raw"]) >= 6)
    assert process.returncode == 0
    assert [int(to_array(message)[0, 0, 0]) for message in ear.heard["image_raw"]] == [0, 40, 80, 120, 160, 200]


def test_paused_it_stands_at_the_first_image_until_told_to_play(
    ear: Ear, listener: Node, start: Callable[..., Any], sequence: Path
) -> None:
    process = start(str(sequence), "--rate", "20", "--ros-args", "-p", "paused:=true")
    ear.until(lambda: len(ear.heard["image_raw"]) >= 10)
    assert all(to_array(message).max() == 0 for message in ear.heard["image_raw"])
    client = listener.create_client(SetParameters, "/camera/set_parameters")
    ear.until(client.service_is_ready)
    value = ParameterValue(type=ParameterType.PARAMETER_BOOL, bool_value=False)
    future = client.call_async(SetParameters.Request(parameters=[Parameter(name="paused", value=value)]))
    ear.until(lambda: future.done() and process.poll() is not None and ear.heard["image_raw"][-1].data[0] == 200)
    assert process.returncode == 0


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_cleanly(ear: Ear, start: Callable[..., Any], sequence: Path, sign: signal.Signals) -> None:
    process = start(str(sequence), "--loop")
    ear.until(lambda: len(ear.heard["image_raw"]) >= 1)
    process.send_signal(sign)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 0
    assert "Traceback" not in errors


def test_the_simulated_tabletop_has_intrinsics(ear: Ear, start: Callable[..., Any]) -> None:
    pytest.importorskip("mujoco")
    start("--simulated", "--rate", "1", "--width", "160", "--height", "120")
    ear.until(lambda: all(len(messages) >= 1 for messages in ear.heard.values()))
    info = ear.heard["camera_info"][-1]
    assert (info.width, info.height) == (160, 120)
    assert info.k[0] == info.k[4] == info.p[0] > 100 and info.k[2] == 79.5 and info.k[5] == 59.5
    assert to_array(ear.heard["truth"][-1]).max() == 6


def test_unknown_intrinsics_are_zeros() -> None:
    view = View(np.zeros((4, 6, 3), np.uint8))
    message = camera_info(view, None, Header())
    assert (message.height, message.width) == (4, 6) and not np.any(message.k) and not np.any(message.p)
    message = camera_info(view, Pinhole(6, 4, 5.0, 5.5, 2.5, 1.5), Header())
    assert list(message.k) == [5.0, 0, 2.5, 0, 5.5, 1.5, 0, 0, 1]


@pytest.mark.parametrize(
    ("value", "said"), [("7", "the parameter paused is 7; it must be true or false"), ("[]", "paused is []; it must")]
)
def test_a_parameter_of_the_wrong_type(start: Callable[..., Any], sequence: Path, value: str, said: str) -> None:
    process = start(str(sequence), "--ros-args", "-p", f"paused:={value}")
    _, errors = process.communicate(timeout=60)

    assert process.returncode == 2
    assert said in errors.splitlines()[-1]


@pytest.mark.parametrize("arguments, sentence", [
    ([], "name a VIDEO or FOLDER"),
    (["clip.mp4", "--simulated"], "name a VIDEO or FOLDER"),
    (["clip.mp4", "--rate", "0"], "--rate 0.0: it must be a number above 0"),
    (["clip.mp4", "--rate", "inf"], "--rate inf: it must be a number above 0"),
    (["clip.mp4", "--depth-unit", "-1"], "--depth-unit -1.0: it must be a number above 0"),
    (["clip.mp4", "--depth-unit", "0"], "--depth-unit 0.0: it must be a number above 0"),
    (["clip.mp4", "--depth-unit", "nan"], "--depth-unit nan: it must be a number above 0"),
    (["--simulated", "--seed", "-1"], "--seed -1: it must be 0 or above"),
    (["clip.mp4", "--width", "100"], "go together"),
    (["--simulated", "--width", "100000", "--height", "100000"], "--height 100000: from 16 to 8192 pixels each"),
    (["--simulated", "--width", "1920", "--height", "1080", "--rate", "30"],
     "600 images of 1920x1080 pixels, which is one round of the simulated tabletop at --rate 30, take 7.0 GiB; at "
     "most 4 GiB are allowed: choose a lower rate or size"),
    (["clip.mp4", "--width", "100", "--height", "0"], "--width 100 --height 0"),
    (["missing.mp4"], "missing.mp4 does not exist"),
])  # fmt: skip
def test_wrong_arguments_get_one_sentence(
    capsys: pytest.CaptureFixture[str], arguments: list[str], sentence: str
) -> None:
    try:
        assert main(arguments) == 1
    except SystemExit as stop:
        assert stop.code == 2
    assert sentence in capsys.readouterr().err.splitlines()[-1]
