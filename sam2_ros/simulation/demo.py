"""The demo: a camera and the tracker as processes of their own, over DDS, and a verdict whether it tracked."""

from __future__ import annotations

import argparse
import importlib.util
import os
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import rclpy
from numpy.typing import NDArray
from rclpy.executors import SingleThreadedExecutor
from rclpy.signals import SignalHandlerOptions
from rclpy.task import Future

from .client import Client
from .page_demo import serve
from .processes import Process, ProcessDied, end_in_order, isolate
from .record import Box, Target, truths

PROMPTED = {"ball": 1, "cereal box": 2}
"""Objects of the simulated tabletop, by their ids in its truth: the first by a click, the second by a box."""

NEEDED = ("av", "matplotlib", "mujoco")
"""Packages that nothing but the demo needs."""


class NotReady(RuntimeError):
    """Something did not come in time."""


def parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(
        prog="sam2_ros demo",
        description="Starts a camera and the tracker, prompts two objects of a simulated tabletop, or one of your own "
        "video, and tracks. Writes overlay.mp4 and summary.png. Ends with 0 only if it tracked. With --page it leaves "
        "the prompts to you, in a browser, until Ctrl-C.",
    )
    result.add_argument(
        "--video", type=Path, metavar="VIDEO|FOLDER", help="your own, instead of the simulated tabletop"
    )
    result.add_argument("--box", metavar="X0,Y0,X1,Y1", help="of the object on the video's first frame, in pixels")
    result.add_argument("--model", default="nano", help="name or file of the network (default: nano, the embedded one)")
    result.add_argument(
        "--page", nargs="?", const="", metavar="HOST:PORT",
        help="serve a page to click on, at localhost:8080 if nothing else is said",
    )  # fmt: skip
    result.add_argument("--seconds", type=float, default=20.0, help="how long to track at most (default: 20)")
    result.add_argument(
        "--rate", type=float, default=10.0, help="images per second, whatever the video's own (default: 10)"
    )
    result.add_argument("--output", type=Path, default=Path("demo"), help="folder to write to (default: demo)")
    return result


def main(arguments: list[str] | None = None) -> int:
    """Runs the demo. 0 if it tracked, or with --page was ended by Ctrl-C; 1 if not, 2 for wrong arguments."""
    command = parser()
    options = command.parse_args(arguments)
    try:
        options.box = None if options.box is None else _numbers(options.box)
    except ValueError as error:
        command.error(str(error))
    if options.page is not None:
        if options.box is not None:
            command.error("--page and --box do not go together: on the page you draw the box")
        for name in ("seconds", "output"):
            if getattr(options, name) != command.get_default(name):
                command.error(
                    f"--page and --{name} do not go together: the page is there until Ctrl-C and writes nothing"
                )
    elif (options.video is None) != (options.box is None):
        command.error("--video and --box go together: the box says what to track; or say --page, and click")
    if options.video is not None and not options.video.exists():
        command.error(f"--video {options.video} does not exist")
    if not options.seconds > 0 or not options.rate > 0:
        command.error(f"--seconds {options.seconds:g} --rate {options.rate:g}: both must be above 0")
    needed = NEEDED if options.page is None else () if options.video else ("mujoco",)
    missing = [name for name in needed if importlib.util.find_spec(name) is None]
    if missing:
        print(f"the demo needs {', '.join(missing)}: pip install {' '.join(missing)}")
        return 1
    if options.page is not None:
        return serve(options.video, options.rate, options.model, options.page)
    try:
        options.output.mkdir(parents=True, exist_ok=True)
        demo = Demo(options)
    except OSError as error:
        command.error(f"--output {options.output} cannot be written to: {error.strerror}")
    end_in_order()
    try:
        faults = demo.run()
    except (ProcessDied, NotReady) as error:
        faults = [str(error)]
    except KeyboardInterrupt:
        faults = ["it was interrupted"]
    print(f"not tracked: {'; '.join(faults)}" if faults else f"tracked: {demo.summary}", flush=True)
    return 1 if faults else 0


def _numbers(text: str) -> Box:
    try:
        x0, y0, x1, y1 = (float(number) for number in text.split(","))
    except ValueError:
        raise ValueError(f"--box {text}: four numbers x0,y0,x1,y1 are needed") from None
    if not (x0 < x1 and y0 < y1):
        raise ValueError(f"--box {text}: x0 must be below x1, and y0 below y1")
    return (x0, y0, x1, y1)


class Demo:
    """One run."""

    def __init__(self, options: argparse.Namespace) -> None:
        from .film import Film

        self._options = options
        self.summary = ""
        """One line of figures, after a run."""
        self._film = Film(options.output / "overlay.mp4", options.rate)
        self._pictures: dict[float, NDArray[np.uint8]] = {}
        self._first = 0

    def run(self) -> list[str]:
        """What was wrong; empty if it tracked. Raises ProcessDied or NotReady."""
        isolate()
        with ExitStack() as at_end:
            at_end.callback(self._film.close)
            self._camera, self._node = self._start(at_end)
            rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
            at_end.callback(rclpy.try_shutdown)
            self._client = Client(self._overlay)
            self._executor = SingleThreadedExecutor()
            self._executor.add_node(self._client)
            self._prepare()
            self._track()
        return self._finish()

    def _start(self, at_end: ExitStack) -> tuple[Process, Process]:
        print(f"starting the camera and the tracker (ROS_DOMAIN_ID={os.environ['ROS_DOMAIN_ID']})", flush=True)
        options = self._options
        source = ["--simulated"] if options.video is None else [str(options.video)]
        paused = ["--ros-args", "-p", "paused:=true"]
        camera = Process("camera", ["camera", *source, "--rate", str(options.rate), *paused])
        at_end.callback(camera.stop)
        camera.wait_for("playing")
        node = Process(
            "node", ["node", "--ros-args", "-r", "image:=/camera/image_raw", "-p", f"model:={options.model}"]
        )
        at_end.callback(node.stop)
        return camera, node

    def _prepare(self) -> None:
        """Waits for everybody, prompts on the image at which the camera stands, and lets the camera play."""
        client = self._client
        self._wait("the first image of the camera", 120, lambda: client.size is not None and client.can_pause)
        self._wait("the tracker's first output", 120, lambda: client.outputs > 0 and client.can_prompt)
        if self._options.video is not None:
            self._prompt("object", None, box=self._options.box)
        else:
            self._wait("the truth", 30, lambda: client.labels is not None)
            labels = np.asarray(client.labels)
            seen = truths(labels)
            (clicked, first), (boxed, second) = PROMPTED.items()
            self._prompt(clicked, first, point=_middle(labels == first))
            self._prompt(boxed, second, box=seen[second].box)
        client.recording = True
        self._answer(client.play(), "the camera's answer to 'play'", 30)

    def _prompt(self, name: str, truth_id: int | None, **prompt: Any) -> None:
        answer = self._answer(self._client.prompt(name, **prompt), "the answer to a prompt", 120)
        if not answer.success:
            raise NotReady(f"the tracker refused to track the {name}: {answer.message}")
        self._client.record.targets += (Target(name, answer.object_id, truth_id),)
        how = ", ".join(f"{kind} {' '.join(f'{v:.0f}' for v in value)}" for kind, value in prompt.items())
        print(f"prompted the {name} by {how}: object {answer.object_id}", flush=True)

    def _track(self) -> None:
        """Prints a line per second until the time is up or the camera has played all."""
        record = self._client.record
        second, begun, since = 0, time.monotonic(), 0
        while second < self._options.seconds and not self._camera.succeeded:
            second += 1
            self._spin(begun + second - time.monotonic(), lambda: self._camera.succeeded)
            print(record.line(second, since), flush=True)
            since = len(record.outputs)
        if self._camera.succeeded:
            self._spin(1.0)  # the tracker may still be at the last image
        self._client.recording = False
        # On a busy machine the camera's small messages may come after the tracker's.
        self._spin(10.0, lambda: not record.outputs or max(record.inputs) >= record.outputs[-1].stamp)

    def _spin(self, seconds: float, enough: Callable[[], bool] = lambda: False) -> bool:
        """Handles messages for so long, or until there is enough; says whether there is."""
        end = time.monotonic() + seconds
        while not enough() and time.monotonic() < end:
            self._check()
            self._executor.spin_once(0.05)
        return enough()

    def _overlay(self, stamp: int, image: NDArray[np.uint8]) -> None:
        """Films it, and keeps two small pictures per second for the summary."""
        self._film.add(stamp, image)
        self._first = self._first or stamp
        moment = (stamp - self._first) * 1e-9
        if not self._pictures or moment - max(self._pictures) >= 0.45:
            size = (480, max(1, 480 * image.shape[0] // image.shape[1]))
            self._pictures[moment] = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)

    def _finish(self) -> list[str]:
        """Judges, and writes the summary if there is something to show."""
        from .summary import draw

        options, record, film = self._options, self._client.record, self._film
        self.summary, faults = record.summary(), record.faults(options.rate)
        written = [f"{film.path} ({film.count} images)"] if film.count else []
        if not film.count:
            faults.append("no overlay came")
        if record.outputs:
            source = "simulated tabletop" if options.video is None else options.video.name
            picture = options.output / "summary.png"
            draw(picture, f"{source}, {options.model}: {self.summary}", record, self._pictures)
            written.append(str(picture))
        if written:
            print(f"wrote {' and '.join(written)}")
        if options.video is not None and film.count:
            print(f"whether it was the right thing, {film.path} shows: of a video the truth is not known")
        return faults

    def _wait(self, what: str, patience: float, condition: Callable[[], bool]) -> None:
        """Raises NotReady after `patience` seconds in which neither the camera nor the tracker said anything."""
        begun = time.monotonic()
        while not self._spin(10.0, condition):
            now = time.monotonic()
            if now - max(begun, self._camera.heard, self._node.heard) > patience:
                raise NotReady(f"{what} did not come, nor any sign of life for {patience:g} s")
            print(f"waiting for {what}, {now - begun:.0f} s", flush=True)

    def _answer(self, future: Future, what: str, patience: float) -> Any:
        self._wait(what, patience, future.done)
        return future.result()

    def _check(self) -> None:
        """Raises ProcessDied if the tracker has ended, or the camera before it has played all."""
        self._node.check()
        if not self._camera.succeeded:
            self._camera.check()


def _middle(mask: NDArray[np.bool_]) -> tuple[float, float]:
    """x and y of the pixel of a mask (H, W) that is farthest from its edge."""
    _, _, _, place = cv2.minMaxLoc(cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 5))
    return (float(place[0]), float(place[1]))
