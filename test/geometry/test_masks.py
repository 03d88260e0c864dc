"""Measures of masks against numbers worked out by hand."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from sam2_ros.geometry.masks import keep_highest, measure, resize_logits


def test_a_rectangle_and_an_empty_mask() -> None:
    masks = torch.zeros(2, 10, 20, dtype=torch.bool)
    masks[0, 2:5, 7:11] = True
    measures = measure(masks)
    assert measures.boxes.tolist() == [[7, 2, 11, 5], [0, 0, 0, 0]]
    assert measures.centroids.tolist() == [[8.5, 3.0], [0.0, 0.0]]
    assert measures.areas.tolist() == [12, 0]


def test_no_masks() -> None:
    measures = measure(torch.zeros(0, 4, 4, dtype=torch.bool))
    assert measures.boxes.shape == (0, 4)
    assert measures.centroids.shape == (0, 2)


@given(arrays.arrays(bool, st.tuples(st.just(1), st.integers(1, 12), st.integers(1, 12))))
def test_any_mask(mask: np.ndarray) -> None:
    measures = measure(torch.from_numpy(mask))
    y, x = np.nonzero(mask[0])
    if not len(x):
        assert not measures.boxes.any()
        return
    assert measures.boxes[0].tolist() == [x.min(), y.min(), x.max() + 1, y.max() + 1]
    np.testing.assert_allclose(measures.centroids[0], [x.mean(), y.mean()], rtol=1e-6, atol=1e-6)
    assert measures.areas[0] == len(x)


def test_logits_keep_their_place_when_resized() -> None:
    logits = torch.full((1, 1, 8, 8), -5.0)
    logits[0, 0, 2:4, 4:6] = 5.0
    box = measure(resize_logits(logits, 32, 64) > 0).boxes[0].tolist()
    assert box == [32, 8, 48, 16]


@given(arrays.arrays(np.int8, st.tuples(st.integers(1, 4), st.just(3), st.just(5)), elements=st.integers(-2, 2)))
def test_each_pixel_goes_to_the_first_of_the_highest(values: np.ndarray) -> None:
    """With few values, so that many are equal."""
    logits = torch.from_numpy(values).float()
    kept = keep_highest(logits, logits > 0)
    for y, x in np.ndindex(3, 5):
        expected = [False] * len(values)
        if values[:, y, x].max() > 0:
            expected[values[:, y, x].argmax()] = True
        assert kept[:, y, x].tolist() == expected
