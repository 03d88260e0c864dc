"""What a run of the demo saw, and what it is worth. No ROS."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

Box = tuple[float, float, float, float]
"""x0 y0 x1 y1 in pixels, x1 and y1 one past the last pixel; zero where there is nothing."""

STATES = {1: "visible", 2: "occluded", 3: "lost"}
LEAST_SHARE = 0.3
"""An object is judged on the images that show at least this share of the most that was ever seen of it."""
LEAST_IOU = 0.7
LEAST_RATE = 0.3
"""Outputs per image of the camera, with which it counts as flowing."""
LEAST_VISIBLE = 0.5
"""Share of the images on which an object of a video without truth must be visible."""


@dataclass(frozen=True)
class Truth:
    """Of one object on one image."""

    box: Box
    area: int
    """Pixels."""


@dataclass(frozen=True)
class Answer:
    """What the node says of one object on one image."""

    state: int
    visibility: float
    box: Box


@dataclass(frozen=True)
class Output:
    """One message of tracked objects."""

    stamp: int
    """Nanoseconds, of the image."""
    frame_id: str
    latency: float
    """Seconds from the image's stamp to the receipt of this."""
    answers: dict[int, Answer]
    """By the node's ids."""


@dataclass(frozen=True)
class Target:
    """An object that was prompted."""

    name: str
    object_id: int
    """The node's."""
    truth_id: int | None
    """The scene's; None where there is no truth."""


@dataclass(frozen=True)
class Curve:
    """One target over the images of a run, F of them."""

    seconds: NDArray[np.float64]
    """(F,) since the first image."""
    iou: NDArray[np.float64]
    """(F,) of the node's box with the true one; NaN where the truth shows less than LEAST_SHARE of the object."""
    visibility: NDArray[np.float64]
    """(F,) 0 to 1, what the node says; NaN where it says nothing."""
    share: NDArray[np.float64]
    """(F,) of the object that the image shows, 0 to 1, as far as the truth says; NaN without truth."""
    visible: NDArray[np.bool_]
    """(F,) the node calls it visible."""

    @property
    def mean_iou(self) -> float:
        """Over the images on which the object is judged; NaN if there are none."""
        return float(np.nanmean(self.iou)) if np.isfinite(self.iou).any() else float("nan")


def box_iou(a: Box, b: Box) -> float:
    """Intersection over union of two boxes; 0 where one of them is empty."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    common = width * height
    return common / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - common)


def truths(labels: NDArray[np.uint8]) -> dict[int, Truth]:
    """Box and area of every object in a label image (H, W)."""
    areas = np.bincount(labels.ravel(), minlength=256)
    result = {}
    for object_id in np.flatnonzero(areas[1:]) + 1:
        x, y, width, height = cv2.boundingRect((labels == object_id).view(np.uint8))
        result[int(object_id)] = Truth((x, y, x + width, y + height), int(areas[object_id]))
    return result


@dataclass
class Record:
    """Everything that arrived while the demo tracked."""

    targets: tuple[Target, ...] = ()
    inputs: dict[int, str] = field(default_factory=dict)
    """Stamp to frame_id of every image of the camera."""
    truths: dict[int, dict[int, Truth]] = field(default_factory=dict)
    """Stamp to the scene's objects on that image, where there is truth."""
    outputs: list[Output] = field(default_factory=list)

    def curve(self, target: Target, newest: int | None = None) -> Curve:
        """Of all outputs, or of the newest ones alone; those whose truth has not arrived do not count."""
        known = [o for o in self.outputs if target.truth_id is None or o.stamp in self.truths]
        chosen = known if newest is None else known[-newest:]
        first = self.outputs[0].stamp if self.outputs else 0
        most = max((seen[target.truth_id].area for seen in self.truths.values() if target.truth_id in seen), default=0)
        rows = [self._row(output, target, most) for output in chosen]
        table = np.array(rows, float).reshape(-1, 4)
        seconds = np.array([(output.stamp - first) * 1e-9 for output in chosen])
        return Curve(seconds, table[:, 0], table[:, 1], table[:, 2], table[:, 3] == 1)

    def _row(self, output: Output, target: Target, most: int) -> tuple[float, float, float, float]:
        answer = output.answers.get(target.object_id)
        visibility = float("nan") if answer is None else answer.visibility
        visible = float(answer is not None and answer.state == 1)
        if target.truth_id is None:
            return float("nan"), visibility, float("nan"), visible
        truth = self.truths[output.stamp].get(target.truth_id)
        share = 0.0 if truth is None else truth.area / most
        judged = truth is not None and share >= LEAST_SHARE
        iou = float("nan")
        if truth is not None and judged:
            iou = 0.0 if answer is None else box_iou(answer.box, truth.box)
        return iou, visibility, share, visible

    @property
    def rate(self) -> float:
        """Outputs per second."""
        if len(self.outputs) < 2:
            return 0.0
        return (len(self.outputs) - 1) / max(1e-9, (self.outputs[-1].stamp - self.outputs[0].stamp) * 1e-9)

    @property
    def latency(self) -> float:
        """Seconds, the median; NaN without outputs."""
        return float(np.median([output.latency for output in self.outputs])) if self.outputs else float("nan")

    @property
    def strangers(self) -> int:
        """Outputs whose header is no image's."""
        return sum(self.inputs.get(output.stamp) != output.frame_id for output in self.outputs)

    def faults(self, rate: float) -> list[str]:
        """Why it did not track; empty if it did. rate: images per second of the camera."""
        if len(self.outputs) < 2:
            return [f"{len(self.outputs)} outputs came, of {len(self.inputs)} images"]
        faults = []
        if self.rate < LEAST_RATE * rate:
            faults.append(f"outputs came at {self.rate:.1f} per second, below {LEAST_RATE * rate:.1f}")
        if self.strangers:
            faults.append(f"{self.strangers} of {len(self.outputs)} outputs carry a header that no image had")
        for target in self.targets:
            curve = self.curve(target)
            share = float(curve.visible.mean())
            if target.truth_id is None and share < LEAST_VISIBLE:
                faults.append(f"the {target.name} was visible on {share:.0%} of the images, below {LEAST_VISIBLE:.0%}")
            elif target.truth_id is not None and not curve.mean_iou >= LEAST_IOU:
                faults.append(f"the mean box IoU of the {target.name} is {curve.mean_iou:.2f}, below {LEAST_IOU}")
        return faults

    def summary(self) -> str:
        """One line of figures."""
        if not self.outputs:
            return "no output"
        parts = [f"{len(self.outputs)} outputs at {self.rate:.1f} per second, latency {1000 * self.latency:.0f} ms"]
        for target in self.targets:
            curve = self.curve(target)
            if target.truth_id is None:
                parts.append(f"{target.name} visible on {curve.visible.mean():.0%}")
            else:
                parts.append(f"{target.name} IoU {curve.mean_iou:.2f}")
        return ", ".join(parts)

    def line(self, second: int, since: int) -> str:
        """What came since output number `since`: for one line per second."""
        new = self.outputs[since:]
        if not new:
            return f"{second:3d} s  no output"
        latency = 1000 * float(np.median([output.latency for output in new]))
        return "  ".join(
            [f"{second:3d} s  {len(new):2d} outputs/s  latency {latency:4.0f} ms"]
            + [self._column(target, new[-1], len(new)) for target in self.targets]
        )

    def _column(self, target: Target, last: Output, count: int) -> str:
        answer = last.answers.get(target.object_id)
        state = "unknown" if answer is None else f"{STATES.get(answer.state, '?'):8} {answer.visibility:4.2f}"
        text = f"| {target.name}: {state}"
        if target.truth_id is None:
            return text
        curve = self.curve(target, count)
        hidden = bool(len(curve.share)) and curve.share[-1] < LEAST_SHARE
        return (
            text
            + (f" IoU {curve.mean_iou:4.2f}" if np.isfinite(curve.mean_iou) else "         ")
            + (" (hidden)" if hidden else "         ")
        )
