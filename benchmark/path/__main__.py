"""Measures the node without its network: a camera's process, the node's, and this one, which listens to every output.

    python -m benchmark.path
    python -m benchmark.path --size 640x480 --seconds 20 --output build/path
    python -m benchmark.path --device-ms 15 --rate 60

The tracker knows the answer and costs nothing, so that what is left is the node's own path: DDS, messages, places by
depth, and every output that the node has here. With --device-ms it answers so many milliseconds later, as if it waited
for a GPU; what goes out of an image goes out while the next one is tracked. Printed are the share of the images that
were handled, the milliseconds from an image's arrival in the node to the last publication (own) and from its stamp to
there (age, which has the camera's publishing and DDS in it), and what each part takes at the median. `overlay` is made
beside all that, in a thread of its own; `encode`, the JPEG, is a part of it. Everything is written to path.json after
each case. Ends with 1 if a case could not be measured, and with 130 if it was interrupted.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rclpy
import torch
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import CompressedImage, Image, PointCloud2
from visualization_msgs.msg import MarkerArray

from benchmark.machine import describe
from benchmark.options import count_or_none, positive
from benchmark.output import BadOutput, make_room
from sam2_ros.apps.figures import write
from sam2_ros.msg import TrackedObjects
from sam2_ros.transport import use_large_segment

from .clocked_node import PARTS

OUTPUTS = {
    "objects": TrackedObjects,
    "label_image": Image,
    "overlay": Image,
    "overlay/compressed": CompressedImage,
    "points": PointCloud2,
    "markers": MarkerArray,
}
_PATIENCE = 60.0  # seconds
_MOST = 5
"""Objects that are in the picture."""


@dataclass(frozen=True)
class Case:
    width: int
    height: int
    depth: bool
    rate: float
    objects: int
    device_ms: int
    """Milliseconds until the tracker answers."""
    warm_up: int
    """Images that are sent before those that count."""
    count: int
    """Images that count."""


@dataclass(frozen=True)
class Result:
    """Milliseconds."""

    handled: float
    """Share of the images."""
    own: tuple[float, float]
    """From arrival to the last publication, p50 and p99."""
    age: tuple[float, float]
    """From stamp to the last publication, p50 and p99."""
    parts: dict[str, float]
    """p50 of each part; what is not asked for is not there."""
    heard: dict[str, int]
    """Messages that came of each output, also of the warm-up."""


def main(arguments: list[str] | None = None) -> int:
    """Runs the command. 0 if every case was measured, 1 if one could not be, 2 for wrong arguments, 130 if it was
    interrupted.
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.objects > _MOST:
        parser.error(f"--objects is {options.objects}, but {_MOST} are in the picture")
    file = options.output / "path.json"
    try:
        make_room(file)
    except BadOutput as error:
        parser.error(str(error))
    # Set before rclpy begins, and inherited by the other processes.
    use_large_segment()
    os.environ["ROS_DOMAIN_ID"] = str(random.randint(1, 100))
    machine = describe(torch.device("cpu"))
    print(f"{machine['device']}, {machine['cores']} cores, load {machine['load']:.1f}; {options.objects} objects, "
          f"{options.rate:g} images/s")  # fmt: skip
    cases = _cases(options)
    measured: list[dict[str, Any]] = []
    try:
        for case in cases:
            result = measure(case, options.output)
            measured.append({**asdict(case), **asdict(result)})
            write(file, {"machine": machine, "cases": measured})
            print_result(case, result)
    except RuntimeError as error:
        print(f"benchmark.path: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        left = f"{file} has the figures of {len(measured)}" if measured else "there are no figures"
        print(f"benchmark.path: interrupted; of {len(cases)} cases {left}", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmark.path", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--size", nargs="+", type=_size, default=[(640, 480), (1280, 720)], metavar="WIDTHxHEIGHT")
    parser.add_argument("--rate", type=positive, default=30.0, help="images a second (30)")
    parser.add_argument("--seconds", type=positive, default=10.0, help="for each case, after 2 of warm-up (10)")
    parser.add_argument(
        "--objects", type=count_or_none, default=_MOST, help=f"in the picture, at most {_MOST} ({_MOST})"
    )
    parser.add_argument(
        "--device-ms", type=count_or_none, default=0, metavar="MS", help="until the tracker answers (0)"
    )
    parser.add_argument("--output", type=Path, default=Path("build/path"), help="folder for path.json (build/path)")
    return parser


def _cases(options: argparse.Namespace) -> list[Case]:
    warm_up, count = round(2 * options.rate), max(1, round(options.rate * options.seconds))
    return [
        Case(width, height, depth, options.rate, options.objects, options.device_ms, warm_up, count)
        for width, height in options.size
        for depth in (False, True)
    ]


def measure(case: Case, folder: Path) -> Result:
    """Runs one case; files of the node lie in the folder. Raises RuntimeError if it could not be measured."""
    clocked = folder / "clocked.json"
    size = [str(case.width), str(case.height)]
    topics = [word for name in ("image", "depth", "camera_info") for word in ("-r", f"{name}:=/{name}")]
    ros = ["--ros-args", *topics, "-p", f"depth:={str(case.depth).lower()}"]
    count = case.warm_up + case.count
    depth = "depth" if case.depth else "none"
    heard: Counter[str] = Counter()
    given = [*size, str(case.objects), str(case.device_ms / 1000), str(clocked)]
    with _running("benchmark.path.clocked_node", *given, *ros) as node:
        with _listening(heard):
            with _running("benchmark.path.camera", *size, str(case.rate), str(count), depth, answers=True) as camera:
                stamps = _stamps(camera, node, _PATIENCE + count / case.rate)
            time.sleep(0.5)
        node.send_signal(signal.SIGINT)
        try:
            status = node.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            raise RuntimeError(f"the node did not end within {_PATIENCE:g} s") from None
        if status:
            raise RuntimeError(f"the node ended with exit status {status}")
    return evaluate(stamps[case.warm_up :], json.loads(clocked.read_text()), dict(heard))


def evaluate(stamps: list[int], frames: list[dict[str, Any]], heard: dict[str, int]) -> Result:
    """stamps: of the images that count. frames: what the node clocked, of all images."""
    wanted = set(stamps)
    frames = [frame for frame in frames if frame["stamp"] in wanted]
    if not frames:
        raise RuntimeError(f"none of {len(stamps)} images was handled")
    own, age = (np.percentile([1000 * one[key] for one in frames], (50, 99)).tolist() for key in ("own", "age"))
    parts = {
        name: float(np.median([1000 * one["parts"].get(name, 0.0) for one in frames]))
        for name in PARTS
        if any(name in one["parts"] for one in frames)
    }
    return Result(len(frames) / len(stamps), tuple(own), tuple(age), parts, heard)


def print_result(case: Case, result: Result) -> None:
    print(
        f"\n{case.width}x{case.height} {'with' if case.depth else 'without'} depth: {result.handled:.1%} handled; own "
        f"p50 {result.own[0]:.1f} ms, p99 {result.own[1]:.1f}; age p50 {result.age[0]:.1f}, p99 {result.age[1]:.1f}"
    )
    print("  " + ", ".join(f"{name} {milliseconds:.2f}" for name, milliseconds in result.parts.items()))


@contextlib.contextmanager
def _listening(heard: Counter[str]) -> Iterator[None]:
    """Subscribes to every output meanwhile and counts what comes, unread, so that it takes little time from others."""
    # Its handlers would end the context beneath what still runs, when Ctrl-C is to end this command in order.
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    node = Node("listener")

    def counting(name: str) -> Any:
        def take(data: bytes) -> None:
            heard[name] += 1

        return take

    for name, kind in OUTPUTS.items():
        node.create_subscription(kind, f"/sam2/{name}", counting(name), QoSProfile(depth=5), raw=True)
    executor = SingleThreadedExecutor()
    executor.add_node(node)

    def spin() -> None:
        with contextlib.suppress(ExternalShutdownException):
            executor.spin()

    thread = threading.Thread(target=spin)
    thread.start()
    try:
        yield
    finally:
        executor.shutdown()
        thread.join()
        node.destroy_node()
        rclpy.shutdown()


@contextlib.contextmanager
def _running(module: str, *arguments: str, answers: bool = False) -> Iterator[subprocess.Popen]:
    """A process, which is killed in the end if it is still there. answers: what it prints is wanted."""
    command = [sys.executable, "-m", module, *arguments]
    printed = subprocess.PIPE if answers else subprocess.DEVNULL
    # Of a session of its own, so that Ctrl-C reaches this process alone.
    with subprocess.Popen(command, stdout=printed, text=True, start_new_session=True) as process:
        try:
            yield process
        finally:
            process.kill()


def _stamps(camera: subprocess.Popen, node: subprocess.Popen, patience: float) -> list[int]:
    """Waits for the camera's end and returns the stamps that it sent. Raises RuntimeError if it fails or takes longer,
    and as soon as the node has ended, without which the camera would wait for ever.

    patience: seconds.
    """
    deadline = time.monotonic() + patience
    while True:
        try:
            output, _ = camera.communicate(timeout=0.2)
            break
        except subprocess.TimeoutExpired:
            if node.poll() is not None:
                raise RuntimeError(f"the node ended with exit status {node.returncode} before the camera did") from None
            if time.monotonic() > deadline:
                raise RuntimeError(f"the camera did not end within {patience:g} s") from None
    if camera.returncode:
        raise RuntimeError(f"the camera ended with exit status {camera.returncode}")
    return json.loads(output)


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.partition("x")
    if not (width.isdecimal() and height.isdecimal() and int(width) >= 32 and int(height) >= 32):
        raise argparse.ArgumentTypeError(f"{text!r} is not a size; write WIDTHxHEIGHT, 32 pixels or more each")
    return int(width), int(height)


if __name__ == "__main__":
    sys.exit(main())
