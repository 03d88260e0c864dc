"""Trains `nano`, the embedded model, on clips made on the fly.

    python -m training.train

Runs in stages and writes a checkpoint every few minutes; the same command goes on where it stopped. What happens
in a step depends on the seed, the step's number and the number of processes alone. The model is written at the end.
"""

from __future__ import annotations

import argparse
import json
import shutil
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from sam2_ros.network import Sam2, Sam2Config

from . import refining
from .average import Average
from .bank import Bank, load_bank
from .clips import make_clip
from .curve import draw_curve
from .export import export
from .parallel import launch, share_gradients
from .regions import DETAIL, cut_clips, glance_at
from .rollout import PROMPTS, learn_clicks, roll
from .trunk import imagenet_weights
from .validation import validate

MODEL = "nano.safetensors"
_PROMPT_SHARES = (0.3, 0.35, 0.35)
_SHOWN = ("total", "focal", "dice", "iou", "presence")


@dataclass(frozen=True)
class Stage:
    name: str
    steps: int
    size: int
    frames: int
    clips: int
    objects: int
    rate: float
    """Highest learning rate; the trunk learns at a tenth of it."""
    frozen: int
    """Blocks of the trunk that stay as they are, the stem with them."""
    dice: float
    trusted: float
    """Probability that a frame's presence is told rather than predicted."""
    tables: float = 0.3
    """Share of clips that show a rendered table."""
    natural: float = 0.0
    """Share of the other clips in which a photograph's own things are followed; see `natural.natural_scene`."""
    last: float = 0.0
    """Learning rate at the end of the stage."""
    earlier: float = 0.0
    """Share of the weights kept before the stage in those kept after it."""
    regions: bool = False
    """Whether objects are looked for in regions around them, each by itself, on three of four steps."""
    practices: int = 0
    """On how many masks of a step prompts are practised; see `rollout.roll`."""
    correct: float = 0.15
    """Probability of a corrective click on each later frame."""
    unlearned: int = 0
    """Of the frames, how many are only followed; see `rollout.roll`."""
    glances: bool = False
    """Whether clicks are also practised in regions of any size; see `regions.glance_at`."""


_REGIONS = Stage(
    "regions",
    2600,
    size=160,
    frames=7,
    clips=4,
    objects=2,
    rate=4e-4,
    frozen=16,
    dice=1,
    trusted=0.0,
    regions=True,
    practices=16,
)

_LASTING = replace(
    _REGIONS,
    name="lasting",
    steps=1700,
    frames=14,
    correct=1 / 14,
    unlearned=8,
    frozen=11,
    rate=3e-4,
    glances=True,
)

_NATURAL = replace(_LASTING, name="natural", steps=1600, frozen=16, rate=2.5e-4, natural=0.6, practices=32)

STAGES = (
    Stage("images", 900, size=128, frames=1, clips=8, objects=3, rate=1e-3, frozen=16, dice=3, trusted=1.0),
    Stage("clips", 450, size=128, frames=5, clips=4, objects=3, rate=6e-4, frozen=5, dice=2, trusted=0.4, last=4e-4),
    Stage("middle", 300, size=192, frames=6, clips=2, objects=3, rate=4e-4, frozen=5, dice=1, trusted=0.1, last=2.5e-4),
    Stage("large", 850, size=256, frames=6, clips=2, objects=3, rate=3.5e-4, frozen=5, dice=1, trusted=0.0),
    Stage("long", 1600, size=256, frames=6, clips=2, objects=3, rate=3e-4, frozen=5, dice=1, trusted=0.0, last=2e-4),
    Stage("fine", 400, size=320, frames=6, clips=2, objects=3, rate=2e-4, frozen=5, dice=1, trusted=0.0),
    Stage(
        "mixed",
        1800,
        size=256,
        frames=8,
        clips=2,
        objects=3,
        rate=3e-4,
        frozen=5,
        dice=1,
        trusted=0.0,
        tables=0.25,
        earlier=0.5,
    ),
    _REGIONS,
    replace(_REGIONS, name="turning", steps=3300, frozen=11, last=1e-4),
    replace(_REGIONS, name="sharp", steps=300, size=192, rate=1e-4),
    _LASTING,
    replace(
        _REGIONS,
        name="pictures",
        steps=2000,
        frames=1,
        clips=16,
        rate=5e-4,
        last=1e-4,
        tables=0.2,
        natural=0.8,
        glances=True,
    ),
    _NATURAL,
    replace(_NATURAL, name="hazy", steps=1500, rate=2e-4, earlier=0.5),
    replace(_NATURAL, name="steady", steps=2600, rate=2e-4, frozen=11, tables=0.38, natural=0.65, earlier=0.5),
)


class Clips(Dataset[tuple[Tensor, ...]]):
    def __init__(self, bank: Bank, stage: Stage, context: float, seed: int, first: int) -> None:
        """context: of search regions, see `SearchRegion.around`."""
        self.bank, self.stage, self.context, self.seed, self.first = bank, stage, context, seed, first

    def __getitem__(self, index: int) -> tuple[Tensor, ...]:
        """Images (C, T, S, S, 3) and masks (C, T, K, S, S) of a clip, or of C clips of one object where it is cut out;
        then glances at its objects, (K, S, S, 3) and (K, S, S), none where the stage does without."""
        stage, number = self.stage, self.first + index
        cut = stage.regions and index // stage.clips % 4 > 0
        clip = make_clip(
            self.bank,
            number,
            frames=stage.frames,
            objects=stage.objects,
            size=DETAIL * stage.size if cut else stage.size,
            seed=self.seed,
            tables=stage.tables,
            natural=stage.natural,
        )
        random = np.random.default_rng((self.seed, number))
        if cut:
            images, masks = cut_clips(clip, stage.size, self.context, random)
        else:
            images, masks = clip.images[None], clip.masks[None]
        if stage.glances:
            glances, glanced = glance_at(clip, stage.size, random)
        else:
            glances, glanced = images[0, :0], masks[0, :0, 0]
        return tuple(torch.from_numpy(array) for array in (images, masks, glances, glanced))


class Training:
    """The state of a run, as it is written to and read from its folder."""

    def __init__(
        self,
        folder: Path,
        bank: Bank,
        *,
        seed: int,
        device: str,
        half: bool = False,
        rank: int = 0,
        ranks: int = 1,
    ) -> None:
        """half: bfloat16 where autocast has it so. rank, ranks: which of how many processes this is; the first one
        writes and prints."""
        self.folder, self.seed, self.device, self.half = folder, seed, device, half
        self.rank, self.ranks = rank, ranks
        self.bank, self.held_out = bank.split()
        torch.manual_seed(seed)
        self.config = Sam2Config.named("nano")
        self.network = Sam2(self.config).to(device)
        self.network.image_encoder.trunk.load_state_dict(imagenet_weights())
        for name, parameter in self.network.memory_encoder.named_parameters():
            if name.endswith("gamma"):
                torch.nn.init.constant_(parameter, 0.1)  # as published it takes far longer to wake up than we train
        self.average = Average(self.network)
        self.earlier = Average(self.network)
        self.stage, self.step = 0, 0
        self.log: list[dict[str, Any]] = []
        self._stored_optimiser: dict[str, Any] | None = None
        if (file := folder / "checkpoint.pt").exists():
            self._read(file)

    def run(self, stages: tuple[Stage, ...]) -> None:
        while self.stage < len(stages):
            stage = stages[self.stage]
            if self.step == 0:
                self.earlier.copy(self.average)
            if self.step < stage.steps:
                self._run_stage(stage)
            self._stored_optimiser = None  # of the stage that has ended
            self.average.mix(self.earlier, stage.earlier)
            self.stage, self.step = self.stage + 1, 0
            if self.rank == 0:
                self._write(None)

    def refine(self, share: int, target: Path) -> None:
        """After all stages: what was learnt stays as it is, and the mask refiner learns from what is found, one part
        after the other. Writes the model. share: what part of the steps is taken, one of so many."""
        steps = len(self.log)
        for part in refining.PARTS:
            self.network.load_state_dict(self.average.state)
            run = refining.Refining(
                self.folder, self.network.eval(), self.bank, part, seed=self.seed, steps=part.steps // share
            )
            for key, tensor in run.run().items():
                self.average.state[f"mask_refiner.{key}"].copy_(tensor)
            steps += run.step
        export(self.average.state, self.config, target, steps=steps)

    def _run_stage(self, stage: Stage) -> None:
        optimiser = self._optimiser(stage)
        written = time.monotonic()
        began, count = time.monotonic(), 0
        quiet = True if self.rank else None  # None: quiet where nobody looks
        bar = tqdm(self._batches(stage), desc=stage.name, initial=self.step, total=stage.steps, disable=quiet)
        for batch in bar:
            values = self._step(stage, optimiser, *(tensor.to(self.device) for tensor in batch))
            self.step, count = self.step + 1, count + 1
            if self.rank:
                continue
            self.average.update(self.network)
            self.log.append(values)
            bar.set_postfix({name: f"{np.mean([one[name] for one in self.log[-20:]]):.3f}" for name in _SHOWN})
            if self.step % 50 == 0:
                self._print(stage, (time.monotonic() - began) / count)
            if time.monotonic() - written > 240:
                self._write(optimiser)
                written = time.monotonic()
        if self.rank == 0:
            self._print(stage, (time.monotonic() - began) / max(1, count), at_end=True)

    def _batches(self, stage: Stage) -> Iterator[list[Tensor]]:
        clips = Clips(self.bank, stage, self.config.search_context, self.seed, first=self.stage * 10**7)
        order = range(self.step * stage.clips + self.rank, stage.steps * stage.clips, self.ranks)
        loader = DataLoader(
            clips,
            stage.clips // self.ranks,
            sampler=order,
            num_workers=1,
            prefetch_factor=6,
            multiprocessing_context="fork",  # from Python 3.14 on the bank would be sent to each
        )
        for batch in loader:
            yield [tensor.flatten(0, 1) for tensor in batch]

    def _step(
        self,
        stage: Stage,
        optimiser: torch.optim.Optimizer,
        images: Tensor,
        masks: Tensor,
        glances: Tensor,
        glanced: Tensor,
    ) -> dict[str, Any]:
        for group in optimiser.param_groups:
            group["lr"] = group["share"] * _rate(stage, self.step)
        random = np.random.default_rng((self.seed, self.stage, self.step, self.rank))
        prompt = str(random.choice(PROMPTS, p=_PROMPT_SHARES))
        self.network.train()
        with torch.autocast(torch.device(self.device).type, torch.bfloat16, enabled=self.half):
            losses = roll(
                self.network,
                images,
                masks,
                random,
                prompt=prompt,
                trusted=stage.trusted,
                correct=stage.correct,
                practices=stage.practices,
                unlearned=stage.unlearned,
            ).losses
            if len(glances):
                losses += learn_clicks(self.network, glances, glanced, random)
        total = losses.total(stage.dice)
        optimiser.zero_grad(set_to_none=True)
        total.backward()
        share_gradients(self.network.parameters())
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        optimiser.step()
        shown = losses.in_view.clamp(min=1)
        return {
            "stage": stage.name,
            "step": self.step,
            "prompt": prompt,
            "total": float(total.detach()),
            "focal": float(losses.focal.detach() / shown),
            "dice": float(losses.dice.detach() / shown),
            "iou": float(losses.iou.detach() / shown),
            "presence": float(losses.presence.detach() / losses.objects),
        }

    def _optimiser(self, stage: Stage) -> torch.optim.Optimizer:
        trunk = self.network.image_encoder.trunk
        self.network.requires_grad_(True)
        for name, parameter in trunk.named_parameters():
            if name.startswith(("stem", *(f"blocks.{index}." for index in range(stage.frozen)))):
                parameter.requires_grad_(False)
        inside = {id(parameter) for parameter in trunk.parameters()}
        learned = [parameter for parameter in self.network.parameters() if parameter.requires_grad]
        groups = [
            {"params": [p for p in learned if id(p) not in inside], "share": 1.0},
            {"params": [p for p in learned if id(p) in inside], "share": 0.1},
        ]
        optimiser = torch.optim.AdamW([group for group in groups if group["params"]], weight_decay=0.01)
        if self._stored_optimiser is not None:
            optimiser.load_state_dict(self._stored_optimiser)
            self._stored_optimiser = None
        return optimiser

    def _print(self, stage: Stage, seconds: float, *, at_end: bool = False) -> None:
        recent = self.log[-50:]
        text = "  ".join(f"{name} {np.mean([entry[name] for entry in recent]):.4f}" for name in _SHOWN)
        pace = f"{seconds:.2f} s a step, {(stage.steps - self.step) * seconds / 60:.0f} min left"
        tqdm.write(f"{stage.name} {self.step}/{stage.steps}  {text}  {pace}")
        if at_end or self.step % 500 == 0:
            network = Sam2(self.config).to(self.device)
            network.load_state_dict(self.average.state)
            values = validate(network.eval(), self.held_out, size=stage.size, seed=self.seed, regions=stage.regions)
            tqdm.write("held out: " + "  ".join(f"{name} {value:.3f}" for name, value in values.items()))

    def _write(self, optimiser: torch.optim.Optimizer | None) -> None:
        content = {
            "network": self.network.state_dict(),
            "average": self.average.state,
            "earlier": self.earlier.state,
            "count": self.average.count,
            "optimiser": None if optimiser is None else optimiser.state_dict(),
            "stage": self.stage,
            "step": self.step,
            "seed": self.seed,
            "log": self.log,
        }
        part = self.folder / "checkpoint.part"
        torch.save(content, part)
        part.replace(self.folder / "checkpoint.pt")
        (self.folder / "log.json").write_text(json.dumps(self.log))
        draw_curve(self.log, self.folder / "curve.png")
        export(self.average.state, self.config, self.folder / MODEL, steps=len(self.log))

    def _read(self, file: Path) -> None:
        content = torch.load(file, map_location=self.device, weights_only=True)
        if content["seed"] != self.seed:
            raise ValueError(f"{file} was begun with seed {content['seed']}, not {self.seed}; use another folder")
        self.network.load_state_dict(content["network"])
        self.average.state, self.average.count = content["average"], content["count"]
        self.earlier.state = content["earlier"]
        self._stored_optimiser = content["optimiser"]
        self.stage, self.step = content["stage"], content["step"]
        self.log = content["log"]


def _rate(stage: Stage, step: int) -> float:
    """Learning rate: a warm-up over a tenth of the stage, then a cosine down to the last one."""
    warm = min(1.0, (step + 1) / (0.1 * stage.steps))
    falling = 0.5 * (1 + float(np.cos(np.pi * step / stage.steps)))
    return warm * (stage.last + (stage.rate - stage.last) * falling)


def main() -> None:
    torch.set_flush_denormal(True)  # numbers too small to matter would take a CPU many times as long
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path("build/training"), help="bank, checkpoint, log, curve, and "
                        "the model as it is so far")  # fmt: skip
    parser.add_argument("--target", type=Path, default=Path("sam2_ros/checkpoints") / MODEL, help="the model that is "
                        "written at the end")  # fmt: skip
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--bfloat16", action="store_true", help="autocast: faster on a GPU and on processors with "
                        "instructions for it, nearly twice as slow on others")  # fmt: skip
    parser.add_argument("--processes", type=int, default=1, choices=(1, 2), help="2 is faster on two CPU cores")
    parser.add_argument("--rehearse", action="store_true", help="go through all stages with a two-hundredth of "
                        "their steps, to see that it works here; writes to the folder's rehearsal/ alone")  # fmt: skip
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    load_bank(arguments.folder)  # prepared here once, not in every process
    if arguments.rehearse:
        shutil.rmtree(_rehearsal(arguments.folder), ignore_errors=True)  # or it would find that all had been done
        _rehearsal(arguments.folder).mkdir()
    print(json.dumps([asdict(stage) for stage in _stages(arguments)]), flush=True)
    launch(arguments.processes, partial(_train, arguments))


def _stages(arguments: argparse.Namespace) -> tuple[Stage, ...]:
    if not arguments.rehearse:
        return STAGES
    return tuple(replace(stage, steps=max(1, stage.steps // 200)) for stage in STAGES)


def _rehearsal(folder: Path) -> Path:
    return folder / "rehearsal"


def _train(arguments: argparse.Namespace, rank: int) -> None:
    bank = load_bank(arguments.folder)
    folder, target = arguments.folder, arguments.target
    if arguments.rehearse:
        folder = _rehearsal(folder)
        target = folder / MODEL
    training = Training(
        folder,
        bank,
        seed=arguments.seed,
        device=arguments.device,
        half=arguments.bfloat16,
        rank=rank,
        ranks=arguments.processes,
    )
    training.run(_stages(arguments))
    if rank == 0:
        training.refine(200 if arguments.rehearse else 1, target)


if __name__ == "__main__":
    main()
