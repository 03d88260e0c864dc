"""The model and size that keep up with a rate."""

from __future__ import annotations

import logging

import pytest

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


@pytest.fixture
def weights_nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    monkeypatch.setenv("SAM2_ROS_WEIGHTS", str(tmp_path))


@pytest.mark.usefixtures("weights_nowhere")
def test_nano_is_what_there_is_without_other_weights(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "sam2_ros"):
        (tracker,) = load_trackers(Parameters(model="auto", target_rate=0.1, capacity=2))
    assert tracker.capacity == 2
    assert caplog.messages[-1].startswith("chosen for 0.1 images a second: nano at ")


@pytest.mark.usefixtures("weights_nowhere")
def test_a_rate_out_of_reach_is_said(caplog: pytest.LogCaptureFixture) -> None:
    load_trackers(Parameters(model="nano", target_rate=1000.0, image_size=64, capacity=1))
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "nothing keeps up with 1000 images a second; taken all the same: nano at 64 pixels" in caplog.text


def test_auto_needs_a_rate() -> None:
    with pytest.raises(ParameterError, match="that needs target_rate"):
        Parameters(model="auto")
