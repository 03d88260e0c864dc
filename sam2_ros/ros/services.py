"""The node's services. Their handlers run in the executor's threads and have the worker do what is asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.lifecycle import LifecycleNode
from std_srvs.srv import SetBool, Trigger

from sam2_ros.srv import Prompt, RemoveObject
from sam2_ros.tracking import TrackerError

from .images import BadImageMessage
from .messages import to_candidates, to_prompt_call, to_tracked_object
from .stream import Stream
from .worker import NoAnswer, Worker

_TIMEOUT = 30.0  # seconds; a large model on a CPU takes several for one image

Response = TypeVar("Response", Prompt.Response, RemoveObject.Response, Trigger.Response, SetBool.Response)
Answer = TypeVar("Answer")


class CallRefused(ValueError):
    """A call that does not fit the node as it now is."""


class Services:
    """~/prompt, ~/remove_object, ~/reset and ~/enable. What is refused is answered with success false and why."""

    def __init__(self, node: LifecycleNode, running: Callable[[], tuple[Worker, Stream]]) -> None:
        """running: gives the worker and the stream, or raises CallRefused where there are none."""
        self._running = running
        self._logger = node.get_logger()
        # One call at a time: the worker does one at a time anyway, and calls that wait cannot take every thread.
        group = MutuallyExclusiveCallbackGroup()
        node.create_service(Prompt, "~/prompt", self._on_prompt, callback_group=group)
        node.create_service(RemoveObject, "~/remove_object", self._on_remove_object, callback_group=group)
        node.create_service(Trigger, "~/reset", self._on_reset, callback_group=group)
        node.create_service(SetBool, "~/enable", self._on_enable, callback_group=group)

    def _on_prompt(self, request: Prompt.Request, response: Prompt.Response) -> Prompt.Response:
        def answer() -> str:
            _check_camera(request.camera)
            call = to_prompt_call(request)
            header, tracks, label, place = self._ask(lambda stream: stream.prompt(call))
            response.object = to_tracked_object(header, tracks, 0, label, place)
            response.object_id = response.object.id
            if tracks.readings is not None:
                response.candidates = to_candidates(header, tracks.readings)
            return f"object {response.object_id} {label} was {'corrected' if call.object_id else 'started'}"

        return self._answer(response, answer)

    def _on_remove_object(
        self, request: RemoveObject.Request, response: RemoveObject.Response
    ) -> RemoveObject.Response:
        def answer() -> str:
            _check_camera(request.camera)
            self._ask(lambda stream: stream.remove(request.object_id))
            return f"object {request.object_id} was removed"

        return self._answer(response, answer)

    def _on_reset(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        def answer() -> str:
            self._ask(lambda stream: stream.reset())
            return "all objects were removed"

        return self._answer(response, answer)

    def _on_enable(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        def answer() -> str:
            self._ask(lambda stream: stream.enable(request.data))
            return "tracking goes on" if request.data else "tracking is paused"

        return self._answer(response, answer)

    def _ask(self, request: Callable[[Stream], Answer]) -> Answer:
        worker, stream = self._running()
        return worker.ask(lambda: request(stream), _TIMEOUT)

    def _answer(self, response: Response, answer: Callable[[], str]) -> Response:
        """Has `answer` fill the response and logs what it says was done; what is refused goes into the response."""
        try:
            self._logger.info(answer())
            response.success = True
        except (TrackerError, BadImageMessage, CallRefused, NoAnswer) as error:
            response.success = False
            response.message = str(error)
            self._logger.warning(f"refused: {error}")
        return response


def _check_camera(name: str) -> None:
    if name:
        raise CallRefused(f"there is no camera {name!r}: the node has one camera, which has no name; leave it empty")
