"""What runs on a GPU alone: recordings, and answers beside those of the CPU."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file

from sam2_ros.network import Sam2, Sam2Config, load_network
from sam2_ros.network.replay import Replay
from sam2_ros.tracking import Prompt, Tracker, Tracks, warm_up

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
BOX = Prompt(box=np.array([60, 50, 150, 120], np.float32))
CLICK = Prompt(points=np.array([[80, 60]], np.float32), labels=np.array([1]))
_STEP = 33_000_000  # nanoseconds


HIERA = Sam2Config(image_size=256, embed_dim=32, num_layers=2, dim_feedforward=64, decoder_mlp_dim=64)
REGIONS = replace(Sam2Config.named("nano"), image_size=64)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _small(tmp_path_factory.mktemp("weights"), HIERA)


def _small(folder: Path, config: Sam2Config) -> Path:
    """The file of a network with random weights, for which everything is in view."""
    torch.manual_seed(1)
    network = Sam2(config)
    network.sam_mask_decoder.pred_obj_score_head.layers[-1].bias.data += 5.0
    path = folder / "small.safetensors"
    save_file(network.state_dict(), path, {"config": json.dumps(config.to_dict())})
    return path


def _images() -> Iterator[NDArray[np.uint8]]:
    random = np.random.default_rng(0)
    while True:
        yield random.integers(0, 255, (160, 200, 3), dtype=np.uint8)


def _life(tracker: Tracker) -> list[Tracks]:
    """Objects come, are corrected, also late, and go."""
    seen = []
    for number, image in zip(range(30), _images(), strict=False):
        stamp = number * _STEP
        seen.append(tracker.track(image, stamp))
        if number % 4 == 0 and len(tracker.ids) < tracker.capacity:
            tracker.prompt(BOX)
        if number % 7 == 6:
            tracker.prompt(CLICK, object_id=tracker.ids[0], stamp=stamp - 2 * _STEP)
            tracker.prompt(CLICK, object_id=tracker.ids[0], stamp=stamp - 2 * _STEP)
        if number % 7 == 5:
            tracker.prompt(BOX, object_id=tracker.ids[0])
        if number == 20:
            tracker.remove(tracker.ids[1])
    return seen


def test_a_recording_is_replayed_for_tensors_of_its_shapes() -> None:
    calls = []

    def double(x: torch.Tensor, y: torch.Tensor | None) -> tuple[torch.Tensor, ...]:
        calls.append(len(x))
        return (2 * x if y is None else 2 * x + y,)

    replay = Replay(double)
    with torch.inference_mode():
        for size in (5, 3, 5):
            x = torch.randn(size, device="cuda")
            first, second = replay(x, None)[0], replay(x + 1, x)[0]
            torch.testing.assert_close(first, 2 * x)
            torch.testing.assert_close(second, 2 * (x + 1) + x)
    assert calls == [5] * 4 + [3] * 4, "tried and recorded once for each of four kinds"


def test_replayed_and_not_it_is_the_same(file: Path) -> None:
    network = load_network(file, device="cuda", dtype=torch.bfloat16)
    assert network.takes_filled_up
    replayed = _life(Tracker(network, capacity=3))
    network.replays = False
    plain = _life(Tracker(network, capacity=3))
    assert replayed[-1].ids == (1, 3, 4)
    for one, other in zip(replayed, plain, strict=True):
        assert one.ids == other.ids
        np.testing.assert_allclose(one.logits, other.logits, rtol=0, atol=0.05 * max(1.0, other.logits.std()))


def test_it_says_what_the_cpu_says(file: Path) -> None:
    answers = [_life(Tracker(load_network(file, device=device), capacity=3)) for device in ("cuda", "cpu")]
    for one, other in zip(*answers, strict=True):
        np.testing.assert_allclose(one.logits, other.logits, rtol=0, atol=1e-3)


@pytest.mark.parametrize("config", [HIERA, REGIONS], ids=["whole", "regions"])
def test_nothing_is_recorded_once_it_is_warm(
    config: Sam2Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = load_network(_small(tmp_path, config), device="cuda", dtype=torch.bfloat16)
    warm_up([Tracker(network, capacity=3)])
    monkeypatch.setattr(torch.cuda, "graph", None)
    assert max(len(tracks.ids) for tracks in _life(Tracker(network, capacity=3))) == 3
