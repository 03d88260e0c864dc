"""A network that looks for each object in a region of its own: what it is shown, and where its answers lie."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from sam2_ros.geometry.motion import CloseUp, Earlier
from sam2_ros.geometry.search_region import SearchRegion
from sam2_ros.network import Answer, Features, Sam2, Sam2Config
from sam2_ros.tracking import BadPrompt, Prompt, Tracker, sight
from sam2_ros.tracking.close_ups import CloseUps
from sam2_ros.tracking.history import Frame
from sam2_ros.tracking.outputs import Outputs
from sam2_ros.tracking.propagation import Sight
from sam2_ros.tracking.sight import Looks, cuts, mask_input, picture, place, point_input, resample, see
from sam2_ros.tracking.visibility import Thresholds, View

HEIGHT, WIDTH, SIZE = 120, 160, 64


def image(number: int, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    return np.random.default_rng(number).integers(0, 255, (height, width, 3), dtype=np.uint8)


def frame(number: int = 0) -> Frame:
    return Frame(0, 0, HEIGHT, WIDTH, None, torch.from_numpy(image(number))[None])


def test_what_is_seen_of_a_region_is_what_is_seen_of_an_image_of_it(region_network: Sam2) -> None:
    regions = [SearchRegion(0.25, 0.75, 0.5), SearchRegion()]
    seen = see(region_network, frame(), regions, SIZE)
    assert seen.top.shape[0] == 2
    for k, part in enumerate((image(0)[60:, :80], image(0))):
        alone = region_network.encode_image(region_network.prepare(torch.from_numpy(part.copy())[None], SIZE))
        torch.testing.assert_close(seen.top[k], alone.top[0], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("size", [32, SIZE, 200])
def test_regions_are_cut_out_in_bytes(size: int) -> None:
    """Each pass of the two, along the rows and along the columns, is rounded."""
    shown = cuts(frame(), [SearchRegion(0.25, 0.75, 0.5), SearchRegion()], size)
    for cut, part in zip(shown, (image(0)[60:, :80], image(0)), strict=True):
        floats = torch.from_numpy(part.copy()).permute(2, 0, 1)[None].float()
        exact = torch.nn.functional.interpolate(floats, size=(size, size), mode="bilinear", antialias=True)
        assert cut.shape == (size, size, 3)
        torch.testing.assert_close(cut.permute(2, 0, 1)[None].float(), exact, atol=1.01, rtol=0)
        assert abs(float((cut.permute(2, 0, 1).float() - exact[0]).mean())) < 0.1, "rounded, not cut off"


def test_an_answer_lies_where_its_region_does_and_nothing_lies_around() -> None:
    masks = place(torch.full((1, 1, 16, 16), 3.0), frame(), [SearchRegion(0.25, 0.75, 0.5)]) > 0
    expected = np.zeros((HEIGHT, WIDTH), bool)
    expected[60:, :80] = True
    np.testing.assert_array_equal(masks[0].numpy(), expected)


def test_a_mask_is_led_from_the_image_before_to_this_one(monkeypatch: pytest.MonkeyPatch) -> None:
    config = replace(Sam2Config.named("nano"), image_size=SIZE, refined_size=32)
    network = Sam2(config).eval().requires_grad_(False)
    pictures: list[tuple[int, int]] = []

    def led(self: Any, source: Any, before: np.ndarray, now: np.ndarray, *_: int) -> np.ndarray:
        pictures.append((int(before.max()), int(now.max())))
        return np.ones((32, 32), np.float32)

    monkeypatch.setattr(Earlier, "led", led)
    before, now = (
        replace(frame(), image=torch.full((1, HEIGHT, WIDTH, 3), grey, dtype=torch.uint8)) for grey in (40, 200)
    )
    known = Earlier(CloseUp(SearchRegion(), np.ones((32, 32), bool)), 0.0, 0.0)
    crops = [SearchRegion(0.3, 0.3, 0.4), SearchRegion(0.5, 0.5, 0.4), SearchRegion(0.7, 0.7, 0.4)]
    masks = CloseUps(network, 3)._lead([known, None, known], crops, now, before)
    assert pictures == [(40, 200), (40, 200)]
    assert masks.flatten(1).mean(dim=1).tolist() == [1, 0, 1]


def test_an_answer_lies_in_the_whole_image_as_it_does_in_a_smaller_one_that_it_was_seen_in() -> None:
    """Pixels of 2.7 by 2.3 of the image, so that no edge of a region is one of a pixel."""
    large = replace(frame(), height=276, width=432)
    for region in (SearchRegion(0.25, 0.75, 0.5), SearchRegion(0.4, 0.5, 0.33), SearchRegion(0.7, 0.2, 0.2)):
        x0, y0, x1, y1 = region.pixels(HEIGHT, WIDTH)
        whole, middle = np.full((16, 16), 3.0, np.float32), np.full((16, 16), -3.0, np.float32)
        middle[4:12, 4:12] = 3.0
        for logits, inset in ((whole, 0.0), (middle, 0.25)):
            mask = place(torch.from_numpy(logits)[None, None], large, [region])[0] > 0
            wide, high = inset * (x1 - x0), inset * (y1 - y0)
            rows, columns = (mask.any(dim=d).nonzero() for d in (1, 0))
            found = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
            expected = [2.7 * (x0 + wide), 2.3 * (y0 + high), 2.7 * (x1 - wide), 2.3 * (y1 - high)]
            np.testing.assert_allclose(found, expected, atol=1.01)


def test_points_and_masks_are_seen_where_they_are(region_network: Sam2) -> None:
    region = SearchRegion(0.25, 0.75, 0.5)
    points = point_input([(0, 60), (80, 120), (20, 75)], frame(), region, SIZE)
    torch.testing.assert_close(points[0], torch.tensor([[0.0, 0], [64, 64], [16, 16]]))
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[60:90, 40:] = True
    seen = mask_input(mask, frame(), region, SIZE, region_network)[0, 0]
    assert seen[:32, 32:].all() and seen.sum() == 32 * 32


def test_what_lies_in_a_region_lies_at_the_same_place_in_another() -> None:
    """A ramp over the image, in the region's pixels and in the crop's."""

    def ramp(region: SearchRegion, size: int) -> torch.Tensor:
        x0, y0, x1, y1 = region.pixels(HEIGHT, WIDTH)
        x, y = ((torch.arange(size) + 0.5) / size * (b - a) + a for a, b in ((x0, x1), (y0, y1)))
        return torch.stack((x.expand(size, size), y[:, None].expand(size, size)))[None]

    regions = [SearchRegion(0.4, 0.6, 0.6), SearchRegion()]
    crops = [SearchRegion(0.5, 0.55, 0.25), SearchRegion(0.3, 0.4, 0.5)]
    maps = torch.cat([ramp(region, 48) for region in regions])
    seen = resample(maps, frame(), regions, crops, 64)
    torch.testing.assert_close(seen, torch.cat([ramp(crop, 64) for crop in crops]), atol=1e-2, rtol=0)


def test_overlap_is_the_iou_of_what_two_regions_show() -> None:
    one, other = SearchRegion(0.5, 0.5, 0.8), SearchRegion(0.4, 0.4, 0.3)
    first, second = np.zeros((64, 64), bool), np.zeros((64, 64), bool)
    assert one.overlap(first, other, second) == 0
    first[20:44, 20:44] = True  # 0.35 to 0.65 of the image
    second[21:, 21:] = True  # 0.348 to 0.55
    assert one.overlap(first, other, second) == pytest.approx(0.2**2 / 0.3**2, abs=0.03)
    assert other.overlap(second, one, first) == pytest.approx(0.2**2 / 0.3**2, abs=0.03)
    # What the other region does not show is part of the union all the same.
    first[:] = True
    assert other.overlap(second, one, first) == pytest.approx(0.2**2 / 0.8**2, abs=0.01)


def test_a_large_image_is_kept_small_and_its_answers_are_as_large_as_it_is(region_network: Sam2) -> None:
    assert picture(torch.zeros(1, 300, 384, 3, dtype=torch.uint8), SIZE).shape == (1, 300, 384, 3)
    assert picture(torch.zeros(1, 768, 576, 3, dtype=torch.uint8), SIZE).shape == (1, 384, 288, 3)
    tracker = Tracker(region_network, capacity=1)
    tracker.track(image(0, 600, 800), 0)
    mask = np.zeros((600, 800), bool)
    mask[400:500, 600:700] = True
    answer = tracker.prompt(Prompt(mask=mask))
    assert answer.masks.shape == (1, 600, 800)
    assert (answer.masks[0] & mask).sum() / (answer.masks[0] | mask).sum() > 0.9


def test_a_small_object_is_seen_large(region_network: Sam2, whole_network: Sam2) -> None:
    """A mask of 6x6 pixels, which is less than a pixel of the answer to the whole image, comes back as it was; where
    the whole image is seen it is refused, since it would be an object without a pixel."""
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[50:56, 70:76] = True
    trackers = Tracker(region_network, capacity=1), Tracker(whole_network, capacity=1)
    for tracker in trackers:
        tracker.track(image(0), 0)
    answer = trackers[0].prompt(Prompt(mask=mask)).masks[0]
    assert (answer & mask).sum() / (answer | mask).sum() > 0.8
    with pytest.raises(BadPrompt, match="the mask of 36 pixels is too small for the network's input of 64"):
        trackers[1].prompt(Prompt(mask=mask))
    assert trackers[1].ids == ()


def test_a_click_outside_the_region_is_answered_where_it_is(region_network: Sam2) -> None:
    tracker = Tracker(region_network, capacity=1)
    tracker.track(image(0), 0)
    tracker.prompt(Prompt(box=np.array([10, 10, 30, 30])))
    tracker.track(image(1), 1)
    before = tracker._propagation.sights[tracker._objects.record(1).row].region
    tracker.prompt(Prompt(points=np.array([[150, 110]]), labels=np.array([1])), object_id=1)
    after = tracker._propagation.sights[tracker._objects.record(1).row].region
    x0, y0, x1, y1 = after.pixels(HEIGHT, WIDTH)
    assert x0 <= 150 < x1 and y0 <= 110 < y1
    assert after.scale == pytest.approx(before.scale)


def _square(size: float, region: SearchRegion) -> torch.Tensor:
    """(1, 1, 64, 64) logits in a region of a square in the middle of the image, with edges of so many pixels."""
    x0, y0, x1, y1 = region.pixels(HEIGHT, WIDTH)
    x, y = np.meshgrid(x0 + (np.arange(64) + 0.5) * (x1 - x0) / 64, y0 + (np.arange(64) + 0.5) * (y1 - y0) / 64)
    inside = (abs(x - WIDTH / 2) < size / 2) & (abs(y - HEIGHT / 2) < size / 2)
    return torch.where(torch.from_numpy(inside), 5.0, -5.0)[None, None]


Glance = Callable[..., SearchRegion]


@pytest.fixture
def glance(region_network: Sam2, monkeypatch: pytest.MonkeyPatch) -> Glance:
    """Where a click on the image's middle is answered, of a network that shows there what it is told to: by region a
    square's edge in pixels, and how sure it is. Others: objects that are tracked already."""
    tracker = Tracker(region_network, capacity=1)
    tracker.track(image(0), 0)
    prompting, middle = tracker._prompting, (WIDTH // 2, HEIGHT // 2)
    prompt = Prompt(points=np.array([middle], np.float32), labels=np.array([1], np.int32))

    def look(shown: Callable[[SearchRegion], tuple[int, float]], *others: View) -> SearchRegion:
        def answer(row: Any, looks: Looks, region: SearchRegion, *_: Any) -> tuple[Any, None]:
            size, sure = shown(region)
            return SimpleNamespace(logits=_square(size, region), iou=torch.tensor([sure])), None

        monkeypatch.setattr(prompting, "answer", answer)
        return prompting._glance(Looks(region_network, tracker._history.newest, SIZE), [prompt], [middle], others)

    return look


def test_what_a_click_finds_is_looked_at_again_before_it_is_believed(glance: Glance) -> None:
    """Small regions promise a thing of 10 pixels, until it is seen in a region of its own size; large ones one of 60,
    and keep that promise."""
    own = {size: SearchRegion.around((80 - size / 2, 60 - size / 2, 80 + size / 2, 60 + size / 2), 120, 160, 2.0)
           for size in (10, 60)}  # fmt: skip
    looked: list[float] = []

    def shown(region: SearchRegion) -> tuple[int, float]:
        looked.append(region.scale)
        size = 60 if region.scale > 0.5 else 10
        return size, 0.6 if size == 60 else 0.2 if abs(region.scale - own[10].scale) < 0.01 else 0.99

    region = glance(shown)
    assert region.scale == pytest.approx(own[60].scale, rel=0.1)
    assert len(looked) == 10, "five sizes, twice"


def test_a_region_in_which_a_click_finds_nothing_is_passed_over(glance: Glance) -> None:
    """Small regions show nothing at all; large ones a thing of 60 pixels."""
    assert glance(lambda region: (60 * (region.scale > 0.3), 0.9)).scale > 0.5


def test_no_region_is_encoded_twice_for_a_click(region_network: Sam2, monkeypatch: pytest.MonkeyPatch) -> None:
    encoded: list[SearchRegion] = []

    def watched(network: Sam2, frame: Frame, regions: Sequence[SearchRegion], size: int) -> Features:
        encoded.extend(regions)
        return see(network, frame, regions, size)

    tracker = Tracker(region_network, capacity=1)
    tracker.track(image(0), 0)
    monkeypatch.setattr(sight, "see", watched)
    tracker.prompt(Prompt(points=np.array([(80, 60)], np.float32), labels=np.array([1], np.int32)))
    assert len(encoded) > 5, "several sizes are tried"
    assert len(encoded) == len(set(encoded))


def test_what_is_an_object_already_is_not_what_a_click_on_a_new_one_means(glance: Glance) -> None:
    """Large regions show a thing of 60 pixels, small ones one of 10 in front of it, less surely."""

    def shown(region: SearchRegion) -> tuple[int, float]:
        return (60, 0.9) if region.scale > 0.5 else (10, 0.88)

    region = SearchRegion(scale=0.8)
    large, small = (View(True, 0, 0.2, 5.0, region, (_square(size, region)[0, 0] > 0).numpy()) for size in (60, 10))
    assert glance(shown).scale > 0.5
    assert glance(shown, small).scale > 0.5
    assert glance(shown, large).scale < 0.3


def test_a_click_knows_of_the_other_objects_that_were_in_view_when_it_was_made(
    region_network: Sam2, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracker = Tracker(region_network, capacity=4)
    given: list[list[int]] = []

    def glance(looks: Looks, prompts: Any, clicks: Any, others: Sequence[View]) -> SearchRegion:
        given.append([id(view) for view in others])
        return SearchRegion()

    monkeypatch.setattr(tracker._prompting, "_glance", glance)
    tracker.track(image(0), 0)
    for x in (20, 60, 100):
        tracker.prompt(Prompt(box=np.array([x, 30, x + 30, 60])))
    tracker.track(image(1), 1)
    one, two, hidden = (tracker._objects.record(number).views for number in (1, 2, 3))
    hidden[0] = replace(hidden[0], in_view=False)
    click = Prompt(points=np.array([[80, 60]]), labels=np.array([1]))
    tracker.preview(click, stamp=0)
    (number,) = tracker.prompt(click, stamp=0).ids
    assert given == [[id(one[0]), id(two[0])]] * 2
    tracker.remove(1)
    tracker.choose(number, 1)
    assert given[2] == given[1], "what it meant when it was made"
    new = tracker._objects.record(number).views
    tracker.prompt(replace(click, replace=True), object_id=2, stamp=0)
    assert given[3] == [id(new[0])], "not of itself"
    tracker.prompt(click, object_id=3, stamp=1)
    assert given[4] == [], "where another took its place, that place is meant"


@pytest.mark.parametrize(
    "in_view, iou, scale",
    [(True, 0.9, 0.4 / 1.03), (True, 0.3, 0.4 * 1.15), (False, 0.9, 0.46)],
)
def test_a_region_grows_until_one_is_sure(in_view: bool, iou: float, scale: float) -> None:
    logits = torch.full((2, 1, 16, 16), -5.0)
    logits[1, 0, 7:11, 7:11] = 5
    logits[1, 0, 0, 15] = 5
    sights = [Sight(), Sight(SearchRegion(0.5, 0.5, 0.4))]
    close_up = CloseUp(SearchRegion(0.5, 0.5, 0.2), np.ones((8, 8), bool))
    close_ups = SimpleNamespace(of=lambda rows: [close_up] * len(rows))
    propagation: Any = SimpleNamespace(sights=sights, logits=logits, iou=torch.tensor([1.0, iou]), close_ups=close_ups)
    outputs = Outputs(propagation, Thresholds(0.5, 0.5, 1.0), search_context=3.2, non_overlap=False)
    ((region, expected, kept),) = outputs._next_searches([1], [None], torch.tensor([in_view]), frame())
    assert kept == close_up
    assert region.scale == pytest.approx(scale)
    # The middle is that of the large piece: 9 of 16, in a region that begins at 0.3 of the image.
    assert region.x == pytest.approx(0.3 + 0.4 * 9 / 16 if in_view else 0.5)
    assert expected is not None
    # Where the piece is on the whole frame, seen through either region.
    before = place(logits[1:], frame(), [sights[1].region])[0] > 0
    after = place(torch.from_numpy(np.where(expected, 5.0, -5.0)).float()[None, None], frame(), [region])[0] > 0
    assert int((before & after).sum()) > 0.7 * int((before | after).sum()) if in_view else not after.any()


def test_in_a_part_of_the_image_that_is_looked_through_one_must_be_sure() -> None:
    part = SearchRegion().after(None, HEIGHT, WIDTH, context=3.0)
    for show_above, probability in ((0.5, 0.8), (0.9, 0.9)):
        thresholds = Thresholds(show_above, 0.4, 1.0)
        hidden = View(False, 0, 0.1, -3.0, part)
        assert 1 / (1 + math.exp(-thresholds.score(hidden, prompted=True))) == pytest.approx(show_above)
        assert 1 / (1 + math.exp(-thresholds.score(hidden))) == pytest.approx(probability)
        for view, usual in ((replace(hidden, in_view=True), 0.4), (replace(hidden, region=SearchRegion()), show_above)):
            assert 1 / (1 + math.exp(-thresholds.score(view))) == pytest.approx(usual)


def test_whoever_points_at_an_object_is_believed_also_in_a_part_that_is_looked_through(region_network: Sam2) -> None:
    """A prompt is held to what was asked for, and not to what a search needs."""
    tracker = Tracker(region_network, capacity=1)
    tracker.track(image(0), 0)
    tracker.prompt(Prompt(box=np.array([40, 30, 100, 90], np.float32)))
    record, outputs = tracker._objects.record(1), tracker._outputs
    view = View(False, 0, 0.1, -3.0, SearchRegion().after(None, HEIGHT, WIDTH, context=3.0))
    record.views[-1] = view
    propagation = tracker._propagation
    propagation.logits[record.row], propagation.scores[record.row] = 5.0, 1.0  # a probability of 0.73
    seen = tracker._history.newest
    assert bool(outputs.look([record], seen).in_view[0])
    record.prompts.clear()
    assert not bool(outputs.look([record], seen).in_view[0])


def test_what_strays_is_not_shown_but_all_that_was_drawn_is(region_network: Sam2) -> None:
    tracker = Tracker(region_network, capacity=1)
    tracker.track(image(0), 0)
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[20:80, 20:80] = mask[100:116, 130:146] = True
    shown = tracker.prompt(Prompt(mask=mask)).masks[0]
    assert shown[50, 50] and shown[108, 138]
    propagation = tracker._propagation
    (row,) = (row for row, sight in enumerate(propagation.sights) if sight.drawn)
    propagation.sights[row] = replace(propagation.sights[row], drawn=False)
    shown = (propagation.place([row], tracker._history.newest)[0] > 0).numpy()
    assert shown[50, 50] and not shown[90:].any()


def test_a_mask_has_the_edge_that_is_seen_from_close_by_unless_it_was_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(1)
    config = replace(Sam2Config.named("nano"), image_size=SIZE, refined_size=32)
    network = Sam2(config).eval().requires_grad_(False)
    network.sam_mask_decoder.pred_obj_score_head.layers[-1].bias += 5.0
    looks: list[tuple[torch.Size, ...]] = []

    def left_half(*look: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        looks.append(tuple(tensor.shape for tensor in look))
        answers = (torch.where(torch.arange(size) < size // 2, 5.0, -5.0) for size in (16, 32))
        refined, shown = (answer.expand(len(look[0]), 1, len(answer), len(answer)) for answer in answers)
        return refined, shown

    remembered: list[torch.Tensor] = []
    encode = network.encode_memory

    def watched(top: torch.Tensor, masks: torch.Tensor, score: torch.Tensor) -> torch.Tensor:
        remembered.append(masks)
        return encode(top, masks, score)

    # setattr would leave the methods on the network, where those of the class are patched in vain by later tests.
    monkeypatch.setitem(vars(network), "refine", left_half)
    monkeypatch.setitem(vars(network), "encode_memory", watched)
    tracker = Tracker(network, capacity=2)
    tracker.track(image(0), 0)
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[40:80, 60:100] = True
    assert np.count_nonzero(tracker.prompt(Prompt(mask=mask)).masks[0] != mask) < 0.05 * mask.sum()
    assert not looks, "what somebody drew is not looked at again"
    tracker.prompt(Prompt(box=np.array([20, 20, 60, 60], np.float32)))
    seen = tracker.track(image(1), 1)
    assert looks[-1] == ((2, 3, 32, 32), (2, 1, 16, 16), (2, 16, 16, 16), (2, 1, 32, 32)), "both objects at once"
    propagation, views = tracker._propagation, [record.views[1] for record in tracker._objects.records()]
    rows = [record.row for record in tracker._objects.records()]
    for row, shown, view, memory in zip(rows, seen.masks, views, remembered[-1], strict=True):
        crop = propagation.close_ups.crops([row])[0]
        x0, y0, x1, y1 = crop.pixels(HEIGHT, WIDTH)
        expected = np.zeros((HEIGHT, WIDTH), bool)
        expected[y0:y1, x0 : (x0 + x1) // 2] = True
        assert np.count_nonzero(shown != expected) <= 2 * (y1 - y0)
        assert view.region == SearchRegion() and view.expected is not None
        assert abs(view.expected.mean() - expected.mean()) < 0.15, "it is expected as it was seen from close by"
        assert set(memory.unique().tolist()) == {0.0, 1.0}, "not how sure each pixel is"
        assert float(memory.mean()) == pytest.approx(expected.mean(), abs=0.04), "and so it is remembered"


def test_of_two_readings_the_one_like_the_last_mask_is_taken(region_network: Sam2) -> None:
    answer = Answer(
        logits=torch.full((1, 4, 16, 16), -5.0),
        iou=torch.tensor([[0.0, 0.8, 0.7, 0.1]]),
        tokens=torch.zeros(1, 4, region_network.config.d_model),
        score=torch.ones(1),
    )
    answer.logits[0, 1, 2:14, 2:14] = answer.logits[0, 2, 4:8, 4:8] = 5
    last = torch.zeros(1, 16, 16, dtype=torch.bool)
    last[0, 4:8, 5:9] = True
    network: Any = SimpleNamespace(
        decode=lambda *_: answer,
        no_points=region_network.no_points,
        choose=region_network.choose,
        hide=region_network.hide,
    )
    features: Any = None
    chosen = {
        name: Sam2.find(network, features, torch.zeros(1), expected, torch.tensor([False]))
        for name, expected in (("nothing", None), ("small", last), ("empty", last & False))
    }
    assert {name: int((choice.logits > 0).sum()) for name, choice in chosen.items()} == {
        "nothing": 144,
        "small": 16,
        "empty": 144,
    }
    assert float(chosen["small"].iou) == pytest.approx(0.7), "what the network predicted"


def test_prompts_of_one_image_are_all_seen(region_network: Sam2) -> None:
    """A mask, and then a box elsewhere, which would leave nothing of the mask if the region were the box's alone."""
    tracker = Tracker(region_network, capacity=1)
    tracker.track(image(0), 0)
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[5:25, 5:25] = True
    tracker.prompt(Prompt(mask=mask))
    tracker.prompt(Prompt(box=np.array([130, 90, 150, 110])), object_id=1)
    x0, y0, x1, y1 = tracker._propagation.sights[tracker._objects.record(1).row].region.pixels(HEIGHT, WIDTH)
    assert x0 <= 5 and y0 <= 5 and x1 >= 150 and y1 >= 110


def test_what_is_forgotten_does_not_say_where_to_look(region_network: Sam2) -> None:
    """A box in one corner, then another or a mask in the opposite one, which takes its place."""
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[90:110, 130:150] = True
    first, box = Prompt(box=np.array([5, 5, 15, 15])), np.array([130, 90, 150, 110])
    for prompt in (Prompt(box=box, replace=True), Prompt(box=box), Prompt(mask=mask)):
        corrected, fresh = Tracker(region_network, capacity=1), Tracker(region_network, capacity=1)
        for tracker in (corrected, fresh):
            tracker.track(image(0), 0)
        corrected.prompt(first)
        answers = corrected.prompt(prompt, object_id=1), fresh.prompt(replace(prompt, replace=False))
        regions = [tracker._propagation.sights[tracker._objects.record(1).row].region for tracker in (corrected, fresh)]
        assert regions[0] == regions[1]
        if prompt.replace or prompt.mask is not None:  # another box is answered with the first one's mask in mind
            np.testing.assert_array_equal(answers[0].logits, answers[1].logits)


def test_all_clicks_on_one_image_are_seen(region_network: Sam2) -> None:
    tracker = Tracker(region_network, capacity=1)
    tracker.track(image(0), 0)
    tracker.prompt(Prompt(box=np.array([10, 10, 20, 20])))
    tracker.track(image(1), 1)
    for click in ((15, 15), (150, 110)):
        tracker.prompt(Prompt(points=np.array([click]), labels=np.array([1])), object_id=1)
    x0, y0, x1, y1 = tracker._propagation.sights[tracker._objects.record(1).row].region.pixels(HEIGHT, WIDTH)
    assert x0 <= 15 and y0 <= 15 and x1 > 150 and y1 > 110


def test_a_click_on_what_was_lost_finds_its_size_as_the_first_click_did(
    region_network: Sam2, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An object out of view is searched for in the whole image, which says nothing of how large it is."""
    tracker = Tracker(region_network, capacity=1)
    tracker.track(image(0), 0)
    tracker.prompt(Prompt(box=np.array([40, 30, 60, 50])))
    record, glanced = tracker._objects.record(1), SearchRegion(0.4, 0.4, 0.2)
    monkeypatch.setattr(tracker._prompting, "_glance", lambda *_: glanced)
    click = Prompt(points=np.array([[62, 46]]), labels=np.array([1]))
    for stamp, in_view in ((1, True), (2, False)):
        tracker.track(image(1), stamp)
        number = tracker._history.newest.number
        record.views[number - 1] = replace(record.views[number - 1], in_view=in_view, region=SearchRegion())
        tracker.prompt(click, object_id=1)
        record = tracker._objects.record(1)
        assert tracker._propagation.sights[record.row].region == (SearchRegion() if in_view else glanced)


def test_one_that_is_not_searched_for_is_still_where_it_was_to_be_looked_for(region_network: Sam2) -> None:
    """Whatever was in its row before: `undo` and `load` build an object up in a free one."""
    tracker = Tracker(region_network, capacity=2, search_every=3, hide_below=1.0, show_above=1.0)
    tracker.track(image(0), 0)
    tracker.prompt(Prompt(box=np.array([100, 70, 150, 110])))
    tracker.remove(1)
    tracker.prompt(Prompt(box=np.array([20, 20, 50, 50])))
    for number in (1, 2, 3, 4):
        tracker.track(image(number), number)
    record = tracker._objects.record(2)
    before = record.views[3]
    assert not before.in_view and not tracker._propagation.sights[record.row].searched
    assert record.views[4].region == before.region
    expected = tracker.save(2)
    tracker.prompt(Prompt(points=np.array([[30, 30]]), labels=np.array([1])), object_id=2)
    tracker.undo(2)
    assert tracker.save(2) == expected


def test_without_objects_nothing_is_encoded(region_network: Sam2, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(vars(region_network), "encode_image", None)
    assert Tracker(region_network).track(image(0), 0).ids == ()


def test_what_was_known_from_close_by_goes_along_to_the_next_frame_and_not_to_a_prompt(
    refining_network: Sam2, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[torch.Tensor] = []
    refine = refining_network.refine

    def watched(*look: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        given.append(look[3])
        return refine(*look)

    monkeypatch.setitem(vars(refining_network), "refine", watched)
    monkeypatch.setattr("sam2_ros.tracking.close_ups._ALIKE", 0.0)  # whatever a network finds that knows nothing
    tracker = Tracker(refining_network, capacity=1, history=0)
    tracker.track(image(0), 0)
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[40:80, 60:100] = True
    tracker.prompt(Prompt(mask=mask))
    view = tracker._objects.record(1).views[0]
    assert view.close_up is not None and not given
    tracker.track(image(0), 1)
    earlier = given[-1][0, 0]
    assert set(earlier.sign().unique().tolist()) == {-1.0, 1.0}
    # The image has not changed, so that the mask is where it was.
    crop = tracker._propagation.close_ups.crops([tracker._objects.record(1).row])[0]
    x0, y0, x1, y1 = crop.pixels(HEIGHT, WIDTH)
    share = cv2.resize(mask[y0:y1, x0:x1].astype(np.float32), (32, 32), interpolation=cv2.INTER_AREA)
    assert (earlier > 0).numpy().sum() == pytest.approx((share > 0.5).sum(), rel=0.25)
    before = tracker.track(image(2), 2)
    tracker.prompt(Prompt(points=np.array([[70, 60]]), labels=np.array([1])), object_id=1)
    assert not given[-1].any(), "what was there may be what the prompt is to change"
    # The image before is known even where a prompt can no longer land on it.
    assert np.array_equal(tracker.undo(1).masks, before.masks)
    assert given[-1].any()


@pytest.mark.parametrize(
    ("hide_below", "show_above", "scores", "refined"),
    [
        (0.4, 0.5, (5.0, -1.0, 5.0), (2, 1, 2)),
        (0.1, 0.5, (5.0, -1.0, -5.0), (2, 2, 1)),  # shown, though the network says that it is not there
        (0.4, 0.9, (-5.0, 1.0, 5.0), (1, 2, 2)),  # not shown yet, but remembered
    ],
)
def test_a_mask_that_is_neither_shown_nor_remembered_is_not_looked_at_again(
    refining_network: Sam2,
    monkeypatch: pytest.MonkeyPatch,
    hide_below: float,
    show_above: float,
    scores: Sequence[float],
    refined: Sequence[int],
) -> None:
    """Of two objects one is always there; scores: the other's, image by image."""
    tracker = Tracker(refining_network, capacity=2, hide_below=hide_below, show_above=show_above)
    tracker.track(image(0), 0)
    for x in (20, 80):
        tracker.prompt(Prompt(box=np.array([x, 40, x + 40, 80], np.float32)))
    sizes: list[int] = []
    refine, find = refining_network.refine, refining_network.find

    def watched(*look: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        sizes.append(len(look[0]))
        return refine(*look)

    monkeypatch.setitem(vars(refining_network), "refine", watched)
    for stamp, score in enumerate(scores, start=1):
        said = torch.tensor([5.0, score])
        monkeypatch.setitem(vars(refining_network), "find", lambda *given, said=said: replace(find(*given), score=said))
        tracker.track(image(stamp), stamp)
    assert tuple(sizes) == tuple(refined)
