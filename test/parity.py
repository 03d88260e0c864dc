"""Compares the tracker with the original's recorded answers.

    python test/parity.py FOLDER

FOLDER holds weights.safetensors, scenarios.json, frames.npz, image.npz and one .npz for each scenario. Prints the
worst and the mean difference of logits and scores and the frames where presence differs; exits with 1 beyond the
tolerances.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from sam2_ros.network import NO_OBJECT, Sam2, Sam2Config, load_network
from sam2_ros.tracking import Prompt, Tracker

WORST, MEAN, WORST_SCORE = 2e-2, 1e-3, 2e-2


@dataclass
class Difference:
    """Differences of one scenario, gathered over frames and objects."""

    logits: list[np.ndarray] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    presence: int = 0

    def add(self, logits: np.ndarray, score: float, low: np.ndarray, expected: float) -> None:
        present, wanted = logits.max() > NO_OBJECT, low.max() > NO_OBJECT
        self.scores.append(abs(score - expected))
        if present != wanted:
            self.presence += 1
        elif present:
            self.logits.append(np.abs(logits - low).ravel())

    def report(self, name: str) -> bool:
        """Prints a line; returns whether the scenario is within the tolerances."""
        logits = np.concatenate(self.logits) if self.logits else np.zeros(0)
        worst, mean = (float(logits.max()), float(logits.mean())) if logits.size else (0.0, 0.0)
        good = bool(
            self.scores and not self.presence and worst <= WORST and mean <= MEAN and max(self.scores) <= WORST_SCORE
        )
        print(
            f"{name:10} {'pass' if good else 'FAIL'}  logits worst {worst:.2e} mean {mean:.2e}  "
            f"scores worst {max(self.scores):.2e} mean {np.mean(self.scores):.2e}  "
            f"presence differs on {self.presence} of {len(self.scores)}, logits compared on {len(self.logits)}"
        )
        return good


def configuration(values: dict[str, object]) -> Sam2Config:
    """The config of scenarios.json, with the defaults that golden/README.md names."""
    width = values["d_model"]
    assert isinstance(width, int)
    return Sam2Config.from_dict({"num_layers": 2, "dim_feedforward": 2 * width, **values})


def run_scenario(network: Sam2, name: str, scenario: dict, frames: np.ndarray, expected: dict) -> Difference:
    """Plays a scenario: on each frame all objects are tracked, then the frame's prompts are applied."""
    tracker = Tracker(network, corrections_condition=False, hide_below=0.5)
    known: dict[int, int] = {}
    difference = Difference()
    for number in range(scenario["frames"]):
        tracks = tracker.track(frames[number], number)
        state = {i: (tracks.logits[row], tracks.scores[row]) for row, i in enumerate(tracks.ids)}
        for entry in scenario["prompts"].get(str(number), []):
            theirs = entry["id"]
            if entry["kind"] == "remove":
                tracker.remove(known[theirs])
                state.pop(known.pop(theirs))
                continue
            mask = expected[f"prompt/{number}/{theirs}/mask"] if entry["kind"] == "mask" else None
            prompt = Prompt(
                np.array(entry.get("points", [])).reshape(-1, 2), entry.get("labels", []), entry.get("box"), mask
            )
            answer = tracker.prompt(prompt, object_id=known.get(theirs))
            known[theirs] = answer.ids[0]
            state[answer.ids[0]] = (answer.logits[0], answer.scores[0])
        wanted = {int(key.split("/")[1]) for key in expected if key.startswith(f"{number}/")}
        if wanted != set(known):
            raise ValueError(f"{name}, frame {number}: objects {sorted(known)} are tracked, {sorted(wanted)} recorded")
        for theirs, ours in known.items():
            key = f"{number}/{theirs}"
            difference.add(*state[ours], expected[f"{key}/low"], float(expected[f"{key}/score"]))
    return difference


@torch.inference_mode()
def run_image(network: Sam2, frame: np.ndarray, expected: dict) -> Difference:
    """One image without memory: clicks and a box, straight through the network."""
    features = network.encode_image(network.prepare(torch.from_numpy(frame)[None], network.config.image_size))
    difference = Difference()
    for name in sorted({key.split("/")[0] for key in expected}):
        points, labels = (torch.from_numpy(expected[f"{name}/{key}"])[None] for key in ("points", "labels"))
        answer = network.decode(features, network.without_memory(features.top), points, labels)
        choice = network.choose(answer, multimask=points.shape[1] == 1)
        score = float(expected[f"{name}/score"][0])
        difference.add(choice.logits[0, 0].numpy(), float(choice.score), expected[f"{name}/low"], score)
    return difference


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder: Path = parser.parse_args(arguments).folder
    content = json.loads((folder / "scenarios.json").read_text())
    network = load_network(folder / "weights.safetensors", config=configuration(content["config"]))
    frames = np.load(folder / "frames.npz")["frames"]
    good = True
    for name, scenario in content["scenarios"].items():
        good &= run_scenario(network, name, scenario, frames, dict(np.load(folder / f"{name}.npz"))).report(name)
    good &= run_image(network, frames[0], dict(np.load(folder / "image.npz"))).report("image")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
