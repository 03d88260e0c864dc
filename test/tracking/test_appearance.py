from __future__ import annotations

import copy
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from sam2_ros.geometry.histogram import Colours, evenly_lit, usual_gain
from sam2_ros.network import Sam2
from sam2_ros.tracking import BadMemory, Prompt, State, Tracker
from sam2_ros.tracking.appearance import Appearance
from sam2_ros.tracking.history import Frame

HEIGHT, WIDTH = 48, 80
BOX = Prompt(box=np.array([10, 5, 40, 30]))


def colours(*bins: int) -> Colours:
    """Equal shares of these, which lie apart."""
    shares = np.zeros(256, np.float32)
    shares[[20 * number for number in bins]] = 1 / len(bins)
    return Colours(shares)


def image(number: int, *, tint: tuple[int, int, int]) -> np.ndarray:
    """Noise of a colour."""
    noise = np.random.default_rng(number).integers(-30, 30, (HEIGHT, WIDTH, 1))
    return np.clip(np.array(tint) + noise, 0, 255).astype(np.uint8)


def test_what_is_followed_may_change_more_than_what_comes_back() -> None:
    known = Appearance((colours(1, 3),), 0.1)
    half = colours(1, 5)

    assert known.is_of(half, in_view=True) and not known.is_of(half, in_view=False)
    assert known.is_of(colours(1, 3), in_view=False)
    assert not known.is_of(colours(5, 7), in_view=True)


def test_each_prompt_adds_how_it_looks_and_the_first_is_kept() -> None:
    looks = Appearance.after(None, colours(1), 0.1, prompted=True)
    for number in range(2, 8):
        looks = Appearance.after(looks, colours(number), 0.1, prompted=True)
    assert looks is not None

    known = [looks.is_of(colours(number), in_view=False) for number in range(1, 8)]

    assert known == [True, False, False, False, True, True, True]


def test_what_is_followed_unprompted_adds_nothing_to_how_it_looks() -> None:
    looks = Appearance.after(None, colours(1), 0.1, prompted=True)
    looks = Appearance.after(looks, colours(5), 0.1, prompted=False)

    assert looks is not None and not looks.is_of(colours(5), in_view=True)


def test_nothing_is_known_before_a_prompt_and_kept_where_nothing_is_seen() -> None:
    assert Appearance.after(None, colours(1), 0.1, prompted=False) is None
    looks = Appearance.after(None, colours(1), 0.1, prompted=True)
    assert Appearance.after(looks, None, 0.0, prompted=False) is looks


def test_what_is_hidden_bit_by_bit_is_as_large_as_it_was() -> None:
    looks = Appearance.after(None, colours(1), 0.1, prompted=True)
    for share in (0.2, 0.1, 0.05, 0.01):
        looks = Appearance.after(looks, colours(1), share, prompted=False)

    assert looks is not None and 0.19 < looks.share < 0.2


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_what_has_other_colours_is_another_thing(dtype: torch.dtype, refining_network: Sam2) -> None:
    """For this network everything is in view."""
    tracker = Tracker(copy.deepcopy(refining_network).to(dtype), show_above=0.2, hide_below=0.2)
    red, blue = (180, 40, 40), (40, 40, 180)
    tracker.track(image(0, tint=red), 0)
    tracker.prompt(BOX)
    assert tracker.track(image(1, tint=red), 1).states == (State.VISIBLE,)

    gone = tracker.track(image(2, tint=blue), 2)

    assert gone.states == (State.OCCLUDED,) and not gone.masks.any()
    assert gone.visibility[0] < 0.01
    assert tracker.track(image(3, tint=red), 3).states == (State.VISIBLE,)
    tracker.track(image(4, tint=blue), 4)
    assert tracker.prompt(BOX, object_id=1).states == (State.VISIBLE,), "somebody says that it is the same"
    assert tracker.track(image(5, tint=blue), 5).states == (State.VISIBLE,)


def test_a_guess_is_where_its_colours_are() -> None:
    picture = image(1, tint=(40, 40, 180))
    picture[30:40, 60:70] = thing = image(0, tint=(180, 40, 40))[:10, :10]
    seen = Colours.of(evenly_lit(thing, usual_gain(picture)), np.ones((10, 10), bool))
    assert seen is not None
    frame = Frame(0, 0, HEIGHT, WIDTH, None, torch.from_numpy(picture)[None])

    guess = Appearance((seen,), 100 / (HEIGHT * WIDTH)).guess(frame, 2.0)

    assert guess.guessed
    assert (guess.x * WIDTH, guess.y * HEIGHT) == pytest.approx((65, 35), abs=2)
    assert guess.scale == pytest.approx(1.2 * 2.0 * 10 / np.sqrt(HEIGHT * WIDTH))


def test_every_second_guess_goes_by_colours(refining_network: Sam2) -> None:
    tracker = Tracker(refining_network, show_above=0.2, hide_below=0.2)
    tracker.track(image(0, tint=(180, 40, 40)), 0)
    tracker.prompt(BOX)
    for number in range(1, 60):
        tracker.track(image(number, tint=(40, 40, 180)), number)

    views = tracker._objects.record(1).views.values()
    guesses = [view.region.scale for view in views if view.region.guessed]

    assert len(guesses) > 10
    assert 0.3 < np.mean([scale == 0.6 for scale in guesses]) < 0.7


@pytest.mark.parametrize("kind", ["whole_network", "region_network"])
def test_a_network_that_does_not_look_from_close_by_goes_by_itself(kind: str, request: pytest.FixtureRequest) -> None:
    tracker = Tracker(request.getfixturevalue(kind))
    tracker.track(image(0, tint=(180, 40, 40)), 0)
    tracker.prompt(BOX)

    assert tracker.track(image(1, tint=(40, 40, 180)), 1).states == (State.VISIBLE,)


def test_a_saved_object_knows_what_it_looks_like(refining_network: Sam2) -> None:
    tracker, other = (Tracker(refining_network, show_above=0.2, hide_below=0.2) for _ in range(2))
    tracker.track(image(0, tint=(180, 40, 40)), 0)
    tracker.prompt(BOX)
    saved = tracker.save(1)

    other.track(image(1, tint=(180, 40, 40)), 1)
    assert other.load(saved).states == (State.VISIBLE,)
    assert other.track(image(2, tint=(40, 40, 180)), 2).states == (State.OCCLUDED,)


def test_a_saved_object_may_fill_the_whole_image(refining_network: Sam2) -> None:
    tracker = Tracker(refining_network)
    tracker.track(image(0, tint=(180, 40, 40)), 0)
    tracker.prompt(Prompt(mask=np.ones((HEIGHT, WIDTH), bool)))

    assert tracker.load(tracker.save(1)).ids == (2,)


@pytest.mark.parametrize(
    ("colours", "extent", "reason"),
    [
        (torch.zeros(1, 9), 0.1, r"its colours are \(1, 9\)"),
        (torch.full((1, 256), float("nan")), 0.1, "its colours"),
        (torch.ones(1, 256), 0.1, "they must be rows of 256 shares of 1"),
        (torch.full((1, 256), 1 / 256), 0.0, "its extent is 0.0"),
    ],
)
def test_colours_that_cannot_be_are_refused(
    colours: torch.Tensor, extent: float, reason: str, refining_network: Sam2, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracker = Tracker(refining_network)
    tracker.track(image(0, tint=(180, 40, 40)), 0)
    tracker.prompt(BOX)
    (looks,) = (view.appearance for view in tracker._objects.record(1).views.values())
    object.__setattr__(looks, "prompted", tuple(SimpleNamespace(shares=row.numpy()) for row in colours))
    object.__setattr__(looks, "share", extent)

    with pytest.raises(BadMemory, match=reason):
        tracker.load(tracker.save(1))
