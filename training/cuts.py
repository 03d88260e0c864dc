"""Measures a model on many short cuts of labelled sequences, since one run of a sequence is mostly luck.

    python -m training.cuts FOLDER... --every 8 --length 40

A cut begins at every so many frames, forwards and backwards, with the objects that are there; one that would be shorter
than half its length, or have fewer than three frames, is left out. Printed are J of each sequence, the mean of its
cuts, with its standard error.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from sam2_ros.apps.follow import PROMPTS, follow
from sam2_ros.apps.sequences import BadSequence, LabelledSequence, find_sequences, open_sequence
from sam2_ros.geometry.label_files import read_labels
from sam2_ros.network import Sam2, load_network

_LEAST = 150
"""Pixels of an object that a cut begins with."""
_FRAMES = 3
"""Fewest of a cut: that of the prompt, one to measure, and the last, which does not count."""


def cuts(sequence: LabelledSequence, *, every: int, length: int, backwards: bool) -> Iterator[LabelledSequence]:
    """The cuts of a sequence."""
    for step in (1, -1) if backwards else (1,):
        for first in range(0, len(sequence), every):
            frames = range(first, len(sequence) if step > 0 else -1, step)[:length]
            mask = sequence.masks[first]
            if len(frames) < max(_FRAMES, length / 2) or mask is None:
                continue
            ids, areas = np.unique(read_labels(mask), return_counts=True)
            seen = tuple(int(id_) for id_, area in zip(ids, areas, strict=True) if id_ and area >= _LEAST)
            if seen:
                images, masks = tuple(sequence.images[k] for k in frames), tuple(sequence.masks[k] for k in frames)
                yield replace(sequence, images=images, masks=masks, ids=seen)


def measure(network: Sam2, of: Iterator[LabelledSequence], prompt: str) -> list[float]:
    """J of each; one in which nothing can be measured is left out, and a line says so."""
    values = []
    for one in of:
        try:
            values.append(follow(network, one, prompt=prompt).frames.summary().j)
        except BadSequence as error:
            print(f"left out: the cut of {one.name} that begins with {one.images[0].name}: {error}", file=sys.stderr)
    return values


def main() -> int:
    torch.set_flush_denormal(True)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="+", type=Path, metavar="FOLDER", help="a sequence, or a folder of sequences")
    parser.add_argument("--model", default="nano", help="name or file of the network (default: nano)")
    parser.add_argument("--prompt", choices=PROMPTS, default="mask", help="(default: mask)")
    parser.add_argument(
        "--every", type=int, default=8, metavar="N", help="frames from one cut to the next (default: 8)"
    )
    parser.add_argument("--length", type=int, default=40, metavar="N", help="frames of a cut (default: 40)")
    parser.add_argument("--forwards", action="store_true", help="leave out those that run backwards")
    options = parser.parse_args()
    if options.every < 1 or options.length < _FRAMES:
        parser.error(f"--every {options.every} --length {options.length}: at least 1 and {_FRAMES}")
    try:
        sequences = [open_sequence(folder) for folder in find_sequences(options.folder)]
        network = load_network(options.model)
    except ValueError as error:  # of a sequence, or the checkpoint
        parser.error(str(error))
    means = []
    for sequence in sequences:
        chosen = cuts(sequence, every=options.every, length=options.length, backwards=not options.forwards)
        values = measure(network, chosen, options.prompt)
        if not values:
            print(f"{sequence.name}: no cut to measure begins with an object of {_LEAST} pixels", file=sys.stderr)
            continue
        means.append(float(np.mean(values)))
        spread = np.std(values) / len(values) ** 0.5
        print(f"{sequence.name}: {len(values)} cuts, J {means[-1]:.3f}, standard error {spread:.3f}", flush=True)
    if len(means) > 1:
        print(f"mean of {len(means)} sequences: J {np.mean(means):.3f}")
    return 0 if means else 1


if __name__ == "__main__":
    sys.exit(main())
