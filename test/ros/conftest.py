"""Processes and a client that speak over DDS, in a domain of their own."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest
import rclpy
import torch
from rclpy.context import Context
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import QoSProfile
from safetensors.torch import save_file
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from sam2_ros import transport
from sam2_ros.msg import TrackedObjects
from sam2_ros.network import Sam2, Sam2Config
from sam2_ros.ros.images import to_message
from sam2_ros.ros.messages import to_nanoseconds, to_time

PATIENCE = 120.0  # seconds; the machine of a test may be busy
Value = TypeVar("Value")


def until(get: Callable[[], Value], patience: float = PATIENCE, check: Callable[[], None] = lambda: None) -> Value:
    """Waits for the first value that is true."""
    end = time.monotonic() + patience
    while not (value := get()):
        assert time.monotonic() < end, "waited in vain"
        check()
        time.sleep(0.01)
    return value


class Process:
    """A child process and what it prints."""

    def __init__(self, command: list[str]) -> None:
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        for line in self._process.stdout:
            self.lines.append(line.rstrip())

    @property
    def output(self) -> str:
        return "\n".join(self.lines)

    def wait_for(self, text: str) -> str:
        """The first line with this text."""
        return until(lambda: next((line for line in self.lines if text in line), ""), check=self.check)

    def check(self) -> None:
        """Fails if it has ended."""
        assert self._process.poll() is None, f"ended with {self._process.returncode}:\n{self.output}"

    def send_signal(self, number: int) -> None:
        self._process.send_signal(number)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def ended(self) -> bool:
        return self._process.poll() is not None

    def wait(self) -> int:
        """Its exit status, when it ends by itself."""
        status = self._process.wait(PATIENCE)
        self._reader.join()
        return status

    def stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join()


class Client:
    """A camera, and one who listens to the node `sam2` and calls its services."""

    def __init__(self, context: Context) -> None:
        self.node = Node("client", context=context)
        self.objects: list[TrackedObjects] = []
        self.images: dict[str, list[Image]] = {"label_image": [], "overlay": []}
        self._stamp = 1_000_000_000_000
        self._services: dict[str, Any] = {}
        self._camera = self._plug_in()
        self.node.create_subscription(TrackedObjects, "/sam2/objects", self.objects.append, QoSProfile(depth=100))
        for name, received in self.images.items():
            self.node.create_subscription(Image, f"/sam2/{name}", received.append, QoSProfile(depth=100))
        self._executor = SingleThreadedExecutor(context=context)
        self._executor.add_node(self.node)
        self._spinner = threading.Thread(target=self._spin, daemon=True)
        self._spinner.start()

    def _spin(self) -> None:
        with contextlib.suppress(ExternalShutdownException):
            self._executor.spin()

    def close(self) -> None:
        self._executor.shutdown()
        self._spinner.join()
        self.node.destroy_node()

    def _plug_in(self) -> Publisher:
        return self.node.create_publisher(Image, "/camera/image_raw", QoSProfile(depth=1))

    def unplug(self) -> None:
        """Takes the camera from the graph and puts another one in its place."""
        self.node.destroy_publisher(self._camera)
        self._camera = self._plug_in()

    def turn_back(self, seconds: float) -> None:
        """Has the next images be older, as those of a recording that begins anew.

        By a millisecond more, so that none has the stamp of an earlier one, by which its answer would be taken for its
        own.
        """
        self._stamp -= round(1e9 * seconds) + 1_000_000

    def send(self, message: Image) -> Image:
        """Publishes an image as it is."""
        self._camera.publish(message)
        return message

    def image(
        self, colour: tuple[int, int, int] = (90, 90, 90), height: int = 48, width: int = 64, later: float = 0.1
    ) -> Image:
        """A plain rgb8 image, so many seconds later than the one before."""
        self._stamp += round(1e9 * later)
        header = Header(frame_id="camera_optical_frame", stamp=to_time(self._stamp))
        return to_message(np.full((height, width, 3), colour, np.uint8), "rgb8", header)

    def track(self, **how: Any) -> TrackedObjects:
        """Sends an image and gives the answer that has its stamp."""
        return self.answer(self.send(self.image(**how)))

    def answer(self, image: Image) -> TrackedObjects:
        """The ~/objects with this image's stamp."""
        stamp = to_nanoseconds(image.header.stamp)
        return until(lambda: next((one for one in self.objects if to_nanoseconds(one.header.stamp) == stamp), None))

    def picture(self, name: str, image: Image) -> Image:
        """The ~/label_image or ~/overlay with this image's stamp."""
        stamp, received = to_nanoseconds(image.header.stamp), self.images[name]
        return until(lambda: next((one for one in received if to_nanoseconds(one.header.stamp) == stamp), None))

    def meet(self, **how: Any) -> None:
        """Sends images until they are answered on every topic: discovery has no end of its own to wait for."""
        topics = [self.objects, *self.images.values()]
        counts = [len(received) for received in topics]

        def met() -> bool:
            self.send(self.image(**how))
            time.sleep(0.1)
            return all(len(received) > before for received, before in zip(topics, counts, strict=True))

        until(met)

    def call(self, kind: Any, name: str, request: Any = None, node: str = "sam2") -> Any:
        """The response of a service of the node."""
        topic = f"/{node}/{name}"
        new = topic not in self._services
        if new:  # kept, because a node may answer before it has discovered a new client
            self._services[topic] = self.node.create_client(kind, topic)
        client = self._services[topic]
        assert client.wait_for_service(PATIENCE), f"there is no service {name}"
        if new:
            time.sleep(0.5)  # the node discovers the client a moment later than the client the node
        future = client.call_async(request or kind.Request())
        until(future.done)
        return future.result()


@pytest.fixture(scope="session")
def context() -> Iterator[Context]:
    settings = {
        "ROS_DOMAIN_ID": str(random.randint(1, 100)),
        transport.VARIABLE: transport.LARGE_SEGMENT,
        "RCUTILS_COLORIZED_OUTPUT": "0",
    }
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    context = Context()
    rclpy.init(context=context)
    yield context
    context.try_shutdown()
    for name, value in before.items():
        if value is None:
            del os.environ[name]
        else:
            os.environ[name] = value


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small network with random weights for which everything is in view."""
    torch.manual_seed(1)
    config = Sam2Config(image_size=64, embed_dim=8, d_model=32, mem_dim=8, num_layers=1, dim_feedforward=16)
    network = Sam2(config)
    with torch.no_grad():
        network.sam_mask_decoder.pred_obj_score_head.layers[-1].bias += 5.0
    path = tmp_path_factory.mktemp("weights") / "small.safetensors"
    save_file(network.state_dict(), path, metadata={"config": json.dumps(config.to_dict())})
    return path


@pytest.fixture(scope="session", name="until")
def until_fixture() -> Callable[..., Any]:
    return until


Start = Callable[..., Process]


@pytest.fixture(scope="module")
def start(context: Context) -> Iterator[Start]:
    """Starts `sam2_ros COMMAND ARGUMENTS`, with parameters; `fake=True`: the node with a tracker without a network."""
    processes: list[Process] = []

    def start(command: str, *arguments: str, fake: bool = False, **parameters: object) -> Process:
        program = [str(Path(__file__).with_name("fake_node.py"))] if fake else ["-m", "sam2_ros", command]
        ros = ["--ros-args", "-r", "image:=/camera/image_raw"]
        for name, value in parameters.items():
            ros += ["-p", f"{name}:={str(value).lower() if isinstance(value, bool) else value}"]
        processes.append(Process([sys.executable, *program, *arguments, *ros]))
        return processes[-1]

    yield start
    for process in processes:
        process.send_signal(signal.SIGTERM)  # to all before the first is waited for, since each takes a second
    for process in processes:
        process.stop()


@pytest.fixture
def run(context: Context) -> Iterator[Callable[..., Process]]:
    """Starts a Python program by its path and arguments."""
    processes: list[Process] = []

    def run(*command: str) -> Process:
        processes.append(Process([sys.executable, *command]))
        return processes[-1]

    yield run
    for process in processes:
        process.stop()


@pytest.fixture(scope="module")
def client(context: Context) -> Iterator[Client]:
    client = Client(context)
    yield client
    client.close()
