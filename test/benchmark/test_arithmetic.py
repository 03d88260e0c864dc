"""Counting operations and timing parts, by hand."""

from __future__ import annotations

import time
from functools import partial

import pytest
import torch
import torch.nn.functional as F

from benchmark.arithmetic import PartTimer, count_operations
from sam2_ros.network import linear
from sam2_ros.network.convolution import Conv1x1, Conv2d
from sam2_ros.network.linear import Linear

CPU = torch.device("cpu")


class Nap(torch.nn.Module):
    def forward(self, seconds: float) -> None:
        time.sleep(seconds)


def test_operations_of_products_convolutions_and_attention() -> None:
    a, b = torch.zeros(5, 7), torch.zeros(7, 11)
    assert count_operations(partial(torch.mm, a, b)) == 2 * 5 * 7 * 11
    image, kernel = torch.zeros(1, 3, 8, 8), torch.zeros(4, 3, 3, 3)
    assert count_operations(partial(F.conv2d, image, kernel)) == 2 * 6 * 6 * 4 * 3 * 9
    q, k = torch.zeros(2, 3, 10, 16), torch.zeros(2, 3, 20, 16)
    with torch.inference_mode():
        counted = count_operations(partial(F.scaled_dot_product_attention, q, k, k))
    assert counted == 2 * 3 * (2 * 10 * 20 * 16) * 2


@pytest.mark.parametrize("onednn", [True, False])
def test_operations_of_the_networks_own_layers(monkeypatch: pytest.MonkeyPatch, onednn: bool) -> None:
    """Whichever library they are left to."""
    monkeypatch.setattr(linear, "_onednn_is_quicker", lambda: onednn)
    with torch.inference_mode(False):
        product, filters, matrix = Linear(256, 512), Conv2d(12, 24, 3, padding=1, groups=4), Conv1x1(24, 8)
    with torch.inference_mode():
        assert count_operations(partial(product, torch.zeros(2, 40, 256))) == 2 * 2 * 40 * 256 * 512
        assert count_operations(partial(filters, torch.zeros(2, 12, 8, 9))) == 2 * 2 * 24 * 8 * 9 * 3 * 9
        assert count_operations(partial(matrix, torch.zeros(2, 24, 8, 9))) == 2 * 2 * 8 * 8 * 9 * 24


def test_the_time_of_each_part() -> None:
    first, second = Nap(), Nap()
    timer = PartTimer({"first": first, "second": second, "idle": Nap()}, CPU)
    for _ in range(2):
        with timer:
            first(0.2)
            second(0.0)
        first(0.5)  # outside, so it does not count
    assert 0.4 <= timer.seconds["first"] < 1.4
    assert timer.seconds["second"] < 0.2
    assert timer.seconds["idle"] == 0
