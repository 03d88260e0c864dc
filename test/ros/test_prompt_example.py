"""examples/prompt.py against a node, each a process of its own."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import pytest

PROGRAM = str(Path(__file__).parents[2] / "examples" / "prompt.py")


@pytest.fixture(scope="module", autouse=True)
def node(start: Any, client: Any, checkpoint: Path) -> Any:
    process = start("node", model=checkpoint)
    client.meet()
    return process


def _output(program: Any, client: Any) -> str:
    """Sends images until it has ended."""
    while not program.ended:
        client.send(client.image())
        time.sleep(0.1)
    return str(program.output)


@pytest.mark.parametrize("where", [["32", "24"], ["10", "10", "30", "40"]])
def test_what_is_pointed_at_is_followed(run: Any, client: Any, where: list[str]) -> None:
    program = run(PROGRAM, *where, "--label", "mug", "--seconds", "6")

    lines = _output(program, client).splitlines()

    assert program.wait() == 0
    assert len(lines) > 5
    assert all(re.fullmatch(r"\d+\.\d{9} visible [01]\.\d\d box \d+ \d+ \d+ \d+", line) for line in lines), lines
    assert client.objects[-1].objects[-1].label == "mug"


def test_what_the_node_refuses_is_said(run: Any, client: Any) -> None:
    program = run(PROGRAM, "500", "24", "--seconds", "4")

    assert "the point (500, 24) is outside the image of 64x48 pixels" in _output(program, client)
    assert program.wait() == 1


def test_without_images_it_says_what_it_needs(run: Any) -> None:
    program = run(PROGRAM, "1", "1", "--seconds", "1")

    assert program.wait() == 1
    assert "nothing has come on /sam2/objects; it needs the node, and images that the node gets" in program.output


def test_a_pixel_has_two_numbers_and_a_box_four(run: Any) -> None:
    program = run(PROGRAM, "1", "2", "3")

    assert program.wait() == 2
    assert "3 numbers were given; a pixel has two, x and y, and a box four, x0 y0 x1 y1" in program.output
