"""Measures this tracker beside the other implementations of SAM 2: same weights, same frames, same run.

    python -m benchmark
    python -m benchmark --model sam2.1_hiera_tiny nano --objects 1 3 8 --output build/benchmark

Weights are random and frames made up: neither changes the work, and nothing is downloaded. All candidates follow the
same objects through the same frames, frame by frame in turn. A frame's time is from the image to the masks of all
objects on the host. Ends with 1 if an answer in float32 differs from the first candidate's by more than 1e-3, if no
object is in view, so that there are no answers to compare, or if a candidate that was asked for is not here. Where only
one candidate is measured nothing is compared, and in bfloat16 the difference is only printed. The figures are written
after each case; an interrupted run ends with 130 and leaves those that there are.

The columns: frames a second on average; median, quartiles and 99th percentile of the frame time; how many times as long
as the first candidate it takes, by the clock and by the seconds that the processor worked, which other processes hardly
touch; the longest time to add an object, and of the frame after that; arithmetic of a frame; the greatest difference of
any logit from the first candidate's. The floor is that arithmetic at the rate of a large matrix product, which is
measured in turn with the candidates.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from sam2_ros.apps.figures import write
from sam2_ros.network import DeviceError, find_device, find_dtype
from sam2_ros.network.config import NAMED

from . import memory
from .candidate import NotInstalled
from .machine import describe, load
from .options import count, count_or_none
from .output import BadOutput, make_room
from .race import TOLERANCE, Case, Result, race
from .registry import CANDIDATES, EAGER
from .report import content, print_result


def main(arguments: list[str] | None = None) -> int:
    """Runs the command. 0 if what was compared agrees, also where nothing was since only one candidate was measured; 1
    if not, if no object was in view, or if a candidate that was asked for is not here; 2 for wrong arguments; 130 if it
    was interrupted.
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        device = find_device(options.device)
    except DeviceError as error:
        parser.error(str(error))
    dtype = find_dtype(options.dtype) or (torch.bfloat16 if device.type == "cuda" else torch.float32)
    if options.threads:
        torch.set_num_threads(options.threads)
    asked = options.candidate or EAGER
    able = [name for name, entry in CANDIDATES.items() if entry.nano]
    if "nano" in options.model and not set(able) & set(asked):
        parser.error(f"--candidate is {' '.join(asked)}, but nano can only be run by {' and '.join(able)}")
    torch.backends.cudnn.allow_tf32 = False  # float32 is to mean float32, so that answers can be compared
    names, missing = _present(asked)
    if options.candidate and missing:
        return 1
    file = options.output / "benchmark.json"
    try:
        make_room(file)
    except BadOutput as error:
        parser.error(str(error))
    cases = _cases(options, device, dtype)
    machine = describe(device)
    print(f"{machine['device']}, {machine['cores']} cores, {machine['threads']} threads, load {machine['load']:.1f}, "
          + ", ".join(f"{name} {version}" for name, version in machine["packages"].items())
          + f", {str(dtype).removeprefix('torch.')}")  # fmt: skip
    results: list[Result] = []
    try:
        for case in cases:
            results.append(_measure(case, names, with_memory=options.memory and case.objects == max(options.objects)))
            write(file, content({**machine, "load_at_the_end": load()}, results, missing))
            print_result(results[-1])
    except KeyboardInterrupt:
        left = f"{file} has the figures of {len(results)}" if results else "there are no figures"
        print(f"benchmark: interrupted; of {len(cases)} cases {left}", file=sys.stderr)
        return 130
    _draw(options.output, machine, results)
    return _verdict(results)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmark", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--model", nargs="+", choices=list(NAMED), default=["sam2.1_hiera_tiny"], metavar="NAME",
        help="of the network's sizes (default: sam2.1_hiera_tiny)")  # fmt: skip
    add("--image-size", nargs="+", type=_size, metavar="S",
        help="edge of the network's input in pixels (default: 1024 on a GPU, 512 elsewhere; "
        f"{NAMED['nano'].image_size} for nano)")  # fmt: skip
    add("--objects", nargs="+", type=count, default=[1, 3, 8], metavar="N", help="(default: 1 3 8)")
    add("--candidate", nargs="+", choices=list(CANDIDATES), metavar="NAME",
        help=f"of {', '.join(CANDIDATES)} (default: those that are here, uncompiled)")  # fmt: skip
    add("--frames", type=count, help="to measure (default: 300 on a GPU, 8 elsewhere)")
    add("--warm-up", type=count, default=8, metavar="FRAMES",
        help="before that; the memory is full after seven (default: 8)")  # fmt: skip
    add("--adds", type=count_or_none, default=2, metavar="N", help="objects to add afterwards, one by one (default: 2)")
    add("--memory", action=argparse.BooleanOptionalAction, default=True,
        help="measure memory, with the most objects, in processes of their own (default: yes)")  # fmt: skip
    add("--device", default="auto", help="auto, cpu, cuda or cuda:N (default: auto)")
    add("--dtype", choices=("auto", "float32", "bfloat16"), default="auto",
        help="(default: auto, which is bfloat16 on a GPU, float32 elsewhere)")  # fmt: skip
    add("--threads", type=count, help="of PyTorch on the CPU (default: its own choice)")
    add("--output", type=Path, default=Path("build/benchmark"), metavar="DIR",
        help="for benchmark.json and benchmark.png (default: build/benchmark)")  # fmt: skip
    return parser


def _size(text: str) -> int:
    if not text.isdecimal() or int(text) < 64 or int(text) % 32:
        raise argparse.ArgumentTypeError(f"{text!r} must be a multiple of 32 from 64")
    return int(text)


def _cases(options: argparse.Namespace, device: torch.device, dtype: torch.dtype) -> list[Case]:
    on_gpu = device.type == "cuda"
    frames = options.frames or (300 if on_gpu else 8)
    usual = {"nano": NAMED["nano"].image_size}
    return [
        Case(model, size, objects, device, dtype, options.warm_up, frames, options.adds)
        for model in options.model
        for size in options.image_size or [usual.get(model, 1024 if on_gpu else 512)]
        for objects in sorted(set(options.objects))
    ]


def _present(names: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """Those that can be measured, and why the others cannot, which is printed."""
    missing: dict[str, str] = {}
    for name in names:
        try:
            CANDIDATES[name].require()
        except NotInstalled as error:
            missing[name] = str(error)
            print(f"not measured: {name}; {error}", file=sys.stderr)
    return [name for name in names if name not in missing], missing


def _measure(case: Case, names: Sequence[str], *, with_memory: bool) -> Result:
    names = [name for name in names if CANDIDATES[name].nano or case.model != "nano"]
    objects = f"{case.objects} object{'s' if case.objects > 1 else ''}"
    with tqdm(desc=f"{case.model} {case.size} {objects}", total=len(names) + case.steps, disable=None) as bar:

        def progress(what: str) -> None:
            bar.set_postfix_str(what)
            bar.update()

        result = race(case, names, progress)
        for name in names if with_memory else ():
            bar.set_postfix_str(f"memory of {name}")
            try:
                result.measured[name].memory = memory.measure(case, name)
            except RuntimeError as error:  # the times, which took longer, are kept
                print(f"benchmark: {error}", file=sys.stderr)
    return result


def _draw(folder: Path, machine: dict[str, Any], results: Sequence[Result]) -> None:
    try:
        from .picture import draw
    except ImportError as error:
        print(f"no picture: {error}; pip install matplotlib", file=sys.stderr)
        return
    dtype = str(results[0].case.dtype).removeprefix("torch.")
    draw(folder / "benchmark.png", f"{machine['device']}, {machine['threads']} threads, {dtype}", results)
    print(f"\n{folder / 'benchmark.json'} and {folder / 'benchmark.png'} are written")


def _verdict(results: Sequence[Result]) -> int:
    """Prints how far the answers of several candidates differ. 1 if they ought to be the same and are not, or if no
    object was in view; 0 also where each case had only one candidate.
    """
    compared = [result for result in results if len(result.measured) > 1]
    if not compared:
        print("no answers were compared, since only one candidate was measured")
        return 0
    differences = [(one.difference, name) for result in compared for name, one in result.measured.items()]
    worst, name = max(differences, key=lambda entry: math.inf if math.isnan(entry[0]) else entry[0])
    spread = min(result.logits_spread for result in compared)
    print(f"the greatest difference of any logit is {worst:.1e} ({name}); their standard deviation is {spread:.1e}")
    if not spread > 0:
        print("benchmark: no object is in view, so no answers were compared", file=sys.stderr)
        return 1
    if results[0].case.dtype == torch.float32 and not worst <= TOLERANCE:
        print(f"benchmark: {name} differs by more than {TOLERANCE:g}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
