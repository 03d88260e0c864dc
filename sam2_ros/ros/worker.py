"""The one thread that owns the device. All others hand their work to it."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from typing import Generic, TypeVar

from .slot import NewestSlot

Frame = TypeVar("Frame")
Answer = TypeVar("Answer")


class NoAnswer(RuntimeError):
    """A request that the worker did not answer in time, or will not answer because it has stopped."""


class Worker(Generic[Frame]):
    """Runs requests in the order in which they came, and between them handles the newest frame.

    Requests go first: a prompt waits for one frame at most. Safe to call from several threads, but not from its own.
    """

    def __init__(self, handle: Callable[[Frame], None], failed: Callable[[Exception], None]) -> None:
        """Starts the thread.

        handle: called with each frame that is taken. failed: called once with what `handle` raised, after which the
        thread handles nothing more. Both are called in the worker's thread.
        """
        self.frames: NewestSlot[Frame] = NewestSlot()
        self._handle = handle
        self._failed = failed
        self._requests: deque[tuple[Future, Callable[[], object]]] = deque()
        self._wake = threading.Event()
        self._stopping = False
        # A daemon, so that a device that hangs cannot keep the process from ending.
        self._thread = threading.Thread(target=self._run, name="sam2 worker", daemon=True)
        self._thread.start()

    def offer(self, frame: Frame) -> None:
        """Gives a frame to be handled, unless a newer one comes first. Returns at once."""
        self.frames.put(frame)
        self._wake.set()

    def ask(self, request: Callable[[], Answer], timeout: float | None = None) -> Answer:
        """Has a request run in the worker's thread, and returns or raises what it does.

        timeout: seconds, for ever if None. Raises NoAnswer when they are over, saying whether the request may still
        be carried out, or if the worker has stopped.
        """
        future: Future = Future()
        self._requests.append((future, request))
        self._wake.set()
        # After the append: whichever comes second, this check or the stopping thread's own, sees the other.
        if not self._thread.is_alive():
            future.cancel()
        try:
            return future.result(timeout)
        except CancelledError:
            raise NoAnswer("the node is stopping; nothing was changed") from None
        except TimeoutError:
            pass
        if future.cancel():
            raise NoAnswer(f"the tracker was busy for more than {timeout:g} s; nothing was changed")
        raise NoAnswer(f"the tracker did not finish within {timeout:g} s; the request may still be carried out")

    def stop(self, timeout: float = 10.0) -> bool:
        """Ends the thread after what it is doing now; waiting requests get NoAnswer. False if it did not end in time.

        timeout: seconds.
        """
        self._stopping = True
        self._wake.set()
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            while not self._stopping:
                self._wake.wait()
                self._wake.clear()
                self._answer_requests()
                frame = None if self._stopping else self.frames.take()
                if frame is not None:
                    self._handle(frame)
                del frame  # an image need not be held while waiting for the next
        except Exception as error:
            self._stopping = True
            self._failed(error)
        finally:
            while self._requests:
                self._requests.popleft()[0].cancel()

    def _answer_requests(self) -> None:
        while self._requests and not self._stopping:
            future, request = self._requests.popleft()
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(request())
            except Exception as error:  # noqa: BLE001, raised again where the request was made
                future.set_exception(error)
