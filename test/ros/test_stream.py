"""One camera's stream: what goes out of an image goes out while the next one is tracked, in order, and none is lost."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from std_msgs.msg import Header

from sam2_ros.ros.images import to_message
from sam2_ros.ros.messages import to_prompt_call, to_time
from sam2_ros.ros.report import Counts
from sam2_ros.ros.stream import Stream
from sam2_ros.srv import Prompt
from sam2_ros.tracking import Readings, StampUnavailable, State, Tracks

IMAGE = np.full((4, 6, 3), 50, np.uint8)
PATIENCE = 20.0


def _tracks(stamp: int) -> Tracks:
    some = np.zeros(1, np.float32)
    return Tracks(
        stamp=stamp,
        ids=(1,),
        states=(State.VISIBLE,),
        masks=np.ones((1, 4, 6), bool),
        logits=np.zeros((1, 1, 1), np.float32),
        boxes=np.zeros((1, 4), np.float32),
        centroids=np.zeros((1, 2), np.float32),
        areas=np.array([24]),
        scores=some,
        visibility=some,
        iou=some,
        last_seen=(stamp,),
    )


class Gate:
    """Publishers that let what goes out pass one by one."""

    places_wanted = True

    def __init__(self) -> None:
        self.begun = threading.Semaphore(0)
        self.passes = threading.Semaphore(0)
        self.out: list[int] = []
        self.fails = False
        self.has_new_listeners = lambda: False

    def publish(self, header: Header, image: object, tracks: Tracks, labels: object, places: object) -> None:
        self.begun.release()
        assert self.passes.acquire(timeout=PATIENCE)
        if self.fails:
            raise OSError("the network is gone")
        self.out.append(tracks.stamp)


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
def stream(gate: Gate) -> Iterator[Stream]:
    space: Any = SimpleNamespace(expect=lambda _: None, keep=lambda _: None, locate=lambda *_: [""])
    tracker: Any = SimpleNamespace(reset=lambda: None, current=lambda: _tracks(99))
    publishers: Any = gate
    stream = Stream(tracker, space, publishers, lambda _: None, clock=lambda: 0)
    yield stream
    gate.passes.release(100)
    stream._sender.shutdown()


def _publish(stream: Stream, stamp: int) -> None:
    stream.publish(Header(stamp=to_time(stamp)), IMAGE, _tracks(stamp), started=0.0)


def test_the_next_image_may_be_tracked_while_one_goes_out(stream: Stream, gate: Gate) -> None:
    _publish(stream, 1)  # returns though nothing has passed
    assert gate.begun.acquire(timeout=PATIENCE)
    assert not gate.out and stream.header.stamp.nanosec == 1 and stream.objects == 1
    gate.passes.release()
    stream.finish()
    assert gate.out == [1]


def test_nothing_overtakes_and_nothing_piles_up(stream: Stream, gate: Gate) -> None:
    _publish(stream, 1)
    second = threading.Thread(target=_publish, args=(stream, 2))
    second.start()
    second.join(0.1)
    assert second.is_alive(), "it waits for the first"
    gate.passes.release()
    second.join(PATIENCE)
    assert not second.is_alive()
    gate.passes.release()
    stream.finish()
    assert gate.out == [1, 2]
    assert stream.counts.tracked == 2 and len(stream.latencies) == 2


def test_what_a_request_changes_goes_out_after_the_image(stream: Stream, gate: Gate) -> None:
    _publish(stream, 1)
    request = threading.Thread(target=stream.reset)
    request.start()
    gate.passes.release(2)
    request.join(PATIENCE)
    assert gate.out == [1, 99]


@pytest.mark.parametrize("preview", [False, True])
def test_a_stamp_after_the_newest_image_is_told_of_the_pause(stream: Stream, gate: Gate, preview: bool) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise StampUnavailable("prompts and images must be stamped by the same clock")

    def ask(seconds: int) -> None:
        call = to_prompt_call(Prompt.Request(box=[1.0, 1.0, 3.0, 3.0], stamp=to_time(seconds * 10**9)))
        stream.preview(call) if preview else stream.prompt(call)

    stream.tracker.prompt = stream.tracker.preview = refuse  # type: ignore[method-assign, assignment]
    gate.passes.release()
    _publish(stream, 2 * 10**9)
    with pytest.raises(StampUnavailable, match="by the same clock"):
        ask(32)
    stream.enable(False)
    with pytest.raises(
        StampUnavailable,
        match=r"^tracking is paused, and the newest image is 30\.00 s older than the stamp 32000000000 ns; have it go "
        "on with ~/enable, or leave the stamp zero to prompt on that image$",
    ):
        ask(32)
    with pytest.raises(StampUnavailable, match="by the same clock"):
        ask(1)  # before the newest image, which no pause explains


def test_an_error_is_raised_with_the_next_image_and_by_whatever_comes_then(stream: Stream, gate: Gate) -> None:
    gate.fails = True
    gate.passes.release()
    _publish(stream, 1)
    for act in (lambda: _publish(stream, 2), stream.reset, stream.finish, stream.close):
        with pytest.raises(OSError, match="the network is gone"):
            act()
    assert stream.counts.tracked == 0


def test_images_are_counted_in_two_threads_at_once(stream: Stream, gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is refused in one, and what goes out in the other while that is counted."""
    gate.passes.release()
    others: list[threading.Thread] = []

    def interrupted(counts: Counts, **changes: Any) -> Counts:
        if not others:
            _publish(stream, 1)
            others.append(threading.Thread(target=stream.finish))
            others[0].start()
            others[0].join(0.2)
        return replace(counts, **changes)

    monkeypatch.setattr("sam2_ros.ros.stream.replace", interrupted)
    stream.refuse("it cannot be read")
    others[0].join(PATIENCE)
    assert (stream.counts.tracked, stream.counts.refused) == (1, 1)


def test_nothing_is_left_when_it_is_closed(stream: Stream, gate: Gate) -> None:
    gate.passes.release()
    _publish(stream, 1)
    stream.close()
    assert gate.out == [1]


def test_depth_is_expected_for_what_is_tracked_and_for_nothing_else(stream: Stream) -> None:
    expected: list[Header] = []
    space: Any = SimpleNamespace(expect=expected.append)
    stream.space = space
    first, broken, paused = (to_message(IMAGE, "rgb8", Header(stamp=to_time(stamp))) for stamp in (1, 2, 3))
    assert np.array_equal(stream.read(first), IMAGE)
    broken.encoding = "unheard of"
    assert stream.read(broken) is None
    stream.enable(False)
    assert stream.read(paused) is None
    assert expected == [first.header]


def test_who_begins_to_look_while_it_is_paused_sees_the_newest_image(stream: Stream, gate: Gate) -> None:
    gate.passes.release(2)
    image = to_message(IMAGE, "rgb8", Header(stamp=to_time(2)))
    gate.has_new_listeners = lambda: True
    stream.enable(False)
    assert stream.read(image) is None, "there is none yet"
    stream.enable(True)
    _publish(stream, 1)
    assert stream.read(image) is not None
    stream.enable(False)
    assert stream.read(image) is None
    gate.has_new_listeners = lambda: False
    assert stream.read(image) is None
    stream.finish()
    assert gate.out == [1, 99]


def test_an_object_that_goes_with_its_only_prompt_is_seen_to_be_gone(stream: Stream, gate: Gate) -> None:
    gate.passes.release(2)
    _publish(stream, 1)
    stream.tracker.undo = lambda _: _tracks(99).none()  # type: ignore[method-assign]
    assert stream.undo(1) is None
    assert gate.out == [1, 99]


def test_the_readings_of_a_late_prompt_are_of_its_own_image(stream: Stream, gate: Gate) -> None:
    gate.passes.release(2)
    stream.publish(Header(stamp=to_time(2), frame_id="camera"), IMAGE, _tracks(2), started=0.0)
    readings = Readings(np.ones((1, 4, 6), bool), np.ones(1, np.float32), stamp=1)
    stream.tracker.prompt = lambda *_, **__: replace(_tracks(2), readings=readings)  # type: ignore[method-assign]
    prompted = stream.prompt(to_prompt_call(Prompt.Request(box=[1.0, 1.0, 3.0, 3.0], stamp=to_time(1))))
    assert prompted.header == Header(stamp=to_time(2), frame_id="camera")
    assert prompted.readings == (Header(stamp=to_time(1), frame_id="camera"), readings)


@pytest.mark.parametrize("wanted", [True, False])
def test_objects_are_located_only_where_somebody_listens(stream: Stream, gate: Gate, wanted: bool) -> None:
    located: list[int] = []
    space: Any = SimpleNamespace(keep=lambda _: None, locate=lambda _, tracks: located.append(tracks.stamp))
    stream.space, gate.places_wanted = space, wanted
    gate.passes.release(2)
    _publish(stream, 1)
    stream.reset()
    assert gate.out == [1, 99]
    assert located == (gate.out if wanted else [])
