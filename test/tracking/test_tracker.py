"""What a tracker promises, on a small network with random weights. Its answers' exactness is test_parity.py's part."""

from __future__ import annotations

import copy
import dataclasses
import re
from typing import Any

import numpy as np
import pytest
import torch

from sam2_ros.network import Choice, Sam2
from sam2_ros.tracking import (
    BadImage,
    BadPrompt,
    BadStamp,
    CapacityExceeded,
    LateImage,
    NoImage,
    Prompt,
    StampUnavailable,
    State,
    Tracker,
    TrackerError,
    Tracks,
    UnknownObject,
    outputs,
    track_together,
)
from sam2_ros.tracking.memory import MemoryBank

HEIGHT, WIDTH = 48, 80


@pytest.fixture
def tracker(network: Sam2) -> Tracker:
    return Tracker(network, capacity=3)


def image(number: int) -> np.ndarray:
    return np.random.default_rng(number).integers(0, 255, (HEIGHT, WIDTH, 3), dtype=np.uint8)


def click(x: float, y: float, label: int = 1, **more: Any) -> Prompt:
    return Prompt(points=np.array([[x, y]]), labels=np.array([label]), **more)


BOX = Prompt(box=np.array([10, 5, 40, 30]))


def state_of(tracker: Tracker) -> dict[str, Any]:
    """All that decides what a tracker will answer, bit for bit."""
    return {
        "ids": tracker.ids,
        "memories": [tracker.save(object_id) for object_id in tracker.ids],
        "records": [dataclasses.asdict(record) for record in tracker._objects.records()],
        "next": (tracker._objects.next_id, tracker._history.next_number, sorted(tracker._history._frames)),
        "answers": [tracker._propagation.logits[record.row].tolist() for record in tracker._objects.records()],
    }


def test_a_prompt_starts_an_object_that_is_on_every_following_frame(tracker: Tracker) -> None:
    assert tracker.track(image(0), 100).ids == ()
    started = tracker.prompt(BOX)
    assert started.ids == (1,)
    assert started.stamp == 100
    for number in range(1, 5):
        tracks = tracker.track(image(number), 100 + number)
        assert tracks.ids == (1,)
        assert tracks.stamp == 100 + number
        assert tracks.masks.shape == (1, HEIGHT, WIDTH) and tracks.masks.dtype == np.bool_
        assert tracks.logits.shape == (1, 16, 16)
        assert tracks.areas[0] == tracks.masks[0].sum()
        assert tracks.visibility[0] == pytest.approx(1 / (1 + np.exp(-tracks.scores[0])))


def test_ids_rise_and_are_never_used_again(tracker: Tracker) -> None:
    tracker.track(image(0), 0)
    ids = [tracker.prompt(click(10 * n, 10)).ids[0] for n in range(3)]
    tracker.remove(2)
    assert tracker.ids == (1, 3)
    ids.append(tracker.prompt(BOX).ids[0])
    assert ids == [1, 2, 3, 4]
    tracker.reset()
    tracker.track(image(1), 1)
    assert tracker.prompt(BOX).ids == (5,)


def test_an_object_is_tracked_as_if_it_were_alone(network: Sam2) -> None:
    """Objects that come at different times and go do not change what is answered for another."""
    alone, together = Tracker(network, capacity=4), Tracker(network, capacity=4)
    for number in range(20):
        expected = alone.track(image(number), number)
        tracks = together.track(image(number), number)
        if number == 2:
            together.prompt(click(60, 40))
        if number == 4:
            expected = alone.prompt(BOX)
            tracks = together.prompt(BOX)
        if number == 7:
            together.prompt(Prompt(mask=np.tri(HEIGHT, WIDTH, dtype=bool)))
        if number == 11:
            together.remove(1)
            together.prompt(click(5, 5))
        if number >= 4:
            row = tracks.ids.index(2)
            np.testing.assert_allclose(tracks.logits[row], expected.logits[0], atol=2e-4, err_msg=f"frame {number}")
            np.testing.assert_allclose(tracks.scores[row], expected.scores[0], atol=2e-4)


def test_a_mask_prompt_is_its_own_answer(tracker: Tracker) -> None:
    tracker.track(image(0), 0)
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[12:36, 20:60] = True
    answer = tracker.prompt(Prompt(mask=mask))
    assert (answer.masks[0] & mask).sum() / (answer.masks[0] | mask).sum() > 0.85
    assert answer.readings is not None and len(answer.readings.masks) == 1


def test_a_single_click_has_three_readings_best_first_and_another_may_be_taken(tracker: Tracker) -> None:
    tracker.track(image(0), 0)
    best = tracker.prompt(click(30, 20))
    assert best.readings is not None
    assert len(best.readings.masks) == 3
    assert list(best.readings.iou) == sorted(best.readings.iou, reverse=True)
    assert np.array_equal(best.masks[0], best.readings.masks[0])
    second = tracker.prompt(click(30, 20, replace=True, candidate=1), object_id=1)
    assert np.array_equal(second.masks[0], best.readings.masks[1])
    assert not np.array_equal(second.masks[0], best.masks[0])
    assert second.iou[0] == pytest.approx(best.readings.iou[1])


def test_clicks_on_one_frame_add_up_and_replace_begins_again(network: Sam2) -> None:
    def answer(*prompts: Prompt) -> np.ndarray:
        tracker = Tracker(network)
        tracker.track(image(0), 0)
        object_id = None
        for prompt in prompts:
            tracks = tracker.prompt(prompt, object_id=object_id)
            object_id = tracks.ids[0]
        return tracks.logits[0]

    first, second = click(30, 20), click(60, 40, 0)
    assert not np.allclose(answer(first), answer(first, second))
    again = click(60, 40, replace=True)
    assert np.array_equal(answer(again), answer(first, again))


def test_a_correction_of_a_tracked_frame_begins_from_its_mask_and_is_remembered(network: Sam2) -> None:
    corrected, plain = Tracker(network), Tracker(network)
    for tracker in (corrected, plain):
        tracker.track(image(0), 0)
        tracker.prompt(BOX)
        tracker.track(image(1), 1)
    fresh = Tracker(network)
    fresh.track(image(1), 1)
    correction = corrected.prompt(click(20, 20), object_id=1)
    assert not np.allclose(correction.logits, fresh.prompt(click(20, 20)).logits)
    for number in range(2, 12):  # longer than the six recent frames reach back
        after, without = corrected.track(image(number), number), plain.track(image(number), number)
    assert not np.allclose(after.logits, without.logits)


def test_replacing_a_correction_begins_from_the_mask_as_it_was_tracked(network: Sam2) -> None:
    once, twice = Tracker(network), Tracker(network)
    for tracker in (once, twice):
        tracker.track(image(0), 0)
        tracker.prompt(BOX)
        tracker.track(image(1), 1)
    twice.prompt(click(70, 40), object_id=1)
    expected = once.prompt(click(20, 20, replace=True), object_id=1)
    assert np.allclose(twice.prompt(click(20, 20, replace=True), object_id=1).logits, expected.logits, atol=1e-5)


def test_an_object_out_of_view_has_no_mask_and_is_lost_in_time(network: Sam2) -> None:
    hidden = copy.deepcopy(network)
    tracker = Tracker(hidden, lost_after=2.0)
    tracker.track(image(0), 0)
    tracker.prompt(BOX)
    hidden.sam_mask_decoder.pred_obj_score_head.layers[-1].bias -= 100.0
    states = []
    for second in range(1, 5):
        tracks = tracker.track(image(second), second * 10**9)
        assert not tracks.masks.any() and not tracks.boxes.any() and tracks.areas[0] == 0
        assert tracks.visibility[0] < 0.01
        assert tracks.last_seen == (0,)
        states.append(tracks.states[0])
    assert states == [State.OCCLUDED, State.OCCLUDED, State.LOST, State.LOST]
    hidden.sam_mask_decoder.pred_obj_score_head.layers[-1].bias += 100.0
    tracks = tracker.track(image(5), 5 * 10**9)
    assert tracks.states == (State.VISIBLE,) and tracks.last_seen == (5 * 10**9,)


def test_an_object_without_a_pixel_is_not_in_view(network: Sam2, monkeypatch: pytest.MonkeyPatch) -> None:
    tracker = Tracker(network)
    tracker.track(image(0), 0)
    tracker.prompt(BOX)
    choose = Sam2.choose

    def emptied(self: Sam2, *arguments: object, **more: object) -> Choice:
        choice = choose(self, *arguments, **more)  # type: ignore[arg-type]
        return dataclasses.replace(choice, raw=-choice.raw.abs() - 1, logits=-choice.logits.abs() - 1)

    monkeypatch.setattr(Sam2, "choose", emptied)
    tracks = tracker.track(image(1), 10**9)
    assert tracks.visibility[0] > 0.5
    assert tracks.states == (State.OCCLUDED,) and tracks.last_seen == (0,)


def test_images_of_an_earlier_stream_cannot_be_prompted(tracker: Tracker) -> None:
    for stamp in (14, 15, 10):
        tracker.track(image(stamp), stamp * 10**8)
    readings = tracker.prompt(BOX, stamp=15 * 10**8).readings
    assert readings is not None and readings.stamp == 10 * 10**8


@pytest.mark.parametrize(
    "next_image, stamp",
    [(image(1), 5 * 10**8), (np.zeros((HEIGHT, WIDTH + 2, 3), np.uint8), 11 * 10**8)],
    ids=["stamp", "size"],
)
def test_a_new_stream_forgets_and_says_so(tracker: Tracker, caplog, next_image: np.ndarray, stamp: int) -> None:
    tracker.track(image(0), 10**9)
    tracker.prompt(BOX)
    assert tracker.track(next_image, stamp).ids == ()
    assert "a new stream begins" in caplog.text and "objects that are forgotten: 1" in caplog.text
    assert tracker.prompt(BOX).ids == (2,)


def test_an_image_that_comes_late_is_refused_and_forgets_nothing(tracker: Tracker) -> None:
    tracker.track(image(0), 10**9)
    before = tracker.prompt(BOX)
    for late in (10**9 - 1, 5 * 10**8 + 1):
        with pytest.raises(LateImage, match=f"stamp {late} ns is .* before 1000000000 ns, the newest image's"):
            tracker.track(image(1), late)
    assert np.array_equal(tracker.current().logits, before.logits)
    assert tracker.track(image(1), 10**9 + 1).ids == (1,)


@pytest.mark.parametrize("stamp", [0.066, 1.0, "7"])
def test_a_stamp_is_a_whole_number_of_nanoseconds(tracker: Tracker, stamp: Any) -> None:
    """Seconds would be taken for nothing at all."""
    tracker.track(image(0), np.int64(5))
    tracker.prompt(BOX, stamp=np.int64(5))
    before = state_of(tracker)
    for call in (tracker.track, tracker.prompt, tracker.preview):
        with pytest.raises(BadStamp, match=re.escape(f"the stamp is {stamp!r}; it must be an integer, in nanoseconds")):
            call(image(1) if call == tracker.track else BOX, stamp=stamp)
    np.testing.assert_equal(state_of(tracker), before)


def test_a_new_object_is_somewhere(tracker: Tracker) -> None:
    tracker.track(image(0), 0)
    for call in (tracker.prompt, tracker.preview):
        with pytest.raises(BadPrompt, match="these points say where it is not"):
            call(click(10, 10, 0))
    assert tracker.ids == ()


def test_an_object_never_begins_with_where_it_is_not(tracker: Tracker) -> None:
    """Nor when it is to begin earlier than it did, or anew."""
    for number in range(2):
        tracker.track(image(number), number)
    tracker.prompt(click(30, 20))
    before = state_of(tracker)
    for call in ({"stamp": 0}, {"replace": True}):
        with pytest.raises(BadPrompt, match="an object begins with a point of label 1, a box or a mask"):
            tracker.prompt(click(10, 10, 0, replace="replace" in call), object_id=1, stamp=call.get("stamp"))
    np.testing.assert_equal(state_of(tracker), before)
    tracker.prompt(click(10, 10, 0), object_id=1)


def test_a_prompt_before_the_first_image(tracker: Tracker) -> None:
    with pytest.raises(NoImage, match="no image to prompt on yet"):
        tracker.prompt(BOX)


@pytest.mark.parametrize(
    "prompt, more, error, sentence",
    [
        (Prompt(), {}, BadPrompt, "the prompt is empty"),
        (click(80, 10), {}, BadPrompt, r"the point \(80, 10\) is outside the image of 80x48 pixels"),
        (click(float("nan"), 10), {}, BadPrompt, "must be finite"),
        (click(10, 10, 2), {}, BadPrompt, "the labels are 2;"),
        (Prompt(points=np.ones((1, 2)), labels=np.array([1.9])), {}, BadPrompt, "the labels are 1.9;"),
        (
            Prompt(points=np.ones((2, 2)), labels=np.ones(1)),
            {},
            BadPrompt,
            "of points there are 2, of labels 1; each point",
        ),
        (
            Prompt(points=np.ones((1001, 2)), labels=np.ones(1001)),
            {},
            BadPrompt,
            "the prompt has 1001 points; it may have 1000",
        ),
        (Prompt(box=np.array([20, 5, 10, 30])), {}, BadPrompt, "the box 20 5 10 30 is empty"),
        (Prompt(box=np.array([90, 5, 100, 30])), {}, BadPrompt, "is outside the image"),
        (Prompt(box=np.array([20, 5, 20, 30])), {}, BadPrompt, "the box 20 5 20 30 is empty"),
        (Prompt(box=np.array([80, 5, 90, 30])), {}, BadPrompt, "is outside the image"),
        (Prompt(box=np.array([-9, 5, 0, 30])), {}, BadPrompt, "is outside the image"),
        (Prompt(box=np.array([20, 48, 30, 60])), {}, BadPrompt, "is outside the image"),
        (Prompt(box=np.array([20, -9, 30, 0])), {}, BadPrompt, "is outside the image"),
        (Prompt(box=np.array([20, 30, 40, 30])), {}, BadPrompt, "the box 20 30 40 30 is empty"),
        (click(10, 48), {}, BadPrompt, r"the point \(10, 48\) is outside the image"),
        (click(-0.6, 10), {}, BadPrompt, r"the point \(-0.6, 10\) is outside the image"),
        (click(10, -0.6), {}, BadPrompt, r"the point \(10, -0.6\) is outside the image"),
        (Prompt(box=np.array([1, 2, 3])), {}, BadPrompt, "the box has 3 numbers"),
        (Prompt(mask=np.zeros((HEIGHT, WIDTH), bool)), {}, BadPrompt, "the mask is empty"),
        (Prompt(mask=np.full((HEIGHT, WIDTH), np.nan)), {}, BadPrompt, "the mask cannot be read .* not finite"),
        (Prompt(mask=[[True], [True, False]]), {}, BadPrompt, "the mask cannot be read as 48 rows of 80 pixels"),
        (Prompt(mask=np.ones((HEIGHT, WIDTH), bool), candidate=2), {}, BadPrompt, "there is no candidate 2"),
        (Prompt(mask=np.ones((4, 4), bool)), {}, BadPrompt, r"the mask's shape is \(4, 4\)"),
        (Prompt(mask=np.ones((HEIGHT, WIDTH), bool), box=np.array([1, 1, 5, 5])), {}, BadPrompt, "cannot be combined"),
        (click(10, 10, candidate=3), {}, BadPrompt, "the candidate is 3"),
        (click(10, 10, candidate=True), {}, BadPrompt, "the candidate is True"),
        (Prompt(box=np.array([1, 1, 5, 5]), candidate=1), {}, BadPrompt, "there is no candidate 1"),
        (BOX, {"object_id": 7}, UnknownObject, "there is no object 7; the objects are: 1, 2, 3"),
        (BOX, {"stamp": 3}, StampUnavailable, "the image of stamp 3 ns is no longer held"),
        (BOX, {}, CapacityExceeded, "there are 3 objects already"),
    ],
)
def test_an_error_says_what_is_wrong_and_changes_nothing(tracker: Tracker, prompt, more, error, sentence) -> None:
    tracker.track(image(0), 100)
    for n in range(3):
        tracker.prompt(click(10 + 20 * n, 20))
    tracker.track(image(1), 101)
    before = state_of(tracker)
    if error is BadPrompt:  # the prompt itself is looked at only where the object is known
        more = {"object_id": 2, **more}
    with pytest.raises(error, match=sentence):
        tracker.prompt(prompt, **more)
    np.testing.assert_equal(state_of(tracker), before)


@pytest.mark.parametrize(("x", "y"), [(-0.5, -0.5), (0, 0), (WIDTH - 0.5, HEIGHT - 0.5)])
def test_a_click_may_be_anywhere_on_a_pixel_of_the_image(tracker: Tracker, x: float, y: float) -> None:
    tracker.track(image(0), 0)
    assert tracker.prompt(click(x, y)).ids == (1,)


@pytest.mark.parametrize("kind", ["points", "mask"])
def test_what_a_caller_does_with_its_arrays_afterwards_is_its_own(network: Sam2, kind: str) -> None:
    """A prompt is answered once more when an earlier image is prompted."""
    answers = []
    for changes in (False, True):
        points, mask = np.array([[30, 20]], np.float32), np.tri(HEIGHT, WIDTH, dtype=bool)
        tracker = Tracker(network)
        tracker.track(image(0), 0)
        tracker.track(image(1), 1)
        tracker.prompt(Prompt(points, np.array([1])) if kind == "points" else Prompt(mask=mask))
        if changes:
            points[:], mask[:] = 0, False
        answers.append(tracker.prompt(BOX, object_id=1, stamp=0).logits)
    np.testing.assert_array_equal(*answers)


@pytest.mark.parametrize(
    "picture",
    [
        np.zeros((HEIGHT, WIDTH), np.uint8),
        np.zeros((HEIGHT, WIDTH, 4), np.uint8),
        np.zeros((HEIGHT, WIDTH, 3), np.float32),
        np.zeros((0, WIDTH, 3), np.uint8),
    ],
)
def test_an_image_that_is_none_changes_nothing(tracker: Tracker, picture: np.ndarray) -> None:
    tracker.track(image(0), 100)
    tracker.prompt(BOX)
    before = state_of(tracker)
    with pytest.raises(BadImage):
        tracker.track(picture, 101)
    np.testing.assert_equal(state_of(tracker), before)


def test_removing_what_is_not_there(tracker: Tracker) -> None:
    with pytest.raises(UnknownObject, match="there is no object 1; the objects are: none"):
        tracker.remove(1)


def test_all_errors_are_one_family() -> None:
    for error in (BadImage, BadPrompt, CapacityExceeded, NoImage, StampUnavailable, UnknownObject):
        assert issubclass(error, TrackerError)


def test_sizes_that_cannot_be(network: Sam2) -> None:
    with pytest.raises(ValueError, match="capacity is 0"):
        Tracker(network, capacity=0)
    with pytest.raises(ValueError, match="image_size is 100"):
        Tracker(network, image_size=100)


def test_it_runs_in_bfloat16_and_answers_nearly_the_same(network: Sam2) -> None:
    trackers = [Tracker(network), Tracker(copy.deepcopy(network).to(torch.bfloat16))]
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[12:36, 20:60] = True
    for number in range(6):
        exact, rounded = (tracker.track(image(number), number) for tracker in trackers)
        if number == 0:
            exact, rounded = [[tracker.prompt(p) for p in (Prompt(mask=mask), BOX)][1] for tracker in trackers]
        np.testing.assert_allclose(rounded.logits, exact.logits, atol=0.1)


def test_its_tensors_are_allocated_once(tracker: Tracker) -> None:
    def held() -> list[int]:
        history, propagation = tracker._history, tracker._propagation
        parts = [tracker._bank, propagation, propagation.close_ups, history, *filter(None, [history._features])]
        found = [value for part in parts for value in vars(part).values() if isinstance(value, torch.Tensor)]
        assert len(found) >= 8
        return [tensor.data_ptr() for tensor in found]

    tracker.track(image(0), 0)  # which shows how large images are
    before = held()
    for number in range(1, 30):
        tracker.track(image(number), number)
        if number % 5 == 1:
            tracker.prompt(BOX)
        if number % 5 == 3:
            tracker.remove(tracker.ids[-1])
    assert held() == before


def test_what_the_host_knows_of_an_object_does_not_grow_either(network: Sam2) -> None:
    tracker = Tracker(network, capacity=1, history=0.1)
    tracker.track(image(0), 0)
    tracker.prompt(BOX)
    for number in range(1, 20):
        tracker.track(image(number), number)
        tracker.prompt(click(30, 20), object_id=1)
    record = tracker._objects.record(1)
    assert len(record.views) == 5 and len(record.prompts) == 4, "the history has four images"


def test_one_of_several_objects_alone(tracker: Tracker) -> None:
    tracker.track(image(0), 5)
    for n in range(3):
        tracker.prompt(click(10 + 20 * n, 20))
    tracks = tracker.track(image(1), 6)
    alone = tracks.only(2)
    assert alone.ids == (2,) and len(alone.states) == len(alone.last_seen) == len(alone.masks) == len(alone.iou) == 1
    assert np.array_equal(alone.logits[0], tracks.logits[1])
    with pytest.raises(UnknownObject, match="there is no object 4; the objects are: 1, 2, 3"):
        tracks.only(4)


def test_a_preview_has_all_readings_and_changes_nothing(tracker: Tracker) -> None:
    tracker.track(image(0), 0)
    tracker.prompt(BOX)
    tracker.track(image(1), 10)
    before = state_of(tracker)
    now, past = tracker.preview(click(30, 20)), tracker.preview(click(30, 20), stamp=0)
    np.testing.assert_equal(state_of(tracker), before)
    assert now.masks.shape == (3, HEIGHT, WIDTH) and (now.stamp, past.stamp) == (10, 0)
    assert not np.array_equal(now.masks, past.masks)
    started = tracker.prompt(click(30, 20)).readings
    assert started is not None and np.array_equal(started.masks, now.masks)


def test_without_overlap_a_pixel_belongs_to_the_highest_logit(network: Sam2) -> None:
    plain, apart = Tracker(network), Tracker(network, non_overlap=True)
    for tracker in (plain, apart):
        tracker.track(image(0), 0)
        for prompt in (BOX, click(20, 20), click(60, 40)):
            tracker.prompt(prompt)
    both, own = plain.track(image(1), 1), apart.track(image(1), 1)
    assert (both.masks.sum(axis=0) > 1).any(), "nothing overlaps; the test shows nothing"
    assert (own.masks.sum(axis=0) <= 1).all()
    assert np.array_equal(own.masks.any(axis=0), both.masks.any(axis=0))
    assert np.array_equal(own.logits, both.logits)
    for mask, state, area in zip(own.masks, own.states, own.areas, strict=True):
        assert (state == State.VISIBLE) == bool(mask.any()) == bool(area)


def test_hysteresis_keeps_an_object_in_view_until_it_is_surely_gone(network: Sam2) -> None:
    """The mask stays as long as the state is VISIBLE, also where SAM 2 itself would blank it."""
    hidden = copy.deepcopy(network)
    bias = hidden.sam_mask_decoder.pred_obj_score_head.layers[-1].bias
    tracker = Tracker(hidden, show_above=0.6, hide_below=0.3)
    tracker.track(image(0), 0)
    tracker.prompt(BOX)
    tracks = tracker.track(image(1), 1)
    level = float(bias) - float(tracks.scores[0])

    def at(probability: float, number: int) -> Tracks:
        bias.fill_(level + np.log(probability / (1 - probability)))
        tracks = tracker.track(image(number), number)
        bias_now = float(tracks.visibility[0])
        assert abs(bias_now - probability) < 0.12, "the network's own score moved too far for this test"
        assert (tracks.states[0] == State.VISIBLE) == bool(tracks.masks[0].any()) == bool(tracks.areas[0])
        return tracks

    assert [at(p, 2 + k).states[0] for k, p in enumerate((0.45, 0.15, 0.45, 0.75, 0.45))] == [
        State.VISIBLE,
        State.OCCLUDED,
        State.OCCLUDED,
        State.VISIBLE,
        State.VISIBLE,
    ]


def test_an_object_out_of_view_may_be_searched_for_on_some_frames_only(
    network: Sam2, monkeypatch: pytest.MonkeyPatch
) -> None:
    hidden = copy.deepcopy(network)
    head = hidden.sam_mask_decoder.pred_obj_score_head.layers[-1]
    tracker = Tracker(hidden, search_every=3)
    tracker.track(image(0), 0)
    tracker.prompt(BOX)
    searches = []
    attend = hidden.attend
    monkeypatch.setattr(hidden, "attend", lambda *given: searches.append(1) or attend(*given))
    counts = []
    head.bias.fill_(-100.0)
    for number in range(1, 8):
        tracks = tracker.track(image(number), 10 * number)
        counts.append(len(searches))
        assert tracks.states == (State.OCCLUDED,) and not tracks.masks.any() and tracks.scores[0] < -50
    assert counts == [1, 1, 2, 2, 2, 3, 3]
    head.bias.fill_(100.0)
    states = [tracker.track(image(number), 10 * number).states[0] for number in range(8, 12)]
    assert states == [State.OCCLUDED, State.VISIBLE, State.VISIBLE, State.VISIBLE]
    assert len(searches) == 6, "in view again, it is followed on every frame"


def test_a_late_prompt_with_rare_searches_equals_one_in_time(network: Sam2) -> None:
    hidden = copy.deepcopy(network)
    hidden.sam_mask_decoder.pred_obj_score_head.layers[-1].bias.fill_(-100.0)
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[12:36, 20:60] = True
    saved, scores = [], []
    for arrival in (2, 9):
        tracker = Tracker(hidden, search_every=3)
        for number in range(12):
            tracks = tracker.track(image(number), 10 * number)
            if number == arrival:
                tracker.prompt(Prompt(mask=np.ones_like(mask)))  # what was in the row before must not show
                tracker.remove(tracker.ids[0])
                tracker.prompt(Prompt(mask=mask), stamp=20)
        saved.append(tracker.save(tracker.ids[0]))
        scores.append(tracks.scores)
    assert saved[0] == saved[1]
    np.testing.assert_array_equal(*scores)


def _finding_the_whole_image(network: Sam2) -> Sam2:
    """A copy that finds all of the image whatever it looks for."""
    copied = copy.deepcopy(network)
    whole = copied.sam_mask_decoder.output_upscaling[3]
    whole.bias.fill_(50.0)  # every logit becomes huge, with the sign of what the hypernetworks sum up to
    for mlp in copied.sam_mask_decoder.output_hypernetworks_mlps:
        mlp.layers[-1].weight.zero_()
        mlp.layers[-1].bias.fill_(1.0)
    return copied


def test_a_lost_object_does_not_come_back_as_the_whole_image(network: Sam2) -> None:
    hidden = _finding_the_whole_image(network)
    head = hidden.sam_mask_decoder.pred_obj_score_head.layers[-1]
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[12:36, 20:60] = True

    def states(wary: bool) -> list[State]:
        tracker = Tracker(hidden, lost_after=1e-9)
        head.bias.fill_(100.0)
        tracker.track(image(0), 0)
        tracker.prompt(Prompt(mask=np.ones_like(mask) if not wary else mask))
        head.bias.fill_(-100.0)
        result = [tracker.track(image(k), 10 * k).states[0] for k in range(1, 4)]
        head.bias.fill_(100.0)
        for k in range(4, 7):
            result.append(tracker.track(image(k), 10 * k).states[0])
        return result

    assert states(wary=False)[3:] == [State.VISIBLE] * 3, "without the guard it would be all of the image"
    assert states(wary=True) == [State.LOST] * 6


@pytest.mark.parametrize("lost", [True, False])
def test_a_click_on_a_lost_object_does_not_start_from_the_whole_image(
    network: Sam2, monkeypatch: pytest.MonkeyPatch, lost: bool
) -> None:
    """But from nothing. On one that is only out of view it starts from what the network finds."""
    hidden = _finding_the_whole_image(network)
    head = hidden.sam_mask_decoder.pred_obj_score_head.layers[-1]
    tracker = Tracker(hidden, lost_after=1e-9 if lost else 1.0)
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[12:36, 20:60] = True
    head.bias.fill_(100.0)
    tracker.track(image(0), 0)
    tracker.prompt(Prompt(mask=mask))
    head.bias.fill_(-100.0)
    for k in range(1, 3):
        tracker.track(image(k), 10 * k)
    head.bias.fill_(100.0)
    given: list[torch.Tensor] = []
    decode = hidden.decode

    def watched(*arguments: torch.Tensor) -> object:
        given.extend(arguments[4:])  # the mask, if there is one
        return decode(*arguments)

    monkeypatch.setattr(hidden, "decode", watched)
    tracker.prompt(Prompt(points=np.array([[40, 20]]), labels=np.array([1])), object_id=1)
    starts_from = [one for one in given if one is not None][-1]
    assert bool((starts_from > 0).all()) == (not lost)
    assert bool((starts_from < 0).all()) == lost


def test_several_cameras_share_a_network_and_one_batch(whole_network: Sam2, monkeypatch: pytest.MonkeyPatch) -> None:
    alone, together = [[Tracker(whole_network, capacity=2) for _ in range(2)] for _ in range(2)]
    batches = []
    encode = Sam2.encode_image
    monkeypatch.setattr(Sam2, "encode_image", lambda self, x: batches.append(len(x)) or encode(self, x))
    for number in range(4):
        images = [image(number), image(100 + number)[:40]]
        results = track_together(together, images, [number, 7 * number])
        for k in range(2):
            expected = alone[k].track(images[k], number * (7 if k else 1))
            np.testing.assert_allclose(results[k].logits, expected.logits, atol=2e-4)
            assert results[k].stamp == expected.stamp
        if number == 0:
            for trackers in (alone, together):
                for tracker in trackers:
                    tracker.prompt(BOX)
    assert batches == [2, 1, 1] * 4
    other = Tracker(whole_network, image_size=96)
    with pytest.raises(ValueError, match="must share one network and one image_size"):
        track_together([together[0], other], [image(0), image(0)], [9, 9])
    with pytest.raises(ValueError, match="0 trackers, 0 images, 0 stamps"):
        track_together([], [], [])


def test_a_bad_image_of_one_camera_changes_none(network: Sam2) -> None:
    trackers = [Tracker(network, capacity=1) for _ in range(2)]
    track_together(trackers, [image(0), image(0)], [0, 0])
    before = [state_of(tracker) for tracker in trackers]
    with pytest.raises(BadImage):
        track_together(trackers, [image(1), np.zeros((4, 4), np.uint8)], [1, 1])
    np.testing.assert_equal([state_of(tracker) for tracker in trackers], before)


def test_after_a_reset_the_images_can_still_be_prompted(tracker: Tracker) -> None:
    tracker.track(image(0), 0)
    tracker.track(image(1), 10)
    tracker.prompt(BOX)
    tracker.reset()
    assert tracker.prompt(BOX, stamp=0).ids == (2,)


def test_a_stamp_that_stays_is_the_next_image(tracker: Tracker) -> None:
    tracker.track(image(0), 5)
    tracker.prompt(BOX)
    assert tracker.track(image(1), 5).ids == (1,)
    assert tracker.track(image(2), 5).ids == (1,)


def test_an_error_in_the_middle_of_a_late_prompt_changes_nothing(
    tracker: Tracker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not only what a caller does wrong: a device that runs out of memory halfway."""
    for number in range(6):
        tracker.track(image(number), number)
        if number == 1:
            tracker.prompt(BOX)
    before = state_of(tracker)
    attend, calls = Sam2.attend, []

    def fail(self: Sam2, *arguments: Any) -> torch.Tensor:
        calls.append(1)
        if len(calls) == 3:
            raise RuntimeError("out of memory")
        return attend(self, *arguments)

    monkeypatch.setattr(Sam2, "attend", fail)
    with pytest.raises(RuntimeError, match="out of memory"):
        tracker.prompt(click(50, 20), object_id=1, stamp=2)
    np.testing.assert_equal(state_of(tracker), before)


@pytest.mark.parametrize("step", [(Sam2, "encode_memory"), (MemoryBank, "write"), (outputs, "measure")])
@pytest.mark.parametrize("kind", ["whole", "refining"])
def test_an_error_of_the_device_while_tracking_loses_one_image_and_no_object(
    kind: str, step: tuple[Any, str], request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever it breaks off: also where the answers of the image before have been written over."""
    network = request.getfixturevalue(f"{kind}_network")
    struck, spared = Tracker(network), Tracker(network)
    for tracker in (struck, spared):
        tracker.track(image(0), 0)
        saved = tracker.save(tracker.prompt(BOX).ids[0])
        tracker.track(image(1), 1)
        tracker.load(saved)
        tracker.prompt(click(50, 20))
    shown, memories = struck.current(), [struck.save(object_id) for object_id in struck.ids]
    with monkeypatch.context() as patch:
        patch.setattr(*step, None)
        with pytest.raises(TypeError):
            struck.track(image(2), 2)
    assert [struck.save(object_id) for object_id in struck.ids] == memories
    np.testing.assert_equal(dataclasses.asdict(struck.current()), dataclasses.asdict(shown))
    np.testing.assert_equal(struck.track(image(3), 3).logits, spared.track(image(3), 3).logits)


def test_each_pixel_can_be_given_to_one_object_from_the_next_answer_on(network: Sam2) -> None:
    tracker = Tracker(network)
    tracker.track(image(0), 0)
    for _ in range(2):
        tracker.prompt(BOX)
    assert tracker.current().masks.sum(axis=0).max() == 2
    tracker.set_visibility(show_above=0.5, hide_below=0.4, lost_after=5.0, non_overlap=True)
    assert tracker.current().masks.sum(axis=0).max() == 1


def test_visibility_can_be_decided_otherwise_from_the_next_image_on(network: Sam2) -> None:
    tracker = Tracker(network)
    tracker.track(image(0), 0)
    tracker.prompt(BOX)
    assert tracker.track(image(1), 1).states == (State.VISIBLE,)

    tracker.set_visibility(show_above=1.0, hide_below=1.0, lost_after=1e-9, non_overlap=False)
    assert tracker.track(image(2), 2).states == (State.OCCLUDED,)
    hidden = tracker.track(image(3), 3)
    assert hidden.states == (State.LOST,)
    assert not hidden.centroids.any() and (hidden.logits == -1024).all()

    with pytest.raises(ValueError, match="hide_below is 0.5 and show_above 0.2"):
        tracker.set_visibility(show_above=0.2, hide_below=0.5, lost_after=1.0, non_overlap=False)
    assert tracker.track(image(4), 4).states == (State.LOST,)
