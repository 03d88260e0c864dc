"""The node: its lifecycle, and what brings cameras, worker and services together.

    image -> newest-frame slot -> worker thread: read, track -> a thread for each camera: locate, publish

The executor's threads put images into the slots and requests before the worker; they compute nothing.
"""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter

from sam2_ros.tracking import Tracker, track_together

from . import parameters as node_parameters
from .camera import NAME, Camera
from .compressed import ImageMessage
from .loading import free_device_memory, load_trackers
from .parameters import Parameters
from .services import CallRefused, Services
from .streams import Streams, TrackTogether
from .transforms import TransformBuffer
from .worker import NoAnswer, Worker

_PATIENCE = 3.0  # seconds for the device to finish what it is doing; launch kills after ten
_LONG_PATIENCE = 30.0  # where nobody kills; a large model on a CPU takes several for one image


@dataclass(frozen=True)
class Parts:
    """What the node is put together from. A test puts others in their place."""

    make_trackers: Callable[[Parameters], list[Tracker]] = load_trackers
    """One for each camera. Called in the worker's thread."""
    track: TrackTogether = track_together


class Sam2Node(LifecycleNode):
    """Tracks objects on the images of one camera or several.

    configure loads the network and runs it once; activate subscribes to the cameras; deactivate unsubscribes; cleanup
    gives the device's memory back, and with it all objects.
    """

    def __init__(self, failed: Callable[[Exception], None], parts: Parts | None = None) -> None:
        """failed: called with an error that ends all work. Raises ParameterError."""
        super().__init__(NAME, automatically_declare_parameters_from_overrides=True)
        for name in node_parameters.declare(self):
            self.get_logger().warning(f"there is no parameter {name!r}; what it was set to has no effect")
        self._failed = failed
        self._parts = parts or Parts()
        self._cameras = {name: Camera(self, name) for name in node_parameters.read(self).cameras}
        self._worker: Worker[ImageMessage] | None = None
        self._streams: Streams | None = None
        self._transforms: TransformBuffer | None = None
        self._releasing = threading.Lock()
        self._calls = Services(self, self._running, self._check_active)
        self.add_on_set_parameters_callback(partial(node_parameters.check_changes, self))
        self.add_post_set_parameters_callback(self._on_parameters)

    def start(self) -> bool:
        """Configures and activates, if the parameter autostart is true. False if it failed; why has been logged."""
        if not self.get_parameter("autostart").value:
            return True
        steps = (self.trigger_configure, self.trigger_activate)
        return all(step() == TransitionCallbackReturn.SUCCESS for step in steps)

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        if self._worker is not None and not self.release():  # left by a cleanup that failed
            return TransitionCallbackReturn.FAILURE  # a device that does not answer is not asked by two
        try:
            self._configure(node_parameters.read(self))
        except NoAnswer as error:  # the process is ending
            self.get_logger().info(f"not configured: {error}")
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
        if self._worker is None or self._streams is None:
            self.get_logger().error("cannot activate: a cleanup began that did not end; clean up once more")
            return TransitionCallbackReturn.FAILURE
        # The publishers first, so that nothing of the first image is lost.
        result = super().on_activate(state)
        try:
            self._activate(self._worker, self._streams)
        except Exception:
            # rclpy would drop it without a word. It has us clean up next.
            self.get_logger().error(f"cannot activate:\n{traceback.format_exc()}")
            return TransitionCallbackReturn.ERROR
        return result

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        self._unsubscribe()
        self.get_logger().info("inactive: no images are taken, and the objects are kept")
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        if not self.release(_LONG_PATIENCE):
            return TransitionCallbackReturn.FAILURE  # it may be asked for again when the device has answered
        self.get_logger().info("unconfigured: the objects are forgotten, and the device's memory is given back")
        return super().on_cleanup(state)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        if self.release(_LONG_PATIENCE):
            self.get_logger().info("shut down for good; the process can be ended")
        return super().on_shutdown(state)

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        self.release()
        return super().on_error(state)

    def release(self, patience: float = _PATIENCE) -> bool:
        """Unsubscribes, stops the worker and gives the device's memory back. Calls that wait are refused.

        patience: seconds. False if the worker does not end in them, which has been logged, or another call of this
        still waits for it.
        """
        if not self._releasing.acquire(timeout=patience):  # a lifecycle manager has it clean up
            return False
        try:
            return self._release(patience)
        finally:
            self._releasing.release()

    def _release(self, patience: float) -> bool:
        self._unsubscribe()
        worker, self._streams = self._worker, None
        if worker is not None and not worker.stop(patience):
            self.get_logger().error(f"the device has not answered for {patience:g} s; its memory is not given back")
            return False
        del worker
        self._worker = None
        for camera in self._cameras.values():
            camera.release()
        free_device_memory()
        return True

    def _unsubscribe(self) -> None:
        for camera in self._cameras.values():
            camera.deactivate()
        if self._transforms is not None:
            self._transforms.stop()
            self._transforms = None

    def _configure(self, parameters: Parameters) -> None:
        worker: Worker[ImageMessage] = Worker(lambda frames: streams.handle(frames), self._failed, self._cameras)
        self._worker = worker
        trackers = worker.ask(lambda: self._parts.make_trackers(parameters))
        made = {
            name: camera.configure(parameters, tracker)
            for (name, camera), tracker in zip(self._cameras.items(), trackers, strict=True)
        }
        streams = Streams(made, self._parts.track)
        worker.ask(partial(self._apply, parameters))
        self._streams = streams
        self.get_logger().info(f"configured with the model {parameters.model}")

    def _activate(self, worker: Worker[ImageMessage], streams: Streams) -> None:
        for stream in streams.all:
            worker.tell(stream.wait_for_image)
        self._transforms = TransformBuffer(self)
        for name, camera in self._cameras.items():
            offer = partial(worker.offer, camera=name)
            camera.activate(worker.frames[name], offer, worker.tell, self._transforms)

    def _running(self) -> tuple[Worker[ImageMessage], Streams]:
        worker, streams = self._worker, self._streams
        if worker is None or streams is None:
            raise CallRefused("the node is not configured and has no tracker; configure it first")
        return worker, streams

    def _check_active(self) -> None:
        """Raises CallRefused where no images come, and the newest may show what is long gone."""
        self._running()
        if self._transforms is None:
            raise CallRefused("the node is inactive, and its newest image may be of any age; activate it first")

    def _apply(self, parameters: Parameters) -> None:
        for camera in self._cameras.values():
            camera.apply(parameters)

    def _on_parameters(self, changed: list[Parameter]) -> None:
        """Lets those that may change at any time take effect, and says of the others when they will."""
        # In the log: rclpy drops the reason of a change that succeeds.
        if sentence := node_parameters.when_effective(parameter.name for parameter in changed):
            self.get_logger().info(sentence)
        parameters = node_parameters.read(self)
        try:
            worker, _ = self._running()
            worker.tell(partial(self._apply, parameters))
        except (CallRefused, NoAnswer):
            pass  # they are read when it is configured
