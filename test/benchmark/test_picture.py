"""The picture of what was measured."""

from __future__ import annotations

import pytest
import torch

from benchmark.candidate import PARTS
from benchmark.race import Case, Measured, Result


def test_a_bar_is_as_long_as_its_frame_takes_whatever_parts_it_has() -> None:
    pytest.importorskip("matplotlib", reason="matplotlib draws the picture")
    from benchmark import picture

    case = Case("nano", 64, objects=2, device=torch.device("cpu"), dtype=torch.float32, warm_up=1, frames=3, adds=0)
    usual = dict.fromkeys(PARTS, 0.2)
    measured = {
        "sam2_ros": Measured([0.01] * 3, parts={**usual, "mask refiner": 0.15, "rest": 0.05}),
        "transformers": Measured([0.02] * 3, parts={**usual, "rest": 0.2}),
    }
    figure, axes = picture.pyplot.subplots()
    picture._parts(axes, [Result(case, 1.0, [1.0], measured)])
    ends = [max(bars[row].get_x() + bars[row].get_width() for bars in axes.containers) for row in range(2)]
    assert ends == pytest.approx([10, 20])
    assert [bars.get_label() for bars in axes.containers] == [*PARTS, "mask refiner", "rest"]
    assert len({bars[0].get_facecolor() for bars in axes.containers}) == 6
    picture.pyplot.close(figure)
