"""To the device and back, on the GPU if there is one."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sam2_ros.geometry.transfer import download, upload

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")


@pytest.mark.parametrize(
    "array",
    [
        np.arange(24, dtype=np.uint8).reshape(2, 3, 4)[:, ::-1, 1:],
        np.array([True, False]),
        np.zeros((0, 5), np.float32),
        np.array(7, np.int64),
    ],
    ids=["with gaps", "bool", "empty", "a number"],
)
def test_what_goes_there_comes_back(array: np.ndarray) -> None:
    there = upload(array, DEVICE)
    assert there.device.type == DEVICE.type
    back, twice = download(there, there if array.dtype == bool else 2 * there)
    assert back.dtype == array.dtype
    np.testing.assert_array_equal(back, array)
    np.testing.assert_array_equal(twice, array if array.dtype == bool else 2 * array)


def test_nothing_comes_back_from_nothing() -> None:
    assert download() == ()
