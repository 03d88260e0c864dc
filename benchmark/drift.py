"""Measures how far bfloat16 drifts from float32 when memory goes round for thousands of images.

    python -m benchmark.drift
    python -m benchmark.drift --model sam2.1_hiera_tiny --device cuda

Two trackers of the same weights, one in each precision, are given the same masks of the objects on the first image of
the simulated table, and then the same images. Things move, hide one another and come back; the scene repeats itself
every 20 s, so that stretches can be compared. Printed are, for each stretch, the IoU of either's masks with the truth,
the IoU of one's masks with the other's, and the share of objects and images on which they disagree whether the object
is in view. Everything is written to drift.json after each stretch. Ends with 1 if bfloat16 is worse by more than is
allowed in the last quarter, and with 130 if it was interrupted.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from sam2_ros.apps.figures import write
from sam2_ros.network import find_device, load_network
from sam2_ros.simulation.tabletop import Tabletop
from sam2_ros.tracking import Prompt, Tracker, Tracks

from .machine import describe
from .options import count
from .output import make_room

_RATE = 10
"""Images a second."""
_LOOP = 20 * _RATE
"""Images after which the scene repeats itself."""

Masks = NDArray[np.bool_]


@dataclass(frozen=True)
class Stretch:
    """Means over a loop of the scene."""

    frames: int
    """Up to its end."""
    float32: float
    """IoU with the truth where the object is in view."""
    bfloat16: float
    """Likewise."""
    alike: float
    """IoU of the two precisions' masks where either has one."""
    disagree: float
    """Share of objects and images that only one of them holds to be in view."""


def main(arguments: list[str] | None = None) -> int:
    """Runs the command. 0 if bfloat16 holds, 1 if not, 2 for wrong arguments, 130 if it was interrupted."""
    parser = _parser()
    options = parser.parse_args(arguments)
    file = options.output / "drift.json"
    try:
        device = find_device(options.device)
        networks = [load_network(options.model, device=device, dtype=one) for one in (torch.float32, torch.bfloat16)]
        trackers = [Tracker(one, image_size=options.image_size) for one in networks]
        make_room(file)
    except ValueError as error:  # of the device, the checkpoint, the image size, or the output
        parser.error(str(error))
    machine = describe(device)
    stretches: list[Stretch] = []
    try:
        images, truth = _scene()
        print(f"{'frames':>7}  {'float32':>8} {'bfloat16':>8} {'alike':>7} {'disagree':>9}")
        for stretch in run(trackers, images, truth, options.frames):
            stretches.append(stretch)
            content = {"machine": machine, "model": options.model, "stretches": [asdict(one) for one in stretches]}
            write(file, content)
            tqdm.write(f"{stretch.frames:>7}  {stretch.float32:8.3f} {stretch.bfloat16:8.3f} {stretch.alike:7.3f} "
                       f"{stretch.disagree:9.4f}")  # fmt: skip
    except KeyboardInterrupt:
        left = f"{file} has the figures up to frame {stretches[-1].frames}" if stretches else "there are no figures"
        print(f"benchmark.drift: interrupted; {left}", file=sys.stderr)
        return 130
    lost = loss(stretches)
    print(f"in the last quarter bfloat16 has an IoU with the truth {abs(lost):.3f} {'below' if lost > 0 else 'above'} "
          f"float32's; {options.allowed:g} below is allowed")  # fmt: skip
    return int(not lost <= options.allowed)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmark.drift", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--model", default="nano", help="name or file of the network (default: nano)")
    add("--image-size", type=count, help="edge of the network's input, a multiple of 32 (default: the network's own)")
    add("--frames", type=count, default=2000, help=f"rounded up to loops of {_LOOP} (default: 2000)")
    add("--device", default="auto", help="auto, cpu, cuda or cuda:N (default: auto)")
    add("--allowed", type=float, default=0.02, metavar="IOU", help="that bfloat16 may be worse by (default: 0.02)")
    add("--output", type=Path, default=Path("build/drift"), metavar="DIR", help="(default: build/drift)")
    return parser


def loss(stretches: list[Stretch]) -> float:
    """By how much bfloat16 is worse than float32 in the last quarter, at least one stretch."""
    last = stretches[-max(1, len(stretches) // 4) :]
    return float(np.mean([one.float32 - one.bfloat16 for one in last]))


def run(trackers: list[Tracker], images: list[NDArray[np.uint8]], truth: list[Masks], frames: int) -> Iterator[Stretch]:
    """Tracks through the loop of images again and again, with the first one's truth as prompts.

    trackers: in float32 and in bfloat16. truth: (N, H, W) of each image; objects that are not on the first are left
    out.
    """
    prompted = np.flatnonzero(truth[0].any(axis=(1, 2)))
    loops = -(-frames // len(images))
    for loop in range(loops):
        results = []
        for number, image in enumerate(tqdm(images, desc=f"loop {loop + 1} of {loops}", disable=None, leave=False)):
            stamp = (loop * len(images) + number) * 10**9 // _RATE
            tracks = [tracker.track(image, stamp) for tracker in trackers]
            if not tracks[0].ids:
                for tracker in trackers:
                    for mask in truth[0][prompted]:
                        tracker.prompt(Prompt(mask=mask))
                tracks = [tracker.current() for tracker in trackers]
            results.append(_compare(tracks, truth[number][prompted]))
        means = [float(np.nanmean(np.concatenate(column))) for column in zip(*results, strict=True)]
        yield Stretch((loop + 1) * len(images), *means)


def _compare(tracks: Iterable[Tracks], truth: Masks) -> tuple[NDArray[np.float64], ...]:
    """What a `Stretch` has the means of, for each object; NaN where there is nothing to compare."""
    one, other = (each.masks for each in tracks)
    in_view = truth.any(axis=(1, 2))
    with_truth = (np.where(in_view, _iou(masks, truth), np.nan) for masks in (one, other))
    return *with_truth, _iou(one, other), (one.any(axis=(1, 2)) != other.any(axis=(1, 2))).astype(float)


def _iou(one: Masks, other: Masks) -> NDArray[np.float64]:
    """(N,), NaN where both are empty."""
    either = (one | other).sum(axis=(1, 2))
    return np.divide((one & other).sum(axis=(1, 2)), either, out=np.full(len(one), np.nan), where=either > 0)


def _scene() -> tuple[list[NDArray[np.uint8]], list[Masks]]:
    """The demo's table: images, and the masks of all its objects on each."""
    table = Tabletop.demo()
    ids = np.array(sorted(table.names))[:, None, None]
    frames = [table.frame(number / _RATE, depth=False) for number in tqdm(range(_LOOP), desc="rendering", disable=None)]
    table.close()
    return [frame.image for frame in frames], [frame.labels == ids for frame in frames]


if __name__ == "__main__":
    sys.exit(main())
