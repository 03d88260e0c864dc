"""What was measured, as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np

from .candidate import PARTS
from .race import Result
from .report import Times, floor

matplotlib.use("Agg")

from matplotlib import pyplot
from matplotlib.axes import Axes

_COLOURS = {
    "sam2_ros": "#1f6f8b",
    "sam2_ros-compiled": "#0b3c4d",
    "transformers": "#e07a1f",
    "original": "#7a5195",
    "original-compiled": "#4b2e63",
}
_PART_COLOURS = {
    **dict(zip(PARTS, ("#37618e", "#6fa3bf", "#e3b23c", "#8fb339"), strict=True)),
    "mask refiner": "#c8553d",
    "rest": "#c9ccd1",
}


def draw(path: Path, title: str, results: Sequence[Result]) -> None:
    """For each model and input size: the time of a frame over the number of objects, and what it is made of."""
    groups: dict[tuple[str, int], list[Result]] = {}
    for result in results:
        groups.setdefault((result.case.model, result.case.size), []).append(result)
    figure, axes = pyplot.subplots(
        len(groups), 2, figsize=(13, 4.2 * len(groups) + 0.6), layout="constrained", squeeze=False
    )
    figure.suptitle(title, fontsize=11)
    for (left, right), ((model, size), group) in zip(axes, groups.items(), strict=True):
        left.set_title(f"{model}, {size} pixels", loc="left", fontweight="bold")
        _times(left, group)
        _parts(right, group)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def _times(axes: Axes, group: Sequence[Result]) -> None:
    objects = [result.case.objects for result in group]
    for name in group[0].measured:
        times = [Times.of(result.measured[name].seconds) for result in group]
        middle = [1e3 * time.p50 for time in times]
        reach = [[1e3 * (time.p50 - time.low) for time in times], [1e3 * (time.high - time.p50) for time in times]]
        axes.errorbar(objects, middle, reach, marker="o", capsize=4, color=_COLOURS[name], label=name)
    floors = [floor(result) for result in group]
    known = [(count, 1e3 * least) for count, least in zip(objects, floors, strict=True) if least is not None]
    if known:
        axes.plot(*zip(*known, strict=True), color="#444444", ls=":", marker=".", label="floor of the arithmetic")
    axes.set_xlabel("objects")
    axes.set_xticks(objects)
    axes.set_ylabel("ms a frame, median and quartiles")
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False)
    _plain(axes)


def _parts(axes: Axes, group: Sequence[Result]) -> None:
    bars = [(result, name) for result in group for name, one in result.measured.items() if one.parts]
    # Parts that only some have are drawn as well, or else their bars would be shorter than their frames take.
    others = [part for result, name in bars for part in result.measured[name].parts if part not in (*PARTS, "rest")]
    parts = dict.fromkeys((*PARTS, *others, "rest"))
    lefts = np.zeros(len(bars))
    for part in parts:
        middles = [Times.of(result.measured[name].seconds).p50 for result, name in bars]
        widths = [
            1e3 * middle * result.measured[name].parts.get(part, 0.0)
            for middle, (result, name) in zip(middles, bars, strict=True)
        ]
        axes.barh(range(len(bars)), widths, left=lefts, color=_PART_COLOURS.get(part), label=part)
        lefts += widths
    axes.set_yticks(range(len(bars)), [f"{name}, {result.case.objects}" for result, name in bars])
    axes.invert_yaxis()
    axes.set_xlabel("ms a frame, by part; the number is that of the objects")
    axes.legend(frameon=False, ncols=len(parts), loc="lower center", bbox_to_anchor=(0.5, 1.0), fontsize=9,
                handlelength=1.0, columnspacing=1.0)  # fmt: skip
    _plain(axes)


def _plain(axes: Axes) -> None:
    axes.grid(color="#dddddd", lw=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
