"""The one thread that owns the device. All others hand their work to it."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future, wait
from typing import Generic, TypeVar

from .slot import NewestSlot

Frame = TypeVar("Frame")
Answer = TypeVar("Answer")

Early = Callable[[], bool]
"""Whether a request is about a frame that may be waiting still. Asked in the worker's thread, right before it is its
turn."""

Tell = Callable[[Callable[[], object], Early], None]
"""As `Worker.tell`."""

_STOPPING = "the node is stopping; nothing was changed"


class NoAnswer(RuntimeError):
    """A request that the worker did not answer in time, or will not answer because it has stopped."""


class Worker(Generic[Frame]):
    """Runs requests in the order in which they came, and between them handles each camera's newest frame.

    Requests go first, so that a prompt waits for one frame of each camera at most; frames that wait are handled before
    those that are early for one of them. Safe to call from several threads, but not from its own.
    """

    def __init__(
        self,
        handle: Callable[[dict[str, Frame]], None],
        failed: Callable[[Exception], None],
        cameras: Iterable[str] = ("",),
    ) -> None:
        """Starts the thread.

        handle: called with the frames that are there, by camera: one at least, and at most one of each. failed: called
        with what `handle` raised, after which the thread does nothing more. Both are called in the worker's thread.
        """
        self.frames: dict[str, NewestSlot[Frame]] = {camera: NewestSlot() for camera in cameras}
        self._handle = handle
        self._failed = failed
        self._requests: deque[tuple[Future, Callable[[], object], Early]] = deque()
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._stopping = False
        # A daemon, so that a device that hangs cannot keep the process from ending.
        self._thread = threading.Thread(target=self._run, name="sam2 worker", daemon=True)
        self._thread.start()

    def offer(self, frame: Frame, camera: str = "") -> None:
        """Gives a camera's frame to be handled, unless a newer one comes first. Returns at once."""
        self.frames[camera].put(frame)
        self._wake.set()

    def ask(self, request: Callable[[], Answer], timeout: float | None = None, early: Early = lambda: False) -> Answer:
        """Has a request run in the worker's thread, and returns or raises what it does.

        timeout: seconds, for ever if None. early: as `Early`. Raises NoAnswer when they are over, saying whether the
        request may still be carried out, or if the worker has stopped.
        """
        future = self._submit(request, early)
        if wait([future], timeout).done:
            return future.result()
        if future.cancel():
            raise NoAnswer(f"the tracker was busy for more than {timeout:g} s; nothing was changed")
        raise NoAnswer(f"the tracker did not finish within {timeout:g} s; the request may still be carried out")

    def tell(self, request: Callable[[], object], early: Early = lambda: False) -> None:
        """Has a request run in the worker's thread, and does not wait for it.

        early: as `Early`. What it raises is given to `failed`. Raises NoAnswer if the worker has stopped.
        """
        self._submit(request, early).add_done_callback(self._check)

    def stop(self, timeout: float = 10.0) -> bool:
        """Ends the thread after what it is doing now; requests that wait get NoAnswer. False if it does not end.

        timeout: seconds to wait for it to end.
        """
        self._refuse_requests()
        self._wake.set()
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _submit(self, request: Callable[[], object], early: Early) -> Future:
        future: Future = Future()
        with self._lock:
            if self._stopping:
                raise NoAnswer(_STOPPING)
            self._requests.append((future, request, early))
        self._wake.set()
        return future

    def _check(self, future: Future) -> None:
        error = future.exception()
        if isinstance(error, Exception) and not isinstance(error, NoAnswer):
            self._failed(error)

    def _refuse_requests(self) -> None:
        with self._lock:
            self._stopping = True
            while self._requests:
                future, *_ = self._requests.popleft()
                if future.set_running_or_notify_cancel():
                    future.set_exception(NoAnswer(_STOPPING))

    def _run(self) -> None:
        try:
            while True:
                self._wake.wait()
                self._wake.clear()
                self._answer_requests()
                if self._stopping:
                    return
                self._handle_frames()
        except Exception as error:
            self._refuse_requests()
            self._failed(error)

    def _handle_frames(self) -> None:
        taken = {camera: slot.take() for camera, slot in self.frames.items()}
        if frames := {camera: frame for camera, frame in taken.items() if frame is not None}:
            self._handle(frames)

    def _answer_requests(self) -> None:
        while True:
            with self._lock:
                if not self._requests:
                    return
                _, _, early = self._requests[0]
            if early():
                self._handle_frames()
            with self._lock:
                if not self._requests:  # refused meanwhile
                    return
                future, request, _ = self._requests.popleft()
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(request())
            except Exception as error:
                future.set_exception(error)  # raised where the request was made
