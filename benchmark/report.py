"""What was measured, as a table and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .race import Measured, Result


@dataclass(frozen=True)
class Times:
    """The frame times of one candidate, in seconds."""

    p50: float
    p99: float
    low: float
    """A quarter of the frames is faster."""
    high: float
    """A quarter is slower."""
    rate: float
    """Frames a second, on average."""

    @staticmethod
    def of(seconds: Sequence[float]) -> Times:
        low, p50, high, p99 = np.percentile(seconds, [25, 50, 75, 99]).tolist()
        return Times(p50, p99, low, high, 1 / float(np.mean(seconds)))


def ratio(theirs: Sequence[float], ours: Sequence[float]) -> float:
    """How many times as long one takes as the other: the median over frames that were measured in turn."""
    return float(np.median(np.divide(theirs, ours)))


def matrix_rate(result: Result) -> float:
    """Floating-point operations a second of a large matrix product while a case was measured."""
    return float(np.median(result.matrix_rates))


def floor(result: Result) -> float | None:
    """Seconds a frame of the first candidate would take if its arithmetic ran at that rate."""
    operations = next(iter(result.measured.values())).operations
    return None if operations is None else operations / matrix_rate(result)


def content(machine: dict[str, Any], results: Sequence[Result], missing: dict[str, str]) -> dict[str, Any]:
    """Everything, for JSON; times in seconds, memory in MiB."""
    return {"machine": machine, "not_measured": missing, "cases": [_case(result) for result in results]}


def _case(result: Result) -> dict[str, Any]:
    case, first = result.case, next(iter(result.measured.values()))
    return {
        "model": case.model,
        "image_size": case.size,
        "objects": case.objects,
        "dtype": str(case.dtype).removeprefix("torch."),
        "warm_up": case.warm_up,
        "frames": case.frames,
        "matrix_operations_per_second": matrix_rate(result),
        "floor": floor(result),
        "logits_spread": result.logits_spread,
        "candidates": {
            name: {
                "frames_per_second": Times.of(one.seconds).rate,
                "p50": Times.of(one.seconds).p50,
                "p99": Times.of(one.seconds).p99,
                "p25": Times.of(one.seconds).low,
                "p75": Times.of(one.seconds).high,
                "times_the_first": ratio(one.seconds, first.seconds),
                "processor_times_the_first": ratio(one.processor, first.processor),
                "difference": one.difference,
                "add": one.add,
                "after_add": one.after_add,
                "parts": one.parts,
                "operations": one.operations,
                "memory": one.memory,
                "seconds": one.seconds,
                "processor": one.processor,
            }
            for name, one in result.measured.items()
        },
    }


_HEADER = "".join(
    f"{name:>{width}}"
    for name, width in (
        ("", 19), ("frames/s", 9), ("p50 ms", 9), ("p25-p75", 15), ("p99 ms", 9), ("ratio", 7), ("cpu", 7),
        ("add ms", 9), ("after", 9), ("GFLOP", 8), ("differs", 9),
    )
)  # fmt: skip


def print_result(result: Result) -> None:
    case, first = result.case, next(iter(result.measured.values()))
    objects = f"{case.objects} object{'s' if case.objects > 1 else ''}"
    least = floor(result)
    print(
        f"\n{case.model}, {case.size} pixels, {objects}; matrix products at {1e-9 * matrix_rate(result):.4g} GFLOP/s"
        + (f", floor {_ms(least)} ms" if least else "")
    )
    print(_HEADER)
    for name, one in result.measured.items():
        print(f"  {name:17}" + _row(one, first))
    for name, one in result.measured.items():
        if one.parts:
            print(f"  {name:17}  " + "  ".join(f"{part} {share:.0%}" for part, share in one.parts.items()))
    for name, one in result.measured.items():
        if one.memory:
            print(f"  {name:17}  memory: " + "  ".join(f"{kind} {mib:.1f} MiB" for kind, mib in one.memory.items()))


def _row(one: Measured, first: Measured) -> str:
    times = Times.of(one.seconds)
    adds = (_ms(max(values)) if values else "-" for values in (one.add, one.after_add))
    return (
        f"{times.rate:9.3g}{_ms(times.p50):>9}{_ms(times.low) + '-' + _ms(times.high):>15}{_ms(times.p99):>9}"
        f"{ratio(one.seconds, first.seconds):7.2f}{ratio(one.processor, first.processor):7.2f}"
        + "".join(f"{text:>9}" for text in adds)
        + (f"{'-':>8}" if one.operations is None else f"{1e-9 * one.operations:8.4g}")
        + f"{one.difference:9.1e}"
    )


def _ms(seconds: float) -> str:
    return f"{1e3 * seconds:.0f}" if seconds >= 1 else f"{1e3 * seconds:.1f}"
