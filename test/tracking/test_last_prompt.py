"""The prompt that was made last is taken back, or meant otherwise, after its image has left the history."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest

from sam2_ros.network import Sam2
from sam2_ros.tracking import Prompt, StampUnavailable, Tracker
from sam2_ros.tracking.last_prompt import TAKEN_BACK

HEIGHT, WIDTH = 48, 80
PERIOD = 50_000_000
HELD = 6  # images, of 0.25 s
PROMPTED, NEWEST = 4, 20
BOX = Prompt(box=np.array([10, 5, 40, 30]))


def image(number: int) -> np.ndarray:
    return np.random.default_rng(number).integers(0, 255, (HEIGHT, WIDTH, 3), dtype=np.uint8)


def click(x: float, y: float, label: int = 1, candidate: int = 0) -> Prompt:
    return Prompt(points=np.array([[x, y]]), labels=np.array([label]), candidate=candidate)


@pytest.fixture(params=("whole", "refining"))
def track(request: pytest.FixtureRequest) -> Callable[..., Tracker]:
    """Makes a tracker and tracks the images up to the newest one; skips: the object without those between the prompted
    one and what the history holds in the end."""
    network: Sam2 = request.getfixturevalue(f"{request.param}_network")

    def track(*, skips: bool, first: Prompt | None, prompt: Prompt | None) -> Tracker:
        tracker = Tracker(network, history=0.25)
        for number in range(NEWEST + 1):
            if skips and number == PROMPTED + 1:
                record = tracker._objects._records.pop(1)
            if skips and number == NEWEST - HELD + 1:
                record.bridge(number)
                tracker._objects._records[1] = record
            tracker.track(image(number), number * PERIOD)
            if first is not None and number == 1:
                tracker.prompt(first)
            if prompt is not None and number == PROMPTED:
                tracker.prompt(prompt, object_id=None if first is None else 1)
        return tracker

    return track


def assert_same(one: Tracker, other: Tracker) -> None:
    """In what they show and will show."""
    assert one.save(1) == other.save(1)
    np.testing.assert_equal(dataclasses.asdict(one.current()), dataclasses.asdict(other.current()))
    following = image(NEWEST + 1), (NEWEST + 1) * PERIOD
    np.testing.assert_equal(dataclasses.asdict(one.track(*following)), dataclasses.asdict(other.track(*following)))


@pytest.mark.parametrize("first", [None, BOX])
def test_another_reading_is_what_it_would_be_without_the_images_between(
    first: Prompt | None, track: Callable[..., Tracker]
) -> None:
    late = track(skips=False, first=first, prompt=click(30, 20))
    before = late.save(1)

    late.choose(1, 1)
    late.choose(1, 2)

    assert late.save(1) != before
    assert_same(late, track(skips=True, first=first, prompt=click(30, 20, candidate=2)))


def test_a_correction_that_is_taken_back_is_as_if_it_had_not_been_made(track: Callable[..., Tracker]) -> None:
    late = track(skips=False, first=BOX, prompt=click(50, 20))

    assert late.undo(1).ids == (1,)

    assert_same(late, track(skips=True, first=BOX, prompt=None))
    assert late.undo(1).ids == (), "the one before it was the only one"


def test_only_the_last_prompt_of_all_outlives_the_history(track: Callable[..., Tracker]) -> None:
    tracker = track(skips=False, first=BOX, prompt=click(50, 20))
    tracker.prompt(BOX)

    with pytest.raises(StampUnavailable, match="the last prompt of object 1 is no longer held"):
        tracker.undo(1)


def test_what_else_was_prompted_on_its_image_is_gone_with_it(track: Callable[..., Tracker]) -> None:
    """Also before the next image comes, as while tracking is paused."""
    network = track(skips=False, first=None, prompt=None)._network
    tracker = Tracker(network, history=0.25)
    for number in range(NEWEST):
        tracker.track(image(number), number * PERIOD)
        if number == PROMPTED:
            for x in (20, 40, 60):
                tracker.prompt(click(x, 20), object_id=tracker.ids[0] if tracker.ids else None)
    tracker.undo(1)
    before = tracker.save(1)
    with pytest.raises(StampUnavailable, match="the last prompt of object 1 is no longer held"):
        tracker.undo(1)
    assert tracker.save(1) == before

    tracker = track(skips=False, first=None, prompt=click(30, 20))
    tracker.choose(1, 1)
    tracker.prompt(BOX)
    with pytest.raises(StampUnavailable, match="the last prompt of object 1 is no longer held"):
        tracker.choose(1, 2)
    assert tracker.undo(1).ids == (), "it was the only one"


def test_not_where_a_later_image_was_prompted_before(track: Callable[..., Tracker]) -> None:
    tracker = track(skips=False, first=BOX, prompt=None)
    tracker.prompt(click(50, 20), object_id=1, stamp=NEWEST * PERIOD)
    tracker.prompt(click(20, 10), object_id=1, stamp=(NEWEST - 2) * PERIOD)
    for number in range(NEWEST + 1, NEWEST + HELD - 1):
        tracker.track(image(number), number * PERIOD)
    before = tracker.save(1)
    assert not tracker._history.holds(NEWEST - 2) and tracker._history.holds(NEWEST)
    tracker.undo(1)  # the other one is held still, and made once more
    assert tracker.save(1) != before

    tracker.prompt(click(20, 10), object_id=1, stamp=NEWEST * PERIOD)
    tracker.prompt(click(20, 10), object_id=1, stamp=(NEWEST - 1) * PERIOD)
    for number in range(NEWEST + HELD - 1, NEWEST + 3 * HELD):
        tracker.track(image(number), number * PERIOD)
    with pytest.raises(StampUnavailable):
        tracker.undo(1)


@pytest.mark.parametrize(("seconds", "taken_back"), [(TAKEN_BACK, True), (TAKEN_BACK + 0.1, False)])
def test_it_has_an_end(seconds: float, taken_back: bool, track: Callable[..., Tracker]) -> None:
    tracker = track(skips=False, first=BOX, prompt=click(50, 20))
    tracker.track(image(0), PROMPTED * PERIOD + round(1e9 * seconds))

    if taken_back:
        tracker.choose(1, 0)
        tracker.undo(1)
    else:
        with pytest.raises(StampUnavailable):
            tracker.undo(1)


def test_an_object_that_is_gone_is_taken_back_by_nothing(track: Callable[..., Tracker]) -> None:
    tracker = track(skips=False, first=None, prompt=click(30, 20))
    tracker.remove(1)
    assert tracker._last_prompt is None
