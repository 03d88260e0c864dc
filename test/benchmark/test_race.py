"""The race, with runners that only pretend to compute."""

from __future__ import annotations

import json
import math
import time
from copy import deepcopy
from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest
import torch

from benchmark import race as module
from benchmark.__main__ import _verdict
from benchmark.candidate import PARTS, Answer, Candidate
from benchmark.race import Case, Result, race
from benchmark.registry import Entry
from benchmark.report import Times, content, floor, print_result, ratio

CPU = torch.device("cpu")


class Runner(Candidate):
    """Sleeps, and answers with a constant from a frame on."""

    calls: ClassVar[list[tuple[str, str]]] = []

    def __init__(self, name: str, seconds: float, off: float = 0.0) -> None:
        self.name, self.seconds, self.off = name, seconds, off
        self.modules = {part: torch.nn.Linear(4, 4) for part in PARTS}
        self.steps, self.objects = 0, 0

    def start(self, frame, boxes):
        self.objects = len(boxes)
        self.calls.append((self.name, "start"))
        return self._answer(0.0)

    def step(self, frame):
        self.steps += 1
        self.calls.append((self.name, "step"))
        time.sleep(self.seconds)
        for part in self.modules.values():
            part(torch.ones(1, 4))
        return self._answer(self.off if self.steps == 3 else 0.0)

    def add(self, box):
        self.objects += 1
        self.calls.append((self.name, "add"))
        return np.zeros((self.objects, 64, 64), bool)

    def _answer(self, value: float) -> Answer:
        logits = (torch.arange(16 * 16) / 128 - 1).view(1, 16, 16).repeat(self.objects, 1, 1)
        return Answer(np.zeros((self.objects, 64, 64), bool), logits + value)


@pytest.fixture(scope="module")
def raced() -> Result:
    """The naps are long beside what a busy machine takes from a process, so there is one race for all tests."""
    runners = {"a": Entry(lambda *_: Runner("a", 0.1)), "b": Entry(lambda *_: Runner("b", 0.3, off=0.5))}
    case = Case("nano", 64, objects=3, device=CPU, dtype=torch.float32, warm_up=2, frames=4, adds=2)
    told: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "CANDIDATES", runners)
        result = race(case, ["a", "b"], told.append)
    assert len(told) == 2 + case.steps
    return result


@pytest.fixture
def result(raced: Result) -> Result:
    """One that a test may change."""
    return deepcopy(raced)


def test_candidates_take_turns_on_every_frame(result: Result) -> None:
    calls = [name for name, what in Runner.calls if what in ("start", "step")]
    assert sorted(calls) == ["a"] * (len(calls) // 2) + ["b"] * (len(calls) // 2)
    firsts = calls[:12:2]
    assert set(firsts) == {"a", "b"}
    assert all({calls[k], calls[k + 1]} == {"a", "b"} for k in range(0, 12, 2))
    assert [what for _, what in Runner.calls].count("add") == 4


def test_what_is_measured(result: Result) -> None:
    a, b = result.measured["a"], result.measured["b"]
    assert [len(one.seconds) for one in (a, b)] == [4, 4]
    assert len(result.matrix_rates) == 4
    assert len(a.add) == len(a.after_add) == 2
    assert ratio(b.seconds, a.seconds) > 1
    assert Times.of(a.seconds).p50 >= 0.1
    assert (a.difference, b.difference) == (0, 0.5)
    assert a.operations == 4 * 2 * 4 * 4
    assert set(a.parts) == {*PARTS, "rest"}
    assert sum(a.parts.values()) == pytest.approx(1)
    assert a.parts["rest"] > 0.5
    assert result.logits_spread == pytest.approx(0.58, abs=0.01)


def test_the_floor_is_the_arithmetic_at_the_rate_of_a_matrix_product(result: Result) -> None:
    result.matrix_rates[:] = [64.0, 32.0, 1e9]
    assert floor(result) == 128 / 64


def test_a_difference_in_float32_fails(result: Result, capsys) -> None:
    assert _verdict([result]) == 1
    assert "b differs by more than 0.001" in capsys.readouterr().err
    result.measured["b"].difference = 5e-4
    assert _verdict([result]) == 0
    result.measured["b"].difference = math.nan
    assert _verdict([result]) == 1
    assert "b differs by more than 0.001" in capsys.readouterr().err


def test_nothing_to_compare_fails(result: Result, capsys) -> None:
    result.measured["b"].difference = result.logits_spread = 0.0
    assert _verdict([result]) == 1
    assert "no object is in view, so no answers were compared" in capsys.readouterr().err


def test_a_single_candidate_is_compared_with_nobody(result: Result, capsys) -> None:
    alone = replace(result, measured={"a": result.measured["a"]}, logits_spread=0.0)
    assert _verdict([alone]) == 0
    assert capsys.readouterr().out == "no answers were compared, since only one candidate was measured\n"
    assert _verdict([alone, result]) == 1
    assert "b differs by more than 0.001" in capsys.readouterr().err


def test_times_by_hand() -> None:
    times = Times.of([0.1, 0.2, 0.3, 0.4, 1.0])
    assert (times.p50, times.low, times.high) == pytest.approx((0.3, 0.2, 0.4))
    assert times.p99 == pytest.approx(0.976)
    assert times.rate == pytest.approx(2.5)
    assert ratio([2, 4, 9], [1, 2, 3]) == 2


def test_the_table_and_the_content(result: Result, capsys) -> None:
    result.measured["a"].memory = {"peak": 10.0, "held": 5.0, "growth": 0.0}
    print_result(result)
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].startswith("nano, 64 pixels, 3 objects; matrix products at ")
    assert [line.split()[0] for line in lines[3:]] == ["a", "b", "a", "b", "a"]
    assert lines[4].split()[-1] == "5.0e-01"
    written = json.loads(json.dumps(content({"device": "x"}, [result], {"original": "not here"})))
    case = written["cases"][0]
    assert (case["model"], case["objects"], case["dtype"]) == ("nano", 3, "float32")
    assert case["candidates"]["b"]["difference"] == 0.5
    assert len(case["candidates"]["a"]["seconds"]) == 4
