from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sam2_ros.geometry.ranks import ranked


def test_by_hand() -> None:
    assert ranked(np.array([4.0, 1.0, 3.0, 2.0]), 0.0, 0.5, 0.99, 1.0) == [1.0, 3.0, 4.0, 4.0]


@settings(deadline=None)
@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=200), st.floats(0, 1))
def test_as_numpy_without_interpolation(values: list[float], share: float) -> None:
    (value,) = ranked(np.array(values), share)

    assert value == sorted(values)[min(len(values) - 1, int(share * len(values)))]


def test_nothing_has_no_rank() -> None:
    with pytest.raises((ValueError, IndexError)):
        ranked(np.array([]), 0.5)
