"""The model and size that keep up with a rate."""

from __future__ import annotations

import logging
import math
import re
import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from sam2_ros.network import device
from sam2_ros.ros import loading
from sam2_ros.ros.budget import Trial, choose, sizes
from sam2_ros.ros.loading import load_trackers
from sam2_ros.ros.parameters import ParameterError, Parameters


def test_sizes_go_from_a_models_own_to_half_of_it() -> None:
    assert sizes(1024) == [1024, 896, 768, 640, 512]
    assert sizes(256) == [256, 224, 192, 160, 128]


def _tried(limit: float, seconds: dict[tuple[str, int], float]) -> tuple[Trial, list[str]]:
    said: list[str] = []
    candidates = [("large", [1024, 768, 512]), ("tiny", [1024, 512])]
    return choose(candidates, limit, lambda model, size: seconds[model, size], said.append), said


def test_the_best_model_wins_at_the_largest_size_that_is_quick_enough() -> None:
    seconds = {("large", 1024): 0.2, ("large", 768): 0.1, ("large", 512): 0.05}
    assert _tried(0.12, seconds)[0] == ("large", 768, 0.1)
    assert _tried(0.2, seconds)[0] == ("large", 1024, 0.2)


def test_what_cannot_be_quick_enough_is_not_tried() -> None:
    """0.8 s at 1024 pixels are at least 0.05 s at 512, so that large is given up after one trial."""
    chosen, said = _tried(0.04, {("large", 1024): 0.8, ("tiny", 1024): 0.1, ("tiny", 512): 0.03})
    assert chosen == ("tiny", 512, 0.03)
    assert [line.split(" takes")[0] for line in said] == [
        "large at 1024 pixels", "tiny at 1024 pixels", "tiny at 512 pixels"
    ]  # fmt: skip
    assert said[0] == "large at 1024 pixels takes 800 ms an image; 40 ms may be taken"


def test_where_nothing_is_quick_enough_it_is_the_smallest_that_there_is() -> None:
    chosen, _ = _tried(0.001, {("large", 1024): 0.8, ("tiny", 1024): 0.4, ("tiny", 512): 0.1})
    assert chosen == ("tiny", 512, 0.1)


def test_what_has_no_room_is_said_and_a_smaller_size_tried() -> None:
    chosen, said = _tried(0.1, {("large", 1024): math.inf, ("large", 768): 0.05})
    assert chosen == ("large", 768, 0.05)
    assert said[0] == "large at 1024 pixels needs more memory than there is; 100 ms may be taken"


@pytest.fixture
def little_memory() -> Iterator[None]:
    """No more than 64 GiB can be asked for, whatever the machine promises."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (64 << 30, hard))
    yield
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


@pytest.mark.usefixtures("little_memory")
def test_what_has_no_room_is_refused_by_what_would_be_right() -> None:
    asked = Parameters(model="nano", device="cpu", image_size=1024, capacity=256, history=60.0)
    sentence = "not enough memory for the model nano at 1024 pixels with a capacity of 256 .*; lower capacity, history"
    with pytest.raises(ParameterError, match=sentence):
        load_trackers(asked)


def test_what_a_gpu_says_while_recording_is_known_by_what_it_came_from(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_: object) -> None:
        try:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        finally:
            raise RuntimeError("operation failed due to a previous error during capture")

    monkeypatch.setattr(loading, "warm_up", fails)
    with pytest.raises(ParameterError, match=r"at its own size with a capacity of 8 \(CUDA out of memory. Tried"):
        load_trackers(Parameters(model="nano", device="cpu"))


@pytest.mark.usefixtures("little_memory", "weights_nowhere")
def test_a_size_that_has_no_room_is_passed_over(caplog: pytest.LogCaptureFixture) -> None:
    asked = Parameters(model="nano", device="cpu", target_rate=0.1, capacity=64, history=60.0)
    with caplog.at_level(logging.INFO, "sam2_ros"), pytest.MonkeyPatch.context() as patch:
        patch.setattr(loading, "sizes", lambda _: [2048, 64])
        load_trackers(asked)
    assert caplog.messages[0].startswith("nano at 2048 pixels needs more memory than there is")
    assert caplog.messages[-2].startswith("chosen for 0.1 images a second: nano at 64 pixels")


@pytest.fixture
def weights_nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    monkeypatch.setenv("SAM2_ROS_WEIGHTS", str(tmp_path))


@pytest.mark.usefixtures("weights_nowhere")
def test_nano_is_what_there_is_without_other_weights(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "sam2_ros"):
        (tracker,) = load_trackers(Parameters(model="auto", target_rate=0.1, capacity=2))
    assert tracker.capacity == 2
    assert caplog.messages[-2].startswith("chosen for 0.1 images a second: nano at ")


@pytest.mark.usefixtures("weights_nowhere")
def test_a_rate_out_of_reach_is_said(caplog: pytest.LogCaptureFixture) -> None:
    load_trackers(Parameters(model="nano", target_rate=1000.0, image_size=64, capacity=1))
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "nothing keeps up with 1000 images a second; taken all the same: nano at 64 pixels" in caplog.text


def test_auto_needs_a_rate() -> None:
    with pytest.raises(ParameterError, match="that needs target_rate"):
        Parameters(model="auto")


def test_a_network_of_search_regions_computes_in_one_thread_unless_told_otherwise(checkpoint) -> None:
    """Of whole images, in as many as PyTorch chooses."""
    before = torch.get_num_threads()
    for model, threads, taken in (("nano", 0, 1), ("nano", 2, 2), (str(checkpoint), 0, device._CHOSEN)):
        load_trackers(Parameters(model=model, device="cpu", capacity=1, threads=threads))
        assert torch.get_num_threads() == taken
    torch.set_num_threads(before)


def test_every_parameter_of_the_tracker_reaches_it(monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, object] = {}
    monkeypatch.setattr(loading, "Tracker", lambda network, **how: given.update(how))
    parameters = Parameters(
        image_size=64, capacity=3, history=1.0, conditioning_frames=7, corrections_condition=False, search_every=5,
        show_above=0.9, hide_below=0.2, lost_after=9.0, non_overlap=True,
    )  # fmt: skip
    network: Any = None
    loading._tracker(network, parameters)
    assert given == {name: getattr(parameters, name) for name in given} and len(given) == 10


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
@pytest.mark.parametrize(
    ("asked", "warned"),
    [({}, True), ({"device": "cpu"}, False), ({"target_rate": 0.1}, False), ({"model": "nano"}, False)],
)
def test_a_model_for_a_gpu_that_computes_on_the_cpu_is_said(
    asked: dict[str, Any], warned: bool, checkpoint: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "sam2_ros"):
        load_trackers(
            Parameters(**{"model": str(checkpoint), "image_size": 64, "capacity": 1, "dtype": "float32", **asked})
        )

    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert len(warnings) == warned
    where = next(line for line in caplog.messages if line.startswith(f"PyTorch {torch.__version__} computes "))
    assert re.search(r" in float32 at 64 pixels on the CPU, \d+ threads?$", where)
    if warned:
        reason = "computes on the CPU, which is slow, because PyTorch finds no GPU ("
        assert warnings[0].startswith(f"{checkpoint} {reason}")
        assert "Torch not compiled with CUDA enabled" in warnings[0] or "NVIDIA" in warnings[0]
