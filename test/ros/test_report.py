"""What became of the images, in numbers and in the log."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from sam2_ros.ros.report import Counts, Reporter


def test_the_difference_of_two_moments() -> None:
    before = Counts(tracked=10, refused=1, ignored=2, dropped=3, seconds=1.0, unlocated=4)
    now = Counts(tracked=297, refused=1, ignored=2, dropped=16, seconds=10.758, unlocated=9)

    period = now - before

    assert (period.received, period.unlocated) == (300, 5)
    assert period.sentence(10.0) == "tracked 287 images in 10 s, 34 ms each; dropped 13 for newer ones, refused 0"


def test_a_period_in_which_nothing_was_tracked() -> None:
    counts = Counts(refused=5)

    assert counts.received == 5
    assert counts.sentence(10.0) == "tracked 0 images in 10 s; dropped 0 for newer ones, refused 5"


def test_another_node_of_the_name_is_said_once_when_it_has_stayed() -> None:
    twins = iter(["", "two", "", "two", "two", "two"])
    node: Any = SimpleNamespace(create_timer=lambda *given, **more: None)
    said: list[str] = []
    logger: Any = SimpleNamespace(warning=said.append, debug=lambda line: None)
    received = iter(Counts(tracked=number) for number in range(9))
    group: Any = None
    images: Any = None
    reporter = Reporter(node, group, images, lambda: next(received), lambda: next(twins), logger)

    counts = []
    for _ in range(6):
        reporter._report()
        counts.append(len(said))

    assert (counts, said) == ([0, 0, 0, 0, 1, 1], ["two"])
