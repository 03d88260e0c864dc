"""Which stamps and sizes are believed."""

from __future__ import annotations

import pytest

from sam2_ros.ros.stamps import Sizes, Stamps

SECOND = 1_000_000_000


def _believed(*stamps: float, period: float = 0.1) -> list[float]:
    """Those of these stamps, in seconds, of images that come at a steady rate."""
    now, believed = 0.0, []
    check = Stamps(lambda: now)
    for stamp in stamps:
        now += period
        if not check.doubt(round(stamp * SECOND)):
            check.take(round(stamp * SECOND))
            believed.append(stamp)
    return believed


@pytest.mark.parametrize(
    ("stamps", "doubted"),
    [
        ((100.0, 100.1, 100.2), []),
        ((0.0, 0.0, 0.0), []),  # a driver without a clock
        ((100.0, 99.8), []),  # late by little, which is the tracker's to refuse
        ((100.0, 130.0, 130.1), [130.0]),  # a recording that leaves something out
        ((100.0, 101.0, 102.0, 103.0, 105.0, 106.0), [101.0]),  # played ten times as fast
        ((100.0, 100.1, 110.2, 100.3, 100.4), [110.2]),
        ((100.0, 100.1, 100.9, 100.3, 100.4), [100.9]),
        ((100.0, 130.0, 130.1, 130.2, 140.3, 130.4, 130.5), [130.0, 140.3]),
        ((100.0, 4000.0, 100.2, 100.3), [4000.0]),
        ((100.0, 3.0, 100.2, 100.3), [3.0]),
        ((100.0, 3.0, 4000.0, 2.0, 100.3), [3.0, 4000.0, 2.0]),
        ((100.0, 3.0, 3.1, 3.2), [3.0]),  # a recording that begins anew
        ((100.0, 4000.0, 4000.1), [4000.0]),  # a clock that was set
        ((100.0, 3.0, 100.1, 3.1, 100.2), [3.0, 3.1]),  # two cameras on one topic
    ],
)
def test_a_stamp_out_of_line_is_believed_when_the_next_one_bears_it_out(
    stamps: tuple[float, ...], doubted: list[float]
) -> None:
    believed = _believed(*stamps)
    assert [stamp for stamp in stamps if stamp not in believed] == doubted


def test_a_camera_that_was_silent_for_long_is_believed() -> None:
    assert _believed(0.0, 600.0, 1200.0, period=600.0) == [0.0, 600.0, 1200.0]
    assert _believed(0.0, 600.0, 1200.0, period=1.0) == [0.0, 1200.0]


@pytest.mark.parametrize("period", [0.033, 0.7, 2.0])
def test_an_image_that_waited_for_a_slow_tracker_is_believed(period: float) -> None:
    """Images come at this period, in seconds, and each is tracked for three; the newest waits."""
    now, newest = 0.0, 0.0
    check = Stamps(lambda: now)
    for _ in range(20):
        assert not check.doubt(round(newest * SECOND))
        now += 3.0
        check.take(round(newest * SECOND))
        newest = now // period * period


def test_an_image_in_line_speaks_against_the_doubted_one_before_it_also_where_it_is_not_tracked() -> None:
    check = Stamps(lambda: 0.0)
    check.take(100 * SECOND)

    assert check.doubt(3 * SECOND)
    assert not check.doubt(100 * SECOND - 1)
    assert check.doubt(4 * SECOND)


@pytest.mark.parametrize(
    ("heights", "believed"),
    [
        ((48, 48, 80, 48, 80, 48), (48, 48, 48, 48)),  # two cameras on one topic
        ((48, 80, 80, 80), (48, 80, 80)),
        ((48, 80, 90, 48), (48, 48)),
        ((48, 80, 90, 90, 48, 48), (48, 90, 48)),
    ],
)
def test_another_size_is_believed_when_the_next_image_bears_it_out(
    heights: tuple[int, ...], believed: tuple[int, ...]
) -> None:
    check, taken = Sizes(), []
    for height in heights:
        if not check.doubt(height, 64):
            check.take(height, 64)
            taken.append(height)
    assert tuple(taken) == believed
