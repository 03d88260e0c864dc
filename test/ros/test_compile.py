"""The node's parameter `compile`: the same answers, and nothing left to compile once the node is configured."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from sam2_ros.network import Sam2, Sam2Config, load_network
from sam2_ros.ros.loading import load_trackers
from sam2_ros.ros.parameters import ParameterError, Parameters
from sam2_ros.tracking import Prompt, Tracker, Tracks, track_together, warm_up

BOX = Prompt(box=np.array([60, 50, 150, 120], np.float32))
CLICK = Prompt(points=np.array([[80, 60]], np.float32), labels=np.array([1]))
CLICKS = Prompt(points=np.array([[80, 60], [100, 70], [5, 5]], np.float32), labels=np.array([1, 1, 0]))
MASK = Prompt(mask=np.pad(np.ones((60, 60), bool), 50))
_STEP = 33_000_000  # nanoseconds


@pytest.fixture(autouse=True)
def nothing_compiled_before(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "inductor"))
    torch._dynamo.reset()


@pytest.fixture
def small(tmp_path: Path) -> str:
    """The file of a small network with random weights, for which everything is in view."""
    return _small(tmp_path, search_context=0.0)


def _small(tmp_path: Path, search_context: float) -> str:
    torch.manual_seed(1)
    sizes = {"d_model": 32, "mem_dim": 8, "num_layers": 1, "dim_feedforward": 16, "decoder_mlp_dim": 16}
    config = Sam2Config(image_size=64, trunk="efficientnet_lite0", search_context=search_context, **sizes)
    network = Sam2(config)
    network.sam_mask_decoder.pred_obj_score_head.layers[-1].bias.data += 5.0
    file = tmp_path / "small.safetensors"
    save_file(network.state_dict(), file, {"config": json.dumps(config.to_dict())})
    return str(file)


def _images(count: int) -> list[np.ndarray]:
    random = np.random.default_rng(0)
    return list(random.integers(0, 255, (count, 160, 160, 3), dtype=np.uint8))


def _life(tracker: Tracker) -> list[Tracks]:
    """Objects come, are corrected, also late, taken back and go."""
    seen = []
    for number, image in enumerate(_images(40)):
        stamp = number * _STEP
        seen.append(tracker.track(image, stamp))
        if number % 3 == 0 and len(tracker.ids) < tracker.capacity:
            tracker.prompt((BOX, CLICK, MASK, CLICKS)[number // 3 % 4])
        if number % 7 == 0:
            late = max(0, stamp - 2 * _STEP) if number > 20 else None
            tracker.prompt(CLICK, object_id=tracker.ids[0], stamp=late)
        if number % 9 == 8:
            tracker.undo(tracker.ids[-1])
        if number % 11 == 10:
            tracker.remove(tracker.ids[0])
        tracker.preview((BOX, CLICK, CLICKS)[number % 3])
    return seen


@pytest.mark.parametrize("search_context", [0.0, 3.0], ids=["whole", "regions"])
def test_all_is_compiled_before_the_first_image(tmp_path: Path, search_context: float) -> None:
    network = load_network(_small(tmp_path, search_context), device="cpu")
    network.compile_parts(backend="eager")
    warm_up([Tracker(network, capacity=5) for _ in range(2)])

    @torch.compiler.set_stance("fail_on_recompile")
    def work() -> tuple[list[Tracks], list[Tracks]]:
        tracks = _life(Tracker(network, capacity=5))
        return tracks, track_together([Tracker(network) for _ in range(2)], _images(2), [0, 0])

    # The node is configured in one thread and works in another.
    with ThreadPoolExecutor(1) as thread:
        tracks, together = thread.submit(work).result()
    assert max(len(one.ids) for one in tracks) == 5
    assert len(together) == 2


@torch.inference_mode()
def test_a_compiled_network_answers_the_same(small: str) -> None:
    plain, compiled = (load_network(small, device="cpu") for _ in range(2))
    compiled.compile_parts()
    answers = []
    for network in (plain, compiled):
        features = network.encode_image(network.prepare(torch.from_numpy(_images(1)[0])[None], 64))
        points, labels = torch.tensor([[[20.0, 20.0], [50.0, 40.0]]]), torch.tensor([[2, 3]])
        answer = network.decode(features, network.without_memory(features.top), points, labels)
        memory = network.encode_memory(
            features.top, (answer.logits[:, :1].repeat(1, 1, 4, 4) > 0).float(), answer.score
        )
        answers.append((*features.__dict__.values(), answer.logits, answer.iou, answer.score, memory))
    for one, other in zip(*answers, strict=True):
        assert one.numel() == 1 or one.std() > 0
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_without_a_compiler_the_parameter_is_refused(small: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch._inductor.config.cpp, "cxx", (None, "/nowhere/g++"))
    with pytest.raises(ParameterError, match="compile is true, but the network could not be compiled here .*compiler"):
        load_trackers(Parameters(model=small, device="cpu", compile=True))
