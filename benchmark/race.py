"""One case: all candidates side by side on the same frames, frame by frame in turn."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

import numpy as np
import torch

from .arithmetic import PartTimer, count_operations
from .candidate import Answer, Candidate, Frame, Setting
from .machine import MatrixProduct
from .registry import CANDIDATES
from .scene import Scene, random_network

TOLERANCE = 1e-3
"""By how much logits may differ in float32."""

_PART_FRAMES = 2
_T = TypeVar("_T")


@dataclass(frozen=True)
class Case:
    """What all candidates are given."""

    model: str
    size: int
    """Edge of the network's input in pixels."""
    objects: int
    device: torch.device
    dtype: torch.dtype
    warm_up: int
    """Frames that are not measured; the memory is full after seven."""
    frames: int
    """Frames that are."""
    adds: int
    """Objects that are added afterwards, one by one."""

    @property
    def scene(self) -> Scene:
        return Scene(self.size, self.objects + self.adds)

    @property
    def steps(self) -> int:
        """How often `race` tells of its progress, besides once for each candidate."""
        return self.warm_up + self.frames + 1 + self.adds

    def build(self, name: str) -> Candidate:
        setting = Setting(self.size, self.device, self.dtype, self.objects + self.adds)
        return CANDIDATES[name].build(random_network(self.model, self.size), setting)


@dataclass
class Measured:
    """What was measured of one candidate; None where it was not."""

    seconds: list[float] = field(default_factory=list)
    """Of each measured frame, from an image to its masks on the host."""
    processor: list[float] = field(default_factory=list)
    """Seconds that the processor's cores together worked on it; other processes hardly touch it."""
    difference: float = 0.0
    """The greatest of any logit from the first candidate's."""
    add: list[float] = field(default_factory=list)
    """Seconds to add one object more, each time."""
    after_add: list[float] = field(default_factory=list)
    """Seconds of the first frame after that."""
    parts: dict[str, float] = field(default_factory=dict)
    """Shares of a frame's time of each of the candidate's `modules`, and of the rest; empty where there are none."""
    operations: int | None = None
    """Floating-point operations of a frame."""
    memory: dict[str, Any] = field(default_factory=dict)
    """From `memory.measure`."""


@dataclass
class Result:
    case: Case
    logits_spread: float
    """Standard deviation of the first candidate's logits, beside which the differences are to be seen."""
    matrix_rates: list[float]
    """Floating-point operations a second of a large matrix product, measured once with each frame."""
    measured: dict[str, Measured]


def race(case: Case, names: Sequence[str], progress: Callable[[str], None]) -> Result:
    """Measures candidates in turn, so that whatever else the machine does meets all of them.

    progress: told what is done next.
    """
    runners = {}
    for name in names:
        progress(f"building {name}")
        runners[name] = case.build(name)
    course = _Course(case, runners)
    # The outer context does nothing but keep the weights that the original's own has converted, from frame to frame.
    with torch.inference_mode(), torch.autocast(case.device.type, enabled=False):
        for number in range(case.warm_up + case.frames):
            progress(f"frame {number + 1} of {case.warm_up + case.frames}")
            course.frame(measure=number >= case.warm_up)
        progress("parts and operations")
        course.parts()
        for _ in range(case.adds):
            progress("adding an object")
            course.add()
    return Result(case, course.spread, course.matrix_rates, course.measured)


class _Course:
    """All candidates at the same place of the same scene."""

    def __init__(self, case: Case, runners: dict[str, Candidate]) -> None:
        self._case, self._runners, self._scene = case, runners, case.scene
        self._next = 0
        self._objects = case.objects
        self._product = MatrixProduct(case.device, case.dtype)
        self.spread = math.nan
        self.matrix_rates: list[float] = []
        self.measured = {name: Measured() for name in runners}

    def frame(self, *, measure: bool) -> None:
        """The next frame, and whether all say the same of it."""
        frame, answers = self._new_frame(), {}
        for name in self._order():
            answers[name], seconds, processor = _timed(partial(self._show, self._runners[name], frame))
            if measure:
                self.measured[name].seconds.append(seconds)
                self.measured[name].processor.append(processor)
        if measure:
            self.matrix_rates.append(self._product.operations / _timed(self._product.run)[1])
        first = answers[next(iter(self._runners))].logits.float().cpu()
        self.spread = float(first.std())
        for name, answer in answers.items():
            difference = float((answer.logits.float().cpu() - first).abs().max())
            # Unlike max, it does not lose a NaN.
            self.measured[name].difference = float(np.maximum(self.measured[name].difference, difference))

    def parts(self) -> None:
        """What a frame is made of, on a few frames of which the times do not count."""
        timers = {name: PartTimer(runner.modules, self._case.device) for name, runner in self._runners.items()}
        whole = dict.fromkeys(timers, 0.0)
        for _ in range(_PART_FRAMES):
            frame = self._new_frame()
            for name in self._order():
                with self._runners[name].module_by_module(), timers[name]:
                    whole[name] += _timed(partial(self._runners[name].step, frame))[1]
        frame = self._new_frame()
        for name, runner in self._runners.items():
            if not runner.modules:
                runner.step(frame)
                continue
            parts = timers[name].seconds
            shares = {**parts, "rest": whole[name] - sum(parts.values())}
            self.measured[name].parts = {part: seconds / whole[name] for part, seconds in shares.items()}
            with runner.module_by_module():
                self.measured[name].operations = count_operations(partial(runner.step, frame))

    def add(self) -> None:
        """One object more, on the newest frame, and the frame after it."""
        box = self._scene.box(self._objects, self._next - 1)
        self._objects += 1
        frame = self._new_frame()
        for name in self._order():
            runner, measured = self._runners[name], self.measured[name]
            measured.add.append(_timed(partial(runner.add, box))[1])
            measured.after_add.append(_timed(partial(runner.step, frame))[1])

    def _show(self, runner: Candidate, frame: Frame) -> Answer:
        if self._next > 1:
            return runner.step(frame)
        return runner.start(frame, [self._scene.box(index, 0) for index in range(self._objects)])

    def _new_frame(self) -> Frame:
        self._next += 1
        return self._scene.frame(self._next - 1)

    def _order(self) -> list[str]:
        """The candidates, each time another one first."""
        names = list(self._runners)
        turn = self._next % len(names)
        return names[turn:] + names[:turn]


def _timed(run: Callable[[], _T]) -> tuple[_T, float, float]:
    """What a call returns, which is on the host, its seconds, and those that the processor's cores worked for it."""
    began, worked = time.perf_counter(), time.process_time()
    result = run()
    return result, time.perf_counter() - began, time.process_time() - worked
