"""What is done beforehand is all that will be done: on a GPU anything new would be recorded while the robot waits."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sam2_ros.network import Sam2
from sam2_ros.network.replay import Replay
from sam2_ros.tracking import Prompt, Tracker, track_together, warm_up

HEIGHT, WIDTH = 48, 80


def _image(number: int) -> np.ndarray:
    return np.random.default_rng(number).integers(0, 255, (HEIGHT, WIDTH, 3), dtype=np.uint8)


def _clicks(*points: tuple[float, float, int]) -> Prompt:
    return Prompt(points=np.array([point[:2] for point in points]), labels=np.array([point[2] for point in points]))


@pytest.mark.parametrize("kind", ["whole_network", "region_network"])
def test_nor_by_any_number_of_cameras_together(
    kind: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: set[int] = set()
    encode = Sam2.encode_image
    monkeypatch.setattr(Sam2, "encode_image", lambda self, images: sizes.add(len(images)) or encode(self, images))
    warm_up([Tracker(request.getfixturevalue(kind), capacity=1) for _ in range(3)])
    warm = sizes.copy()
    trackers = [Tracker(request.getfixturevalue(kind), capacity=1) for _ in range(3)]
    for stamp in (1, 2):
        for count in (1, 2, 3):
            track_together(trackers[:count], [_image(count)] * count, [10 * stamp + count] * count)
        for tracker in trackers:
            tracker.prompt(_clicks((30, 20, 1)))
            tracker.remove(tracker.ids[0])
    assert sizes <= warm


@pytest.mark.parametrize("kind", ["whole_network", "region_network", "refining_network"])
def test_nothing_is_met_for_the_first_time_once_it_is_warm(
    kind: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = request.getfixturevalue(kind)
    kinds: set[tuple[object, ...]] = set()

    def do(self: Sam2, step: Replay, *tensors: torch.Tensor | None, recorded: bool = True) -> tuple[torch.Tensor, ...]:
        """As for a GPU that records each kind of arguments."""
        if recorded:
            shapes = (None if one is None else (one.shape, one.dtype) for one in tensors)
            kinds.add((step.function.__name__, *shapes))
        return step.function(*tensors)

    monkeypatch.setattr(Sam2, "_do", do)
    monkeypatch.setattr(Sam2, "takes_filled_up", True)
    monkeypatch.setattr(Tracker, "replays", True)
    warm_up([Tracker(network, capacity=5)])
    warm = kinds.copy()
    tracker = Tracker(network, capacity=5)
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[10:30, 20:50] = True
    box, click = Prompt(box=np.array([10, 5, 40, 30])), _clicks((30, 20, 1))
    for number, first in enumerate((box, click, Prompt(mask=mask), _clicks((30, 20, 1), (50, 40, 0)), box)):
        tracker.track(_image(number), number)
        started = tracker.prompt(first).ids[0]
        tracker.prompt(_clicks((25, 15, 0)), object_id=started)
    for number, correction in enumerate((box, click, Prompt(mask=mask), _clicks((30, 20, 1), (50, 40, 0))), start=5):
        tracker.track(_image(number), number)
        tracker.prompt(correction, object_id=1, stamp=number - 1)
        tracker.prompt(correction, object_id=2)
        tracker.prompt(click, object_id=2)
    tracker.choose(1, 0)
    tracker.undo(2)
    monkeypatch.delattr("sam2_ros.tracking.tracker.fingerprint")  # it has read the weights of a large network
    saved = tracker.save(1)
    tracker.remove(1)
    tracker.load(saved)
    assert kinds == warm
