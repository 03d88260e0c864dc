"""A camera for trying things out: the simulated tabletop, a video file or a folder of images, as a ROS node."""

from __future__ import annotations

import argparse
import math
import signal
import sys
import threading
import time
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path

import rclpy
from rcl_interfaces.msg import ParameterDescriptor
from rclpy.duration import Duration
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.signals import SignalHandlerOptions
from rclpy.time import Time
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from sam2_ros.geometry.camera import BadCamera, Pinhole
from sam2_ros.ros.arguments import BadRosArgument, parameters_named, without_ros
from sam2_ros.ros.images import to_message
from sam2_ros.transport import use_large_segment

from .player import Player, Unplayable
from .views import View

FRAME_ID = "camera_optical_frame"

_PERIOD = 20.0
"""Seconds after which the simulated tabletop repeats itself."""

_LARGEST = 8192
"""Pixels along an edge of an image; not every OpenGL draws more."""

_BYTES_PER_PIXEL = 6
"""Of a view: three of colour, two of depth, one of truth."""

_MOST_MEMORY = 4
"""GiB for the views of a period."""

_DISCOVERY = 1.0
"""Seconds; with the large-data transport a subscriber may hear nothing for 0.3 s after its publisher knows of it."""


class BadParameter(ValueError):
    """A parameter with a value that cannot be used; the message names both and what would be right."""


class Camera(Node):
    """Publishes views at a rate; image, camera_info, depth and truth of a view carry the same header.

    The parameter `paused` keeps it at the view that it shows, which goes on being published with new stamps.
    """

    def __init__(self, views: Iterator[View], intrinsics: Pinhole | None, rate: float, wait: bool) -> None:
        """views: at least one. intrinsics: None where they are unknown, which camera_info says by zeros.

        rate: views per second. wait: do not begin before somebody subscribes to the image. Raises BadParameter.
        """
        super().__init__("camera")
        self.ended = False
        self._views = views
        self._view = next(views)
        self._intrinsics = intrinsics
        self._wait = wait
        self._heard: float | None = None
        self._started = False
        self._stamp = 0
        self._declare_paused()
        # Reliable, so that both reliable and best-effort subscribers match; a robot's camera would be best effort.
        self._image = self.create_publisher(Image, "~/image_raw", QoSProfile(depth=5))
        self._depth = self.create_publisher(Image, "~/depth/image_raw", QoSProfile(depth=5))
        # Small, and who compares results with them needs every one, even if it is late.
        self._info = self.create_publisher(CameraInfo, "~/camera_info", QoSProfile(depth=1000))
        self._truth = self.create_publisher(Image, "~/truth", QoSProfile(depth=50))
        self.create_timer(1.0 / rate, self._tick)

    def _declare_paused(self) -> None:
        # At first with any type, because rclpy's own error is no sentence, and of an empty list there is none.
        paused = self.declare_parameter("paused", False, ParameterDescriptor(dynamic_typing=True)).value
        if not isinstance(paused, bool):
            given = [] if paused is None else paused
            raise BadParameter(f"the parameter paused is {given!r}; it must be true or false")
        self.undeclare_parameter("paused")
        self.declare_parameter("paused", paused, ignore_override=True)

    def _tick(self) -> None:
        if self._wait and not self._subscribed():
            return
        if self._started and not self.get_parameter("paused").value:
            following = next(self._views, None)
            if following is None:
                self.ended = True
                return
            self._view = following
        self._started = True
        self._publish(self._view)

    def _subscribed(self) -> bool:
        """Whether somebody has subscribed to the image, and has had the time to find us in turn."""
        if self._heard is None and self._image.get_subscription_count():
            self._heard = time.monotonic()
        return self._heard is not None and time.monotonic() - self._heard > _DISCOVERY

    def finish(self) -> None:
        """Waits a little until everybody who listens reliably has all."""
        for publisher in (self._image, self._info, self._depth, self._truth):
            publisher.wait_for_all_acked(Duration(seconds=2.0))

    def _publish(self, view: View) -> None:
        # The ROS clock can stand still or fall, where time is simulated; stamps of a camera rise all the same.
        self._stamp = max(self._stamp + 1, self.get_clock().now().nanoseconds)
        header = Header(stamp=Time(nanoseconds=self._stamp).to_msg(), frame_id=FRAME_ID)
        self._info.publish(camera_info(view, self._intrinsics, header))
        if self._truth.get_subscription_count() and view.labels is not None:
            self._truth.publish(to_message(view.labels, "mono8", header))
        if self._depth.get_subscription_count() and view.depth is not None:
            self._depth.publish(to_message(view.depth, "16UC1", header))
        if self._image.get_subscription_count():
            self._image.publish(to_message(view.image, "rgb8", header))


def camera_info(view: View, intrinsics: Pinhole | None, header: Header) -> CameraInfo:
    """For a pinhole camera without distortion; with zeros for K and P, which means uncalibrated, without intrinsics."""
    height, width = view.image.shape[:2]
    message = CameraInfo(header=header, height=height, width=width, distortion_model="plumb_bob", d=[0.0] * 5)
    message.r = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]
    if intrinsics is not None:
        fx, fy, cx, cy = intrinsics.fx, intrinsics.fy, intrinsics.cx, intrinsics.cy
        message.k = [fx, 0.0, cx, 0.0, fy, cy, 0.0, 0.0, 1.0]
        message.p = [fx, 0.0, cx, 0.0, 0.0, fy, cy, 0.0, 0.0, 0.0, 1.0, 0.0]
    return message


def parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(
        prog="sam2_ros camera",
        description="Plays a simulated tabletop, a video file or a folder of images as the ROS node 'camera', with "
        "the topics ~/image_raw and ~/camera_info and, where the source has them, ~/depth/image_raw and ~/truth "
        "(mono8, pixel = object id). The ROS parameter 'paused' holds the picture. Arguments after --ros-args go "
        "to ROS.",
    )
    result.add_argument("source", nargs="?", type=Path, metavar="VIDEO|FOLDER", help="a video file that OpenCV reads, "
                        "or a folder of images, perhaps with images/, masks/ and depth/ in it")  # fmt: skip
    result.add_argument("--simulated", action="store_true", help="the simulated tabletop instead; it repeats for ever")
    result.add_argument("--seed", type=int, default=0, help="which tabletop; 0 is the one of the demo")
    result.add_argument("--rate", type=float, default=10.0, help="images per second (default: 10)")
    result.add_argument("--loop", action="store_true", help="begin again at the end of the video or folder")
    result.add_argument("--width", type=int, help="pixels, to resize to; with --height")
    result.add_argument("--height", type=int, help="pixels, to resize to; with --width")
    result.add_argument("--wait", action="store_true", help="begin when somebody subscribes to the image")
    result.add_argument("--depth-unit", type=float, default=0.001, metavar="METRES",
                        help="what one unit of the depth files stands for (default: 0.001)")  # fmt: skip
    return result


def _check(command: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """Ends the program with a sentence if a number is out of its range."""
    for name, number in (("rate", options.rate), ("depth-unit", options.depth_unit)):
        if not 0 < number < math.inf:
            command.error(f"--{name} {number}: it must be a number above 0")
    if options.seed < 0:
        command.error(f"--seed {options.seed}: it must be 0 or above")
    if (options.width is None) != (options.height is None):
        command.error("--width and --height go together")
    if options.width is not None and not all(16 <= edge <= _LARGEST for edge in (options.width, options.height)):
        command.error(f"--width {options.width} --height {options.height}: from 16 to {_LARGEST} pixels each")
    if not options.simulated:
        return
    width, height = _size(options)
    count = _count(options.rate)
    size = width * height * count * _BYTES_PER_PIXEL / 2**30
    if size > _MOST_MEMORY:
        command.error(
            f"{count} images of {width}x{height} pixels, which is one round of the simulated tabletop at --rate "
            f"{options.rate:g}, take {size:.1f} GiB; at most {_MOST_MEMORY} GiB are allowed: choose a lower rate or "
            "size"
        )


def main(arguments: list[str] | None = None) -> int:
    """Runs the node until the source ends or a signal comes.

    0 when all was played, 1 when it cannot play, 2 for a wrong argument or parameter.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    command = parser()
    try:
        options = command.parse_args(without_ros(arguments))
    except BadRosArgument as error:
        command.error(str(error))
    if options.simulated == (options.source is not None):
        command.error("name a VIDEO or FOLDER, or say --simulated")
    _check(command, options)
    try:
        views, intrinsics = _simulated(options) if options.simulated else (_played(options), None)
        return _run(views, intrinsics, options, arguments)
    except (Unplayable, BadCamera, ImportError, RuntimeError) as error:
        print(f"sam2_ros camera: {error}", file=sys.stderr)
        return 1
    except (BadParameter, BadRosArgument) as error:
        command.error(str(error))
    except KeyboardInterrupt:
        return 0


def _run(views: Iterator[View], intrinsics: Pinhole | None, options: argparse.Namespace, arguments: list[str]) -> int:
    # rclpy's own handlers would invalidate the publishers while an image is being published.
    use_large_segment()
    rclpy.init(args=arguments, signal_handler_options=SignalHandlerOptions.NO)
    # Not by an exception: raised where Python ignores them, in a destructor say, it would be lost.
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    try:
        with parameters_named():
            camera = Camera(views, intrinsics, options.rate, options.wait)
        camera.get_logger().info(f"playing at {options.rate:g} images per second")
        executor = SingleThreadedExecutor()
        executor.add_node(camera)
        while not (camera.ended or stopped.is_set()):
            executor.spin_once(timeout_sec=0.2)
        if camera.ended:
            camera.get_logger().info("the source has ended")
            camera.finish()
    finally:
        rclpy.try_shutdown()
    return 0


def _played(options: argparse.Namespace) -> Iterator[View]:
    size = None if options.width is None else (options.width, options.height)
    return iter(Player(options.source, size, options.depth_unit, options.loop))


def _size(options: argparse.Namespace) -> tuple[int, int]:
    """Width and height of the simulated tabletop's images."""
    return options.width or 640, options.height or 480


def _count(rate: float) -> int:
    """Images of a period of the simulated tabletop."""
    return max(1, round(_PERIOD * rate))


def _simulated(options: argparse.Namespace) -> tuple[Iterator[View], Pinhole]:
    """Renders a period of the tabletop before it plays it, so that playing leaves the processor to the tracker."""
    try:
        from .tabletop import Tabletop
    except ImportError as error:
        raise ImportError(f"the simulated tabletop needs MuJoCo ({error}): pip install mujoco") from error
    width, height = _size(options)
    tabletop = Tabletop(options.seed, width=width, height=height, period=_PERIOD)
    count = _count(options.rate)
    views = []
    for k in range(count):
        views.append(tabletop.frame(k * tabletop.period / count).view)
        if (k + 1) % max(1, count // 10) == 0:
            print(f"rendered {k + 1} of {count} images of the simulated tabletop", flush=True)
    tabletop.close()
    return cycle(views), tabletop.camera
