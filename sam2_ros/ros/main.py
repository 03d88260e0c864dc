"""The node's process: from the command line to an orderly end."""

from __future__ import annotations

import argparse
import logging
import os
import queue
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable

import rclpy
from rclpy.executors import MultiThreadedExecutor
from rclpy.logging import get_logger
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from sam2_ros.transport import use_large_segment

from .arguments import BadRosArgument, without_ros
from .camera import NAME
from .log import RosLogHandler
from .node import Parts, Sam2Node
from .parameters import ParameterError, without_value

_PATIENCE = 3.0  # seconds for callbacks to finish what they are doing
_PAUSE = 0.001  # seconds


def main(arguments: list[str] | None = None, parts: Parts | None = None) -> int:
    """Runs the node until SIGINT or SIGTERM, and returns 0 then; 1 if it cannot be configured or fails.

    2 if an argument or a parameter that it is given is wrong.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    parser = argparse.ArgumentParser(
        prog="sam2_ros node",
        description="Tracks objects on the images of the topic `image`.",
        epilog="Parameters and topics as with any ROS 2 node: --ros-args -p model:=nano -r image:=/camera/image_raw",
    )
    try:
        parser.parse_args(without_ros(arguments))
    except BadRosArgument as error:
        parser.error(str(error))
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    try:
        use_large_segment()
        rclpy.init(args=arguments, signal_handler_options=SignalHandlerOptions.NO)
        return _run(parts)
    except KeyboardInterrupt:
        return 0
    finally:
        rclpy.try_shutdown()


def _run(parts: Parts | None) -> int:
    failures: queue.SimpleQueue[Exception] = queue.SimpleQueue()
    try:
        node = _make_node(failures.put, parts)
    except ParameterError as error:
        get_logger(NAME).error(f"cannot start: {error}")
        return 2
    ours = logging.getLogger("sam2_ros")
    ours.addHandler(RosLogHandler(node.get_logger()))
    ours.setLevel(logging.INFO)
    executor = MultiThreadedExecutor(num_threads=4)
    executor.add_node(node)
    # It spins in another thread, because a signal cannot interrupt one that waits for DDS.
    stopped = threading.Event()
    spinner = threading.Thread(target=_spin, args=(executor, stopped, failures.put), name="executor", daemon=True)
    status = 1
    try:
        if node.start():
            spinner.start()
            node.get_logger().fatal("".join(traceback.format_exception(failures.get())))
    except KeyboardInterrupt:
        status = 0
    # First the worker: threads of the executor may be waiting for it.
    if not node.release():
        # Python would crash if it ended beside a thread that computes.
        os._exit(status)
    stopped.set()
    executor.shutdown(timeout_sec=_PATIENCE)
    if spinner.ident is not None:
        spinner.join(_PATIENCE)
    node.destroy_node()
    return status


def _make_node(failed: Callable[[Exception], None], parts: Parts | None) -> Sam2Node:
    """Raises ParameterError."""
    try:
        return Sam2Node(failed, parts)
    except ValueError as error:
        if "PARAMETER_NOT_SET" in str(error):  # rclpy's, before our own code runs
            raise without_value(Node(NAME, enable_rosout=False, start_parameter_services=False)) from error
        raise


def _spin(executor: MultiThreadedExecutor, stopped: threading.Event, failed: Callable[[Exception], None]) -> None:
    """Until stopped.

    executor.spin() would hand a callback to its threads again and again until one of them has begun it, hundreds of
    times a second while the worker computes, and so keep the interpreter from both.
    """
    try:
        while not stopped.is_set():
            executor.spin_once()
            time.sleep(_PAUSE)
    except Exception as error:
        failed(error)


def _interrupt(number: int, frame: object) -> None:
    # One signal is enough; a second one must not break into the orderly end that the first began.
    for stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop, signal.SIG_IGN)
    raise KeyboardInterrupt
