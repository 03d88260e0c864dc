"""How often sentences are said."""

from __future__ import annotations

from sam2_ros.ros.log import Bounded


def test_only_a_few_sentences_are_said_in_a_while_and_the_others_are_counted() -> None:
    said: list[str] = []
    now = 0.0
    bounded = Bounded(said.append, most=2, seconds=1.0, clock=lambda: now)
    for number in range(5):
        bounded(f"a{number}")
    assert said == ["a0", "a1"]
    now = 1.5
    for sentence in "bcd":
        bounded(sentence)
    assert said[2:] == ["b (3 more before this were not logged)", "c"]
    now = 9.0
    bounded("e")
    now = 99.0
    bounded("f")
    assert said[4:] == ["e (1 more before this were not logged)", "f"]
