"""The node's services. Their handlers run in the executor's threads and have the worker do what is asked."""

from __future__ import annotations

import traceback
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.lifecycle import LifecycleNode
from rclpy.qos import QoSProfile
from std_srvs.srv import SetBool, Trigger

from sam2_ros.msg import TrackedObject
from sam2_ros.srv import ClickMode, LoadObject, Prompt, RemoveObject, SaveObject, UndoPrompt
from sam2_ros.tracking import BadMemory, TrackerError

from .clicks import ClickRefused
from .images import BadImageMessage
from .log import Bounded
from .messages import PromptCall, to_candidates, to_prompt_call, to_tracked_object
from .stream import Prompted, Stream
from .streams import Streams, UnknownCamera
from .worker import NoAnswer, Worker

_TIMEOUT = 30.0  # seconds; a large model on a CPU takes several for one image
_CALLS = 200  # of one service that may wait; DDS drops the oldest of more, and who made them waits for ever
_LARGEST = 1 << 30  # bytes; an object of 70 memories at 4096 pixels, the most that parameters allow, has 590 MB

Response = TypeVar(
    "Response",
    Prompt.Response,
    UndoPrompt.Response,
    RemoveObject.Response,
    SaveObject.Response,
    LoadObject.Response,
    ClickMode.Response,
    Trigger.Response,
    SetBool.Response,
)
Answer = TypeVar("Answer")


class CallRefused(ValueError):
    """A call that does not fit the node as it now is."""


class Services:
    """~/prompt, ~/undo, ~/remove_object, ~/click_mode, ~/reset, ~/enable, ~/save_object and ~/load_object.

    What is refused is answered with success false and why.
    """

    def __init__(
        self, node: LifecycleNode, running: Callable[[], tuple[Worker, Streams]], check_active: Callable[[], None]
    ) -> None:
        """running: gives the worker and the streams, or raises CallRefused where there are none. check_active: raises
        CallRefused also where no images come."""
        self._running = running
        self._check_active = check_active
        self._logger = node.get_logger()
        self._warn = Bounded(self._logger.warning)
        # One call at a time: the worker does one at a time anyway, and calls that wait cannot take every thread.
        group = MutuallyExclusiveCallbackGroup()
        quality = QoSProfile(depth=_CALLS)
        for kind, name, handler in (
            (Prompt, "prompt", self._on_prompt),
            (UndoPrompt, "undo", self._on_undo),
            (RemoveObject, "remove_object", self._on_remove_object),
            (SaveObject, "save_object", self._on_save_object),
            (LoadObject, "load_object", self._on_load_object),
            (ClickMode, "click_mode", self._on_click_mode),
            (Trigger, "reset", self._on_reset),
            (SetBool, "enable", self._on_enable),
        ):
            node.create_service(kind, f"~/{name}", handler, qos_profile=quality, callback_group=group)

    def _on_prompt(self, request: Prompt.Request, response: Prompt.Response) -> Prompt.Response:
        def answer() -> str:
            self._check_active()
            call = to_prompt_call(request)
            if request.preview:
                response.candidates = to_candidates(
                    *self._ask(request.camera, lambda stream: stream.preview(call), call.stamp)
                )
                return f"a prompt was answered, and nothing was started; its readings: {len(response.candidates)}"
            prompted = self._ask(request.camera, lambda stream: stream.prompt(call), call.stamp)
            response.object = _as_it_is(prompted)
            response.object_id = response.object.id
            if prompted.readings is not None:
                response.candidates = to_candidates(*prompted.readings)
            name = f"object {response.object_id}{prompted.label and f' {prompted.label}'}"
            done = f"{name} {_done(call)}"
            if prompted.found:
                return done
            response.message = f"{done}, but nothing was found there: its mask is empty; prompt elsewhere, or remove it"
            return response.message

        return self._answer(response, answer, request.camera)

    def _on_undo(self, request: UndoPrompt.Request, response: UndoPrompt.Response) -> UndoPrompt.Response:
        def answer() -> str:
            prompted = self._ask(request.camera, lambda stream: stream.undo(request.object_id))
            if prompted is None:
                response.removed = True
                return f"the only prompt of object {request.object_id} was taken back; it is forgotten"
            response.object = _as_it_is(prompted)
            return f"the last prompt of object {request.object_id} was taken back"

        return self._answer(response, answer, request.camera)

    def _on_save_object(self, request: SaveObject.Request, response: SaveObject.Response) -> SaveObject.Response:
        def answer() -> str:
            path = _absolute(request.path)
            if _is_there(path):
                self._check_replaceable(path, request.camera)
            data = self._ask(request.camera, lambda stream: stream.save(request.object_id))
            _write(path, data)
            return f"object {request.object_id} was saved to {path}, {len(data) / 1e6:.1f} MB"

        return self._answer(response, answer, request.camera)

    def _check_replaceable(self, path: Path, camera: str) -> None:
        """Raises CallRefused for a file of which whoever wrote it would not want to lose it."""
        data = _read(path)
        try:
            self._ask(camera, lambda stream: stream.tracker.label_of(data))
        except BadMemory as error:
            raise CallRefused(
                f"{str(path)!r} is there already and holds something else than an object's memory; name another file"
            ) from error

    def _on_load_object(self, request: LoadObject.Request, response: LoadObject.Response) -> LoadObject.Response:
        def answer() -> str:
            self._check_active()
            path = _absolute(request.path)
            data = _read(path)
            try:
                response.object_id = self._ask(request.camera, lambda stream: stream.load(data)).tracks.ids[0]
            except BadMemory as error:
                raise CallRefused(f"{str(path)!r} cannot be used: {error}") from error
            return f"object {response.object_id} was loaded from {path}"

        return self._answer(response, answer, request.camera)

    def _on_remove_object(
        self, request: RemoveObject.Request, response: RemoveObject.Response
    ) -> RemoveObject.Response:
        def answer() -> str:
            self._ask(request.camera, lambda stream: stream.remove(request.object_id))
            return f"object {request.object_id} was removed"

        return self._answer(response, answer, request.camera)

    def _on_click_mode(self, request: ClickMode.Request, response: ClickMode.Response) -> ClickMode.Response:
        def answer() -> str:
            if request.camera or request.object_id:
                return self._ask(request.camera, lambda stream: stream.clicks.set_mode(request.mode, request.object_id))
            return self._ask_all(lambda stream: stream.clicks.set_mode(request.mode))[-1]

        return self._answer(response, answer, request.camera)

    def _on_reset(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        def answer() -> str:
            self._ask_all(lambda stream: stream.reset())
            return "all objects were removed"

        return self._answer(response, answer)

    def _on_enable(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        def answer() -> str:
            self._ask_all(lambda stream: stream.enable(request.data))
            return "tracking goes on" if request.data else "tracking is paused"

        return self._answer(response, answer)

    def _ask(self, camera: str, request: Callable[[Stream], Answer], stamp: int | None = None) -> Answer:
        """stamp: of the image that the request is about, None for the newest."""
        worker, streams = self._running()
        stream = streams.named(camera)
        return worker.ask(lambda: request(stream), _TIMEOUT, early=lambda: stream.is_ahead(stamp))

    def _ask_all(self, request: Callable[[Stream], Answer]) -> list[Answer]:
        worker, streams = self._running()
        return worker.ask(lambda: [request(stream) for stream in streams.all], _TIMEOUT)

    def _answer(self, response: Response, answer: Callable[[], str], camera: str = "") -> Response:
        """Has `answer` fill the response and logs what it says was done, with the camera's name if it has one; what is
        refused goes into the response."""
        try:
            done = answer()
            self._logger.info(f"{camera}: {done}" if camera else done)
            response.success = True
        except (TrackerError, BadImageMessage, CallRefused, ClickRefused, UnknownCamera, NoAnswer) as error:
            response.success = False
            response.message = str(error)
            self._warn(f"refused: {error}")
        except Exception as error:
            # Whatever one call brings up, the objects of all others are not to be lost by it.
            response.success = False
            response.message = f"the node failed to do this, by {error!r}; its log says where"
            self._logger.error(f"{response.message}\n{traceback.format_exc()}")
        return response


def _done(call: PromptCall) -> str:
    if call.object_id is None:
        return "was started"
    if call.names:
        return "got its name"
    return f"took its reading {call.prompt.candidate}" if call.chooses else "was corrected"


def _as_it_is(prompted: Prompted) -> TrackedObject:
    return to_tracked_object(prompted.header, prompted.tracks, 0, prompted.label, prompted.place)


def _write(path: Path, data: bytes) -> None:
    """Whole or not at all. Raises CallRefused."""
    part = path.with_name(f".{uuid.uuid4()}.part")
    try:
        if not path.parent.is_dir():
            raise CallRefused(f"{str(path)!r} cannot be written: the node's machine has no folder {str(path.parent)!r}")
        try:
            part.write_bytes(data)
            part.replace(path)
        except OSError:
            part.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise CallRefused(f"{str(path)!r} cannot be written: {error.strerror}") from error


def _is_there(path: Path) -> bool:
    """Raises CallRefused where that cannot be told, or for a folder."""
    try:
        path.stat()
        if path.is_dir():
            raise CallRefused(f"{str(path)!r} cannot be written: it is a folder")
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise CallRefused(f"{str(path)!r} cannot be written: {error.strerror}") from error
    return True


def _read(path: Path) -> bytes:
    """Raises CallRefused, also for what is no file: to read from a pipe or a device may never end."""
    try:
        size = path.stat().st_size
        if not path.is_file():
            raise CallRefused(f"{str(path)!r} is not a file; it must be one that ~/save_object wrote")
        if size > _LARGEST:
            raise CallRefused(
                f"{str(path)!r} has {size >> 20} MiB; a file of ~/save_object has {_LARGEST >> 20} at most"
            )
        return path.read_bytes()
    except OSError as error:
        raise CallRefused(f"{str(path)!r} cannot be read: {error.strerror}") from error


def _absolute(path: str) -> Path:
    """The node may run in any folder; what a link leads to is meant, not the link. Raises CallRefused."""
    try:
        result = Path(path).expanduser()
    except RuntimeError as error:  # ~ of a user who does not exist
        raise CallRefused(f"the path is {path!r}: {error}") from error
    if not result.is_absolute():
        raise CallRefused(f"the path is {path!r}; it must be absolute, or begin with ~")
    if not result.name or "\0" in path:
        raise CallRefused(f"the path is {path!r}, which is not that of a file")
    try:
        return result.resolve()
    except (OSError, RuntimeError) as error:  # a link to itself
        raise CallRefused(f"the path is {path!r}, which leads nowhere: {error}") from error
