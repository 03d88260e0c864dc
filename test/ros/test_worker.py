import threading
import time
from collections.abc import Callable, Iterator

import pytest

from sam2_ros.ros.worker import NoAnswer, Worker


class Log:
    """What a worker did, and a gate at which its frames wait."""

    def __init__(self) -> None:
        self.frames: list[object] = []
        self.errors: list[Exception] = []
        self.entered = threading.Event()
        self.gate = threading.Event()
        self.gate.set()

    def handle(self, frames: dict[str, object]) -> None:
        (frame,) = frames.values() if len(frames) == 1 else (frames,)
        self.entered.set()
        assert self.gate.wait(10)
        if isinstance(frame, Exception):
            raise frame
        self.frames.append(frame)


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def worker(log: Log) -> Iterator[Worker]:
    worker = Worker(log.handle, log.errors.append)
    yield worker
    log.gate.set()
    assert worker.stop()


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def test_a_frame_is_handled(log: Log, worker: Worker) -> None:
    worker.offer(1)

    _until(lambda: log.frames == [1])


@pytest.mark.parametrize("early", [True, False])
def test_a_frame_that_waits_is_handled_before_a_request_that_is_about_it(log: Log, worker: Worker, early: bool) -> None:
    log.gate.clear()
    worker.offer(1)
    assert log.entered.wait(10)
    worker.offer(2)
    seen: list[list[object]] = []
    worker.tell(lambda: seen.append(list(log.frames)), early=lambda: early)
    worker.tell(lambda: seen.append(list(log.frames)))
    log.gate.set()
    _until(lambda: log.frames == [1, 2] and len(seen) == 2)
    assert seen == [[1, 2] if early else [1]] * 2


def test_a_frame_that_fails_before_a_request_leaves_it_without_an_answer(log: Log, worker: Worker) -> None:
    log.gate.clear()
    worker.offer(1)
    assert log.entered.wait(10)
    worker.offer(OSError("the device is gone"))
    threading.Timer(0.1, log.gate.set).start()
    with pytest.raises(NoAnswer, match="the node is stopping"):
        worker.ask(lambda: None, early=lambda: True)
    _until(lambda: len(log.errors) == 1)


def test_of_the_frames_that_come_meanwhile_only_the_newest_is_handled(log: Log, worker: Worker) -> None:
    log.gate.clear()
    worker.offer(1)
    assert log.entered.wait(10)
    for frame in (2, 3, 4):
        worker.offer(frame)
    log.gate.set()

    _until(lambda: len(log.frames) == 2)
    assert log.frames == [1, 4]
    assert worker.frames[""].dropped == 2


def test_frames_of_several_cameras_that_are_there_together_are_handled_together(log: Log) -> None:
    worker = Worker(log.handle, log.errors.append, ["front", "wrist"])
    log.gate.clear()
    worker.offer(1, "front")
    assert log.entered.wait(10)
    for frame, camera in ((2, "front"), (3, "wrist"), (4, "wrist")):
        worker.offer(frame, camera)
    log.gate.set()

    _until(lambda: len(log.frames) == 2)
    assert log.frames == [1, {"front": 2, "wrist": 4}]
    assert {camera: slot.dropped for camera, slot in worker.frames.items()} == {"front": 0, "wrist": 1}
    assert worker.stop()


def test_a_request_runs_in_the_workers_thread_and_is_answered(worker: Worker) -> None:
    assert worker.ask(lambda: threading.current_thread().name) == "sam2 worker"


def test_what_a_request_raises_is_raised_where_it_was_made_and_the_worker_goes_on(log: Log, worker: Worker) -> None:
    def fail() -> None:
        raise KeyError("no")

    with pytest.raises(KeyError, match="no"):
        worker.ask(fail)
    assert worker.ask(lambda: 2) == 2
    assert not log.errors


def test_a_request_goes_before_a_frame_that_waits(log: Log, worker: Worker) -> None:
    log.gate.clear()
    worker.offer(1)
    assert log.entered.wait(10)
    seen: list[list[object]] = []
    asker = threading.Thread(target=lambda: worker.ask(lambda: seen.append(list(log.frames))))
    worker.offer(2)
    asker.start()
    _until(lambda: len(worker._requests) == 1)
    log.gate.set()
    asker.join()

    _until(lambda: log.frames == [1, 2])
    assert seen == [[1]]


def test_a_request_that_waits_too_long_is_withdrawn(log: Log, worker: Worker) -> None:
    log.gate.clear()
    worker.offer(1)
    assert log.entered.wait(10)
    done: list[int] = []

    with pytest.raises(NoAnswer, match=r"busy for more than 0\.05 s; nothing was changed"):
        worker.ask(lambda: done.append(1), timeout=0.05)
    log.gate.set()
    worker.ask(lambda: None)
    assert not done


def test_a_request_that_takes_too_long_is_said_to_go_on(log: Log, worker: Worker) -> None:
    log.gate.clear()
    with pytest.raises(NoAnswer, match="may still be carried out"):
        worker.ask(lambda: log.gate.wait(10), timeout=1.0)


def test_what_is_told_is_done_and_not_waited_for(log: Log, worker: Worker) -> None:
    log.gate.clear()
    worker.offer(1)
    assert log.entered.wait(10)
    done: list[str] = []

    worker.tell(lambda: done.append(threading.current_thread().name))
    assert done == []
    log.gate.set()
    worker.ask(lambda: None)

    assert done == ["sam2 worker"]
    assert log.errors == []


def test_what_fails_though_nobody_waits_is_reported(log: Log, worker: Worker) -> None:
    failure = RuntimeError("the device is broken")

    def fail() -> None:
        raise failure

    worker.tell(fail)
    _until(lambda: bool(log.errors))

    assert log.errors == [failure]
    assert worker.stop()
    with pytest.raises(NoAnswer, match="stopping"):
        worker.tell(fail)


def test_requests_that_wait_when_it_stops_are_refused(log: Log) -> None:
    worker = Worker(log.handle, log.errors.append)
    log.gate.clear()
    worker.offer(1)
    assert log.entered.wait(10)
    refusals: list[Exception] = []

    def ask() -> None:
        try:
            worker.ask(lambda: None)
        except NoAnswer as error:
            refusals.append(error)

    asker = threading.Thread(target=ask)
    asker.start()
    _until(lambda: len(worker._requests) == 1)
    assert not worker.stop(timeout=0.05)
    log.gate.set()
    asker.join()

    assert [str(error) for error in refusals] == ["the node is stopping; nothing was changed"]
    assert worker.stop()
    with pytest.raises(NoAnswer, match="stopping"):
        worker.ask(lambda: None)


def test_a_frame_that_fails_ends_the_work_and_is_reported_once(log: Log, worker: Worker) -> None:
    failure = RuntimeError("out of memory")
    worker.offer(failure)
    _until(lambda: bool(log.errors))
    worker.offer(2)

    assert log.errors == [failure]
    with pytest.raises(NoAnswer, match="stopping"):
        worker.ask(lambda: None)
    assert log.frames == []


def test_who_stops_it_is_not_told_of_what_was_to_be_done(log: Log, worker: Worker) -> None:
    """Nor does it fail if that comes while it looks at what is to be done."""
    worker.tell(lambda: None, early=lambda: bool(worker._refuse_requests()))
    worker._thread.join(10)
    assert not worker._thread.is_alive() and log.errors == []
