"""Trains the mask refiner of `nano`: on masks as its tracker finds them in generated clips, all else fixed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from sam2_ros.apps.follow import make_prompt
from sam2_ros.network import Sam2
from sam2_ros.tracking import BadPrompt, Tracker

from .average import Average
from .bank import Bank, Image
from .clips import make_clip
from .losses import dice_loss
from .regions import cut_mask

Masks = NDArray[np.bool_]
STEPS = 6000
"""One clip each."""
_BATCH = 32
_POOL = 4000
"""Masks to draw from: a clip gives ten, which are drawn three times each and not side by side."""
_EARLIER = 0.4
"""Share of the steps after which what was kept is kept aside: in the end the mean of that and of what is kept then."""
_KEPT = 0.5
"""Share of what is learnt to add to a mask that is added in the end: on real pictures it strays more than on clips."""
_RATE = 2e-3
_EDGE = 384
"""Of the clips, in pixels."""
_FRAMES = 6
_OBJECTS = 2
_FIRST = 9 * 10**8
"""Number of the first clip; the other stages are below."""
_PROMPTS = (("mask", 0.4), ("box", 0.3), ("click", 0.3))
_FOUND = 0.3
"""IoU of what is refined with the truth, at least: where the tracker is elsewhere there is nothing to refine."""


class _Watched(Sam2):
    """A network that keeps what it was last given to refine."""

    looked: tuple[Tensor, ...] = ()

    def refine(self, *look: Tensor) -> Tensor:
        self.looked = look
        return super().refine(*look)


class Found(Dataset[tuple[Tensor, ...]]):
    """Of each clip the pictures (M, 3, S, S) of what was found, logits and embeddings (M, C, S / 2, S / 2), and the
    truth (M, 1, S, S), a share of each pixel; M as many as the clip gives, perhaps none."""

    def __init__(self, network: Sam2, bank: Bank, *, seed: int) -> None:
        self.network, self.bank, self.seed = _Watched(network.config).eval(), bank, seed
        self.network.load_state_dict(network.state_dict())

    def __getitem__(self, number: int) -> tuple[Tensor, ...]:
        random = np.random.default_rng((self.seed, number))
        clip = make_clip(
            self.bank, number, frames=_FRAMES, objects=_OBJECTS, size=_EDGE, seed=self.seed, tables=0.25, natural=0.65
        )
        looks = [look for k in range(_OBJECTS) for look in self._follow(clip.images, clip.masks[:, k], random)]
        if looks:
            pictures, logits, embeddings, truths = (torch.cat(parts) for parts in zip(*looks, strict=True))
            return pictures.half(), logits.half(), embeddings.half(), truths.half()
        size = self.network.config.refined_size
        shapes = (3, size), (1, size // 2), (self.network.config.d_model // 8, size // 2), (1, size)
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
                if kind == "mask":
                    continue
            mask, (record,) = tracks.masks[0], tracker._objects.values()
            crop = tracker._propagation.sights[record.row].crop
            if crop is not None and np.count_nonzero(mask & truth) > _FOUND * np.count_nonzero(mask | truth):
                share = torch.from_numpy(cut_mask(truth, crop, self.network.config.refined_size))
                yield *self.network.looked, share[None, None]


class Refining:
    """The state of a run, as it is written to and read from its folder; what is drawn from begins anew."""

    def __init__(self, folder: Path, network: Sam2, bank: Bank, *, seed: int, steps: int) -> None:
        self.folder, self.network, self.steps = folder, network, steps
        self.found = Found(network, bank, seed=seed)  # by the network as it came, wherever the run goes on
        self.refiner = network.requires_grad_(False).mask_refiner.requires_grad_(True)
        self.optimiser = torch.optim.AdamW(self.refiner.parameters(), weight_decay=0.01)
        self.average, self.earlier = Average(self.refiner), Average(self.refiner)
        self.step = 0
        self.log: list[tuple[float, float, float]] = []
        if (file := folder / "refiner.pt").exists():
            content = torch.load(file, map_location=network.device, weights_only=True)
            self.refiner.load_state_dict(content["refiner"])
            self.optimiser.load_state_dict(content["optimiser"])
            self.average.state, self.earlier.state = content["average"], content["earlier"]
            self.step, self.log = content["step"], content["log"]
            self.average.count = self.step

    def run(self) -> dict[str, Tensor]:
        """Returns the weights to keep."""
        written = time.monotonic()
        bar = tqdm(self._batches(), desc="refining", initial=self.step, total=self.steps, disable=None)
        for batch in bar:
            self.log.append(self._learn(*batch))
            self.step += 1
            self.average.update(self.refiner)
            if self.step == int(_EARLIER * self.steps):
                self.earlier.copy(self.average)
            if self.step % 100 == 0:
                loss, before, after = np.mean(self.log[-100:], axis=0)
                tqdm.write(f"refining {self.step}/{self.steps}  loss {loss:.4f}  IoU {before:.4f} to {after:.4f}")
            if time.monotonic() - written > 240:
                self._write()
                written = time.monotonic()
        self._write()
        self.average.mix(self.earlier, 0.5)
        state = self.average.state
        return {**state, **{key: _KEPT * state[key] for key in ("out.weight", "out.bias")}}

    def _batches(self) -> Iterator[tuple[Tensor, ...]]:
        clips = range(_FIRST + self.step, _FIRST + self.steps)
        loader = DataLoader(self.found, None, sampler=clips, num_workers=2, prefetch_factor=8, worker_init_fn=_alone)
        pool, written = list[Tensor](), 0
        for number, fresh in enumerate(loader, start=self.step):
            pool = pool or [one.new_empty(_POOL, *one.shape[1:]) for one in fresh]
            places = torch.arange(written, written + len(fresh[0])) % _POOL
            for kept, one in zip(pool, fresh, strict=True):
                kept[places] = one
            written += len(places)
            if written:
                random = torch.Generator().manual_seed(number)
                drawn = torch.randint(min(written, _POOL), (_BATCH,), generator=random)
                yield tuple(kept[drawn].float().to(self.network.device) for kept in pool)

    def _learn(self, pictures: Tensor, logits: Tensor, embedding: Tensor, truth: Tensor) -> tuple[float, float, float]:
        """One step; the loss, and IoU before and after."""
        if self.step % 2:
            pictures, logits, embedding, truth = (x.flip(3) for x in (pictures, logits, embedding, truth))
        warm = min(1.0, (self.step + 1) / 200)
        for group in self.optimiser.param_groups:
            group["lr"] = _RATE * warm * 0.5 * (1 + float(np.cos(np.pi * self.step / self.steps)))
        refined = _twice(self.network.refine(pictures, logits, embedding))
        loss = 2 * F.binary_cross_entropy_with_logits(refined, truth) + dice_loss(refined, truth).mean()
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.refiner.parameters(), 1.0)
        self.optimiser.step()
        return float(loss.detach()), overlap(_twice(logits), truth), overlap(refined, truth)

    def _write(self) -> None:
        part = self.folder / "refiner.part"
        content = {
            "refiner": self.refiner.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "average": self.average.state,
            "earlier": self.earlier.state,
            "step": self.step,
            "log": self.log,
        }
        torch.save(content, part)
        part.replace(self.folder / "refiner.pt")


def overlap(logits: Tensor, truth: Tensor) -> float:
    """Mean IoU of masks, (N, 1, S, S) logits, with the truth, shares of pixels."""
    mask, true = logits > 0, truth > 0.5
    both, either = (mask & true).sum((1, 2, 3)), (mask | true).sum((1, 2, 3)).clamp(min=1)
    return float((both / either).mean())


def _twice(logits: Tensor) -> Tensor:
    return F.interpolate(logits, scale_factor=2.0, mode="bilinear", align_corners=False)


def _alone(_: int) -> None:
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
