"""Prompts that come late leave the tracker as if they had come in time. By hypothesis, on a small random network."""

from __future__ import annotations

import copy
from collections import Counter
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from sam2_ros.network import Answer, Sam2
from sam2_ros.tracking import BadPrompt, Prompt, StampUnavailable, Tracker, Tracks, UnknownObject
from sam2_ros.tracking.objects import Objects

HEIGHT, WIDTH = 48, 80
SECOND = 10**9
PERIOD = SECOND // 20
HELD = 8  # images that a history of 0.35 s holds at 20 images a second
FRAMES = 28
AFTER = 3  # frames tracked on after the last event; more than memory has room for beside the lasting frames


@pytest.fixture(scope="module", params=("whole", "refining"))
def network(request: pytest.FixtureRequest) -> Sam2:
    """What a network goes on from is most where it looks in regions and refines what it finds.

    For this one nothing is in view where an image is dark.
    """
    network: Sam2 = copy.deepcopy(request.getfixturevalue(f"{request.param}_network"))

    def keep_brightness(_: nn.Module, given: tuple[Tensor, ...], features: tuple[Tensor, ...]) -> None:
        features[0][:, 0, 0, 0] = given[0].mean(dim=(1, 2, 3))

    def hide(_: nn.Module, given: tuple[Tensor, ...], answer: Answer) -> Answer:
        return replace(answer, score=answer.score - 10 * (given[4][:, 0, 0, 0] < -1))

    network.image_encoder.register_forward_hook(keep_brightness)
    network.sam_mask_decoder.register_forward_hook(hide)
    return network


@dataclass(frozen=True)
class Event:
    """One call, made while the frame `arrival` is the newest."""

    arrival: int
    thing: int
    deed: str
    """prompt, choose, undo or remove."""
    frame: int = 0
    """On which the prompt lies that is made or of which another reading is taken."""
    prompt: Prompt = Prompt()  # noqa: RUF009
    candidate: int = 0


@dataclass(frozen=True)
class Shadow:
    """Makes images dark, or the left or right half of them."""

    first: int
    last: int
    part: str

    def fall_on(self, picture: np.ndarray) -> None:
        middle = picture.shape[1] // 2
        picture[:, {"whole": slice(None), "left": slice(middle), "right": slice(middle, None)}[self.part]] = 0


@dataclass(frozen=True)
class Story:
    events: list[Event]
    in_time: list[Event]
    """The prompts that were not taken back, each with the reading that was taken at last, made on their own frames;
    things are removed after all else."""
    shadows: list[Shadow]
    search_every: int

    def image(self, number: int) -> np.ndarray:
        picture = image(number)
        for shadow in self.shadows:
            if shadow.first <= number <= shadow.last:
                shadow.fall_on(picture)
        return picture


def told(events: list[Event], shadows: list[Shadow], search_every: int) -> Story:
    """The story of these events."""
    events = sorted(events, key=lambda event: event.arrival)
    made: dict[int, list[Event]] = {}
    removed = []
    for event in events:
        prompts = made.setdefault(event.thing, [])
        if event.deed == "remove":
            removed.append(event)
        elif event.deed == "prompt":
            prompts.append(replace(event, arrival=event.frame))
        else:
            last = prompts.pop()
            if event.deed == "choose":
                prompts.append(replace(last, prompt=replace(last.prompt, candidate=event.candidate)))
    kept = sorted((one for prompts in made.values() for one in prompts), key=lambda event: event.arrival)
    in_time = sorted(kept + removed, key=lambda event: event.arrival)
    return Story(events, in_time, shadows, search_every)


@st.composite
def prompts(draw: st.DrawFn) -> Prompt:
    kind = draw(st.sampled_from(["click", "click", "clicks", "box", "mask"]))
    x, y = draw(st.integers(8, WIDTH - 30)), draw(st.integers(8, HEIGHT - 20))
    replace = draw(st.booleans())
    if kind == "mask":
        mask = np.zeros((HEIGHT, WIDTH), bool)
        mask[y : y + 12, x : x + 20] = True
        return Prompt(mask=mask)
    if kind == "box":
        return Prompt(box=np.array([x, y, x + 22, y + 14]), replace=replace)
    if kind == "click":
        return Prompt(points=np.array([[x, y]]), labels=np.array([1]), replace=replace)
    return Prompt(points=np.array([[x, y], [x + 15, y + 5]]), labels=np.array([1, 0]), replace=replace)


def is_ambiguous(prompts: list[Prompt]) -> bool:
    """Whether what is meant on a frame is a single click."""
    clicks = 0
    for prompt in prompts:
        clicks = 0 if prompt.replace or prompt.mask is not None else clicks
        clicks += len(prompt.points) + 2 * (prompt.box is not None)
    return clicks == 1


@st.composite
def lives(draw: st.DrawFn, thing: int) -> list[Event]:
    """Up to five events of any lateness that happen to a thing; it may be removed at the end."""
    events: list[Event] = []
    made: list[Event] = []
    arrivals = sorted(draw(st.lists(st.integers(0, FRAMES - 1), min_size=1, max_size=5)))
    for arrival in arrivals:
        deeds = ["prompt", "prompt"]
        last = made[-1] if made else None
        held = last is not None and last.frame > arrival - HELD
        if held or len(made) == 1:
            deeds.append("undo")
        if last is not None and held and is_ambiguous([one.prompt for one in made if one.frame == last.frame]):
            deeds += ["choose", "choose"]
        event = Event(arrival, thing, draw(st.sampled_from(deeds)), last.frame if last else 0)
        if event.deed == "undo":
            made.pop()
        elif event.deed == "choose":
            event = replace(event, candidate=draw(st.integers(0, 2)))
        else:
            frame, prompt = arrival - draw(st.integers(0, min(arrival, HELD - 1))), draw(prompts())
            if is_ambiguous([*(one.prompt for one in made if one.frame == frame), prompt]):
                prompt = replace(prompt, candidate=draw(st.integers(0, 2)))
            event = replace(event, frame=frame, prompt=prompt)
            made.append(event)
        events.append(event)
    if made and arrivals[-1] < FRAMES - 1 and draw(st.booleans()):
        events.append(Event(draw(st.integers(arrivals[-1] + 1, FRAMES - 1)), thing, "remove"))
    return events


@st.composite
def stories(draw: st.DrawFn) -> Story:
    """Of up to three things, while a shadow or two fall."""
    events = [event for thing in range(draw(st.integers(1, 3))) for event in draw(lives(thing))]
    number = st.integers(0, FRAMES - 1)
    part = st.sampled_from(["whole", "left", "right"])
    shadow = st.builds(lambda first, length, part: Shadow(first, first + length, part), number, number, part)
    return told(events, draw(st.lists(shadow, min_size=1, max_size=2)), draw(st.sampled_from([3, 2, 1])))


def click(x: int, y: int, candidate: int = 0) -> Prompt:
    return Prompt(points=np.array([[x, y]]), labels=np.array([1]), candidate=candidate)


BOX = Prompt(box=np.array([10, 5, 40, 30]))
OUT_OF_VIEW = told(
    [
        Event(2, 0, "prompt", 0, click(20, 20)),
        Event(2, 2, "prompt", 1, click(60, 30)),
        Event(3, 2, "choose", 1, candidate=1),
        Event(3, 1, "prompt", 3, Prompt(box=np.array([50, 10, 72, 30]))),
        Event(4, 0, "choose", 0, candidate=2),
        Event(5, 2, "undo"),
        Event(11, 0, "prompt", 9, click(25, 25)),
        Event(12, 1, "prompt", 6, click(60, 20, candidate=1)),
        Event(13, 0, "undo"),
        Event(13, 1, "undo"),
        Event(14, 2, "prompt", 7, Prompt(box=np.array([10, 15, 40, 35]))),
        Event(17, 2, "prompt", 12, click(30, 30)),
        Event(18, 2, "choose", 12, candidate=1),
        Event(23, 1, "prompt", 17, click(55, 25)),
        Event(19, 2, "undo"),
        Event(26, 0, "prompt", 24, click(22, 22)),
        Event(27, 0, "undo"),
    ],
    [Shadow(5, 15, "left"), Shadow(11, 20, "whole"), Shadow(26, 29, "whole")],
    search_every=3,
)


def image(number: int) -> np.ndarray:
    return np.random.default_rng(number).integers(0, 255, (HEIGHT, WIDTH, 3), dtype=np.uint8)


def tell(network: Sam2, story: Story, *, late: bool, only: int | None = None) -> tuple[Tracker, dict[int, int], list]:
    """The tracker at the end, the id of each thing, and the last frames' tracks."""
    tracker = Tracker(
        network, capacity=5, history=0.35, conditioning_frames=3, search_every=story.search_every, lost_after=0.2
    )
    ids: dict[int, int] = {}
    made: Counter[int] = Counter()
    last: list[Tracks] = []
    for number in range(FRAMES + AFTER):
        tracks = tracker.track(story.image(number), number * PERIOD)
        if number >= FRAMES:
            last.append(tracks)
        for event in story.events if late else story.in_time:
            if event.arrival != number or only not in (None, event.thing):
                continue
            if event.deed == "remove":
                tracker.remove(ids.pop(event.thing))
                continue
            if event.deed == "undo":
                made[event.thing] -= 1
                id_ = ids[event.thing] if made[event.thing] else ids.pop(event.thing)
                assert tracker.undo(id_).ids == ((id_,) if made[event.thing] else ())
                continue
            if event.deed == "choose":
                answer = tracker.choose(ids[event.thing], event.candidate)
            else:
                made[event.thing] += 1
                answer = tracker.prompt(event.prompt, object_id=ids.get(event.thing), stamp=event.frame * PERIOD)
            (ids[event.thing],) = answer.ids
            assert answer.stamp == number * PERIOD
            assert answer.readings is not None and answer.readings.stamp == event.frame * PERIOD
    return tracker, ids, last


@pytest.fixture
def strangers(monkeypatch: pytest.MonkeyPatch) -> None:
    """With search regions a click on something new knows of the other objects as they are when it is made, so that it
    matters which was there first. Here it does not."""
    monkeypatch.setattr(Objects, "in_view", lambda *_, **__: ())


def assert_same(one: tuple[Tracker, dict[int, int], list], other: tuple[Tracker, dict[int, int], list]) -> None:
    """The same things with the same memory, and the same answers on the last frames."""
    (tracker, ids, last), (expected_tracker, expected_ids, expected_last) = one, other
    assert set(expected_ids) <= set(ids)
    for thing in expected_ids:
        mine, theirs = ids[thing], expected_ids[thing]
        a, b = (
            t._bank.export(t._objects.record(i).row, FRAMES + AFTER)
            for t, i in ((tracker, mine), (expected_tracker, theirs))
        )
        assert (a.ages, a.conditioning) == (b.ages, b.conditioning)
        np.testing.assert_allclose(a.pointers, b.pointers, atol=2e-4)
        np.testing.assert_allclose(a.memories.float(), b.memories.float(), atol=2e-2)  # rounded to bfloat16
        for got, want in zip(last, expected_last, strict=True):
            got, want = got.only(mine), want.only(theirs)
            np.testing.assert_allclose(got.logits, want.logits, atol=1e-3)
            np.testing.assert_allclose(got.scores, want.scores, atol=1e-3)
            np.testing.assert_allclose(got.iou, want.iou, atol=1e-3)
            assert np.count_nonzero(got.masks != want.masks) <= 3, "a pixel or two may be of either"
            assert (got.states, got.last_seen) == (want.states, want.last_seen)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(story=stories())
@example(story=OUT_OF_VIEW)
def test_late_prompts_leave_all_as_if_they_had_come_in_time(network: Sam2, strangers: None, story: Story) -> None:
    late = tell(network, story, late=True)
    in_time = tell(network, story, late=False)
    assert set(late[1]) == set(in_time[1])
    assert_same(late, in_time)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(story=stories())
def test_every_object_is_tracked_as_if_it_were_alone(network: Sam2, strangers: None, story: Story) -> None:
    together = tell(network, story, late=True)
    for thing in together[1]:
        assert_same(together, tell(network, story, late=True, only=thing))


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(story=stories(), extra=prompts(), delay=st.integers(0, HELD - 1))
@example(story=OUT_OF_VIEW, extra=BOX, delay=0)
@example(story=told([Event(16, 0, "prompt", 16, BOX)], [], search_every=1), extra=click(40, 30), delay=HELD - 1)
def test_undo_leaves_all_as_if_the_prompt_had_not_been_made(
    network: Sam2, story: Story, extra: Prompt, delay: int
) -> None:
    tracker, ids, last = told_of = tell(network, story, late=True)
    expected = tell(network, story, late=True)
    for object_id in ids.values():
        tracker.prompt(extra, object_id=object_id, stamp=(FRAMES + AFTER - 1 - delay) * PERIOD)
        assert tracker.undo(object_id).ids == (object_id,)
    for t, tracks in ((tracker, last), (expected[0], expected[2])):
        tracks.append(t.current())
    assert_same(told_of, expected)
    for t, tracks in ((tracker, last), (expected[0], expected[2])):
        tracks.append(t.track(image(99), (FRAMES + AFTER) * PERIOD))
    assert_same(told_of, expected)


@pytest.fixture
def tracker(network: Sam2) -> Tracker:
    tracker = Tracker(network, capacity=2, history=0.35)
    for number in range(20):
        tracker.track(image(number), number * PERIOD)
    return tracker


def test_a_prompt_never_encodes_a_whole_image_again(whole_network: Sam2, monkeypatch: pytest.MonkeyPatch) -> None:
    tracker = Tracker(whole_network, capacity=2)
    for number in range(20):
        tracker.track(image(number), number * PERIOD)
    monkeypatch.setitem(vars(whole_network), "encode_image", None)
    assert tracker.prompt(BOX, stamp=13 * PERIOD).ids == (1,)


@pytest.mark.parametrize(
    "stamp, landed",
    [
        (None, 19),
        (15 * PERIOD, 15),
        (15 * PERIOD + PERIOD // 3, 15),
        (15 * PERIOD + 2 * PERIOD // 3, 16),
        (19 * PERIOD + SECOND // 2, 19),
        (12 * PERIOD, 12),
    ],
)
def test_a_prompt_lands_on_the_image_nearest_to_its_stamp(tracker: Tracker, stamp: int | None, landed: int) -> None:
    readings = tracker.prompt(BOX, stamp=stamp).readings
    assert readings is not None and readings.stamp == landed * PERIOD


def test_a_stamp_that_is_too_old_or_of_another_clock(tracker: Tracker) -> None:
    with pytest.raises(StampUnavailable, match=r"may be up to 0.35 s late now, and history is 0.35 s"):
        tracker.prompt(BOX, stamp=11 * PERIOD)
    with pytest.raises(StampUnavailable, match="must be stamped by the same clock"):
        tracker.prompt(BOX, stamp=60 * SECOND)
    assert tracker.ids == ()
    for stamp in (11 * PERIOD, 60 * SECOND):
        with pytest.raises(StampUnavailable):
            tracker.check_stamp(stamp)
    tracker.check_stamp(None)
    tracker.check_stamp(tracker.current().stamp)


def test_an_image_that_gave_way_to_the_oldest_one_held_is_not_too_old(network: Sam2) -> None:
    """A slow tracker: the camera's images between those that it took stand for the nearer one."""
    tracker = Tracker(network, history=2.0)
    for number, stamp in enumerate((7.6, 8.25, 8.9, 9.5, 10.0, 10.3)):
        tracker.track(image(number), round(stamp * SECOND))
    readings = tracker.prompt(BOX, stamp=round(8.6 * SECOND)).readings
    assert readings is not None and readings.stamp == round(8.9 * SECOND)
    with pytest.raises(StampUnavailable, match=r"up to 1.40 s late now"):
        tracker.prompt(BOX, stamp=round(8.5 * SECOND))


def test_without_a_history_only_the_newest_image_is_prompted(network: Sam2) -> None:
    tracker = Tracker(network, history=0.0)
    for number in range(3):
        tracker.track(image(number), number * PERIOD)
    tracker.prompt(BOX, stamp=2 * PERIOD)
    with pytest.raises(StampUnavailable, match="history is 0 s"):
        tracker.prompt(BOX, stamp=PERIOD)


def test_a_long_gap_lets_the_history_go_and_keeps_the_objects(tracker: Tracker) -> None:
    tracker.prompt(BOX)
    assert tracker.track(image(20), 1000 * SECOND).ids == (1,)
    with pytest.raises(StampUnavailable, match=r"up to 0.00 s late now"):
        tracker.prompt(BOX, object_id=1, stamp=19 * PERIOD)


def test_undo_of_the_only_prompt_removes_the_object(tracker: Tracker) -> None:
    tracker.prompt(BOX, stamp=15 * PERIOD)
    assert tracker.undo(1).ids == ()
    with pytest.raises(UnknownObject):
        tracker.undo(1)
    assert tracker.prompt(BOX).ids == (2,)


def test_undo_goes_back_prompt_by_prompt_until_the_history_ends(tracker: Tracker) -> None:
    tracker.prompt(BOX)
    before = tracker.save(1)
    tracker.track(image(20), 20 * PERIOD)
    tracker.track(image(21), 21 * PERIOD)
    plain = tracker.save(1)
    for x, frame in ((30, 21), (50, 20)):  # the second is late
        tracker.prompt(Prompt(points=np.array([[x, 20]]), labels=np.array([1])), object_id=1, stamp=frame * PERIOD)
    assert tracker.save(1) != plain
    tracker.undo(1)
    tracker.undo(1)
    assert tracker.save(1) == plain != before
    tracker.prompt(BOX, object_id=1)
    assert tracker.prompt(BOX).ids == (2,), "the last one of all"
    for number in range(22, 40):
        tracker.track(image(number), number * PERIOD)
    with pytest.raises(StampUnavailable, match="the last prompt of object 1 is no longer held"):
        tracker.undo(1)
    assert tracker.undo(2).ids == (), "where nothing is left, no image is needed"
    assert tracker.ids == (1,)


def test_another_reading_of_a_click_is_chosen_later_and_followed(network: Sam2) -> None:
    click = Prompt(points=np.array([[30.0, 20.0]]), labels=np.array([1]))
    trackers = [Tracker(network, history=0.35) for _ in range(2)]
    for tracker in trackers:
        tracker.track(image(0), 0)
    chosen, wanted = trackers
    readings = chosen.prompt(click).readings
    wanted.prompt(Prompt(click.points, click.labels, candidate=2))
    for number in range(1, 4):
        for tracker in trackers:
            tracker.track(image(number), number * PERIOD)
    answer = chosen.choose(1, 2)
    assert answer.readings is not None and readings is not None
    assert np.array_equal(answer.readings.masks, readings.masks)
    np.testing.assert_allclose(
        chosen.track(image(4), 4 * PERIOD).logits, wanted.track(image(4), 4 * PERIOD).logits, atol=1e-3
    )
    chosen.prompt(BOX, object_id=1)
    with pytest.raises(BadPrompt, match="there is no candidate 1"):
        chosen.choose(1, 1)
