"""Trains the mask refiner of `nano`: on masks as its tracker finds them in generated clips, all else fixed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from sam2_ros.apps.follow import make_prompt
from sam2_ros.network import Sam2
from sam2_ros.tracking import BadPrompt, Tracker
from sam2_ros.tracking.visibility import View

from .average import Average
from .bank import Bank, Image
from .clips import make_clip
from .losses import dice_loss
from .regions import cut_mask
from .rods import rods

Masks = NDArray[np.bool_]
_BATCH = 32
_POOL = 4000
"""Masks to draw from: a clip gives ten, which are drawn three times each and not side by side."""
_EDGE = 384
"""Of the clips, in pixels."""
_OBJECTS = 2
_RODS = 1000
"""Things of rods and rings; three times as many as the other drawings that are left then."""
_FOUND = 0.3
"""IoU of what is refined with the truth, at least: where the tracker is elsewhere there is nothing to refine."""


@dataclass(frozen=True)
class Part:
    """A part of the refiner, which learns by itself."""

    name: str
    modules: tuple[str, ...]
    """Of `MaskRefiner`."""
    last: str
    """The one that says what is added to a mask."""
    steps: int
    """One clip each."""
    rate: float
    """Highest learning rate."""
    kept: float
    """Share of what is learnt to add to a mask that is added in the end: on real pictures it strays more than on
    clips."""
    first: int
    """Number of the first clip; the other stages are below."""
    frames: int
    tables: float
    """As in `make_clip`, and the next."""
    natural: float
    told: float = 0.0
    """How often the mask that a frame goes on from is the true one."""
    spoiled: float = 0.0
    """And how often it is spoiled."""
    rods: bool = False
    """Whether most of the drawings are things of rods and rings."""
    led: bool = False
    """Whether only that is learnt from of which the mask on the frame before is known."""
    round: int = 10**9
    """After how many clips they are followed by what has been learnt so far."""


EDGES = Part(
    "edges",
    ("laterals", "blocks", "ups", "out"),
    "out",
    steps=6000,
    rate=2e-3,
    kept=0.5,
    first=9 * 10**8,
    frames=6,
    tables=0.25,
    natural=0.65,
)
LEAD = Part(
    "lead",
    ("lead",),
    "lead.4",
    steps=2000,
    rate=2e-3,
    kept=0.75,
    first=9 * 10**8 + 10**6,
    frames=10,
    tables=0.22,
    natural=0.4,
    told=0.3,
    spoiled=0.2,
    rods=True,
    led=True,
    round=500,
)
PARTS = EDGES, LEAD
_EARLIER = 0.4
"""Share of the steps after which what was kept is kept aside: in the end the mean of that and of what is kept then."""
_PROMPTS = (("mask", 0.4), ("box", 0.3), ("click", 0.3))


class _Watched(Sam2):
    """A network that keeps what it was last given to refine."""

    looked: tuple[Tensor, ...] = ()

    def refine(self, *look: Tensor) -> tuple[Tensor, Tensor]:
        self.looked = look
        return super().refine(*look)


class Found(Dataset[tuple[Tensor, ...]]):
    """Of each clip what was found, as `Sam2.refine` takes it, and the truth (M, 1, S, S), a share of each pixel; M as
    many as the clip gives, perhaps none."""

    def __init__(self, network: Sam2, bank: Bank, part: Part, *, seed: int) -> None:
        self.network, self.part, self.seed = _Watched(network.config).eval(), part, seed
        self.network.load_state_dict(network.state_dict())
        self.bank = bank
        if part.rods:
            random = np.random.default_rng(seed)
            self.bank = replace(bank, drawings=[*bank.drawings[::4], *(rods(bank, random) for _ in range(_RODS))])

    def __getitem__(self, number: int) -> tuple[Tensor, ...]:
        random = np.random.default_rng((self.seed, number))
        clip = make_clip(
            self.bank,
            number,
            frames=self.part.frames,
            objects=_OBJECTS,
            size=_EDGE,
            seed=self.seed,
            tables=self.part.tables,
            natural=self.part.natural,
        )
        looks = [look for k in range(_OBJECTS) for look in self._follow(clip.images, clip.masks[:, k], random)]
        if looks:
            return tuple(torch.cat(parts).half() for parts in zip(*looks, strict=True))
        size = self.network.config.refined_size
        shapes = (3, size), (1, size // 2), (self.network.config.d_model // 8, size // 2), (1, size), (1, size)
        return tuple(torch.zeros(0, channels, edge, edge, dtype=torch.half) for channels, edge in shapes)

    @torch.inference_mode()
    def _follow(self, images: Image, truths: Masks, random: np.random.Generator) -> Iterator[tuple[Tensor, ...]]:
        """One of each of the frames on which the tracker finds the object."""
        kind = str(random.choice([kind for kind, _ in _PROMPTS], p=[share for _, share in _PROMPTS]))
        tracker = Tracker(self.network, capacity=1, history=0)
        for t, (image, truth) in enumerate(zip(images, truths, strict=True)):
            tracks = tracker.track(image, t)
            if not t:
                try:
                    tracks = tracker.prompt(make_prompt(truth, kind))
                except BadPrompt:
                    return
            (record,) = tracker._objects.records()
            self._mislead(record.views, truth, random)
            if not t and kind == "mask":
                continue
            mask = tracks.masks[0]
            crop = tracker._propagation.close_ups.crops([record.row]).get(0)
            led = not self.part.led or bool(self.network.looked[3].any())
            if led and crop and np.count_nonzero(mask & truth) > _FOUND * np.count_nonzero(mask | truth):
                share = torch.from_numpy(cut_mask(truth, crop, self.network.config.refined_size))
                yield *self.network.looked, share[None, None]

    def _mislead(self, views: dict[int, View], truth: Masks, random: np.random.Generator) -> None:
        """Sometimes lets the next frame go on from the truth, or from what is wrong, rather than from what was found on
        the newest; views: of an object, by frame."""
        newest = max(views)
        close_up = views[newest].close_up
        told, spoiled = random.random(2) < (self.part.told, self.part.spoiled)
        if close_up is None or not (told or spoiled):
            return
        mask = cut_mask(truth, close_up.crop, len(close_up.mask)) > 0.5 if told else close_up.mask
        mask = _spoil(mask, random) if spoiled else mask
        views[newest] = replace(views[newest], close_up=replace(close_up, mask=mask))


class Refining:
    """The state of a run, as it is written to and read from its folder; what is drawn from begins anew."""

    def __init__(self, folder: Path, network: Sam2, bank: Bank, part: Part, *, seed: int, steps: int) -> None:
        self.file, self.network, self.part, self.steps = folder / f"{part.name}.pt", network, part, steps
        self.found = Found(network, bank, part, seed=seed)  # by the network as it came, until there is a round
        self.learned = _modules(network.requires_grad_(False), part).requires_grad_(True)
        # As the tracker has it that follows the clips.
        self.followed = _modules(self.found.network, part)
        self.optimiser = torch.optim.AdamW(self.learned.parameters(), weight_decay=0.01)
        self.average, self.earlier = Average(self.learned), Average(self.learned)
        self.step = 0
        self.log: list[tuple[float, float, float]] = []
        if self.file.exists():
            content = torch.load(self.file, map_location=network.device, weights_only=True)
            self.learned.load_state_dict(content["refiner"])
            self.optimiser.load_state_dict(content["optimiser"])
            self.average.state, self.earlier.state = content["average"], content["earlier"]
            self.step, self.log = content["step"], content["log"]
            self.average.count = self.step
            self.followed.load_state_dict(content["followed"])

    def run(self) -> dict[str, Tensor]:
        """Returns the weights to keep, by their names in the refiner."""
        written = time.monotonic()
        bar = tqdm(self._batches(), desc=self.part.name, initial=self.step, total=self.steps, disable=None)
        for batch in bar:
            self.log.append(self._learn(*batch))
            self.step += 1
            self.average.update(self.learned)
            if self.step == int(_EARLIER * self.steps):
                self.earlier.copy(self.average)
            if self.step % 100 == 0:
                loss, before, after = np.mean(self.log[-100:], axis=0)
                count = f"{self.part.name} {self.step}/{self.steps}"
                tqdm.write(f"{count}  loss {loss:.4f}  IoU {before:.4f} to {after:.4f}")
            if time.monotonic() - written > 240:
                self._write()
                written = time.monotonic()
        self._write()
        self.average.mix(self.earlier, 0.5)
        return self._kept(self.average.state)

    def _kept(self, state: dict[str, Tensor]) -> dict[str, Tensor]:
        last = tuple(f"{self.part.last}.{kind}" for kind in ("weight", "bias"))
        return {**state, **{key: self.part.kept * state[key] for key in last}}

    def _clips(self) -> Iterator[tuple[Tensor, ...]]:
        step = self.step
        while step < self.steps:
            if step % self.part.round == 0 and step:
                self.followed.load_state_dict(self._kept(self.average.state))
            end = min(self.steps, step - step % self.part.round + self.part.round)
            clips = range(self.part.first + step, self.part.first + end)
            yield from DataLoader(
                self.found,
                None,
                sampler=clips,
                num_workers=2,
                prefetch_factor=8,
                worker_init_fn=_alone,
                multiprocessing_context="fork",  # from Python 3.14 on the network would be sent, tensor by tensor
            )
            step = end

    def _batches(self) -> Iterator[tuple[Tensor, ...]]:
        pool, written = list[Tensor](), 0
        for number, fresh in enumerate(self._clips(), start=self.step):
            pool = pool or [one.new_empty(_POOL, *one.shape[1:]) for one in fresh]
            places = torch.arange(written, written + len(fresh[0])) % _POOL
            for kept, one in zip(pool, fresh, strict=True):
                kept[places] = one
            written += len(places)
            if written:
                random = torch.Generator().manual_seed(number)
                drawn = torch.randint(min(written, _POOL), (_BATCH,), generator=random)
                yield tuple(kept[drawn].float().to(self.network.device) for kept in pool)

    def _learn(self, *look: Tensor) -> tuple[float, float, float]:
        """One step, from what `Found` gives; the loss, and IoU before and after."""
        if self.step % 2:
            look = tuple(x.flip(3) for x in look)
        pictures, logits, embedding, earlier, truth = look
        warm = min(1.0, (self.step + 1) / 200)
        for group in self.optimiser.param_groups:
            group["lr"] = self.part.rate * warm * 0.5 * (1 + float(np.cos(np.pi * self.step / self.steps)))
        _, refined = self.network.refine(pictures, logits, embedding, earlier)
        loss = 2 * F.binary_cross_entropy_with_logits(refined, truth) + dice_loss(refined, truth).mean()
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.learned.parameters(), 1.0)
        self.optimiser.step()
        before = F.interpolate(logits, scale_factor=2.0, mode="bilinear", align_corners=False)
        return float(loss.detach()), overlap(before, truth), overlap(refined, truth)

    def _write(self) -> None:
        part = self.file.with_suffix(".part")
        content = {
            "refiner": self.learned.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "average": self.average.state,
            "earlier": self.earlier.state,
            "followed": self.followed.state_dict(),
            "step": self.step,
            "log": self.log,
        }
        torch.save(content, part)
        part.replace(self.file)


def _modules(network: Sam2, part: Part) -> nn.ModuleDict:
    """What of a network's refiner is this part."""
    return nn.ModuleDict({name: getattr(network.mask_refiner, name) for name in part.modules})


def overlap(logits: Tensor, truth: Tensor) -> float:
    """Mean IoU of masks, (N, 1, S, S) logits, with the truth, shares of pixels."""
    mask, true = logits > 0, truth > 0.5
    both, either = (mask & true).sum((1, 2, 3)), (mask | true).sum((1, 2, 3)).clamp(min=1)
    return float((both / either).mean())


def _spoil(mask: Masks, random: np.random.Generator) -> Masks:
    """A mask (R, R) that lacks a round piece or has one too many."""
    rows, columns = np.nonzero(mask)
    if not len(rows):
        return mask
    size, one = np.sqrt(len(rows)), random.integers(len(rows))
    x, y = random.normal((columns[one], rows[one]), 0.3 * size).astype(int).tolist()
    seen = cv2.circle(mask.astype(np.uint8), (x, y), int(size * random.uniform(0.1, 0.4)), int(random.integers(2)), -1)
    return seen > 0


def _alone(_: int) -> None:
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
