"""A long run that must stay as it began: memory and time per frame while one object stays, is corrected again and
again, and others come, hide and go."""

from __future__ import annotations

import argparse
import math
import os
import statistics
import time
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from sam2_ros.network import find_device, find_dtype, load_network, use_threads
from sam2_ros.tracking import Prompt, Tracker

_PERIOD = 100
"""Frames after which the same things happen again, so that one stretch can be compared with another."""
_SECOND = 10**9
_SIZE = 256
_STRETCH = 500
"""Frames between two looks at the memory; the first is what later ones are compared with."""


@dataclass(frozen=True)
class Sample:
    """One stretch of frames."""

    frames: int
    """Up to its end."""
    periods: tuple[float, ...]
    """Milliseconds of the processor for a frame, the mean of each period."""
    resident: float
    """MiB at its end."""
    device: float
    """MiB of a GPU at its end."""


def parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(
        prog="sam2_ros soak",
        description="Tracks one object for a long time, while others come and go; they get late prompts, corrections "
        "and undo, are saved and loaded. Ends with 0 only if neither memory nor the time per frame has grown.",
    )
    result.add_argument("--frames", type=int, default=20_000, help="how long, at least 2000 (default: 20000)")
    result.add_argument("--model", default="nano", help="name or file of the network (default: nano)")
    result.add_argument("--device", default="cpu", help="auto, cpu, cuda or cuda:N (default: cpu)")
    result.add_argument("--dtype", choices=("auto", "float32", "bfloat16"), default="auto", help="what the network "
                        "computes in (default: auto, the quicker on this device)")  # fmt: skip
    result.add_argument("--compile", action="store_true", help="have torch.compile translate the network")
    result.add_argument("--threads", type=int, default=0, help="of PyTorch on the CPU (default: as many as "
                        "it chooses, and one for nano, as in the node)")  # fmt: skip
    result.add_argument("--image-size", type=int, help="edge of the network's input (default: the network's own)")
    result.add_argument("--memory", type=float, default=2.0, metavar="PERCENT", help="growth allowed (default: 2)")
    result.add_argument("--time", type=float, default=5.0, metavar="PERCENT", help="growth allowed (default: 5)")
    return result


def main(arguments: list[str] | None = None) -> int:
    """Runs it. 0 if nothing has grown, 1 if something has, 2 for wrong arguments."""
    command = parser()
    options = command.parse_args(arguments)
    if options.frames < 2000:
        command.error(f"--frames {options.frames}: at least 2000 are needed to compare the first and the last thousand")
    if options.threads < 0:
        command.error(f"--threads {options.threads}: it must be at least 1, or 0 for as many as PyTorch chooses")
    for name in ("memory", "time"):
        if not 0 <= getattr(options, name) < math.inf:
            command.error(f"--{name} {getattr(options, name):g}: it must be a number of percent, 0 or more")
    try:
        device = find_device(options.device)
        network = load_network(options.model, device=device, dtype=find_dtype(options.dtype))
        use_threads(network.config, options.threads)
        tracker = Tracker(network, capacity=4, image_size=options.image_size, history=1.0, lost_after=2.0)
    except ValueError as error:  # of the device, the checkpoint, or the image size
        command.error(str(error))
    if options.compile:
        network.compile_parts()
    samples = run(tracker, options.frames, device)
    first, last = samples[0], samples[-1]
    early, late = (statistics.median(a.periods + b.periods) for a, b in (samples[:2], samples[-2:]))
    grown = [
        _grown("resident memory", first.resident, last.resident, options.memory, f"MiB, frame {_STRETCH} to the last"),
        _grown("time per frame", early, late, options.time, "ms of CPU, first thousand to the last"),
    ]
    if last.device:
        grown.append(_grown("device memory", first.device, last.device, options.memory, "MiB"))
    return 1 if any(grown) else 0


def _grown(name: str, first: float, last: float, allowed: float, what: str) -> bool:
    percent = 100 * (last / first - 1)
    verdict = "flat" if percent <= allowed else "HAS GROWN"
    print(f"{name}: {first:.1f} to {last:.1f} {what}: {percent:+.2f} %, {allowed:g} % allowed: {verdict}")
    return percent > allowed


def run(tracker: Tracker, frames: int, device: torch.device) -> list[Sample]:
    """Tracks so many frames; a sample at every 500. device: the tracker's."""
    scene = _Scene()
    samples: list[Sample] = []
    spent: list[float] = []
    print(f"{'frames':>8} {'ms of CPU':>10} {'resident MiB':>13} {'device MiB':>11}")
    for number in tqdm(range(frames), desc="soak", mininterval=5.0):
        begun = time.process_time()
        scene.step(tracker, number)
        spent.append(1000 * (time.process_time() - begun))
        if len(spent) == _STRETCH:
            periods = tuple(np.reshape(spent, (-1, _PERIOD)).mean(axis=1))
            sample = Sample(number + 1, periods, _resident(), _reserved(device))
            samples.append(sample)
            spent.clear()
            if sample.frames % 1000 == 0:
                time_each = statistics.median(sample.periods)
                tqdm.write(f"{sample.frames:8} {time_each:10.2f} {sample.resident:13.1f} {sample.device:11.1f}")
    return samples


class _Scene:
    """Discs that move over a still picture, and what is asked of the tracker meanwhile. The first stays for good: what
    grows with an object's age would not be seen on objects that go."""

    def __init__(self) -> None:
        random = np.random.default_rng(0)
        coarse = random.integers(0, 255, (16, 16, 3), dtype=np.uint8)
        self._background = cv2.resize(coarse, (_SIZE, _SIZE), interpolation=cv2.INTER_CUBIC)
        self._ids: dict[int, int] = {}
        self._saved = b""

    def step(self, tracker: Tracker, number: int) -> None:
        phase = number % _PERIOD
        tracker.track(self._image(phase), number * _SECOND // 10)
        for disc in range(3):
            moment = phase - 20 * disc
            if moment == 0 and disc not in self._ids:
                self._ids[disc] = tracker.prompt(Prompt(box=self._box(disc, phase))).ids[0]
            elif moment == 15:  # a correction that comes half a second late
                click = Prompt(points=np.array([self._place(disc, phase - 5)]), labels=np.array([1]))
                tracker.prompt(click, object_id=self._ids[disc], stamp=(number - 5) * _SECOND // 10)
            elif moment == 18 and disc:
                tracker.undo(self._ids[disc])
            elif moment == 30 and disc == 0:
                self._saved = tracker.save(self._ids[disc])
            elif moment == 35 and disc == 0:
                tracker.remove(tracker.load(self._saved).ids[0])
        if phase == _PERIOD - 1:
            for disc in (1, 2):
                tracker.remove(self._ids.pop(disc))

    def _image(self, phase: int) -> NDArray[np.uint8]:
        picture = self._background.copy()
        for disc, colour in enumerate(((230, 60, 40), (40, 200, 70), (60, 80, 230))):
            if not (disc == 1 and 55 <= phase < 70):  # this one is away for a while
                x, y = self._place(disc, phase)
                cv2.circle(picture, (round(x), round(y)), 28, colour, -1, cv2.LINE_AA)
        return np.asarray(picture, np.uint8)

    def _place(self, disc: int, phase: int) -> tuple[float, float]:
        angle = 2 * np.pi * (phase / _PERIOD + disc / 3)
        return float(_SIZE / 2 + 80 * np.cos(angle)), float(_SIZE / 2 + 80 * np.sin(angle))

    def _box(self, disc: int, phase: int) -> NDArray[np.float32]:
        x, y = self._place(disc, phase)
        return np.array([x - 28, y - 28, x + 28, y + 28], np.float32)


def _resident() -> float:
    """MiB of this process in memory, as Linux says."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def _reserved(device: torch.device) -> float:
    """MiB that PyTorch holds of a GPU; 0 on the CPU."""
    return torch.cuda.memory_reserved(device) / 2**20 if device.type == "cuda" else 0.0
