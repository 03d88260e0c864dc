"""What is kept of the last frames."""

from __future__ import annotations

import pytest
import torch

from sam2_ros.network import Sam2
from sam2_ros.tracking.history import Frame, History


@pytest.fixture
def history(region_network: Sam2) -> History:
    return History(region_network, size=64, length=8, seconds=1.0)


def add(history: History, *stamps: float) -> None:
    """Seconds."""
    for stamp in stamps:
        picture = torch.full((1, 12, 16, 3), history.next_number, dtype=torch.uint8)
        history.add(Frame(history.next_number, round(stamp * 1e9), 12, 16, None, picture))


def test_the_frame_before_the_oldest_is_still_there_when_several_are_let_go_at_once(history: History) -> None:
    add(history, 0.0, 0.1, 0.2, 0.3, 1.25)

    before = history.before(3)

    assert history.oldest_number == 3
    assert before is not None and before.number == 2
    assert before.image is not None and int(before.image.max()) == 2


def test_an_empty_history_goes_on_with_the_next_number(history: History) -> None:
    assert history.oldest_number == 0
    add(history, 0.0, 0.1)
    history.clear()

    assert history.empty and history.oldest_number == history.next_number == 2
