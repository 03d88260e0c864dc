"""Draws what a run of the demo saw into one picture."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import numpy as np
from numpy.typing import NDArray

from .record import LEAST_SHARE, Curve, Record

matplotlib.use("Agg")

from matplotlib import pyplot
from matplotlib.axes import Axes

PICTURES = 8
BLUE, ORANGE, GREY = "#1f6f8b", "#e07a1f", "#b8bcc2"


def draw(path: Path, title: str, record: Record, pictures: dict[float, NDArray[np.uint8]]) -> None:
    """Overlays over time above, the curves of each target below.

    pictures: seconds since the first output to an overlay (H, W, 3) RGB; eight of them are shown, evenly spaced.
    """
    seconds = sorted(pictures)
    chosen = sorted({seconds[round(k)] for k in np.linspace(0, len(seconds) - 1, PICTURES)}) if seconds else []
    columns = PICTURES // 2
    height, width = pictures[chosen[0]].shape[:2] if chosen else (3, 4)
    picture_height = 12.2 / columns * height / width
    ratios = [picture_height] * 2 + [1.6] * len(record.targets)
    figure = pyplot.figure(figsize=(13, sum(ratios) + 1.0), layout="constrained")
    grid = figure.add_gridspec(len(ratios), columns, height_ratios=ratios)
    figure.suptitle(title, fontsize=13)
    for k, moment in enumerate(chosen):
        axes = figure.add_subplot(grid[k // columns, k % columns])
        axes.imshow(pictures[moment])
        axes.text(0.02, 0.97, f"{moment:.1f} s", transform=axes.transAxes, va="top", color="white", fontsize=10,
                  bbox={"facecolor": "black", "alpha": 0.55, "edgecolor": "none", "pad": 2.5})  # fmt: skip
        axes.set_axis_off()
    below = None
    for row, target in enumerate(record.targets):
        below = figure.add_subplot(grid[2 + row, :], sharex=below)
        _curves(below, target.name, record.curve(target))
        below.tick_params(labelbottom=row == len(record.targets) - 1)
    if below is not None:
        below.set_xlabel("seconds")
    figure.savefig(path, dpi=150)
    pyplot.close(figure)


def _curves(axes: Axes, name: str, curve: Curve) -> None:
    times = curve.seconds
    hidden = curve.share < LEAST_SHARE
    if hidden.any():
        axes.fill_between(times, 0, 1.05, where=hidden.tolist(), step="mid", color=GREY, alpha=0.5, lw=0,
                          label=f"less than {LEAST_SHARE:.0%} in view")  # fmt: skip
    if np.isfinite(curve.share).any():
        axes.plot(times, curve.iou, color=BLUE, lw=1.8, label=f"box IoU, mean {curve.mean_iou:.2f}")
    axes.plot(times, curve.visibility, color=ORANGE, lw=1.3, label="visibility")
    axes.set_ylim(0, 1.05)
    axes.set_xlim(0, max((1.0, *times)))
    axes.set_title(name, loc="left", fontsize=11, fontweight="bold")
    axes.grid(axis="y", color="#dddddd", lw=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.legend(loc="lower right", bbox_to_anchor=(1, 0.98), ncols=3, fontsize=9, frameon=False)
