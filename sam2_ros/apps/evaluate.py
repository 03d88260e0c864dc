"""Measures a model on labelled sequences: how well it follows what it was shown once, and how fast."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from sam2_ros.network import CheckpointError, DeviceError, Sam2, find_device, load_network, use_threads

from . import figures
from .follow import PROMPTS, Followed, follow
from .scores import Scores
from .sequences import BadSequence, LabelledSequence, find_sequences, open_sequence
from .sheet import draw_sheet

_EPILOG = """
J, F and J&F are region similarity, boundary accuracy and their mean as DAVIS defines them: each object from the frame
after its prompt up to the last frame but one (DAVIS leaves the first and the last frame out), the mean over its frames,
then over the objects of a sequence; the last line is the mean over sequences (that of DAVIS is over the objects of all,
which is the same where each sequence has as many). Box IoU counts frames on which the object is in view; presence is
the share of objects' frames on which it is rightly said whether the object is in view.
Objects are tracked together, and a pixel belongs to one of them alone. An object that comes later is prompted on the
first frame that shows it. Frames/s is the time of network and tracker, without reading files or measuring.
"""
_COLUMNS = ("J", "F", "J&F", "box IoU", "presence", "frames/s")


class BadOption(ValueError):
    """An option that cannot be; the message names its value and what would be right."""


@dataclass(frozen=True)
class Result:
    """A sequence and what came of it."""

    sequence: LabelledSequence
    followed: Followed

    @property
    def scores(self) -> Scores:
        return self.followed.frames.summary()


def main(arguments: list[str] | None = None) -> int:
    """Runs the command. 0 if all sequences were measured, 1 if not, 2 for wrong arguments."""
    options = _parser().parse_args(arguments)
    try:
        sequences = _named(open_sequence(folder, options.frames) for folder in find_sequences(options.folder))
        network = _load(options)
        _make_room(options)
    except (BadSequence, BadOption, DeviceError, CheckpointError) as error:
        print(f"sam2_ros evaluate: {error}", file=sys.stderr)
        return 1
    results, faults = _measure(network, sequences, options)
    if results:
        _print(network, results, options)
    for fault in faults:
        print(f"sam2_ros evaluate: {fault}", file=sys.stderr)
    return 1 if faults else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="sam2_ros evaluate",
        description="Measures a model on labelled sequences. A sequence is a folder with images/NAME.jpg and "
        "masks/NAME.png, whose pixels are object ids, 0 where there is none.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", nargs="+", type=Path, metavar="FOLDER", help="a sequence, or a folder of sequences")
    parser.add_argument("--model", default="nano", help="name or file of the network (default: nano)")
    parser.add_argument("--prompt", choices=PROMPTS, default="mask", help="what each object is shown by, taken from "
                        "its mask; click: the point farthest from the mask's edge (default: mask)")  # fmt: skip
    parser.add_argument("--image-size", type=int, metavar="S", help="edge of the network's input in pixels, a multiple "
                        "of 32 (default: the model's own)")  # fmt: skip
    parser.add_argument("--frames", type=_count, metavar="N", help="the first N of each sequence only")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N (default: auto); the network "
                        "computes in what is quicker there, as the node does")  # fmt: skip
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")
    parser.add_argument("--pictures", type=Path, metavar="DIR", help="write a picture of each sequence there")
    return parser


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of frames; it must be at least 1")
    return int(text)


def _named(sequences: Iterable[LabelledSequence]) -> dict[str, LabelledSequence]:
    """The sequences by their names. Raises BadSequence where two have the same."""
    named: dict[str, LabelledSequence] = {}
    for sequence in sequences:
        if sequence.name in named:
            folders = " and ".join(str(one.images[0].parents[1]) for one in (named[sequence.name], sequence))
            raise BadSequence(f"{folders} have the same name; the figures of each sequence stand under its folder's")
        named[sequence.name] = sequence
    return named


def _load(options: argparse.Namespace) -> Sam2:
    """Raises BadOption, DeviceError or CheckpointError."""
    size = options.image_size
    if size is not None and (size < 32 or size % 32):
        raise BadOption(f"--image-size is {size}; it must be a positive multiple of 32")
    device = find_device(options.device)
    network = load_network(options.model, device=device, dtype=None)
    use_threads(network.config)  # as the node does
    return network


def _make_room(options: argparse.Namespace) -> None:
    """Makes sure, before hours of work, that the figures can be written. Raises BadOption."""
    try:
        if options.json is not None:
            if options.json.is_dir():
                raise BadOption(f"--json {options.json} is a folder; it must be a file")
            figures.make_room(options.json)
        if options.pictures is not None:
            options.pictures.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadOption(f"{error.filename} cannot be written: {error.strerror}") from error


def _measure(
    network: Sam2, sequences: dict[str, LabelledSequence], options: argparse.Namespace
) -> tuple[list[Result], list[str]]:
    """What could be measured, and a sentence for each sequence that could not."""
    results, faults = [], []
    with tqdm(total=sum(map(len, sequences.values())), unit="frame", disable=None) as progress:
        for sequence in sequences.values():
            progress.set_description(sequence.name)
            try:
                followed = follow(
                    network,
                    sequence,
                    prompt=options.prompt,
                    size=options.image_size,
                    pictures=options.pictures is not None,
                    progress=progress.update,
                )
            except BadSequence as error:
                faults.append(str(error))
                continue
            except KeyboardInterrupt:
                faults.append(f"interrupted in {sequence.name}; the figures are those of the sequences before it")
                break
            results.append(Result(sequence, followed))
            try:
                _keep(results, options)
            except OSError as error:
                faults.append(f"{sequence.name} was measured, but {error}")
    return results, faults


def _keep(results: Sequence[Result], options: argparse.Namespace) -> None:
    """Writes what is asked for after each sequence, so that it is there whatever comes. Raises OSError."""
    if options.json is not None:
        figures.write(options.json, _content(results))
    if options.pictures is not None:
        last = results[-1]
        title = f"{last.sequence.name}, {options.model}, {options.prompt} prompt"
        draw_sheet(options.pictures / f"{last.sequence.name}.png", title, last.sequence, last.followed)


def _print(network: Sam2, results: Sequence[Result], options: argparse.Namespace) -> None:
    size = options.image_size or network.config.image_size
    device = network.device
    where = f"threads: {torch.get_num_threads()}" if device.type == "cpu" else torch.cuda.get_device_name(device)
    print(f"{options.model}, {options.prompt} prompt, {size} pixels, {device.type}, {where}")
    width = max(len("sequence"), *(len(result.sequence.name) for result in results))
    print(f"{'sequence':{width}}  frames  objects" + "".join(f"{name:>10}" for name in _COLUMNS))
    for result in results:
        print(f"{result.sequence.name:{width}}" + _row(result.scores, [result]))
    print(f"{'mean':{width}}" + _row(Scores.mean([result.scores for result in results]), results))
    for result in results:
        for note in result.followed.notes:
            print(f"{result.sequence.name}: {note}")


def _row(scores: Scores, of: Sequence[Result]) -> str:
    frames, objects = sum(len(one.sequence) for one in of), sum(len(one.sequence.ids) for one in of)
    seconds = [second for one in of for second in one.followed.steady]
    values = (scores.j, scores.f, scores.jf, scores.box_iou, scores.presence)
    rate = f"{len(seconds) / sum(seconds):10.1f}" if seconds else f"{'-':>10}"
    return f"  {frames:6}  {objects:7}" + "".join(f"{value:10.3f}" for value in values) + rate


def _content(results: Sequence[Result]) -> dict[str, Any]:
    """What --json writes."""
    return {
        "mean": _figures(Scores.mean([result.scores for result in results])),
        "sequences": {result.sequence.name: _figures(result.scores) for result in results},
    }


def _figures(scores: Scores) -> dict[str, float | None]:
    figures = {
        "J": scores.j,
        "F": scores.f,
        "J&F": scores.jf,
        "box_iou": scores.box_iou,
        "presence": scores.presence,
    }
    # JSON knows no NaN.
    return {name: None if math.isnan(value) else value for name, value in figures.items()}


if __name__ == "__main__":
    sys.exit(main())
