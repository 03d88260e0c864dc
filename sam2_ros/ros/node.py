"""The node: brings camera, tracker and publishers together.

    image -> newest-frame slot -> worker thread: read, track, publish

The executor's threads put images into the slot and requests before the worker; they compute nothing.
"""

from __future__ import annotations

import argparse
import logging
import os
import queue
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from dataclasses import replace

import rclpy
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.event_handler import QoSRequestedIncompatibleQoSInfo, SubscriptionEventCallbacks
from rclpy.executors import MultiThreadedExecutor
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.logging import get_logger
from rclpy.qos import QoSProfile, ReliabilityPolicy, qos_policy_name_from_kind
from rclpy.signals import SignalHandlerOptions
from rclpy.subscription import Subscription
from rclpy.utilities import remove_ros_args
from sensor_msgs.msg import Image

from sam2_ros.tracking import Tracker

from . import parameters as node_parameters
from .click_input import ClickInput
from .loading import free_device_memory, load_tracker
from .log import RosLogHandler
from .parameters import ParameterError, Parameters
from .publishers import Publishers
from .report import Counts, Reporter
from .services import CallRefused, Services
from .space import Space, SpaceInput
from .stream import Stream
from .worker import Worker

_COMPLAINT_PERIOD = 2.0  # seconds
_DEPTH_COMPLAINT_PERIOD = 10.0  # seconds
_PATIENCE = 3.0  # seconds for the device to finish what it is doing; launch kills after ten


class Sam2Node(LifecycleNode):
    """Tracks objects on one camera's images.

    configure loads the network and runs it once; activate subscribes to the camera; deactivate unsubscribes; cleanup
    gives the device's memory back, and with it all objects.
    """

    def __init__(
        self, failed: Callable[[Exception], None], make_tracker: Callable[[Parameters], Tracker] = load_tracker
    ) -> None:
        """failed: called with an error that ends all work. make_tracker: called in the worker's thread.

        Raises ParameterError.
        """
        super().__init__("sam2", automatically_declare_parameters_from_overrides=True)
        for name in node_parameters.declare(self):
            self.get_logger().warning(f"there is no parameter {name!r}; what it was set to has no effect")
        self._failed = failed
        self._make_tracker = make_tracker
        self._worker: Worker[Image] | None = None
        self._stream: Stream | None = None
        self._space_input: SpaceInput | None = None
        self._click_input: ClickInput | None = None
        self._reliability = Parameters.reliability
        self._subscription: Subscription | None = None
        self._reporter: Reporter | None = None
        self._image_group = MutuallyExclusiveCallbackGroup()
        # Of its own, so that a depth image does not wait for an image to be handed over.
        self._space_group = MutuallyExclusiveCallbackGroup()
        self._outputs = Publishers(self)
        self._calls = Services(self, self._running)

    def start(self) -> bool:
        """Configures and activates, if the parameter autostart is true. False if it failed; why has been logged."""
        if not self.get_parameter("autostart").value:
            return True
        steps = (self.trigger_configure, self.trigger_activate)
        return all(step() == TransitionCallbackReturn.SUCCESS for step in steps)

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        try:
            self._configure(node_parameters.read(self))
        except ValueError as error:  # a parameter, a checkpoint, or what the tracker makes of them
            self.get_logger().error(f"cannot configure: {error}")
        except Exception:
            # rclpy would drop it without a word.
            self.get_logger().error(f"cannot configure:\n{traceback.format_exc()}")
        else:
            return super().on_configure(state)
        self.release()
        return TransitionCallbackReturn.FAILURE

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        worker, stream = self._running()
        subscription = self.create_subscription(
            Image,
            "image",
            worker.offer,
            QoSProfile(depth=1, reliability=ReliabilityPolicy[self._reliability.upper()]),
            callback_group=self._image_group,
            event_callbacks=SubscriptionEventCallbacks(incompatible_qos=self._on_incompatible_qos),
        )

        def count() -> Counts:
            return replace(stream.counts, dropped=worker.frames.dropped)

        reliability = ReliabilityPolicy[self._reliability.upper()]
        self._space_input = SpaceInput(self, stream.space, reliability, self._space_group)
        self._click_input = ClickInput(self, worker.tell, stream, subscription.topic_name, self.get_logger())
        self._subscription = subscription
        self._reporter = Reporter(self, self._image_group, subscription.topic_name, count)
        self.get_logger().info(f"waiting for images on {subscription.topic_name}")
        return super().on_activate(state)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        self._unsubscribe()
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        self.release()
        return super().on_cleanup(state)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        self.release()
        return super().on_shutdown(state)

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        self.release()
        return super().on_error(state)

    def release(self) -> bool:
        """Unsubscribes, stops the worker and gives the device's memory back. Calls that wait are refused.

        False if the worker does not end, which has been logged.
        """
        self._unsubscribe()
        worker, self._worker, self._stream = self._worker, None, None
        if worker is not None and not worker.stop(_PATIENCE):
            self.get_logger().error(f"the device has not answered for {_PATIENCE:g} s; its memory is not given back")
            return False
        del worker
        free_device_memory()
        return True

    def _configure(self, parameters: Parameters) -> None:
        self._reliability = parameters.reliability
        self._outputs.overlay_opacity = parameters.overlay_opacity
        self._outputs.scene.frames = parameters.object_frames and parameters.depth
        space = Space(
            self.resolve_topic_name("image"),
            self.resolve_topic_name("camera_info"),
            self.resolve_topic_name("depth") if parameters.depth else None,
            parameters.depth_tolerance,
            self._complain_of_depth,
        )
        worker: Worker[Image] = Worker(lambda message: stream.handle(message), self._failed)
        self._worker = worker
        tracker = worker.ask(lambda: self._make_tracker(parameters))
        stream = self._stream = Stream(tracker, space, self._outputs, self._complain, parameters.history)
        self.get_logger().info(f"configured with the model {parameters.model}")

    def _unsubscribe(self) -> None:
        if self._reporter is not None:
            self._reporter.stop()
        if self._subscription is not None:
            self.destroy_subscription(self._subscription)
        if self._space_input is not None:
            self._space_input.stop()
        if self._click_input is not None:
            self._click_input.stop()
            self._click_input = None
        self._reporter = self._subscription = self._space_input = None

    def _running(self) -> tuple[Worker[Image], Stream]:
        worker, stream = self._worker, self._stream
        if worker is None or stream is None:
            raise CallRefused("the node is not configured and has no tracker; configure it first")
        return worker, stream

    def _complain(self, reason: str) -> None:
        self.get_logger().warning(f"refused an image: {reason}", throttle_duration_sec=_COMPLAINT_PERIOD)

    def _complain_of_depth(self, reason: str) -> None:
        self.get_logger().warning(f"objects are not located: {reason}", throttle_duration_sec=_DEPTH_COMPLAINT_PERIOD)

    def _on_incompatible_qos(self, event: QoSRequestedIncompatibleQoSInfo) -> None:
        policy = qos_policy_name_from_kind(event.last_policy_kind)
        self.get_logger().error(
            f"none of the images of a publisher of {self.resolve_topic_name('image')} will come, because its QoS does "
            f"not fit (policy {policy}); the parameter reliability is {self._reliability}, and best_effort fits all",
            once=True,
        )


def main(arguments: list[str] | None = None, make_tracker: Callable[[Parameters], Tracker] = load_tracker) -> int:
    """Runs the node until SIGINT or SIGTERM, and returns 0 then; 1 if it cannot start or fails."""
    arguments = sys.argv[1:] if arguments is None else arguments
    parser = argparse.ArgumentParser(
        prog="sam2_ros node",
        description="Tracks objects on the images of the topic `image`.",
        epilog="Parameters and topics as with any ROS 2 node: --ros-args -p model:=nano -r image:=/camera/image_raw",
    )
    parser.parse_args(remove_ros_args(arguments))
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    try:
        rclpy.init(args=arguments, signal_handler_options=SignalHandlerOptions.NO)
        return _run(make_tracker)
    except KeyboardInterrupt:
        return 0
    finally:
        rclpy.try_shutdown()


def _run(make_tracker: Callable[[Parameters], Tracker]) -> int:
    failures: queue.SimpleQueue[Exception] = queue.SimpleQueue()
    try:
        node = Sam2Node(failures.put, make_tracker)
    except ParameterError as error:
        get_logger("sam2").error(f"cannot start: {error}")
        return 1
    logging.getLogger("sam2_ros").addHandler(RosLogHandler(node.get_logger()))
    executor = MultiThreadedExecutor(num_threads=4)
    executor.add_node(node)
    # It spins in another thread, because a signal cannot interrupt one that waits for DDS.
    spinner = threading.Thread(target=_spin, args=(executor, failures.put), name="executor", daemon=True)
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
    executor.shutdown(timeout_sec=_PATIENCE)
    if spinner.ident is not None:
        spinner.join(_PATIENCE)
    node.destroy_node()
    return status


def _spin(executor: MultiThreadedExecutor, failed: Callable[[Exception], None]) -> None:
    try:
        executor.spin()
    except Exception as error:
        failed(error)


def _interrupt(number: int, frame: object) -> None:
    # One signal is enough; a second one must not break into the orderly end that the first began.
    for stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop, signal.SIG_IGN)
    raise KeyboardInterrupt
