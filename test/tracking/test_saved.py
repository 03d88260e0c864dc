"""An object's memory as bytes: what goes in comes out, and what does not fit is refused."""

from __future__ import annotations

import copy
import json
import math

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load, save

from sam2_ros.network import Sam2
from sam2_ros.tracking import (
    BadMemory,
    CapacityExceeded,
    NoImage,
    Prompt,
    StampUnavailable,
    State,
    Tracker,
    UnknownObject,
)

BOX = Prompt(box=np.array([10, 5, 40, 30]))
LAST = 30


def image(number: int) -> np.ndarray:
    return np.random.default_rng(number).integers(0, 255, (48, 80, 3), dtype=np.uint8)


def tracked(network: Sam2) -> Tracker:
    """An object with a first prompt and two corrections, thirty frames long, and another one beside it."""
    tracker = Tracker(network, capacity=2, history=0.5)
    for number in range(LAST):
        tracker.track(image(number), number)
        if number == 1:
            tracker.prompt(BOX)
            tracker.prompt(Prompt(points=np.array([[60, 40]]), labels=np.array([1])))
        if number in (4, 28):
            tracker.prompt(Prompt(points=np.array([[20, 20]]), labels=np.array([1])), object_id=1)
    return tracker


@pytest.fixture(scope="module")
def original(network: Sam2) -> Tracker:
    return tracked(network)


@pytest.mark.parametrize("frames_before", [1, 40])
def test_an_object_goes_on_in_another_tracker_as_it_would_have(network: Sam2, frames_before: int) -> None:
    original, other = tracked(network), Tracker(network, capacity=1, history=0.1)
    data = original.save(1)
    expected = original.track(image(LAST), LAST)
    for number in range(frames_before):
        other.track(image(LAST), 1000 + number)
    answers = [other.load(data)]
    wanted = [expected.only(1)]
    assert answers[0].ids == (1,)
    for number in range(LAST + 1, LAST + 25):
        answers.append(other.track(image(number), 10_000 + number))
        wanted.append(original.track(image(number), number).only(1))
    for answer, want in zip(answers, wanted, strict=True):
        np.testing.assert_allclose(answer.logits, want.logits, atol=1e-3)
        np.testing.assert_allclose(answer.scores, want.scores, atol=1e-3)


def test_a_lost_object_is_still_lost_when_it_is_loaded(network: Sam2) -> None:
    hidden = copy.deepcopy(network)
    tracker = Tracker(hidden, lost_after=2.0)
    tracker.track(image(0), 0)
    tracker.prompt(BOX)
    hidden.sam_mask_decoder.pred_obj_score_head.layers[-1].bias -= 100.0
    for second in range(1, 5):
        tracker.track(image(second), second * 10**9)
    other = Tracker(copy.deepcopy(hidden), lost_after=2.0)
    other.track(image(9), 50 * 10**9)
    loaded = other.load(tracker.save(1))
    assert loaded.states == (State.LOST,)
    assert loaded.last_seen == (46 * 10**9,)


def test_the_same_object_gives_the_same_bytes(original: Tracker) -> None:
    assert original.save(1) == original.save(1) != original.save(2)


@pytest.mark.parametrize("label", ["", "red mug", "tasse à café"])
def test_a_label_is_kept_for_who_reads_the_file(original: Tracker, label: str) -> None:
    assert Tracker.label_of(original.save(1, label)) == label


def test_a_label_with_half_a_character_can_be_shown(original: Tracker) -> None:
    assert Tracker.label_of(with_facts(original.save(1), label="\ud800 mug")) == "? mug"
    assert Tracker.label_of(with_facts(original.save(1), label="red\n\x1b[31m mug" + 300 * "g")) == (
        "red[31m mug" + 187 * "g"
    )
    with pytest.raises(BadMemory, match="are no safetensors file"):
        Tracker.label_of(b"nothing")


def test_what_was_loaded_can_be_corrected_from_then_on_but_not_before(network: Sam2, original: Tracker) -> None:
    tracker = Tracker(network, history=0.5)
    tracker.track(image(0), 0)
    tracker.track(image(1), 10)
    tracker.load(original.save(1))
    with pytest.raises(ValueError, match="object 1 was loaded after the image of stamp 0 ns"):
        tracker.prompt(BOX, object_id=1, stamp=0)
    tracker.track(image(2), 20)
    assert tracker.prompt(BOX, object_id=1, stamp=10).ids == (1,)


def test_the_network_may_compute_in_another_precision(network: Sam2, original: Tracker) -> None:
    tracker = Tracker(copy.deepcopy(network).to(torch.bfloat16))
    tracker.track(image(0), 0)
    assert tracker.load(original.save(1)).ids == (1,)


def with_facts(data: bytes, **facts: object) -> bytes:
    """The same saved object, but for some of what its header says."""
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])["__metadata__"]
    ((kind, known),) = header.items()
    return bytes(save(load(data), metadata={kind: json.dumps(json.loads(known) | facts)}))


def with_memories(data: bytes, value: float) -> bytes:
    """The same saved object, but all that it remembers is one number."""
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])["__metadata__"]
    tensors = load(data)
    return bytes(save(tensors | {"memories": torch.full_like(tensors["memories"], value)}, metadata=header))


def test_what_does_not_fit_is_refused_with_the_reason(network: Sam2, original: Tracker) -> None:
    data = original.save(1)
    other = copy.deepcopy(network)
    other.no_mem_embed += 1.0
    for tracker, wrong, sentence in (
        (Tracker(other), data, "the memory is of the network with the fingerprint"),
        (Tracker(network, image_size=96), data, "the memory is of the input size 64; this tracker has 96"),
        (
            Tracker(network),
            data.replace(b'\\"version\\": 3', b'\\"version\\": 9'),
            "version of the format 9; this tracker has 3",
        ),
        (Tracker(network), save({"x": torch.zeros(1)}), "not one that holds an object's memory"),
        (Tracker(network), save({}, {"sam2_ros object memory": "[1]"}), "not one that holds an object's memory"),
        (Tracker(network), b"nonsense", "these 8 bytes are no safetensors file"),
        (Tracker(network), data[:-10], "are no safetensors file"),
        (Tracker(network), data.replace(b'\\"conditioning\\": 3', b'\\"conditioning\\": 0'), "have other shapes"),
        (Tracker(network), with_facts(data, ages=[math.inf]), "the memory is incomplete: "),
        (Tracker(network), with_facts(data, ages=[1, 2, 10**30]), "have other shapes"),
        (Tracker(network), with_facts(data, unseen=-1), "unseen is -1 ns"),
        (Tracker(network), with_memories(data, 1e30), "its memories are not rows of numbers below 1e\\+06"),
        (Tracker(network), with_facts(data, unseen=2**62), "unseen is 4611686018427387904 ns"),
        (Tracker(network), save({}, {"sam2_ros object memory": "[" * 10**5}), "not one that holds an object's memory"),
        (Tracker(network), with_facts(data, share=math.nan), "and share nan"),
    ):
        tracker.track(image(0), 0)
        with pytest.raises(BadMemory, match=sentence):
            tracker.load(wrong)
        assert tracker.ids == ()
        assert tracker.prompt(BOX).ids == (1,)


def test_a_file_without_the_last_mask_is_refused_where_it_is_needed(network: Sam2, original: Tracker) -> None:
    data = original.save(1)
    tensors = load(data)
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    assert ("expected" in tensors) == bool(network.config.search_context)
    if "expected" in tensors:
        del tensors["expected"]
    else:
        tensors["expected"] = torch.zeros(16, 16, dtype=torch.bool)
    tracker = Tracker(network)
    tracker.track(image(0), 0)
    with pytest.raises(BadMemory, match="have other shapes"):
        tracker.load(save(tensors, metadata=header["__metadata__"]))
    assert tracker.ids == ()


def test_what_was_loaded_has_no_prompt_that_could_be_taken_back(network: Sam2, original: Tracker) -> None:
    tracker = Tracker(network)
    tracker.track(image(0), 0)
    tracker.load(original.save(1))
    for call in (lambda: tracker.undo(1), lambda: tracker.choose(1, 1)):
        with pytest.raises(StampUnavailable, match="object 1 was loaded and has had no prompt since"):
            call()


def test_what_was_loaded_and_corrected_goes_back_no_further_than_that(network: Sam2, original: Tracker) -> None:
    tracker = Tracker(network)
    for number in range(3):
        tracker.track(image(number), number)
    tracker.load(original.save(1))
    tracker.prompt(BOX, object_id=1)
    with pytest.raises(StampUnavailable, match="object 1 was loaded after the image of stamp 1 ns"):
        tracker.prompt(BOX, object_id=1, stamp=1)
    row = tracker._objects.record(1).row
    assert len(tracker._bank.export(row, 3).ages) > 1, "a correction on the image of the load leaves what was loaded"
    tracker.undo(1)
    assert tracker.ids == (1,)


def test_loading_needs_an_image_and_room(network: Sam2, original: Tracker) -> None:
    tracker = Tracker(network, capacity=1)
    with pytest.raises(NoImage):
        tracker.load(original.save(1))
    tracker.track(image(0), 0)
    tracker.load(original.save(1))
    with pytest.raises(CapacityExceeded):
        tracker.load(original.save(2))
    with pytest.raises(UnknownObject):
        tracker.save(5)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0, 10**6), value=st.integers(0, 255))
def test_a_file_with_a_wrong_byte_is_refused_or_harmless(
    network: Sam2, original: Tracker, place: int, value: int
) -> None:
    data = bytearray(original.save(1))
    data[place % 700] = value  # the header
    tracker = Tracker(network, capacity=1)
    tracker.track(image(0), 0)
    try:
        tracker.load(bytes(data))
    except BadMemory:
        assert tracker.ids == ()
    tracker.track(image(1), 1)
